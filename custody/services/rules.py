"""Changing a reconciliation rule: proposed with the trial of it on past days, approved by another person, from a date to come.

A decision is bound to the entry and to the trial's difference that both people saw. The rule then stands in the register; the
cut-off of each date seals the versions that it finds there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from custody.alert_rules import ALERTS_NEEDED, AlertRules
from custody.digest import canonical_json, digest_of_json
from custody.errors import NotPermitted, UsageError
from custody.match_rules import NEEDED, Rule, RuleBook, RuleSet, read_rule
from custody.permissions import Duty
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import duties_of, permitted_transaction
from custody.services.four_eyes import DecisionKind, approve, propose, reject
from custody.services.outputs import days_begun

KIND = "rule"
_PROPOSE, _APPROVE = "rule.propose", "rule.approve"


def rule_book(tx: RegisterTx, shipped: Sequence[Rule]) -> RuleBook:
    """All versions that are known: the program's own and those that were adopted. From the first version on that two people adopted a
    rule is the bank's: what a later program ships of it under that number or a higher one is not in force."""
    rows = tx.find("adopted_rule")
    adopted = [read_rule(json.loads(row["entry"]), f"adopted by {row['proposal_id']}") for row in rows]
    first: dict[str, int] = {}
    for row in rows:
        first[row["rule_id"]] = min(row["version"], first.get(row["rule_id"], row["version"]))
    own = [rule for rule in shipped if rule.version < first.get(rule.rule_id, rule.version + 1)]
    return RuleBook.of([*own, *adopted])


def book_anew(book: RuleBook, sealed: Sequence[Rule], on: date) -> RuleBook:
    """The book of a date that is cut off anew. ``sealed``: the versions that it was cut off with; those that had begun by then it keeps, so
    that what a later program ships as of an earlier date changes no day that people have seen: it holds from the first date that is
    cut off after. Nobody can judge without some rules: one of these that nobody knew then is taken as it stands now."""
    kept = [rule for rule in sealed if rule.valid_from <= on]
    known = {rule.rule_id for rule in kept}
    needed = [rule for rule in book.rules if rule.rule_id in {*NEEDED, *ALERTS_NEEDED} - known and rule.valid_from <= on]
    return RuleBook.of([*kept, *needed, *(rule for rule in book.rules if rule.valid_from > on)]) if kept else book


def alert_rules(tx: RegisterTx, shipped: Sequence[Rule], on: date) -> AlertRules:
    """Who is told of what on a date. Raises BadDeclaration."""
    return rule_book(tx, shipped).rules_on(on).alerts


def check_change(tx: RegisterTx, shipped: Sequence[Rule], rule: Rule) -> None:
    """Raises UsageError when the version cannot be adopted: its number, its first day, or what it says beside the others."""
    book = rule_book(tx, shipped)
    versions = book.versions(rule.rule_id)
    expected = versions[-1].version + 1 if versions else 1
    if rule.version != expected:
        raise UsageError(f"rule {rule.id}: the next version of {rule.rule_id} is {expected}; write version: {expected}")
    begun = days_begun(tx)
    if begun and rule.valid_from <= begun[-1]:
        raise UsageError(
            f"rule {rule.id}: valid_from {rule.valid_from} is cut off already ({begun[-1]} is the last day that is); "
            "a sealed day keeps its rules: write a later date"
        )
    RuleBook.of([*book.rules, rule]).check(rule.valid_from)


def propose_rule(
    register: Register,
    clock: Clock,
    actor: str,
    shipped: Sequence[Rule],
    rule: Rule,
    trial: Mapping[str, Any],
    note: str,
) -> str:
    """Propose one changed or new rule with what its trial showed; returns the proposal's id.

    Raises NotPermitted for whoever is neither operator nor the rule's owner; UsageError as check_change does, when the trial is
    of another entry, or without a note.
    """
    if not note.strip():
        raise UsageError("say in --note why the rule is to change")
    if [{"id": rule.id, "digest": rule.digest}] != trial["rules"]:
        raise UsageError(f"the trial is not of rule {rule.id} as it is proposed: run custody rules try again")
    with permitted_transaction(register, actor, _PROPOSE, rule.id) as tx:
        # Whoever owns it as it stands: a proposal cannot name its maker the owner.
        owner = [rule, *rule_book(tx, shipped).versions(rule.rule_id)][-1].owner
        duties = duties_of(tx, actor)
        if Duty.OPERATOR not in duties and owner not in {actor, *duties}:
            raise NotPermitted(f"{actor} may not propose rule {rule.rule_id}: an operator or its owner ({owner}) may")
        check_change(tx, shipped, rule)
    payload = {"entry": dict(rule.entry), "entry_digest": rule.digest, "trial": dict(trial)}
    return propose(register, clock, actor, rule_decision(shipped), rule.id, payload, note)


def rule_decision(shipped: Sequence[Rule]) -> DecisionKind:
    """What a second person decides, over the book that the program ships."""
    return DecisionKind(KIND, _PROPOSE, _APPROVE, partial(_apply, shipped))


def decide_rule(
    register: Register, clock: Clock, actor: str, shipped: Sequence[Rule], proposal_id: str, approved: bool, note: str
) -> Row:
    """Approve or reject another person's proposal of a rule: the one service behind command line, page and Airflow.

    Raises NotPermitted; UsageError when it cannot be decided (any more): another version was adopted meanwhile, its first day is cut
    off.
    """
    return (approve if approved else reject)(register, clock, actor, rule_decision(shipped), proposal_id, note)


def _apply(shipped: Sequence[Rule], tx: RegisterTx, subject: str, payload: Mapping[str, Any]) -> None:
    rule = read_rule(payload["entry"], f"proposal of {subject}")
    trial = {name: value for name, value in payload["trial"].items() if name not in ("differs", "digest")}
    if rule.digest != payload["entry_digest"] or digest_of_json(trial) != payload["trial"]["digest"]:
        raise UsageError(f"the proposal of {subject} is not what was proposed: entry or trial have another digest")
    check_change(tx, shipped, rule)
    body = canonical_json(dict(payload))
    found = [p["proposal_id"] for p in tx.find("proposal", kind=KIND, subject=subject, state="PROPOSED") if p["payload"] == body]
    row = {
        "rule_id": rule.rule_id,
        "version": rule.version,
        "valid_from": rule.valid_from,
        "entry": canonical_json(dict(rule.entry)),
        "digest": rule.digest,
        "proposal_id": found[0],
    }
    tx.insert("adopted_rule", row)


def rules_with_state(tx: RegisterTx, shipped: Sequence[Rule], on: date) -> tuple[RuleSet, list[tuple[Rule, str]]]:
    """The rules in force on a date; and every version as IN_FORCE, TO_COME, PAST or WITHDRAWN by that date."""
    book = rule_book(tx, shipped)
    in_force = book.rules_on(on)
    valid = {rule.id for rule in in_force.rules}
    shown = []
    for rule in book.rules:
        if rule.id in valid:
            state = "IN_FORCE"
        elif rule.valid_from > on:
            state = "TO_COME"
        else:
            state = "WITHDRAWN" if rule.withdrawn else "PAST"
        shown.append((rule, state))
    return in_force, shown
