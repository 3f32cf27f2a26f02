"""Adopting a rule: who may propose and approve, what the decision is bound to, and which dates a version may begin on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.declared import BadDeclaration
from custody.digest import digest_of_json
from custody.errors import NotPermitted, UsageError
from custody.match_rules import Rule, read_rule
from custody.rule_words import trial_words
from custody.services.four_eyes import approve, reject
from custody.services.rules import decide_rule, propose_rule, rule_book, rule_decision, rules_with_state
from schemas.rule_book import shipped_rules

SHIPPED = shipped_rules()
SEALED, NEXT, LATER = date(2020, 1, 1), date(2020, 1, 2), date(2020, 2, 1)
DECISION = rule_decision(SHIPPED)


@pytest.fixture(autouse=True)
def cut_off(register: SqlRegister) -> None:
    """The last day that is cut off."""
    facts = dict.fromkeys(
        ("run_digest", "inputs_digest", "manifest_digest", "path", "code_digest", "reason", "committed_at"), "x"
    )
    with register.transaction() as tx:
        tx.insert("step_output", {**facts, "custody_date": SEALED, "step": "cut_off", "version": 1, "fence": 1})


def version(rule_id: str = "cut_off_window", number: int = 2, valid_from: date = NEXT, **said: Any) -> Rule:
    (first,) = (rule for rule in SHIPPED if rule.rule_id == rule_id)
    return read_rule({**first.entry, "version": number, "valid_from": valid_from.isoformat(), **said}, "proposed.yaml")


def trial_of(rule: Rule, days: list[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"rules": [{"id": rule.id, "digest": rule.digest}], "from": "2020-01-01", "to": "2020-01-01"}
    body["days"] = days or []
    return {**body, "differs": bool(days), "digest": digest_of_json(body)}


def proposed(register: SqlRegister, clock: SteppingClock, rule: Rule, actor: str = "op1") -> str:
    return propose_rule(register, clock, actor, SHIPPED, rule, trial_of(rule), "a circular of the bank")


def windows(register: SqlRegister, *days: date) -> list[int]:
    with register.transaction() as tx:
        book = rule_book(tx, SHIPPED)
    return [book.rules_on(on).window_minutes for on in days]


def test_an_approved_version_holds_from_its_first_day_on(register: SqlRegister, clock: SteppingClock) -> None:
    number = proposed(register, clock, version(minutes=60))
    assert windows(register, SEALED, NEXT) == [30, 30]
    approve(register, clock, "sup1", DECISION, number, "agreed")
    assert windows(register, SEALED, NEXT, LATER) == [30, 60, 60]
    with register.transaction() as tx:
        (row,) = tx.find("adopted_rule")
        assert (row["rule_id"], row["version"], row["valid_from"], row["proposal_id"]) == ("cut_off_window", 2, NEXT, number)
        _, known = rules_with_state(tx, SHIPPED, SEALED)
        assert [(r.id, state) for r, state in known if r.rule_id == "cut_off_window"] == [
            ("cut_off_window/1", "IN_FORCE"),
            ("cut_off_window/2", "TO_COME"),
        ]
        _, known = rules_with_state(tx, SHIPPED, LATER)
        assert [state for r, state in known if r.rule_id == "cut_off_window"] == ["PAST", "IN_FORCE"]
        actions = [e["action"] for e in tx.find("audit_event", ["event_no"])]
    assert actions == ["rule.propose", "rule.approve"]
    again = proposed(register, clock, version(number=3, valid_from=LATER, minutes=15))
    approve(register, clock, "sup1", DECISION, again, "")
    assert windows(register, NEXT, LATER) == [60, 15]


def test_what_two_people_adopted_stands_before_what_a_later_program_ships(register: SqlRegister, clock: SteppingClock) -> None:
    number = proposed(register, clock, version(minutes=60))
    approve(register, clock, "sup1", DECISION, number, "read it")
    later = [*SHIPPED, version(minutes=5, valid_from=SEALED), version(number=3, minutes=7, valid_from=LATER)]
    with register.transaction() as tx:
        book = rule_book(tx, later)
    assert [book.rules_on(on).window_minutes for on in (SEALED, NEXT, LATER)] == [*windows(register, SEALED), 60, 60]


def test_a_rule_of_ones_own_and_a_withdrawal(register: SqlRegister, clock: SteppingClock) -> None:
    entry = {**version("ab_txn_status").entry, "rule": "ab_txn_coupon", "version": 1, "priority": 55, "kind": "FEE"}
    new = read_rule({**entry, "differs": ["coupon_minor"]}, "proposed.yaml")
    approve(register, clock, "sup1", DECISION, proposed(register, clock, new), "")
    gone = version("ab_txn_timing", withdrawn=True)
    approve(register, clock, "sup1", DECISION, proposed(register, clock, gone), "")
    with register.transaction() as tx:
        in_force, known = rules_with_state(tx, SHIPPED, NEXT)
    assert "ab_txn_coupon" in in_force and "ab_txn_timing" not in in_force
    assert [state for r, state in known if r.rule_id == "ab_txn_timing"] == ["PAST", "WITHDRAWN"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (version(valid_from=SEALED), "a sealed day keeps its rules"),
        (version(number=3), "write version: 2"),
        (version(number=1), "write version: 2"),
        (version("ab_txn_amount", withdrawn=True), "tolerance for customers' money is 0.00"),
        (version("ab_txn_status", priority=50), "which speaks first must be said"),
    ],
)
def test_a_version_that_may_not_be_is_refused(register: SqlRegister, clock: SteppingClock, rule: Rule, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        proposed(register, clock, rule)


def test_who_may(register: SqlRegister, clock: SteppingClock) -> None:
    for actor in ("risk1", "audit1", "gone", "reg1"):
        with pytest.raises(NotPermitted):
            proposed(register, clock, version(), actor)
    with register.transaction() as tx:
        refused = [e["actor"] for e in tx.find("audit_event", action="refused:rule.propose")]
    assert refused == ["risk1", "audit1", "gone", "reg1"]
    # Naming oneself the owner makes nobody one.
    with pytest.raises(NotPermitted, match="an operator or its owner"):
        proposed(register, clock, version(owner="risk1"), "risk1")
    # A supervisor proposes what his duty owns, and another one decides.
    his = proposed(register, clock, version("severity_by_age", steps=[{"from": 40, "weight": 1}]), "sup1")
    with pytest.raises(NotPermitted, match="may not decide it"):
        decide_rule(register, clock, "sup1", SHIPPED, his, True, "")
    decide_rule(register, clock, "sup2", SHIPPED, his, True, "agreed")
    own = proposed(register, clock, version())
    with pytest.raises(NotPermitted):
        approve(register, clock, "op1", DECISION, own, "")
    approve(register, clock, "sup2", DECISION, own, "")


def test_a_person_who_owns_a_rule_may_propose_its_next_version(register: SqlRegister, clock: SteppingClock) -> None:
    approve(register, clock, "sup1", DECISION, proposed(register, clock, version(owner="risk1")), "")
    following = version(number=3, valid_from=LATER)
    assert proposed(register, clock, following, "risk1")
    with pytest.raises(NotPermitted):
        proposed(register, clock, following, "sup1")


def test_a_decision_is_bound_to_entry_and_trial(register: SqlRegister, clock: SteppingClock) -> None:
    rule = version(minutes=60)
    with pytest.raises(UsageError, match="the trial is not of rule"):
        propose_rule(register, clock, "op1", SHIPPED, rule, trial_of(version(minutes=61)), "n")
    with pytest.raises(UsageError, match="say in --note"):
        propose_rule(register, clock, "op1", SHIPPED, rule, trial_of(rule), " ")
    number = proposed(register, clock, rule)
    for change in (
        lambda payload: payload["entry"].update(minutes=61),
        lambda payload: payload["trial"].update(to="2020-01-02"),
    ):
        with register.transaction() as tx:
            row = tx.get("proposal", proposal_id=number)
            assert row is not None
            payload = json.loads(row["payload"])
            change(payload)
            tx.update("proposal", {"proposal_id": number}, {"payload": json.dumps(payload)})
        with pytest.raises(UsageError, match="is not what was proposed"):
            approve(register, clock, "sup1", DECISION, number, "")
        with register.transaction() as tx:
            tx.update("proposal", {"proposal_id": number}, {"payload": row["payload"]})
    reject(register, clock, "sup1", DECISION, number, "no")
    assert windows(register, NEXT) == [30]


def test_what_was_proposed_in_time_may_come_too_late(register: SqlRegister, clock: SteppingClock) -> None:
    first, second = version(minutes=60), version(minutes=90)
    numbers = [proposed(register, clock, rule) for rule in (first, second)]
    approve(register, clock, "sup1", DECISION, numbers[0], "")
    with pytest.raises(UsageError, match="write version: 3"):
        approve(register, clock, "sup1", DECISION, numbers[1], "")
    late = proposed(register, clock, version(number=3, valid_from=LATER))
    with register.transaction() as tx:
        row = tx.get("step_output", custody_date=SEALED, step="cut_off")
        assert row is not None
        tx.insert("step_output", {**row, "custody_date": LATER})
    with pytest.raises(UsageError, match="cut off already"):
        approve(register, clock, "sup1", DECISION, late, "")
    assert windows(register, LATER) == [60]


def test_a_book_that_contradicts_itself_is_not_read(register: SqlRegister) -> None:
    rule = version()
    with register.transaction() as tx:
        row = {"rule_id": rule.rule_id, "version": 2, "valid_from": NEXT, "digest": rule.digest, "proposal_id": "p"}
        tx.insert("adopted_rule", {**row, "entry": json.dumps({**rule.entry, "version": 1})})
        with pytest.raises(BadDeclaration, match="version 1 stands twice"):
            rule_book(tx, SHIPPED)


def test_the_second_person_reads_the_trial_in_lines() -> None:
    change = {"what": "VANISHES", "before": "TIMING", "after": "", "count": 3, "amount_minor": 12345, "examples": []}
    move = {
        "relation": "AB_TXN",
        "side": "A",
        "before": "BREAK TIMING",
        "after": "MATCHED exact",
        "count": 3,
        "amount_minor": 12345,
    }
    days = [{"date": "2020-01-01", "platform": "P001", "breaks": [change], "rows": [move]}]
    lines = trial_words(trial_of(version(), days))
    assert lines == [
        "trial 2020-01-01 P001: 3 breaks would vanish / 不再出现: TIMING → –, 123.45",
        "trial 2020-01-01 P001: 3 rows / 明细 AB_TXN A BREAK TIMING → MATCHED exact, 123.45",
    ]
    assert trial_words(trial_of(version())) == ["trial 2020-01-01 … 2020-01-01: nothing would have been different / 试算：无差异"]
