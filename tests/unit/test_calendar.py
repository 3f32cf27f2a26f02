"""The two calendars, on dates that anyone can look up (State Council notices for 2019 and 2020)."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from custody.calendar import CHINA, CalendarUnknown, SettlementCalendar, at, custody_date_of, dates, month_end

BANK = SettlementCalendar()


@pytest.mark.parametrize(
    ("day", "open_"),
    [
        (date(2019, 12, 30), True),
        (date(2020, 1, 1), False),  # New Year, a Wednesday
        (date(2020, 1, 2), True),
        (date(2020, 1, 4), False),  # Saturday
        (date(2020, 1, 19), True),  # a Sunday worked for Spring Festival
        (date(2020, 1, 24), False),
        (date(2020, 1, 31), False),  # the 2020 extension of Spring Festival
        (date(2019, 10, 12), True),  # a Saturday worked for National Day
        (date(2019, 10, 7), False),
        (date(2003, 6, 2), False),  # a Monday before the public table begins: unknown, hence closed
        (date(2027, 3, 1), False),  # a Monday after it ends
    ],
)
def test_business_days_of_the_public_table(day: date, open_: bool) -> None:
    assert BANK.is_business_day(day) is open_


def test_the_next_business_day_steps_over_holidays() -> None:
    assert BANK.next_business_day(date(2019, 12, 31)) == date(2020, 1, 2)
    assert BANK.next_business_day(date(2020, 1, 23)) == date(2020, 2, 3)
    assert BANK.next_business_day(date(2020, 1, 17)) == date(2020, 1, 19)
    assert BANK.previous_business_day(date(2020, 1, 2)) == date(2019, 12, 31)


def test_counting_business_days() -> None:
    assert BANK.add_business_days(date(2019, 12, 30), 1) == date(2019, 12, 31)
    assert BANK.add_business_days(date(2019, 12, 30), 3) == date(2020, 1, 3)
    with pytest.raises(ValueError, match="at least 1"):
        BANK.add_business_days(date(2019, 12, 30), 0)


def test_the_banks_own_table_always_wins() -> None:
    bank = SettlementCalendar({date(2020, 1, 1): True, date(2020, 1, 2): False, date(2027, 3, 1): True})
    assert bank.next_business_day(date(2019, 12, 31)) == date(2020, 1, 1)
    assert bank.next_business_day(date(2020, 1, 1)) == date(2020, 1, 3)
    assert bank.next_business_day(date(2027, 2, 20)) == date(2027, 3, 1)


def test_an_unknown_future_stops_instead_of_guessing() -> None:
    with pytest.raises(CalendarUnknown, match="extend the calendar"):
        BANK.next_business_day(date(2027, 1, 1))


@pytest.mark.parametrize(
    ("event", "day"),
    [
        (datetime(2019, 12, 31, 15, 59, 59, 999_999, tzinfo=UTC), date(2019, 12, 31)),
        (datetime(2019, 12, 31, 16, 0, tzinfo=UTC), date(2020, 1, 1)),
        (datetime(2020, 1, 1, 0, 0, tzinfo=CHINA), date(2020, 1, 1)),
    ],
)
def test_a_custody_date_begins_at_midnight_in_china(event: datetime, day: date) -> None:
    assert custody_date_of(event) == day


def test_an_event_time_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="carry their offset"):
        custody_date_of(datetime(2020, 1, 1))  # noqa: DTZ001  (the naive time is the point)


def test_small_helpers() -> None:
    assert at(date(2020, 1, 1), time(8, 30)).utcoffset() == timedelta(hours=8)
    assert list(dates(date(2019, 12, 31), 2)) == [date(2019, 12, 31), date(2020, 1, 1)]
    assert [month_end(date(2020, m, 1)).day for m in range(1, 13)] == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    assert month_end(date(2019, 2, 28)) == date(2019, 2, 28)
    assert month_end(date(2019, 12, 31)) == date(2019, 12, 31)
