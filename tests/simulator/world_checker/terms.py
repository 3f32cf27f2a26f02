"""What a loan owes by its terms: the checker's own computation, in exact fractions, from domain.md §3."""

from __future__ import annotations

from calendar import isleap, monthrange
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from world_reader import Row

from world_checker.view import half_even


@dataclass
class Due:
    """One instalment as far as it is unpaid; ``guaranteed``: the guarantor paid the lenders for it, and ``penalty`` with it.
    ``parts``: on which days how much of it was paid after it was due; ``fined``: the penalty that was paid with these."""

    on: date
    principal: int
    interest: int
    penalty: int = 0
    guaranteed: bool = False
    parts: list[tuple[date, int]] = field(default_factory=list)
    fined: int = 0


def due_on(start: date, every: str, number: int) -> date:
    if every == "day":
        return start + timedelta(number)
    months = start.year * 12 + start.month - 1 + number * {"month": 1, "quarter": 3}[every]
    year, month = divmod(months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def years(day_count: str, start: date, end: date) -> Fraction:
    if day_count == "30/360":
        first = min(start.day, 30)
        last = 30 if end.day == 31 and first == 30 else end.day
        return Fraction((end.year - start.year) * 360 + (end.month - start.month) * 30 + last - first, 360)
    if day_count == "actual/actual":
        each = (start + timedelta(k) for k in range((end - start).days))
        common = leap = 0
        for day in each:
            if isleap(day.year):
                leap += 1
            else:
                common += 1
        return Fraction(common, 365) + Fraction(leap, 366)
    return Fraction((end - start).days, {"actual/360": 360, "actual/365": 365}[day_count])


def instalments(loan: Row, lent: int, start: date) -> list[Due]:
    """All that the loan owes after ``lent`` was disbursed on ``start``."""
    rate, periods, method = Fraction(loan["annual_rate"]), loan["periods"], loan["method"]
    days = [due_on(start, loan["every"], k) for k in range(periods + 1)]
    if method == "bullet":
        return [Due(days[-1], lent, half_even(lent * rate * years(loan["day_count"], start, days[-1])))]
    rates = [rate * years(loan["day_count"], days[k], days[k + 1]) for k in range(periods)]
    level = half_even(_level(lent, rates)) if method == "equal_instalment" else 0
    left, rows = lent, []
    for k, each in enumerate(rates):
        interest = half_even(left * each)
        principal = {"equal_instalment": level - interest, "equal_principal": half_even(Fraction(lent, periods))}.get(method, 0)
        principal = left if k == periods - 1 else min(left, principal)
        left -= principal
        rows.append(Due(days[k + 1], principal, interest))
    return rows


def _level(lent: int, rates: list[Fraction]) -> Fraction:
    """The payment whose present values at the periods' own rates add up to what was lent."""
    worth, discount = Fraction(0), Fraction(1)
    for rate in rates:
        discount /= 1 + rate
        worth += discount
    return lent / worth


def penalty(loan: Row, due: Due, day: date) -> int:
    """For each night after the due date of what was not paid by then, less what was paid of it."""
    nights = [due.on + timedelta(days=n) for n in range(max(0, (day - due.on).days))]
    left = due.principal + due.interest
    overdue = sum(left + sum(amount for on, amount in due.parts if on > night) for night in nights)
    return half_even(overdue * Fraction(loan["penalty_rate"] or 0)) - due.fined


def accrued(loan: Row, start: date, day: date, left: int) -> int:
    """Interest on what is not due yet, since the last due date (a bullet: since disbursal)."""
    since = start
    if loan["method"] != "bullet":
        number = 1
        while due_on(start, loan["every"], number) <= day:
            since = due_on(start, loan["every"], number)
            number += 1
    return half_even(left * Fraction(loan["annual_rate"]) * years(loan["day_count"], since, day))
