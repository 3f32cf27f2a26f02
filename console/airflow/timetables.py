"""The two calendars of domain.md §10 as Airflow timetables. One run for each day; its data interval is that day, UTC+8.

Both count from the interval's *start*, so catch-up, backfill and a late scheduler name the same days. The run's custody date
is the day of its interval (console/airflow/dates.py), whatever time the run was started.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pendulum
from airflow.exceptions import AirflowTimetableInvalid
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from custody.calendar import CHINA, ONE_DAY, CalendarUnknown, SettlementCalendar, at, custody_date_of

log = logging.getLogger(__name__)
_MIDNIGHT = time(0, 0)


def _instant(moment: datetime) -> pendulum.DateTime:
    return pendulum.instance(moment.astimezone(UTC))


def day_interval(day: date) -> DataInterval:
    """00:00-24:00 UTC+8 of ``day``."""
    return DataInterval(_instant(at(day, _MIDNIGHT)), _instant(at(day + ONE_DAY, _MIDNIGHT)))


class _DayTimetable(Timetable):  # type: ignore[misc]  # airflow is not type-checked here
    """What both have in common. Subclasses say which days, when their run starts, and which day a manual run means."""

    # No run is planned for a later day. (A DAG's end_date would also forbid runs by hand after it, for whatever date.)
    last: date | None = None

    @abstractmethod
    def next_day(self, after: date) -> date:
        """The first day of this timetable strictly after ``after``."""

    @abstractmethod
    def run_after(self, day: date) -> datetime:
        """When the run for ``day`` may start."""

    @abstractmethod
    def latest_due(self, now: datetime) -> date:
        """The latest day whose run may have started at ``now``."""

    @abstractmethod
    def manual_day(self, moment: datetime) -> date:
        """The day that a run started by hand at ``moment`` works for, unless its configuration names another."""

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        return day_interval(self.manual_day(run_after))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        try:
            day = self._next(last_automated_data_interval, restriction, datetime.now(UTC))
        except CalendarUnknown:
            # Raising would stop Airflow from refreshing every other DAG. Once the calendar is extended, catch-up resumes.
            log.exception("%s plans no further run: the calendar ends / 日历未覆盖，暂停排程", self.summary)
            return None
        if day is None or (restriction.latest is not None and at(day, _MIDNIGHT) > restriction.latest):
            return None
        if self.last is not None and day > self.last:
            return None
        return DagRunInfo(run_after=_instant(self.run_after(day)), data_interval=day_interval(day))

    def _next(self, last: DataInterval | None, restriction: TimeRestriction, now: datetime) -> date | None:
        floors: list[date] = []
        if last is not None:
            floors.append(self.next_day(custody_date_of(last.start)))
        if restriction.earliest is not None:
            first = custody_date_of(restriction.earliest)
            if at(first, _MIDNIGHT) < restriction.earliest:
                first += ONE_DAY
            floors.append(self.next_day(first - ONE_DAY))
        if not restriction.catchup:
            floors.append(self.latest_due(now))
        return max(floors, default=None)


class CustodyDateTimetable(_DayTimetable):
    """Every calendar day UTC+8 up to ``last``, holidays too; the run starts ``settle_minutes`` after the day has ended."""

    def __init__(self, *, settle_minutes: int, last: date | None = None) -> None:
        self.settle_minutes = settle_minutes
        self.last = last
        self.description = (
            f"every custody date, {settle_minutes} min after it ended (UTC+8) / 每个托管日日终后 {settle_minutes} 分钟"
        )

    @property
    def summary(self) -> str:
        return f"custody date +{self.settle_minutes} min"

    def serialize(self) -> dict[str, Any]:
        return {"settle_minutes": self.settle_minutes, "last": self.last.isoformat() if self.last else None}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        last = data["last"]
        return cls(settle_minutes=data["settle_minutes"], last=date.fromisoformat(last) if last else None)

    def validate(self) -> None:
        if not 0 <= self.settle_minutes < 24 * 60:
            raise AirflowTimetableInvalid(f"settle_minutes {self.settle_minutes} is not within 0..1439")

    def next_day(self, after: date) -> date:
        return after + ONE_DAY

    def run_after(self, day: date) -> datetime:
        return at(day + ONE_DAY, _MIDNIGHT) + timedelta(minutes=self.settle_minutes)

    def latest_due(self, now: datetime) -> date:
        return custody_date_of(now - timedelta(minutes=self.settle_minutes)) - ONE_DAY

    def manual_day(self, moment: datetime) -> date:
        return custody_date_of(moment) - ONE_DAY


class BankBusinessDayTimetable(_DayTimetable):
    """Every bank business day at ``clock`` (UTC+8), by the settlement calendar with its swapped working days.

    ``overrides``: the bank's own decisions (date -> business day or not), as in custody.calendar.SettlementCalendar. A run by
    hand on a holiday takes the previous business day's interval.
    """

    def __init__(self, *, clock: time, overrides: Mapping[date, bool]) -> None:
        self.clock = clock
        self.calendar = SettlementCalendar(dict(sorted(overrides.items())))
        self.description = f"every bank business day at {clock:%H:%M} (UTC+8) / 每个银行工作日 {clock:%H:%M}"

    @property
    def summary(self) -> str:
        return f"bank business day {self.clock:%H:%M}"

    def serialize(self) -> dict[str, Any]:
        overrides = {day.isoformat(): is_business for day, is_business in self.calendar.overrides.items()}
        return {"clock": self.clock.isoformat(), "overrides": overrides}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        overrides = {date.fromisoformat(day): is_business for day, is_business in data["overrides"].items()}
        return cls(clock=time.fromisoformat(data["clock"]), overrides=overrides)

    def validate(self) -> None:
        if self.clock.tzinfo is not None:
            raise AirflowTimetableInvalid("clock is UTC+8 by definition and carries no zone of its own")

    def next_day(self, after: date) -> date:
        return self.calendar.next_business_day(after)

    def run_after(self, day: date) -> datetime:
        return at(day, self.clock)

    def latest_due(self, now: datetime) -> date:
        day = self.manual_day(now)
        return day if self.run_after(day) <= now else self.calendar.previous_business_day(day)

    def manual_day(self, moment: datetime) -> date:
        today = moment.astimezone(CHINA).date()
        return today if self.calendar.is_business_day(today) else self.calendar.previous_business_day(today)
