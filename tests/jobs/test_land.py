"""Landing: the same tables whoever does the work and however it is cut, in bounded memory, and what a killed process means."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import land_kit
import pytest
from land_kit import DAY, accepted, land, new_home, txn_bytes

from connectors.bootstrap import Wiring, wire
from connectors.laid_by import Shelf
from custody.calendar import CHINA
from custody.errors import RetryLater, SealBroken
from custody.money import MAX_MINOR
from jobs import land as land_step
from jobs import land_files
from jobs.post.scratch import scratch
from jobs.workers import in_order
from schemas import columnar
from schemas.layout import load_layout
from schemas.layout_file import write_file


@pytest.fixture(scope="module")
def wiring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiring]:
    found = wire(new_home(tmp_path_factory.mktemp("land") / "home"))
    yield found
    found.close()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, parts and tasks so small that a few thousand rows make several of each, which lie on disk meanwhile, and each file read by
    itself, by columns. (Worker processes have the real ones.)"""
    monkeypatch.setattr(Shelf.__init__, "__defaults__", (10_000,))
    monkeypatch.setattr(land_files, "ROW_WISE_BYTES", 0)
    monkeypatch.setattr(columnar.FileReader.__init__, "__kwdefaults__", {**_HOW, "block_bytes": 50_000, "row_wise_bytes": 0})
    monkeypatch.setattr(land_files, "_PART_ROWS", 500)
    monkeypatch.setattr(land_files, "TASK_FILES", 2)
    monkeypatch.setattr(land_files, "TASK_BYTES", 200_000)


_HOW: dict[str, Any] = dict(columnar.FileReader.__init__.__kwdefaults__)


def test_rows_are_the_same_whoever_lands_them_and_however_they_are_cut(
    wiring: Wiring, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sizes = (3_000, 10, 0, 200, 40, 1)
    files = [accepted(wiring, f"P{n:03d}", txn_bytes(tmp_path, n * 10_000, rows)) for n, rows in enumerate(sizes)]
    where, one, _ = land(wiring, files, 1, 1)
    assert one.parts("land_txn") == ["land_txn/part-00000.parquet"]
    assert one.tables["land_txn"]["rows"] == sum(sizes)
    # In tasks of two files, so that there is work for several processes.
    request.getfixturevalue("small_parts")
    for processes in (1, 2, 3):
        cut, manifest, _ = land(wiring, files[::-1], processes, 1 + processes)
        assert manifest.digest == one.digest, processes
        assert len(manifest.parts("land_txn")) > 2
        assert wiring.lake.verify(cut, one.digest) == []
        assert wiring.lake.read(cut, "land_txn").equals(wiring.lake.read(where, "land_txn"))
        assert [part.num_rows for part in wiring.lake.batches(cut, "land_txn")] != [sum(sizes)]


def test_a_file_refused_at_its_end_takes_its_parts_with_it(wiring: Wiring, tmp_path: Path, small_parts: None) -> None:
    good = [accepted(wiring, f"P{n:03d}", txn_bytes(tmp_path, n * 10_000, 40)) for n in (1, 3)]
    short = accepted(wiring, "P002", txn_bytes(tmp_path, 20_000, 3_000), rows=3_001)
    small = accepted(wiring, "P004", txn_bytes(tmp_path, 40_000, 20), totals='{"amount": "1.00"}')
    where, manifest, answers = land(wiring, [*good, short, small], 1, 10)
    outcomes = {row["party"]: row for answer in answers for row in answer.outcomes}
    assert {party: (row["outcome"], row["rule"]) for party, row in outcomes.items()} == {
        "P001": ("LANDED", None), "P002": ("REFUSED", "row_count"), "P003": ("LANDED", None), "P004": ("REFUSED", "control_total")
    }  # fmt: skip
    assert (outcomes["P002"]["rows_landed"], outcomes["P002"]["rows_rejected"]) == (0, 3_001)
    assert outcomes["P004"]["rejected_minor"] == outcomes["P004"]["total_minor"] == 100
    assert manifest.tables["land_txn"]["rows"] == 80
    assert set(wiring.lake.read(where, "land_txn")["party"].to_pylist()) == {"P001", "P003"}


@pytest.mark.parametrize("said", [{}, {"amount": "٣"}, {"amount": "9" * 5_000}, {"amount": "1e9"}])
def test_a_total_that_is_none_refuses_its_file_alone_whatever_its_rows_are(
    said: dict[str, str], wiring: Wiring, tmp_path: Path
) -> None:
    """A row whose amount cannot be read keeps totals from being compared: landing ended there, for every party (found by fuzzing)."""
    broken = txn_bytes(tmp_path, 0, 3).replace(b",CNY,", b"x,CNY,", 1)
    files = [accepted(wiring, "P001", broken, totals=json.dumps(said)), accepted(wiring, "P002", txn_bytes(tmp_path, 10, 3))]
    outcomes = {o["party"]: o for answer in land(wiring, files, 1, 15 + len(str(said)))[2] for o in answer.outcomes}
    assert (outcomes["P001"]["outcome"], outcomes["P001"]["rule"]) == ("REFUSED", "control_total")
    assert (outcomes["P002"]["outcome"], outcomes["P002"]["rows_landed"]) == ("LANDED", 3)


def test_rows_of_a_later_day_are_rejected_and_counted(wiring: Wiring, tmp_path: Path, small_parts: None) -> None:
    lines = txn_bytes(tmp_path, 0, 1_000).split(b"\n")
    for place in (5, 900):
        lines[place] = lines[place].replace(b"2020-01-02T", b"2020-01-03T")
    lines[7] = lines[7].replace(b"SUCCESS", b"SUCCES")
    file = accepted(wiring, "P001", b"\n".join(lines))
    where, manifest, (answer,) = land(wiring, [file], 1, 20)
    (outcome,) = answer.outcomes
    assert (outcome["rows_landed"], outcome["rows_rejected"]) == (997, 3)
    assert outcome["landed_minor"] + outcome["rejected_minor"] == outcome["total_minor"]
    assert str(outcome["landed_minor"]) == manifest.tables["land_txn"]["sums"]["amount_minor"]
    told = [(r["line_no"], r["field"], r["rule"], r["value"]) for table in answer.rejected for r in table.to_pylist()]
    assert told == [
        (6, "event_time", "other_date", "2020-01-03 00:00:04+08:00"),
        (8, "status", "codes", "SUCCES"),
        (901, "event_time", "other_date", "2020-01-03 00:14:59+08:00"),
    ]
    assert not {6, 8, 901} & set(wiring.lake.read(where, "land_txn")["line_no"].to_pylist())


def test_personal_data_is_in_what_was_said_and_in_no_row(wiring: Wiring) -> None:
    layout = load_layout("platform_customer/1")
    row = {
        "user_no": "U1", "role": "LENDER", "action": "OPEN", "kind": "PERSON", "id_type": "ID", "id_no": "11010519491231002X",
        "name": "张三丰", "phone": "13812345678", "card_no": None, "event_time": datetime(2020, 1, 2, 10, tzinfo=CHINA),
    }  # fmt: skip
    data = write_file(layout, [row, {**row, "user_no": "U2"}], "utf-8", DAY)
    file = accepted(wiring, "P001", data, "CUSTOMER", layout.id)
    where, _, (answer,) = land(wiring, [file], 1, 30)
    landed = wiring.lake.rows(where, "land_customer")
    assert [r["user_no"] for r in landed] == ["U1", "U2"]
    assert not {"id_no", "name", "phone", "card_no"} & set(landed[0])
    (said,) = answer.said
    assert {r["customer_id"] for r in said.to_pylist()} == {r["customer_id"] for r in landed}
    assert all("张三丰" in r["body"] for r in said.to_pylist())
    refused = accepted(wiring, "P001", data, "CUSTOMER", layout.id, rows=3)
    assert not len(land(wiring, [refused], 1, 31)[2][0].said)


def test_answers_come_in_the_order_of_tasks(wiring: Wiring) -> None:
    assert list(in_order(wiring.settings.home, land_kit.doubles, range(40), 3)) == [2 * n for n in range(40)]
    assert list(in_order(wiring.settings.home, land_kit.doubles, [], 2)) == []


def test_a_killed_process_is_to_be_tried_again_and_a_fault_of_ours_is_not(wiring: Wiring) -> None:
    with pytest.raises(RetryLater, match="ended with -9"):
        list(in_order(wiring.settings.home, land_kit.dies, range(20), 2))
    with pytest.raises(ChildProcessError, match="ended with 1"):
        list(in_order(wiring.settings.home, land_kit.fails, range(20), 2))
    assert multiprocessing.active_children() == []


def test_a_process_killed_from_outside_amid_its_work(wiring: Wiring, tmp_path: Path) -> None:
    files = [accepted(wiring, f"P{n:03d}", txn_bytes(tmp_path, n * 50_000, 50_000)) for n in range(8)]

    def kill_one() -> None:
        until = time.monotonic() + 60
        while not (children := multiprocessing.active_children()) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(children[0].pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        with pytest.raises(RetryLater, match="ended with -9"):
            land(wiring, files, 2, 40)
    finally:
        killer.join()


def test_what_a_process_refuses_is_raised_as_it_is(wiring: Wiring, tmp_path: Path) -> None:
    file = accepted(wiring, "P001", txn_bytes(tmp_path, 0, 10))
    with pytest.raises(SealBroken, match="the archive has no 00/00"):
        land(wiring, [{**file, "archive_ref": "00/00"}], 2, 50)


@pytest.mark.parametrize(("rule", "seal"), [("control_total", {"totals": '{"amount": "1.00"}'}), ("row_count", {"rows": 3_001})])
def test_what_contradicts_a_file_only_at_its_end_leaves_none_of_its_rows(
    rule: str, seal: dict[str, Any], wiring: Wiring, tmp_path: Path, small_parts: None
) -> None:
    data = txn_bytes(tmp_path, 0, 3_000)
    lines = data.split(b"\n")
    lines[2_000] = lines[2_000].replace(b"SUCCESS", b"SUCCES")
    sent = accepted(wiring, "P001", b"\n".join(lines), **seal)
    _, manifest, (answer,) = land(wiring, [sent], 1, 60 + len(rule))
    assert [(o["outcome"], o["rule"], o["rows_landed"]) for o in answer.outcomes] == [("REFUSED", rule, 0)]
    assert (len(answer.parts), manifest.tables["land_txn"]["rows"]) == (0, 0)
    # What else is wrong with it is told all the same.
    assert [(r["line_no"], r["field"]) for table in answer.rejected for r in table.to_pylist()] == [(2_001, "status")]


def test_rows_of_a_later_day_make_a_file_unusable_too(
    wiring: Wiring, tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many a sender puts into a file, no more of them are told than it takes to refuse it."""
    monkeypatch.setattr(land_files, "MAX_REJECTED", 500)
    lines = txn_bytes(tmp_path, 0, 3_000).split(b"\n")
    lines[3] = lines[3].replace(b"SUCCESS", b"SUCCES")
    sent = accepted(wiring, "P001", b"\n".join([*lines[:10], *(x.replace(b"2020-01-02T", b"2020-01-03T") for x in lines[10:])]))
    _, manifest, (answer,) = land(wiring, [sent], 1, 80)
    (outcome,) = answer.outcomes
    assert (outcome["outcome"], outcome["rule"], outcome["rows_rejected"]) == ("REFUSED", "too_many_rejected", 3_000)
    assert manifest.tables["land_txn"]["rows"] == 0
    told = [(r["line_no"], r["rule"]) for table in answer.rejected for r in table.to_pylist()]
    assert told[0] == (4, "codes") and told == sorted(told)
    assert 499 <= len(told) <= 501 and {rule for _, rule in told[1:]} == {"other_date"}


def test_rejected_rows_of_many_files_stand_in_the_order_of_names(
    wiring: Wiring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come type by type, and are in memory a part at a time."""
    monkeypatch.setattr(land_step, "_REJECTED_ROWS", 40)
    monkeypatch.setattr(land_files, "_REJECTED_ROWS", 7)
    monkeypatch.setattr(Shelf.__init__, "__defaults__", (0,))
    bad = txn_bytes(tmp_path, 0, 30).replace(b"SUCCESS", b"SUCCES")
    claims = f"{load_layout('platform_claim/1').header}\n".encode() + b"T1,L1,LENDER,u1,x,EUR\n" * 9
    files = [accepted(wiring, party, bad) for party in ("P003", "P001")]
    files += [
        accepted(wiring, party, claims, "CLAIM", "platform_claim/1", totals='{"principal": "1.00"}') for party in ("P002", "P004")
    ]
    rejected = land_step._Rejected(tmp_path)
    for task in land_files.tasks_of(files, lambda party, on: {}, {}):
        rejected.add(land_files.land_files(wiring, task).rejected)
    writer = wiring.lake.attempt(DAY, "land", "ef" * 32, 1)
    rejected.write(writer)
    manifest = writer.finish()
    found = wiring.lake.rows(writer.folder, "rejected_rows")
    keys = [(r["file_name"], r["line_no"], r["fault_no"]) for r in found]
    assert keys == sorted(keys) and len(manifest.parts("rejected_rows")) == 2
    assert [sum(r["party"] == party for r in found) for party in ("P001", "P002", "P003", "P004")] == [30, 18, 30, 18]
    assert list(tmp_path.glob("tmp*")) != []


def test_what_a_killed_landing_laid_by_is_no_rows_and_cannot_be_read(wiring: Wiring, tmp_path: Path) -> None:
    file = accepted(wiring, "P001", txn_bytes(tmp_path, 0, 5_000))
    _, manifest, _ = land(wiring, [file], 1, 90)
    folder = tmp_path / "scratch"
    with scratch(folder):
        done = in_own_process("land_until_killed", wiring.settings.home, json.dumps(file, default=str), str(folder))
        assert done.returncode == -signal.SIGKILL, done.stderr
        (left,) = folder.iterdir()
        assert left.stat().st_size > 10_000 and b"PAR1" not in left.read_bytes()
    assert not folder.exists()
    _, again, _ = land(wiring, [file], 1, 90)
    assert again.digest == manifest.digest


_RUN = "import sys, land_kit; print(getattr(land_kit, sys.argv[1])(*sys.argv[2:]))"


def in_own_process(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(land_kit.__file__).parent), *sys.path])}
    command = [sys.executable, "-c", _RUN, name, *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **paths}, capture_output=True, text=True, timeout=600)


_IN_SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"


@pytest.mark.parametrize(
    ("few", "many", "size"),
    [
        # 50 and 200 MB in a soak. Both have a part that is full: of 262,144 rows, or of four files, which are a task.
        pytest.param(330_000 if _IN_SOAK else 270_000, 1_320_000 if _IN_SOAK else 700_000, None, id="one file"),
        pytest.param(200_000, 1_000_000 if _IN_SOAK else 600_000, 50_000, id="many files"),
    ],
)
def test_memory_does_not_grow_with_the_rows(few: int, many: int, size: int | None, wiring: Wiring, tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        each = size or rows
        sent = [accepted(wiring, f"P{n:03d}", txn_bytes(tmp_path, n * each, each)) for n in range(rows // each)]
        done = in_own_process("land_in_little_memory", wiring.settings.home, json.dumps(sent, default=str))
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    # Row hashes are kept, 32 bytes for each row until a run of them is full: some 30 MiB at most here.
    assert peak(many) - peak(few) < 60


def at_the_bound(rows: int) -> bytes:
    layout = load_layout("platform_txn/1")
    plain: dict[str, Any] = dict.fromkeys(f.column for f in layout.fields)
    plain |= {
        "txn_type": "MARKETING",
        "from_role": "PLATFORM",
        "from_user_no": "P_MARKETING",
        "to_role": "LENDER",
        "to_user_no": "U1",
    }
    plain |= {"leg": 1, "currency": "CNY", "status": "SUCCESS", "amount_minor": MAX_MINOR}
    plain["event_time"] = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=CHINA)
    return write_file(layout, [plain | {"request_no": f"R{n}"} for n in range(rows)], "utf-8", DAY)


@pytest.mark.parametrize(("rows", "outcome"), [(1, "LANDED"), (2, "REFUSED"), (10_000, "REFUSED")])
def test_amounts_at_the_bound_never_pass_64_bits(rows: int, outcome: str, wiring: Wiring) -> None:
    """One row may carry the largest amount; files whose sum is larger are refused, and harm no other party's."""
    files = [accepted(wiring, "P001", at_the_bound(rows)), accepted(wiring, "P002", at_the_bound(1))]
    _, _, answers = land(wiring, files, 1, 900 + rows)
    found = {o["party"]: o for answer in answers for o in answer.outcomes}
    assert (found["P001"]["outcome"], found["P001"]["rule"]) == (outcome, "total_too_large" if rows > 1 else None)
    assert found["P002"]["outcome"] == "LANDED" and found["P002"]["landed_minor"] == MAX_MINOR
