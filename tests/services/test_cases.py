"""A case's life: assigned, proposed with a reason, approved on the evidence that was seen."""

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.errors import NotPermitted, UsageError
from custody.services.cases import CASE, assign, case, cases, propose_settlement
from custody.services.four_eyes import approve


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


def test_cases_are_listed_by_state_and_platform(register: SqlRegister) -> None:
    with register.transaction() as tx:
        assert [c["case_id"] for c in cases(tx, None, None)] == ["c2", "c1"]
        assert [c["case_id"] for c in cases(tx, "P001", "OPEN")] == ["c1"]
        assert cases(tx, "P002", None) == []


def test_a_case_is_assigned_to_a_person(register: SqlRegister) -> None:
    assign(register, "sup1", "c1", "op2")
    with register.transaction() as tx:
        assert case(tx, "c1")["owner"] == "op2"
        assert [(e["actor"], e["action"]) for e in tx.find("audit_event")] == [("sup1", "case.assign")]


def test_a_case_is_assigned_only_to_people_and_by_those_who_may(register: SqlRegister) -> None:
    with pytest.raises(UsageError, match="no person 'x'"):
        assign(register, "sup1", "c1", "x")
    with pytest.raises(UsageError, match="gone is not active"):
        assign(register, "sup1", "c1", "gone")
    with pytest.raises(UsageError, match="no case 'c9'"):
        assign(register, "sup1", "c9", "op1")
    with pytest.raises(NotPermitted):
        assign(register, "audit1", "c1", "op1")
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
