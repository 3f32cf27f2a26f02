"""When a pair is clean, as an engine expression built from a relation's rules, the same data as the pure judgement's.

Clean is narrower than matching: no column that any rule looks at differs, nor date, amount or currency. What a rule would excuse is left
to custody.matching.
"""

from __future__ import annotations

from custody.matching import Relation


def clean_pair_sql(relation: Relation, left: str, right: str) -> str:
    """Whether the two rows of an outer join are both there and alike in all that counts; never null."""
    equal = _equal(relation)
    # An amount is null only where the outer join found no row.
    tests = [f"{left}.amount_minor is not null", f"{right}.amount_minor is not null"]
    tests += [f"{left}.{name} <=> {right}.{name}" for name in equal]
    for a, b in {rule.swapped for rule in relation.rules if rule.swapped is not None and not set(rule.swapped) <= set(equal)}:
        # Where both columns are compared, a pair that has them exchanged differs already.
        tests.append(f"({left}.{a} <=> {left}.{b} or not ({left}.{a} <=> {right}.{b} and {left}.{b} <=> {right}.{a}))")
    return " and ".join(tests)


def compared_columns(relation: Relation) -> list[str]:
    """The columns of a row, beside its key, that ``clean_pair_sql`` looks at."""
    return sorted({*_equal(relation), *(name for rule in relation.rules for name in rule.swapped or ())})


def _equal(relation: Relation) -> list[str]:
    return sorted({name for rule in relation.rules for name in rule.differs} | {"item_date", "amount_minor", "currency"})
