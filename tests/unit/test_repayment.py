"""What is owed and what a payment goes to, computed by hand."""

from __future__ import annotations

from datetime import date

import pytest

from custody.allocation import allocate
from custody.errors import UsageError
from custody.ledger_state import Claim
from custody.names import DayCount, RepaymentMethod
from custody.repayment import Owed, Parts, Payment, Terms, allocate_payment, owed_on, rest_after, settlement_figure

# 1,200.00 at 12% a year in three months: 400.00 each month with 12.00, 8.00, 4.00 of interest; 0.05% a day when late.
TERMS = Terms(
    120_000, "0.12", 3, "month", RepaymentMethod.EQUAL_PRINCIPAL, DayCount.THIRTY_360, date(2020, 1, 15), penalty_rate="0.0005"
)
FEB, MAR, APR = date(2020, 2, 15), date(2020, 3, 15), date(2020, 4, 15)


def test_what_is_due_on_a_date() -> None:
    assert owed_on(TERMS, [], date(2020, 2, 14)) == []
    assert owed_on(TERMS, [], FEB) == [Owed(1, FEB, Parts(0, 1_200, 0, 40_000))]
    # Ten days late: 412.00 x 0.0005 x 10 = 2.06.
    assert owed_on(TERMS, [], date(2020, 2, 25)) == [Owed(1, FEB, Parts(0, 1_200, 206, 40_000))]
    # On 25 March the first is 39 days late (412.00 x 0.0005 x 39 = 8.034), the second ten (408.00 x 0.0005 x 10 = 2.04).
    late = owed_on(TERMS, [], date(2020, 3, 25), costs_minor=500)
    assert late == [Owed(1, FEB, Parts(500, 1_200, 803, 40_000)), Owed(2, MAR, Parts(0, 800, 204, 40_000))]


def test_a_partial_payment_stops_the_penalty_on_what_it_pays() -> None:
    paid = [Payment(date(2020, 2, 25), 1, Parts(0, 1_200, 206, 18_594))]
    # 2.06 for ten days was paid; 214.06 is overdue for another 20 days: 2.1406, in all 4.2006 rounded to 4.20, less 2.06.
    assert owed_on(TERMS, paid, date(2020, 3, 14)) == [Owed(1, FEB, Parts(0, 0, 193, 21_406))]
    assert owed_on(TERMS, paid, date(2020, 3, 16))[0] == Owed(1, FEB, Parts(0, 0, 214, 21_406))


def test_a_payment_goes_to_the_oldest_first_and_there_to_costs_interest_penalty_principal() -> None:
    on = date(2020, 3, 25)
    owed = owed_on(TERMS, [], on, costs_minor=500)
    assert allocate_payment(owed, 600, on).parts == Parts(500, 100, 0, 0)
    assert allocate_payment(owed, 2_000, on).parts == Parts(500, 1_200, 300, 0)
    enough = allocate_payment(owed, 42_503 + 900, on)
    assert [p.parts for p in enough.payments] == [Parts(500, 1_200, 803, 40_000), Parts(0, 800, 100, 0)]
    more = allocate_payment(owed, 100_000, on)
    assert more.rest_minor == 100_000 - 42_503 - 41_004


def test_a_contract_may_name_another_order() -> None:
    on = date(2020, 2, 25)
    first = allocate_payment(owed_on(TERMS, [], on), 40_100, on, ("principal", "costs", "penalty", "interest"))
    assert first.parts == Parts(0, 0, 100, 40_000)
    with pytest.raises(UsageError, match="once"):
        allocate_payment([], 1, on, ("principal", "interest"))


def test_the_figure_that_ends_a_loan() -> None:
    # On a due date: that instalment and all other principal.
    assert settlement_figure(TERMS, [], FEB) == Parts(0, 1_200, 0, 120_000)
    # Ten days of 30 into the second month, the first instalment paid: 800.00 x 0.12 x 10/360 = 2.67.
    paid = [Payment(FEB, 1, Parts(0, 1_200, 0, 40_000))]
    assert settlement_figure(TERMS, paid, date(2020, 2, 25)) == Parts(0, 267, 0, 80_000)
    # With the first unpaid, its penalty too.
    assert settlement_figure(TERMS, [], date(2020, 2, 25)) == Parts(0, 1_200 + 267, 206, 120_000)
    # Ten days after disbursal: 1,200.00 x 0.12 x 10/360 = 4.00.
    assert settlement_figure(TERMS, [], date(2020, 1, 25)) == Parts(0, 400, 0, 120_000)


def test_an_early_repayment_leaves_a_smaller_loan() -> None:
    early, rest = rest_after(TERMS, date(2020, 2, 25), 20_000)
    # 200.00 x 0.12 x 10/360 = 0.67.
    assert early == Parts(0, 67, 0, 20_000)
    assert rest is not None
    assert [(r.due, r.principal_minor, r.interest_minor) for r in rest.schedule()] == [(MAR, 30_000, 600), (APR, 30_000, 300)]
    assert rest_after(TERMS, FEB, 80_000) == (Parts(0, 0, 0, 80_000), None)


@pytest.mark.parametrize(("on", "amount"), [(APR, 1), (FEB, 80_001), (FEB, 0)])
def test_what_is_not_early_is_refused(on: date, amount: int) -> None:
    with pytest.raises(UsageError):
        rest_after(TERMS, on, amount)


def test_more_than_was_asked_for_is_refused() -> None:
    with pytest.raises(UsageError, match="instalment 1"):
        owed_on(TERMS, [Payment(FEB, 1, Parts(0, 1_201, 0, 0))], FEB)


def test_an_instalment_over_a_thousand_lenders_leaves_no_residue() -> None:
    claims = [Claim("P001", f"t{n:04d}", "L1", f"P001.LENDER.u{n}", 10_000 + n, 10_000 + n, "CNY") for n in range(1_234)]
    principal, interest, penalty = 1_000_003, 77_777, 1
    shares = allocate(claims, principal, interest, penalty)
    sums = [sum(part) for part in zip(*(share.parts for share in shares), strict=True)]
    assert sums == [principal, interest, penalty]
    # By hand: 13,100,761 is the sum of the weights; 10,000 x 1,000,003 / 13,100,761 = 763.316..., 11,233 -> 857.433...
    assert sum(c.principal_minor for c in claims) == 13_100_761
    assert shares[0].principal_minor in (763, 764) and shares[-1].principal_minor in (857, 858)
