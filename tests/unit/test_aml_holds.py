"""Of whoever is held no money leaves, whatever the type, and what comes in comes in; courts are not hindered, and books follow the cash."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from ledger_kit import BORROWER, INCOME, LENDER, LENDER2, post, refuse
from register_kit import on, reopened, whole_ledger

from custody.aml_holds import AmlHolds
from custody.ledger import Ledger
from custody.names import BreakKind, TxnType
from custody.texts import text
from custody.watch_list import HoldState, carried, held

T = TxnType
TODAY = date(2019, 12, 30)


def held_ledger(*accounts: str) -> Ledger:
    """Each of the two lenders has 1,000, of which 300 are frozen for a withdrawal."""
    ledger = whole_ledger()
    for number, account in enumerate((LENDER, LENDER2)):
        post(ledger, T.RECHARGE, f"r{number}", 1_000, to_account=account)
        post(ledger, T.WITHDRAW_FREEZE, f"f{number}", 300, from_account=account)
    ledger.state.held = frozenset(accounts)
    return reopened(ledger)


@pytest.mark.parametrize(
    ("txn_type", "said"),
    [
        (T.WITHDRAW_FREEZE, {}),
        (T.TENDER_FREEZE, {"loan_id": "L1"}),
        (T.COMMISSION, {"to_account": INCOME}),
        (T.ADJUSTMENT, {"to_account": LENDER2}),
        (T.CREDIT_ASSIGNMENT, {"to_account": LENDER2, "loan_id": "L1", "related_request_no": "c", "principal_minor": 5}),
    ],
)
def test_what_would_leave_waits_under_a_code_that_says_nothing(txn_type: TxnType, said: dict[str, Any]) -> None:
    refusal = refuse(held_ledger(LENDER), txn_type, "x", 5, from_account=LENDER, **said)
    assert refusal.waits
    if txn_type is not T.CREDIT_ASSIGNMENT:  # claims are asked first: there is no such claim
        assert (refusal.kind, refusal.rule, refusal.figures) == (BreakKind.STATUS, "not_carried_out", {"txn_type": str(txn_type)})
        told = " ".join(text(refusal.rule, {"txn_type": "X"})).lower()
        assert not any(
            word in told
            for word in ("held", "hold", "freeze", "frozen", "watch", "list", "launder", "名单", "冻结", "止付", "洗钱")
        )


def test_what_comes_in_comes_in_and_others_are_not_concerned() -> None:
    ledger = held_ledger(LENDER)
    post(ledger, T.RECHARGE, "more", 10, to_account=LENDER)
    post(ledger, T.WITHDRAW_CANCEL, "back", 300, to_account=LENDER, related_request_no="f0")
    post(ledger, T.WITHDRAW_FREEZE, "his", 5, from_account=LENDER2)
    assert refuse(ledger, T.WITHDRAW_FREEZE, "all", 1_010, from_account=LENDER).rule == "not_carried_out"


def test_what_a_channel_has_paid_is_posted_and_is_a_finding() -> None:
    entry = post(held_ledger(LENDER), T.WITHDRAW, "w", 300, from_account=LENDER, channel="CH01", related_request_no="f0")
    assert [(f.kind, f.rule) for f in entry.findings] == [(BreakKind.STATUS, "left_meanwhile")]
    sound = post(held_ledger(LENDER), T.WITHDRAW, "w", 300, from_account=LENDER2, channel="CH01", related_request_no="f1")
    assert sound.findings == ()


def test_every_type_by_which_a_customer_pays_is_asked_but_for_what_courts_order() -> None:
    assert {T.WITHDRAW_FREEZE, T.TENDER_SETTLE, T.REPAYMENT, T.ENTRUSTED_PAYMENT, T.COMPENSATION, T.REVERSAL} <= AmlHolds.types
    assert not {T.LEGAL_DEDUCT, T.LEGAL_FREEZE, T.RECHARGE, T.MARKETING, T.TENDER_CANCEL} & AmlHolds.types


def decision(number: int, kind: str, subject: str, **said: Any) -> dict[str, Any]:
    row = {"decision_no": number, "kind": kind, "subject": subject, "outcome": "APPROVED", "proposal_id": f"p{number}"}
    return row | {"payload": json.dumps(said)}


def listed(number: int, *entries: tuple[str, str], since: date = TODAY) -> dict[str, Any]:
    return decision(number, "watch_list", "un", list="un", valid_from=since.isoformat(), entries=entries)


def test_a_hold_begins_with_its_cut_off_and_ends_with_two_peoples_release() -> None:
    (row,) = carried([], [listed(1, ("1", "A"))], TODAY, {})
    assert (row["held_from"], row["state"]) == (TODAY, "HELD") and held([row], TODAY, {}) == {"A"}
    release = decision(2, "aml_hold", row["hold_id"], outcome="RELEASED")
    refused = release | {"outcome": "REJECTED"}
    assert held(carried([row], [refused], TODAY, {}), TODAY, {}) == {"A"}
    (free,) = carried([row], [release], TODAY, {})
    assert (free["state"], free["decided_by"]) == ("RELEASED", "p2") and held([free], TODAY, {}) == frozenset()
    # The list comes again with somebody new: who was released stays so, even if a report was proposed before.
    report = decision(3, "aml_hold", row["hold_id"], outcome="REPORTED")
    again = carried([free], [report, listed(4, ("1", "A"), ("2", "B"))], TODAY + timedelta(days=1), {})
    assert [(r["customer_id"], r["state"]) for r in again] == [("A", "RELEASED"), ("B", "HELD")]


def test_a_report_leaves_the_money_where_it_is_and_a_merged_customer_is_held_under_his_new_name() -> None:
    (row,) = carried([], [listed(1, ("1", "A"))], TODAY, {})
    (told,) = carried([row], [decision(2, "aml_hold", row["hold_id"], outcome="REPORTED")], TODAY, {"A": "Z"})
    assert told["state"] == HoldState.REPORTED and held([told], TODAY, {"A": "Z"}) == {"Z"}
    assert told["hold_id"] != row["hold_id"]
    # Two lists: released from one, held by the other.
    other = carried([], [decision(5, "watch_list", "x", list="x", valid_from="2020-01-05", entries=[["1", "A"]])], TODAY, {})
    assert held(other, TODAY, {}) == frozenset() and held(other, date(2020, 1, 5), {}) == {"A"}


def test_a_later_list_without_him_lets_him_go() -> None:
    rows = carried([], [listed(1, ("1", "A"))], TODAY, {})
    assert carried(rows, [listed(2, ("9", "B"))], TODAY, {})[0]["customer_id"] == "B"


def test_the_borrower_of_a_held_lender_gets_nothing() -> None:
    ledger = whole_ledger()
    post(ledger, T.RECHARGE, "r", 500_000, to_account=LENDER)
    post(ledger, T.TENDER_FREEZE, "t", 500_000, from_account=LENDER, loan_id="L1")
    ledger.state.held = frozenset({LENDER})
    ledger = reopened(ledger)
    said = {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1", "related_request_no": "t"}
    assert refuse(ledger, T.TENDER_SETTLE, "s", 500_000, **said, **on(TODAY)).rule == "not_carried_out"
    ledger.state.held = frozenset()
    post(reopened(ledger), T.TENDER_SETTLE, "s", 500_000, **said, **on(TODAY))
