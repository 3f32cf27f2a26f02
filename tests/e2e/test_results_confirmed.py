"""What platforms are told of a faulted day, row by row; what they answer; and what the desk hears when they do not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened

from console.case_tables import case_lines
from console.case_view import view_case
from console.platform_answer import confirmation, result_of_yesterday
from console.results_view import results_of
from custody.services.access import SYSTEM
from custody.services.outputs import seal_of
from jobs.platform_statements import statement_files
from jobs.results import result_rows, send_results
from schemas.layout import load_layout
from schemas.layout_file import parse_file
from simulator.faults import FaultRequest

FAULTS = [FaultRequest(kind=kind, count=1, date=GO_LIVE, party="P001") for kind in ("txn_amount", "impossible_date")]
SECOND, THIRD = GO_LIVE + timedelta(days=1), GO_LIVE + timedelta(days=2)


def answer(instance: Instance, party: str, today: date, verdict: str = "AGREED", row: str = "ALL") -> None:
    delivered = instance.drop.sent[party]
    result = result_of_yesterday(party, delivered, today)
    assert result is not None
    encoding = "gb18030" if party == "P002" else "utf-8"
    files, seals = confirmation(party, encoding, today, result, delivered[result], verdict, row)
    for name, data in {**files, **seals}.items():
        instance.drop.put(party, name, data)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Three days of three platforms: P001 disputes a row of its first day, P002 the whole result, P003 never says anything."""
    folder = tmp_path_factory.mktemp("results")
    world = make_world(folder / "world", FAULTS, seed=5, platforms=3, days=3)
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        for on in (GO_LIVE, SECOND, THIRD):
            if on > GO_LIVE:
                row = wrong_row(instance) if on == SECOND else "ALL"
                answer(instance, "P001", on, "DISPUTED" if on == SECOND else "AGREED", row)
                answer(instance, "P002", on, "DISPUTED" if on == SECOND else "AGREED")
            instance.deliver(world, on)
            instance.run_day(on)
            send_results(instance.wiring, on, SYSTEM)
        yield instance


def wrong_row(instance: Instance) -> str:
    """FILE:LINE of the row of which P001 was told that its amount is wrong."""
    (row,) = [row for row in rows_of(instance, "P001", GO_LIVE) if row["rule"] == "AMOUNT"]
    return f"{row['file_name']}:{row['line_no']}"


def sent(instance: Instance, party: str, kind: str, on: date) -> bytes:
    names = [name for name in instance.drop.sent[party] if f"_{kind}_{on:%Y%m%d}_" in name]
    assert len(names) == 1
    return instance.drop.sent[party][names[0]]


def rows_of(instance: Instance, party: str, on: date) -> list[dict[str, str]]:
    text = sent(instance, party, "RECON_ROWS", on).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_platform_is_told_of_each_row_that_is_not_clean_and_why(days: Instance) -> None:
    result = json.loads(sent(days, "P001", "RECON_RESULT", GO_LIVE))
    rows = rows_of(days, "P001", GO_LIVE)
    assert result["balanced"] is False and result["rows_not_clean"] == len(rows)
    (wrong,) = [row for row in rows if row["rule"] == "AMOUNT"]
    assert wrong["verdict"] == "BREAK" and wrong["file_name"] == "P001_TXN_20191230_01_v1.csv"
    assert wrong["why_zh"] == "金额不符"
    assert wrong["case_id"] in {b["case_id"] for b in result["breaks"] if b["kind"] == "AMOUNT"}
    (bad,) = [row for row in rows if row["verdict"] == "REJECTED"]
    assert bad["rule"] == "time"


def test_a_platform_gets_each_posting_to_its_sub_accounts_from_opening_to_closing(days: Instance) -> None:
    for platform in ("P001", "P002"):
        data = sent(days, platform, "STATEMENT", GO_LIVE)
        found = parse_file(load_layout("bank_statement/1"), "statement", data, "utf-8", GO_LIVE)
        assert (found.file_faults, found.faults) == ([], [])
        lines = [
            r for r in days.lake_rows(GO_LIVE, "statement", "statement_lines") if r["sub_account"].startswith(f"{platform}.")
        ]
        assert len(lines) > 20
        names = ("entry_no", "txn_type", "request_no", "value_date", "loan_id", "amount_minor", "available_minor", "frozen_minor")
        told = [(f"{platform}.{r['role']}.{r['user_no']}", r["line"], *(r[n] for n in names)) for r in found.rows]
        assert told == [(r["sub_account"], r["line_no"], *(r[n] for n in names)) for r in lines]


def test_a_platform_none_of_whose_accounts_moved_gets_the_header_alone(days: Instance) -> None:
    (row,) = days.find("step_output", custody_date=GO_LIVE, step="statement")
    (file,) = statement_files(days.wiring, seal_of(row), ["P999"])
    assert file.name == "P999_STATEMENT_20191230_01_v1.csv"
    assert days.wiring.archive.read(file.archive_ref).decode() == f"{load_layout('bank_statement/1').header}\n"


def test_every_row_of_a_platforms_files_has_exactly_one_verdict(days: Instance) -> None:
    """What is not named is matched: named and unnamed make up the files."""
    for on in (GO_LIVE, SECOND):
        rows = rows_of(days, "P001", on)
        named = [(row["file_name"], row["line_no"]) for row in rows]
        assert len(named) == len(set(named))
        proof = {r["relation"]: r for r in days.lake_rows(on, "reconcile", "proof") if r["side"] == "A"}
        assert all(row["holds"] for row in proof.values())


def test_a_rejected_row_is_told_once_with_all_that_is_wrong_with_it(days: Instance) -> None:
    """Of a real rejected row, with a second fault as landing writes one."""
    land, reconcile = (days.find("step_output", custody_date=GO_LIVE, step=step)[-1] for step in ("land", "reconcile"))
    (fault,) = [r for r in days.wiring.lake.rows(land["path"], "rejected_rows") if r["party"] == "P001"]
    other = {
        **fault,
        "fault_no": fault["fault_no"] + 1,
        "field": "amount",
        "rule": "min",
        "words_en": "too small",
        "words_zh": "过小",
    }
    (row,) = result_rows("P001", days.wiring.lake.read(reconcile["path"], "matches").slice(0, 0), [], [other, fault])
    assert row[:2] == (fault["file_name"], str(fault["line_no"])) and row[4:6] == ("REJECTED", f"{fault['rule']};min")
    assert row[6] == f"{fault['field']}: {fault['words_en']}; amount: too small"
    assert row[7] == f"{fault['field']}: {fault['words_zh']}; amount: 过小"


def test_results_are_the_same_bytes_however_often_they_are_sent(days: Instance) -> None:
    before = {party: dict(files) for party, files in days.drop.sent.items()}
    assert send_results(days.wiring, SECOND, SYSTEM)["failed"] == []
    assert {party: dict(files) for party, files in days.drop.sent.items()} == before


def test_answers_are_kept_and_silence_is_an_alert(days: Instance) -> None:
    states = {(r["platform"], r["result_date"]): r["state"] for r in days.lake_rows(THIRD, "risk", "confirmations")}
    assert states["P001", GO_LIVE] == "DISPUTED" and states["P001", SECOND] == "AGREED"
    assert states["P002", GO_LIVE] == "DISPUTED" and states["P002", SECOND] == "AGREED"
    assert states["P003", GO_LIVE] == "AWAITED"
    alerts = {(a["rule"], a["platform"], a["subject"]) for a in days.find("alert") if a["rule"].startswith("RESULT_")}
    # Of 31 December the next bank business day is 2 January: its result is not overdue yet.
    assert alerts == {
        ("RESULT_DISPUTED", "P001", "RESULT|P001_RECON_RESULT_20191230_01_v1.json"),
        ("RESULT_DISPUTED", "P002", "RESULT|P002_RECON_RESULT_20191230_01_v1.json"),
        ("RESULT_UNCONFIRMED", "P003", "RESULT|P003_RECON_RESULT_20191230_01_v1.json"),
    }


def test_a_disputed_row_stands_on_its_case_and_in_its_history_once(days: Instance) -> None:
    (case,) = days.find("recon_case", platform="P001", kind="AMOUNT")
    said = f"P001_CONFIRMATION_{SECOND:%Y%m%d}_50_v1.csv:2"
    with days.wiring.register.transaction() as tx:
        view = view_case(tx, case["case_id"])
    (told,) = view.disputes
    assert (told.day, told.what[0], told.detail) == (str(SECOND), "disputed by the platform", f"{wrong_row(days)} ({said})")
    assert f"disputed by the platform 平台异议 {SECOND}: {wrong_row(days)} ({said})" in "\n".join(case_lines(view))
    assert [event["event"] for event in days.find("case_event", case_id=case["case_id"])].count("DISPUTED") == 1
    # Of the result that P002 disputes as a whole no case is named.
    assert days.find("case_event", event="DISPUTED") == days.find("case_event", event="DISPUTED", case_id=case["case_id"])


def test_the_desk_sees_rows_breaks_answers_and_the_trend(days: Instance) -> None:
    first, newest = results_of(days.wiring, GO_LIVE), results_of(days.wiring, THIRD)
    one = {p.platform: p for p in first.platforms}["P001"]
    assert one.rows["REJECTED"] == 1 and one.rows["BREAK"] >= 1 and one.rows["MATCHED"] > 100
    assert one.judged == sum(json.loads(sent(days, "P001", "RECON_RESULT", GO_LIVE))["files"][n]["rows"] for n in range(5))
    assert {k.kind: k.breaks for k in one.kinds}["AMOUNT"] == 1
    assert (one.told, one.answer) == ("PROVED", "DISPUTED")
    assert {p.platform: p.answer for p in first.platforms} == {"P001": "DISPUTED", "P002": "DISPUTED", "P003": "AWAITED"}
    assert [day for day, _ in newest.trend["P001"]] == [GO_LIVE, SECOND, THIRD]
    assert newest.trend["P001"][0][1] == one.breaks
    assert [p.platform for p in results_of(days.wiring, GO_LIVE, "P002").platforms] == ["P002"]
