"""Instructions and balances in the shortest form that a ledger test can read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from custody.instruction import Entry, Instruction, Refusal
from custody.ledger import Ledger
from custody.ledger_state import LedgerState, Loan
from custody.names import Book, Originator, TxnStatus, TxnType
from custody.posting_findings import FINAL_REFUSALS
from custody.posting_rules import rule_of
from custody.texts import text

LENDER, LENDER2, BORROWER = "P001.LENDER.u1", "P001.LENDER.u2", "P001.BORROWER.b1"
GUARANTOR, PAYEE = "P001.GUARANTOR.G1", "P001.PAYEE.Y1"
MARKETING, INCOME, SUSPENSE = "P001:P_MARKETING", "P001:P_INCOME", "P001:SUSPENSE"
DAY = date(2019, 12, 30)
IN: dict[str, Any] = {"channel": "CH01", "settlement_batch": "S1", "direction": "IN"}
OUT: dict[str, Any] = {"channel": "CH01", "settlement_batch": "S2", "direction": "OUT"}
LOAN = Loan(
    platform="P001",
    loan_id="L1",
    borrower=BORROWER,
    amount_minor=1_000_000,
    currency="CNY",
    annual_rate="0.08",
    method="bullet",
    periods=3,
    every="month",
    day_count="30/360",
    minimum_minor=500_000,
    penalty_rate="0.0005",
    guarantor=GUARANTOR,
    payee=PAYEE,
    purpose="trade",
    state="BIDDING",
    disbursed_on=None,
    funded_minor=0,
    principal_repaid_minor=0,
    interest_repaid_minor=0,
)


def instruction(txn_type: TxnType, request_no: str, amount_minor: int, **other: Any) -> Instruction:
    """An instruction with the first originator that its rule allows; ``other`` fills what this type needs."""
    plain = Instruction(
        platform="P001",
        request_no=request_no,
        leg=1,
        txn_type=txn_type,
        originator=Originator.CUSTOMER,
        authorisation_id="A1",
        from_account=None,
        to_account=None,
        amount_minor=amount_minor,
        currency="CNY",
        loan_id=None,
        principal_minor=0,
        interest_minor=0,
        penalty_minor=0,
        coupon_minor=0,
        related_request_no=None,
        channel=None,
        settlement_batch=None,
        direction=None,
        fee_minor=0,
        status=TxnStatus.SUCCESS,
        event_time=datetime(2019, 12, 30, 2, 0, tzinfo=UTC),
        value_date=DAY,
    )
    filled = plain._replace(**other)
    rule = rule_of(filled)
    if rule is None or "originator" in other:
        return filled
    return filled._replace(originator=min(rule.originators, key=list(Originator).index))


def new_ledger() -> Ledger:
    """Two lenders, a borrower with a guarantor and a payee, one loan of 10,000 yuan; nobody owns anything yet."""
    people = {LENDER, LENDER2, BORROWER, GUARANTOR, PAYEE}
    return Ledger(LedgerState(loans={("P001", "L1"): LOAN}, sub_accounts=people))


def post(ledger: Ledger, txn_type: TxnType, request_no: str, amount_minor: int, **other: Any) -> Entry:
    """Apply an instruction that must be posted."""
    result = ledger.apply(instruction(txn_type, request_no, amount_minor, **other))
    assert isinstance(result, Entry), result
    return result


def refuse(ledger: Ledger, txn_type: TxnType, request_no: str, amount_minor: int, **other: Any) -> Refusal:
    """Apply an instruction that must be refused: in words, and finally unless it waits."""
    result = ledger.apply(instruction(txn_type, request_no, amount_minor, **other))
    assert isinstance(result, Refusal), result
    assert all(text(result.rule, result.figures))
    assert (result.rule in FINAL_REFUSALS) == (not result.waits)
    return result


def balances(ledger: Ledger) -> dict[str, int]:
    """Every account that is not zero, whatever its book (the books' accounts have distinct names)."""
    return {account: minor for (_book, account), minor in sorted(ledger.state.balances.items()) if minor}


def moves(entry: Entry) -> list[tuple[Book, str, str, int]]:
    return [(m.book, m.from_account, m.to_account, m.amount_minor) for m in entry.moves]


def rich() -> Ledger:
    """A ledger in which every type can be posted: money on every side, one hold of each kind, one with a coupon, a claim of a
    lender and one of the guarantor."""
    ledger = new_ledger()
    post(ledger, TxnType.OWN_FUNDS_MOVEMENT, "own", 500_000, direction="IN")
    post(ledger, TxnType.PLATFORM_RECHARGE, "pm", 100_000, to_account=MARKETING)
    post(ledger, TxnType.RECHARGE, "r1", 900_000, to_account=LENDER, channel="CH01")
    post(ledger, TxnType.RECHARGE, "r2", 900_000, to_account=BORROWER, channel="CH01")
    post(ledger, TxnType.RECHARGE, "r3", 50_000, to_account=GUARANTOR, channel="CH01")
    post(ledger, TxnType.RECHARGE, "r4", 50_000, to_account=LENDER2)
    post(ledger, TxnType.RECHARGE, "r5", 20_000, to_account=SUSPENSE)
    post(ledger, TxnType.WITHDRAW_FREEZE, "hw", 10_000, from_account=LENDER)
    post(ledger, TxnType.LEGAL_FREEZE, "hj", 5_000, from_account=BORROWER)
    post(ledger, TxnType.TENDER_FREEZE, "ht", 200_000, from_account=LENDER, loan_id="L1")
    post(ledger, TxnType.TENDER_FREEZE, "ht0", 300_000, from_account=LENDER, loan_id="L1")
    post(ledger, TxnType.TENDER_FREEZE, "htc", 30_000, from_account=LENDER2, loan_id="L1", coupon_minor=1_000)
    settled: dict[str, Any] = {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1"}
    post(ledger, TxnType.TENDER_SETTLE, "st0", 300_000, related_request_no="ht0", **settled)
    post(ledger, TxnType.REPAY_FREEZE, "hr", 50_000, from_account=BORROWER, loan_id="L1")
    compensated: dict[str, Any] = {"from_account": GUARANTOR, "to_account": LENDER, "loan_id": "L1", "related_request_no": "ht0"}
    post(ledger, TxnType.COMPENSATION, "cg", 2_000, principal_minor=2_000, **compensated)
    post(ledger, TxnType.CUSTODY_FEE, "fee", 5_300, direction="ACCRUE", fee_minor=300)
    return ledger
