"""What a borrower owes and when: the simulator's own repayment schedule (domain.md §3), exact by fractions.

Written apart from the system's schedule on purpose: two codes from one specification check each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

from custody.calendar import month_end
from custody.money import round_minor


@dataclass(frozen=True, slots=True)
class Instalment:
    """One payment: ``number`` counts from 1, amounts are minor units."""

    number: int
    due: date
    principal_minor: int
    interest_minor: int

    @property
    def amount_minor(self) -> int:
        return self.principal_minor + self.interest_minor


MONTHS = {"month": 1, "quarter": 3}


def due_date(disbursed_on: date, every: str, number: int) -> date:
    """Due day of period ``number``: that many days, months or quarters after disbursal; a short month's last day if need be."""
    if every == "day":
        return disbursed_on + timedelta(days=number)
    years, month0 = divmod(disbursed_on.month - 1 + MONTHS[every] * number, 12)
    first = date(disbursed_on.year + years, month0 + 1, 1)
    return first.replace(day=min(disbursed_on.day, month_end(first).day))


def year_fraction(day_count: str, start: date, end: date) -> Fraction:
    """The part of a year from ``start`` to ``end`` by the loan's day count; 30/360 is ISDA's bond basis."""
    days = (end - start).days
    if day_count == "30/360":
        first = 30 if start.day == 31 else start.day
        last = 30 if end.day == 31 and first == 30 else end.day
        months = 12 * (end.year - start.year) + end.month - start.month
        return Fraction(30 * months + last - first, 360)
    if day_count == "actual/360":
        return Fraction(days, 360)
    if day_count == "actual/365":
        return Fraction(days, 365)
    if day_count != "actual/actual":
        raise ValueError(f"unknown day count {day_count!r}")
    part, at = Fraction(0), start
    while at < end:  # ISDA: the days in each calendar year over that year's own length
        until = min(end, date(at.year + 1, 1, 1))
        part += Fraction((until - at).days, (date(at.year + 1, 1, 1) - date(at.year, 1, 1)).days)
        at = until
    return part


def schedule(
    *, principal_minor: int, annual_rate: str, periods: int, every: str, method: str, day_count: str, disbursed_on: date
) -> list[Instalment]:
    """The instalments that are paid, in order; interest is rounded half_even, the last row repays the balance.

    A bullet loan has one payment, at the end of its last period, whose interest is rounded once over the whole term.
    """
    dues = [due_date(disbursed_on, every, k) for k in range(periods + 1)]
    rates = [Fraction(annual_rate) * year_fraction(day_count, start, end) for start, end in pairwise(dues)]
    if method == "bullet":
        whole_term = Fraction(annual_rate) * year_fraction(day_count, dues[0], dues[-1])
        interest = round_minor(principal_minor * whole_term, "half_even")
        return [Instalment(periods, dues[-1], principal_minor, interest)]
    level = _equal_instalment(principal_minor, rates) if method == "equal_instalment" else 0
    rows, balance = [], principal_minor
    for number, (due, rate) in enumerate(zip(dues[1:], rates, strict=True), start=1):
        interest = round_minor(balance * rate, "half_even")
        if number == periods:
            principal = balance
        elif method == "equal_instalment":
            principal = min(balance, level - interest)
        elif method == "equal_principal":
            principal = min(balance, round_minor(Fraction(principal_minor, periods), "half_even"))
        elif method == "interest_first":
            principal = 0
        else:
            raise ValueError(f"unknown repayment method {method!r}")
        balance -= principal
        rows.append(Instalment(number, due, principal, interest))
    return rows


def _equal_instalment(principal_minor: int, rates: list[Fraction]) -> int:
    """E = P * prod(1+r_i) / (1 + sum over k>=2 of prod over j>=k of (1+r_j)), rounded half_even."""
    product, below = Fraction(1), Fraction(1)
    for rate in reversed(rates[1:]):
        product *= 1 + rate
        below += product
    return round_minor(principal_minor * product * (1 + rates[0]) / below, "half_even")
