"""Each way a file can be bad, on a day of its own: it is named and explained, it harms nobody else, and no row is lost."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, Instance, copy_of, make_instance, make_world, opened
from kill_kit import CopyOf

from custody.calendar import dates
from custody.ports import Row
from custody.services.access import SYSTEM
from jobs.results import send_results
from simulator.simulate import FaultRequest

BEFORE, ON, NEXT = dates(GO_LIVE, 3)
BAD = "P002"
LAND_TABLES = ("customer", "loan", "txn", "claim", "balance", "settlement", "instruction", "mandate", "legal_order")
# kind of fault -> (where it is found, rule)
AT_INTAKE = {"file_truncated": "size", "file_digest": "digest", "layout_version": "unknown_layout"}
WHOLE_FILE = (*AT_INTAKE, "control_total", "missing_file")
ROWS = {"bad_byte": "bad_byte", "impossible_date": "time"}
_CHINESE = re.compile("[\u4e00-\u9fff]")


RECONCILED = ("matches", "match_totals", "breaks", "open_items")


@dataclass(frozen=True)
class Clean:
    """``home``: closed, stands at the evening of the day before; ``day``: what the day gives when every file is sound."""

    home: Path
    day: dict[str, Any]


def day_of(instance: Instance) -> dict[str, Any]:
    tables = {f"land_{name}": instance.lake_rows(ON, "land", f"land_{name}") for name in LAND_TABLES}
    tables |= {name: instance.lake_rows(ON, "reconcile", name) for name in RECONCILED}
    (post,) = instance.find("step_output", custody_date=ON, step="post")
    return {**tables, "post": post["manifest_digest"]}


def of_others(rows: list[Row]) -> list[Row]:
    return [r for r in rows if r["platform"] != BAD]


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    folder = tmp_path_factory.mktemp("clean")
    world = make_world(folder / "world", [], seed=3, days=3)
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        instance.deliver(world, BEFORE)
        instance.run_day(BEFORE)
    with opened(copy_of(home, folder / "whole")) as instance:
        instance.deliver(world, ON)
        instance.run_day(ON)
        day = day_of(instance)
    assert day["breaks"] == []
    return Clean(home, day)


def finding(instance: Instance, kind: str) -> dict[str, Any]:
    """The one thing that says what is wrong, where the sender reads it: receipt, or validation of the day."""
    if kind in AT_INTAKE:
        entries = [f for receipt in instance.drop.receipts(BAD) for f in receipt["files"] if f["outcome"] == "REFUSED"]
    else:
        send_results(instance.wiring, ON, SYSTEM)
        (name,) = (n for n in instance.drop.sent[BAD] if "_VALIDATION_" in n and f"{ON:%Y%m%d}" in n)
        told = json.loads(instance.drop.sent[BAD][name])
        entries = told["rows"] if kind in ROWS else [f for f in told["files"] if f["outcome"] != "LANDED"]
        if kind == "control_total":
            entries = [f for f in entries if f["outcome"] == "REFUSED"]
    (entry,) = entries
    found: dict[str, Any] = entry
    return found


def assert_nothing_is_lost(instance: Instance, on: date) -> None:
    """Every row that a trailer counts is landed or rejected, and what was not even read is in the archive, byte for byte."""
    assert instance.failing_proofs() == []
    files = {f["file_name"]: f for f in instance.find("file") if f["file_type"] != "SEAL"}
    landed = Counter(r["file_name"] for name in LAND_TABLES for r in instance.lake_rows(on, "land", f"land_{name}"))
    rejected = {(r["file_name"], r["line_no"]) for r in instance.lake_rows(on, "land", "rejected_rows")}
    seen = 0
    for outcome in instance.lake_rows(on, "land", "file_outcomes"):
        if outcome["outcome"] != "LANDED":
            continue
        name = outcome["file_name"]
        bad_lines = sum(1 for file_name, _ in rejected if file_name == name)
        assert (outcome["rows_landed"], outcome["rows_rejected"]) == (landed[name], bad_lines)
        assert landed[name] + bad_lines == files[name]["rows"], name
        assert outcome["landed_minor"] + outcome["rejected_minor"] == outcome["total_minor"]
        seen += files[name]["rows"]
    assert seen > 50
    for file in files.values():
        assert len(instance.wiring.archive.read(file["archive_ref"])) == file["bytes"]


@pytest.mark.parametrize("kind", [*WHOLE_FILE, *ROWS])
def test_a_bad_file_on_its_day_and_the_day_after(kind: str, clean: Clean, fresh: CopyOf, tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [FaultRequest(kind, 1, ON, BAD)], seed=3, days=3)
    (label,) = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
    with opened(fresh(clean.home)) as instance:
        instance.deliver(world, ON)
        instance.run_day(ON)

        found = finding(instance, kind)
        expected_rule = {**AT_INTAKE, **ROWS, "control_total": "control_total"}.get(kind)
        assert found["rule"] == expected_rule
        if kind != "missing_file":
            assert found["words_en"].isascii() and len(found["words_en"]) > 10
            assert _CHINESE.search(found["words_zh"]) and not _CHINESE.search(found["words_en"])
        today = day_of(instance)
        bad_file = f"{BAD}_{'LOAN' if kind == 'bad_byte' else 'TXN'}_{ON:%Y%m%d}_01_v1.csv"
        for name in (f"land_{table}" for table in LAND_TABLES):
            other_files = [r for r in clean.day[name] if r["file_name"] != bad_file]
            assert [r for r in today[name] if r["file_name"] != bad_file] == other_files, name
        for name in RECONCILED:
            assert of_others(today[name]) == of_others(clean.day[name]), name
        # The ledger is posted from instructions: what a platform claims, or fails to, moves no money.
        assert today["post"] == clean.day["post"]
        assert_nothing_is_lost(instance, ON)
        breaks = {(b["sides"], b["kind"], b["subject"]) for b in today["breaks"]}
        rejected = {f"ROW|{r['file_name']}|{r['line_no']}" for r in instance.lake_rows(ON, "land", "rejected_rows")}
        expected, follows = ({(e["sides"], e["kind"], e["subject"]) for e in label[said]} for said in ("expects", "follows"))
        wanted = {e for e in expected if e[1] != "REJECTED_ROW"}
        assert wanted <= breaks <= wanted | follows
        assert rejected == {e[2] for e in expected if e[1] == "REJECTED_ROW"}
        assert {c["state"] for c in instance.find("recon_case")} <= {"OPEN"}

        instance.deliver(world, NEXT)
        instance.run_day(NEXT)
        assert_nothing_is_lost(instance, NEXT)
        if kind in WHOLE_FILE:
            assert_healed(instance, today, clean)
        else:
            assert_row_stays_open(instance, kind)


def assert_healed(instance: Instance, today: dict[str, Any], clean: Clean) -> None:
    """The file came the day after: its case closes, and exactly the rows that were carried match."""
    outcomes = {(o["party"], o["file_type"], o["custody_date"]): o for o in instance.lake_rows(NEXT, "land", "file_outcomes")}
    late = outcomes[BAD, "TXN", ON]
    assert late["outcome"] == "LANDED" and late["rows_rejected"] == 0
    cases = {c["subject"]: c for c in instance.find("recon_case")}
    assert f"LATE|{BAD}|TXN|{ON.isoformat()}" in cases
    for case in cases.values():
        assert (case["state"], case["opened_on"], case["closed_on"]) == ("CLOSED", ON, NEXT)

    def own(rows: list[Row], *files: str) -> list[Row]:
        return [r for r in rows if (r["relation"], r["platform"]) == ("AB_TXN", BAD) and r.get("file_name", "") in files]

    # The same rows match a day later: as many, of the same sum, and of the same digest where the file has its first name.
    first_name = f"{BAD}_TXN_{ON:%Y%m%d}_01_v1.csv"
    (expected,) = own(clean.day["match_totals"], first_name)
    assert expected["rows"] > 10 and late["rows"] >= expected["rows"]
    (found,) = own(instance.lake_rows(NEXT, "reconcile", "match_totals"), late["file_name"])
    same = ("rows", "amount_minor") if late["file_name"] != first_name else tuple(expected)
    assert {name: found[name] for name in same} == {name: expected[name] for name in same}
    waited = [m for m in own(today["matches"], "") if m["bucket"] == "CARRIED"]
    assert {(m["side"], m["rule"]) for m in waited} == {("B", "late_file")} and len(waited) >= expected["rows"]
    still_open = instance.lake_rows(NEXT, "reconcile", "open_items")
    assert not [i for i in still_open if (i["relation"], i["platform"], i["item_date"]) == ("AB_TXN", BAD, ON)]


def assert_row_stays_open(instance: Instance, kind: str) -> None:
    """A rejected row is explained in the case of its counterpart, which stays until a corrected row comes."""
    (rejected,) = instance.lake_rows(ON, "land", "rejected_rows")
    cases = instance.find("recon_case")
    if kind == "impossible_date":
        (case,) = (c for c in cases if c["sides"] == "AB")
        assert (case["kind"], case["state"]) == ("MISSING_IN_PLATFORM", "OPEN")
        assert case["cause"] == f"row_rejected:{rejected['file_name']}:{rejected['line_no']}"
    else:
        assert cases == []
