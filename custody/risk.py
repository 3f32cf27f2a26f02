"""Loans' risk at the end of a custody date (domain.md §8): overdue, days past due, borrowers short of funds, alerts.

Judged from our own register (terms, principal and interest repaid) and the schedule; never from what a platform claims.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from custody.calendar import SettlementCalendar
from custody.errors import UsageError
from custody.money import Rounding
from custody.names import DayCount, RepaymentMethod
from custody.risk_alerts import RULES, Alert, Severity, alert_id
from custody.schedule import Every, schedule

# First day and name of each bucket of days past due (domain.md §8: 1, 30, 60, 90, 180).
BUCKETS = ((0, "0"), (1, "1-29"), (30, "30-59"), (60, "60-89"), (90, "90-179"), (180, "180+"))


@dataclass(frozen=True)
class LoanTerms:
    """What the contract says; ``principal_minor`` is the principal disbursed, in minor units of ``currency``."""

    principal_minor: int
    currency: str
    annual_rate: str
    periods: int
    every: Every
    method: RepaymentMethod
    day_count: DayCount
    rounding: Rounding


@dataclass(frozen=True)
class Unpaid:
    """What is still owed on one instalment."""

    number: int
    due: date
    owed_minor: int


@dataclass(frozen=True)
class LoanRisk:
    """A loan at the end of ``as_of``; amounts in minor units of ``currency``.

    ``due_so_far_minor`` is what fell due up to and with ``as_of``; ``overdue_minor`` is what is unpaid of instalments due
    before ``as_of``: an instalment unpaid at the end of its own due date has 0 days past due and is overdue from the next
    day. ``next_due`` is the first instalment due on or after ``as_of`` that is not wholly paid. ``unpaid`` is every
    instalment still owed, oldest first.
    """

    as_of: date
    currency: str
    outstanding_principal_minor: int
    due_so_far_minor: int
    paid_minor: int
    overdue_minor: int
    overdue_since: date | None
    days_past_due: int
    bucket: str
    next_due: date | None
    next_due_minor: int
    unpaid: tuple[Unpaid, ...]


@dataclass(frozen=True)
class LoanPosition:
    """A loan to watch: whose it is, and its risk. ``borrower`` is the sub-account id that repays it."""

    loan_id: str
    borrower: str
    risk: LoanRisk


_BUCKET_SEVERITY = {
    "1-29": Severity.MEDIUM,
    "30-59": Severity.HIGH,
    "60-89": Severity.HIGH,
    "90-179": Severity.CRITICAL,
    "180+": Severity.CRITICAL,
}


def bucket_of(days_past_due: int) -> str:
    return [name for first, name in BUCKETS if first <= days_past_due][-1]


def assess_loan(
    terms: LoanTerms, principal_repaid_minor: int, interest_repaid_minor: int, disbursed_on: date, as_of: date
) -> LoanRisk:
    """The loan at the end of ``as_of``, from its schedule as agreed and what our register says was repaid.

    Payments cover the oldest instalment first (domain.md §3). A loan whose principal is wholly repaid owes nothing more:
    interest is allocated before principal, so none can be left, and later interest never accrues.
    Raises UsageError for negative repayments and for an ``as_of`` before the disbursal.
    """
    if principal_repaid_minor < 0 or interest_repaid_minor < 0:
        raise UsageError("what was repaid must not be negative")
    if as_of < disbursed_on:
        raise UsageError(f"the loan was disbursed on {disbursed_on}, after {as_of}")
    instalments = schedule(
        terms.principal_minor,
        terms.annual_rate,
        terms.periods,
        terms.every,
        terms.method,
        terms.day_count,
        disbursed_on,
        terms.rounding,
    )
    paid = principal_repaid_minor + interest_repaid_minor
    settled = principal_repaid_minor >= terms.principal_minor
    unpaid, left = [], paid
    for row in instalments:
        covered = row.total_minor if settled else min(left, row.total_minor)
        left -= covered
        if covered < row.total_minor:
            unpaid.append(Unpaid(row.number, row.due, row.total_minor - covered))
    overdue = [item for item in unpaid if item.due < as_of]
    coming = [item for item in unpaid if item.due >= as_of]
    days_past_due = (as_of - overdue[0].due).days if overdue else 0
    return LoanRisk(
        as_of=as_of,
        currency=terms.currency,
        outstanding_principal_minor=max(terms.principal_minor - principal_repaid_minor, 0),
        due_so_far_minor=sum(row.total_minor for row in instalments if row.due <= as_of),
        paid_minor=paid,
        overdue_minor=sum(item.owed_minor for item in overdue),
        overdue_since=overdue[0].due if overdue else None,
        days_past_due=days_past_due,
        bucket=bucket_of(days_past_due),
        next_due=coming[0].due if coming else None,
        next_due_minor=coming[0].owed_minor if coming else 0,
        unpaid=tuple(unpaid),
    )


def underfunding(
    loan_risk: LoanRisk, borrower_available_minor: int, calendar: SettlementCalendar, as_of: date, business_days: int
) -> int:
    """What the borrower lacks, in minor units, for the instalments due from ``as_of`` to the ``business_days``-th business
    day after it (those days in). The balance covers what is overdue first, as an allocation would; what is overdue is
    not itself counted here (DAYS_PAST_DUE speaks of it). Where one borrower has several loans, use ``alerts_for``.
    """
    position = LoanPosition("", "", loan_risk)
    horizon = calendar.add_business_days(as_of, business_days)
    return sum(short for _, _, short in _short_items([position], borrower_available_minor, as_of, horizon))


def alerts_for(
    platform: str,
    positions: Sequence[LoanPosition],
    available_minor: Mapping[str, int],
    calendar: SettlementCalendar,
    as_of: date,
    business_days: int,
) -> list[Alert]:
    """BORROWER_SHORT and DAYS_PAST_DUE for one platform at the end of ``as_of``, in order of (rule, loan).

    ``available_minor`` is each borrower's available balance by sub-account id; a borrower who is not in it raises KeyError,
    since no balance is not a balance of nought. One borrower's balance covers the instalments of all his loans once,
    oldest first. Each loan raises at most one alert of a rule, for its oldest instalment that meets it.
    """
    horizon = calendar.add_business_days(as_of, business_days)
    next_business_day = calendar.add_business_days(as_of, 1)
    loans_of: dict[str, list[LoanPosition]] = {}
    for position in sorted(positions, key=lambda p: p.loan_id):
        loans_of.setdefault(position.borrower, []).append(position)
    alerts = []
    for borrower, loans in loans_of.items():
        short_of: dict[str, list[tuple[Unpaid, int]]] = {}
        for position, item, short in _short_items(loans, available_minor[borrower], as_of, horizon):
            short_of.setdefault(position.loan_id, []).append((item, short))
        for position in loans:
            risk, short_items = position.risk, short_of.get(position.loan_id, [])
            if short_items:
                first = short_items[0][0]
                figures: dict[str, str | int] = {
                    "borrower": borrower,
                    "currency": risk.currency,
                    "due": first.due.isoformat(),
                    "owed_minor": sum(item.owed_minor for item, _ in short_items),
                    "available_minor": available_minor[borrower],
                    "shortfall_minor": sum(short for _, short in short_items),
                }
                severity = Severity.HIGH if first.due <= next_business_day else Severity.MEDIUM
                alerts.append(_alert("BORROWER_SHORT", platform, position.loan_id, first.due, severity, figures))
            if risk.overdue_since is not None:
                figures = {
                    "borrower": borrower,
                    "currency": risk.currency,
                    "due": risk.overdue_since.isoformat(),
                    "overdue_minor": risk.overdue_minor,
                    "days_past_due": risk.days_past_due,
                    "bucket": risk.bucket,
                }
                severity = _BUCKET_SEVERITY[risk.bucket]
                alerts.append(_alert("DAYS_PAST_DUE", platform, position.loan_id, risk.overdue_since, severity, figures))
    in_force = [alert for alert in alerts if RULES[alert.rule].valid_from <= as_of]
    return sorted(in_force, key=lambda alert: (alert.rule, alert.subject))


@dataclass(frozen=True)
class OverdueRatio:
    """A platform's overdue figures; ratios are exact, None where there is no loan balance to divide by."""

    overdue_minor: int
    balance_minor: int
    overdue_loans: int
    loans: int

    @property
    def by_amount(self) -> Fraction | None:
        return Fraction(self.overdue_minor, self.balance_minor) if self.balance_minor else None

    @property
    def by_count(self) -> Fraction | None:
        return Fraction(self.overdue_loans, self.loans) if self.loans else None


def _short_items(
    positions: Sequence[LoanPosition], available_minor: int, as_of: date, horizon: date
) -> list[tuple[LoanPosition, Unpaid, int]]:
    """(loan, instalment, what is lacking) for instalments due from ``as_of`` to ``horizon``, one balance for all loans."""
    owed = [(item.due, position.loan_id, item.number, position, item) for position in positions for item in position.risk.unpaid]
    left, short_items = available_minor, []
    for due, _, _, position, item in sorted(owed, key=lambda entry: entry[:3]):
        if due > horizon:
            break
        covered = max(min(left, item.owed_minor), 0)
        left -= covered
        if due >= as_of and covered < item.owed_minor:
            short_items.append((position, item, item.owed_minor - covered))
    return short_items


def _alert(rule: str, platform: str, subject: str, due: date, severity: Severity, figures: dict[str, str | int]) -> Alert:
    return Alert(alert_id(rule, platform, subject, due), rule, platform, subject, severity, figures)
