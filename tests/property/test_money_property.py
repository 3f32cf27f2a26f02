"""Roundings stay within half a fen, splits sum to the whole, and an amount's text reads back to itself."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.money import MAX_MINOR, MINOR_DIGITS, Rounding, format_amount, parse_amount, round_minor, split_largest_remainder

EXACT = st.fractions(min_value=-(10**15), max_value=10**15, max_denominator=10**6)
RULES: st.SearchStrategy[Rounding] = st.sampled_from(["half_even", "half_up"])
WEIGHTS = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 10**15)), min_size=1, max_size=60)


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(sorted(MINOR_DIGITS)))
def test_an_amount_reads_back(minor: int, currency: str) -> None:
    text = format_amount(minor, currency)
    # Fifteen whole digits are the most a file may carry, whatever the currency.
    if abs(minor) // 10 ** MINOR_DIGITS[currency] < 10**15:
        assert parse_amount(text, currency) == minor


@given(st.text(max_size=20))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        minor = parse_amount(text)
    except ValueError:
        return
    assert parse_amount(format_amount(minor)) == minor
    assert abs(minor) <= MAX_MINOR


@given(EXACT, RULES)
def test_rounding_is_the_nearest_and_odd(exact: Fraction, rule: Rounding) -> None:
    rounded = round_minor(exact, rule)
    assert abs(exact - rounded) <= Fraction(1, 2)
    assert round_minor(-exact, rule) == -rounded


@given(st.integers(-(10**15), 10**15), RULES)
def test_a_tie_goes_by_its_rule(whole: int, rule: Rounding) -> None:
    rounded = round_minor(Fraction(2 * whole + 1, 2), rule)
    if rule == "half_even":
        assert rounded % 2 == 0
    else:
        assert abs(rounded) > abs(Fraction(2 * whole + 1, 2))


@given(st.integers(0, 10**15), WEIGHTS)
def test_a_split_is_whole_fair_and_independent_of_order(total: int, weights: list[int]) -> None:
    keys = [f"k{n:03d}" for n in range(len(weights))]
    whole = sum(weights)
    if whole == 0:
        if total:
            with pytest.raises(ValueError, match="nothing to split"):
                split_largest_remainder(total, weights, keys)
        else:
            assert split_largest_remainder(total, weights, keys) == [0] * len(weights)
        return
    parts = split_largest_remainder(total, weights, keys)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(Fraction(total * weight, whole) - part) < 1
        assert weight or not part
    backwards = split_largest_remainder(total, weights[::-1], keys[::-1])
    assert backwards[::-1] == parts
