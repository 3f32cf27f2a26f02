"""Nothing is frozen, released or deducted by law without an order that says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ledger_kit import LENDER, LENDER2, post, refuse
from register_kit import reopened, whole_ledger

from custody.ledger import Ledger
from custody.legal_orders import enter_orders
from custody.names import BreakKind, TxnType

T = TxnType


def order(action: str, amount: int, **other: Any) -> dict[str, Any]:
    row = {
        "platform": "P001", "order_no": "J1", "action": action, "role": "LENDER", "user_no": "u1", "amount_minor": amount,
        "event_time": datetime(2019, 12, 30, 1, tzinfo=UTC), "file_name": "f", "line_no": 2,
    }  # fmt: skip
    return row | other


def ordered(*orders: dict[str, Any]) -> Ledger:
    ledger = whole_ledger()
    for number, account in enumerate((LENDER, LENDER2)):
        post(ledger, T.RECHARGE, f"r{number}", 1_000, to_account=account)
    enter_orders(ledger.state, orders)
    return ledger


def test_an_order_is_carried_out_up_to_its_amount_whenever() -> None:
    ledger = ordered(order("FREEZE", 800), order("DEDUCT", 300), order("RELEASE", 500))
    post(ledger, T.LEGAL_FREEZE, "j", 800, from_account=LENDER, authorisation_id="J1")
    ledger = reopened(ledger)
    post(ledger, T.LEGAL_DEDUCT, "d", 300, from_account=LENDER, related_request_no="j", authorisation_id="J1")
    over = refuse(ledger, T.LEGAL_DEDUCT, "d2", 1, from_account=LENDER, related_request_no="j", authorisation_id="J1")
    assert (over.kind, over.rule) == (BreakKind.UNAUTHORISED, "legal_order_amount")
    post(ledger, T.LEGAL_RELEASE, "l", 500, to_account=LENDER, related_request_no="j", authorisation_id="J1")
    assert ledger.state.holds == {}


@pytest.mark.parametrize(
    ("orders", "account", "rule"),
    [
        ([], LENDER, "no_legal_order"),
        ([order("RELEASE", 800)], LENDER, "no_legal_order"),
        ([order("FREEZE", 800, platform="P002")], LENDER, "no_legal_order"),
        ([order("FREEZE", 800)], LENDER2, "legal_order_account"),
        ([order("FREEZE", 799)], LENDER, "legal_order_amount"),
        # An order keeps its first terms.
        ([order("FREEZE", 799), order("FREEZE", 900, line_no=3)], LENDER, "legal_order_amount"),
    ],
)
def test_what_was_not_ordered_is_refused(orders: list[dict[str, Any]], account: str, rule: str) -> None:
    refusal = refuse(ordered(*orders), T.LEGAL_FREEZE, "j", 800, from_account=account, authorisation_id="J1")
    assert (refusal.kind, refusal.rule, refusal.waits) == (BreakKind.UNAUTHORISED, rule, rule == "no_legal_order")
