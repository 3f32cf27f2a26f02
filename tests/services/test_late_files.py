"""What people decide about files that are restated or will not come, on register rows made by hand."""

from datetime import date
from typing import Any

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.case_life import NO_LONGER_FOUND
from custody.closings import RESTATED, ROW, closed_by
from custody.errors import NotPermitted, UsageError
from custody.services.absent_files import GIVE_UP, propose_give_up
from custody.services.four_eyes import approve
from custody.services.landing_results import put_back
from custody.services.restatements import RESTATEMENT, Effect, landed_version, propose_restatement

DAY, NEXT = date(2019, 12, 30), date(2019, 12, 31)
NOTHING = Effect("", "digest", {})


def put(register: SqlRegister, version: int, state: str, cut_off: date | None, file_type: str = "TXN") -> dict[str, Any]:
    name = f"P001_{file_type}_20191230_01_v{version}.csv"
    row: dict[str, Any] = {
        "file_name": name, "sha256": f"{version}", "party": "P001", "file_type": file_type, "custody_date": DAY, "batch": 1,
        "version": version, "state": state, "figures": "{}", "bytes": 1, "totals": "{}", "received_at": "t", "cut_off_date": cut_off,
    }  # fmt: skip
    with register.transaction() as tx:
        tx.insert("file", row)
    return row


def state_of(register: SqlRegister, row: dict[str, Any]) -> str:
    with register.transaction() as tx:
        found = tx.get("file", file_name=row["file_name"])
    assert found is not None
    return str(found["state"])


def test_what_is_withdrawn_is_what_a_day_has_landed(register: SqlRegister) -> None:
    """Version 2 was accepted and overtaken before any cut-off took it: version 1's rows are in the books."""
    first = put(register, 1, "SUPERSEDED", DAY)
    put(register, 2, "SUPERSEDED", None)
    third = put(register, 3, "LATE", None)
    with register.transaction() as tx:
        found = landed_version(tx, third)
        assert found is not None and found["file_name"] == first["file_name"]
        assert landed_version(tx, first) is None


@pytest.mark.parametrize(("cut_off", "state"), [(DAY, "ACCEPTED"), (NEXT, "LATE")])
def test_a_version_that_landing_refused_leaves_the_earlier_one_in_force(register: SqlRegister, cut_off: date, state: str) -> None:
    first = put(register, 1, "SUPERSEDED", cut_off)
    for _ in range(2):
        with register.transaction() as tx:
            put_back(tx, "t", first["file_name"])
        assert state_of(register, first) == state


@pytest.mark.parametrize("file_type", ["MANDATE", "LEGAL_ORDER"])
def test_what_others_were_judged_by_is_not_restated(register: SqlRegister, clock: SteppingClock, file_type: str) -> None:
    put(register, 1, "ACCEPTED", DAY, file_type)
    second = put(register, 2, "RESTATEMENT_PENDING", None, file_type)
    with pytest.raises(UsageError, match="was judged by: .* only before its cut-off"):
        propose_restatement(register, clock, "op1", second["file_name"], "why", NOTHING)


def test_instructions_of_a_sealed_day_may_be_restated(register: SqlRegister, clock: SteppingClock) -> None:
    put(register, 1, "ACCEPTED", DAY, "INSTRUCTION")
    second = put(register, 2, "RESTATEMENT_PENDING", None, "INSTRUCTION")
    assert propose_restatement(register, clock, "op1", second["file_name"], "why", NOTHING)


def test_an_approval_is_void_when_the_files_are_others(register: SqlRegister, clock: SteppingClock) -> None:
    first = put(register, 1, "ACCEPTED", None)
    second = put(register, 2, "RESTATEMENT_PENDING", None)
    number = propose_restatement(register, clock, "op1", second["file_name"], "why", NOTHING)
    with register.transaction() as tx:
        tx.update("file", {"file_name": first["file_name"]}, {"cut_off_date": DAY})
    with pytest.raises(UsageError, match="the files changed"):
        approve(register, clock, "sup1", RESTATEMENT, number, "seen")
    assert (state_of(register, first), state_of(register, second)) == ("ACCEPTED", "RESTATEMENT_PENDING")


def test_two_people_give_a_file_up(register: SqlRegister, clock: SteppingClock) -> None:
    asked = "P001", "TXN", DAY
    with pytest.raises(UsageError, match="no reconciled day waits"):
        propose_give_up(register, clock, "op1", *asked, "lost")
    with register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"subject": f"LATE|P001|TXN|{DAY}"})
    with pytest.raises(UsageError, match="say in --note"):
        propose_give_up(register, clock, "op1", *asked, " ")
    with pytest.raises(NotPermitted):
        propose_give_up(register, clock, "sup1", *asked, "lost")
    number = propose_give_up(register, clock, "op1", *asked, "lost")
    with pytest.raises(NotPermitted):
        approve(register, clock, "op2", GIVE_UP, number, "seen")
    with register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"state": "CLOSED"})
    with pytest.raises(UsageError, match="no reconciled day waits"):
        approve(register, clock, "sup1", GIVE_UP, number, "seen")


def test_what_ended_a_case_in_one_line() -> None:
    assert closed_by(ROW, ["a.csv:2"], 1) == "row a.csv:2"
    assert closed_by(RESTATED, ["a", "b", "c", "d"], 9) == "restated a, b, c +6"
    assert closed_by(ROW, [], 0) == NO_LONGER_FOUND
