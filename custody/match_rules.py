"""The rule book of reconciliation: dated, versioned entries with a priority, an owner and a source (design.md §4.7).

An entry says the same in the files that the program ships (schemas/rules), in a file that somebody proposes, in the register and
in the reference that a day's cut-off seals. A version holds from its first day until the next version's; one that is withdrawn
ends the rule. What no rule may say is refused here: tolerance for customers' money is 0.00, only time has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Any

from custody.ageing import Ages, Versions
from custody.alert_rules import ALERTS_NEEDED, AlertRules
from custody.declared import BadDeclaration, Declared
from custody.digest import digest_of_json
from custody.errors import UsageError
from custody.matching import PairRule, Relation
from custody.rule_forms import (
    AGED,
    SIDES,
    AgeLimits,
    ComplianceTerms,
    Condition,
    Figures,
    Forecast,
    Levels,
    RedLine,
    RelationTerms,
    RiskFigures,
    Steps,
    Window,
    read_condition,
)

# Entries without which nothing could be judged: they may be changed, never withdrawn.
NEEDED = (
    "cut_off_window",
    "severity_by_age",
    "severity_by_amount",
    "due_by_severity",
    *AGED,
    *(s.rule_id for s in SIDES.values()),
)
LEVELS = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


@dataclass(frozen=True)
class Rule:
    """One version of one rule. ``priority``: within one form and relation the lowest speaks first; ``owner``: the role or person who
    answers for it; ``basis``: who says so; ``entry``: the declaration itself, which digests and people see."""

    rule_id: str
    version: int
    form: str
    relation: str | None
    priority: int
    says: Condition
    valid_from: date
    valid_to: date | None
    withdrawn: bool
    owner: str
    basis: str
    words_en: str
    words_zh: str
    entry: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.rule_id}/{self.version}"

    @property
    def digest(self) -> str:
        return digest_of_json(dict(self.entry))


def read_rule(raw: object, where: str) -> Rule:
    """One entry, strictly. Raises BadDeclaration naming ``where`` (a file), the rule, the field, and what to write instead."""
    d = Declared(raw, where)
    rule_id = d.need("rule", str)
    d.where = f"{where}: rule {rule_id}"
    if not rule_id.replace("_", "").isalnum() or rule_id != rule_id.lower() or not rule_id.isascii():
        raise d.wrong("rule: write a word of small letters, digits and _, which stays the same for ever")
    if "tolerance" in d:
        raise d.wrong("tolerance: tolerance for customers' money is 0.00 and no rule can change it; only time has one (minutes)")
    form, condition, relation = read_condition(d)
    words = d.part("words")
    rule = Rule(
        rule_id=rule_id,
        version=_at_least(d, "version", 1),
        form=form,
        relation=relation,
        priority=_at_least(d, "priority", 0),
        says=condition,
        valid_from=_date(d, "valid_from"),
        valid_to=_date(d, "valid_to") if "valid_to" in d else None,
        withdrawn=d.get("withdrawn", bool, False),
        owner=_owner(d),
        basis=_said(d, "basis"),
        words_en=_said(words, "en"),
        words_zh=_said(words, "zh"),
        entry=_plain(d),
    )
    words.close()
    d.close()
    if rule.valid_to is not None and rule.valid_to < rule.valid_from:
        raise d.wrong(f"valid_to {rule.valid_to} lies before valid_from {rule.valid_from}; leave it out where no end is known")
    if rule_id in (*NEEDED, *ALERTS_NEEDED) and (rule.withdrawn or rule.valid_to is not None):
        raise d.wrong("nothing can be judged without this rule: it has no valid_to and cannot be withdrawn; change it instead")
    return rule


def _at_least(d: Declared, key: str, least: int) -> int:
    found = d.need(key, int)
    if found < least:
        raise d.wrong(f"{key} is {found}; write a whole number from {least}")
    return found


def _said(d: Declared, key: str) -> str:
    found = d.need(key, str)
    if not found.strip() or found != found.strip():
        raise d.wrong(f"{key} is {found!r}; write it out, without blanks around it")
    return found


def _owner(d: Declared) -> str:
    found = d.need("owner", str)
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", found):
        raise d.wrong(f"owner is {found!r}; write a duty such as supervisor or risk_officer, or a person's id")
    return found


def _date(d: Declared, key: str) -> date:
    found = d.need(key, object)
    try:
        return found if isinstance(found, date) else date.fromisoformat(str(found))
    except ValueError:
        raise d.wrong(f"{key} is {found!r}; write a date YYYY-MM-DD") from None


def _plain(d: Declared) -> dict[str, Any]:
    """The entry as JSON has it: a date that YAML read as one is text."""
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in d.raw.items()}


@dataclass(frozen=True)
class RuleBook:
    """All versions of all rules that are known. ``rules_on`` gives those in force on a date."""

    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> RuleBook:
        """Raises BadDeclaration when versions of one rule contradict each other, so that on no date two could be in force."""
        ordered = tuple(sorted(rules, key=lambda r: (r.rule_id, r.version)))
        for before, after in pairwise(ordered):
            if before.rule_id != after.rule_id:
                continue
            if before.version == after.version:
                raise BadDeclaration(f"rule {after.rule_id}: version {after.version} stands twice; number versions from 1")
            if after.valid_from <= before.valid_from:
                raise BadDeclaration(
                    f"rule {after.id}: valid_from {after.valid_from} is not after version {before.version}'s ({before.valid_from}); "
                    "a version takes the place of the one before from a later day on"
                )
            if (before.form, before.relation) != (after.form, after.relation):
                raise BadDeclaration(
                    f"rule {after.id}: it is of form {after.form} for {after.relation}, version {before.version} is of form "
                    f"{before.form} for {before.relation}; give a rule of another nature an id of its own"
                )
        return cls(ordered)

    def rules_on(self, on: date) -> RuleSet:
        """Of each rule the version with the latest first day up to ``on``, unless it is withdrawn or has ended.

        Raises BadDeclaration when those rules together may not be: two of one priority, or money left uncompared.
        """
        begun = {rule.rule_id: rule for rule in self.rules if rule.valid_from <= on}
        valid = [r for r in begun.values() if not r.withdrawn and (r.valid_to is None or on <= r.valid_to)]
        return RuleSet(on, tuple(sorted(valid, key=lambda r: (r.form, r.relation or "", r.priority, r.rule_id))))

    def dates_of_change(self) -> list[date]:
        """Every date from which on other rules may hold than the day before."""
        ends = {date.fromordinal(r.valid_to.toordinal() + 1) for r in self.rules if r.valid_to is not None}
        return sorted({r.valid_from for r in self.rules} | ends)

    def check(self, since: date) -> None:
        """Look at every rule set that the book will give from this date on. Raises BadDeclaration."""
        for on in sorted({since, *(on for on in self.dates_of_change() if on > since)}):
            self.rules_on(on)

    def versions(self, rule_id: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.rule_id == rule_id]

    @cached_property
    def ages(self) -> Ages:
        """How long what waits may wait, in all versions: what began under an earlier one is judged by it."""

        def limits(rule_id: str) -> Versions:
            found = ((rule.valid_from, rule.says) for rule in self.versions(rule_id))
            return tuple((since, says.business_days) for since, says in found if isinstance(says, AgeLimits))

        return Ages(limits("hold_age"), limits("status_age"))


@dataclass(frozen=True)
class RuleSet:
    """The rules in force on one date, in order of form, relation and priority."""

    on: date
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        refuse_contradictions(self)

    def __contains__(self, rule_id: str) -> bool:
        return rule_id in self._by_id

    def rule(self, rule_id: str) -> Rule:
        """Raises UsageError when no such rule is in force."""
        found = self._by_id.get(rule_id)
        if found is None:
            raise UsageError(f"no rule {rule_id!r} is in force on {self.on}; see: custody rules show --date {self.on}")
        return found

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {rule.rule_id: rule for rule in self.rules}

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """The flow relations with their pair rules in order of priority: what pure judgement and engine are both built from."""
        return tuple(self._relation(name) for name in SIDES)

    def relation(self, name: str) -> Relation:
        return next(relation for relation in self.relations if relation.name == name)

    def _relation(self, name: str) -> Relation:
        sides = SIDES[name]
        terms = self.rule(sides.rule_id).says
        assert isinstance(terms, RelationTerms)  # the form of these ids
        pairs = tuple(r.says for r in self.rules if r.relation == name and isinstance(r.says, PairRule))
        return Relation(name, sides.sides, sides.left, sides.right, terms.missing_left, terms.missing_right, pairs, terms.nets)

    @property
    def window_minutes(self) -> int:
        """How near to midnight an event may lie for its date to be explained by the cut-off."""
        window = self.rule("cut_off_window").says
        assert isinstance(window, Window)
        return window.minutes

    def severity(self, amount_minor: int, age_days: int) -> str:
        """The sum of an age step and an amount step, capped: an old small break and a young large one weigh alike."""
        by_age, by_amount = self._severity_steps
        weight = by_age.weight(age_days) + by_amount.weight(amount_minor)
        return LEVELS[min(weight, len(LEVELS) - 1)]

    @cached_property
    def _severity_steps(self) -> tuple[Steps, Steps]:
        return self._steps("severity_by_age"), self._steps("severity_by_amount")

    def due_business_days(self, level: str) -> int:
        """Bank business days after its opening within which a case of this severity is to be settled."""
        levels = self.rule("due_by_severity").says
        assert isinstance(levels, Levels)
        return levels.of(level)

    @cached_property
    def causes(self) -> tuple[tuple[str, Mapping[str, int]], ...]:
        """(word, figures) of the probable causes in force, by priority (custody.causes)."""
        return tuple((rule.rule_id, rule.says.figures) for rule in self.rules if isinstance(rule.says, Figures))

    def figures(self, rule_id: str) -> Mapping[str, int]:
        """The parameters of a rule of form ``cause``. Raises UsageError when it is not in force."""
        found = self.rule(rule_id).says
        if not isinstance(found, Figures):
            raise UsageError(f"rule {rule_id} has no figures: it is of form {self.rule(rule_id).form}")
        return found.figures

    @property
    def forecast_business_days(self) -> int | None:
        """How far instalments are looked ahead; None where no rule says that they are."""
        return next((rule.says.business_days for rule in self.rules if isinstance(rule.says, Forecast)), None)

    def risk(self) -> Mapping[str, Mapping[str, int]]:
        """The figures of each rule in force that the risk step judges."""
        return {rule.rule_id: rule.says.figures for rule in self.rules if isinstance(rule.says, RiskFigures)}

    @cached_property
    def alerts(self) -> AlertRules:
        """Who is told of what. Raises BadDeclaration on a date that has no rules of alerts."""
        return AlertRules.of(self.on, ((rule.id, rule.says) for rule in self.rules))

    def red_lines(self) -> Mapping[str, RedLine]:
        """By id, those in force."""
        return {rule.rule_id: rule.says for rule in self.rules if isinstance(rule.says, RedLine)}

    def compliance(self) -> Mapping[str, Rule]:
        """By id, those rules in force that a detector judges."""
        return {rule.rule_id: rule for rule in self.rules if isinstance(rule.says, ComplianceTerms)}

    def _steps(self, rule_id: str) -> Steps:
        steps = self.rule(rule_id).says
        assert isinstance(steps, Steps)
        return steps


def refuse_contradictions(rules: RuleSet) -> None:
    """What the rules of one date may not say together. Raises BadDeclaration."""
    for before, after in pairwise(rules.rules):
        if (before.form, before.relation, before.priority) == (after.form, after.relation, after.priority):
            raise BadDeclaration(
                f"rule {after.id}: priority {after.priority} is {before.id}'s too on {rules.on}; which speaks first must be said"
            )
    for needed in NEEDED:
        if needed not in rules:
            raise BadDeclaration(f"rule {needed} is missing on {rules.on}: nothing can be judged without it")
    for relation in rules.relations:
        if relation.nets:
            if relation.rules:
                raise BadDeclaration(
                    f"{relation.name} nets on {rules.on}: its rows are summed, so its pair rules would never speak"
                )
            continue
        compared = {name for rule in relation.rules if rule.unless is None and rule.until is None for name in rule.differs}
        for column in ("currency", *SIDES[relation.name].money):
            if column not in compared:
                raise BadDeclaration(
                    f"{relation.name}: no rule compares {column} on {rules.on}; tolerance for customers' money is 0.00 and no rule "
                    "can change it: withdraw or excuse no rule that compares money"
                )
