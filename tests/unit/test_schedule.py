"""Golden schedules, each computed by hand in its comment, and the terms that make no loan."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from custody.errors import UsageError
from custody.names import DayCount, RepaymentMethod
from custody.schedule import Instalment, day_number_difference, due_dates, schedule, year_fraction

TERMS: dict[str, Any] = {
    "principal_minor": 1_000_000,
    "annual_rate": "0.12",
    "periods": 3,
    "every": "month",
    "method": RepaymentMethod.EQUAL_INSTALMENT,
    "day_count": DayCount.THIRTY_360,
    "start": date(2019, 1, 15),
    "rounding": "half_even",
}


def rows(**terms: Any) -> list[Instalment]:
    return schedule(**{**TERMS, **terms})


def test_equal_instalment_by_hand() -> None:
    # r = 0.12 x 30/360 = 0.01. E = 1000000 x 1.01^3 / (1 + 1.01 + 1.0201) = 1030301 / 3.0301 = 340022.11 -> 340022.
    # 1: interest 10000.00, principal 330022, left 669978.
    # 2: interest 6699.78 -> 6700, principal 333322, left 336656.
    # 3: interest 3366.56 -> 3367, principal = what is left, so the row is 340023: one fen of residue.
    assert rows() == [
        Instalment(1, date(2019, 2, 15), 30, 330_022, 10_000, 340_022, 669_978),
        Instalment(2, date(2019, 3, 15), 30, 333_322, 6_700, 340_022, 336_656),
        Instalment(3, date(2019, 4, 15), 30, 336_656, 3_367, 340_023, 0),
    ]


def test_equal_instalment_with_uneven_periods_by_hand() -> None:
    # actual/365 at 0.365: r = days x 0.001. From 2019-01-31: Feb 28 (28 days), Mar 31 (31 days).
    # E = 100000 x 1.028 x 1.031 / (1 + 1.031) = 105986.8 / 2.031 = 52184.54 -> 52185.
    # 1: interest 2800, principal 49385, left 50615.  2: interest 50615 x 0.031 = 1569.065 -> 1569.
    found = rows(principal_minor=100_000, annual_rate="0.365", periods=2, day_count="actual/365", start=date(2019, 1, 31))
    assert found == [
        Instalment(1, date(2019, 2, 28), 28, 49_385, 2_800, 52_185, 50_615),
        Instalment(2, date(2019, 3, 31), 31, 50_615, 1_569, 52_184, 0),
    ]


def test_equal_principal_by_hand() -> None:
    # 10000 / 3 = 3333.33 -> 3333; interest 100, then 66.67 -> 67, then 33.34 -> 33; the last row repays 3334.
    found = rows(principal_minor=10_000, method="equal_principal")
    assert [(r.principal_minor, r.interest_minor, r.outstanding_minor) for r in found] == [
        (3_333, 100, 6_667),
        (3_333, 67, 3_334),
        (3_334, 33, 0),
    ]


def test_interest_first_by_hand_in_a_leap_year() -> None:
    # 365000 x 0.1 / 365 = 100 a day, in 2020 too. From Jan 31: Feb 29 (29 days), Mar 31 (31), Apr 30 (30).
    found = rows(
        principal_minor=365_000, annual_rate="0.1", method="interest_first", day_count="actual/365", start=date(2020, 1, 31)
    )
    assert [(r.due, r.days, r.principal_minor, r.interest_minor) for r in found] == [
        (date(2020, 2, 29), 29, 0, 2_900),
        (date(2020, 3, 31), 31, 0, 3_100),
        (date(2020, 4, 30), 30, 365_000, 3_000),
    ]


def test_bullet_by_hand() -> None:
    # 360000 x 0.1 / 360 = 100 a day; two quarters from 2019-12-31 end on 2020-06-30: 31+29+31+30+31+30 = 182 days.
    found = rows(
        principal_minor=360_000,
        annual_rate="0.1",
        periods=2,
        every="quarter",
        method="bullet",
        day_count="actual/360",
        start=date(2019, 12, 31),
    )
    assert found == [Instalment(1, date(2020, 6, 30), 182, 360_000, 18_200, 378_200, 0)]


def test_actual_actual_splits_at_the_new_year() -> None:
    # 2019-12-15 to 2020-01-15: 17 days in 2019 (15th to 31st), 14 in 2020, a leap year.
    span = date(2019, 12, 15), date(2020, 1, 15)
    assert year_fraction(DayCount.ACTUAL_ACTUAL, *span) == Fraction(17, 365) + Fraction(14, 366)
    assert year_fraction(DayCount.ACTUAL_365, *span) == Fraction(31, 365)
    assert year_fraction(DayCount.ACTUAL_360, *span) == Fraction(31, 360)
    # A whole leap year, and 2019-07-01 to 2021-07-01: 184/365 + 1 + 181/365 = 2.
    assert year_fraction(DayCount.ACTUAL_ACTUAL, date(2020, 1, 1), date(2021, 1, 1)) == 1
    assert year_fraction(DayCount.ACTUAL_ACTUAL, date(2019, 7, 1), date(2021, 7, 1)) == 2
    assert year_fraction(DayCount.ACTUAL_ACTUAL, date(9999, 1, 1), date(9999, 12, 31)) == Fraction(364, 365)


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (date(2019, 1, 15), date(2019, 2, 15), 30),
        (date(2019, 1, 31), date(2019, 2, 28), 28),
        (date(2019, 1, 30), date(2019, 1, 31), 0),
        (date(2019, 1, 31), date(2019, 2, 1), 1),
        (date(2019, 2, 28), date(2019, 3, 1), 3),
        (date(2019, 3, 31), date(2019, 5, 31), 60),
        (date(2019, 1, 15), date(2019, 1, 31), 16),
        (date(2019, 12, 31), date(2020, 12, 31), 360),
    ],
)
def test_thirty_360_day_numbers(since: date, until: date, days: int) -> None:
    assert day_number_difference(DayCount.THIRTY_360, since, until) == days
    assert year_fraction(DayCount.THIRTY_360, since, until) == Fraction(days, 360)


def test_due_dates_count_from_the_start_day() -> None:
    monthly = due_dates(date(2019, 10, 31), 5, "month")
    assert monthly == [date(2019, 11, 30), date(2019, 12, 31), date(2020, 1, 31), date(2020, 2, 29), date(2020, 3, 31)]
    assert due_dates(date(2019, 11, 30), 2, "quarter") == [date(2020, 2, 29), date(2020, 5, 30)]
    assert due_dates(date(2019, 12, 30), 3, "day") == [date(2019, 12, 31), date(2020, 1, 1), date(2020, 1, 2)]


def test_the_product_states_its_rounding() -> None:
    # 50 x 0.12 x 30/360 = 0.5 exactly.
    terms = {"principal_minor": 50, "periods": 1, "method": "interest_first"}
    assert [r.interest_minor for r in rows(**terms, rounding="half_even")] == [0]
    assert [r.interest_minor for r in rows(**terms, rounding="half_up")] == [1]


def test_more_periods_than_fen() -> None:
    # 3 / 5 = 0.6 -> 1: the balance is gone after three rows, and no row repays more than there is.
    found = rows(principal_minor=3, annual_rate="0", periods=5, method="equal_principal")
    assert [r.principal_minor for r in found] == [1, 1, 1, 0, 0]
    # 1 / 5 = 0.2 -> 0: the last row takes it all.
    found = rows(principal_minor=1, annual_rate="0", periods=5)
    assert [r.principal_minor for r in found] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"principal_minor": 0},
        {"principal_minor": 100.0},
        {"principal_minor": 10**15 + 1},
        {"annual_rate": "8%"},
        {"annual_rate": "-0.01"},
        {"annual_rate": "1e3"},
        {"annual_rate": 0.08},
        {"periods": 0},
        {"periods": 4001},
        {"every": "week"},
        {"method": "balloon"},
        {"day_count": "30E/360"},
        {"rounding": "down"},
        {"start": date(9999, 12, 1)},
    ],
)
def test_terms_that_make_no_loan(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        rows(**wrong)
