"""The pair rules of custody.matching as engine expressions, built from the same data."""

from __future__ import annotations

from custody.matching import FLOW_RELATIONS, PairRule, Relation


def pair_kind_sql(left: str, right: str) -> str:
    """The break kind of a 1:1 pair, null when it matches; one branch for each rule of each relation that pairs."""
    branches = [
        f"when {left}.relation = '{relation.name}' and {_broken(rule, left, right)} then '{rule.kind}'"
        for relation in FLOW_RELATIONS
        for rule in relation.rules
    ]
    return f"case {' '.join(branches)} end"


def netting_relations_sql() -> str:
    return ", ".join(f"'{relation.name}'" for relation in FLOW_RELATIONS if relation.nets)


def left_side_sql(column: str) -> str:
    """Whether an item stands on its relation's left side."""
    return _side_sql(column, [(r, r.left) for r in FLOW_RELATIONS])


def _side_sql(column: str, sides: list[tuple[Relation, str]]) -> str:
    return "(" + " or ".join(f"({column}.relation = '{r.name}' and {column}.side = '{s}')" for r, s in sides) + ")"


def _broken(rule: PairRule, left: str, right: str) -> str:
    tests = [f"not ({left}.{name} <=> {right}.{name})" for name in rule.differs]
    if rule.swapped is not None:
        a, b = rule.swapped
        tests.append(f"(not ({left}.{a} <=> {left}.{b}) and {left}.{a} <=> {right}.{b} and {left}.{b} <=> {right}.{a})")
    broken = "(" + " or ".join(tests) + ")"
    return f"{broken} and not ({left}.{rule.unless} or {right}.{rule.unless})" if rule.unless else broken
