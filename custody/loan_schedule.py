"""A loan's schedule against what was paid on it: due, paid, overdue and penalty of each instalment, and the loan's state by date.

Principal and interest each cover the oldest instalment first (domain.md §3, Allocation). Penalty accrues by the day on what is overdue,
at the loan's own rate, and is rounded once for each instalment, half to even.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import cast

from custody.ledger_state import Loan
from custody.loan_history import Payment, Tender
from custody.money import round_minor
from custody.names import DayCount, LoanState, RepaymentMethod
from custody.schedule import Every, Instalment, schedule


@dataclass(frozen=True)
class InstalmentState:
    """One instalment at the end of a date. ``paid_on``: when it was wholly paid, None while it is not; ``waived_minor``: interest of
    its own that an early settlement made fall away."""

    number: int
    due: date
    principal_minor: int
    interest_minor: int
    paid_principal_minor: int
    paid_interest_minor: int
    waived_minor: int
    paid_on: date | None
    days_past_due: int
    penalty_minor: int

    @property
    def owed_minor(self) -> int:
        """Principal and interest still to be paid; penalty is told apart."""
        paid = self.paid_principal_minor + self.paid_interest_minor + self.waived_minor
        return self.principal_minor + self.interest_minor - paid

    @property
    def overdue_minor(self) -> int:
        return self.owed_minor if self.days_past_due else 0


@dataclass(frozen=True)
class StateSince:
    """The loan's state from this date on."""

    since: date
    state: str


def instalments_of(loan: Loan, payments: Iterable[Payment], as_of: date) -> list[InstalmentState]:
    """The schedule of what was disbursed; none before the disbursal."""
    if loan.disbursed_on is None or not loan.funded_minor:
        return []
    paid = sorted((p for p in payments if p.reduces_debt and p.on <= as_of), key=lambda p: p.on)
    planned = _planned(loan)
    settled_on = _settled_on(loan, paid)
    rate = Fraction(loan.penalty_rate) if loan.penalty_rate else Fraction(0)
    principal, interest = _covered(planned, paid, "principal_minor"), _covered(planned, paid, "interest_minor")
    return [_state(row, p, i, settled_on, rate, as_of) for row, p, i in zip(planned, principal, interest, strict=True)]


def states_of(loan: Loan, tenders: Sequence[Tender], payments: Sequence[Payment], as_of: date) -> list[StateSince]:
    """Every state that the loan was in at the end of a date up to ``as_of``."""
    planned = _planned(loan) if loan.disbursed_on is not None and loan.funded_minor else []
    days = {t.on for t in tenders} | {t.ended_on for t in tenders if t.ended_on} | {p.on for p in payments}
    # An instalment unpaid at the end of its due date is overdue from the next day.
    days |= {row.due + timedelta(days=1) for row in planned}
    found: list[StateSince] = []
    for day in sorted(day for day in days if day <= as_of):
        state = _state_on(loan, tenders, payments, planned, day)
        if not found or found[-1].state != state:
            found.append(StateSince(day, state))
    return found


def _planned(loan: Loan) -> list[Instalment]:
    assert loan.disbursed_on is not None
    return schedule(
        loan.funded_minor,
        loan.annual_rate,
        loan.periods,
        cast(Every, loan.every),
        RepaymentMethod(loan.method),
        DayCount(loan.day_count),
        loan.disbursed_on,
        "half_even",
    )


def _settled_on(loan: Loan, paid: Sequence[Payment]) -> date | None:
    repaid = 0
    for payment in paid:
        repaid += payment.principal_minor
        if repaid >= loan.funded_minor:
            return payment.on
    return None


def _covered(planned: Sequence[Instalment], paid: Sequence[Payment], part: str) -> list[list[tuple[date, int]]]:
    """For each instalment what came of one part of it, and when."""
    covered: list[list[tuple[date, int]]] = [[] for _ in planned]
    at, room = 0, getattr(planned[0], part)
    for payment in paid:
        left = getattr(payment, part)
        while left and at < len(planned):
            taken = min(left, room)
            if taken:
                covered[at].append((payment.on, taken))
            left, room = left - taken, room - taken
            if not room:
                at += 1
                room = getattr(planned[at], part) if at < len(planned) else 0
    return covered


def _state(
    row: Instalment,
    principal: list[tuple[date, int]],
    interest: list[tuple[date, int]],
    settled_on: date | None,
    rate: Fraction,
    as_of: date,
) -> InstalmentState:
    paid_principal, paid_interest = (sum(amount for _, amount in part) for part in (principal, interest))
    # Once the principal is repaid no later interest accrues, so none is owed.
    waived = row.interest_minor - paid_interest if settled_on is not None else 0
    owed = row.total_minor - paid_principal - paid_interest - waived
    came = sorted(principal + interest)
    paid_on = None
    if not owed:
        paid_on = max([on for on, _ in came] + ([settled_on] if settled_on is not None and waived else []), default=None)
    return InstalmentState(
        row.number,
        row.due,
        row.principal_minor,
        row.interest_minor,
        paid_principal,
        paid_interest,
        waived,
        paid_on,
        max((as_of - row.due).days, 0) if owed else 0,
        round_minor(rate * _overdue_days(row, came, settled_on, as_of), "half_even"),
    )


def _overdue_days(row: Instalment, came: Sequence[tuple[date, int]], settled_on: date | None, as_of: date) -> int:
    """What was owed going into each day after the due date, summed over the days."""
    until = min(as_of, settled_on) if settled_on is not None else as_of
    total, owed, since = 0, row.total_minor, row.due
    for on, amount in came:
        if on > since:
            total += owed * (min(on, until) - since).days
            since = on
        owed -= amount
    return total + owed * max((until - since).days, 0)


def _state_on(
    loan: Loan, tenders: Sequence[Tender], payments: Sequence[Payment], planned: Sequence[Instalment], day: date
) -> str:
    if loan.disbursed_on is None or day < loan.disbursed_on:
        live = sum(t.amount_minor for t in tenders if t.on <= day and (t.ended_on is None or t.ended_on > day or t.settled_minor))
        if live >= loan.amount_minor:
            return LoanState.FULL
        return LoanState.BIDDING if live or loan.disbursed_on is not None else LoanState.MISCARRIED
    paid = [p for p in payments if p.reduces_debt and p.on <= day]
    principal, interest = sum(p.principal_minor for p in paid), sum(p.interest_minor for p in paid)
    if principal >= loan.funded_minor:
        return LoanState.SETTLED
    due = [row for row in planned if row.due < day]
    behind = sum(r.principal_minor for r in due) > principal or sum(r.interest_minor for r in due) > interest
    if behind:
        return LoanState.OVERDUE
    return LoanState.REPAYING if paid else LoanState.DISBURSED
