"""What every register must do (custody.ports.Register): all or nothing, one writer at a time, an audit chain."""

import subprocess
import sys
import threading
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import BigInteger
from sqlalchemy.exc import IntegrityError

from connectors.clock import SystemClock
from connectors.register import SqlRegister
from connectors.register_tables import recon_case
from custody.audit import first_broken
from custody.errors import StopRun, UsageError
from custody.ports import DuplicateRow, Row, Within

DAY = date(2019, 12, 30)


class Stop(Exception):
    pass


def holiday(day: date, business_day: bool = True) -> Row:
    return {"day": day, "business_day": business_day, "reason": "r"}


def test_a_row_reads_back_with_its_types(register: SqlRegister) -> None:
    with register.transaction() as tx:
        tx.insert("holiday", holiday(DAY, False))
    with register.transaction() as tx:
        assert tx.get("holiday", day=DAY) == holiday(DAY, False)
        assert tx.get("holiday", day=date(2020, 1, 1)) is None


def test_an_exception_takes_everything_back(register: SqlRegister) -> None:
    with register.transaction() as tx:
        tx.insert("holiday", holiday(DAY))
    with pytest.raises(Stop), register.transaction() as tx:
        tx.insert("holiday", holiday(date(2020, 1, 1)))
        tx.update("holiday", {"day": DAY}, {"reason": "changed"})
        tx.audit("op1", "x", "y", {})
        raise Stop
    with register.transaction() as tx:
        assert tx.find("holiday") == [holiday(DAY)]
        assert tx.find("audit_event") == []


def test_a_repeated_key_is_a_value_and_the_transaction_goes_on(register: SqlRegister) -> None:
    with register.transaction() as tx:
        tx.insert("holiday", holiday(DAY))
        with pytest.raises(DuplicateRow):
            tx.insert("holiday", holiday(DAY, False))
        tx.insert("holiday", holiday(date(2020, 1, 1)))
    with register.transaction() as tx:
        assert [r["day"] for r in tx.find("holiday")] == [DAY, date(2020, 1, 1)]
        assert tx.get("holiday", day=DAY) == holiday(DAY)


def test_many_rows_at_once_are_all_there_or_none_and_are_numbered_in_order(register: SqlRegister) -> None:
    days = [date(2020, 1, n) for n in (1, 2, 3)]
    line: Row = {"custody_date": DAY, "event": "OPENED", "actor": "a", "at": "t", "details": "{}", "note": ""}
    with register.transaction() as tx:
        tx.insert_all("holiday", [])
        tx.insert_all("holiday", [holiday(day) for day in days[:2]])
        with pytest.raises(DuplicateRow):
            tx.insert_all("holiday", [holiday(days[2]), holiday(days[0], False)])
        for numbers in ((3, 1), (2,)):
            tx.insert_all("case_event", [line | {"case_id": f"C{n}"} for n in numbers])
    with register.transaction() as tx:
        assert tx.find("holiday") == [holiday(day) for day in days[:2]]
        assert [(r["event_no"], r["case_id"]) for r in tx.find("case_event")] == [(1, "C3"), (2, "C1"), (3, "C2")]


def test_many_rows_are_changed_each_in_its_own_columns(register: SqlRegister) -> None:
    days = [date(2020, 1, n) for n in (1, 2, 3)]
    with register.transaction() as tx:
        tx.insert_all("holiday", [holiday(day) for day in days])
        tx.update_all("holiday", "day", {})
        tx.update_all("holiday", "day", {days[0]: {"reason": "a"}, days[1]: {"business_day": False}, days[2]: {"reason": "c"}})
        with pytest.raises(UsageError):
            tx.update_all("holiday", "day", {days[0]: {"reason": "a\0"}})
    with register.transaction() as tx:
        assert [(r["business_day"], r["reason"]) for r in tx.find("holiday")] == [(True, "a"), (False, "r"), (True, "c")]


def test_a_step_output_is_committed_once(register: SqlRegister) -> None:
    row: Row = {
        "custody_date": DAY, "step": "land", "version": 1, "run_digest": "r", "inputs_digest": "i", "manifest_digest": "m",
        "path": "p", "code_digest": "c", "fence": 1, "reason": "", "committed_at": "t",
    }  # fmt: skip
    with register.transaction() as tx:
        tx.insert("step_output", row)
    with pytest.raises(DuplicateRow), register.transaction() as tx:
        tx.insert("step_output", row | {"manifest_digest": "other"})
    with register.transaction() as tx:
        assert [r["manifest_digest"] for r in tx.find("step_output")] == ["m"]
        tx.insert("step_output", row | {"version": 2})


def test_finding_by_value_by_list_and_by_null(register: SqlRegister) -> None:
    base: Row = {
        "kind": "k", "subject": "s", "payload": "{}", "maker": "a", "proposed_at": "t", "note": "", "checker": None,
        "decided_at": None, "decision_no": None,
    }  # fmt: skip
    with register.transaction() as tx:
        for n, state in enumerate(["PROPOSED", "APPROVED", "REJECTED", "PROPOSED"]):
            tx.insert(
                "proposal", base | {"proposal_id": f"p{3 - n}", "state": state, "checker": "b" if state == "APPROVED" else None}
            )
        assert [r["proposal_id"] for r in tx.find("proposal", state="PROPOSED")] == ["p0", "p3"]
        assert [r["proposal_id"] for r in tx.find("proposal", state=["APPROVED", "REJECTED"])] == ["p1", "p2"]
        assert [r["proposal_id"] for r in tx.find("proposal", checker=None)] == ["p0", "p1", "p3"]
        assert tx.find("proposal", state=[]) == []
        assert [r["state"] for r in tx.find("proposal", ("state", "proposal_id"))] == [
            "APPROVED",
            "PROPOSED",
            "PROPOSED",
            "REJECTED",
        ]
        with pytest.raises(LookupError, match="has 2 rows"):
            tx.get("proposal", state="PROPOSED")


def test_update_and_delete_count_what_they_changed(register: SqlRegister) -> None:
    with register.transaction() as tx:
        tx.insert("holiday", holiday(DAY))
        assert tx.update("holiday", {"day": DAY}, {"reason": "b"}) == 1
        assert tx.update("holiday", {"day": date(2020, 1, 1)}, {"reason": "b"}) == 0
        assert tx.delete("holiday", day=DAY) == 1
        assert tx.delete("holiday", day=DAY) == 0


def test_the_audit_chain_is_whole_over_transactions_and_shows_a_change(register: SqlRegister) -> None:
    for n in range(3):
        with register.transaction() as tx:
            tx.audit("op1", "case.propose", f"S{n}", {"n": n, "中": None})
            tx.audit("op2", "case.approve", f"S{n}", {})
    with register.transaction() as tx:
        events = tx.find("audit_event")
        assert [e["event_no"] for e in events] == [1, 2, 3, 4, 5, 6]
        assert first_broken(events) is None
        tx.update("audit_event", {"event_no": 4}, {"actor": "nobody"})
        assert first_broken(tx.find("audit_event")) == 4


WRITERS, TURNS = 4, 15
# Read, add one, write back: without serial transactions an addition would be lost. Nobody is told to come later.
ADDS = """
import sys
from connectors.clock import SystemClock
from connectors.register import SqlRegister
register = SqlRegister(sys.argv[1], SystemClock())
for _ in range(int(sys.argv[2])):
    with register.transaction() as tx:
        fence = tx.get("lease", name="n")["fence"]
        tx.update("lease", {"name": "n"}, {"fence": fence + 1})
        tx.insert("file_event", {"file_name": "n", "sha256": "", "event": "E", "details": "{}", "at": "t"})
        tx.audit("t", "add", "n", {"fence": fence})
"""


def test_writers_in_several_processes_wait_for_each_other_and_lose_nothing(register: SqlRegister, register_url: str) -> None:
    with register.transaction() as tx:
        tx.insert("lease", {"name": "n", "holder": "h", "fence": 0, "expires_at": 0})
    command = [sys.executable, "-c", ADDS, register_url, str(TURNS)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(WRITERS)]
    assert [(writer.communicate(timeout=120)[1], writer.returncode) for writer in writers] == [("", 0)] * WRITERS
    with register.transaction() as tx:
        row = tx.get("lease", name="n")
        assert row is not None
        assert row["fence"] == WRITERS * TURNS
        events = tx.find("audit_event")
        assert first_broken(events) is None
        assert [e["details"] for e in events] == [f'{{"fence":{n}}}' for n in range(WRITERS * TURNS)]
        assert [e["event_no"] for e in tx.find("file_event")] == list(range(1, WRITERS * TURNS + 1))


def test_a_transaction_that_has_only_read_so_far_is_not_overtaken(register: SqlRegister) -> None:
    written = threading.Event()

    def overtake() -> None:
        with register.transaction() as tx:
            tx.insert("holiday", holiday(date(2020, 1, 1)))
        written.set()

    other = threading.Thread(target=overtake)
    with register.transaction() as tx:
        assert tx.find("holiday") == []
        other.start()
        assert not written.wait(0.5)
        assert tx.find("holiday") == []
        tx.insert("holiday", holiday(DAY))
    other.join(20)
    with register.transaction() as tx:
        assert [row["day"] for row in tx.find("holiday")] == [DAY, date(2020, 1, 1)]


def test_what_was_taken_back_leaves_no_gap_in_the_numbers(register: SqlRegister) -> None:
    event = {"file_name": "n", "sha256": "", "event": "E", "details": "{}", "at": "t"}
    for fails in (False, True, False):
        try:
            with register.transaction() as tx:
                tx.insert("file_event", event)
                tx.audit("op1", "x", "y", {})
                if fails:
                    raise Stop
        except Stop:
            continue
    with register.transaction() as tx:
        assert [e["event_no"] for e in tx.find("file_event")] == [1, 2]
        assert first_broken(tx.find("audit_event")) is None


def test_text_sorts_by_its_bytes(register: SqlRegister) -> None:
    words = ["Zebra", "apple", "_x", "-b", "中", "é", "b", "a b", "ab", "\U0001f600", "B"]
    with register.transaction() as tx:
        for number, word in enumerate(words):
            tx.insert("person", {"person_id": f"p{number}", "display_name": word, "roles": "[]", "active": True})
        found = [row["display_name"] for row in tx.find("person", ("display_name",))]
    assert found == sorted(words, key=str.encode)


@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        ("person", {"person_id": "x" * 61}, "takes 60 characters, not 61"),
        ("person", {"display_name": "中" * 201}, "takes 200 characters, not 201"),
        ("person", {"display_name": "a\0b"}, "no NUL"),
        ("person", {"display_name": "\udc80"}, "half characters"),
        ("lease", {"fence": 2**31}, "32 bits"),
        ("lease", {"expires_at": -(2**63) - 1}, "64 bits"),
    ],
)
def test_what_one_database_cannot_hold_is_refused_by_both(
    register: SqlRegister, table: str, values: dict[str, object], words: str
) -> None:
    whole: dict[str, Row] = {
        "person": {"person_id": "p", "display_name": "n", "roles": "[]", "active": True},
        "lease": {"name": "n", "holder": "h", "fence": 2**31 - 1, "expires_at": -(2**63)},
    }
    with register.transaction() as tx:
        tx.insert(table, whole[table])
    with pytest.raises(UsageError, match=words), register.transaction() as tx:
        tx.insert(table, whole[table] | values)
    with pytest.raises(UsageError, match=words), register.transaction() as tx:
        tx.update(table, {}, values)
    with register.transaction() as tx:
        assert tx.find(table) == [whole[table]]


def test_asking_for_what_no_row_can_have(register: SqlRegister) -> None:
    with register.transaction() as tx:
        assert tx.get("person", person_id="x" * 1000) is None
        with pytest.raises(UsageError, match="no NUL"):
            tx.get("person", person_id="a\0b")
        tx.audit("op1", "x" * 200, "y" * 100_000, {"nul": "a\0b"})
        with pytest.raises(UsageError, match="audit_event.actor takes 200"):
            tx.audit("x" * 201, "x", "y", {})
    with register.transaction() as tx:
        assert [e["details"] for e in tx.find("audit_event")] == ['{"nul":"a\\u0000b"}']


def test_a_register_without_its_tables_is_for_a_person_to_look_at(register_url: str) -> None:
    empty = SqlRegister(register_url, SystemClock())
    with pytest.raises(StopRun, match="custody init"), empty.transaction() as tx:
        tx.find("holiday")
    empty.close()


def test_a_second_register_on_the_same_url_sees_only_what_is_committed(register: SqlRegister, register_url: str) -> None:
    other = SqlRegister(register_url, SystemClock())
    with register.transaction() as tx:
        tx.insert("holiday", holiday(DAY))
    with other.transaction() as tx:
        assert tx.find("holiday") == [holiday(DAY)]
    other.close()


def test_a_row_without_a_required_column_is_not_called_a_duplicate(register: SqlRegister) -> None:
    with register.transaction() as tx, pytest.raises(IntegrityError):
        tx.insert("holiday", {"day": DAY, "business_day": True})


def test_money_fits_the_column_on_every_database() -> None:
    assert isinstance(recon_case.c.amount_minor.type, BigInteger)


@pytest.mark.parametrize(
    "order",
    [
        ("due_on", "-severity", "-amount_minor", "case_id"),
        ("-due_on", "case_id"),
        ("-owner", "-case_id"),
        ("owner", "severity", "case_id"),
        ("-severity", "amount_minor", "-case_id"),
        ("-case_id",),
    ],
)
def test_who_goes_on_from_place_to_place_meets_every_row_once_in_its_order(register: SqlRegister, order: tuple[str, ...]) -> None:
    """Columns with null in either place, words that have an order, directions that differ; and each row is found from the one before it."""
    words = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
    rows = [
        {
            "case_id": f"c{n:02d}", "platform": "P001", "sides": "AB", "subject": "s", "kind": "FEE", "state": "OPEN" if n % 11 else "CLOSED",
            "severity": words[n * 7 % 4], "amount_minor": n % 3, "opened_on": DAY, "last_seen_on": DAY, "episode": 1, "evidence_digest": "e",
            "evidence": "[]", "owner": (None, "a", "b")[n % 3], "due_on": None if n % 5 == 0 else DAY + timedelta(days=n % 4),
        }
        for n in range(40)
    ]  # fmt: skip

    def weight(name: str, row: dict[str, Any]) -> tuple[int, Any]:
        value = row[name]
        if value is None:
            return (2 if name == "due_on" else 0, 0)
        return (1, words.index(value) if name == "severity" else value)

    with register.transaction() as tx:
        tx.insert_all("recon_case", rows)
        expected = [row for row in rows if row["state"] == "OPEN"]
        for name in reversed(order):
            expected.sort(key=partial(weight, name.removeprefix("-")), reverse=name.startswith("-"))
        wanted = [row["case_id"] for row in expected]
        assert [row["case_id"] for row in tx.page("recon_case", order, 0, 100, state="OPEN")] == wanted
        met: list[dict[str, Any]] = []
        while True:
            beyond = [met[-1][name.removeprefix("-")] for name in order] if met else None
            part = tx.page("recon_case", order, 0, 7, None, None, beyond, state="OPEN")
            met += part
            if len(part) < 7:
                break
        assert [row["case_id"] for row in met] == wanted
        numbers = ([True] * len(order), [10**30] * len(order), [-(10**30)] * len(order))
        for wrong in ([], [3.5] * len(order), [()] * len(order), *numbers):
            with pytest.raises(UsageError, match="place in"):
                tx.page("recon_case", order, 0, 7, None, None, wrong)


def test_values_may_lie_within_bounds_and_a_column_is_summed(register: SqlRegister) -> None:
    rows = [
        {"party": "P1", "file_type": "TXN", "custody_date": DAY + timedelta(days=n), "batch": n, "state": "EXPECTED",
         "cut_off_at": "t", "due_at": "t", "missing_from": "t", "misses": n}
        for n in range(1, 8)
    ]  # fmt: skip
    with register.transaction() as tx:
        assert tx.total("expected_file", "misses") == 0
        tx.insert_all("expected_file", rows)
        assert tx.count("expected_file", ()) == {(): len(rows)}
        for within, found in (
            (Within(DAY + timedelta(days=2), DAY + timedelta(days=4)), [2, 3, 4]),
            (Within(last=DAY + timedelta(days=1)), [1]),
            (Within(first=DAY + timedelta(days=6)), [6, 7]),
        ):
            assert [row["batch"] for row in tx.find("expected_file", custody_date=within)] == found
            assert tx.total("expected_file", "misses", custody_date=within) == sum(found)
            assert tx.count("expected_file", ["party"], custody_date=within) == {("P1",): len(found)}


def test_a_page_is_cut_out_of_the_order_and_counted_by_what_was_asked(register: SqlRegister) -> None:
    rows = [
        {"party": f"P{n % 3}", "file_type": "TXN", "custody_date": date(2019, 12, 30), "batch": n, "state": "EXPECTED" if n % 2 else "MISSING",
         "cut_off_at": "t", "due_at": "t", "missing_from": f"2019-12-31T0{n}", "misses": 0}
        for n in range(1, 10)
    ]  # fmt: skip
    with register.transaction() as tx:
        tx.insert_all("expected_file", rows)
        by_batch = ["-batch"]
        assert [r["batch"] for r in tx.page("expected_file", by_batch, 0, 3)] == [9, 8, 7]
        assert [r["batch"] for r in tx.page("expected_file", by_batch, 7, 3)] == [2, 1]
        assert tx.page("expected_file", by_batch, 9, 3) == []
        # Among equals the primary key decides.
        assert [(r["party"], r["batch"]) for r in tx.page("expected_file", ["file_type"], 0, 4)] == [
            ("P0", 3), ("P0", 6), ("P0", 9), ("P1", 1),
        ]  # fmt: skip
        bound = {"missing_from": "2019-12-31T04"}
        assert [r["batch"] for r in tx.page("expected_file", ["batch"], 0, 9, bound, {"party": "P1"}, state="EXPECTED")] == [3]
        assert tx.count("expected_file", ["state", "party"], {"party": "P2"}) == {
            ("EXPECTED", "P0"): 2, ("EXPECTED", "P1"): 2, ("MISSING", "P0"): 1, ("MISSING", "P1"): 1,
        }  # fmt: skip
        assert tx.count("expected_file", ["state"], party=["P0", "P1"], state="EXPECTED") == {("EXPECTED",): 4}
        assert tx.count("file", ["state"]) == {}
