"""The lake, in each place it may lie in: exactly the declared tables, a digest of content alone, every changed byte found."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lake_kit import DAY, NOON, Folder, HdfsFolder, Place, flows, lake_at, write

from connectors.item_index import index_columns
from connectors.lake import Lake, Part, table_of
from connectors.lake_files import lake_files
from custody.digest import digest_of_rows
from custody.errors import SealBroken, SettingsError
from schemas.tables import TABLES, ColumnSpec

_VALUES: dict[str, Any] = {"text": "文", "int": 7, "bool": True, "date": DAY, "time": NOON}
_PART = "core_flow/part-00000.parquet"


@pytest.fixture(params=["folder", "file", pytest.param("hdfs", marks=pytest.mark.real)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "hdfs":
        return HdfsFolder(request.getfixturevalue("hdfs"))
    folder = tmp_path / "lake 存管"
    return Folder(folder.name if request.param == "folder" else f"file://{folder}", folder)


@pytest.fixture
def lake(place: Place, tmp_path: Path) -> Lake:
    return lake_at(place, tmp_path)


def test_rows_come_back_in_key_order_with_their_types(lake: Lake) -> None:
    rows = flows(50)
    shuffled = list(rows)
    Random(3).shuffle(shuffled)
    where, _ = write(lake, shuffled)
    assert lake.rows(where, "core_flow") == sorted(rows, key=lambda r: (r["account"], r["core_date"], r["seq"]))
    assert lake.rows(where, "core_balance") == []
    assert lake.read_as_it_lies(where, "core_flow").equals(lake.read(where, "core_flow"))


def test_the_digest_is_of_the_content_alone(lake: Lake) -> None:
    rows = flows(200)
    _, first = write(lake, rows, fence=1)
    _, second = write(lake, rows[::-1], fence=2)
    assert first.digest == second.digest
    changed = [rows[0] | {"amount_minor": rows[0]["amount_minor"] + 1}, *rows[1:]]
    assert write(lake, changed, fence=3)[1].digest != first.digest
    assert write(lake, rows[1:], fence=4)[1].digest != first.digest
    assert write(lake, rows, fence=5, note=b"other\n")[1].digest != first.digest


def test_the_digest_is_the_one_that_anyone_can_compute(lake: Lake) -> None:
    rows = flows(20)
    _, manifest = write(lake, rows)
    names = TABLES["core_flow"].names
    assert manifest.tables["core_flow"]["content"] == digest_of_rows([[row[n] for n in names] for row in rows])
    assert manifest.tables["core_flow"]["sums"] == {"amount_minor": str(sum(r["amount_minor"] for r in rows))}
    assert (manifest.tables["core_flow"]["rows"], manifest.tables["core_balance"]["rows"]) == (20, 0)


def test_every_place_has_the_same_bytes(lake: Lake, place: Place, tmp_path: Path) -> None:
    where, manifest = write(lake, flows(100))
    other = Folder("other", tmp_path / "other")
    assert write(lake_at(other, tmp_path), flows(100)) == (where, manifest)
    for name in (_PART, "core_balance/part-00000.parquet", "files/note.txt", "manifest.json"):
        assert place.get(f"{where}/{name}") == other.get(f"{where}/{name}")


def test_every_declared_table_takes_a_row_with_all_and_one_with_least(lake: Lake) -> None:
    def cell(column: ColumnSpec, key: bool, which: int) -> Any:
        if column.nullable and which == 2 and not key:
            return None
        return f"{which}" if column.type == "text" else which if column.type == "int" else _VALUES[column.type]

    rows = {
        name: [{c.name: cell(c, c.name in spec.key, which) for c in spec.columns} for which in (1, 2)]
        for name, spec in TABLES.items()
    }
    writer = lake.attempt(DAY, "x", "cd" * 32, 1)
    for name in TABLES:
        writer.table(name, rows[name])
    manifest = writer.finish()
    where = lake.relative(DAY, "x", "cd" * 32, 1)
    for name, spec in TABLES.items():
        assert sorted(lake.rows(where, name), key=str) == sorted(rows[name], key=str), name
        assert set(spec.key) <= set(spec.names), name
    assert lake.verify(where, manifest.digest) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"currency": None}, "currency is null"),
        ({"seq": 1}, "repeat a key"),
        ({"amount_minor": 2**63}, "too large|too big|out of"),
    ],
)
def test_what_the_declaration_forbids_is_refused(lake: Lake, change: dict[str, Any], words: str) -> None:
    rows = flows(6)
    rows[4] |= change
    with pytest.raises((ValueError, OverflowError), match=words):
        write(lake, rows)


def test_a_missing_or_undeclared_table_or_column_is_refused(lake: Lake) -> None:
    writer = lake.attempt(DAY, "extract", "ab" * 32, 1)
    with pytest.raises(KeyError):
        writer.table("nope", [])
    with pytest.raises(KeyError):
        writer.table("core_flow", [{"account": "x"}])


def test_an_untouched_output_verifies(lake: Lake) -> None:
    where, manifest = write(lake, flows(10))
    assert lake.verify(where, manifest.digest) == []
    assert lake.manifest(where) == manifest


def test_another_digest_than_the_committed_one_shows(lake: Lake) -> None:
    where, _ = write(lake, flows(10))
    assert lake.verify(where, "0" * 64) == [f"{where}/manifest.json does not have the committed digest {'0' * 16}"]


@pytest.mark.parametrize("name", [_PART, "files/note.txt"])
def test_a_changed_or_missing_file_shows(lake: Lake, place: Place, name: str) -> None:
    where, manifest = write(lake, flows(10))
    data = place.get(f"{where}/{name}")
    place.put(f"{where}/{name}", data[:-1] + bytes([data[-1] ^ 1]))
    assert lake.verify(where, manifest.digest) == [f"{where}/{name} was changed"]
    place.remove(f"{where}/{name}")
    assert lake.verify(where, manifest.digest) == [f"{where}/{name} is missing"]


def test_a_missing_table_is_a_broken_seal(lake: Lake, place: Place) -> None:
    where, _ = write(lake, flows(1))
    place.remove(f"{where}/{_PART}")
    for read in (lake.read, lake.rows, lake.read_as_it_lies):
        with pytest.raises(SealBroken, match="core_flow/part-00000.parquet is missing"):
            read(where, "core_flow")
    with pytest.raises(SealBroken, match="missing"):
        lake.rows("2019-12-30/nothing", "core_flow")


@pytest.mark.parametrize("name", ["core_flow/part-00001.parquet", "core_flow/_x", "files/other.txt", "third/x"])
def test_a_file_that_nobody_wrote_shows(lake: Lake, place: Place, name: str, tmp_path: Path) -> None:
    where, manifest = write(lake, flows(10))
    if isinstance(place, Folder):
        (tmp_path / "lake 存管" / where / name).parent.mkdir(exist_ok=True)
    place.put(f"{where}/{name}", place.get(f"{where}/{_PART}"))
    assert lake.verify(where, manifest.digest) == [f"{where}/{name} does not belong there"]


def _rewrite(place: Place, where: str, name: str, data: bytes) -> None:
    """A file changed by somebody who knows that the manifest keeps a digest of its bytes."""
    place.put(f"{where}/{name}", data)
    raw = json.loads(place.get(f"{where}/manifest.json"))
    raw["physical"][name] = hashlib.sha256(data).hexdigest()
    place.put(f"{where}/manifest.json", json.dumps(raw).encode())


def test_rewritten_rows_show_even_when_the_manifests_file_digest_was_rewritten_too(lake: Lake, place: Place) -> None:
    where, manifest = write(lake, flows(10))
    sink = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(place.get(f"{where}/{_PART}"))).slice(1), sink)
    _rewrite(place, where, _PART, sink.getvalue())
    assert "content digest" in lake.verify(where, manifest.digest)[0]
    _rewrite(place, where, _PART, b"not Parquet")
    assert "cannot be read as Parquet" in lake.verify(where, manifest.digest)[0]


def test_what_is_laid_by_for_matching_shows_when_it_does_not_follow_from_the_rows(lake: Lake, place: Place) -> None:
    where, manifest = write(lake, flows(10))
    table = pq.read_table(io.BytesIO(place.get(f"{where}/{_PART}")))
    names = index_columns("core_flow")
    assert table.schema.names == [*TABLES["core_flow"].names, *names] and names
    lie = pa.array([1, *table[names[0]].to_pylist()[1:]], pa.int64())
    for forged in (table.set_column(table.schema.get_field_index(names[0]), names[0], lie), table.drop_columns(names[-1:])):
        sink = io.BytesIO()
        pq.write_table(forged, sink)
        _rewrite(place, where, _PART, sink.getvalue())
        assert lake.verify(where, manifest.digest) == [
            f"{where}/{_PART}: what is laid by for matching does not follow from its rows"
        ]


def test_a_rewritten_file_shows_even_when_the_manifests_file_digest_was_rewritten_too(lake: Lake, place: Place) -> None:
    where, manifest = write(lake, flows(1))
    _rewrite(place, where, "files/note.txt", b"another note\n")
    assert lake.verify(where, manifest.digest) == [f"{where}/files/note.txt was changed"]


@pytest.mark.parametrize("content", [None, b"", b"{", b"{}", b"[]", b"\xff"])
def test_a_manifest_that_cannot_be_read_is_a_broken_seal(lake: Lake, place: Place, content: bytes | None) -> None:
    where, _ = write(lake, flows(1))
    place.remove(f"{where}/manifest.json")
    if content is not None:
        place.put(f"{where}/manifest.json", content)
    with pytest.raises(SealBroken, match="manifest.json cannot be read"):
        lake.verify(where, "0" * 64)


def test_an_attempt_that_was_not_finished_leaves_nothing_to_the_next(lake: Lake, place: Place) -> None:
    writer = lake.attempt(DAY, "extract", "ab" * 32, 1)
    writer.table("core_flow", flows(3))
    writer.file("only_the_first_has.txt", b"x")
    where, manifest = write(lake, flows(2), fence=1)
    assert len(lake.rows(where, "core_flow")) == 2
    assert lake.verify(where, manifest.digest) == []


def _in_parts(lake: Lake, shares: list[list[dict[str, Any]]], fence: int = 1) -> tuple[str, Any]:
    """An attempt with a table in several parts, each of the rows of one share."""
    writer = lake.attempt(DAY, "extract", "ab" * 32, fence)
    writer.declare("core_flow")
    for share in shares:
        writer.part(Part.of(TABLES["core_flow"], table_of(TABLES["core_flow"], share)))
    writer.table("core_balance", [])
    writer.file("note.txt", b"note\n")
    return lake.relative(DAY, "extract", "ab" * 32, fence), writer.finish()


def _by_key(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda r: (r["account"], r["core_date"], r["seq"]))


def test_a_table_in_parts_says_the_same_as_in_one(lake: Lake) -> None:
    rows = _by_key(flows(60))
    whole, one = write(lake, rows, fence=1)
    where, manifest = _in_parts(lake, [rows[:1], rows[1:40], rows[40:]], fence=2)
    assert manifest.digest == one.digest
    assert manifest.tables == one.tables
    assert manifest.parts("core_flow") == [f"core_flow/part-0000{n}.parquet" for n in range(3)]
    assert lake.rows(where, "core_flow") == rows
    assert lake.read_as_it_lies(where, "core_flow").equals(lake.read(where, "core_flow"))
    assert [part.num_rows for part in lake.batches(where, "core_flow")] == [1, 39, 20]
    assert lake.verify(where, one.digest) == []
    assert [part.num_rows for part in lake.batches(whole, "core_flow")] == [60]
    # A table that was declared and got no part is there and empty.
    empty, none = _in_parts(lake, [], fence=3)
    assert (lake.rows(empty, "core_flow"), none.parts("core_flow")) == ([], [_PART])


def test_parts_out_of_order_or_with_a_key_twice_are_refused(lake: Lake) -> None:
    rows = _by_key(flows(10))
    for shares in ([rows[5:], rows[:5]], [rows[:5], rows[4:]], [rows[:5], rows[:5]]):
        with pytest.raises(ValueError, match="table core_flow: a part begins with"):
            _in_parts(lake, shares)


def test_a_changed_missing_or_exchanged_part_shows(lake: Lake, place: Place) -> None:
    rows = _by_key(flows(9))
    where, manifest = _in_parts(lake, [rows[:3], rows[3:6], rows[6:]])
    second, third = (f"{where}/core_flow/part-0000{n}.parquet" for n in (1, 2))
    data, other = place.get(second), place.get(third)
    place.put(second, data[:-1] + bytes([data[-1] ^ 1]))
    assert lake.verify(where, manifest.digest) == [f"{second} was changed"]
    place.remove(second)
    assert lake.verify(where, manifest.digest) == [f"{second} is missing"]
    with pytest.raises(SealBroken, match="part-00001.parquet is missing"):
        lake.read(where, "core_flow")
    place.put(second, other)
    assert lake.verify(where, manifest.digest) == [f"{second} was changed"]


def test_a_part_that_somebody_struck_off_the_manifest_shows(lake: Lake, place: Place) -> None:
    rows = _by_key(flows(9))
    where, manifest = _in_parts(lake, [rows[:3], rows[3:]])
    raw = json.loads(place.get(f"{where}/manifest.json"))
    del raw["physical"]["core_flow/part-00001.parquet"]
    place.put(f"{where}/manifest.json", json.dumps(raw).encode())
    place.remove(f"{where}/core_flow/part-00001.parquet")
    assert "content digest" in lake.verify(where, manifest.digest)[0]
    with pytest.raises(SealBroken, match="has 3 rows, its manifest says 9"):
        lake.read(where, "core_flow")


_ENDLESS = """
import sys
from pathlib import Path
from lake_kit import DAY
from connectors.lake import Lake
from connectors.lake_files import lake_files

writer = Lake(lake_files(sys.argv[1], Path(sys.argv[2]))).attempt(DAY, "extract", "ab" * 32, 1)
data = bytes(range(256)) * (1 << 17)
for n in range(10_000):
    writer.file(f"{n}.bin", data)
"""
_SIZE = 256 << 17


def test_a_writer_killed_amid_a_file_leaves_whole_files_or_none(lake: Lake, place: Place, tmp_path: Path) -> None:
    files = lake_files(place.location, tmp_path)
    where = lake.relative(DAY, "extract", "ab" * 32, 1)
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _ENDLESS, place.location, str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, **paths}) as writer:
        until = time.monotonic() + 60
        while not (names := _names(files, where)) or "files/1.bin" not in names or not _unfinished(names):
            assert writer.poll() is None and time.monotonic() < until, names
        writer.send_signal(signal.SIGKILL)
    names = _names(files, where)
    whole = [name for name in names if name.endswith(".bin")]
    assert whole
    for name in whole:
        assert len(files.read(f"{where}/{name}")) == _SIZE, name
    with pytest.raises(SealBroken, match="manifest"):
        lake.manifest(where)
    again, manifest = write(lake, flows(2), fence=1)
    assert again == where
    assert lake.verify(where, manifest.digest) == []


def _names(files: Any, where: str) -> list[str]:
    try:
        found: list[str] = files.names(where)
    except SealBroken:
        return []  # the writer has not come so far
    return found


def _unfinished(names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".part")]


def test_each_place_is_named_by_a_url(lake: Lake, place: Place, tmp_path: Path) -> None:
    where, _ = write(lake, flows(1))
    root = place.location if "://" in place.location else f"file://{tmp_path}/{place.location}"
    assert lake.url(where) == f"{root}/{where}"
    assert lake.parquet(where, "core_flow") == f"{root}/{where}/core_flow"


@pytest.mark.parametrize(
    "location", ["s3://bucket/lake", "file://lake", "hdfs://127.0.0.1:9000", "hdfs://127.0.0.1:9000/", "hdfs:///lake"]
)
def test_a_location_that_is_none_is_refused(location: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="stores.lake"):
        lake_files(location, tmp_path)
