"""What a case weighs by is the money that is in question, not another figure of the same rows."""

from __future__ import annotations

from typing import Any

import pytest

from custody.case_amounts import amount_of_movement, amount_of_state

PAID = {"amount_minor": 1000, "principal_minor": 900, "interest_minor": 90, "penalty_minor": 10, "coupon_minor": 0}


@pytest.mark.parametrize(
    ("kind", "change", "amount"),
    [
        ("AMOUNT", {"amount_minor": 1040}, 40),
        ("AMOUNT", {"coupon_minor": 3}, 3),
        ("FEE", {"fee_minor": 607}, 29),
        # One fen more than it should be of interest is one fen less of principal.
        ("ALLOCATION", {"principal_minor": 890, "interest_minor": 100}, 10),
        ("STATUS", {"status": "FAIL"}, 1000),
        ("WRONG_ACCOUNT", {}, 1000),
        ("DIRECTION", {"amount_minor": -1000}, 2000),
    ],
)
def test_of_a_movement_that_both_sides_tell(kind: str, change: dict[str, Any], amount: int) -> None:
    ours = {"side": "B", "fee_minor": 578, **PAID}
    assert amount_of_movement(kind, [ours, ours | {"side": "A"} | change]) == amount


def test_of_a_movement_that_one_side_lacks_all_of_it_and_of_one_told_twice_what_is_too_much() -> None:
    ours = {"side": "B", **PAID}
    assert amount_of_movement("MISSING_IN_PLATFORM", [ours]) == 1000
    assert amount_of_movement("MISSING_IN_CORE", [ours | {"amount_minor": -1000}]) == 1000
    assert amount_of_movement("DUPLICATE", [ours, ours | {"side": "A"}, ours | {"side": "A"}]) == 1000


def state(side: str, **fields: Any) -> dict[str, Any]:
    return {"side": side, "row_ref": "F:2", "store_key": None, **fields}


def test_of_a_balance_the_larger_of_its_two_parts() -> None:
    ours = state("B", available_minor=500, frozen_minor=100)
    assert amount_of_state([ours, state("A", available_minor=450, frozen_minor=150)]) == 50
    assert amount_of_state([ours, state("A", available_minor=700, frozen_minor=100)]) == 200
    assert amount_of_state([ours]) == 600
    # In another currency none of it is right.
    assert amount_of_state([ours, state("A", available_minor=500, frozen_minor=100)]) == 600
    later = {"side": "B", "row_ref": "journal:1:0", "store_key": None, "posted_later_minor": 9}
    assert amount_of_state([ours, state("A", available_minor=490, frozen_minor=100), later]) == 10


def test_of_a_claim_and_a_loan_what_is_at_stake() -> None:
    claim = state("B", holder="P001.LENDER.u1", principal_minor=9000)
    assert amount_of_state([claim, state("A", holder="P001.LENDER.u1", principal_minor=9400)]) == 400
    assert amount_of_state([claim, state("A", holder="P001.LENDER.u2", principal_minor=9000)]) == 9000
    assert amount_of_state([state("A", holder="P001.LENDER.u1", principal_minor=70)]) == 70
    loan = state("B", amount_minor=50_000, raised_minor=40_000, state="BIDDING")
    assert amount_of_state([loan, state("A", amount_minor=50_000, raised_minor=50_000, state="FULL")]) == 10_000
    assert amount_of_state([loan, state("A", amount_minor=50_000, raised_minor=40_000, state="SETTLED")]) == 50_000
    assert amount_of_state([state("B", customer_id="c"), state("A", customer_id="d")]) == 0
