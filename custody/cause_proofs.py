"""What proves a probable cause: pure functions over a case's evidence, each giving the figures that prove it, or None.

"" where the rows alone are the proof. The numbers that a proof needs beside the evidence are the rule book's (schemas/rules).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any

from custody.calendar import at, custody_date_of
from custody.case_evidence import Evidence, rows_by_side, told_by_sides
from custody.money import round_minor
from custody.names import BreakKind

# A rule's numbers by name.
Figures = Mapping[str, int]


@dataclass(frozen=True)
class Rate:
    """A contracted channel fee, and whose: millionths of the gross, at least so much; ``on``: a date on which the contract said so."""

    channel: str
    millionths: int
    least_minor: int
    on: date

    def fee_of(self, gross_minor: int) -> int:
        """What it asks for a payment, in whole fen."""
        return max(round_minor(Fraction(gross_minor * self.millionths, 1_000_000), "half_even"), self.least_minor)


@dataclass(frozen=True)
class Facts:
    kind: str
    subject: str
    evidence: Evidence
    rates: Sequence[Rate] = ()

    @cached_property
    def by_side(self) -> dict[str, list[Mapping[str, Any]]]:
        """The rows of each side; what is no side's row is left out."""
        return rows_by_side(self.evidence)

    def told(self, name: str) -> dict[str, Any]:
        """custody.case_evidence.told_by of a field; one rule after another asks."""
        if name not in self._told:
            self._told[name] = told_by_sides(self.by_side, name)
        return self._told[name]

    @cached_property
    def _told(self) -> dict[str, dict[str, Any]]:
        return {}

    @cached_property
    def amounts(self) -> list[tuple[int, int]]:
        """Amounts of which one row on each side says something else."""
        # A residue of rounding is known for what it is.
        if len(self.by_side) != 2 or self.kind == BreakKind.ROUNDING or any(len(rows) > 1 for rows in self.by_side.values()):
            return []
        pairs = (_pair(self, name) for name in _AMOUNTS)
        return [pair for pair in pairs if pair is not None and pair[0] != pair[1]]


def late_file(facts: Facts, figures: Figures) -> str | None:
    """The file itself is what is missing."""
    return facts.subject.removeprefix("LATE|") if facts.kind == BreakKind.LATE_FILE else None


def duplicate_send(facts: Facts, figures: Figures) -> str | None:
    """Two rows of one side that say the same; or one alone, whose key had matched on an earlier day."""
    if facts.kind != BreakKind.DUPLICATE:
        return None
    for rows in facts.by_side.values():
        if len(rows) > 1 and len({_content(row) for row in rows}) == 1:
            return f"{rows[0]['row_ref']}/{rows[1]['row_ref']}"
    return str(facts.evidence[0].get("row_ref")) if len(facts.evidence) == 1 else None


def key_reused(facts: Facts, figures: Figures) -> str | None:
    """Rows of one side under one number that do not say the same."""
    if facts.kind != BreakKind.DUPLICATE:
        return None
    for rows in facts.by_side.values():
        if len({_content(row) for row in rows}) > 1:
            return f"{rows[0]['row_ref']}/{rows[1]['row_ref']}"
    return None


def batch_split(facts: Facts, figures: Figures) -> str | None:
    """One row here, several there, of the same sum."""
    sides = list(facts.by_side.values())
    if len(sides) != 2 or {len(rows) > 1 for rows in sides} != {True, False}:
        return None
    one, many = sorted(([int(row.get("amount_minor") or 0) for row in rows] for rows in sides), key=len)
    # A part that is nothing, or the whole, is no split.
    if one[0] != sum(many) or 0 in many or one[0] in many:
        return None
    return f"{one[0]}={'+'.join(str(amount) for amount in many)}"


def swapped_accounts(facts: Facts, figures: Figures) -> str | None:
    """Payer and payee stand exchanged."""
    payer, payee = _pair(facts, "from_account"), _pair(facts, "to_account")
    if payer is None or payee is None or payer[0] == payer[1]:
        return None
    return "" if payer == (payee[1], payee[0]) else None


def sign(facts: Facts, figures: Figures) -> str | None:
    """The sums are equal but for the sign."""
    pair = _pair(facts, "amount_minor")
    return f"{pair[0]}/{pair[1]}" if pair and pair[0] and pair[0] == -pair[1] else None


def yuan_for_fen(facts: Facts, figures: Figures) -> str | None:
    """One amount is so many times the other: yuan were written where fen are meant, or the other way round."""
    for left, right in facts.amounts:
        small, large = sorted((left, right), key=abs)
        if small and small * figures["times"] == large:
            return f"{left}/{right}"
    return None


def net_for_gross(facts: Facts, figures: Figures) -> str | None:
    """The amounts differ by exactly the fee."""
    pair = _pair(facts, "amount_minor")
    if pair is None or pair[0] == pair[1]:
        return None
    for fee in facts.told("fee_minor").values():
        if isinstance(fee, int) and fee and abs(pair[0] - pair[1]) == fee:
            return f"{pair[0]}/{pair[1]} fee {fee}"
    return None


def fee_changed(facts: Facts, figures: Figures) -> str | None:
    """The fee is what another contracted rate would give, of another channel or of a date whose contract said something else, and by
    that rate alone differs from ours. ``rates``: those of the movement's date first."""
    fees, gross = _pair(facts, "fee_minor"), _pair(facts, "amount_minor")
    if facts.kind != BreakKind.FEE or fees is None or gross is None or gross[0] != gross[1] or fees[0] == fees[1]:
        return None
    for rate in facts.rates:
        if rate.fee_of(gross[0]) == fees[1]:
            return f"{fees[1]} = {gross[0]} × {rate.millionths}/1000000 ({rate.channel} {rate.on})"
    return None


def transposed_digits(facts: Facts, figures: Figures) -> str | None:
    """Two neighbouring digits stand exchanged, in an amount of so many digits at least."""
    least = figures["least_digits"]
    return next((f"{left}/{right}" for left, right in facts.amounts if _is_transposed(str(left), str(right), least)), None)


def single_digit(facts: Facts, figures: Figures) -> str | None:
    """One digit is another, in an amount of so many digits at least."""
    least = figures["least_digits"]
    return next((f"{left}/{right}" for left, right in facts.amounts if _is_one_digit_off(str(left), str(right), least)), None)


def held_elsewhere(facts: Facts, figures: Figures) -> str | None:
    """The same money in all, frozen on one side and available on the other."""
    free, held = _pair(facts, "available_minor"), _pair(facts, "frozen_minor")
    if free is None or held is None or free[0] == free[1] or free[0] + held[0] != free[1] + held[1]:
        return None
    return f"{held[0]}/{held[1]}"


def cut_off(facts: Facts, figures: Figures) -> str | None:
    """Filed under the next day or the day before, and it happened within hours of the midnight between."""
    found = _neighbouring(facts)
    return found[1] if found and found[0] <= timedelta(minutes=figures["minutes"]) else None


def filed_late(facts: Facts, figures: Figures) -> str | None:
    """Filed a day away from its event, which was not near midnight."""
    found = _neighbouring(facts)
    return found[1] if found and found[0] > timedelta(minutes=figures["minutes"]) else None


def _neighbouring(facts: Facts) -> tuple[timedelta, str] | None:
    """Only the dates differ, by one day, and the event happened on one of them: how far from midnight, and the figures."""
    if facts.kind != BreakKind.TIMING or len(said := facts.told("item_date")) != 2:
        return None
    left, right = (date.fromisoformat(str(on)) for on in said.values())
    events = {str(when) for when in facts.told("event_time").values() if when is not None}
    if abs(left - right) != timedelta(days=1) or len(events) != 1:
        return None
    (happened,) = events
    moment = datetime.fromisoformat(happened)
    if custody_date_of(moment) not in (left, right):
        return None
    between = at(max(left, right), time())
    return abs(moment - between), f"{happened} {left}/{right}"


def _content(row: Mapping[str, Any]) -> str:
    return repr(sorted((name, value) for name, value in row.items() if name != "row_ref"))


def _pair(facts: Facts, name: str) -> tuple[Any, Any] | None:
    """What the two sides say, in order of side; None unless two sides say something."""
    # Most breaks are of one side, and are asked for many fields.
    if len(facts.by_side) != 2:
        return None
    said = [value for _, value in sorted(facts.told(name).items())]
    return (said[0], said[1]) if None not in said else None


_AMOUNTS = ("amount_minor", "available_minor", "frozen_minor", "fee_minor", "principal_minor", "raised_minor")


def _is_transposed(left: str, right: str, least_digits: int) -> bool:
    if len(left) != len(right) or len(left) < least_digits:
        return False
    off = [n for n in range(len(left)) if left[n] != right[n]]
    return len(off) == 2 and off[1] == off[0] + 1 and left[off[0]] == right[off[1]] and left[off[1]] == right[off[0]]


def _is_one_digit_off(left: str, right: str, least_digits: int) -> bool:
    if len(left) != len(right) or len(left) < least_digits:
        return False
    off = [n for n in range(len(left)) if left[n] != right[n]]
    return len(off) == 1 and "-" not in (left[off[0]], right[off[0]])


Proof = Callable[[Facts, Figures], str | None]
# By the id of its rule: the proof, and the numbers that the rule must state.
PROOFS: dict[str, tuple[Proof, tuple[str, ...]]] = {
    "late_file": (late_file, ()),
    "duplicate_send": (duplicate_send, ()),
    "batch_split": (batch_split, ()),
    "key_reused": (key_reused, ()),
    "swapped_accounts": (swapped_accounts, ()),
    "sign": (sign, ()),
    "yuan_for_fen": (yuan_for_fen, ("times",)),
    "net_for_gross": (net_for_gross, ()),
    "fee_changed": (fee_changed, ()),
    "held_elsewhere": (held_elsewhere, ()),
    "transposed_digits": (transposed_digits, ("least_digits",)),
    "single_digit": (single_digit, ("least_digits",)),
    "cut_off": (cut_off, ("minutes",)),
    "filed_late": (filed_late, ("minutes",)),
}
