"""The verdict of every rule of domain.md §6 on items made by hand."""

import re
from datetime import date
from typing import Any

import pytest

from custody.matching import (
    CLAIMED_ACCOUNT,
    Bucket,
    Relation,
    Verdict,
    case_id,
    evidence_digest,
    judge_group,
    netted_kind,
    pair_kind,
)
from custody.names import BreakKind
from schemas.rule_book import book_with

DAY = date(2019, 12, 30)
NEXT = date(2019, 12, 31)
AB_TXN, BC_CORE, BC_CHANNEL, _ = book_with([]).rules_on(DAY).relations


def item(side: str, **other: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "side": side, "match_key": "P001|R1|1", "item_date": DAY, "expected_on": None, "amount_minor": 1000,
        "currency": "CNY", "from_account": "P001.LENDER.u1", "to_account": "P001.BORROWER.b1", "loan_id": "L1",
        "status": "SUCCESS", "fee_minor": 3, "principal_minor": 0, "interest_minor": 0, "penalty_minor": 0, "coupon_minor": 0,
        "counterpart_file": "GW|INSTRUCTION|2019-12-30", "in_window": False,
        "txn_type": "TENDER_SETTLE", "settle_date": None,
    }  # fmt: skip
    return plain | other


def verdict(relation: Relation, *items: dict[str, Any], **other: Any) -> Verdict:
    told: dict[str, Any] = {"as_of": DAY, "files_missing": frozenset(), "matched_before": False, "waiting": False}
    return judge_group(relation, items, **(told | other))


PAIRS: list[tuple[Relation, dict[str, Any], BreakKind | None]] = [
    (AB_TXN, {}, None),
    (AB_TXN, {"currency": "USD", "amount_minor": 1}, BreakKind.CURRENCY),
    (AB_TXN, {"from_account": "P001.BORROWER.b1", "to_account": "P001.LENDER.u1", "amount_minor": 1}, BreakKind.DIRECTION),
    (AB_TXN, {"to_account": "P001.BORROWER.b2", "amount_minor": 1}, BreakKind.WRONG_ACCOUNT),
    (AB_TXN, {"from_account": None}, BreakKind.WRONG_ACCOUNT),
    (AB_TXN, {"loan_id": "L2", "amount_minor": 1}, BreakKind.WRONG_LOAN),
    (AB_TXN, {"loan_id": None}, BreakKind.WRONG_LOAN),
    (AB_TXN, {"txn_type": "COMMISSION", "amount_minor": 999}, BreakKind.TXN_TYPE),
    (AB_TXN, {"amount_minor": 999, "status": "FAIL"}, BreakKind.AMOUNT),
    (AB_TXN, {"amount_minor": -1000}, BreakKind.AMOUNT),
    (AB_TXN, {"principal_minor": 1}, BreakKind.ALLOCATION),
    (AB_TXN, {"interest_minor": 1, "status": "FAIL"}, BreakKind.ALLOCATION),
    (AB_TXN, {"penalty_minor": 1}, BreakKind.ALLOCATION),
    (AB_TXN, {"coupon_minor": 1, "penalty_minor": 1}, BreakKind.AMOUNT),
    (AB_TXN, {"status": "UNKNOWN", "item_date": NEXT}, BreakKind.STATUS),
    (AB_TXN, {"item_date": NEXT}, BreakKind.TIMING),
    (AB_TXN, {"item_date": NEXT, "in_window": True}, None),
    (AB_TXN, {"fee_minor": 99}, None),
    (BC_CHANNEL, {}, None),
    (BC_CHANNEL, {"currency": "USD"}, BreakKind.CURRENCY),
    (BC_CHANNEL, {"amount_minor": 1001, "fee_minor": 4}, BreakKind.AMOUNT),
    (BC_CHANNEL, {"fee_minor": 4}, BreakKind.FEE),
    (BC_CHANNEL, {"status": "FAIL"}, BreakKind.STATUS),
    (BC_CHANNEL, {"item_date": NEXT, "loan_id": None}, None),
]


@pytest.mark.parametrize(("relation", "changed", "kind"), PAIRS)
def test_a_pair_breaks_the_first_rule_that_it_breaks(relation: Relation, changed: dict[str, Any], kind: BreakKind | None) -> None:
    left, right = item(relation.left), item(relation.right, **changed)
    assert pair_kind(relation, left, right) == kind
    rule = "later_date" if right["item_date"] == NEXT else "exact"
    expected = Verdict(Bucket.BREAK, kind) if kind else Verdict(Bucket.MATCHED, rule)
    assert verdict(relation, left, right) == expected
    assert verdict(relation, right, left) == expected


def test_two_nulls_are_equal() -> None:
    nulls = {"from_account": None, "loan_id": None}
    assert pair_kind(AB_TXN, item("A", **nulls), item("B", **nulls)) is None


def test_an_account_that_pays_itself_is_not_a_swap() -> None:
    same = {"from_account": "x", "to_account": "x"}
    assert pair_kind(AB_TXN, item("A", **same), item("B", **same)) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ([1000], [400, 600], None),
        ([400, 600], [1000], None),
        ([5, 5], [3, 7], None),
        ([1000], [-1000], BreakKind.DIRECTION),
        ([1000], [999], BreakKind.AMOUNT),
        ([10, -10], [0], None),
    ],
)
def test_netting_compares_sums(ours: list[int], theirs: list[int], kind: BreakKind | None) -> None:
    left, right = [item("B", amount_minor=a) for a in ours], [item("C", amount_minor=a) for a in theirs]
    assert netted_kind(left, right) == kind
    assert verdict(BC_CORE, *left, *right) == (
        Verdict(Bucket.BREAK, kind) if kind else Verdict(Bucket.MATCHED, "netting" if len(ours) + len(theirs) > 2 else "exact")
    )


@pytest.mark.parametrize("relation", [AB_TXN, BC_CHANNEL])
def test_ties_are_shown_and_not_broken(relation: Relation) -> None:
    left, right = item(relation.left), item(relation.right)
    duplicate = Verdict(Bucket.BREAK, BreakKind.DUPLICATE)
    for group in ([left, left], [right, right], [left, left, right], [left, right, right]):
        assert verdict(relation, *group) == duplicate


def test_a_claim_may_come_as_late_as_its_cash() -> None:
    booked = item("B", settle_date=NEXT)
    assert pair_kind(AB_TXN, item("A", item_date=NEXT), booked) is None
    assert pair_kind(AB_TXN, item("A", item_date=date(2020, 1, 1)), booked) == BreakKind.TIMING, "later than its cash"
    before = item("B", item_date=NEXT, settle_date=date(2020, 1, 2))
    assert pair_kind(AB_TXN, item("A"), before) == BreakKind.TIMING, "earlier than the movement"


def test_currencies_are_never_added_to_each_other() -> None:
    yuan, dollars = item("B"), item("B", currency="USD")
    assert netted_kind([yuan], [item("C", currency="USD")]) == BreakKind.CURRENCY
    assert netted_kind([yuan, dollars], [item("C", amount_minor=2000)]) == BreakKind.CURRENCY
    assert netted_kind([yuan, dollars], [item("C"), item("C", currency="USD")]) is None
    assert netted_kind([yuan, dollars], [item("C"), item("C", currency="USD", amount_minor=1)]) == BreakKind.AMOUNT
    opposite = item("C", amount_minor=-1000), item("C", amount_minor=-1000, currency="USD")
    assert netted_kind([yuan, dollars], opposite) == BreakKind.DIRECTION


def test_a_key_matched_before_is_a_duplicate() -> None:
    assert verdict(AB_TXN, item("A"), matched_before=True) == Verdict(Bucket.BREAK, BreakKind.DUPLICATE)
    assert verdict(AB_TXN, item("A"), item("B"), matched_before=True) == Verdict(Bucket.BREAK, BreakKind.DUPLICATE)
    assert verdict(BC_CORE, item("B"), item("C"), matched_before=True) == Verdict(Bucket.BREAK, BreakKind.DUPLICATE)


def test_a_null_key_matches_nothing() -> None:
    assert verdict(AB_TXN, item("A", match_key=None)) == Verdict(Bucket.BREAK, BreakKind.ORPHAN)
    both = item("A", match_key=None), item("B", match_key=None)
    assert verdict(AB_TXN, *both) == Verdict(Bucket.BREAK, BreakKind.ORPHAN)


@pytest.mark.parametrize(
    ("relation", "side", "kind"),
    [
        (AB_TXN, "A", BreakKind.UNAUTHORISED),
        (AB_TXN, "B", BreakKind.MISSING_IN_PLATFORM),
        (BC_CHANNEL, "B", BreakKind.MISSING_IN_CHANNEL),
        (BC_CHANNEL, "C", BreakKind.MISSING_IN_LEDGER),
        (BC_CORE, "B", BreakKind.MISSING_IN_CORE),
        (BC_CORE, "C", BreakKind.MISSING_IN_LEDGER),
    ],
)
def test_a_row_alone_is_missing_on_the_other_side(relation: Relation, side: str, kind: BreakKind) -> None:
    assert verdict(relation, item(side)) == Verdict(Bucket.BREAK, kind)


def test_absence_is_judged_only_against_a_sealed_file() -> None:
    missing = frozenset({"GW|INSTRUCTION|2019-12-30"})
    assert verdict(AB_TXN, item("A"), files_missing=missing) == Verdict(Bucket.CARRIED, "late_file")
    other = frozenset({"GW|INSTRUCTION|2019-12-31"})
    assert verdict(AB_TXN, item("A"), files_missing=other).bucket == Bucket.BREAK


def test_an_instruction_that_waits_carries_the_claim() -> None:
    assert verdict(AB_TXN, item("A"), waiting=True) == Verdict(Bucket.CARRIED, "instruction_waiting")


def test_a_settlement_is_awaited_until_its_day() -> None:
    awaited = item("B", expected_on=NEXT)
    assert verdict(BC_CHANNEL, awaited) == Verdict(Bucket.CARRIED, "not_due")
    assert verdict(BC_CHANNEL, awaited, as_of=NEXT) == Verdict(Bucket.BREAK, BreakKind.MISSING_IN_CHANNEL)


def test_the_cut_off_window_explains_one_day_only() -> None:
    late = item("A", in_window=True)
    assert verdict(AB_TXN, late) == Verdict(Bucket.CARRIED, "cut_off_window")
    assert verdict(AB_TXN, late, as_of=NEXT) == Verdict(Bucket.BREAK, BreakKind.UNAUTHORISED)


def test_a_case_keeps_its_identity_and_a_decision_its_evidence() -> None:
    assert case_id("P001", "AB", "TXN|R1|1") == case_id("P001", "AB", "TXN|R1|1")
    assert len({case_id(*k) for k in [("P001", "AB", "S"), ("P002", "AB", "S"), ("P001", "BC", "S"), ("P001", "AB", "T")]}) == 4
    assert evidence_digest([{"a": 1}]) != evidence_digest([{"a": 2}])
    assert evidence_digest([{"a": 1, "b": 2}]) == evidence_digest([{"b": 2, "a": 1}])


@pytest.mark.parametrize(
    ("from_account", "to_account", "claimed"),
    [
        (None, "P001.LENDER.u1", True),
        ("P001.LENDER.u1", None, True),
        ("P001:SUSPENSE", "P001:P_INCOME", True),
        ("P001:SUSPENSE", "P001.PAYEE.Y1", True),
        ("P001:SUSPENSE", None, False),
        (None, "P001:SUSPENSE", False),
        (None, None, False),
    ],
)
def test_the_platform_claims_what_touches_a_customer_or_an_account_of_its_own(
    from_account: str | None, to_account: str | None, claimed: bool
) -> None:
    named = " ".join(account for account in (from_account, to_account) if account is not None)
    assert bool(re.search(CLAIMED_ACCOUNT, named)) == claimed
