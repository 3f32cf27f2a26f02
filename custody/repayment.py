"""What a borrower owes on a date, and what a payment of his goes to (domain.md §3, Schedules and Allocation).

Interest and principal follow the schedule; a penalty runs for each day after an instalment's due date on what is overdue of it that
day, and is rounded once for each instalment. A payment goes to the oldest instalment first, and within it to costs, interest with
penalty, principal, unless the contract names another order. Nothing is ever paid twice or below zero: what a payment leaves
when all that is due is paid comes back as ``rest_minor``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from custody.errors import UsageError
from custody.money import Rounding, round_minor
from custody.names import DayCount, RepaymentMethod
from custody.schedule import Every, Instalment, schedule, year_fraction

PartName = Literal["costs", "interest", "penalty", "principal"]
# domain.md §3: costs, interest with penalty, principal.
USUAL_ORDER: tuple[PartName, ...] = ("costs", "interest", "penalty", "principal")


@dataclass(frozen=True)
class Terms:
    """What decides a loan's schedule. ``penalty_rate``: a day, as a decimal fraction; None: the contract asks none."""

    principal_minor: int
    annual_rate: str
    periods: int
    every: Every
    method: RepaymentMethod
    day_count: DayCount
    disbursed_on: date
    penalty_rate: str | None = None
    rounding: Rounding = "half_even"

    def schedule(self) -> list[Instalment]:
        """The instalments as agreed. Raises UsageError for terms that make no loan."""
        return list(_schedule(self))


@lru_cache(maxsize=4096)
def _schedule(terms: Terms) -> tuple[Instalment, ...]:
    """A loan's payments are judged one after another: its exact fractions are worked out once."""
    return tuple(
        schedule(
            terms.principal_minor,
            terms.annual_rate,
            terms.periods,
            terms.every,
            terms.method,
            terms.day_count,
            terms.disbursed_on,
            terms.rounding,
        )
    )


@dataclass(frozen=True)
class Parts:
    """An amount told apart."""

    costs_minor: int = 0
    interest_minor: int = 0
    penalty_minor: int = 0
    principal_minor: int = 0

    @property
    def total_minor(self) -> int:
        """All of it."""
        return self.costs_minor + self.interest_minor + self.penalty_minor + self.principal_minor

    def of(self, name: PartName) -> int:
        """One part by its name."""
        return {
            "costs": self.costs_minor,
            "interest": self.interest_minor,
            "penalty": self.penalty_minor,
            "principal": self.principal_minor,
        }[name]

    def __add__(self, other: Parts) -> Parts:
        return Parts(
            self.costs_minor + other.costs_minor,
            self.interest_minor + other.interest_minor,
            self.penalty_minor + other.penalty_minor,
            self.principal_minor + other.principal_minor,
        )


@dataclass(frozen=True)
class Owed:
    """What is still owed of one instalment on a date."""

    number: int
    due: date
    parts: Parts


@dataclass(frozen=True)
class Payment:
    """What was paid for one instalment on one day."""

    on: date
    number: int
    parts: Parts


@dataclass(frozen=True)
class Allocation:
    """``payments``: what the amount went to, by instalment; ``rest_minor``: what was not due."""

    payments: tuple[Payment, ...]
    rest_minor: int

    @property
    def parts(self) -> Parts:
        """All instalments together."""
        return sum((payment.parts for payment in self.payments), Parts())


def owed_on(terms: Terms, paid: Iterable[Payment], on: date, costs_minor: int = 0) -> list[Owed]:
    """What is due up to and on the date and not paid, oldest first; costs stand with the oldest.

    Raises UsageError when more was paid for an instalment than it asks.
    """
    history = sorted(paid, key=lambda p: (p.on, p.number))
    owed = []
    for row in terms.schedule():
        if row.due > on:
            break
        own = [p for p in history if p.number == row.number]
        parts = Parts(costs_minor, row.interest_minor, _penalty(terms, row, own, on), row.principal_minor)
        for payment in own:
            parts = _less(parts, replace(payment.parts, costs_minor=0), f"instalment {row.number}")
        if parts.total_minor:
            owed.append(Owed(row.number, row.due, parts))
            costs_minor = 0
    return owed


def allocate_payment(owed: Sequence[Owed], amount_minor: int, on: date, order: Sequence[PartName] = USUAL_ORDER) -> Allocation:
    """What an amount goes to: the oldest instalment first, within it part by part in the contract's ``order``."""
    if amount_minor < 0:
        raise UsageError(f"a payment is not negative: {amount_minor}")
    if sorted(order) != sorted(USUAL_ORDER):
        raise UsageError(f"an order names each of {', '.join(USUAL_ORDER)} once, not {', '.join(order)}")
    payments = []
    for instalment in sorted(owed, key=lambda o: (o.due, o.number)):
        taken: dict[PartName, int] = {}
        for name in order:
            taken[name] = min(amount_minor, instalment.parts.of(name))
            amount_minor -= taken[name]
        parts = Parts(taken["costs"], taken["interest"], taken["penalty"], taken["principal"])
        if parts.total_minor:
            payments.append(Payment(on, instalment.number, parts))
    return Allocation(tuple(payments), amount_minor)


def settlement_figure(terms: Terms, paid: Sequence[Payment], on: date) -> Parts:
    """What ends the loan on the date: all that is due and not paid, the principal that is not due yet, and the interest on it
    since the last due date, by the loan's day count, rounded once."""
    due = sum((owed.parts for owed in owed_on(terms, paid, on)), Parts())
    rows = terms.schedule()
    ahead = [row for row in rows if row.due > on]
    prepaid = sum(p.parts.principal_minor for p in paid if any(row.number == p.number for row in ahead))
    principal = sum(row.principal_minor for row in ahead) - prepaid
    since = max((row.due for row in rows if row.due <= on), default=terms.disbursed_on)
    exact = principal * Fraction(terms.annual_rate) * year_fraction(terms.day_count, since, max(on, since))
    return due + Parts(interest_minor=round_minor(exact, terms.rounding), principal_minor=principal)


def rest_after(terms: Terms, on: date, early_minor: int) -> tuple[Parts, Terms | None]:
    """An early repayment of principal on a day on which nothing is overdue, and the terms of what is left (None: nothing).

    The early principal brings its own interest since the last due date; the rest is a loan from that date over the remaining
    periods by the same method, so that what was repaid so far, the early part and the rest are the principal lent. Its due
    dates are counted from there: after the last day of a short month they stay on that day.
    Raises UsageError when more is repaid than is left, or when the last instalment is due already.
    """
    rows = terms.schedule()
    ahead = [row for row in rows if row.due > on]
    if not ahead:
        raise UsageError(f"on {on} all instalments are due: nothing is early")
    balance = sum(row.principal_minor for row in ahead)
    if not 0 < early_minor <= balance:
        raise UsageError(f"{early_minor} cannot be repaid early of {balance}")
    since = max((row.due for row in rows if row.due <= on), default=terms.disbursed_on)
    exact = early_minor * Fraction(terms.annual_rate) * year_fraction(terms.day_count, since, on)
    early = Parts(interest_minor=round_minor(exact, terms.rounding), principal_minor=early_minor)
    if early_minor == balance:
        return early, None
    # A bullet has one instalment, whose period is the whole term.
    periods = terms.periods if terms.method is RepaymentMethod.BULLET else len(ahead)
    return early, replace(terms, principal_minor=balance - early_minor, periods=periods, disbursed_on=since)


def _penalty(terms: Terms, row: Instalment, own: Sequence[Payment], on: date) -> int:
    """For each day after the due date, of what was overdue of principal and interest at the end of that day."""
    if terms.penalty_rate is None or on <= row.due:
        return 0
    overdue = row.principal_minor + row.interest_minor
    since, amount_days = row.due, 0
    for payment in own:
        until = min(max(payment.on, row.due), on)
        amount_days += overdue * (until - since).days
        since = until
        overdue -= payment.parts.principal_minor + payment.parts.interest_minor
    amount_days += overdue * (on - since).days
    return round_minor(amount_days * Fraction(terms.penalty_rate), terms.rounding)


def _less(parts: Parts, paid: Parts, what: str) -> Parts:
    left = Parts(
        parts.costs_minor - paid.costs_minor,
        parts.interest_minor - paid.interest_minor,
        parts.penalty_minor - paid.penalty_minor,
        parts.principal_minor - paid.principal_minor,
    )
    if min(left.interest_minor, left.penalty_minor, left.principal_minor) < 0:
        raise UsageError(f"{what}: {paid} was paid of {parts}")
    return left
