"""A fee contract as dated data (domain.md §7): which components one platform pays, by which terms, rounded and charged how.

Everything is exact: whole minor units, or rates as decimal text. A component that the contract does not name costs nothing. Terms of
another date are another version of the party's contract (custody.services.contract_changes); each day is rated by its own version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar, get_args

from custody.errors import UsageError
from custody.money import MAX_MINOR, MINOR_DIGITS, Rounding
from custody.names import DayCount, TxnType

_E = TypeVar("_E", bound=StrEnum)
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,10})?", re.ASCII)
_REQUIRED = frozenset({"valid_from", "valid_to", "currency", "vat_rate", "rounding", "charged", "charge_business_day"})
# 30/360 gives a 31st no day, and a fee accrues on every calendar day.
_FEE_DAY_COUNTS = (DayCount.ACTUAL_360, DayCount.ACTUAL_365, DayCount.ACTUAL_ACTUAL)

BALANCE, FLAT, ONBOARDING = "balance", "flat", "onboarding"
ACCOUNT_OPENED, SMS, IDENTITY_CHECK = "account_opened", "sms", "identity_check"
# key of the contract -> the component that it prices by the piece
_BY_PIECE = {
    "per_account_opened_minor": ACCOUNT_OPENED,
    "per_sms_minor": SMS,
    "per_identity_check_minor": IDENTITY_CHECK,
}
_KEYS = _REQUIRED | _BY_PIECE.keys() | {
    "per_mille_year", "day_count", "flat_minor", "onboarding", "per_transaction_minor", "per_mille_of_volume", "minimum_minor",
    "maximum_minor", "annual_minimum_minor", "discounts",
}  # fmt: skip
_NOTHING, _ALL = Fraction(0), Fraction(1)
# Beyond this a charge would wait for the next period's.
_MOST_BUSINESS_DAYS = 10


def transactions(txn_type: str) -> str:
    """The component of a type's transactions by the piece."""
    return f"transaction.{txn_type}"


def volume(txn_type: str) -> str:
    """The component of a type's transactions by what they move."""
    return f"volume.{txn_type}"


class Cycle(StrEnum):
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


class TierMode(StrEnum):
    """GRADUATED: each unit at the price of the tier in which it lies. ALL_UNITS: all of a period at the price of the last tier reached."""

    GRADUATED = "graduated"
    ALL_UNITS = "all_units"


@dataclass(frozen=True)
class Tariff:
    """What one unit costs, in minor units: pieces, or minor units moved. ``tiers``: (above how many units of the period, price)."""

    component: str
    mode: TierMode
    tiers: tuple[tuple[int, Fraction], ...]

    def total(self, quantity: int) -> Fraction:
        """The exact price of a period's first ``quantity`` units, graduated."""
        exact = _NOTHING
        for number, (above, price) in enumerate(self.tiers):
            if quantity <= above:
                break
            upto = self.tiers[number + 1][0] if number + 1 < len(self.tiers) else quantity
            exact += (min(quantity, upto) - above) * price
        return exact

    def reached(self, quantity: int) -> Fraction:
        """The price of the tier in which the last of ``quantity`` units lies."""
        return [price for above, price in self.tiers if above < quantity or not above][-1]

    @cached_property
    def text(self) -> str:
        """The terms in one cell: ``all_units 0:20 1000:15``. Equal terms have equal text."""
        return f"{self.mode} " + " ".join(f"{above}:{shown(price)}" for above, price in self.tiers)


@dataclass(frozen=True)
class Discount:
    """A part that is let off from ``valid_from`` to ``valid_to`` (both in); 1 is a waiver. ``of``: components; empty: the whole bill,
    its minimum and maximum with it."""

    valid_from: date
    valid_to: date | None
    rate: Fraction
    of: frozenset[str]


@dataclass(frozen=True)
class FeeContract:
    """What one platform pays from ``valid_from`` to ``valid_to`` (both in; None = no end agreed).

    ``per_mille_year`` is per mille a year of the day's balance base. ``flat_minor``, ``minimum_minor``, ``maximum_minor`` are for a
    charging period, of which each day under contract has its part; ``annual_minimum_minor`` for a calendar year. ``vat_rates`` are
    (valid from, rate) in order. A charge goes out on the ``charge_business_day``-th bank business day after its period.
    """

    valid_from: date
    valid_to: date | None
    currency: str
    rounding: Rounding
    vat_rates: tuple[tuple[date, Fraction], ...]
    per_mille_year: Fraction
    day_count: DayCount | None
    flat_minor: int
    onboarding: tuple[date, int] | None
    tariffs: tuple[Tariff, ...]
    minimum_minor: int
    maximum_minor: int | None
    annual_minimum_minor: int
    discounts: tuple[Discount, ...]
    cycle: Cycle
    charge_business_day: int

    @classmethod
    def parse(cls, data: Mapping[str, object]) -> FeeContract:
        """The contract from its mapping (world.json, register). Raises UsageError naming the key that is wrong.

        Required are dates, currency, VAT, rounding and when it is charged; a component that is left out costs nothing. ``vat_rate`` is one rate as text, or a
        list of {"valid_from", "rate"} of which the first is in force on the first day. A price is a whole number of minor units, decimal
        text, or {"mode", "tiers": [{"above", "price_minor"}]}; of a volume per mille as text, or tiers of {"above", "per_mille"}.
        """
        if not data.keys() <= _KEYS or not data.keys() >= _REQUIRED:
            wrong = sorted((data.keys() - _KEYS) | (_REQUIRED - data.keys()), key=str)
            raise UsageError(
                f"a fee contract has {sorted(_REQUIRED)} and any of {sorted(_KEYS - _REQUIRED)}; wrong or missing: {wrong}"
            )
        valid_from = _date(data["valid_from"], "valid_from")
        valid_to = _last(data["valid_to"], valid_from, "the fee contract")
        currency = data["currency"]
        if not isinstance(currency, str) or currency not in MINOR_DIGITS:
            raise UsageError(f"currency must be one of {', '.join(sorted(MINOR_DIGITS))}, not {currency!r}")
        minimum = _optional(data, "minimum_minor", 0)
        maximum = None if "maximum_minor" not in data else _optional(data, "maximum_minor", 0)
        if maximum is not None and maximum < minimum:
            raise UsageError(f"maximum_minor {maximum} is below minimum_minor {minimum}")
        tariffs = _tariffs(data)
        priced = {BALANCE, FLAT, ONBOARDING, *(tariff.component for tariff in tariffs)}
        business_day = data["charge_business_day"]
        if isinstance(business_day, bool) or not isinstance(business_day, int) or not 1 <= business_day <= _MOST_BUSINESS_DAYS:
            raise UsageError(f"charge_business_day must be 1 to {_MOST_BUSINESS_DAYS}, not {business_day!r}")
        return cls(
            valid_from=valid_from,
            valid_to=valid_to,
            currency=currency,
            rounding=_rounding(data["rounding"]),
            vat_rates=_vat_rates(data["vat_rate"], valid_from),
            per_mille_year=rate(data.get("per_mille_year", "0"), "per_mille_year"),
            day_count=_day_count(data),
            flat_minor=_optional(data, "flat_minor", 0),
            onboarding=_onboarding(data.get("onboarding"), valid_from),
            tariffs=tariffs,
            minimum_minor=minimum,
            maximum_minor=maximum,
            annual_minimum_minor=_optional(data, "annual_minimum_minor", 0),
            discounts=_discounts(data.get("discounts", ()), priced),
            cycle=_one_of(data["charged"], Cycle, "charged"),
            charge_business_day=business_day,
        )

    @cached_property
    def rate_text(self) -> str:
        """``per_mille_year`` as decimal text."""
        return shown(self.per_mille_year)

    @cached_property
    def memo(self) -> dict[tuple[date, int], Any]:
        """Where custody.fees keeps what it has reckoned of the terms of one day."""
        return {}

    def in_force(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def vat_rate(self, day: date) -> Fraction:
        """The VAT rate of the day, which must be within the contract's dates."""
        return [rate for since, rate in self.vat_rates if since <= day][-1]

    def left(self, component: str | None, day: date) -> Fraction:
        """What part of a component is left to pay on a day after discounts; None asks of what concerns the whole bill."""
        part = _ALL
        for discount in self.discounts:
            concerns = not discount.of or component in discount.of
            if concerns and discount.valid_from <= day and (discount.valid_to is None or day <= discount.valid_to):
                part *= 1 - discount.rate
        return part


def whole(value: object, what: str) -> int:
    """A whole number from 0 to the largest amount. Raises UsageError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_MINOR:
        raise UsageError(f"{what} must be a whole number from 0 to {MAX_MINOR}, not {value!r}")
    return value


def rate(value: object, key: str) -> Fraction:
    """Decimal text to an exact fraction. A YAML or JSON number is refused: it has been a float already."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise UsageError(f"{key} must be decimal text such as '0.06', not {value!r}")
    return Fraction(value)


def shown(exact: Fraction) -> str:
    """A rate as decimal text; every rate of a contract comes from decimal text, so the division ends."""
    digits = 0
    while (exact * 10**digits).denominator != 1:
        digits += 1
    scaled = str((exact * 10**digits).numerator).rjust(digits + 1, "0")
    return f"{scaled[: len(scaled) - digits]}.{scaled[len(scaled) - digits :]}" if digits else scaled


def _optional(data: Mapping[str, object], key: str, absent: int) -> int:
    return whole(data[key], key) if key in data else absent


def _date(value: object, key: str) -> date:
    if type(value) is date:  # a datetime would be a moment, not a day
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise UsageError(f"{key} must be a date YYYY-MM-DD, not {value!r}") from None


def _last(value: object, first: date, what: str) -> date | None:
    last = None if value is None else _date(value, f"valid_to of {what}")
    if last is not None and last < first:
        raise UsageError(f"{what} ends on {last}, before it starts on {first}")
    return last


def _one_of(value: object, kinds: type[_E], key: str) -> _E:
    if value not in list(kinds):
        raise UsageError(f"{key} must be one of {', '.join(kinds)}, not {value!r}")
    return kinds(str(value))


def _rounding(value: object) -> Rounding:
    for rule in get_args(Rounding):
        if value == rule:
            found: Rounding = rule
            return found
    raise UsageError(f"rounding must be one of {', '.join(get_args(Rounding))}, not {value!r}")


def _day_count(data: Mapping[str, object]) -> DayCount | None:
    if "day_count" not in data and "per_mille_year" not in data:
        return None
    day_count = data.get("day_count")
    if day_count not in _FEE_DAY_COUNTS:
        raise UsageError(
            f"day_count must be one of {', '.join(_FEE_DAY_COUNTS)} where per_mille_year is stated, not {day_count!r}"
        )
    return DayCount(str(day_count))


def _onboarding(value: object, valid_from: date) -> tuple[date, int] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) != {"on", "minor"}:
        raise UsageError(f"onboarding must have on and minor, not {value!r}")
    return _date(value["on"], "onboarding.on"), whole(value["minor"], "onboarding.minor")


def _tariffs(data: Mapping[str, object]) -> tuple[Tariff, ...]:
    found = []
    for key, named, unit in (("per_transaction_minor", transactions, 1), ("per_mille_of_volume", volume, 1000)):
        prices = data.get(key, {})
        if not isinstance(prices, Mapping):
            raise UsageError(f"{key} must map transaction types to prices, not {prices!r}")
        for txn_type, price in prices.items():
            if txn_type not in list(TxnType):
                raise UsageError(f"{key} names {txn_type!r}, which is not a transaction type")
            found.append(_tariff(named(str(txn_type)), price, unit, f"the price of {txn_type} in {key}"))
    found += [_tariff(component, data[key], 1, key) for key, component in _BY_PIECE.items() if key in data]
    return tuple(sorted(found, key=lambda tariff: tariff.component))


def _tariff(component: str, value: object, unit: int, what: str) -> Tariff:
    if not isinstance(value, Mapping):
        return Tariff(component, TierMode.GRADUATED, ((0, _price(value, unit, what)),))
    named = "price_minor" if unit == 1 else "per_mille"
    if set(value) != {"mode", "tiers"} or not isinstance(value["tiers"], Sequence):
        raise UsageError(f"{what} must have mode and tiers, not {value!r}")
    tiers = []
    for tier in value["tiers"]:
        if not isinstance(tier, Mapping) or set(tier) != {"above", named}:
            raise UsageError(f"each tier of {what} must have above and {named}, not {tier!r}")
        tiers.append((whole(tier["above"], f"above in {what}"), _price(tier[named], unit, what)))
    starts = [above for above, _ in tiers]
    if not starts or starts[0] != 0 or starts != sorted(set(starts)):
        raise UsageError(f"the tiers of {what} must begin above 0 and rise, not {starts}")
    return Tariff(component, _one_of(value["mode"], TierMode, f"mode of {what}"), tuple(tiers))


def _price(value: object, unit: int, what: str) -> Fraction:
    if unit == 1 and not isinstance(value, str):
        return Fraction(whole(value, what))
    return rate(value, what) / unit


def _discounts(value: object, priced: set[str]) -> tuple[Discount, ...]:
    if not isinstance(value, (list, tuple)):
        raise UsageError(f"discounts must be a list, not {value!r}")
    found = []
    for said in value:
        if not isinstance(said, Mapping) or not {"valid_from", "valid_to", "rate"} <= set(said) <= {
            "valid_from",
            "valid_to",
            "rate",
            "of",
        }:
            raise UsageError(f"a discount has valid_from, valid_to, rate and may have of, not {said!r}")
        first, part = _date(said["valid_from"], "discounts.valid_from"), rate(said["rate"], "discounts.rate")
        of = said.get("of", [])
        if not isinstance(of, (list, tuple)) or not set(of) <= priced or ("of" in said and not of):
            raise UsageError(f"a discount is of components that the contract prices ({', '.join(sorted(priced))}), not {of!r}")
        if not 0 < part <= 1:
            raise UsageError(f"the rate of a discount lies above 0 and is at most 1 (a waiver), not {said['rate']!r}")
        found.append(Discount(first, _last(said["valid_to"], first, "a discount"), part, frozenset(of)))
    return tuple(found)


def _vat_rates(value: object, valid_from: date) -> tuple[tuple[date, Fraction], ...]:
    if isinstance(value, str):
        return ((valid_from, rate(value, "vat_rate")),)
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(v, Mapping) and set(v) == {"valid_from", "rate"} for v in value
    ):
        raise UsageError(f"vat_rate must be a rate, or a list of valid_from and rate, not {value!r}")
    rates = [(_date(v["valid_from"], "vat_rate.valid_from"), rate(v["rate"], "vat_rate.rate")) for v in value]
    starts = [since for since, _ in rates]
    if not starts or starts != sorted(set(starts)) or starts[0] > valid_from:
        raise UsageError("vat_rate must be in order of date and cover the contract's first day")
    return tuple(rates)
