"""What each payment on a loan should have gone to, by our own computation, beside what the platform's request says (domain.md §3).

The payments of a loan are told one after another from its terms (custody.repayment): what is due on the day takes the amount
first, the oldest instalment first and within it in the contract's order. What is paid beyond that is early, and is, in this order:

1. all that is left, with its interest up to the day: the loan ends;
2. one or more whole instalments to come, as scheduled: they are paid ahead;
3. from a guarantor, principal: the claims pass to him at their face value;
4. principal with its own interest since the last due date: the rest is a loan over the remaining periods.

What is owed next follows from *our* parts, whatever the platform called them: one wrong request is one difference, and a loan
whose parts were put right later agrees again. What we cannot compute is not judged, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

from custody.money import round_minor
from custody.repayment import (
    USUAL_ORDER,
    Owed,
    PartName,
    Parts,
    Payment,
    Terms,
    allocate_payment,
    owed_on,
    rest_after,
    settlement_figure,
)
from custody.schedule import Instalment, year_fraction


class Verdict(StrEnum):
    """How a payment stands. All but the first two are not judged."""

    AGREES = "AGREES"
    DIFFERS = "DIFFERS"
    OPEN = "OPEN"  # a leg of it, or of one before it, has not come or waits
    REFUSED_LEG = "REFUSED_LEG"  # a leg was refused, which is a finding of its own
    COMPENSATOR = "COMPENSATOR"  # what a compensator is repaid follows his agreement, not the loan's schedule
    NO_HISTORY = "NO_HISTORY"  # what was paid before is not known here: a loan from before the first custody date
    OFF_SCHEDULE = "OFF_SCHEDULE"  # an earlier payment left the schedule in a way that no rule here covers


PART_WORDS: dict[PartName, tuple[str, str]] = {
    "costs": ("costs", "费用"),
    "interest": ("interest", "利息"),
    "penalty": ("penalty", "罚息"),
    "principal": ("principal", "本金"),
}


def order_words(order: Sequence[PartName]) -> tuple[str, str]:
    """What decides our split, in (English, Chinese)."""
    english, chinese = zip(*(PART_WORDS[name] for name in order), strict=True)
    return (
        f"by the contract a payment covers the oldest instalment first, and within it {', '.join(english)}",
        f"按合同约定，还款先冲最早一期，期内依次冲抵{'、'.join(chinese)}",
    )


@dataclass(frozen=True)
class Paid:
    """A request that paid creditors of a loan, all its legs. ``by_guarantor``: a COMPENSATION."""

    on: date
    parts: Parts
    by_guarantor: bool = False


@dataclass(frozen=True)
class Told:
    """``due``: all that was due before the payment; ``ours``: what it went to, None where that cannot be said. What is paid beyond all
    that the loan owes is in none of our parts."""

    due: Parts
    ours: Parts | None


@dataclass(frozen=True)
class Left:
    """What lenders are still to get of a loan. ``owed``: what was due by the date, oldest first; ``interest_minor``: of the schedule, due or
    not."""

    owed: tuple[Owed, ...]
    interest_minor: int


def waits_since(left: Left, on: date) -> date | None:
    """Since when lenders wait at the end of a date for principal or interest that was due before it; None where they do not."""
    late = (one.due for one in left.owed if one.due < on and one.parts.principal_minor + one.parts.interest_minor)
    return min(late, default=None)


def left_after(terms: Terms, payments: Iterable[Paid], on: date, order: Sequence[PartName] = USUAL_ORDER) -> Left | None:
    """After the payments, at the end of ``on``; None where an earlier payment left the schedule. Raises UsageError for terms that make no
    loan."""
    course = _Course(terms, order)
    for paid in payments:
        course.pay(paid)
    return course.left(on)


def tell_payments(terms: Terms, payments: Iterable[Paid], order: Sequence[PartName] = USUAL_ORDER) -> list[Told]:
    """Of each payment, which stand in the order in which they were made. Raises UsageError for terms that make no loan."""
    course = _Course(terms, order)
    return [course.pay(paid) for paid in payments]


class _Course:
    """A loan as it is repaid. ``_terms``: of what is left, None when the loan has ended."""

    def __init__(self, terms: Terms, order: Sequence[PartName]) -> None:
        self._terms: Terms | None = terms
        self._order = order
        self._payments: list[Payment] = []
        self._known = True

    def pay(self, paid: Paid) -> Told:
        if not self._known:
            return Told(Parts(), None)
        if self._terms is None:
            return Told(Parts(), Parts())
        owed = owed_on(self._terms, self._payments, paid.on)
        due = sum((one.parts for one in owed), Parts())
        taken = allocate_payment(owed, paid.parts.total_minor, paid.on, self._order)
        self._payments += taken.payments
        early = self._early(self._terms, paid, taken.rest_minor) if taken.rest_minor else Parts()
        return Told(due, None if early is None else taken.parts + early)

    def left(self, on: date) -> Left | None:
        if not self._known:
            return None
        if self._terms is None:
            return Left((), 0)
        interest = sum(row.interest_minor for row in self._terms.schedule())
        paid = sum(payment.parts.interest_minor for payment in self._payments)
        return Left(tuple(owed_on(self._terms, self._payments, on)), interest - paid)

    def _early(self, terms: Terms, paid: Paid, rest: int) -> Parts | None:
        figure = settlement_figure(terms, self._payments, paid.on)
        ahead = [(row, self._paid_ahead(row)) for row in terms.schedule() if row.due > paid.on]
        if rest == figure.total_minor:
            self._terms = None
            return figure
        whole = self._whole_instalments(ahead, paid.on, rest)
        if whole is not None:
            return whole
        if rest > figure.total_minor:
            self._terms = None
            return figure
        if paid.by_guarantor:
            # His claim is of his own agreement; when he has all of them, the lenders are owed nothing more.
            taken = min(rest, figure.principal_minor)
            self._terms, self._known = (None, True) if taken == figure.principal_minor else (terms, False)
            return Parts(principal_minor=taken)
        if any(before.total_minor for _, before in ahead):
            # Of what is paid ahead already no rule says how an early part changes it.
            self._known = False
            return None
        principal = _with_interest(terms, paid.on, rest, figure.principal_minor - 1)
        if principal == 0:
            return Parts(interest_minor=rest)
        _, self._terms = rest_after(terms, paid.on, principal)
        self._payments = []
        return Parts(interest_minor=rest - principal, principal_minor=principal)

    def _paid_ahead(self, row: Instalment) -> Parts:
        return sum((p.parts for p in self._payments if p.number == row.number), Parts())

    def _whole_instalments(self, ahead: Sequence[tuple[Instalment, Parts]], on: date, rest: int) -> Parts | None:
        """The next instalments that are this amount to the fen; they are paid then."""
        found: list[Payment] = []
        for row, before in ahead:
            parts = Parts(
                interest_minor=row.interest_minor - before.interest_minor,
                principal_minor=row.principal_minor - before.principal_minor,
            )
            if parts.total_minor:
                found.append(Payment(on, row.number, parts))
                rest -= parts.total_minor
            if rest <= 0:
                break
        if rest:
            return None
        self._payments += found
        return sum((p.parts for p in found), Parts())


def _with_interest(terms: Terms, on: date, rest: int, most: int) -> int:
    """The largest principal, up to ``most``, that with its interest since the last due date is no more than the rest. Where it is a
    fen less, by rounding, that fen is interest."""
    since = max((row.due for row in terms.schedule() if row.due <= on), default=terms.disbursed_on)
    fraction = Fraction(terms.annual_rate) * year_fraction(terms.day_count, since, max(on, since))
    low, high = 0, min(rest, most)
    while low < high:
        middle = (low + high + 1) // 2
        if middle + round_minor(middle * fraction, terms.rounding) <= rest:
            low = middle
        else:
            high = middle - 1
    return low
