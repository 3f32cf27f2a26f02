"""The simulator's own schedules against figures worked out by hand and against the definition of their methods."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.schedule import due_date, schedule, year_fraction

METHODS = ("equal_instalment", "equal_principal", "interest_first", "bullet")
DAY_COUNTS = ("30/360", "actual/360", "actual/365", "actual/actual")


def test_equal_instalment_by_month() -> None:
    """10,000.00 at 12% over 3 months, 30/360: 1% a month, E = 3,400.22."""
    rows = schedule(
        principal_minor=1_000_000,
        annual_rate="0.12",
        periods=3,
        every="month",
        method="equal_instalment",
        day_count="30/360",
        disbursed_on=date(2019, 12, 15),
    )
    assert [(r.due, r.principal_minor, r.interest_minor) for r in rows] == [
        (date(2020, 1, 15), 330_022, 10_000),
        (date(2020, 2, 15), 333_322, 6_700),
        (date(2020, 3, 15), 336_656, 3_367),
    ]


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (date(2019, 12, 31), date(2020, 1, 31), 30),
        (date(2020, 1, 31), date(2020, 2, 29), 29),
        (date(2020, 2, 29), date(2020, 3, 31), 32),
        (date(2020, 1, 30), date(2020, 3, 31), 60),
        (date(2020, 1, 15), date(2020, 4, 15), 90),
    ],
)
def test_30_360_is_the_bond_basis(start: date, end: date, days: int) -> None:
    """ISDA 2006 §4.16(f): a 31st at the start is a 30th; one at the end is so only after a 30th or 31st."""
    assert year_fraction("30/360", start, end) == Fraction(days, 360)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("equal_principal", [(333_333, 278), (333_333, 185), (333_334, 93)]),
        ("interest_first", [(0, 278), (0, 278), (1_000_000, 278)]),
        ("bullet", [(1_000_000, 833)]),
    ],
)
def test_other_methods_by_day(method: str, expected: list[tuple[int, int]]) -> None:
    rows = schedule(
        principal_minor=1_000_000,
        annual_rate="0.1",
        periods=3,
        every="day",
        method=method,
        day_count="actual/360",
        disbursed_on=date(2020, 2, 28),
    )
    assert [(r.principal_minor, r.interest_minor) for r in rows] == expected
    assert rows[-1].due == date(2020, 3, 2)


def test_actual_actual_divides_each_day_by_its_own_year() -> None:
    assert year_fraction("actual/actual", date(2019, 12, 30), date(2020, 1, 30)) == Fraction(2, 365) + Fraction(29, 366)


def test_a_short_month_falls_due_on_its_last_day() -> None:
    assert [due_date(date(2020, 1, 31), "month", k) for k in (1, 2, 13)] == [
        date(2020, 2, 29),
        date(2020, 3, 31),
        date(2021, 2, 28),
    ]


@given(
    principal=st.integers(1_000, 10**9),
    rate=st.sampled_from(["0.06", "0.085", "0.24"]),
    periods=st.integers(1, 40),
    every=st.sampled_from(["day", "month", "quarter"]),
    method=st.sampled_from(METHODS),
    day_count=st.sampled_from(DAY_COUNTS),
    start=st.dates(date(2015, 1, 1), date(2022, 12, 31)),
)
def test_principal_is_repaid_exactly_and_level_instalments_are_level(
    principal: int, rate: str, periods: int, every: str, method: str, day_count: str, start: date
) -> None:
    rows = schedule(
        principal_minor=principal,
        annual_rate=rate,
        periods=periods,
        every=every,
        method=method,
        day_count=day_count,
        disbursed_on=start,
    )
    assert sum(row.principal_minor for row in rows) == principal
    assert all(row.principal_minor >= 0 and row.interest_minor >= 0 for row in rows)
    assert [row.due for row in rows] == sorted({row.due for row in rows})
    if method == "equal_instalment":
        assert len({row.amount_minor for row in rows[:-1]}) <= 1
        assert abs(rows[-1].amount_minor - rows[0].amount_minor) <= 2 * periods
