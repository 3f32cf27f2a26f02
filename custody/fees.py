"""Custody fees (domain.md §7): one day's accrual of one platform from its contract, its facts of the day and the period so far.

What a period costs is a function of what it has come to so far: the components by their terms and discounts, then the maximum, the
minimum and, in a year's last period, the annual minimum. A day accrues the rounded exact total to date less what was accrued before,
so that the days always add up to the rounded exact total of the period, however it is cut and in whatever order transactions come.
Rounding takes place once, for the period's net and for its VAT; what is not yet a whole minor unit is never lost.
"""

from __future__ import annotations

import json
import re
from calendar import isleap, monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any

from custody.calendar import ONE_DAY
from custody.digest import canonical_json
from custody.errors import UsageError
from custody.fee_contract import BALANCE, FLAT, ONBOARDING, Cycle, FeeContract, Tariff, TierMode, whole
from custody.money import Rounding, round_minor
from custody.names import DayCount

# What the bill as a whole adds to its components, in this order.
MAXIMUM, MINIMUM, ANNUAL_MINIMUM = "maximum", "minimum", "annual_minimum"
WHOLE_BILL = (MAXIMUM, MINIMUM, ANNUAL_MINIMUM)
_ZERO, _ONE = Fraction(0), Fraction(1)
_NOTHING = "0/1"
# Days of which a contract's terms are kept: more than a year's, should all of it be rated anew.
_MOST_KNOWN = 400
_PERIOD = re.compile(r"([12][0-9]{3})-(?:(0[1-9]|1[0-2])|Q([1-4]))", re.ASCII)


@dataclass(frozen=True)
class DayFacts:
    """What a fee is computed from: the sum of customers' sub-accounts at the end of the day, and how many pieces, or minor units
    moved, came under each component (custody.fee_contract) that day."""

    base_minor: int
    quantities: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """What one component came to on one day: ``fee`` is exact minor units after discounts, of which ``left`` was left to pay;
    ``quantity``: the balance base, pieces, minor units moved, or 1."""

    component: str
    quantity: int
    terms: str
    left: Fraction
    fee: Fraction


@dataclass(frozen=True)
class ComponentState:
    """What a component came to in its period so far. For prices of all units: ``terms`` in force, ``weighted`` units under them (less what
    was discounted), and ``closed``: what was rated under earlier terms, at the tier that had been reached."""

    quantity: int = 0
    fee: Fraction = _ZERO
    terms: str = ""
    weighted: Fraction = _ZERO
    closed: Fraction = _ZERO


_NO_STATE = ComponentState()


@dataclass(frozen=True)
class FeeState:
    """A platform's charging period from ``first`` to ``last`` up to and with ``through``, and its year and life so far.

    ``free`` and ``capped``: the components of days without and with a maximum; ``cap``, ``floor``: those days' parts of maximum and minimum;
    ``bill``: what maximum, minimum and annual minimum add. ``net_minor`` and ``vat_minor`` are what the period has accrued, ``vat``
    the same VAT exact. ``year_net_minor``: the year's earlier periods; ``year_floor``: its days' parts of the annual minimum.
    ``accrued_minor``: gross, since the platform's first day under contract.
    """

    first: date
    last: date
    through: date | None
    currency: str
    components: Mapping[str, ComponentState] = field(default_factory=dict)
    free: Fraction = _ZERO
    capped: Fraction = _ZERO
    cap: Fraction = _ZERO
    floor: Fraction = _ZERO
    bill: tuple[Fraction, Fraction, Fraction] = (_ZERO, _ZERO, _ZERO)
    net_minor: int = 0
    vat: Fraction = _ZERO
    vat_minor: int = 0
    year_net_minor: int = 0
    year_floor: Fraction = _ZERO
    accrued_minor: int = 0

    @property
    def exact(self) -> Fraction:
        """What the period comes to so far, net of VAT, before rounding."""
        return self.free + self.capped + sum(self.bill)

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.vat_minor

    def totals(self) -> dict[str, Fraction]:
        """The exact fee of each component of the period, and what the bill as a whole adds, but nothing that is nought."""
        found = {name: state.fee for name, state in sorted(self.components.items())} | dict(
            zip(WHOLE_BILL, self.bill, strict=True)
        )
        return {name: exact for name, exact in found.items() if exact}

    def as_text(self) -> str:
        """One cell, which ``parse`` reads back."""
        said: dict[str, object] = {
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "through": self.through.isoformat() if self.through else None,
            "currency": self.currency,
            "components": {
                name: [of.quantity, _text(of.fee), of.terms, _text(of.weighted), _text(of.closed)]
                for name, of in self.components.items()
            },
            "bill": [_text(part) for part in self.bill],
        }
        said |= {name: _text(getattr(self, name)) for name in _EXACT}
        return canonical_json(said | {name: getattr(self, name) for name in _WHOLE})

    @classmethod
    def parse(cls, text: str) -> FeeState:
        """The state from its text. Raises UsageError when it is not one."""
        try:
            said = json.loads(text)
            maximum, minimum, annual = (Fraction(part) for part in said["bill"])
            found = cls(
                first=date.fromisoformat(said["first"]),
                last=date.fromisoformat(said["last"]),
                through=date.fromisoformat(said["through"]) if said["through"] else None,
                currency=said["currency"],
                components={
                    name: ComponentState(quantity, Fraction(fee), terms, Fraction(weighted), Fraction(closed))
                    for name, (quantity, fee, terms, weighted, closed) in said["components"].items()
                },
                bill=(maximum, minimum, annual),
            )
            figures: dict[str, Any] = {name: Fraction(said[name]) for name in _EXACT}
            return replace(found, **figures | {name: said[name] for name in _WHOLE})
        except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
            raise UsageError(f"{text[:60]!r} is not the state of a fee accrual") from error


_EXACT = ("free", "capped", "cap", "floor", "vat", "year_floor")
_WHOLE = ("net_minor", "vat_minor", "year_net_minor", "accrued_minor")


@dataclass(frozen=True)
class FeeAccrual:
    """One platform's fee for one calendar day, in minor units of ``currency``; gross = net + VAT. Less than nothing where a tier that was
    reached made the whole period cheaper. ``lines`` sum to the exact net of the day before rounding."""

    accrual_date: date
    currency: str
    base_minor: int
    lines: tuple[Line, ...]
    net_minor: int
    vat_minor: int
    gross_minor: int
    vat_rate: Fraction
    rounding: Rounding
    state: FeeState


def period_of(day: date, cycle: Cycle) -> tuple[date, date]:
    """The calendar month or quarter of a day: (first, last)."""
    if cycle is Cycle.QUARTERLY:
        first = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        month = first.month + 2
    else:
        first, month = day.replace(day=1), day.month
    return first, date(day.year, month, monthrange(day.year, month)[1])


def period_name(first: date, last: date) -> str:
    """``2020-02``, or ``2020-Q1``."""
    return f"{first:%Y-%m}" if first.month == last.month else f"{first.year}-Q{last.month // 3}"


def named_period(name: str) -> tuple[date, date]:
    """(first, last) of a period's name. Raises UsageError."""
    found = _PERIOD.fullmatch(name)
    if found is None:
        raise UsageError(f"a charging period is YYYY-MM or YYYY-Qn, not {name!r}")
    year, month, quarter = found.groups()
    if month:
        return period_of(date(int(year), int(month), 1), Cycle.MONTHLY)
    return period_of(date(int(year), int(quarter) * 3, 1), Cycle.QUARTERLY)


def state_into(contract: FeeContract, day: date, previous: FeeState | None) -> FeeState:
    """The state that a day starts from: the previous day's inside a period, a fresh one with a new period.

    A period that has begun keeps its end though the contract changes its cycle. ``previous`` is None on the platform's first day
    under contract. Raises UsageError when a day was left out or is accrued again, which would lose or double its fee, and when the
    currency changes inside a period.
    """
    first, last = period_of(day, contract.cycle)
    if previous is None:
        return FeeState(first, last, None, contract.currency)
    if previous.through is None or previous.through + ONE_DAY != day:
        raise UsageError(f"fees are accrued through {previous.through}; {day} is not the next day")
    if previous.last >= day:
        if previous.currency != contract.currency:
            raise UsageError(f"the fee of {previous.first} to {previous.last} is in {previous.currency}, not {contract.currency}")
        return previous
    same_year = previous.last.year == day.year
    return FeeState(
        first,
        last,
        previous.through,
        contract.currency,
        year_net_minor=previous.year_net_minor + previous.net_minor if same_year else 0,
        year_floor=previous.year_floor if same_year else _ZERO,
        accrued_minor=previous.accrued_minor,
    )


def accrue(contract: FeeContract, day: date, facts: DayFacts, state: FeeState) -> FeeAccrual:
    """The fee of one calendar day; ``state`` as ``state_into`` gives it.

    Raises UsageError for a day outside the contract's dates (which contract applies is the caller's to choose, and a fee without a
    contract must stop rather than be nought), for a state that is not of the day before, and for a negative base or quantity.
    """
    if not contract.in_force(day):
        raise UsageError(f"{day} is outside the fee contract of {contract.valid_from} to {contract.valid_to}")
    if not state.first <= day <= state.last or (state.through is not None and state.through + ONE_DAY != day):
        raise UsageError(f"the state of {state.first} to {state.last} runs through {state.through}; {day} is not the next day")
    whole(facts.base_minor, "the balance base")
    for name, quantity in facts.quantities.items():
        whole(quantity, f"the quantity of {name}")

    terms = _terms_of(contract, day, _days(state))
    lines, components = _components(contract, day, facts, state, terms)
    came = _ZERO
    for line in lines:
        came = _sum(came, line.fee)
    capped = contract.maximum_minor is not None
    free = state.free if capped else _sum(state.free, came)
    under_cap = _sum(state.capped, came) if capped else state.capped
    cap, floor = _sum(state.cap, terms.cap), _sum(state.floor, terms.floor)
    year_floor = _sum(state.year_floor, terms.year_floor)
    total = _sum(free, under_cap)
    maximum = min(under_cap, cap) - under_cap if capped or under_cap else _ZERO
    total = _sum(total, maximum)
    minimum = floor - total if floor > total else _ZERO
    total = _sum(total, minimum)
    short = year_floor - state.year_net_minor - total if _ends_a_year(contract, state.last) else _ZERO
    annual = short if short > 0 else _ZERO
    total = _sum(total, annual)
    bill = (maximum, minimum, annual)
    for name, before, now in zip(WHOLE_BILL, state.bill, bill, strict=True):
        if now != before:
            lines.append(Line(name, 1, "", _ONE, now - before))
    net = round_minor(total, contract.rounding) - state.net_minor
    vat_exact = _sum(state.vat, net * terms.vat_rate)
    vat = round_minor(vat_exact, contract.rounding) - state.vat_minor
    return FeeAccrual(
        accrual_date=day,
        currency=contract.currency,
        base_minor=facts.base_minor,
        lines=tuple(lines),
        net_minor=net,
        vat_minor=vat,
        gross_minor=net + vat,
        vat_rate=terms.vat_rate,
        rounding=contract.rounding,
        state=FeeState(
            first=state.first,
            last=state.last,
            through=day,
            currency=state.currency,
            components=components,
            free=free,
            capped=under_cap,
            cap=cap,
            floor=floor,
            bill=bill,
            net_minor=state.net_minor + net,
            vat=vat_exact,
            vat_minor=state.vat_minor + vat,
            year_net_minor=state.year_net_minor,
            year_floor=year_floor,
            accrued_minor=state.accrued_minor + net + vat,
        ),
    )


def passed(day: date, previous: FeeState) -> FeeState:
    """The state after a day without a contract: nothing accrues, and the day is not left out."""
    if previous.through is None or previous.through + ONE_DAY != day:
        raise UsageError(f"fees are accrued through {previous.through}; {day} is not the next day")
    return replace(previous, through=day)


def whole_lines(totals: Mapping[str, Fraction], net_minor: int) -> dict[str, int]:
    """Exact figures as whole minor units that sum to the rounded total: what is left goes to the largest fractions, ties by order."""
    floors = {name: exact.numerator // exact.denominator for name, exact in totals.items()}
    left = net_minor - sum(floors.values())
    ranked = sorted(totals, key=lambda name: floors[name] - totals[name])
    if not 0 <= left <= len(ranked):
        raise UsageError(f"{net_minor} is not the rounded sum of {sum(totals.values())}")
    return {name: floors[name] + (name in ranked[:left]) for name in totals}


def contract_for(contracts: Iterable[FeeContract], day: date) -> FeeContract:
    """The one contract in force on ``day``. Raises UsageError when there is none or more than one."""
    found = [contract for contract in contracts if contract.in_force(day)]
    if len(found) != 1:
        raise UsageError(f"{len(found)} fee contracts are in force on {day}; there must be exactly one")
    return found[0]


@dataclass(frozen=True)
class _DayTerms:
    """What a contract says of one day of a period of so many days, whoever signed it: thousands sign the same. ``left``: of what concerns
    the whole bill; ``fixed``: components that cost the same whatever the facts, as (component, terms, left, fee)."""

    vat_rate: Fraction
    cap: Fraction
    floor: Fraction
    year_floor: Fraction
    balance: tuple[Fraction, str, Fraction] | None
    fixed: tuple[tuple[str, str, Fraction, Fraction], ...]
    tariffs: tuple[tuple[Tariff, Fraction], ...]


def _terms_of(contract: FeeContract, day: date, days: int) -> _DayTerms:
    known: dict[tuple[date, int], _DayTerms] = contract.memo
    found = known.get((day, days))
    if found is None:
        if len(known) >= _MOST_KNOWN:
            known.clear()
        found = known[day, days] = _reckoned(contract, day, days)
    return found


def _reckoned(contract: FeeContract, day: date, days: int) -> _DayTerms:
    left = contract.left(None, day)
    balance = None
    if contract.day_count is not None:
        of_year, of_balance = days_in_year(contract.day_count, day), contract.left(BALANCE, day)
        factor = contract.per_mille_year / (1000 * of_year) * of_balance
        balance = factor, f"{contract.rate_text} per mille / {of_year}", of_balance
    fixed = []
    if contract.flat_minor:
        of_flat = contract.left(FLAT, day)
        fixed.append((FLAT, f"{contract.flat_minor} / {days}", of_flat, Fraction(contract.flat_minor, days) * of_flat))
    if contract.onboarding is not None and contract.onboarding[0] == day:
        once, of_once = contract.onboarding[1], contract.left(ONBOARDING, day)
        fixed.append((ONBOARDING, f"{once}", of_once, once * of_once))
    return _DayTerms(
        vat_rate=contract.vat_rate(day),
        cap=left * Fraction(contract.maximum_minor or 0, days),
        floor=left * Fraction(contract.minimum_minor, days),
        year_floor=left * Fraction(contract.annual_minimum_minor, 366 if isleap(day.year) else 365),
        balance=balance,
        fixed=tuple(fixed),
        tariffs=tuple((tariff, contract.left(tariff.component, day)) for tariff in contract.tariffs),
    )


def _components(
    contract: FeeContract, day: date, facts: DayFacts, state: FeeState, terms: _DayTerms
) -> tuple[list[Line], dict[str, ComponentState]]:
    lines: list[Line] = []
    components = dict(state.components)

    def add(name: str, quantity: int, text: str, left: Fraction, fee: Fraction, before: ComponentState | None = None) -> None:
        before = before or components.get(name, _NO_STATE)
        components[name] = ComponentState(
            before.quantity + quantity, _sum(before.fee, fee), before.terms, before.weighted, before.closed
        )
        lines.append(Line(name, quantity, text, left, fee))

    if terms.balance is not None:
        factor, text, left = terms.balance
        add(BALANCE, facts.base_minor, text, left, facts.base_minor * factor)
    for name, text, left, fee in terms.fixed:
        add(name, 1, text, left, fee)
    for tariff, left in terms.tariffs:
        quantity = facts.quantities.get(tariff.component, 0)
        if quantity:
            fee, before = _priced(tariff, quantity, left, components.get(tariff.component, _NO_STATE))
            add(tariff.component, quantity, tariff.text, left, fee, before)
    return lines, components


def _priced(tariff: Tariff, quantity: int, left: Fraction, before: ComponentState) -> tuple[Fraction, ComponentState]:
    """(what the day's units add to the period's fee, the component's state but for its quantity and fee)."""
    total = before.quantity + quantity
    if tariff.mode is TierMode.GRADUATED:
        added = tariff.total(total)
        if before.quantity:
            added -= tariff.total(before.quantity)
        # Prices of all units that come again later begin anew.
        return added if left == 1 else added * left, replace(before, terms="") if before.terms else before
    terms = tariff.text
    if terms != before.terms:
        before = replace(before, terms=terms, closed=before.fee, weighted=_ZERO)
    before = replace(before, weighted=before.weighted + quantity * left)
    return before.closed + before.weighted * tariff.reached(total) - before.fee, before


def _sum(one: Fraction, other: Fraction) -> Fraction:
    """Most of what is added up is nothing yet, and to add it exactly takes as long as to add anything."""
    if not other:
        return one
    return one + other if one else other


def _ends_a_year(contract: FeeContract, last: date) -> bool:
    """The annual minimum is settled with the year's last period, or with the one in which the contract ends."""
    return (last.month, last.day) == (12, 31) or (contract.valid_to is not None and contract.valid_to <= last)


def _days(state: FeeState) -> int:
    return (state.last - state.first).days + 1


def days_in_year(day_count: DayCount, day: date) -> int:
    """By which a yearly rate is divided for one day: actual/actual counts a leap year's 366."""
    if day_count is DayCount.ACTUAL_360:
        return 360
    return 366 if day_count is DayCount.ACTUAL_ACTUAL and isleap(day.year) else 365


def _text(exact: Fraction) -> str:
    return f"{exact.numerator}/{exact.denominator}" if exact else _NOTHING
