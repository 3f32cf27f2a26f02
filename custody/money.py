"""Exact money: integer minor units, and the only place that rounds or splits.

An amount is an ``int`` in minor units (fen for CNY) beside an ISO 4217 currency code. A binary float never enters:
every function refuses one. Each rounding names its rule, and a split returns parts that sum to the whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

Rounding = Literal["half_even", "half_up"]

# ISO 4217 exponents of the currencies that a contract may name.
MINOR_DIGITS = {"CNY": 2, "HKD": 2, "USD": 2, "EUR": 2, "JPY": 0}

# Signed 64-bit is what the stores hold; sums are taken as decimal(38,0) where they could pass it (facts.md).
MAX_MINOR = 10**15

_AMOUNT = re.compile(r"(-?)(0|[1-9][0-9]{0,14})(?:\.([0-9]+))?")
_MODES = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP}


def parse_amount(text: str, currency: str = "CNY") -> int:
    """Major-unit text ("12.30") to minor units (1230). Raises ValueError, in words for a person, on anything else.

    ASCII digits only, no sign but "-", no thousands separator, at most the currency's decimals.
    """
    digits = MINOR_DIGITS.get(currency)
    if digits is None:
        raise ValueError(f"currency {currency!r} is not one of {', '.join(sorted(MINOR_DIGITS))}")
    found = _AMOUNT.fullmatch(text) if text.isascii() else None
    if found is None:
        raise ValueError(f"{text!r} is not an amount such as 1234.50")
    sign, whole, decimals = found[1], found[2], found[3] or ""
    if len(decimals) > digits:
        raise ValueError(f"{text!r} has more than {digits} decimals")
    minor = int(whole + decimals.ljust(digits, "0"))
    if minor > MAX_MINOR:
        raise ValueError(f"{text!r} is larger than the largest amount a file may carry")
    return -minor if sign else minor


def format_amount(minor: int, currency: str = "CNY") -> str:
    """Minor units to major-unit text, always with the currency's decimals: 1230 -> "12.30"."""
    _refuse_float(minor)
    digits = MINOR_DIGITS[currency]
    text = str(abs(minor)).rjust(digits + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def grouped_amount(minor: int, currency: str = "CNY", minus: str = "-") -> str:
    """The same as people read it, thousands apart: -123450 -> "-1,234.50"."""
    whole, dot, decimals = format_amount(abs(minor), currency).partition(".")
    return f"{minus if minor < 0 else ''}{int(whole):,}{dot}{decimals}"


def round_minor(exact: Fraction | Decimal | int, rule: Rounding) -> int:
    """An exact number of minor units to a whole one, by the named rule. The caller keeps the residue."""
    _refuse_float(exact)
    if rule not in _MODES:
        raise ValueError(f"unknown rounding rule {rule!r}")
    value = Fraction(exact)
    floor, rest = divmod(value.numerator, value.denominator)
    twice = 2 * rest
    if twice > value.denominator:
        return floor + 1
    if twice < value.denominator:
        return floor
    if rule == "half_even":
        return floor + (floor % 2)
    return floor + 1 if value > 0 else floor  # half_up: away from zero, as banks mean it


def split_largest_remainder(total_minor: int, weights: Sequence[int], keys: Sequence[str]) -> list[int]:
    """Split a non-negative total pro rata to weights; leftover fen go to the largest remainders, ties by key.

    The parts sum to the total. This is the allocation rule of domain.md §3 (ties by claim id).
    """
    _refuse_float(total_minor)
    if len(weights) != len(keys):
        raise ValueError("one key for each weight")
    if total_minor < 0 or any(w < 0 for w in weights):
        raise ValueError("total and weights must not be negative")
    whole = sum(weights)
    if whole == 0:
        if total_minor:
            raise ValueError("nothing to split the total over: all weights are zero")
        return [0] * len(weights)
    parts, remainders = [], []
    for weight in weights:
        part, remainder = divmod(total_minor * weight, whole)
        parts.append(part)
        remainders.append(remainder)
    left = total_minor - sum(parts)
    for i in sorted(range(len(weights)), key=lambda i: (-remainders[i], keys[i]))[:left]:
        parts[i] += 1
    return parts


def _refuse_float(value: object) -> None:
    if isinstance(value, (float, bool)):
        raise TypeError("money is never a float")
