"""Custody fees (domain.md §7): a dated contract, and one day's accrual from the balance base and the counts by type.

Rounding leaves nothing behind inside a charging month (the calendar month): each day is charged the rounded exact total
to date less what was accrued before, so that the days always add up to the rounded exact total of the period, however
the period is cut. What is not yet a whole minor unit goes to the next day as an exact fraction.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import get_args

from custody.calendar import ONE_DAY
from custody.errors import UsageError
from custody.money import MAX_MINOR, MINOR_DIGITS, Rounding, format_amount, round_minor
from custody.names import DayCount, TxnType

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,10})?", re.ASCII)
_FRACTION = re.compile(r"(0|-?[1-9][0-9]*)/([1-9][0-9]*)", re.ASCII)
_CARRY = re.compile(
    r"([0-9]{4}-[0-9]{2})\|([0-9-]{10}|)\|([0-9]{1,18})\|(-?[0-9]+/[0-9]+)\|([0-9]{1,18})\|(-?[0-9]+/[0-9]+)", re.ASCII
)
_KEYS = {
    "valid_from", "valid_to", "currency", "per_mille_year", "day_count", "per_transaction_minor", "vat_rate", "rounding",
}  # fmt: skip
# 30/360 gives a 31st no day, and a fee accrues on every calendar day.
_FEE_DAY_COUNTS = (DayCount.ACTUAL_360, DayCount.ACTUAL_365, DayCount.ACTUAL_ACTUAL)


@dataclass(frozen=True)
class FeeContract:
    """What one platform pays from ``valid_from`` to ``valid_to`` (both in; None = no end agreed).

    ``per_mille_year`` is per mille a year of the day's balance base; ``per_transaction_minor`` is minor units for each
    transaction of a type, and a type that it does not name is free; ``vat_rates`` are (valid from, rate) in order.
    """

    valid_from: date
    valid_to: date | None
    currency: str
    per_mille_year: Fraction
    day_count: DayCount
    per_transaction_minor: tuple[tuple[str, int], ...]
    vat_rates: tuple[tuple[date, Fraction], ...]
    rounding: Rounding

    @classmethod
    def parse(cls, data: Mapping[str, object]) -> FeeContract:
        """The contract from its mapping (world.json, register). Every key is required, and no other is taken.

        ``vat_rate`` is one rate as text for the contract's whole life, or a list of {"valid_from", "rate"} of which the
        first is in force on the contract's first day. Raises UsageError naming the key that is wrong.
        """
        if set(data) != _KEYS:
            raise UsageError(f"a fee contract has the keys {sorted(_KEYS)}; wrong or missing: {sorted(_KEYS ^ set(data))}")
        valid_from = _date(data["valid_from"], "valid_from")
        valid_to = None if data["valid_to"] is None else _date(data["valid_to"], "valid_to")
        if valid_to is not None and valid_to < valid_from:
            raise UsageError(f"the fee contract ends on {valid_to}, before it starts on {valid_from}")
        day_count = data["day_count"]
        if day_count not in _FEE_DAY_COUNTS:
            raise UsageError(f"day_count must be one of {', '.join(_FEE_DAY_COUNTS)}, not {day_count!r}")
        currency = data["currency"]
        if not isinstance(currency, str) or currency not in MINOR_DIGITS:
            raise UsageError(f"currency must be one of {', '.join(sorted(MINOR_DIGITS))}, not {currency!r}")
        return cls(
            valid_from=valid_from,
            valid_to=valid_to,
            currency=currency,
            per_mille_year=_rate(data["per_mille_year"], "per_mille_year"),
            day_count=DayCount(str(day_count)),
            per_transaction_minor=_prices(data["per_transaction_minor"]),
            vat_rates=_vat_rates(data["vat_rate"], valid_from),
            rounding=_rounding(data["rounding"]),
        )

    def in_force(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def vat_rate(self, day: date) -> Fraction:
        """The VAT rate of the day, which must be within the contract's dates."""
        return [rate for since, rate in self.vat_rates if since <= day][-1]


@dataclass(frozen=True)
class FeeCarry:
    """What a charging month has accrued up to and with ``through``, and the exact part of a minor unit left over.

    The rests are "numerator/denominator" of a minor unit, in lowest terms: exact total = accrued + rest. The accrued
    totals stand beside the rests because half-even rounding needs to know whether the total so far is even.
    """

    month: str
    through: date | None
    balance_fee_minor: int
    balance_fee_rest: str
    vat_minor: int
    vat_rest: str

    @classmethod
    def opening(cls, accrual_date: date) -> FeeCarry:
        """Nothing accrued yet in the month of ``accrual_date``: for its 1st, or the platform's first day under contract."""
        return cls(f"{accrual_date:%Y-%m}", None, 0, "0/1", 0, "0/1")

    def as_text(self) -> str:
        """One cell: ``month|through|balance fee|rest|VAT|rest``, the amounts in minor units. ``parse`` reads it back."""
        parts = (self.month, self.through or "", self.balance_fee_minor, self.balance_fee_rest, self.vat_minor, self.vat_rest)
        return "|".join(str(part) for part in parts)

    @classmethod
    def parse(cls, text: str) -> FeeCarry:
        """The carry from its text. Raises UsageError when it is not one."""
        found = _CARRY.fullmatch(text)
        if found is None:
            raise UsageError(f"{text!r} is not the carry of a fee accrual")
        through = _date(found[2], "carry") if found[2] else None
        return cls(found[1], through, int(found[3]), found[4], int(found[5]), found[6])


@dataclass(frozen=True)
class FeeAccrual:
    """One platform's fee for one calendar day, in minor units of ``currency``; gross = net + VAT.

    ``charges`` are (type, count, price, fee) of each type that has a price, in the order of their names.
    """

    accrual_date: date
    currency: str
    base_minor: int
    balance_fee_minor: int
    transaction_fee_minor: int
    net_minor: int
    vat_minor: int
    gross_minor: int
    carry: FeeCarry
    per_mille_year: Fraction
    day_count: DayCount
    vat_rate: Fraction
    rounding: Rounding
    charges: tuple[tuple[str, int, int, int], ...]

    def explain(self) -> list[tuple[str, str]]:
        """How the figures came about, line by line in (English, Chinese); amounts in major units."""
        base, fee, net, vat, gross = (
            format_amount(minor, self.currency)
            for minor in (self.base_minor, self.balance_fee_minor, self.net_minor, self.vat_minor, self.gross_minor)
        )
        days = _days_in_year(self.day_count, self.accrual_date)
        lines = [
            (
                f"{self.accrual_date}: base {base} x {_shown(self.per_mille_year)} per mille / {days} = {fee} {self.currency}"
                f" ({self.day_count}, {self.rounding}; rest carried {self.carry.balance_fee_rest} minor unit)",
                f"{self.accrual_date}：计费余额 {base} × 年费率 {_shown(self.per_mille_year)}‰ ÷ {days} = {fee} {self.currency}"
                f"（{self.day_count}，{self.rounding}；结转尾差 {self.carry.balance_fee_rest} 最小货币单位）",
            )
        ]
        for txn_type, count, price, amount in self.charges:
            each, total = format_amount(price, self.currency), format_amount(amount, self.currency)
            lines.append((f"{txn_type}: {count} x {each} = {total}", f"{txn_type}：{count} 笔 × {each} = {total}"))
        percent = _shown(self.vat_rate * 100)
        lines.append(
            (
                f"net {net} x VAT {percent}% = {vat} (rest carried {self.carry.vat_rest} minor unit); gross {gross}",
                f"不含税 {net} × 增值税率 {percent}% = {vat}（结转尾差 {self.carry.vat_rest} 最小货币单位）；价税合计 {gross}",
            )
        )
        return lines


def contract_for(contracts: Iterable[FeeContract], day: date) -> FeeContract:
    """The one contract in force on ``day``. Raises UsageError when there is none or more than one."""
    found = [contract for contract in contracts if contract.in_force(day)]
    if len(found) != 1:
        raise UsageError(f"{len(found)} fee contracts are in force on {day}; there must be exactly one")
    return found[0]


def carry_into(accrual_date: date, previous: FeeCarry | None) -> FeeCarry:
    """The carry that ``accrual_date`` starts from: the previous day's inside a month, a fresh one with a new month.

    ``previous`` is None on the platform's first day under contract. Raises UsageError when a day was left out or is
    accrued again, which would lose or double its fee.
    """
    if previous is None:
        return FeeCarry.opening(accrual_date)
    if previous.through is None or previous.through + ONE_DAY != accrual_date:
        raise UsageError(f"fees are accrued through {previous.through}; {accrual_date} is not the next day")
    return previous if previous.month == f"{accrual_date:%Y-%m}" else FeeCarry.opening(accrual_date)


def accrue(
    contract: FeeContract, accrual_date: date, balance_base_minor: int, counts: Mapping[str, int], carried: FeeCarry
) -> FeeAccrual:
    """The fee of one calendar day.

    ``balance_base_minor`` is the sum of customers' sub-accounts at the end of the day (domain.md §7: customers only);
    ``counts`` is the number of transactions by TxnType of the day. The balance fee and the VAT (on the day's net, at the
    day's rate) go by the carry; the transaction fees are whole minor units anyway.
    Raises UsageError for a day outside the contract's dates (which contract applies is the caller's to choose, and a fee
    without a contract must stop rather than be nought), for a carry that is not of the day before, and for a negative
    base or count.
    """
    if not contract.in_force(accrual_date):
        raise UsageError(f"{accrual_date} is outside the fee contract of {contract.valid_from} to {contract.valid_to}")
    _check_carry(carried, accrual_date)
    _whole(balance_base_minor, "the balance base")
    charges = _charges(contract, counts)

    day_fee = balance_base_minor * contract.per_mille_year / 1000 / _days_in_year(contract.day_count, accrual_date)
    balance_fee, balance_total, balance_rest = _next(
        carried.balance_fee_minor, carried.balance_fee_rest, day_fee, contract.rounding
    )
    transaction_fee = sum(amount for _, _, _, amount in charges)
    net = balance_fee + transaction_fee
    rate = contract.vat_rate(accrual_date)
    vat, vat_total, vat_rest = _next(carried.vat_minor, carried.vat_rest, net * rate, contract.rounding)
    return FeeAccrual(
        accrual_date=accrual_date,
        currency=contract.currency,
        base_minor=balance_base_minor,
        balance_fee_minor=balance_fee,
        transaction_fee_minor=transaction_fee,
        net_minor=net,
        vat_minor=vat,
        gross_minor=net + vat,
        carry=FeeCarry(carried.month, accrual_date, balance_total, balance_rest, vat_total, vat_rest),
        per_mille_year=contract.per_mille_year,
        day_count=contract.day_count,
        vat_rate=rate,
        rounding=contract.rounding,
        charges=charges,
    )


def _next(accrued_minor: int, rest: str, exact: Fraction, rounding: Rounding) -> tuple[int, int, str]:
    """(this day's whole minor units, the month's total to date, the rest as text) after adding ``exact``."""
    total = accrued_minor + _fraction(rest) + exact
    rounded = round_minor(total, rounding)
    left = total - rounded
    return rounded - accrued_minor, rounded, f"{left.numerator}/{left.denominator}"


def _charges(contract: FeeContract, counts: Mapping[str, int]) -> tuple[tuple[str, int, int, int], ...]:
    for txn_type, count in counts.items():
        if txn_type not in list(TxnType):
            raise UsageError(f"{txn_type!r} is not a transaction type")
        _whole(count, f"the count of {txn_type}")
    return tuple(
        (txn_type, counts[txn_type], price, counts[txn_type] * price)
        for txn_type, price in contract.per_transaction_minor
        if counts.get(txn_type)
    )


def _check_carry(carried: FeeCarry, accrual_date: date) -> None:
    if carried.month != f"{accrual_date:%Y-%m}":
        raise UsageError(f"the carry is of {carried.month}; the charging month of {accrual_date} starts with its own")
    if carried.through is not None and carried.through + ONE_DAY != accrual_date:
        raise UsageError(f"the carry runs through {carried.through}; {accrual_date} is not the next day")


def _days_in_year(day_count: DayCount, day: date) -> int:
    if day_count is DayCount.ACTUAL_360:
        return 360
    return 366 if day_count is DayCount.ACTUAL_ACTUAL and isleap(day.year) else 365


def _fraction(text: str) -> Fraction:
    found = _FRACTION.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is not an exact rest such as -3/365")
    return Fraction(int(found[1]), int(found[2]))


def _date(value: object, key: str) -> date:
    if type(value) is date:  # a datetime would be a moment, not a day
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise UsageError(f"{key} must be a date YYYY-MM-DD, not {value!r}") from None


def _rate(value: object, key: str) -> Fraction:
    """Decimal text to an exact fraction. A YAML or JSON number is refused: it has been a float already."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise UsageError(f"{key} must be decimal text such as '0.06', not {value!r}")
    return Fraction(value)


def _rounding(value: object) -> Rounding:
    for rule in get_args(Rounding):
        if value == rule:
            found: Rounding = rule
            return found
    raise UsageError(f"rounding must be one of {', '.join(get_args(Rounding))}, not {value!r}")


def _prices(value: object) -> tuple[tuple[str, int], ...]:
    if not isinstance(value, Mapping):
        raise UsageError(f"per_transaction_minor must map transaction types to minor units, not {value!r}")
    prices = []
    for txn_type, price in value.items():
        if txn_type not in list(TxnType):
            raise UsageError(f"per_transaction_minor names {txn_type!r}, which is not a transaction type")
        prices.append((str(txn_type), _whole(price, f"the price of {txn_type}")))
    return tuple(sorted(prices))


def _vat_rates(value: object, valid_from: date) -> tuple[tuple[date, Fraction], ...]:
    if isinstance(value, str):
        return ((valid_from, _rate(value, "vat_rate")),)
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(v, Mapping) and set(v) == {"valid_from", "rate"} for v in value
    ):
        raise UsageError(f"vat_rate must be a rate, or a list of valid_from and rate, not {value!r}")
    rates = [(_date(v["valid_from"], "vat_rate.valid_from"), _rate(v["rate"], "vat_rate.rate")) for v in value]
    starts = [since for since, _ in rates]
    if not starts or starts != sorted(set(starts)) or starts[0] > valid_from:
        raise UsageError("vat_rate must be in order of date and cover the contract's first day")
    return tuple(rates)


def _whole(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_MINOR:
        raise UsageError(f"{what} must be a whole number from 0 to {MAX_MINOR}, not {value!r}")
    return value


def _shown(exact: Fraction) -> str:
    """A rate as decimal text; every rate here comes from decimal text, so the division ends."""
    digits = 0
    while (exact * 10**digits).denominator != 1:
        digits += 1
    scaled = str((exact * 10**digits).numerator).rjust(digits + 1, "0")
    return f"{scaled[: len(scaled) - digits]}.{scaled[len(scaled) - digits :]}" if digits else scaled
