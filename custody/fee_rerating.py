"""Rating days anew that were rated already (domain.md §7: a correction re-rates the period): what is posted late, taken back, adjusted or
counted later belongs to the day of its value date; terms may be agreed for days that have passed.

Days are never edited. What all of them come to now, less what was accrued, is accrued on the day on which it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from custody.errors import UsageError
from custody.fee_contract import FeeContract
from custody.fee_positions import Entry
from custody.fees import DayFacts, FeeState, Line, accrue, passed, period_name, state_into
from custody.posting_rules import ACCRUE, RELEASE


@dataclass(frozen=True)
class Amendment:
    """Terms that hold from ``valid_from`` to ``valid_to`` (both in), whatever the contract says."""

    decision_no: int
    platform: str
    valid_from: date
    valid_to: date
    terms: FeeContract

    def covers(self, day: date) -> bool:
        return self.valid_from <= day <= self.valid_to


def terms_on(day: date, contract: FeeContract, amendments: Iterable[Amendment]) -> FeeContract | None:
    """The terms of a day, the last agreed first; None where none are in force."""
    covering = [one for one in amendments if one.covers(day)]
    terms = max(covering, key=lambda one: one.decision_no).terms if covering else contract
    return terms if terms.in_force(day) else None


@dataclass(frozen=True)
class Rated:
    """``state``: of the last day; ``ended``: each period's state at its end, by name, as far as it lies among the days; ``lines``: of each day."""

    state: FeeState | None
    ended: Mapping[str, FeeState] = field(default_factory=dict)
    lines: Mapping[date, tuple[Line, ...]] = field(default_factory=dict)


def rate_anew(
    before: FeeState | None, days: Iterable[date], terms: Callable[[date], FeeContract | None], facts: Callable[[date], DayFacts]
) -> Rated:
    """The days, one after another, as if each had been rated by what is known now. ``before``: the state of the day before the first."""
    state, ended, lines = before, {}, {}
    for day in days:
        contract = terms(day)
        if contract is not None:
            found = accrue(contract, day, facts(day), state_into(contract, day, state))
            state, lines[day] = found.state, found.lines
        elif state is not None:
            state = passed(day, state)
        if state is not None and state.last == day:
            ended[period_name(state.first, state.last)] = state
    return Rated(state, ended, lines)


def differences(platform: str, on: date, period: str, before: FeeState, now: FeeState) -> Iterator[Entry]:
    """What the bank enters because a period comes to something else than before: net and VAT in one, unless they go different ways."""
    if before.currency != now.currency:
        raise UsageError(f"the fee of {platform} for {period} is in {before.currency}, not {now.currency}")
    net, vat = now.net_minor - before.net_minor, now.vat_minor - before.vat_minor
    parts = [(net, vat)] if net * vat >= 0 else [(net, 0), (0, vat)]
    for leg, (of_net, of_vat) in enumerate((part for part in parts if any(part)), start=1):
        gross = of_net + of_vat
        direction = ACCRUE if gross > 0 else RELEASE
        number = f"FEE{on:%Y%m%d}-{period}"
        yield Entry(platform, direction, abs(gross), now.currency, number, f"{platform}-{period}", leg, abs(of_vat))
