"""What payments go to, told one after another and worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from custody.names import DayCount, RepaymentMethod
from custody.payment_parts import Paid, Told, tell_payments
from custody.repayment import PartName, Parts, Terms

# 1,200.00 at 12% a year in three months: 400.00 each month with 12.00, 8.00, 4.00 of interest; 0.05% a day when late.
TERMS = Terms(
    120_000, "0.12", 3, "month", RepaymentMethod.EQUAL_PRINCIPAL, DayCount.THIRTY_360, date(2020, 1, 15), penalty_rate="0.0005"
)
FEB, MAR, APR = date(2020, 2, 15), date(2020, 3, 15), date(2020, 4, 15)


def parts(principal: int, interest: int, penalty: int = 0) -> Parts:
    return Parts(interest_minor=interest, penalty_minor=penalty, principal_minor=principal)


def ours(*payments: Paid, terms: Terms = TERMS, order: tuple[PartName, ...] | None = None) -> list[Parts | None]:
    told = tell_payments(terms, payments) if order is None else tell_payments(terms, payments, order)
    return [one.ours for one in told]


def test_each_instalment_on_its_day() -> None:
    on_time = [Paid(FEB, parts(40_000, 1_200)), Paid(MAR, parts(40_000, 800)), Paid(APR, parts(40_000, 400))]
    assert tell_payments(TERMS, on_time) == [Told(p.parts, p.parts) for p in on_time]


def test_what_the_platform_calls_the_parts_changes_nothing_of_what_is_owed_next() -> None:
    # Penalty before interest, then the rest: 412.00 x 0.0005 x 10 = 2.06 of penalty on the 25th.
    first = Paid(date(2020, 2, 25), parts(0, 0, 206))
    rest = Paid(date(2020, 2, 25), parts(40_000, 1_200, 0))
    assert ours(first, rest) == [parts(0, 206, 0), parts(40_000, 994, 206)]


def test_a_part_and_its_rest_with_the_penalty_of_each() -> None:
    # 214.06 is left for another 20 days: 4.2006 of penalty in all, less 2.06 (tests/unit/test_repayment.py).
    first, rest = Paid(date(2020, 2, 25), parts(18_594, 1_200, 206)), Paid(date(2020, 3, 14), parts(21_406, 0, 193))
    assert ours(first, rest) == [first.parts, rest.parts]


def test_the_contracts_order_holds() -> None:
    paid = Paid(date(2020, 2, 25), parts(40_000, 0, 100))
    assert ours(paid, order=("principal", "costs", "penalty", "interest")) == [paid.parts]
    assert ours(paid) == [parts(38_694, 1_200, 206)]


def test_the_end_before_its_day() -> None:
    # 15 days into the second month: 800.00 at 1% for half a month is 4.00.
    early = Paid(date(2020, 3, 1), parts(80_000, 427))  # 30/360 counts 16 days from 15 February to 1 March
    assert ours(Paid(FEB, parts(40_000, 1_200)), early, Paid(APR, parts(1, 0))) == [parts(40_000, 1_200), early.parts, Parts()]


def test_an_instalment_some_days_before_it_is_due_is_paid_as_scheduled() -> None:
    ahead = Paid(date(2020, 2, 12), parts(40_000, 1_200))
    both = Paid(date(2020, 2, 12), parts(80_000, 2_000))
    assert ours(ahead, Paid(MAR, parts(40_000, 800))) == [ahead.parts, parts(40_000, 800)]
    assert ours(both, Paid(APR, parts(40_000, 400))) == [both.parts, parts(40_000, 400)]
    # Called otherwise it differs.
    assert ours(Paid(date(2020, 2, 12), parts(41_200, 0))) == [ahead.parts]


def test_early_principal_brings_its_own_interest_and_the_rest_is_a_smaller_loan() -> None:
    # On the second due date itself no interest has run: 200.00 of the 400.00 that are left, then 200.00 with 2.00.
    told = ours(
        Paid(FEB, parts(40_000, 1_200)), Paid(MAR, parts(60_000, 800)), Paid(APR, parts(20_000, 200)), Paid(APR, parts(0, 5))
    )
    assert told == [parts(40_000, 1_200), parts(60_000, 800), parts(20_000, 200), Parts()]


def test_a_guarantor_pays_what_is_due_and_takes_the_claims_at_their_face_value() -> None:
    late = date(2020, 2, 16)
    one, all_left = Paid(late, parts(40_000, 1_200, 21), True), Paid(late, parts(120_000, 1_200, 21), True)
    assert ours(one, Paid(MAR, parts(40_000, 800))) == [one.parts, parts(40_000, 800)]
    assert ours(all_left, Paid(MAR, parts(40_000, 800))) == [all_left.parts, Parts()]
    # A part of what is not due: from there on the lenders' schedule is not known here.
    some = Paid(late, parts(50_000, 1_200, 21), True)
    assert ours(some, Paid(MAR, parts(30_000, 800))) == [some.parts, None]


def test_more_than_all_is_in_none_of_our_parts() -> None:
    assert ours(Paid(APR, parts(200_000, 0))) != [parts(200_000, 0)]
    (told,) = ours(Paid(FEB, parts(120_000, 9_999)))
    assert told == parts(120_000, 1_200)


def test_a_loan_without_interest() -> None:
    free = replace(TERMS, annual_rate="0", penalty_rate=None)
    assert ours(Paid(date(2020, 1, 20), parts(7, 0)), Paid(FEB, parts(39_998, 0)), terms=free) == [parts(7, 0), parts(39_998, 0)]
