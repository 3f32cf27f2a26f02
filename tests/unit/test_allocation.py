"""Our own split of a repayment, by hand, and what differs from it."""

import pytest
from ledger_kit import BORROWER, GUARANTOR, LENDER, LENDER2, instruction

from custody.allocation import Share, allocate, differs, share_of_each
from custody.instruction import Instruction
from custody.ledger_state import Claim
from custody.names import TxnType


def claim(claim_id: str, holder: str, principal: int) -> Claim:
    return Claim("P001", claim_id, "L1", holder, principal, principal, "CNY")


CLAIMS = [claim("c3", LENDER, 10_000), claim("c1", LENDER, 10_000), claim("c2", LENDER2, 10_000)]


def leg(number: int, holder: str, principal: int, interest: int, penalty: int = 0) -> Instruction:
    return instruction(
        TxnType.REPAYMENT, "R1", principal + interest + penalty, leg=number, from_account=BORROWER, to_account=holder,
        loan_id="L1", related_request_no="F1", principal_minor=principal, interest_minor=interest, penalty_minor=penalty,
    )  # fmt: skip


def differing_legs(claims: list[Claim], legs: list[Instruction]) -> list[tuple[Instruction, Share | None]]:
    shares = share_of_each(claims, legs)
    return [(x, shares[x.leg]) for x in sorted(legs, key=lambda x: x.leg) if differs(x, shares[x.leg])]


# 100 and 50 over three equal claims: 34 33 33 and 17 17 16, leftovers by claim id.
RIGHT = [leg(1, LENDER, 34, 17), leg(2, LENDER2, 33, 17), leg(3, LENDER, 33, 16)]


def test_the_split_leaves_no_residue_and_breaks_ties_by_claim_id() -> None:
    shares = allocate(CLAIMS, 100, 50, 0)
    assert [(s.claim_id, s.holder, s.principal_minor, s.interest_minor) for s in shares] == [
        ("c1", LENDER, 34, 17),
        ("c2", LENDER2, 33, 17),
        ("c3", LENDER, 33, 16),
    ]


def test_interest_follows_the_principal_still_held() -> None:
    shares = allocate([claim("a", LENDER, 9_000), claim("b", LENDER2, 1_000)], 0, 15, 7)
    assert [s.interest_minor for s in shares] == [14, 1]
    assert [s.principal_minor for s in shares] == [0, 0]
    assert [s.penalty_minor for s in shares] == [6, 1]


def test_nothing_to_split_over_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to split"):
        allocate([], 100, 0, 0)
    assert allocate([], 0, 0, 0) == []


def test_the_same_split_has_no_difference() -> None:
    assert differing_legs(CLAIMS, RIGHT) == []
    assert differing_legs(list(reversed(CLAIMS)), list(reversed(RIGHT))) == []


def test_a_fen_moved_between_creditors_shows_on_both() -> None:
    wrong = [RIGHT[0]._replace(principal_minor=33), RIGHT[1]._replace(principal_minor=34), RIGHT[2]]
    found = differing_legs(CLAIMS, wrong)
    assert [(x.leg, s.claim_id, s.principal_minor) for x, s in found if s is not None] == [(1, "c1", 34), (2, "c2", 33)]


def test_interest_booked_as_principal_shows() -> None:
    # Of 117 and 33 each of the three should have had 39 and 11.
    wrong = [RIGHT[0]._replace(principal_minor=51, interest_minor=0), *RIGHT[1:]]
    assert [x.leg for x, _ in differing_legs(CLAIMS, wrong)] == [1, 2, 3]


def test_a_leg_to_one_without_a_claim_shows_without_a_share() -> None:
    stranger = RIGHT[1]._replace(to_account="P001.LENDER.x")
    found = differing_legs(CLAIMS, [RIGHT[0], stranger, RIGHT[2]])
    assert found == [(stranger, None)]
    assert differing_legs([], [stranger]) == [(stranger, None)]


def test_one_leg_too_many_for_a_holder_shows() -> None:
    extra = [*RIGHT, leg(4, LENDER2, 0, 0)]
    assert [(x.leg, s) for x, s in differing_legs(CLAIMS, extra)] == [(4, None)]


def test_what_the_guarantor_holds_takes_no_part() -> None:
    assert [s.claim_id for s in allocate([*CLAIMS, claim("c0", GUARANTOR, 90_000)], 100, 0, 0)] == ["c1", "c2", "c3"]
    assert differing_legs([*CLAIMS, claim("c0", GUARANTOR, 90_000)], RIGHT) == []
    assert [s for _, s in differing_legs([claim("c0", GUARANTOR, 90_000)], RIGHT)] == [None] * 3


def test_a_penalty_is_split_like_the_interest() -> None:
    # 3 of penalty over 7,000 and 3,000: 2.1 and 0.9.
    claims = [claim("a", LENDER, 7_000), claim("b", LENDER2, 3_000)]
    assert differing_legs(claims, [leg(1, LENDER, 70, 0, 2), leg(2, LENDER2, 30, 0, 1)]) == []
    assert [x.leg for x, _ in differing_legs(claims, [leg(1, LENDER, 70, 0, 3), leg(2, LENDER2, 30, 0, 0)])] == [1, 2]


def test_a_claim_that_gets_nothing_has_no_leg() -> None:
    # One fen over a large and a small claim of one lender: the leg stands for the large one.
    claims = [claim("a", LENDER, 1), claim("b", LENDER, 9_999)]
    shares = share_of_each(claims, [leg(1, LENDER, 0, 1)])
    assert {n: s.claim_id for n, s in shares.items() if s} == {1: "b"}
