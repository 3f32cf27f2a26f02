"""The lake: exactly the declared tables, a digest of content alone, and every changed byte found."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.lake import Lake, Manifest, rows_by
from custody.digest import digest_of_rows
from custody.errors import SealBroken
from schemas.tables import TABLES, ColumnSpec

DAY = date(2019, 12, 30)
_VALUES: dict[str, Any] = {
    "text": "文",
    "int": 7,
    "bool": True,
    "date": DAY,
    "time": datetime(2019, 12, 30, 1, 2, 3, 4, tzinfo=UTC),
}


def flows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "account": f"P{n % 3:03d}:CUSTODY", "core_date": DAY, "seq": n, "extracted_for": DAY, "amount_minor": n - 5,
            "currency": "CNY", "core_ref": f"S{n}", "counterparty": "中", "narrative": "", "booked_at": _VALUES["time"] + timedelta(microseconds=n),
        }
        for n in range(count)
    ]  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def write(lake: Lake, rows: list[dict[str, Any]], fence: int = 1, note: bytes = b"note\n") -> tuple[str, Manifest]:
    writer = lake.attempt(DAY, "extract", "ab" * 32, fence)
    writer.table("core_flow", rows)
    writer.table("core_balance", [])
    writer.file("note.txt", note)
    return lake.relative(DAY, "extract", "ab" * 32, fence), writer.finish()


def test_rows_come_back_in_key_order_with_their_types(lake: Lake) -> None:
    rows = flows(50)
    shuffled = list(rows)
    Random(3).shuffle(shuffled)
    where, _ = write(lake, shuffled)
    assert lake.rows(where, "core_flow") == sorted(rows, key=lambda r: (r["account"], r["core_date"], r["seq"]))
    assert lake.rows(where, "core_balance") == []


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


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_declared_table_takes_a_row_with_all_and_one_with_least(lake: Lake, name: str) -> None:
    spec = TABLES[name]

    def cell(column: ColumnSpec, which: int) -> Any:
        if column.nullable and which == 2 and column.name not in spec.key:
            return None
        return f"{which}" if column.type == "text" else which if column.type == "int" else _VALUES[column.type]

    rows = [{c.name: cell(c, which) for c in spec.columns} for which in (1, 2)]
    writer = lake.attempt(DAY, "x", "cd" * 32, 1)
    writer.table(name, rows)
    manifest = writer.finish()
    where = lake.relative(DAY, "x", "cd" * 32, 1)
    assert sorted(lake.rows(where, name), key=str) == sorted(rows, key=str)
    assert lake.verify(where, manifest.digest) == []
    assert set(spec.key) <= set(spec.names)


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
    assert "committed digest" in lake.verify(where, "0" * 64)[0]


def test_a_changed_or_missing_file_shows(lake: Lake) -> None:
    where, manifest = write(lake, flows(10))
    part = lake.path(where) / "core_flow" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"\x00")
    assert lake.verify(where, manifest.digest) == [f"{where}/core_flow/part-00000.parquet was changed"]
    part.unlink()
    assert lake.verify(where, manifest.digest) == [f"{where}/core_flow/part-00000.parquet is missing"]


def test_rewritten_rows_show_even_when_the_manifests_file_digest_was_rewritten_too(lake: Lake) -> None:
    where, manifest = write(lake, flows(10))
    part = lake.path(where) / "core_flow" / "part-00000.parquet"
    table = pq.read_table(part)
    pq.write_table(table.slice(1), part)
    path = lake.path(where) / "manifest.json"
    raw = json.loads(path.read_text())
    raw["physical"]["core_flow/part-00000.parquet"] = hashlib.sha256(part.read_bytes()).hexdigest()
    path.chmod(0o600)
    path.write_text(json.dumps(raw))
    assert "content digest" in lake.verify(where, manifest.digest)[0]


@pytest.mark.parametrize("content", [None, "", "{"])
def test_a_manifest_that_cannot_be_read_is_a_broken_seal(lake: Lake, content: str | None) -> None:
    where, _ = write(lake, flows(1))
    path = lake.path(where) / "manifest.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(SealBroken, match="manifest"):
        lake.verify(where, "0" * 64)


def test_an_attempt_killed_before_its_commit_leaves_nothing_to_the_next(lake: Lake) -> None:
    writer = lake.attempt(DAY, "extract", "ab" * 32, 1)
    writer.table("core_flow", flows(3))
    where, manifest = write(lake, flows(2), fence=1)
    assert len(lake.rows(where, "core_flow")) == 2
    assert lake.verify(where, manifest.digest) == []


def test_rows_by_key() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": 2}, {"a": 1, "b": 3}]
    assert rows_by(rows, "a", "b")[1, 3] == rows[1]
    with pytest.raises(LookupError, match="two rows"):
        rows_by(rows, "a")
