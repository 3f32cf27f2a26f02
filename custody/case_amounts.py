"""How much money a break is about, from its evidence: what the case weighs by, and what the desk adds up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from custody.case_evidence import Evidence, rows_by_side
from custody.names import BreakKind

_PARTS = ("principal_minor", "interest_minor", "penalty_minor")
# In the order in which they are asked: the first that differs is what the break is about.
_OF_STATE = ("amount_minor", "raised_minor", "principal_minor")


def amount_of_movement(kind: str, evidence: Evidence) -> int:
    """Of a movement that a side lacks, or tells in another way, the whole of it; where only a part of it is in question, that part."""
    sides = _sums(evidence)
    if len(sides) == 2:
        if kind == BreakKind.FEE:
            return abs(_off(sides, "fee_minor"))
        if kind == BreakKind.ALLOCATION:
            # What one part has too much another has too little.
            return -(-sum(abs(_off(sides, part)) for part in _PARTS) // 2)
        off = _off(sides, "amount_minor")
        if not off and kind == BreakKind.AMOUNT:
            off = _off(sides, "coupon_minor")
        if off:
            return abs(off)
    return abs(next(iter(sides.values())).get("amount_minor", 0))


def amount_of_state(evidence: Evidence) -> int:
    """Of what stands at the end of a date: what the sides' figures are apart; where these agree, or one side has nothing, all of it."""
    sides = _sums(row for row in evidence if "posted_later_minor" not in row)
    if len(sides) == 2:
        if any("available_minor" in side for side in sides.values()):
            off = max(abs(_off(sides, name)) for name in ("available_minor", "frozen_minor"))
            if off:
                return off
        for name in _OF_STATE:
            if off := _off(sides, name):
                return abs(off)
    figures = [side.get(name, 0) for side in sides.values() for name in ("amount_minor", "principal_minor")]
    held = [side.get("available_minor", 0) + side.get("frozen_minor", 0) for side in sides.values()]
    return max([abs(minor) for minor in (*figures, *held)], default=0)


def _sums(evidence: Any) -> dict[str, dict[str, int]]:
    """By side the sum of each amount over its rows."""
    found: dict[str, dict[str, int]] = {}
    for side, rows in rows_by_side(evidence).items():
        sums = found.setdefault(side, {})
        for row in rows:
            for name, value in _amounts(row):
                sums[name] = sums.get(name, 0) + value
    return found


def _amounts(row: Mapping[str, Any]) -> list[tuple[str, int]]:
    return [(name, value) for name, value in row.items() if name.endswith("_minor") and isinstance(value, int)]


def _off(sides: Mapping[str, Mapping[str, int]], name: str) -> int:
    one, other = sides.values()
    return one.get(name, 0) - other.get(name, 0)
