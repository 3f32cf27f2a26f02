"""The steps of the match cascade that look at several keys, on rows made by hand (domain.md §6)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from custody.cascade import Judged, cascade, suggestions
from custody.matching import Bucket, Relation, Verdict, judge_group
from custody.names import BreakKind
from schemas.rule_book import book_with

DAY = date(2019, 12, 30)
AB_TXN, BC_CORE, BC_CHANNEL, _ = book_with([]).rules_on(DAY).relations
_ONE = {
    "item_date": DAY, "expected_on": None, "currency": "CNY", "txn_type": "REPAYMENT", "from_account": "P001.BORROWER.b1",
    "to_account": "P001.LENDER.u1", "loan_id": "L1", "status": "SUCCESS", "principal_minor": 0, "interest_minor": 0,
    "penalty_minor": 0, "coupon_minor": 0, "counterpart_file": "F", "in_window": False, "settle_date": None, "fee_minor": None,
    "platform": "P001",
}  # fmt: skip


def leg(side: str, number: int, amount: int, request: str = "R1", **other: Any) -> dict[str, Any]:
    key, subject = f"P001|{request}|{number}", f"TXN|{request}|{number}"
    row = {"side": side, "row_ref": f"{side}:{request}:{number}", "match_key": key, "subject": subject, "amount_minor": amount}
    return {**_ONE, **row, **other}


def judged(relation: Relation, *items: dict[str, Any]) -> list[Judged]:
    """Each key by itself, as the step judges it."""
    keys = dict.fromkeys(i["match_key"] for i in items)
    groups = [[i for i in items if i["match_key"] == key] for key in keys]
    return [Judged(relation, group, judge_group(relation, group, DAY, frozenset(), False, False)) for group in groups]


def after(relation: Relation, *items: dict[str, Any], paid_out: frozenset[str] = frozenset()) -> dict[str, str]:
    """Row -> what became of it; each row stands in exactly one group."""
    out = cascade(judged(relation, *items), paid_out)
    refs = [i["row_ref"] for one in out for i in one.items]
    assert sorted(refs) == sorted(i["row_ref"] for i in items)
    return {i["row_ref"]: str(one.verdict.rule) for one in out for i in one.items}


def test_a_residue_that_went_to_another_leg_is_rounding() -> None:
    two = leg("A", 1, 101), leg("B", 1, 100), leg("A", 2, 99), leg("B", 2, 100)
    assert set(after(AB_TXN, *two).values()) == {BreakKind.ROUNDING}
    whole = [leg("A", n, 99) for n in (1, 2, 3)] + [leg("A", 4, 103)] + [leg("B", n, 100) for n in (1, 2, 3, 4)]
    assert set(after(AB_TXN, *whole).values()) == {BreakKind.ROUNDING}, "the last leg took the whole residue"


def test_more_than_a_residue_is_an_amount() -> None:
    more = leg("A", 1, 102), leg("B", 1, 100), leg("A", 2, 98), leg("B", 2, 100)
    assert set(after(AB_TXN, *more).values()) == {BreakKind.AMOUNT}, "two legs cannot differ by two fen each"
    lost = leg("A", 1, 101), leg("B", 1, 100), leg("A", 2, 100), leg("B", 2, 100)
    assert after(AB_TXN, *lost)["A:R1:1"] == BreakKind.AMOUNT, "the fen is nobody else's"
    apart = leg("A", 1, 101), leg("B", 1, 100), leg("A", 1, 99, "R2"), leg("B", 1, 100, "R2")
    assert set(after(AB_TXN, *apart).values()) == {BreakKind.AMOUNT}, "two requests have no residue in common"
    beside = (*(leg("A", n, a) for n, a in ((1, 101), (2, 99), (3, 500))), *(leg("B", n, 100) for n in (1, 2, 3)))
    found = after(AB_TXN, *beside)
    assert found["A:R1:1"] == found["A:R1:2"] == BreakKind.ROUNDING and found["A:R1:3"] == BreakKind.AMOUNT


def test_legs_cut_differently_net_inside_their_request() -> None:
    cut = leg("A", 11, 60), leg("A", 12, 40), leg("B", 1, 30), leg("B", 2, 70)
    assert set(after(AB_TXN, *cut).values()) == {"netting"}
    [group] = cascade(judged(AB_TXN, *cut), frozenset())
    assert group.verdict == Verdict(Bucket.MATCHED, "netting") and len(group.items) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 41},
        {"to_account": "P001.LENDER.u2"},
        {"loan_id": "L2"},
        {"interest_minor": 1},
        {"txn_type": "COMPENSATION"},
        {"status": "FAIL"},
        {"currency": "USD"},
        {"item_date": date(2019, 12, 31)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_nothing_nets_that_differs_in_what_counts(change: dict[str, Any]) -> None:
    cut = leg("A", 11, 60), leg("A", 12, 40) | change, leg("B", 1, 100)
    assert "netting" not in after(AB_TXN, *cut).values()


def test_a_key_with_both_sides_is_never_netted_away() -> None:
    shared = leg("A", 1, 60), leg("A", 2, 40), leg("B", 1, 100)
    assert after(AB_TXN, *shared) == {"A:R1:1": "AMOUNT", "B:R1:1": "AMOUNT", "A:R1:2": "UNAUTHORISED"}
    other = leg("A", 1, 60), leg("A", 2, 40, "R2"), leg("B", 3, 100)
    assert "netting" not in after(AB_TXN, *other).values(), "two requests are two"


def test_ties_are_shown() -> None:
    twice = leg("A", 1, 100), leg("A", 1, 100) | {"row_ref": "A:again"}, leg("B", 1, 100)
    assert set(after(AB_TXN, *twice).values()) == {BreakKind.DUPLICATE}


def channel(direction: str, request: str = "W1") -> dict[str, Any]:
    key = f"CH01|P001|{request}|{direction}"
    row = {"side": "C", "row_ref": f"C:{key}", "match_key": key, "subject": f"CHANNEL|CH01|{request}", "amount_minor": 500}
    return {**_ONE, **row}


def test_what_comes_back_under_a_pay_outs_number_is_returned() -> None:
    paid_out = frozenset({"CH01|P001|W1|OUT"})
    assert after(BC_CHANNEL, channel("IN"), paid_out=paid_out) == {"C:CH01|P001|W1|IN": "RETURNED"}
    assert after(BC_CHANNEL, channel("IN", "W2"), paid_out=paid_out) == {"C:CH01|P001|W2|IN": "MISSING_IN_LEDGER"}
    assert after(BC_CHANNEL, channel("OUT"), paid_out=paid_out) == {"C:CH01|P001|W1|OUT": "MISSING_IN_LEDGER"}


def suggested(*items: dict[str, Any], relation: Relation = AB_TXN) -> list[tuple[str, str, str]]:
    return [(s.left_ref, s.right_ref, s.rule) for s in suggestions(judged(relation, *items))]


def test_a_number_that_only_looks_alike_is_suggested_and_matches_nothing() -> None:
    ours = leg("B", 1, 100, "R00012345")
    for written, rule in (("r-00012345", "normalised_id"), ("R00012354", "fuzzy_id"), ("R0001234", "fuzzy_id")):
        claim = leg("A", 1, 100, written)
        assert suggested(claim, ours) == [(claim["row_ref"], ours["row_ref"], rule)], written
        assert set(after(AB_TXN, claim, ours).values()) == {"UNAUTHORISED", "MISSING_IN_PLATFORM"}, written
    assert suggested(leg("A", 1, 100, "R00099345"), ours) == [], "two characters are another number"
    assert suggested(leg("A", 1, 101, "R00012354"), ours) == [], "another amount is another movement"


def test_all_that_may_belong_together_are_shown() -> None:
    ours = leg("B", 1, 100, "R00012345")
    claims = leg("A", 1, 100, "R00012346"), leg("A", 1, 100, "R00012344")
    assert [right for _, right, _ in suggested(*claims, ours)] == [ours["row_ref"]] * 2


def test_a_core_reference_may_be_suggested_too() -> None:
    same = {"amount_minor": 7, "platform": "P001"}
    booked = {
        **_ONE,
        **same,
        "side": "B",
        "row_ref": "b",
        "match_key": "P001:CUSTODY|S0000091",
        "subject": "CORE|P001:CUSTODY|S0000091",
    }
    flow = {
        **_ONE,
        **same,
        "side": "C",
        "row_ref": "c",
        "match_key": "P001:CUSTODY|s-0000091",
        "subject": "CORE|P001:CUSTODY|s-0000091",
    }
    assert suggested(booked, flow, relation=BC_CORE) == [("b", "c", "normalised_id")]
