"""Which custody date does a run work for? (console/airflow/dates.py)"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import FormatChecker

from console.airflow.dates import BEGUN_DATE, FIRST_DATE_VARIABLE, NoCustodyDate, custody_date_of_run, parse_custody_date, resolve
from custody.calendar import CHINA

TODAY = date(2020, 1, 6)
END_OF_JAN_1 = datetime(2020, 1, 1, 16, tzinfo=UTC)


def test_configuration_wins_over_event_and_interval() -> None:
    assert resolve(["2019-12-30"], ["2019-12-31"], END_OF_JAN_1, TODAY) == date(2019, 12, 30)


def test_event_wins_over_interval() -> None:
    assert resolve([None], [None, "2019-12-31", "2019-12-31"], END_OF_JAN_1, TODAY) == date(2019, 12, 31)


def test_interval_is_the_day_that_ended_in_utc8() -> None:
    assert resolve([None], [], END_OF_JAN_1, TODAY) == date(2020, 1, 1)
    assert resolve([None], [], END_OF_JAN_1.astimezone(CHINA), TODAY) == date(2020, 1, 1)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("2020-1-1", "YYYY-MM-DD"),
        ("20200101", "YYYY-MM-DD"),
        ("", "YYYY-MM-DD"),
        ("2020-01-01; rm", "YYYY-MM-DD"),
        ("2020-02-30", "no day of the calendar"),
        ("2020-01-07", "future"),
    ],
)
def test_a_wrong_date_is_refused_and_never_replaced_by_the_next_source(said: str, reason: str) -> None:
    with pytest.raises(NoCustodyDate, match=reason):
        resolve([said], ["2019-12-31"], END_OF_JAN_1, TODAY)


def test_a_date_that_is_no_text_is_refused() -> None:
    with pytest.raises(NoCustodyDate, match="YYYY-MM-DD"):
        parse_custody_date(20200101, TODAY)


def test_events_of_two_dates_are_refused() -> None:
    with pytest.raises(NoCustodyDate, match="several custody dates: 2019-12-30, 2019-12-31"):
        resolve([None], ["2019-12-31", "2019-12-30"], None, TODAY)


def test_a_run_that_says_nothing_is_refused_with_the_remedy() -> None:
    with pytest.raises(NoCustodyDate, match='"custody_date": "YYYY-MM-DD"'):
        resolve([None], [], None, TODAY)


def test_an_interval_that_is_no_whole_day_is_refused() -> None:
    with pytest.raises(NoCustodyDate, match="not with a day"):
        resolve([None], [], END_OF_JAN_1 + timedelta(hours=8), TODAY)


def test_a_deadline_callback_reads_the_same_date_from_the_run_as_rest_shows_it() -> None:
    assert custody_date_of_run({"conf": {"custody_date": "2019-12-30"}}) == date(2019, 12, 30)
    assert custody_date_of_run({"conf": None, "partition_key": "2019-12-31"}) == date(2019, 12, 31)
    assert custody_date_of_run({"data_interval_end": "2020-01-01T16:00:00Z"}) == date(2020, 1, 1)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_every_date_survives_its_text(day: date) -> None:
    assert parse_custody_date(day.isoformat(), day) == day


@pytest.mark.parametrize(
    ("said", "fits"), [(None, True), ("2019-12-30", True), ("2019-12-29", False), ("2999-01-01", False), ("x", False)]
)
def test_the_form_takes_a_date_that_has_begun_and_no_other(said: str | None, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FIRST_DATE_VARIABLE, "2019-12-30")
    assert FormatChecker().conforms(said, BEGUN_DATE) is fits
