"""Exact money: what an amount's text may be, and where a rounding or a split puts each fen."""

from decimal import Decimal
from fractions import Fraction

import pytest

from custody.money import MAX_MINOR, Rounding, format_amount, grouped_amount, parse_amount, round_minor, split_largest_remainder


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("12.30", 1230),
        ("12.3", 1230),
        ("12", 1200),
        ("0", 0),
        ("0.01", 1),
        ("-0.01", -1),
        ("-0.00", 0),
        ("10000000000000", MAX_MINOR),
    ],
)
def test_an_amount_is_read_in_minor_units(text: str, minor: int) -> None:
    assert parse_amount(text) == minor


@pytest.mark.parametrize(
    "text",
    [
        "", " 1", "1 ", "1\n", "+1", "--1", "1.", ".5", "01", "00", "1,000.00", "1e3", "1.234", "1.200", "NaN", "inf",
        "１２", "١٢", "1_000", "¥1", "0x10", "10000000000000.01", "9" * 16,
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an amount|more than 2 decimals|larger than"):
        parse_amount(text)


def test_a_currency_states_its_decimals() -> None:
    assert parse_amount("1234", "JPY") == 1234
    assert format_amount(1234, "JPY") == "1234"
    assert format_amount(-7, "JPY") == "-7"
    assert [grouped_amount(n) for n in (-123456789, -5, 0, 99999)] == ["-1,234,567.89", "-0.05", "0.00", "999.99"]
    assert grouped_amount(-1234, "JPY", "−") == "−1,234"
    with pytest.raises(ValueError, match="more than 0 decimals"):
        parse_amount("1234.5", "JPY")
    with pytest.raises(ValueError, match="currency 'XXX'"):
        parse_amount("1", "XXX")


@pytest.mark.parametrize(("minor", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (100, "1.00"), (-123456, "-1234.56")])
def test_an_amount_is_written_with_its_decimals(minor: int, text: str) -> None:
    assert format_amount(minor) == text


@pytest.mark.parametrize(
    ("exact", "half_even", "half_up"),
    [
        ("0.5", 0, 1), ("1.5", 2, 2), ("2.5", 2, 3), ("-0.5", 0, -1), ("-1.5", -2, -2), ("-2.5", -2, -3),
        ("2.4999", 2, 2), ("2.5001", 3, 3), ("-2.4999", -2, -2), ("-2.5001", -3, -3), ("7", 7, 7),
    ],
)  # fmt: skip
def test_each_rounding_rule_settles_ties_its_own_way(exact: str, half_even: int, half_up: int) -> None:
    assert round_minor(Decimal(exact), "half_even") == half_even
    assert round_minor(Decimal(exact), "half_up") == half_up


def test_a_third_is_rounded_exactly() -> None:
    rule: Rounding = "half_even"
    assert round_minor(Fraction(1, 3), rule) == 0
    assert round_minor(Fraction(2, 3), rule) == 1
    assert round_minor(Fraction(10**30 + 1, 2), rule) == 5 * 10**29


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown rounding rule"):
        round_minor(1, "half_down")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [34, 34, 33]),
        (10, [7, 2, 1], [7, 2, 1]),
        (1, [1, 5, 4], [0, 1, 0]),
        (0, [3, 4], [0, 0]),
        (5, [0, 1], [0, 5]),
        (100, [3333, 3333, 3334], [33, 33, 34]),
    ],
)
def test_a_split_gives_leftover_fen_to_the_largest_remainders(total: int, weights: list[int], parts: list[int]) -> None:
    assert split_largest_remainder(total, weights, ["a", "b", "c"][: len(weights)]) == parts


def test_ties_of_a_split_go_by_key_not_by_place() -> None:
    assert split_largest_remainder(1, [1, 1], ["b", "a"]) == [0, 1]


@pytest.mark.parametrize(
    ("total", "weights", "keys", "words"),
    [
        (-1, [1], ["a"], "must not be negative"),
        (1, [-1, 2], ["a", "b"], "must not be negative"),
        (1, [0, 0], ["a", "b"], "nothing to split"),
        (1, [1, 2], ["a"], "one key for each weight"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(total: int, weights: list[int], keys: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        split_largest_remainder(total, weights, keys)


def test_a_float_never_enters() -> None:
    with pytest.raises(TypeError):
        format_amount(1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        round_minor(0.5, "half_even")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        split_largest_remainder(1.0, [1], ["a"])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        split_largest_remainder(True, [1], ["a"])
    with pytest.raises(TypeError):
        split_largest_remainder(10, [0.5, 0.5], ["a", "b"])  # type: ignore[list-item]
