"""What holds for every schedule."""

from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from custody.money import round_minor
from custody.names import DayCount, RepaymentMethod
from custody.schedule import due_dates, schedule, year_fraction

LOANS = st.fixed_dictionaries(
    {
        "principal_minor": st.one_of(st.integers(1, 500), st.integers(1, 10**13)),
        "annual_rate": st.integers(0, 20_000).map(lambda n: f"{n // 10_000}.{n % 10_000:04}"),
        "periods": st.integers(1, 60),
        "every": st.sampled_from(["day", "month", "quarter"]),
        "method": st.sampled_from(list(RepaymentMethod)),
        "day_count": st.sampled_from(list(DayCount)),
        "start": st.dates(date(2014, 1, 1), date(2030, 12, 31)),
        "rounding": st.sampled_from(["half_even", "half_up"]),
    }
)


@settings(max_examples=200, deadline=None)
@given(LOANS)
def test_every_schedule_repays_the_loan(loan: dict[str, Any]) -> None:
    rows = schedule(**loan)
    principal, rate = loan["principal_minor"], Fraction(loan["annual_rate"])
    assert sum(row.principal_minor for row in rows) == principal
    assert rows[-1].outstanding_minor == 0
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    balance, since = principal, loan["start"]
    for row in rows:
        assert row.interest_minor >= 0
        assert row.principal_minor >= 0
        assert row.total_minor == row.principal_minor + row.interest_minor
        assert row.outstanding_minor == balance - row.principal_minor
        # Interest is the rounded exact interest on the balance: never more than half a minor unit away.
        exact = balance * rate * year_fraction(loan["day_count"], since, row.due)
        assert row.interest_minor == round_minor(exact, loan["rounding"])
        balance, since = row.outstanding_minor, row.due


@settings(max_examples=200, deadline=None)
@given(LOANS)
def test_each_method_has_its_shape(loan: dict[str, Any]) -> None:
    rows = schedule(**loan)
    method, principal, periods = loan["method"], loan["principal_minor"], loan["periods"]
    assert len(rows) == (1 if method is RepaymentMethod.BULLET else periods)
    assert rows[-1].due == due_dates(loan["start"], periods, loan["every"])[-1]
    early = rows[:-1]
    if method in (RepaymentMethod.INTEREST_FIRST, RepaymentMethod.BULLET):
        assert all(row.principal_minor == 0 for row in early)
        assert rows[-1].principal_minor == principal
    elif method is RepaymentMethod.EQUAL_PRINCIPAL:
        share = round_minor(Fraction(principal, periods), loan["rounding"])
        assert all(row.principal_minor == share for row in early if row.outstanding_minor)
    else:
        within = [row.total_minor for row in early if row.principal_minor and row.outstanding_minor]
        assert len(set(within)) <= 1


@settings(max_examples=100, deadline=None)
@given(LOANS)
def test_the_level_payment_leaves_only_a_residue(loan: dict[str, Any]) -> None:
    """With E of domain.md §3 the last row differs from the others by no more than the roundings can add up to."""
    rows = schedule(**{**loan, "method": RepaymentMethod.EQUAL_INSTALMENT})
    level = rows[0].total_minor
    # Where a period's interest passes E, or the loan has fewer fen than rows, the rows are held at their bounds.
    assume(all(row.total_minor == level for row in rows[:-1]))
    # Each row's rounding (E and its interest: at most one unit) grows with the rates of the rows after it.
    growth, bound = Fraction(1), Fraction(1)
    fractions = [year_fraction(loan["day_count"], a, b) for a, b in pairwise([loan["start"], *(row.due for row in rows)])]
    for fraction in reversed(fractions):
        growth *= 1 + Fraction(loan["annual_rate"]) * fraction
        bound += growth
    assert abs(rows[-1].total_minor - level) <= bound


@given(
    st.dates(date(2014, 1, 1), date(2030, 12, 31)), st.integers(0, 900), st.integers(0, 900), st.sampled_from(list(DayCount)[1:])
)
def test_actual_day_counts_add_up_over_a_split(start: date, first: int, second: int, day_count: DayCount) -> None:
    middle = date.fromordinal(start.toordinal() + first)
    end = date.fromordinal(middle.toordinal() + second)
    split = year_fraction(day_count, start, middle) + year_fraction(day_count, middle, end)
    assert split == year_fraction(day_count, start, end)
