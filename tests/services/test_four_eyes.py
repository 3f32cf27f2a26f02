"""One proposes, another approves; whoever may not is refused, and that is on record."""

from collections.abc import Mapping

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.audit import first_broken
from custody.errors import NotPermitted, UsageError
from custody.permissions import PERMISSIONS, Duty, permitted
from custody.ports import RegisterTx, Row
from custody.services.four_eyes import DecisionKind, approve, propose, reject


def _write(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    tx.update("person", {"person_id": subject}, {"display_name": payload["name"]})
    if payload["name"] == "fails":
        raise UsageError("the change is not possible any more")


KIND = DecisionKind("case", "case.propose", "case.approve", _write)


def proposed(register: SqlRegister, clock: SteppingClock, actor: str = "op1", name: str = "new", subject: str = "audit1") -> str:
    return propose(register, clock, actor, KIND, subject, {"name": name}, "because")


def table(register: SqlRegister, name: str) -> list[Row]:
    with register.transaction() as tx:
        return tx.find(name)


def shown_name(register: SqlRegister) -> str:
    return next(str(r["display_name"]) for r in table(register, "person") if r["person_id"] == "audit1")


def actions(register: SqlRegister) -> list[tuple[str, str]]:
    events = table(register, "audit_event")
    assert first_broken(events) is None
    return [(e["actor"], e["action"]) for e in events]


def test_a_proposal_changes_nothing_until_another_approves(register: SqlRegister, clock: SteppingClock) -> None:
    number = proposed(register, clock)
    assert shown_name(register) == "audit1"
    row = approve(register, clock, "sup1", KIND, number, "fine")
    assert (row["state"], row["checker"], row["decision_no"]) == ("APPROVED", "sup1", 1)
    assert shown_name(register) == "new"
    assert table(register, "proposal") == [row]
    assert actions(register) == [("op1", "case.propose"), ("sup1", "case.approve")]


def test_a_rejection_changes_nothing(register: SqlRegister, clock: SteppingClock) -> None:
    row = reject(register, clock, "sup1", KIND, proposed(register, clock), "no")
    assert (row["state"], row["decision_no"]) == ("REJECTED", 1)
    assert shown_name(register) == "audit1"


def test_nobody_approves_his_own_work_and_the_attempt_is_on_record(register: SqlRegister, clock: SteppingClock) -> None:
    number = proposed(register, clock, "both")
    for decide in (approve, reject):
        with pytest.raises(NotPermitted, match="another person must"):
            decide(register, clock, "both", KIND, number, "")
    assert shown_name(register) == "audit1"
    assert table(register, "proposal")[0]["state"] == "PROPOSED"
    assert actions(register)[1:] == [("both", "refused:case.approve")] * 2
    approve(register, clock, "sup1", KIND, number, "")


@pytest.mark.parametrize("actor", ["sup1", "risk1", "audit1", "reg1", "gone", "system"])
def test_who_may_not_propose(register: SqlRegister, clock: SteppingClock, actor: str) -> None:
    with pytest.raises(NotPermitted, match="may not case.propose"):
        proposed(register, clock, actor)
    assert table(register, "proposal") == []
    assert actions(register) == [(actor, "refused:case.propose")]


@pytest.mark.parametrize("actor", ["op2", "risk1", "audit1", "reg1", "gone", "system"])
def test_who_may_not_approve(register: SqlRegister, clock: SteppingClock, actor: str) -> None:
    number = proposed(register, clock)
    with pytest.raises(NotPermitted, match="may not case.approve"):
        approve(register, clock, actor, KIND, number, "")
    assert shown_name(register) == "audit1"
    assert actions(register)[-1] == (actor, "refused:case.approve")


def test_a_stranger_is_no_actor(register: SqlRegister, clock: SteppingClock) -> None:
    with pytest.raises(UsageError, match="no person 'x'"):
        proposed(register, clock, "x")


def test_proposing_the_same_twice_is_one_proposal(register: SqlRegister, clock: SteppingClock) -> None:
    first = proposed(register, clock)
    assert proposed(register, clock) == first
    assert proposed(register, clock, name="other") != first
    approve(register, clock, "sup1", KIND, first, "")
    again = proposed(register, clock)
    assert again != first
    assert len(table(register, "proposal")) == 3


def test_deciding_twice(register: SqlRegister, clock: SteppingClock) -> None:
    number = proposed(register, clock)
    first = approve(register, clock, "sup1", KIND, number, "")
    assert approve(register, clock, "sup1", KIND, number, "") == first
    assert len(actions(register)) == 2
    for actor, decide in (("sup2", approve), ("sup1", reject), ("sup2", reject)):
        with pytest.raises(UsageError, match="APPROVED already, by sup1"):
            decide(register, clock, actor, KIND, number, "")


def test_a_change_that_fails_leaves_the_proposal_open_and_nothing_half_done(register: SqlRegister, clock: SteppingClock) -> None:
    number = proposed(register, clock, name="fails")
    with pytest.raises(UsageError, match="not possible any more"):
        approve(register, clock, "sup1", KIND, number, "")
    assert shown_name(register) == "audit1"
    assert table(register, "proposal")[0]["state"] == "PROPOSED"
    assert actions(register) == [("op1", "case.propose")]


def test_decisions_are_numbered_in_the_order_they_were_made(register: SqlRegister, clock: SteppingClock) -> None:
    numbers = [proposed(register, clock, subject=s) for s in ("audit1", "reg1", "risk1")]
    assert approve(register, clock, "sup1", KIND, numbers[2], "")["decision_no"] == 1
    assert reject(register, clock, "sup2", KIND, numbers[0], "")["decision_no"] == 2
    assert approve(register, clock, "sup2", KIND, numbers[1], "")["decision_no"] == 3


def test_a_proposal_of_another_kind_or_none_is_not_found(register: SqlRegister, clock: SteppingClock) -> None:
    number = proposed(register, clock)
    other = DecisionKind("holiday", "calendar.propose", "calendar.approve")
    for kind, wanted in ((other, number), (KIND, "nope")):
        with pytest.raises(UsageError, match="no .* proposal"):
            approve(register, clock, "sup1", kind, wanted, "")


def test_the_auditor_and_the_regulator_may_change_nothing() -> None:
    for action in PERMISSIONS:
        # To view changes nothing.
        assert action.endswith(".view") or not permitted(action, frozenset({Duty.AUDITOR, Duty.REGULATOR}))


def test_no_one_duty_both_proposes_and_approves() -> None:
    """But of rules (supervisors own most of them) and of what the law keeps between risk officers: another of them decides."""
    alike = {"rule.propose": Duty.SUPERVISOR, "aml_hold.propose": Duty.RISK_OFFICER, "aml_filing.propose": Duty.RISK_OFFICER}
    for action, duties in PERMISSIONS.items():
        if action.endswith(".propose"):
            both = duties & PERMISSIONS[action.replace(".propose", ".approve")]
            assert both == (frozenset({alike[action]}) if action in alike else frozenset()), action


def test_an_action_that_is_not_listed_may_be_done_by_nobody() -> None:
    assert not permitted("case.destroy", frozenset(Duty))
