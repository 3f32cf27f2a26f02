"""A rule set's relations as engine expressions, built from the same data as the pure judgement (custody.matching)."""

from __future__ import annotations

from collections.abc import Sequence

from custody.matching import PairRule, Relation


def pair_kind_sql(relations: Sequence[Relation], left: str, right: str) -> str:
    """The break kind of a 1:1 pair, null when it matches; one branch for each rule of each relation that pairs."""
    branches = [
        f"when {left}.relation = '{relation.name}' and {_broken(rule, left, right)} then '{rule.kind}'"
        for relation in relations
        for rule in relation.rules
    ]
    return f"case {' '.join(branches)} end"


def netting_relations_sql(relations: Sequence[Relation]) -> str:
    """Their names as a list that is never empty, which no engine would read."""
    return ", ".join([f"'{relation.name}'" for relation in relations if relation.nets] or ["''"])


def left_side_sql(relations: Sequence[Relation], column: str) -> str:
    """Whether an item stands on its relation's left side."""
    return _side_sql(column, [(r, r.left) for r in relations])


def _side_sql(column: str, sides: list[tuple[Relation, str]]) -> str:
    return "(" + " or ".join(f"({column}.relation = '{r.name}' and {column}.side = '{s}')" for r, s in sides) + ")"


def _broken(rule: PairRule, left: str, right: str) -> str:
    tests = [f"not ({left}.{name} <=> {right}.{name})" for name in rule.differs]
    if rule.swapped is not None:
        a, b = rule.swapped
        tests.append(f"(not ({left}.{a} <=> {left}.{b}) and {left}.{a} <=> {right}.{b} and {left}.{b} <=> {right}.{a})")
    broken = "(" + " or ".join(tests) + ")"
    if rule.unless is not None:
        broken += f" and not ({left}.{rule.unless} or {right}.{rule.unless})"
    if rule.until is not None:
        last = f"coalesce({right}.{rule.until}, {left}.{rule.until})"
        broken += f" and not coalesce({right}.item_date <= {left}.item_date and {left}.item_date <= {last}, false)"
    return broken
