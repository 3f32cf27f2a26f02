"""The two calendars of domain.md §10.

A **custody date** is every calendar day, 00:00-24:00 UTC+8. The **settlement calendar** is the Chinese bank's business
days with swapped working days; the bank's own overrides always win, and an unknown day is never a working day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from functools import cache, cached_property

import chinese_calendar

CHINA = timezone(timedelta(hours=8))
ONE_DAY = timedelta(days=1)
# Cover of the public table; outside it only the bank's own table speaks (interfaces.md §5).
COVER_FROM, COVER_TO = date(2004, 1, 1), date(2026, 12, 31)
_LONGEST_HOLIDAY_DAYS = 40


@cache
def _is_workday(day: date) -> bool:
    """By the public table, which looks through all its years at each question; it covers some thousand days."""
    return bool(chinese_calendar.is_workday(day))


class CalendarUnknown(ValueError):
    """No business day is known near the date: the bank's own table must be extended."""


@dataclass(frozen=True)
class SettlementCalendar:
    """Bank business days. ``overrides`` maps a date to True (business day) or False, by decision of the bank."""

    overrides: Mapping[date, bool] = field(default_factory=dict)

    def is_business_day(self, day: date) -> bool:
        """Whether the bank works that day; a day outside the public table that the bank did not decide is closed."""
        if day in self.overrides:
            return self.overrides[day]
        if not COVER_FROM <= day <= COVER_TO:
            return False
        return _is_workday(day)

    def next_business_day(self, day: date) -> date:
        """The first business day strictly after ``day``: T+1."""
        return self._walk(day, ONE_DAY)

    def previous_business_day(self, day: date) -> date:
        return self._walk(day, -ONE_DAY)

    def add_business_days(self, day: date, count: int) -> date:
        """The ``count``-th business day strictly after ``day`` (count >= 1)."""
        if count < 1:
            raise ValueError("count must be at least 1")
        found = self._added.get((day, count))
        if found is None:
            found = day
            for _ in range(count):
                found = self.next_business_day(found)
            self._added[day, count] = found
        return found

    @cached_property
    def _added(self) -> dict[tuple[date, int], date]:
        """What was asked for: thousands of cases begin on few days."""
        return {}

    def _walk(self, day: date, step: timedelta) -> date:
        at = day
        for _ in range(_LONGEST_HOLIDAY_DAYS):
            at += step
            if self.is_business_day(at):
                return at
        raise CalendarUnknown(f"no business day known within {_LONGEST_HOLIDAY_DAYS} days of {day}: extend the calendar")


def custody_date_of(event_time: datetime) -> date:
    """The custody date (UTC+8, midnight cut-off) on which an aware event time falls."""
    if event_time.tzinfo is None:
        raise ValueError("event times carry their offset")
    return event_time.astimezone(CHINA).date()


def at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, tzinfo=CHINA)


def dates(first: date, count: int) -> Iterator[date]:
    for i in range(count):
        yield first + i * ONE_DAY


def month_end(day: date) -> date:
    """The last calendar day of the month of ``day``."""
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return following - ONE_DAY
