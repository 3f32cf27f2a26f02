"""A quarter's interest over its owners, split by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bank_interest import interest_as_owned, interest_shares

A, B, C, P = "P001.LENDER.a", "P001.LENDER.b", "P001.LENDER.c", "P001:P_INCOME"


def test_a_credit_is_split_by_balance_days_and_the_residue_has_a_name() -> None:
    # a: 1,000.00 for 90 days; b: 500.00 for 90 days; c: 100.00 for 30 days; income: 7.00 for one day. In fen-days
    # 9,000,000 + 4,500,000 + 300,000 + 700 = 13,800,700. Of 1,234 fen: 804.74.., 402.37.., 26.82.., 0.06..: 1,232 whole, and
    # the two largest remainders are c's and a's.
    days = {A: 9_000_000, B: 4_500_000, C: 300_000, P: 700}
    shares = interest_shares(1_234, days)
    assert shares.of == {A: 805, B: 402, C: 27} and shares.rounded_up == (A, C)


def test_equal_remainders_go_by_account() -> None:
    assert interest_shares(2, {C: 5, B: 5, A: 5}).of == {A: 1, B: 1}


def test_without_balances_there_is_nobody_to_pay() -> None:
    assert interest_shares(0, {A: 0}).of == {}
    with pytest.raises(ValueError, match="nothing to split"):
        interest_shares(1, {A: 0})


@settings(max_examples=50)
@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**12), min_size=1, max_size=50).filter(any))
def test_shares_sum_to_the_credit_and_the_residue_is_less_than_a_fen_each(credit: int, weights: list[int]) -> None:
    days = {f"P001.LENDER.u{n:03d}": weight for n, weight in enumerate(weights)}
    shares, whole = interest_shares(credit, days), sum(weights)
    assert sum(shares.of.values()) == credit
    residue = credit - sum(credit * weight // whole for weight in weights)
    assert len(shares.rounded_up) == residue
    assert all(days[account] for account in shares.of)


def leg(account: str, amount: int, request: str = "i") -> dict[str, Any]:
    return {"platform": "P001", "to_account": account, "amount_minor": amount, "related_request_no": request}


@pytest.mark.parametrize(
    ("legs", "wrong"),
    [
        ([leg(A, 7), leg(B, 3)], []),
        # In two legs, which together are his share.
        ([leg(A, 4), leg(A, 3), leg(B, 3)], []),
        ([leg(A, 6), leg(B, 4)], [A, B]),
        ([leg(A, 7)], [B]),
        ([leg(A, 7), leg(B, 3), leg(C, 1)], [C]),
        ([], []),
        ([leg(A, 9, "other")], []),
    ],
)
def test_the_legs_that_come_are_held_to_our_shares(legs: list[dict[str, Any]], wrong: list[str]) -> None:
    credit = {"platform": "P001", "request_no": "i", "amount_minor": 10}
    days = [{"platform": "P001", "account": A, "minor_days": 700}, {"platform": "P001", "account": B, "minor_days": 300}]
    found = list(interest_as_owned([credit], legs, days))
    assert [v.subject for v in found] == [f"INTEREST|i|{account}" for account in wrong]
    assert {v.kind for v in found} <= {"ALLOCATION"}
