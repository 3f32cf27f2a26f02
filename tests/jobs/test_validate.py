"""The third ring on whole days: a sound market is quiet, what is planted is found in its batch and nowhere else."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "kit"))

from instance_kit import GO_LIVE, Instance, copy_of, make_instance, make_world, opened

from console.cli import app
from console.overview import day_at_a_glance, the_day
from custody.money import format_amount, parse_amount
from custody.steps import STEPS

STEPS_TO_EXTRACT = STEPS[: STEPS.index("extract") + 1]
DAYS = 12
# The eighth business day, so that each party has a history; the two days after it are Thursday and Friday.
ON = GO_LIVE + timedelta(days=9)
Records = list[dict[str, str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    size = {"platforms": 2, "channels": 1, "lenders": 120, "loans": 40, "days": DAYS}
    return make_world(tmp_path_factory.mktemp("validate") / "world", [], seed=7, **size)


@pytest.fixture(scope="module")
def before(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed instance, validated as far as the day before ON."""
    home = make_instance(tmp_path_factory.mktemp("before") / "home", world)
    with opened(home) as instance:
        for on in _dates(GO_LIVE, ON):
            _run(instance, world, on)
    return home


def _dates(first: date, end: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((end - first).days)]


def _run(instance: Instance, world: Path, on: date) -> None:
    instance.deliver(world, on)
    instance.run_day(on, STEPS_TO_EXTRACT)


@pytest.fixture
def instance(before: Path, tmp_path: Path) -> Iterator[Instance]:
    with opened(copy_of(before, tmp_path / "home")) as found:
        yield found


def test_a_sound_market_fails_nowhere_and_is_judged(instance: Instance, world: Path) -> None:
    for on in _dates(ON, GO_LIVE + timedelta(days=DAYS)):
        _run(instance, world, on)
    whole = _dates(GO_LIVE, GO_LIVE + timedelta(days=DAYS))
    assert [f for on in whole for f in _findings(instance, on) if f["severity"] == "fail"] == []
    assert [a for a in instance.find("alert") if a["rule"] == "BATCH_FAILED"] == []
    assert len([f for on in whole for f in _findings(instance, on)]) <= 2
    batches = [row for on in whole for row in instance.lake_rows(on, "validate", "batch_statistics")]
    assert len(batches) >= DAYS * 2 * 5
    assert sum(row["low_bp"] is not None for row in batches if row["file_type"] == "TXN") >= 4


# Each plants in P001's TXN file of ON, and names the rules whose findings are of severity fail.
def _a_tenth_of_the_rows(rows: Records) -> Records:
    return rows[: len(rows) // 10]


def _yuan_for_fen(rows: Records) -> Records:
    return [{**row, "amount": format_amount(parse_amount(row["amount"]) * 100)} for row in rows]


def _each_row_twice(rows: Records) -> Records:
    return [row for row in rows for _ in range(2)]


def _no_status_of_whom(rows: Records) -> Records:
    return [{**row, "to_role": "", "to_user_no": ""} for row in rows]


@pytest.mark.parametrize(
    ("plant", "rule", "column"),
    [
        (_a_tenth_of_the_rows, "batch_low", "low_bp"),
        (_yuan_for_fen, "batch_amounts", "amount_bp"),
        (_each_row_twice, "batch_repeated", "repeated_bp"),
        (_no_status_of_whom, "batch_absent", "absent_bp"),
    ],
)
def test_what_is_planted_fails_in_its_batch_only(
    instance: Instance, world: Path, tmp_path: Path, plant: Callable[[Records], Records], rule: str, column: str
) -> None:
    _run(instance, _planted(world, tmp_path, plant), ON)
    failed = [f for f in _findings(instance, ON) if f["severity"] == "fail"]
    assert [(f["party"], f["file_type"], f["custody_date"], f["rule"], f["measure"]) for f in failed] == [
        ("P001", "TXN", ON, rule, column)
    ]
    (alert,) = [a for a in instance.find("alert") if a["rule"] == "BATCH_FAILED"]
    assert (alert["subject"], alert["severity"], alert["raised_on"]) == (f"P001|TXN|{ON}", "HIGH", ON)
    assert failed[0]["words_en"] in alert["words_en"] and failed[0]["words_zh"] in alert["words_zh"]
    # The day goes on: the rows landed, and the page says whose batch is not to be trusted.
    assert instance.find("step_output", custody_date=ON, step="extract")
    shown = {p["platform"]: p["untrusted"] for p in day_at_a_glance(instance.wiring, ON)["platforms"]}
    assert {platform for platform, count in shown.items() if count} == {"P001"} and shown["P001"] == 1
    assert the_day(instance.wiring, ON).batch_findings.rows[0]["severity"] == "fail"


def test_one_repeated_key_warns(instance: Instance, world: Path, tmp_path: Path) -> None:
    _run(instance, _planted(world, tmp_path, lambda rows: [*rows, rows[0]]), ON)
    found = [f for f in _findings(instance, ON) if f["party"] == "P001" and f["rule"] == "batch_repeated"]
    assert [(f["severity"], f["observed"], f["expected"]) for f in found] == [("warn", 1, "≤ 0")]


def test_a_failed_day_is_no_measure_for_the_next(instance: Instance, world: Path, tmp_path: Path) -> None:
    _run(instance, _planted(world, tmp_path, _a_tenth_of_the_rows), ON)
    _run(instance, world, ON + timedelta(days=1))
    today, next_day = (_batch(instance, ON + timedelta(days=n)) for n in (0, 1))
    assert next_day["history_days"] == today["history_days"] and next_day["low_rows"] == today["low_rows"]
    assert not [f for f in _findings(instance, ON + timedelta(days=1)) if f["severity"] == "fail"]


def test_business_days_and_holidays_are_apart_and_a_short_history_judges_nothing(instance: Instance, world: Path) -> None:
    _run(instance, world, ON)
    histories = [_batch(instance, on)["history_days"] for on in _dates(GO_LIVE, ON + timedelta(days=1))]
    # Monday 30th, Tuesday 31st, the holiday, Thursday, Friday, the week-end, then Monday to Wednesday.
    assert histories == [0, 1, 0, 2, 3, 1, 2, 4, 5, 6]
    assert [_batch(instance, GO_LIVE + timedelta(days=n))["low_bp"] is None for n in (7, 8)] == [True, False]
    assert the_day(instance.wiring, GO_LIVE).batches_without_history == len(
        instance.lake_rows(GO_LIVE, "validate", "batch_statistics")
    )


def test_the_same_inputs_seal_the_same(before: Path, world: Path, tmp_path: Path) -> None:
    sealed = []
    for name in ("a", "b"):
        with opened(copy_of(before, tmp_path / name)) as instance:
            _run(instance, world, ON)
            sealed.append(instance.find("step_output", custody_date=ON, step="validate")[-1]["manifest_digest"])
            assert instance.step("validate", ON).outcome == "unchanged"
            again = instance.step("validate", ON, reason="once more")
            assert again.outcome == "committed" and again.seal.manifest_digest == sealed[-1]
    assert sealed[0] == sealed[1]


def test_the_data_docs_open_in_a_closed_network(before: Path, world: Path, tmp_path: Path) -> None:
    home = copy_of(before, tmp_path / "home")
    with opened(home) as instance:
        _run(instance, _planted(world, tmp_path, _a_tenth_of_the_rows), ON)
    assert _expect(home, GO_LIVE + timedelta(days=20)).exit_code == 2
    told = json.loads(_expect(home, ON).stdout.splitlines()[-1])
    index = Path(told["data_docs"])
    pages = {path.relative_to(index.parent).as_posix(): path.read_bytes() for path in index.parent.rglob("*") if path.is_file()}
    assert index == home / "data_docs" / ON.isoformat() / "index.html"
    for name, text in pages.items():
        assert b"//" not in re.sub(rb"(?m)^\s*//.*$", b"", text), f"{name} names another host"
    txn = pages["txn.html"].decode()
    assert "P001" in pages["index.html"].decode() and "✗ not to be trusted" in pages["index.html"].decode()
    assert "rows to the quietest such day" in txn and "✗ not met" in txn
    _expect(home, ON)
    assert pages == {p.relative_to(index.parent).as_posix(): p.read_bytes() for p in index.parent.rglob("*") if p.is_file()}


def _expect(home: Path, on: date) -> Result:
    return CliRunner().invoke(app, ["expect", "--docs", "--date", str(on), "--json"], env={"CUSTODY_HOME": str(home)})


def _findings(instance: Instance, on: date) -> list[dict[str, Any]]:
    return instance.lake_rows(on, "validate", "batch_findings")


def _batch(instance: Instance, on: date) -> dict[str, Any]:
    """P001's TXN batch."""
    (row,) = [
        row
        for row in instance.lake_rows(on, "validate", "batch_statistics")
        if (row["party"], row["file_type"]) == ("P001", "TXN")
    ]
    return row


def _planted(world: Path, to: Path, plant: Callable[[Records], Records]) -> Path:
    """ON's files, with other rows in P001's TXN file and a seal that fits them."""
    copied = copy_of(world / ON.isoformat(), to / "planted" / ON.isoformat())
    (path,) = copied.glob("P001/P001_TXN_*.csv")
    read = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    assert read.fieldnames is not None
    rows = plant(list(read))
    text = io.StringIO()
    written = csv.DictWriter(text, read.fieldnames, lineterminator="\n")
    written.writeheader()
    written.writerows(rows)
    data = text.getvalue().encode()
    path.write_bytes(data)
    (seal,) = copied.glob("P001/P001_SEAL_*.json")
    body = json.loads(seal.read_text(encoding="utf-8"))
    (entry,) = [entry for entry in body["files"] if entry["name"] == path.name]
    total = format_amount(sum(parse_amount(row["amount"]) for row in rows))
    entry |= {"bytes": len(data), "rows": len(rows), "sha256": hashlib.sha256(data).hexdigest(), "totals": {"amount": total}}
    seal.write_text(json.dumps(body), encoding="utf-8")
    return to / "planted"
