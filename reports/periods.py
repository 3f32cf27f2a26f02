"""The periods of reports, when each is drafted and when it is due (domain.md §9, §10)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from custody.calendar import SettlementCalendar, at, month_end
from custody.errors import UsageError

PeriodKind = Literal["day", "month", "quarter", "year"]
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)
_QUARTER = re.compile(r"(20[0-9]{2})-Q([1-4])", re.ASCII)
_YEAR = re.compile(r"(20[0-9]{2})", re.ASCII)


@dataclass(frozen=True)
class Period:
    """``name``: 2019-12-31, 2019-12, 2019-Q4 or 2019; ``first`` and ``last`` are custody dates."""

    kind: PeriodKind
    name: str
    first: date
    last: date


def period_ending(kind: PeriodKind, last: date) -> Period | None:
    """The period of that kind of which this is the last custody date; None when none ends on it."""
    if kind == "day":
        return Period(kind, last.isoformat(), last, last)
    if last != month_end(last):
        return None
    if kind == "month":
        return Period(kind, f"{last:%Y-%m}", last.replace(day=1), last)
    if kind == "quarter":
        return (
            Period(kind, f"{last.year}-Q{last.month // 3}", date(last.year, last.month - 2, 1), last)
            if last.month % 3 == 0
            else None
        )
    return Period(kind, f"{last.year}", date(last.year, 1, 1), last) if last.month == 12 else None


def parse_period(text: str) -> Period:
    """Raises UsageError for what names no period."""
    found: Period | None = None
    try:
        if _DAY.fullmatch(text):
            found = period_ending("day", date.fromisoformat(text))
        elif match := _MONTH.fullmatch(text):
            found = period_ending("month", month_end(date(int(match[1]), int(match[2]), 1)))
        elif match := _QUARTER.fullmatch(text):
            found = period_ending("quarter", month_end(date(int(match[1]), 3 * int(match[2]), 1)))
        elif match := _YEAR.fullmatch(text):
            found = period_ending("year", date(int(match[1]), 12, 31))
    except ValueError:
        found = None
    if found is None:
        raise UsageError(f"{text!r} is no period: write 2019-12-31, 2019-12, 2019-Q4 or 2019")
    return found


def previous(period: Period) -> Period:
    """The period of the same kind before it."""
    found = period_ending(period.kind, period.first - timedelta(days=1))
    assert found is not None
    return found


def year_before(period: Period) -> Period:
    """The same period of the year before; of 29 February its 28th."""
    last = period.last
    earlier = date(last.year - 1, last.month, 28) if (last.month, last.day) == (2, 29) else last.replace(year=last.year - 1)
    found = period_ending(period.kind, earlier if period.kind == "day" else month_end(earlier))
    assert found is not None
    return found


def drafted_on(period: Period, business_days: int, calendar: SettlementCalendar) -> date:
    """The custody date whose report step drafts it: the period's last, or so many bank business days after it."""
    return calendar.add_business_days(period.last, business_days) if business_days else period.last


def periods_drafted_on(kind: PeriodKind, business_days: int, on: date, calendar: SettlementCalendar) -> Iterator[Period]:
    """The periods that the report step of ``on`` drafts; an ended period is drafted on one date."""
    ends = [on] if business_days == 0 else [on - timedelta(days=n) for n in range(60)]
    for last in ends:
        period = period_ending(kind, last)
        if period is not None and drafted_on(period, business_days, calendar) == on:
            yield period


def due_at(period: Period, business_days: int, clock: time, calendar: SettlementCalendar) -> datetime:
    """When it must have been delivered: at that hour (UTC+8) of the so-many-th bank business day after the period."""
    return at(calendar.add_business_days(period.last, business_days), clock)
