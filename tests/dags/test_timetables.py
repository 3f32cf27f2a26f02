"""The two calendars as Airflow timetables: every day or business day once, in order, none lost, holidays and swaps right."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pendulum
import pytest

from custody.calendar import CHINA, at

pytestmark = pytest.mark.usefixtures("airflow_home")
MIDNIGHT = time(0, 0)


def moment(day: date, hour: int = 0, minute: int = 0) -> pendulum.DateTime:
    return pendulum.instance(at(day, time(hour, minute)))


def custody_dates() -> object:
    from console.airflow.timetables import CustodyDateTimetable

    return CustodyDateTimetable(settle_minutes=120)


def until_new_year() -> object:
    from console.airflow.timetables import CustodyDateTimetable

    return CustodyDateTimetable(settle_minutes=120, last=date(2020, 1, 1))


def business_days(overrides: dict[date, bool] | None = None) -> object:
    from console.airflow.timetables import BankBusinessDayTimetable

    return BankBusinessDayTimetable(clock=time(8, 0), overrides=overrides or {})


def runs(timetable: object, first: date, last: date) -> Iterator[tuple[date, datetime]]:
    """(day of the interval, run_after in UTC+8) of each run, as catch-up and backfill ask for them."""
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(earliest=moment(first), latest=moment(last), catchup=True)
    interval = None
    while info := timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction):  # type: ignore[attr-defined]
        interval = info.data_interval
        start, end = interval.start.astimezone(CHINA), interval.end.astimezone(CHINA)
        assert start.time() == MIDNIGHT
        assert end - start == timedelta(days=1)
        yield start.date(), info.run_after.astimezone(CHINA)


def days(timetable: object, first: date, last: date) -> list[str]:
    return [day.isoformat() for day, _ in runs(timetable, first, last)]


def test_custody_dates_are_every_calendar_day_over_new_year_two_hours_after_their_end() -> None:
    found = list(runs(custody_dates(), date(2019, 12, 28), date(2020, 1, 6)))
    assert [day for day, _ in found] == [date(2019, 12, 28) + timedelta(days=n) for n in range(10)]
    assert found[4] == (date(2020, 1, 1), datetime(2020, 1, 2, 2, 0, tzinfo=CHINA))


def test_no_run_is_planned_after_the_last_custody_date_and_those_by_hand_stay_possible() -> None:
    assert days(until_new_year(), date(2019, 12, 30), date(2020, 1, 6)) == ["2019-12-30", "2019-12-31", "2020-01-01"]
    interval = until_new_year().infer_manual_data_interval(run_after=moment(date(2020, 1, 4), 9))  # type: ignore[attr-defined]
    assert interval.start == moment(date(2020, 1, 3))


def test_business_days_over_new_year() -> None:
    found = list(runs(business_days(), date(2019, 12, 28), date(2020, 1, 6)))
    assert [day.isoformat() for day, _ in found] == ["2019-12-30", "2019-12-31", "2020-01-02", "2020-01-03", "2020-01-06"]
    assert found[2][1] == datetime(2020, 1, 2, 8, 0, tzinfo=CHINA)


def test_business_days_over_the_spring_festival_of_2020_with_its_swapped_sunday_and_extension() -> None:
    # Sunday 19 January was worked; the holiday of 24-30 January was extended to 2 February.
    assert days(business_days(), date(2020, 1, 17), date(2020, 2, 4)) == [
        "2020-01-17", "2020-01-19", "2020-01-20", "2020-01-21", "2020-01-22", "2020-01-23", "2020-02-03", "2020-02-04",
    ]  # fmt: skip


def test_the_banks_overrides_win() -> None:
    overrides = {date(2020, 1, 1): True, date(2020, 1, 2): False}
    assert days(business_days(overrides), date(2019, 12, 31), date(2020, 1, 3)) == ["2019-12-31", "2020-01-01", "2020-01-03"]


@pytest.mark.parametrize("make", [custody_dates, business_days])
def test_catch_up_resumes_after_the_last_run_and_loses_no_day(make: object) -> None:
    from airflow.timetables.base import TimeRestriction

    from console.airflow.timetables import day_interval

    timetable = make()  # type: ignore[operator]
    whole = days(timetable, date(2020, 1, 17), date(2020, 2, 4))
    restriction = TimeRestriction(earliest=moment(date(2020, 1, 17)), latest=None, catchup=True)
    for before, after in itertools.pairwise(whole):
        interval = day_interval(date.fromisoformat(before))
        info = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)
        assert info.data_interval.start.astimezone(CHINA).date().isoformat() == after


def test_a_start_within_a_day_begins_with_the_next_whole_day() -> None:
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(earliest=moment(date(2019, 12, 30), 0, 1), latest=None, catchup=True)
    info = custody_dates().next_dagrun_info(last_automated_data_interval=None, restriction=restriction)  # type: ignore[attr-defined]
    assert info.data_interval.start == moment(date(2019, 12, 31))


def test_without_catch_up_only_the_latest_day_that_is_due_runs() -> None:
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(earliest=moment(date(2019, 12, 30)), latest=None, catchup=False)
    now = datetime.now(UTC)
    info = custody_dates().next_dagrun_info(last_automated_data_interval=None, restriction=restriction)  # type: ignore[attr-defined]
    assert info.run_after <= datetime.now(UTC)
    assert info.run_after > now - timedelta(days=1)
    timetable = business_days()
    assert timetable.latest_due(at(date(2020, 1, 2), time(7, 59))) == date(2019, 12, 31)  # type: ignore[attr-defined]
    assert timetable.latest_due(at(date(2020, 1, 2), time(8, 0))) == date(2020, 1, 2)  # type: ignore[attr-defined]
    assert timetable.latest_due(at(date(2020, 1, 4), time(9, 0))) == date(2020, 1, 3)  # type: ignore[attr-defined]


def test_beyond_the_calendar_no_run_is_planned_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    from airflow.timetables.base import TimeRestriction

    far = date(2031, 1, 1)
    restriction = TimeRestriction(earliest=moment(far), latest=None, catchup=True)
    with caplog.at_level("ERROR", logger="console.airflow.timetables"):
        assert business_days().next_dagrun_info(last_automated_data_interval=None, restriction=restriction) is None  # type: ignore[attr-defined]
    assert "extend the calendar" in caplog.text


@pytest.mark.parametrize(
    ("when", "day"),
    [
        (moment(date(2020, 1, 1), 10), date(2019, 12, 31)),  # a holiday
        (moment(date(2020, 1, 19), 10), date(2020, 1, 19)),  # a worked Sunday
        (moment(date(2020, 2, 1), 10), date(2020, 1, 23)),  # deep in the spring festival
    ],
)
def test_a_manual_run_on_a_holiday_takes_the_previous_business_day(when: pendulum.DateTime, day: date) -> None:
    assert business_days().infer_manual_data_interval(run_after=when).start == moment(day)  # type: ignore[attr-defined]


def test_a_manual_run_of_the_custody_day_takes_the_day_that_ended() -> None:
    interval = custody_dates().infer_manual_data_interval(run_after=moment(date(2020, 1, 2), 0, 5))  # type: ignore[attr-defined]
    assert (interval.start, interval.end) == (moment(date(2020, 1, 1)), moment(date(2020, 1, 2)))


@pytest.mark.parametrize("timetable", [custody_dates, until_new_year, lambda: business_days({date(2020, 1, 2): False})])
def test_they_survive_serialisation_through_airflow(timetable: object, airflow_home: Path) -> None:
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable

    original = timetable()  # type: ignore[operator]
    again = decode_timetable(encode_timetable(original))
    assert type(again) is type(original)
    assert again.serialize() == original.serialize()
    assert days(again, date(2019, 12, 30), date(2020, 1, 6)) == days(original, date(2019, 12, 30), date(2020, 1, 6))


def test_impossible_settings_are_refused() -> None:
    from airflow.exceptions import AirflowTimetableInvalid

    from console.airflow.timetables import BankBusinessDayTimetable, CustodyDateTimetable

    with pytest.raises(AirflowTimetableInvalid):
        CustodyDateTimetable(settle_minutes=24 * 60).validate()
    with pytest.raises(AirflowTimetableInvalid):
        BankBusinessDayTimetable(clock=time(8, 0, tzinfo=UTC), overrides={}).validate()
