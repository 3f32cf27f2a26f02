"""A case's life: assigned, proposed with a reason, approved on the evidence that was seen."""

from datetime import date
from typing import Any

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.case_life import closed
from custody.errors import NotPermitted, UsageError
from custody.ports import RegisterTx
from custody.services.case_desk import CaseCounts, CaseFilter, count_cases, find_cases, is_overdue, next_case, standing_on
from custody.services.case_history import history_of, record
from custody.services.cases import CASE, assign, case, comment, propose_settlement, reopen
from custody.services.four_eyes import approve, reject


def test_a_case_is_settled_by_two_people(register: SqlRegister, clock: SteppingClock) -> None:
    number = propose_settlement(register, clock, "op1", "c1", "paid twice, returned today")
    with register.transaction() as tx:
        assert case(tx, "c1")["closed_by"] is None
    row = approve(register, clock, "sup1", CASE, number, "seen")
    assert (row["kind"], row["subject"]) == ("case", "c1")
    assert '"evidence_digest":"e1"' in row["payload"]
    # The day's publication closes the case, once its cut-off has sealed the decision.
    with register.transaction() as tx:
        assert (case(tx, "c1")["state"], case(tx, "c1")["closed_by"]) == ("OPEN", None)


def test_evidence_that_changed_since_needs_a_new_look(register: SqlRegister, clock: SteppingClock) -> None:
    number = propose_settlement(register, clock, "op1", "c1", "fine")
    with register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"evidence_digest": "other"})
    with pytest.raises(UsageError, match="evidence of case c1 changed"):
        approve(register, clock, "sup1", CASE, number, "")
    with register.transaction() as tx:
        assert case(tx, "c1")["closed_by"] is None
        assert [p["state"] for p in tx.find("proposal")] == ["PROPOSED"]
    again = propose_settlement(register, clock, "op1", "c1", "fine")
    assert again != number
    approve(register, clock, "sup1", CASE, again, "")


@pytest.mark.parametrize("note", ["", "  \n"])
def test_a_settlement_says_why(register: SqlRegister, clock: SteppingClock, note: str) -> None:
    with pytest.raises(UsageError, match="say in --note why"):
        propose_settlement(register, clock, "op1", "c1", note)


def test_a_closed_or_unknown_case_cannot_be_settled(register: SqlRegister, clock: SteppingClock) -> None:
    with pytest.raises(UsageError, match="c2 is CLOSED"):
        propose_settlement(register, clock, "op1", "c2", "why")
    with pytest.raises(UsageError, match="no case 'c9'"):
        propose_settlement(register, clock, "op1", "c9", "why")


def test_only_an_operator_proposes(register: SqlRegister, clock: SteppingClock) -> None:
    with pytest.raises(NotPermitted):
        propose_settlement(register, clock, "sup1", "c1", "why")


def listed(register: SqlRegister, sort: str = "urgency", **wanted: Any) -> list[str]:
    with register.transaction() as tx:
        return [found["case_id"] for found in find_cases(tx, CaseFilter(**wanted), sort)]


def test_cases_are_found_by_what_they_are_and_whose(register: SqlRegister) -> None:
    with register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"due_on": date(2020, 1, 2), "cause": "sign:-1/1", "owner": "op1"})
        tx.insert("step_output", _RECONCILED)
    assert listed(register) == ["c1"] and listed(register, state="") == ["c1", "c2"]
    assert listed(register, platform="P002") == [] and listed(register, kind="FEE") == [] == listed(register, severity="HIGH")
    assert listed(register, cause="sign") == ["c1"] and listed(register, cause="cut_off") == []
    assert listed(register, owner="op1") == ["c1"] and listed(register, owner="-") == []
    assert listed(register, overdue=True) == ["c1"] and listed(register, overdue=True, state="CLOSED") == []
    assert listed(register, min_age_days=4) == ["c1"] and listed(register, min_age_days=5) == []
    with pytest.raises(UsageError, match="is no order of cases"):
        listed(register, "colour")


def test_cases_are_counted_as_they_are_found(register: SqlRegister) -> None:
    with register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"due_on": date(2020, 1, 2), "cause": "sign:-1/1", "owner": "op1"})
        tx.insert("step_output", _RECONCILED)
        for wanted in (
            CaseFilter(), CaseFilter(state=""), CaseFilter(owner="op1"), CaseFilter(owner="-", state=""), CaseFilter(cause="sign"),
            CaseFilter(cause="sig"), CaseFilter(overdue=True), CaseFilter(overdue=True, state="CLOSED"), CaseFilter(platform="P009"),
        ):  # fmt: skip
            rows, on = find_cases(tx, wanted), standing_on(tx)
            assert count_cases(tx, wanted) == CaseCounts(
                len(rows),
                sum(is_overdue(row, on) for row in rows),
                sum(row["owner"] is None for row in rows),
                sum(row["amount_minor"] for row in rows),
            ), wanted


def test_what_is_due_first_comes_first_and_next_is_mine_or_nobodys(register: SqlRegister) -> None:
    with register.transaction() as tx:
        one = tx.get("recon_case", case_id="c1")
        assert one is not None
        made = {"c3": ("LOW", 2, None), "c4": ("HIGH", 2, "op2"), "c5": ("LOW", 1, None)}
        for name, (level, due, owner) in made.items():
            new = {"case_id": name, "severity": level, "due_on": date(2020, 1, due), "owner": owner}
            tx.insert("recon_case", {**one, **new})
        rows = find_cases(tx, CaseFilter())
    assert [row["case_id"] for row in rows] == ["c5", "c4", "c3", "c1"]
    assert listed(register, "severity")[0] == "c4"
    assert (next_case(rows, "op1") or {})["case_id"] == "c5"
    assert (next_case(rows, "op1", after="c5") or {})["case_id"] == "c3"
    assert (next_case(rows, "op2", after="c5") or {})["case_id"] == "c4"
    assert next_case([], "op1") is None


def test_all_that_people_do_stands_in_the_history_in_order(register: SqlRegister, clock: SteppingClock) -> None:
    assign(register, clock, "sup1", "c1", "op2")
    assign(register, clock, "sup1", "c1", "op2")  # again: nothing happened
    comment(register, clock, "op2", "c1", " asked the platform ")
    number = propose_settlement(register, clock, "op1", "c1", "paid twice")
    reject(register, clock, "sup1", CASE, number, "show the voucher")
    again = propose_settlement(register, clock, "op1", "c1", "paid twice")
    approve(register, clock, "sup1", CASE, again, "seen")
    with register.transaction() as tx:
        told = history_of(tx, "c1")
    assert [(line.event, line.actor, line.note) for line in told] == [
        ("ASSIGNED", "sup1", ""),
        ("COMMENTED", "op2", "asked the platform"),
        ("PROPOSED", "op1", "paid twice"),
        ("REJECTED", "sup1", "show the voucher"),
        ("PROPOSED", "op1", "paid twice"),
        ("APPROVED", "sup1", "seen"),
    ]
    assert told[3].details == {"proposal": number, "remedy": "case"} and told[5].details["proposal"] == again != number
    assert [line.at for line in told] == sorted(line.at for line in told)


def test_a_comment_says_something_short_about_a_case_that_there_is(register: SqlRegister, clock: SteppingClock) -> None:
    for words, why in (("  ", "say something"), ("x" * 2_001, "at most 2000")):
        with pytest.raises(UsageError, match=why):
            comment(register, clock, "op1", "c1", words)
    with pytest.raises(UsageError, match="no case 'c9'"):
        comment(register, clock, "op1", "c9", "hello")
    with pytest.raises(NotPermitted):
        comment(register, clock, "audit1", "c1", "hello")
    with register.transaction() as tx:
        assert tx.find("case_event") == []


def test_a_settled_case_is_opened_again_with_a_reason_and_settled_anew(register: SqlRegister, clock: SteppingClock) -> None:
    number = propose_settlement(register, clock, "op1", "c1", "paid twice")
    approve(register, clock, "sup1", CASE, number, "seen")
    with register.transaction() as tx:
        _close(tx, "c1", f"decision {number}")
        tx.insert("step_output", _RECONCILED)
    with pytest.raises(UsageError, match="say in --note why"):
        reopen(register, clock, "op2", "c1", " ")
    reopen(register, clock, "op2", "c1", "the voucher is another one's")
    with register.transaction() as tx:
        row, told = case(tx, "c1"), history_of(tx, "c1")
    assert (row["state"], row["closed_by"], row["closed_on"], row["reopened_by"]) == ("OPEN", None, None, "op2")
    # 2020-01-03 is a Friday.
    assert (row["episode"], row["opened_on"], row["due_on"]) == (2, date(2020, 1, 3), date(2020, 1, 6))
    assert (told[-1].event, told[-1].note) == ("REOPENED", "the voucher is another one's")
    # The decision of before is spent: another may follow on the same evidence.
    assert propose_settlement(register, clock, "op1", "c1", "now it is the right one") != number


def test_only_what_people_settled_is_opened_again(register: SqlRegister, clock: SteppingClock) -> None:
    with pytest.raises(UsageError, match="c1 is OPEN"):
        reopen(register, clock, "op1", "c1", "why")
    with register.transaction() as tx:
        _close(tx, "c1", "no_longer_found")
    with pytest.raises(UsageError, match="nobody settled it"):
        reopen(register, clock, "op1", "c1", "why")
    with pytest.raises(NotPermitted):
        reopen(register, clock, "risk1", "c1", "why")


_RECONCILED = {
    "custody_date": date(2020, 1, 3), "step": "reconcile", "version": 1, "run_digest": "", "inputs_digest": "", "manifest_digest": "",
    "path": "", "code_digest": "", "fence": 1, "reason": "", "committed_at": "",
}  # fmt: skip


def _close(tx: RegisterTx, case_id: str, closed_by: str) -> None:
    """As the day's publication does it."""
    change = closed(date(2020, 1, 2), closed_by)
    tx.update("recon_case", {"case_id": case_id}, change.columns)
    record(tx, "2020-01-02T12:00:00", case_id, "system", change.events, date(2020, 1, 2))


def test_a_case_is_assigned_to_a_person(register: SqlRegister, clock: SteppingClock) -> None:
    assign(register, clock, "sup1", "c1", "op2")
    with register.transaction() as tx:
        assert case(tx, "c1")["owner"] == "op2"
        assert [(e["actor"], e["action"]) for e in tx.find("audit_event")] == [("sup1", "case.assign")]


def test_a_case_is_assigned_only_to_people_and_by_those_who_may(register: SqlRegister, clock: SteppingClock) -> None:
    with pytest.raises(UsageError, match="no person 'x'"):
        assign(register, clock, "sup1", "c1", "x")
    with pytest.raises(UsageError, match="gone is not active"):
        assign(register, clock, "sup1", "c1", "gone")
    with pytest.raises(UsageError, match="no case 'c9'"):
        assign(register, clock, "sup1", "c9", "op1")
    with pytest.raises(NotPermitted):
        assign(register, clock, "audit1", "c1", "op1")
    with register.transaction() as tx:
        assert case(tx, "c1")["owner"] is None


@pytest.mark.parametrize(
    ("subject", "cause", "words"),
    [
        ("LATE|P001|TXN|2019-12-30", None, "ends when the file comes"),
        ("BALANCE|LENDER.u1", None, "ends when its figures agree"),
        ("CLAIM|T1", None, "ends when its figures agree"),
        ("INV|INV_01|P001:CUSTODY", None, "ends when its figures agree"),
        ("POSTING|R1|1", "insufficient", "is tried again each day"),
    ],
)
def test_what_no_decision_can_end_says_what_does(
    register: SqlRegister, clock: SteppingClock, subject: str, cause: str | None, words: str
) -> None:
    with register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"subject": subject, "cause": cause})
    with pytest.raises(UsageError, match=words):
        propose_settlement(register, clock, "op1", "c1", "why")
    with register.transaction() as tx:
        assert tx.find("proposal") == []


@pytest.mark.parametrize(
    ("subject", "cause"),
    [
        ("TXN|R1|1", None),
        ("CHANNEL|CH01|R1", None),
        ("CORE|P001:CUSTODY|S1", None),
        ("POSTING|R1|1", "loan_amount"),
        ("INV|INV_09|S1", None),
    ],
)
def test_what_two_people_may_settle(register: SqlRegister, clock: SteppingClock, subject: str, cause: str | None) -> None:
    with register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"subject": subject, "cause": cause})
    assert propose_settlement(register, clock, "op1", "c1", "why")


def test_a_case_that_closed_since_stays_as_it_closed(register: SqlRegister, clock: SteppingClock) -> None:
    number = propose_settlement(register, clock, "op1", "c1", "fine")
    with register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"state": "CLOSED", "closed_by": "no_longer_found"})
    with pytest.raises(UsageError):
        approve(register, clock, "sup1", CASE, number, "")
