"""Custody fees against contracts computed by hand, in the comments; and the contracts and days that are refused."""

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from custody.errors import UsageError
from custody.fee_contract import Cycle, FeeContract
from custody.fee_usage import Usage, usage_of
from custody.fee_words import day_words, exact_amount
from custody.fees import (
    DayFacts,
    FeeAccrual,
    FeeState,
    accrue,
    contract_for,
    named_period,
    passed,
    period_name,
    period_of,
    state_into,
    whole_lines,
)

BARE: dict[str, object] = {
    "valid_from": "2019-01-01", "valid_to": None, "currency": "CNY", "vat_rate": "0.06", "rounding": "half_even",
    "charged": "monthly", "charge_business_day": 1,
}  # fmt: skip
# A day of 3.65 per mille by actual/365 is a hundred-thousandth of the base.
BY_BALANCE = BARE | {"per_mille_year": "3.65", "day_count": "actual/365"}
FIRST = date(2019, 12, 1)
Facts = Callable[[date], DayFacts]


def contract(**terms: object) -> FeeContract:
    return FeeContract.parse(BARE | terms)


def run(of: FeeContract | Callable[[date], FeeContract], first: date, days: int, facts: Facts | DayFacts) -> list[FeeAccrual]:
    """The days' accruals, each state through its text."""
    found: list[FeeAccrual] = []
    for day in (first + timedelta(days=n) for n in range(days)):
        terms = of if isinstance(of, FeeContract) else of(day)
        before = FeeState.parse(found[-1].state.as_text()) if found else None
        of_day = facts if isinstance(facts, DayFacts) else facts(day)
        found.append(accrue(terms, day, of_day, state_into(terms, day, before)))
    return found


def nets(accruals: list[FeeAccrual]) -> list[int]:
    return [accrual.net_minor for accrual in accruals]


def totals(accruals: list[FeeAccrual]) -> dict[str, Fraction]:
    return accruals[-1].state.totals()


def test_two_days_by_hand() -> None:
    terms = FeeContract.parse(BY_BALANCE | {"per_transaction_minor": {"WITHDRAW": 50, "RECHARGE": 20}})
    counts = {FIRST: {"transaction.RECHARGE": 3, "transaction.TENDER_FREEZE": 9}}
    first, second = run(terms, FIRST, 2, lambda day: DayFacts(12_345_678, counts.get(day, {})))
    # Day 1: 12345678 / 100000 = 123.45678, and 3 x 20 = 60: 183.45678 -> 183. VAT 183 x 0.06 = 10.98 -> 11.
    assert (first.net_minor, first.vat_minor, first.gross_minor) == (183, 11, 194)
    assert [(line.component, line.quantity, line.fee) for line in first.lines] == [
        ("balance", 12_345_678, Fraction("123.45678")),
        ("transaction.RECHARGE", 3, 60),
    ]
    # Day 2: to date 306.91356 -> 307, so 124. VAT 307 x 0.06 = 18.42 -> 18, so 7.
    assert (second.net_minor, second.vat_minor, second.gross_minor) == (124, 7, 131)
    assert second.state.exact == Fraction("306.91356")
    assert second.state.vat == Fraction("18.42")
    assert second.state.accrued_minor == 194 + 131


def test_half_even_knows_whether_the_total_so_far_is_even() -> None:
    # Half a fen a day: totals .5 1 1.5 2 2.5 3 round to 0 1 2 2 2 3. Rounding the rest alone would give 0 1 0 1 0 1.
    assert nets(run(FeeContract.parse(BY_BALANCE), FIRST, 6, DayFacts(50_000))) == [0, 1, 1, 0, 0, 1]
    half_up = FeeContract.parse(BY_BALANCE | {"rounding": "half_up"})
    assert nets(run(half_up, FIRST, 4, DayFacts(50_000))) == [1, 0, 1, 0]
    # A day without a balance after a half rounded up charges nothing, and gives nothing back.
    assert nets(run(half_up, FIRST, 2, lambda day: DayFacts(50_000 if day == FIRST else 0))) == [1, 0]


def test_the_average_balance_by_day_counts_in_a_leap_february() -> None:
    # 29 days at 10,000,000.00 and 1.2 per mille a year: 12,000.00 a year, so 29 days of it.
    # /360: 966.666... -> 966.67. /365: 953.42465... -> 953.42. actual/actual in a leap year /366: 950.81967... -> 950.82.
    for day_count, net in (("actual/360", 96_667), ("actual/365", 95_342), ("actual/actual", 95_082)):
        terms = contract(per_mille_year="1.2", day_count=day_count)
        assert sum(nets(run(terms, date(2020, 2, 1), 29, DayFacts(1_000_000_000)))) == net
    # Over a new year actual/actual divides each day by its own year: 31 x 12000/365 + 31 x 12000/366 = 1019.178... + 1016.393...
    terms = contract(per_mille_year="1.2", day_count="actual/actual")
    december, january = run(terms, FIRST, 31, DayFacts(10**9)), run(terms, date(2020, 1, 1), 31, DayFacts(10**9))
    assert (sum(nets(december)), sum(nets(january))) == (101_918, 101_639)


def test_a_flat_fee_is_for_a_period_and_each_day_has_its_part() -> None:
    # 1,000.00 a month: 31 days of December add up to it; from the 11th on 21/31 of it, 677.4193... -> 677.42.
    terms = contract(flat_minor=100_000)
    assert sum(nets(run(terms, FIRST, 31, DayFacts(0)))) == 100_000
    assert sum(nets(run(terms, date(2019, 12, 11), 21, DayFacts(0)))) == 67_742
    # A quarter's: 91 days of the first quarter of 2020 (31 + 29 + 31).
    quarterly = contract(flat_minor=100_000, charged="quarterly")
    found = run(quarterly, date(2020, 1, 1), 91, DayFacts(0))
    assert (sum(nets(found)), sum(nets(found[:31]))) == (100_000, 34_066)  # 100000 x 31/91 = 34065.93
    assert (found[-1].state.first, found[-1].state.last) == (date(2020, 1, 1), date(2020, 3, 31))


TIERS = [{"above": 0, "price_minor": 20}, {"above": 100, "price_minor": 15}, {"above": 300, "price_minor": 10}]


def test_graduated_tiers_price_each_piece_in_its_tier() -> None:
    # 350 in the month: 100 x 20 + 200 x 15 + 50 x 10 = 5500, whichever days they fall on.
    terms = contract(per_transaction_minor={"RECHARGE": {"mode": "graduated", "tiers": TIERS}})
    for split in ([350], [100, 250], [1, 0, 299, 50], [349, 1]):
        found = run(terms, FIRST, len(split), lambda day, s=split: DayFacts(0, {"transaction.RECHARGE": s[day.day - 1]}))  # type: ignore[misc]
        assert sum(nets(found)) == 5_500
    # 100 exactly are all in the first tier: 2000; the next one costs 15.
    assert sum(nets(run(terms, FIRST, 1, DayFacts(0, {"transaction.RECHARGE": 101})))) == 2_015


def test_all_units_tiers_price_the_whole_period_by_the_tier_that_is_reached() -> None:
    # 350: 350 x 10 = 3500. On the way: 100 x 20 = 2000; 300 x 15 = 4500, so 2500 more; then 1000 less.
    terms = contract(per_transaction_minor={"RECHARGE": {"mode": "all_units", "tiers": TIERS}})
    found = run(terms, FIRST, 3, lambda day: DayFacts(0, {"transaction.RECHARGE": [100, 200, 50][day.day - 1]}))
    assert nets(found) == [2_000, 2_500, -1_000]
    # VAT: 120, 270, 210.
    assert [accrual.vat_minor for accrual in found] == [120, 150, -60]
    assert totals(found) == {"transaction.RECHARGE": 3_500}


def test_by_volume() -> None:
    # 0.5 per mille of 12,345.67: 6.172835 -> 617 fen. Tiers: 10,000.00 at 0.5 and 2,345.67 at 0.2 per mille: 5 + 0.469134 -> 547 fen.
    facts = DayFacts(0, {"volume.WITHDRAW": 1_234_567, "transaction.WITHDRAW": 1})
    assert nets(run(contract(per_mille_of_volume={"WITHDRAW": "0.5"}), FIRST, 1, facts)) == [617]
    tiers = {"mode": "graduated", "tiers": [{"above": 0, "per_mille": "0.5"}, {"above": 1_000_000, "per_mille": "0.2"}]}
    assert nets(run(contract(per_mille_of_volume={"WITHDRAW": tiers}), FIRST, 1, facts)) == [547]


def test_what_is_priced_by_the_piece_and_what_once() -> None:
    terms = contract(
        per_account_opened_minor=100,
        per_sms_minor="4.5",
        per_identity_check_minor=30,
        onboarding={"on": "2019-12-02", "minor": 5_000_00},
    )
    facts = DayFacts(0, {"account_opened": 2, "sms": 3, "identity_check": 4})
    # 2 x 100 + 3 x 4.5 + 4 x 30 = 333.5 a day: 333.5 -> 334; on the second 500,000 more, 500667; 501000.5 -> 501000.
    assert nets(run(terms, FIRST, 3, facts)) == [334, 500_333, 333]
    assert totals(run(terms, FIRST, 3, facts)) == {
        "account_opened": 600, "identity_check": 360, "onboarding": 500_000, "sms": Fraction(81, 2),
    }  # fmt: skip


def test_text_messages_and_identity_checks_come_by_decision() -> None:
    rows = [
        {"used_on": "2019-12-30", "component": "sms", "pieces": 12, "line_no": 2},
        {"used_on": "2019-12-31", "component": "identity_check", "pieces": 3, "line_no": 3},
    ]
    decision = {
        "kind": "fee_usage", "outcome": "APPROVED", "subject": "P001", "proposal_id": "p1", "maker": "fee1", "checker": "sup1",
        "payload": json.dumps({"file_name": "december.csv", "rows": rows}),
    }  # fmt: skip
    decided = [decision, decision | {"outcome": "REJECTED"}, decision | {"kind": "case"}]
    assert list(usage_of(decided)) == [
        Usage("P001", date(2019, 12, 30), "sms", 12, "december.csv", 2, "p1", "fee1", "sup1"),
        Usage("P001", date(2019, 12, 31), "identity_check", 3, "december.csv", 3, "p1", "fee1", "sup1"),
    ]


def test_minimum_and_maximum_of_a_period() -> None:
    ten = DayFacts(0, {"transaction.RECHARGE": 10})
    # 10 x 20 a day for 31 days are 6200; at least 7000: each day at least 225.8 to date; at most 5000: each day at most 161.29 to date.
    prices = {"RECHARGE": 20}
    at_least = run(contract(per_transaction_minor=prices, minimum_minor=7_000), FIRST, 31, ten)
    assert sum(nets(at_least)) == 7_000
    assert totals(at_least) == {"transaction.RECHARGE": 6_200, "minimum": 800}
    at_most = run(contract(per_transaction_minor=prices, maximum_minor=5_000), FIRST, 31, ten)
    assert sum(nets(at_most)) == 5_000
    assert totals(at_most) == {"transaction.RECHARGE": 6_200, "maximum": -1_200}
    assert nets(at_most)[:2] == [161, 162]  # 161.29, 322.58
    # Under contract from the 22nd on: 10 of 31 days, so at least 2258.06..., where 2000 came.
    assert sum(nets(run(contract(per_transaction_minor=prices, minimum_minor=7_000), date(2019, 12, 22), 10, ten))) == 2_258
    # All of it on one day: what is above the day's part of the maximum is accrued as the month goes on, and never lost.
    once = run(contract(per_transaction_minor={"RECHARGE": 4_000}, maximum_minor=6_200), FIRST, 31, lambda d: DayFacts(0, {"transaction.RECHARGE": int(d == FIRST)}))  # fmt: skip
    assert nets(once)[:2] == [200, 200]
    assert sum(nets(once)) == 4_000


def test_the_annual_minimum_is_settled_with_the_years_last_period() -> None:
    # 20 a day are 7300 in 2019; at least 10,000 a year: 2700 more, all in December.
    terms = contract(per_transaction_minor={"RECHARGE": 20}, annual_minimum_minor=10_000)
    found = run(terms, date(2019, 1, 1), 366, DayFacts(0, {"transaction.RECHARGE": 1}))
    assert sum(nets(found[:334])) == 334 * 20
    assert sum(nets(found[:365])) == 10_000
    assert found[364].state.totals() == {"transaction.RECHARGE": 620, "annual_minimum": 2_700}
    assert nets(found)[365] == 20  # a new year
    # Under contract from 2019-07-02 to 2019-12-31 only: 183 of 365 days of it, 5013.69..., where 3660 came.
    short = FeeContract.parse(
        BARE | {"valid_from": "2019-07-02", "per_transaction_minor": {"RECHARGE": 20}, "annual_minimum_minor": 10_000}
    )
    assert sum(nets(run(short, date(2019, 7, 2), 183, DayFacts(0, {"transaction.RECHARGE": 1})))) == 5_014
    # A contract that ends on 2019-03-31 settles its 90 days in March: 2465.75..., where 1800 came.
    ends = contract(valid_to="2019-03-31", per_transaction_minor={"RECHARGE": 20}, annual_minimum_minor=10_000)
    assert sum(nets(run(ends, date(2019, 1, 1), 90, DayFacts(0, {"transaction.RECHARGE": 1})))) == 2_466


def test_discounts_and_waivers_are_dated() -> None:
    prices = {"per_transaction_minor": {"RECHARGE": 100, "WITHDRAW": 100}}
    facts = DayFacts(0, {"transaction.RECHARGE": 1, "transaction.WITHDRAW": 1})

    def discount(rate: str, first: str, last: str | None, **of: object) -> dict[str, object]:
        return {"rate": rate, "valid_from": first, "valid_to": last, **of}

    # A tenth off everything on the 2nd; withdrawals waived from the 3rd; both on the 4th: 200, 180, 100, 90.
    given = [
        discount("0.1", "2019-12-02", "2019-12-02"),
        discount("1", "2019-12-03", None, of=["transaction.WITHDRAW"]),
        discount("0.1", "2019-12-04", "2019-12-04"),
    ]
    assert nets(run(contract(**prices, discounts=given), FIRST, 4, facts)) == [200, 180, 100, 90]
    # A month waived: not the minimum either. A component waived: the minimum stands.
    waived = discount("1", "2019-12-01", "2019-12-31")
    assert sum(nets(run(contract(**prices, minimum_minor=3_100, discounts=[waived]), FIRST, 31, facts))) == 0
    parts = waived | {"of": ["transaction.RECHARGE", "transaction.WITHDRAW"]}
    assert sum(nets(run(contract(**prices, minimum_minor=3_100, discounts=[parts]), FIRST, 31, facts))) == 3_100
    # All units at the tier reached, those of a waived day not at all: 100 waived, 200 at 15 fen, 50 bring all 250 to 10.
    tiers = {"per_transaction_minor": {"RECHARGE": {"mode": "all_units", "tiers": TIERS}}}
    of_first = contract(**tiers, discounts=[discount("1", "2019-12-01", "2019-12-01")])
    found = run(of_first, FIRST, 3, lambda day: DayFacts(0, {"transaction.RECHARGE": [100, 200, 50][day.day - 1]}))
    assert nets(found) == [0, 3_000, -500]


def test_a_version_that_changes_in_mid_period() -> None:
    # From the 11th on 7.3 per mille instead of 3.65: 10 days of 10 fen, 21 of 20: 520. Minimum 620, then 310: 10/31 x 620 + 21/31 x 310 = 410.
    old = FeeContract.parse(BY_BALANCE | {"minimum_minor": 620})
    new = FeeContract.parse(BY_BALANCE | {"per_mille_year": "7.3", "minimum_minor": 310})
    found = run(lambda day: old if day.day <= 10 else new, FIRST, 31, DayFacts(1_000_000))
    assert sum(nets(found[:10])) == 200  # 10/31 x 620
    assert sum(nets(found)) == 520
    # Tiers go on counting: 100 at 20, then under graduated 15 above 50 all of the next 100 at 15. All units: the first 100 stay as rated.
    first = {"RECHARGE": {"mode": "all_units", "tiers": TIERS}}
    for mode, second in (("graduated", 1_500), ("all_units", 1_500)):
        later = {"RECHARGE": {"mode": mode, "tiers": [{"above": 0, "price_minor": 99}, {"above": 50, "price_minor": 15}]}}
        versions = contract(per_transaction_minor=first), contract(per_transaction_minor=later)
        found = run(lambda day, v=versions: v[day.day - 1], FIRST, 2, DayFacts(0, {"transaction.RECHARGE": 100}))  # type: ignore[misc]
        assert nets(found) == [2_000, second]
    # All units, a day graduated, all units again: 10 x 20, 10 x 15 above the tenth, 10 x 20: what came between stays.
    between = contract(per_transaction_minor={"RECHARGE": {"mode": "graduated", "tiers": [{"above": 0, "price_minor": 15}]}})
    mixed = {2: between}
    found = run(
        lambda day: mixed.get(day.day, contract(per_transaction_minor=first)), FIRST, 3, DayFacts(0, {"transaction.RECHARGE": 10})
    )
    assert nets(found) == [200, 150, 200]
    # A maximum that begins on the 2nd caps what comes from then on: 500 free, then 30/31 x 310 = 300 of 15000.
    versions = contract(per_transaction_minor={"RECHARGE": 5}), contract(per_transaction_minor={"RECHARGE": 5}, maximum_minor=310)
    found = run(lambda day: versions[day > FIRST], FIRST, 31, DayFacts(0, {"transaction.RECHARGE": 100}))
    assert sum(nets(found)) == 800


def test_a_cycle_that_changes_begins_with_the_next_period() -> None:
    monthly, quarterly = contract(flat_minor=9_100), contract(flat_minor=9_100, charged="quarterly")
    found = run(lambda day: monthly if day < date(2020, 2, 10) else quarterly, date(2020, 1, 1), 91, DayFacts(0))
    # January and February 9100 each; March is 31 of the quarter's 91 days: 3100.
    assert [sum(nets(found[a:b])) for a, b in ((0, 31), (31, 40), (40, 60), (60, 91))] == [9_100, 2_824, 6_276, 3_100]
    assert found[-1].state.last == date(2020, 3, 31)


def test_vat_has_its_own_dates() -> None:
    rates = [{"valid_from": "2018-05-01", "rate": "0.1"}, {"valid_from": "2019-12-02", "rate": "0.06"}]
    terms = contract(vat_rate=rates, per_transaction_minor={"RECHARGE": 20})
    first, second = run(terms, FIRST, 2, DayFacts(0, {"transaction.RECHARGE": 10}))
    assert (first.vat_minor, second.vat_minor) == (20, 12)


def test_a_new_month_starts_with_no_rest_and_a_gap_is_passed() -> None:
    terms = FeeContract.parse(BY_BALANCE)
    last = run(terms, FIRST, 31, DayFacts(50_000))[-1].state
    assert last.net_minor == 16  # 15.5 -> 16
    january = state_into(terms, date(2020, 1, 1), last)
    assert (january.net_minor, january.exact, january.accrued_minor) == (0, 0, last.accrued_minor)
    later = state_into(terms, date(2020, 1, 2), passed(date(2020, 1, 1), last))
    assert (later.first, later.accrued_minor) == (date(2020, 1, 1), last.accrued_minor)
    inside = run(terms, FIRST, 3, DayFacts(50_000))[-1].state
    assert state_into(terms, date(2019, 12, 5), passed(date(2019, 12, 4), inside)).net_minor == inside.net_minor


def test_periods_have_names() -> None:
    for day, cycle, name in (
        (date(2020, 2, 29), Cycle.MONTHLY, "2020-02"),
        (date(2020, 2, 29), Cycle.QUARTERLY, "2020-Q1"),
        (date(2019, 12, 31), Cycle.QUARTERLY, "2019-Q4"),
    ):
        assert period_name(*period_of(day, cycle)) == name
        assert named_period(name) == period_of(day, cycle)
    for wrong in ("2020", "2020-13", "2020-Q5", "2020-02-01", ""):
        with pytest.raises(UsageError, match="charging period"):
            named_period(wrong)


def test_whole_lines_sum_to_the_rounded_total() -> None:
    third = Fraction(100, 3)
    assert whole_lines({"a": third, "b": third, "c": third}, 100) == {"a": 34, "b": 33, "c": 33}
    assert whole_lines({"a": Fraction(9, 2), "maximum": Fraction(-5, 2)}, 2) == {"a": 5, "maximum": -3}
    assert whole_lines({}, 0) == {}
    with pytest.raises(UsageError):
        whole_lines({"a": third}, 40)


def test_words_say_every_figure() -> None:
    terms = FeeContract.parse(
        BY_BALANCE | {"per_transaction_minor": {"RECHARGE": 20}, "discounts": [{"valid_from": "2019-12-01", "valid_to": None, "rate": "0.5", "of": ["balance"]}]}
    )  # fmt: skip
    found = run(terms, FIRST, 1, DayFacts(12_345_678, {"transaction.RECHARGE": 3}))[0]
    lines = [
        {"component": of.component, "quantity": of.quantity, "terms": of.terms, "remaining": str(of.left), "fee": str(of.fee)} for of in found.lines
    ]  # fmt: skip
    row = {
        "accrual_date": FIRST, "currency": "CNY", "net_minor": found.net_minor, "vat_minor": found.vat_minor, "gross_minor": found.gross_minor,
        "vat_rate": str(found.vat_rate), "rounding": found.rounding,
    }  # fmt: skip
    said = day_words(row, lines)
    assert [english for english, _ in said] == [
        "balance: 123456.78 x 3.65 per mille / 365 = 0.617283... CNY, 50% let off",
        "transactions RECHARGE: 3 x graduated 0:20 = 0.600000 CNY",
        "2019-12-01: net 1.22 (the period to date, rounded half_even, less what was accrued before), VAT 6% 0.07, gross 1.29 CNY",
    ]
    assert said[1][1] == "充值笔数费：3 × graduated 0:20 = 0.600000 CNY"
    assert exact_amount(Fraction(-7, 3), "CNY") == "-0.023333..."


@pytest.mark.parametrize(
    ("day", "facts"),
    [
        (date(2018, 12, 31), DayFacts(1)),
        (FIRST, DayFacts(-1)),
        (FIRST, DayFacts(1, {"transaction.RECHARGE": -1})),
    ],
)
def test_days_that_are_refused(day: date, facts: DayFacts) -> None:
    terms = FeeContract.parse(BY_BALANCE)
    with pytest.raises(UsageError):
        accrue(terms, day, facts, state_into(terms, day, None))


def test_a_day_left_out_or_accrued_again_is_refused() -> None:
    terms = FeeContract.parse(BY_BALANCE)
    first = run(terms, FIRST, 1, DayFacts(1))[0].state
    for day in (FIRST, date(2019, 12, 3), date(2020, 1, 2)):
        with pytest.raises(UsageError):
            state_into(terms, day, first)
        with pytest.raises(UsageError):
            accrue(terms, day, DayFacts(1), first)
    with pytest.raises(UsageError, match="is in CNY"):
        state_into(contract(currency="HKD"), date(2019, 12, 2), first)
    for text in (
        "",
        "{}",
        "[]",
        first.as_text().replace("2019-12-01", "2019-12-32"),
        first.as_text().replace('"cap":"0/1"', '"cap":"0/0"'),
    ):
        with pytest.raises(UsageError):
            FeeState.parse(text)
    assert FeeState.parse(first.as_text()) == first


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_mille_year": 3.65},
        {"per_mille_year": "3,65"},
        {"per_mille_year": "3.65", "day_count": "30/360"},
        {"per_mille_year": "3.65"},
        {"currency": "XXX"},
        {"valid_to": "2018-01-01"},
        {"valid_from": "1.1.2019"},
        {"per_transaction_minor": {"RECHRAGE": 20}},
        {"per_transaction_minor": {"RECHARGE": 0.5}},
        {"per_transaction_minor": {"RECHARGE": {"mode": "graduated", "tiers": []}}},
        {"per_transaction_minor": {"RECHARGE": {"mode": "graduated", "tiers": [{"above": 1, "price_minor": 1}]}}},
        {"per_transaction_minor": {"RECHARGE": {"mode": "tiered", "tiers": TIERS}}},
        {"per_transaction_minor": {"RECHARGE": {"tiers": TIERS}}},
        {"per_mille_of_volume": {"RECHARGE": {"mode": "graduated", "tiers": TIERS}}},
        {"per_mille_of_volume": {"RECHARGE": 1}},
        {"vat_rate": []},
        {"vat_rate": [{"valid_from": "2019-02-01", "rate": "0.06"}]},
        {"rounding": "up"},
        {"minimum": "1"},
        {"minimum_minor": 2, "maximum_minor": 1},
        {"flat_minor": "1"},
        {"onboarding": 5},
        {"charged": "weekly"},
        {"charge_business_day": 0},
        {"discounts": [{"valid_from": "2019-01-01", "valid_to": None, "rate": "1.1"}]},
        {"discounts": [{"valid_from": "2019-01-01", "valid_to": None, "rate": "0.1", "of": ["transaction.RECHARGE"]}]},
        {"discounts": [{"valid_from": "2019-01-01", "valid_to": None, "rate": "0.1", "of": []}]},
        {"discounts": [{"valid_from": "2019-01-01", "valid_to": "2018-01-01", "rate": "0.1"}]},
    ],
)
def test_contracts_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        FeeContract.parse({**BARE, **wrong})


def test_a_contract_without_one_of_its_keys_is_refused() -> None:
    for key in BARE:
        with pytest.raises(UsageError, match=key):
            FeeContract.parse({k: v for k, v in BARE.items() if k != key})


def test_exactly_one_contract_is_in_force() -> None:
    before, later = contract(valid_to="2019-12-31"), FeeContract.parse({**BARE, "valid_from": "2020-01-01"})
    assert contract_for([before, later], date(2019, 12, 31)) is before
    assert contract_for([before, later], date(2020, 1, 1)) is later
    with pytest.raises(UsageError, match="0 fee contracts"):
        contract_for([before, later], date(2018, 1, 1))
    with pytest.raises(UsageError, match="2 fee contracts"):
        contract_for([before, before], date(2019, 6, 1))


def test_the_order_of_types_does_not_matter() -> None:
    terms = contract(per_transaction_minor={"WITHDRAW": 50, "RECHARGE": 20})
    counts: list[Mapping[str, int]] = [{"transaction.RECHARGE": 2, "transaction.WITHDRAW": 3}, {"transaction.WITHDRAW": 3, "transaction.RECHARGE": 2}]  # fmt: skip
    one, other = (run(terms, FIRST, 1, DayFacts(7, of)) for of in counts)
    assert one == other
