"""What a mandate covers, and how much of it is used; each case counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ledger_kit import BORROWER, LENDER, LENDER2, PAYEE, post, refuse
from register_kit import HOLIDAY, MANDATED, MONDAY, THURSDAY, TUESDAY, mandate_row, on, reopened, whole_ledger, with_mandate

from custody.ledger import Ledger
from custody.mandates import enter_mandates
from custody.names import BreakKind, TxnType

T = TxnType
TENDER: dict[str, Any] = {"from_account": LENDER, "loan_id": "L1", **MANDATED}


def rich() -> Ledger:
    ledger = whole_ledger()
    for number, account in enumerate((LENDER, LENDER2, BORROWER)):
        post(ledger, T.RECHARGE, f"r{number}", 10_000, to_account=account)
    return ledger


def used(ledger: Ledger, mandate_id: str = "M1") -> int:
    return ledger.state.mandates["P001", mandate_id].used_minor


def test_a_mandate_is_used_by_what_is_posted_up_to_its_total() -> None:
    ledger = with_mandate(rich())
    post(ledger, T.TENDER_FREEZE, "t1", 1_000, **TENDER)
    post(ledger, T.TENDER_FREEZE, "t2", 1_000, **TENDER)
    refusal = refuse(ledger, T.TENDER_FREEZE, "t3", 501, **TENDER)
    assert (refusal.kind, refusal.rule, used(ledger)) == (BreakKind.LIMIT, "mandate_total_limit", 2_000)
    post(ledger, T.TENDER_FREEZE, "t4", 500, **TENDER)
    assert used(ledger) == 2_500


def test_an_item_is_a_request_with_all_its_legs() -> None:
    ledger = with_mandate(rich())
    assert refuse(ledger, T.TENDER_FREEZE, "t1", 1_001, **TENDER).rule == "mandate_item_limit"
    post(ledger, T.TENDER_FREEZE, "t2", 600, **TENDER)
    # A second hold of one name is refused anyway; a second leg of an assignment is not, so the sum is asked for first.
    assert refuse(ledger, T.TENDER_FREEZE, "t2", 401, leg=2, **TENDER).rule == "mandate_item_limit"
    assert used(ledger) == 600


def test_what_is_released_of_a_mandates_tender_is_given_back() -> None:
    ledger = with_mandate(rich())
    post(ledger, T.TENDER_FREEZE, "t1", 1_000, **TENDER)
    ledger = reopened(ledger)
    post(ledger, T.TENDER_CANCEL, "c1", 300, to_account=LENDER, loan_id="L1", related_request_no="t1")
    assert used(ledger) == 700
    post(ledger, T.TENDER_SETTLE, "s1", 700, from_account=LENDER, to_account=BORROWER, loan_id="L1", related_request_no="t1")
    assert used(ledger) == 700, "what was lent stays used"
    post(ledger, T.TENDER_FREEZE, "t2", 400, from_account=LENDER, loan_id="L1")
    post(ledger, T.TENDER_CANCEL, "c2", 400, to_account=LENDER, loan_id="L1", related_request_no="t2")
    assert used(ledger) == 700, "a tender by password is no mandate's"


def test_a_refused_use_uses_nothing() -> None:
    ledger = with_mandate(rich())
    post(ledger, T.TENDER_FREEZE, "t1", 9_500, from_account=LENDER, loan_id="L1")
    assert refuse(ledger, T.TENDER_FREEZE, "t2", 900, **TENDER).kind == BreakKind.SHORTFALL
    assert used(ledger) == 0


@pytest.mark.parametrize(
    ("scope", "user", "role", "txn_type", "fields"),
    [
        ("AUTO_REPAY", "b1", "BORROWER", T.REPAY_FREEZE, {"from_account": BORROWER, "loan_id": "L1"}),
        ("ENTRUSTED", "b1", "BORROWER", T.ENTRUSTED_PAYMENT, {"from_account": BORROWER, "to_account": PAYEE, "loan_id": "L1"}),
    ],
)
def test_each_scope_covers_its_type(scope: str, user: str, role: str, txn_type: TxnType, fields: dict[str, Any]) -> None:
    ledger = with_mandate(rich(), user, role, scope)
    post(ledger, txn_type, "x", 800, **fields, **MANDATED)
    assert used(ledger) == 800


@pytest.mark.parametrize("owner", ["u1", "u2"])
def test_an_assignment_goes_by_the_buyers_or_the_sellers_mandate(owner: str) -> None:
    ledger = rich()
    post(ledger, T.TENDER_FREEZE, "t1", 5_000, from_account=LENDER, loan_id="L1")
    post(ledger, T.TENDER_SETTLE, "s1", 5_000, from_account=LENDER, to_account=BORROWER, loan_id="L1", related_request_no="t1")
    with_mandate(ledger, owner, "LENDER", "AUTO_ASSIGN")
    sold: dict[str, Any] = {"from_account": LENDER2, "to_account": LENDER, "loan_id": "L1", "related_request_no": "t1"}
    post(ledger, T.CREDIT_ASSIGNMENT, "a1", 990, principal_minor=1_000, **sold, **MANDATED)
    assert used(ledger) == 990


@pytest.mark.parametrize(
    ("grant", "fields", "rule"),
    [
        ({"mandate_id": "M2"}, {}, "unknown_mandate"),
        ({"user_no": "u2"}, {}, "mandate_of_another"),
        ({"role": "BORROWER"}, {}, "mandate_of_another"),
        ({"scope": "AUTO_ASSIGN"}, {}, "mandate_scope"),
        ({"event_time": datetime(2019, 12, 30, 3, tzinfo=UTC)}, {}, "mandate_not_yet"),
        ({"expires_on": MONDAY}, on(TUESDAY), "mandate_expired"),
        # 16:00 UTC is midnight of the next custody date.
        ({"expires_on": MONDAY}, on(MONDAY, 16), "mandate_expired"),
    ],
)
def test_what_a_mandate_does_not_cover(grant: dict[str, Any], fields: dict[str, Any], rule: str) -> None:
    ledger = rich()
    enter_mandates(ledger.state, [mandate_row() | grant])
    refusal = refuse(ledger, T.TENDER_FREEZE, "t1", 100, **TENDER | fields)
    assert (refusal.kind, refusal.rule, refusal.waits) == (BreakKind.MANDATE, rule, rule == "unknown_mandate")


def test_a_withdrawal_is_never_made_by_mandate() -> None:
    refusal = refuse(with_mandate(rich()), T.WITHDRAW_FREEZE, "w1", 100, from_account=LENDER, **MANDATED)
    assert (refusal.kind, refusal.rule) == (BreakKind.MANDATE, "mandate_scope")


def test_a_revocation_counts_from_its_moment_whenever_the_leg_is_tried() -> None:
    ledger = with_mandate(rich())
    revoked = mandate_row(action="REVOKE", event_time=on(TUESDAY, 5)["event_time"])
    enter_mandates(ledger.state, [revoked])
    post(ledger, T.TENDER_FREEZE, "t1", 100, **TENDER, **on(TUESDAY, 4))
    assert refuse(ledger, T.TENDER_FREEZE, "t2", 100, **TENDER, **on(TUESDAY, 5)).rule == "mandate_revoked"
    enter_mandates(ledger.state, [mandate_row(event_time=on(TUESDAY, 6)["event_time"], item_limit_minor=9)])
    assert refuse(ledger, T.TENDER_FREEZE, "t3", 100, **TENDER, **on(HOLIDAY)).rule == "mandate_revoked"


def test_a_revocation_of_what_was_never_seen_is_kept() -> None:
    ledger = rich()
    enter_mandates(ledger.state, [mandate_row(action="REVOKE")])
    assert refuse(ledger, T.TENDER_FREEZE, "t1", 100, **TENDER, **on(THURSDAY)).rule == "mandate_revoked"
