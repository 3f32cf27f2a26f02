"""A day's custody fee, computed by hand in the comments, and the contracts and days that are refused."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from custody.errors import UsageError
from custody.fees import FeeAccrual, FeeCarry, FeeContract, accrue, carry_into, contract_for

DATA: dict[str, object] = {
    "valid_from": "2019-01-01",
    "valid_to": "2019-12-31",
    "currency": "CNY",
    "per_mille_year": "3.65",  # a day of actual/365 is then a hundred-thousandth of the base
    "day_count": "actual/365",
    "per_transaction_minor": {"WITHDRAW": 50, "RECHARGE": 20},
    "vat_rate": "0.06",
    "rounding": "half_even",
}
CONTRACT = FeeContract.parse(DATA)
FIRST = date(2019, 12, 1)


def accrue_days(contract: FeeContract, bases: list[int], counts: Mapping[str, int] | None = None) -> list[FeeAccrual]:
    found: list[FeeAccrual] = []
    for offset, base in enumerate(bases):
        day = date.fromordinal(FIRST.toordinal() + offset)
        carried = carry_into(day, found[-1].carry if found else None)
        found.append(accrue(contract, day, base, counts or {}, carried))
    return found


def test_two_days_by_hand() -> None:
    # Day 1: 12345678 / 100000 = 123.45678 -> 123, rest 0.45678 = 22839/50000. Recharges 3 x 20 = 60. Net 183.
    #        VAT 183 x 0.06 = 10.98 -> 11, rest -0.02 = -1/50. Gross 194.
    first = accrue(CONTRACT, FIRST, 12_345_678, {"RECHARGE": 3, "TENDER_FREEZE": 9}, FeeCarry.opening(FIRST))
    assert (first.balance_fee_minor, first.transaction_fee_minor, first.net_minor) == (123, 60, 183)
    assert (first.vat_minor, first.gross_minor) == (11, 194)
    assert first.carry == FeeCarry("2019-12", FIRST, 123, "22839/50000", 11, "-1/50")
    # Day 2, same base: 246.91356 -> 247, so 124, rest -0.08644 = -2161/25000. VAT 10.98 + 7.44 = 18.42 -> 18, so 7.
    day = date(2019, 12, 2)
    second = accrue(CONTRACT, day, 12_345_678, {}, carry_into(day, first.carry))
    assert (second.balance_fee_minor, second.net_minor, second.vat_minor, second.gross_minor) == (124, 124, 7, 131)
    assert second.carry == FeeCarry("2019-12", day, 247, "-2161/25000", 18, "21/50")


def test_a_carry_is_one_cell_of_text() -> None:
    carry = FeeCarry("2019-12", FIRST, 123, "22839/50000", 11, "-1/50")
    assert carry.as_text() == "2019-12|2019-12-01|123|22839/50000|11|-1/50"
    assert FeeCarry.parse(carry.as_text()) == carry
    assert FeeCarry.parse(FeeCarry.opening(FIRST).as_text()) == FeeCarry.opening(FIRST)
    for wrong in ("", "1/2", "2019-12|2019-12-32|0|0/1|0|0/1", carry.as_text() + "|"):
        with pytest.raises(UsageError):
            FeeCarry.parse(wrong)


def test_half_even_knows_whether_the_total_so_far_is_even() -> None:
    # Half a fen a day: totals .5 1 1.5 2 2.5 3 round to 0 1 2 2 2 3. Rounding the rest alone would give 0 1 0 1 0 1.
    assert [a.balance_fee_minor for a in accrue_days(CONTRACT, [50_000] * 6)] == [0, 1, 1, 0, 0, 1]
    half_up = replace(CONTRACT, rounding="half_up")
    assert [a.balance_fee_minor for a in accrue_days(half_up, [50_000] * 4)] == [1, 0, 1, 0]
    # A day without a balance after a half rounded up charges nothing, and gives nothing back.
    assert [a.balance_fee_minor for a in accrue_days(half_up, [50_000, 0])] == [1, 0]


def test_a_new_month_starts_with_no_rest() -> None:
    last = accrue_days(CONTRACT, [50_000] * 31)[-1]
    assert last.carry.balance_fee_minor == 16  # 15.5 -> 16
    assert carry_into(date(2020, 1, 1), last.carry) == FeeCarry.opening(date(2020, 1, 1))


def test_vat_has_its_own_dates() -> None:
    data = {**DATA, "vat_rate": [{"valid_from": "2018-05-01", "rate": "0.1"}, {"valid_from": "2019-12-02", "rate": "0.06"}]}
    first, second = accrue_days(FeeContract.parse(data), [0, 0], {"RECHARGE": 10})
    assert (first.vat_minor, second.vat_minor) == (20, 12)


def test_day_counts() -> None:
    leap = date(2020, 2, 1)
    for day_count, year in (("actual/360", 360), ("actual/365", 365), ("actual/actual", 366)):
        contract = FeeContract.parse({**DATA, "valid_to": None, "per_mille_year": "1000", "day_count": day_count})
        assert accrue(contract, leap, 36_500_000, {}, FeeCarry.opening(leap)).balance_fee_minor == round(
            Fraction(36_500_000, year)
        )


def test_the_order_of_transactions_does_not_matter() -> None:
    one = accrue(CONTRACT, FIRST, 7, {"RECHARGE": 2, "WITHDRAW": 3}, FeeCarry.opening(FIRST))
    other = accrue(CONTRACT, FIRST, 7, {"WITHDRAW": 3, "RECHARGE": 2}, FeeCarry.opening(FIRST))
    assert one == other
    assert one.charges == (("RECHARGE", 2, 20, 40), ("WITHDRAW", 3, 50, 150))
    assert one.explain() == other.explain()


def test_explain_says_every_figure() -> None:
    found = accrue(CONTRACT, FIRST, 12_345_678, {"RECHARGE": 3}, FeeCarry.opening(FIRST))
    assert [english for english, _ in found.explain()] == [
        "2019-12-01: base 123456.78 x 3.65 per mille / 365 = 1.23 CNY"
        " (actual/365, half_even; rest carried 22839/50000 minor unit)",
        "RECHARGE: 3 x 0.20 = 0.60",
        "net 1.83 x VAT 6% = 0.11 (rest carried -1/50 minor unit); gross 1.94",
    ]
    assert found.explain()[1][1] == "RECHARGE：3 笔 × 0.20 = 0.60"


@pytest.mark.parametrize(
    ("day", "base", "counts", "carry"),
    [
        (date(2018, 12, 31), 1, {}, FeeCarry.opening(date(2018, 12, 31))),
        (date(2020, 1, 1), 1, {}, FeeCarry.opening(date(2020, 1, 1))),
        (FIRST, -1, {}, FeeCarry.opening(FIRST)),
        (FIRST, 1, {"RECHARGE": -1}, FeeCarry.opening(FIRST)),
        (FIRST, 1, {"RECHRAGE": 1}, FeeCarry.opening(FIRST)),
        (FIRST, 1, {}, FeeCarry.opening(date(2019, 11, 30))),
        (date(2019, 12, 3), 1, {}, FeeCarry("2019-12", FIRST, 0, "0/1", 0, "0/1")),
        (date(2019, 12, 2), 1, {}, FeeCarry("2019-12", FIRST, 0, "0.5", 0, "0/1")),
    ],
)
def test_days_that_are_refused(day: date, base: int, counts: dict[str, int], carry: FeeCarry) -> None:
    with pytest.raises(UsageError):
        accrue(CONTRACT, day, base, counts, carry)


def test_a_day_left_out_or_accrued_again_is_refused() -> None:
    first = accrue_days(CONTRACT, [1])[0]
    for day in (FIRST, date(2019, 12, 3), date(2020, 1, 2)):
        with pytest.raises(UsageError):
            carry_into(day, first.carry)


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_mille_year": 3.65},
        {"per_mille_year": "3,65"},
        {"day_count": "30/360"},
        {"currency": "XXX"},
        {"valid_to": "2018-01-01"},
        {"valid_from": "1.1.2019"},
        {"per_transaction_minor": {"RECHRAGE": 20}},
        {"per_transaction_minor": {"RECHARGE": "20"}},
        {"vat_rate": []},
        {"vat_rate": [{"valid_from": "2019-02-01", "rate": "0.06"}]},
        {"rounding": "up"},
        {"minimum": "1"},
    ],
)
def test_contracts_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        FeeContract.parse({**DATA, **wrong})


def test_a_contract_without_one_of_its_keys_is_refused() -> None:
    for key in DATA:
        with pytest.raises(UsageError, match=key):
            FeeContract.parse({k: v for k, v in DATA.items() if k != key})


def test_exactly_one_contract_is_in_force() -> None:
    later = FeeContract.parse({**DATA, "valid_from": "2020-01-01", "valid_to": None})
    assert contract_for([CONTRACT, later], date(2019, 12, 31)) is CONTRACT
    assert contract_for([CONTRACT, later], date(2020, 1, 1)) is later
    with pytest.raises(UsageError, match="0 fee contracts"):
        contract_for([CONTRACT, later], date(2018, 1, 1))
    with pytest.raises(UsageError, match="2 fee contracts"):
        contract_for([CONTRACT, CONTRACT], date(2019, 6, 1))
