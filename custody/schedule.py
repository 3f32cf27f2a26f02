"""Repayment schedules (domain.md §3): who owes what on which day, exact to the minor unit.

Rates and year fractions are Fractions; an amount is rounded once, by the product's stated rule, and the last row repays
the balance and so takes the residue of every earlier rounding.
"""

from __future__ import annotations

import math
import re
from calendar import isleap, monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Literal, get_args

from custody.errors import UsageError
from custody.money import MAX_MINOR, Rounding, round_minor
from custody.names import DayCount, RepaymentMethod

Every = Literal["day", "month", "quarter"]

# Eleven years of daily instalments: beyond any product, and it bounds the work that one call can ask for.
MAX_PERIODS = 4000

_MONTHS = {"month": 1, "quarter": 3}
_RATE = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,10})?", re.ASCII)


@dataclass(frozen=True)
class Instalment:
    """One row of a schedule. ``days`` are those of the day count (30/360: its own); ``outstanding_minor`` is the
    principal still owed after the row is paid."""

    number: int
    due: date
    days: int
    principal_minor: int
    interest_minor: int
    total_minor: int
    outstanding_minor: int


def schedule(
    principal_minor: int,
    annual_rate: str,
    periods: int,
    every: Every,
    method: RepaymentMethod,
    day_count: DayCount,
    start: date,
    rounding: Rounding,
) -> list[Instalment]:
    """The instalments of a loan disbursed on ``start``, in order of due date.

    ``principal_minor`` is in minor units, ``annual_rate`` a decimal fraction as text ("0.08" is 8% a year). The methods:
    ``equal_instalment`` (E of domain.md §3, interest = round(balance x r)), ``equal_principal`` (principal =
    round(P / periods)), ``interest_first`` (interest each period, principal with the last), ``bullet`` (one row: all
    principal and the whole term's simple interest at the end of the last period).
    An early row never repays less than nothing or more than the balance: where rounding or an unusually long period
    would make it so, the row is held at that bound and the last row makes good.
    Raises UsageError for terms that make no loan.
    """
    method, day_count = _known_terms(principal_minor, annual_rate, periods, every, method, day_count, rounding)
    rate = Fraction(annual_rate)
    dues = due_dates(start, periods, every)
    if method is RepaymentMethod.BULLET:
        dues = dues[-1:]
    spans = list(pairwise([start, *dues]))
    rates = [rate * year_fraction(day_count, a, b) for a, b in spans]
    level = 0
    if method is RepaymentMethod.EQUAL_INSTALMENT:
        level = round_minor(_level_payment(principal_minor, rates), rounding)
    elif method is RepaymentMethod.EQUAL_PRINCIPAL:
        level = round_minor(Fraction(principal_minor, periods), rounding)

    rows: list[Instalment] = []
    balance = principal_minor
    for number, ((since, due), period_rate) in enumerate(zip(spans, rates, strict=True), start=1):
        interest = round_minor(balance * period_rate, rounding)
        if number == len(spans):
            principal = balance
        elif method is RepaymentMethod.EQUAL_INSTALMENT:
            principal = min(max(level - interest, 0), balance)
        else:  # equal_principal: the level share; interest_first: level is 0 until the last row
            principal = min(level, balance)
        balance -= principal
        days = day_number_difference(day_count, since, due)
        rows.append(Instalment(number, due, days, principal, interest, principal + interest, balance))
    return rows


def due_dates(start: date, periods: int, every: Every) -> list[date]:
    """The due dates, each counted from ``start`` itself: Jan 31 gives Feb 28, then Mar 31 again (domain.md §3).

    A date that is a holiday stays as it is (domain.md §10). Raises UsageError past the year 9999.
    """
    try:
        if every == "day":
            return [start + timedelta(days=n) for n in range(1, periods + 1)]
        return [_months_later(start, n * _MONTHS[every]) for n in range(1, periods + 1)]
    except (OverflowError, ValueError) as error:
        raise UsageError(f"{periods} periods by {every} from {start} pass the last date of the calendar") from error


def day_number_difference(day_count: DayCount, since: date, until: date) -> int:
    """Days from ``since`` (in) to ``until`` (out) by the day count: calendar days, or those of 30/360.

    30/360 is ISDA 2006 §4.16(f), "Bond Basis": a 31st at the start counts as the 30th, one at the end does so when the
    start is a 30th or 31st. A month's end in February is its own day, so Jan 31 to Feb 28 has 28 days.
    """
    if day_count is not DayCount.THIRTY_360:
        return (until - since).days
    first = min(since.day, 30)
    last = min(until.day, 30) if first == 30 else until.day
    return 360 * (until.year - since.year) + 30 * (until.month - since.month) + last - first


def year_fraction(day_count: DayCount, since: date, until: date) -> Fraction:
    """The part of a year from ``since`` (in) to ``until`` (out), exact. actual/365 divides by 365 in leap years too;
    actual/actual (ISDA) divides the days that lie in leap years by 366 and the others by 365."""
    days = day_number_difference(day_count, since, until)
    if day_count in (DayCount.THIRTY_360, DayCount.ACTUAL_360):
        return Fraction(days, 360)
    if day_count is DayCount.ACTUAL_365:
        return Fraction(days, 365)
    whole = Fraction(0)
    for year in range(since.year, until.year + 1):
        from_day = max(since, date(year, 1, 1))
        # Counted to the year's last day and one more, since the year after 9999 has no first day.
        days_in_year = (until - from_day).days if until.year == year else (date(year, 12, 31) - from_day).days + 1
        whole += Fraction(days_in_year, 366 if isleap(year) else 365)
    return whole


def _level_payment(principal_minor: int, rates: list[Fraction]) -> Fraction:
    """E = P·Π(1+rᵢ) / (1 + Σₖ₌₂ Πⱼ₌ₖ(1+rⱼ)), exact.

    Over one common denominator, in whole numbers: reducing a Fraction at each of hundreds of periods costs seconds.
    """
    common = math.lcm(*(rate.denominator for rate in rates))
    grown, payments, scale = principal_minor, 0, 1
    for rate in rates:
        factor = common + rate.numerator * (common // rate.denominator)
        scale *= common
        grown *= factor
        payments = payments * factor + scale
    return Fraction(grown, payments)


def _months_later(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def _known_terms(
    principal_minor: int,
    annual_rate: str,
    periods: int,
    every: str,
    method: str,
    day_count: str,
    rounding: str,
) -> tuple[RepaymentMethod, DayCount]:
    """The method and day count as names of the domain; UsageError for the first term that makes no loan."""
    if isinstance(principal_minor, (bool, float)) or not 0 < principal_minor <= MAX_MINOR:
        raise UsageError(f"the principal must be from 1 to {MAX_MINOR} minor units, not {principal_minor!r}")
    if not isinstance(annual_rate, str) or not _RATE.fullmatch(annual_rate):
        raise UsageError(f"the rate must be a decimal fraction such as 0.08, not {annual_rate!r}")
    if isinstance(periods, (bool, float)) or not 1 <= periods <= MAX_PERIODS:
        raise UsageError(f"periods must be from 1 to {MAX_PERIODS}, not {periods!r}")
    if every not in get_args(Every):
        raise UsageError(f"a period is one of {', '.join(get_args(Every))}, not {every!r}")
    if method not in list(RepaymentMethod):
        raise UsageError(f"the method is one of {', '.join(RepaymentMethod)}, not {method!r}")
    if day_count not in list(DayCount):
        raise UsageError(f"the day count is one of {', '.join(DayCount)}, not {day_count!r}")
    if rounding not in get_args(Rounding):
        raise UsageError(f"the rounding is one of {', '.join(get_args(Rounding))}, not {rounding!r}")
    return RepaymentMethod(method), DayCount(day_count)
