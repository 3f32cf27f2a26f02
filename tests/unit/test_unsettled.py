"""Where unsettled money lies, and what may leave: each figure counted by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from ledger_kit import BORROWER, IN, INCOME, LENDER, LENDER2, MARKETING, OUT, SUSPENSE, post, refuse
from register_kit import HOLIDAY, MONDAY, THURSDAY, TUESDAY, on, reopened, whole_ledger

from custody.ledger import Ledger
from custody.ledger_state import LegalOrder, OpenItem
from custody.names import BreakKind, TxnType

T = TxnType
PAYABLE, RECEIVABLE = "P001:CHANNEL_PAYABLE/CH01", "P001:CHANNEL_RECEIVABLE/CH01"
MON, TUE = ("CH01", TUESDAY), ("CH01", THURSDAY)  # lots of Monday's and Tuesday's recharges: Wednesday is a holiday
CH: dict[str, Any] = {"channel": "CH01"}


def lots(ledger: Ledger) -> dict[tuple[str, str], dict[tuple[str, date], int]]:
    return ledger.state.unsettled


def recharged(monday: int = 1_000, tuesday: int = 0, settled: int = 0) -> Ledger:
    """A lender with recharges of two days, and money that came by transfer."""
    ledger = whole_ledger()
    post(ledger, T.OWN_FUNDS_MOVEMENT, "own", 10_000, direction="IN")
    if settled:
        post(ledger, T.RECHARGE, "d", settled, to_account=LENDER)
    post(ledger, T.RECHARGE, "r1", monday, to_account=LENDER, **CH, **on(MONDAY))
    if tuesday:
        post(ledger, T.RECHARGE, "r2", tuesday, to_account=LENDER, **CH, **on(TUESDAY))
    return ledger


def settle(ledger: Ledger, amount: int, day: date, fee: int = 0) -> None:
    post(ledger, T.CHANNEL_SETTLEMENT, f"s{day}{amount}", amount, **IN, fee_minor=fee, **on(day))


def withdraw(ledger: Ledger, amount: int, day: date, number: str = "w") -> tuple[str, ...]:
    """Freeze and pay out; returns the findings."""
    post(ledger, T.WITHDRAW_FREEZE, f"f{number}", amount, from_account=LENDER, **on(day))
    out = post(ledger, T.WITHDRAW, number, amount, from_account=LENDER, related_request_no=f"f{number}", **CH, **on(day))
    assert all(finding.kind == BreakKind.UNSETTLED_USE for finding in out.findings)
    return tuple(str(finding.figures["unsettled"]) for finding in out.findings)


def test_a_recharge_is_unsettled_until_its_channel_settles() -> None:
    ledger = recharged(1_000, 500)
    assert lots(ledger) == {(LENDER, ""): {MON: 1_000, TUE: 500}}
    settle(ledger, 1_000, TUESDAY, fee=3)
    assert lots(ledger) == {(LENDER, ""): {TUE: 500}}
    assert ledger.state.open_items == {
        RECEIVABLE: {"r2|1": OpenItem(TUESDAY, THURSDAY, 500)},
        "P001:FEE_RECEIVABLE": {"S1": OpenItem(TUESDAY, TUESDAY, 3)},
    }
    post(ledger, T.CHANNEL_FEE_TOPUP, "t", 3, channel="CH01", settlement_batch="S1")
    settle(reopened(ledger), 500, THURSDAY)
    assert lots(ledger) == {} and ledger.state.open_items == {}


def test_a_short_settlement_settles_nobodys_money_of_its_date() -> None:
    ledger = recharged()
    post(ledger, T.RECHARGE, "r9", 400, to_account=LENDER2, **CH)
    settle(ledger, 1_399, TUESDAY)
    assert lots(ledger) == {(LENDER, ""): {MON: 1_000}, (LENDER2, ""): {MON: 400}}
    assert ledger.state.open_items[RECEIVABLE] == {"r9|1": OpenItem(MONDAY, TUESDAY, 1)}
    settle(ledger, 1, THURSDAY)
    assert lots(ledger) == {}


def test_a_recharge_whose_settlement_came_before_it_is_settled() -> None:
    ledger = whole_ledger()
    settle(ledger, 1_000, TUESDAY)
    assert ledger.state.open_items[RECEIVABLE]["SURPLUS"].amount_minor == -1_000
    post(ledger, T.RECHARGE, "r1", 1_300, to_account=LENDER, **CH, **on(MONDAY))
    assert lots(ledger) == {(LENDER, ""): {MON: 300}}
    assert ledger.state.open_items == {RECEIVABLE: {"r1|1": OpenItem(MONDAY, TUESDAY, 300)}}


def test_inside_the_bank_unsettled_money_moves_first_and_the_lot_due_last_before_all() -> None:
    ledger = recharged(1_000, 500, settled=2_000)
    post(ledger, T.TENDER_FREEZE, "t", 700, from_account=LENDER, loan_id="L1")
    assert lots(ledger) == {(LENDER, ""): {MON: 800}, (LENDER, "t"): {TUE: 500, MON: 200}}
    post(ledger, T.TENDER_CANCEL, "c", 100, to_account=LENDER, related_request_no="t", loan_id="L1")
    assert lots(ledger) == {(LENDER, ""): {MON: 800, TUE: 100}, (LENDER, "t"): {TUE: 400, MON: 200}}
    settled: dict[str, Any] = {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1"}
    post(ledger, T.TENDER_SETTLE, "ts", 600, related_request_no="t", **settled)
    assert lots(ledger) == {(LENDER, ""): {MON: 800, TUE: 100}, (BORROWER, ""): {TUE: 400, MON: 200}}
    post(ledger, T.COMMISSION, "k", 450, from_account=BORROWER, to_account=INCOME)
    assert lots(ledger)[INCOME, ""] == {TUE: 400, MON: 50} and lots(ledger)[BORROWER, ""] == {MON: 150}


def test_a_coupon_is_settled_money() -> None:
    ledger = recharged()
    post(ledger, T.PLATFORM_RECHARGE, "p", 300, to_account=MARKETING)
    post(ledger, T.TENDER_FREEZE, "t", 500, from_account=LENDER, loan_id="L1", coupon_minor=200)
    assert lots(ledger) == {(LENDER, ""): {MON: 700}, (LENDER, "t"): {MON: 300}}
    post(ledger, T.TENDER_CANCEL, "c", 500, to_account=LENDER, related_request_no="t", loan_id="L1", coupon_minor=200)
    assert lots(ledger) == {(LENDER, ""): {MON: 1_000}}


def test_what_is_frozen_to_leave_takes_settled_money_first() -> None:
    ledger = recharged(1_000, settled=300)
    assert withdraw(ledger, 300, MONDAY) == ()
    assert lots(ledger) == {(LENDER, ""): {MON: 1_000}}


def test_unsettled_money_that_leaves_is_posted_and_found_and_stays_named() -> None:
    ledger = recharged(1_000, settled=300)
    assert withdraw(ledger, 450, MONDAY) == ("150",)
    assert lots(ledger) == {(LENDER, ""): {MON: 850}, (PAYABLE, ""): {MON: 150}}
    settle(ledger, 1_000, TUESDAY)
    assert lots(ledger) == {}


def test_a_lot_due_today_counts_as_settled_all_day() -> None:
    ledger = recharged(1_000)
    assert withdraw(ledger, 400, TUESDAY) == ()
    assert lots(ledger)[PAYABLE, ""] == {MON: 400}, "until its settlement comes it is still named"


def test_what_was_frozen_unsettled_may_leave_once_it_is_settled() -> None:
    ledger = recharged(1_000)
    post(ledger, T.WITHDRAW_FREEZE, "f", 600, from_account=LENDER, **on(MONDAY))
    assert lots(ledger) == {(LENDER, ""): {MON: 400}, (LENDER, "f"): {MON: 600}}
    settle(ledger, 1_000, TUESDAY)
    out = post(ledger, T.WITHDRAW, "w", 600, from_account=LENDER, related_request_no="f", **CH, **on(THURSDAY))
    assert out.findings == () and lots(ledger) == {}


def test_p_advance_takes_the_lots_of_a_withdrawal_and_is_restored_by_the_settlement() -> None:
    ledger = recharged(1_000)
    advance = "P001:P_ADVANCE"
    post(ledger, T.PLATFORM_RECHARGE, "pa", 700, to_account=advance)
    assert withdraw(ledger, 500, MONDAY) == ()
    assert lots(ledger) == {(LENDER, ""): {MON: 500}, (advance, ""): {MON: 500}}
    # It has 200 of settled money left: that is what it can lend, and what it can take out.
    assert withdraw(ledger, 300, MONDAY, "w2") == ("100",)
    out = post(ledger, T.PLATFORM_WITHDRAW, "po", 50, from_account=advance, **on(MONDAY))
    assert [f.kind for f in out.findings] == [BreakKind.UNSETTLED_USE]
    settle(ledger, 1_000, TUESDAY)
    assert lots(ledger) == {}
    assert post(ledger, T.PLATFORM_WITHDRAW, "po2", 650, from_account=advance, **on(TUESDAY)).findings == ()


def test_a_refund_takes_back_its_own_recharges_lot() -> None:
    ledger = recharged(1_000, 500)
    back: dict[str, Any] = {"from_account": LENDER, "related_request_no": "r1", **CH, **on(TUESDAY)}
    assert post(ledger, T.BACKROLL_RECHARGE, "b", 600, **back).findings == ()
    assert lots(ledger) == {(LENDER, ""): {MON: 400, TUE: 500}, (PAYABLE, "REFUNDED"): {MON: 600}}
    again = post(ledger, T.BACKROLL_RECHARGE, "b2", 900, **{**back, "related_request_no": "r7"})
    # Of a recharge that is not open: Monday's lot is due today, Tuesday's is not.
    assert [f.figures["unsettled"] for f in again.findings] == [500]


def test_a_returned_withdrawal_is_unsettled_when_the_channel_had_settled_it() -> None:
    ledger = recharged(1_000, settled=500)
    withdraw(ledger, 300, MONDAY)
    assert ledger.state.open_items[PAYABLE] == {"w|1": OpenItem(MONDAY, TUESDAY, 300)}
    returned: dict[str, Any] = {"to_account": LENDER, "related_request_no": "w", **CH}
    post(ledger, T.WITHDRAW_RETURN, "b0", 100, direction="OUT", **returned, **on(MONDAY))
    assert lots(ledger) == {(LENDER, ""): {MON: 1_000}} and ledger.state.open_items[PAYABLE]["w|1"].amount_minor == 200
    post(ledger, T.CHANNEL_SETTLEMENT, "so", 200, **OUT, **on(TUESDAY))
    post(ledger, T.WITHDRAW_RETURN, "b1", 200, direction="IN", **returned, **on(TUESDAY))
    assert lots(ledger) == {(LENDER, ""): {MON: 1_000, TUE: 200}} and PAYABLE not in ledger.state.open_items


def test_a_court_is_paid_settled_money() -> None:
    ledger = recharged(1_000, settled=200)
    for action in ("FREEZE", "DEDUCT"):
        ledger.state.legal_orders["P001", "A1", action] = LegalOrder("P001", "A1", action, LENDER, 500, 0)
    post(ledger, T.LEGAL_FREEZE, "j", 500, from_account=LENDER)
    assert lots(ledger)[LENDER, "j"] == {MON: 300}
    out = post(ledger, T.LEGAL_DEDUCT, "jd", 500, from_account=LENDER, related_request_no="j", **on(MONDAY))
    assert [f.figures["unsettled"] for f in out.findings] == [300]
    assert lots(ledger)["P001:CORE_CASH", ""] == {MON: 300}


def test_suspense_is_itemised_and_left_only_against_its_receipt() -> None:
    ledger = whole_ledger()
    post(ledger, T.RECHARGE, "q", 900, to_account=SUSPENSE, **on(MONDAY))
    receipt = ledger.state.receipts["P001", "q"]
    # Tuesday, Thursday, Friday, Monday and Tuesday are the five business days.
    assert (receipt.left_minor, receipt.due_on) == (900, date(2020, 1, 7))
    found: dict[str, Any] = {"from_account": SUSPENSE, "to_account": LENDER, **on(HOLIDAY)}
    post(ledger, T.ADJUSTMENT, "a", 400, related_request_no="q", **found)
    assert ledger.state.receipts["P001", "q"].left_minor == 500
    assert refuse(ledger, T.ADJUSTMENT, "a2", 501, related_request_no="q", **found).kind == BreakKind.AMOUNT
    assert refuse(ledger, T.ADJUSTMENT, "a3", 1, related_request_no="z", **found).kind == BreakKind.ORPHAN
    post(ledger, T.REVERSAL, "v", 500, from_account=SUSPENSE, related_request_no="q")
    assert ledger.state.receipts == {}


@pytest.mark.parametrize("legs", [1, 3])
def test_interest_waits_in_suspense_until_its_owners_have_it(legs: int) -> None:
    ledger = whole_ledger()
    post(ledger, T.BANK_INTEREST, "i", 300, direction="IN")
    for leg in range(1, legs + 1):
        shares: dict[str, Any] = {"from_account": SUSPENSE, "to_account": LENDER, "direction": "OUT", "related_request_no": "i"}
        post(ledger, T.BANK_INTEREST, "o", 300 // legs, leg=leg, **shares)
    assert ledger.state.receipts == {}
