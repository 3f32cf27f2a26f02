"""Taking back what was posted: the state is as if it had not been, or nothing changes and the words say why."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from ledger_kit import IN, INCOME, LENDER, LENDER2, MARKETING, SUSPENSE, instruction, post, rich
from register_kit import MANDATED, MONDAY, TUESDAY, on, reopened, whole_ledger, with_mandate
from test_ledger import GOLDEN, LENT

from custody.calendar import CHINA
from custody.instruction import Entry, Instruction, Refusal
from custody.ledger import Ledger
from custody.ledger_state import LedgerState, LegalOrder
from custody.names import LoanState, TxnStatus, TxnType
from custody.posting_findings import FINAL_REFUSALS
from custody.reversals import REVERSAL, request_of, reversal_of, reversed_request
from custody.texts import text

T = TxnType
CH: dict[str, Any] = {"channel": "CH01"}
# What is never taken back by itself, and why.
STAYS = {
    T.BACKROLL_RECHARGE: "reversal_by_hand",
    T.WITHDRAW_RETURN: "reversal_by_hand",
    T.CHANNEL_SETTLEMENT: "reversal_by_hand",
    T.CHANNEL_FEE_TOPUP: "reversal_by_hand",
    T.CUSTODY_FEE: "reversal_by_hand",
    T.ADJUSTMENT: "reversal_by_hand",
    T.REVERSAL: "reversal_by_hand",
}


def reversal(original: Instruction) -> Instruction:
    return original._replace(request_no=f"REV-{original.request_no}", txn_type=T.REVERSAL)


def taken_back(ledger: Ledger, entry: Entry) -> Entry:
    result = ledger.reverse(reversal(entry.instruction), entry.instruction)
    assert isinstance(result, Entry), result
    assert result.core_ref is None and len(result.moves) == len(entry.moves)
    return result


def refused(ledger: Ledger, original: Instruction) -> Refusal:
    """Nothing changes by it; it does not wait, and says in words why what was posted stays."""
    before = deepcopy(ledger.state)
    result = ledger.reverse(reversal(original), original)
    assert isinstance(result, Refusal), result
    assert (
        ledger.state == before and not result.waits and result.rule in FINAL_REFUSALS and all(text(result.rule, result.figures))
    )
    return result


def without_nothing(state: LedgerState) -> LedgerState:
    """An account that was never there holds as much as an empty one."""
    state.balances = {account: minor for account, minor in state.balances.items() if minor}
    return state


@pytest.mark.parametrize(
    ("txn_type", "fields"), [(case[0], case[1]) for case in GOLDEN], ids=lambda v: str(v) if isinstance(v, TxnType) else ""
)
def test_every_type_is_taken_back_without_a_trace_or_stays(txn_type: TxnType, fields: dict[str, Any]) -> None:
    # What a channel owes is known by the registers; orders and receipts have tests of their own below.
    ledger = reopened(rich()) if "channel" in fields else rich()
    before = deepcopy(ledger.state)
    entry = post(ledger, txn_type, "X", 1000, **fields)
    if txn_type in STAYS:
        assert refused(ledger, entry.instruction).rule == STAYS[txn_type]
        return
    back = taken_back(ledger, entry)
    assert [(m.book, m.to_account, m.from_account, m.amount_minor) for m in reversed(back.moves)] == [
        (m.book, m.from_account, m.to_account, m.amount_minor) for m in entry.moves
    ]
    if txn_type == T.REPAYMENT:
        # Only its last repayment had said that the loan is being repaid.
        loan = ledger.state.loans["P001", "L1"]
        ledger.state.loans["P001", "L1"] = loan._replace(state=before.loans["P001", "L1"].state)
    assert without_nothing(ledger.state) == without_nothing(before)


def test_what_something_later_rests_on_stays() -> None:
    ledger = rich()
    freeze = instruction(T.TENDER_FREEZE, "ht0", 300_000, from_account=LENDER, loan_id="L1")
    assert refused(ledger, freeze).rule == "reversal_hold_used"
    # Of the claim that it made, the guarantor took over a part.
    lent = instruction(T.TENDER_SETTLE, "st0", 300_000, **{**LENT, "related_request_no": "ht0"})
    assert refused(ledger, lent).rule == "reversal_claim"
    spent = post(ledger, T.MARKETING, "m", 500, from_account=MARKETING, to_account=LENDER2)
    left = ledger.state.balances[next(k for k in ledger.state.balances if k[1] == f"{LENDER2}:available")]
    post(ledger, T.COMMISSION, "c", left, from_account=LENDER2, to_account=INCOME)
    found = refused(ledger, spent.instruction)
    assert (found.rule, found.figures["available"], found.figures["needed"]) == ("reversal_short", 0, 500)


def test_a_hold_that_was_released_whole_is_not_frozen_again() -> None:
    ledger = rich()
    cancel = post(ledger, T.WITHDRAW_CANCEL, "x", 10_000, to_account=LENDER, related_request_no="hw")
    assert refused(ledger, cancel.instruction).rule == "reversal_hold_gone"


def test_the_first_money_lent_gives_the_loan_back_its_state() -> None:
    ledger = rich()
    loan = ledger.state.loans["P001", "L1"]
    ledger.state.loans["P001", "L1"] = loan._replace(funded_minor=0, disbursed_on=None, state=LoanState.FULL)
    before = deepcopy(ledger.state)
    taken_back(ledger, post(ledger, T.TENDER_SETTLE, "X", 200_000, **LENT))
    # The hold stands anew; since which date it had stood nobody knows any more.
    assert ledger.state.loans == before.loans and ledger.state.claims == before.claims
    assert ledger.state.holds["P001", "ht"].amount_minor == before.holds["P001", "ht"].amount_minor


def test_a_recharge_is_taken_back_while_its_channel_owes_it() -> None:
    ledger = whole_ledger()
    before = deepcopy(ledger.state)
    first = post(ledger, T.RECHARGE, "r1", 1_000, to_account=LENDER, **CH, **on(MONDAY))
    taken_back(ledger, first)
    assert without_nothing(ledger.state) == before
    again = post(ledger, T.RECHARGE, "r1", 1_000, to_account=LENDER, **CH, **on(MONDAY))
    other = post(ledger, T.RECHARGE, "r2", 500, to_account=LENDER, **CH, **on(MONDAY))
    post(ledger, T.TENDER_FREEZE, "t", 1_400, from_account=LENDER, loan_id="L1", **on(MONDAY))
    assert refused(ledger, other.instruction).rule == "reversal_lot"
    post(ledger, T.CHANNEL_SETTLEMENT, "s", 1_500, **IN, **on(TUESDAY))
    assert refused(ledger, again.instruction).rule == "reversal_settled"


def test_the_last_open_recharge_taken_back_settles_its_date() -> None:
    ledger = whole_ledger()
    post(ledger, T.RECHARGE, "r1", 1_000, to_account=LENDER, **CH, **on(MONDAY))
    gone = post(ledger, T.RECHARGE, "r2", 500, to_account=LENDER2, **CH, **on(MONDAY))
    # The channel settles what there was: r1.
    post(ledger, T.CHANNEL_SETTLEMENT, "s", 1_000, **IN, **on(TUESDAY))
    assert ledger.state.unsettled
    taken_back(ledger, gone)
    assert ledger.state.unsettled == {} and ledger.state.open_items == {}


def test_mandates_orders_and_receipts_are_as_before() -> None:
    ledger = with_mandate(whole_ledger())
    post(ledger, T.RECHARGE, "r", 5_000, to_account=LENDER)
    used = deepcopy(ledger.state)
    taken_back(ledger, post(ledger, T.TENDER_FREEZE, "t", 900, from_account=LENDER, loan_id="L1", **MANDATED, **on(MONDAY, 3)))
    assert without_nothing(ledger.state) == without_nothing(used)
    ledger.state.legal_orders["P001", "O1", "FREEZE"] = LegalOrder("P001", "O1", "FREEZE", LENDER, 700, 0)
    ordered = deepcopy(ledger.state)
    taken_back(ledger, post(ledger, T.LEGAL_FREEZE, "j", 700, from_account=LENDER, authorisation_id="O1"))
    assert without_nothing(ledger.state) == without_nothing(ordered)
    unowned = post(ledger, T.RECHARGE, "u", 300, to_account=SUSPENSE)
    post(ledger, T.ADJUSTMENT, "a", 100, from_account=SUSPENSE, to_account=LENDER, related_request_no="u")
    assert refused(ledger, unowned.instruction).rule == "reversal_receipt"
    whole = post(ledger, T.RECHARGE, "u2", 300, to_account=SUSPENSE)
    taken_back(ledger, whole)
    assert ("P001", "u2") not in ledger.state.receipts and ledger.state.receipts["P001", "u"].left_minor == 200


def test_a_status_is_unsaid_unless_something_followed_it() -> None:
    ledger = whole_ledger()
    post(ledger, T.RECHARGE, "r", 5_000, to_account=LENDER)
    post(ledger, T.WITHDRAW_FREEZE, "f", 900, from_account=LENDER)
    before = deepcopy(ledger.state)
    unknown = instruction(T.WITHDRAW, "w", 900, from_account=LENDER, related_request_no="f", status=TxnStatus.REMITTING, **CH)
    assert ledger.tell(unknown) is None
    ledger.untell(unknown)
    assert ledger.state == before
    later = unknown._replace(status=TxnStatus.UNKNOWN)
    assert ledger.tell(unknown) is None and ledger.tell(later) is None
    ledger.untell(unknown)
    assert [row.status for row in ledger.state.under_way.values()] == [TxnStatus.UNKNOWN]


def test_a_reversal_names_what_it_takes_back_and_why() -> None:
    row: dict[str, Any] = {
        "file_name": "GW_v1.csv", "line_no": 7, "request_no": "A-1", "leg": 2, "txn_type": "MARKETING", "originator": "PLATFORM",
        "authorisation_id": "x", "from_role": "PLATFORM", "from_user_no": "P_MARKETING", "to_role": "LENDER", "to_user_no": "u1",
        "related_request_no": None, "channel": "CH01", "settlement_batch": None, "direction": "IN", "fee_minor": 3, "status": "SUCCESS",
        "amount_minor": 500, "event_time": datetime(2019, 12, 30, 13, 5, tzinfo=CHINA),
    }  # fmt: skip
    made = reversal_of(row, "GW_v2.csv", date(2020, 1, 1))
    assert (made["file_name"], made["line_no"], made["request_no"]) == (f"{REVERSAL}GW_v1.csv", 7, "REV20200101-A-1")
    assert (made["from_user_no"], made["to_user_no"], made["related_request_no"]) == ("u1", "P_MARKETING", "A-1")
    assert (made["authorisation_id"], made["channel"], made["direction"]) == ("GW_v2.csv", None, None)
    # On the day of the leg, before all that the newer version says of it.
    assert made["event_time"] == row["event_time"] - timedelta(hours=13, minutes=5)
    assert reversed_request(request_of("A-1", date(2020, 1, 1))) == "A-1"
