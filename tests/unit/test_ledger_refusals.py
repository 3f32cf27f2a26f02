"""What the ledger refuses, in which words, and that a refusal changes nothing; and what it should refuse and does not."""

from copy import deepcopy
from typing import Any

import pytest
from ledger_kit import BORROWER, GUARANTOR, IN, LENDER, LENDER2, MARKETING, PAYEE, SUSPENSE, instruction, post, refuse, rich

from custody.ledger import Ledger
from custody.names import Book, BreakKind, TxnType

C = Book.CUSTODY
T = TxnType

REFUSED: list[tuple[str, TxnType, int, dict[str, Any], BreakKind, str, bool]] = [
    ("no such account", T.RECHARGE, 1, {"to_account": "P001.LENDER.x", "channel": "CH01"}, BreakKind.ORPHAN, "unknown_account", True),
    ("too little", T.WITHDRAW_FREEZE, 392_001, {"from_account": LENDER}, BreakKind.SHORTFALL, "insufficient", True),
    (
        "own funds too small", T.PLATFORM_RECHARGE, 400_001, {"to_account": "P001:P_MARKETING"},
        BreakKind.SHORTFALL, "insufficient", True,
    ),
    (
        "no such hold", T.WITHDRAW, 1, {"from_account": LENDER, "channel": "CH01", "related_request_no": "?"},
        BreakKind.HOLD, "unknown_hold", True,
    ),
    (
        "a hold of another kind", T.WITHDRAW, 1, {"from_account": LENDER, "channel": "CH01", "related_request_no": "ht"},
        BreakKind.HOLD, "unknown_hold", True,
    ),
    (
        "another's hold", T.WITHDRAW_CANCEL, 1, {"to_account": LENDER2, "related_request_no": "hw"},
        BreakKind.HOLD, "unknown_hold", True,
    ),
    (
        "more than the hold", T.WITHDRAW_CANCEL, 10_001, {"to_account": LENDER, "related_request_no": "hw"},
        BreakKind.HOLD, "hold_amount", False,
    ),
    (
        "no such loan", T.TENDER_SETTLE, 1,
        {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L9", "related_request_no": "ht"},
        BreakKind.ORPHAN, "unknown_loan", True,
    ),
    (
        "more than the loan", T.TENDER_SETTLE, 700_001,
        {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1", "related_request_no": "ht"},
        BreakKind.INV_04, "loan_amount", False,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("why", "txn_type", "amount", "fields", "kind", "rule", "waits"), REFUSED, ids=[r[0] for r in REFUSED])
def test_a_refusal_says_why_and_changes_nothing(
    why: str, txn_type: TxnType, amount: int, fields: dict[str, Any], kind: BreakKind, rule: str, waits: bool
) -> None:
    ledger = rich()
    before = deepcopy(ledger.state)
    refusal = refuse(ledger, txn_type, "X", amount, **fields)
    assert (refusal.kind, refusal.rule, refusal.waits) == (kind, rule, waits)
    assert ledger.state == before


def refusal_of(ledger: Ledger, txn_type: TxnType, amount: int, fields: dict[str, Any]) -> tuple[BreakKind, str, bool]:
    refusal = refuse(ledger, txn_type, "X", amount, **fields)
    return refusal.kind, refusal.rule, refusal.waits


@pytest.mark.parametrize(
    ("txn_type", "fields"),
    [
        (T.COMMISSION, {"from_account": BORROWER, "to_account": LENDER}),
        (T.COMMISSION, {"from_account": BORROWER, "to_account": "P001:CORE_CASH"}),
        (T.COMMISSION, {"from_account": BORROWER, "to_account": "P002:P_INCOME"}),
        (T.COMMISSION, {"from_account": "P001:P_MARKETING", "to_account": "P001:P_INCOME"}),
        (T.MARKETING, {"from_account": LENDER, "to_account": LENDER2}),
        (T.PLATFORM_RECHARGE, {"to_account": LENDER}),
        (T.RECHARGE, {"to_account": "P001:P_INCOME", "channel": "CH01"}),
        (T.RECHARGE, {"to_account": "P002.LENDER.u1", "channel": "CH01"}),
    ],
)
def test_money_moves_only_between_the_kinds_of_account_that_the_rule_means(txn_type: TxnType, fields: dict[str, Any]) -> None:
    ledger = rich()
    ledger.state.sub_accounts.add("P002.LENDER.u1")
    before = deepcopy(ledger.state)
    assert refusal_of(ledger, txn_type, 100, fields) == (BreakKind.WRONG_ACCOUNT, "account_kind", False)
    assert ledger.state == before


def with_second_loan() -> Ledger:
    """As ``rich``, with a loan L2 of another borrower, who has money and has frozen some of it to repay."""
    ledger = rich()
    second = "P001.BORROWER.b2"
    ledger.state.loans["P001", "L2"] = ledger.state.loans["P001", "L1"]._replace(
        loan_id="L2",
        borrower=second,
        guarantor=None,
        payee=None,
        funded_minor=0,
        disbursed_on=None,
        state="BIDDING",
    )
    ledger.state.sub_accounts.add(second)
    post(ledger, T.RECHARGE, "r3", 50_000, to_account=second, channel="CH01")
    post(ledger, T.REPAY_FREEZE, "hr2", 50_000, from_account=second, loan_id="L2")
    return ledger


@pytest.mark.parametrize(
    ("change", "kind", "rule"),
    [
        ({"to_account": LENDER2}, BreakKind.INV_08, "not_the_borrower"),
        ({"to_account": "P001.BORROWER.b2"}, BreakKind.INV_08, "not_the_borrower"),
        ({"to_account": "P001.BORROWER.b2", "loan_id": "L2"}, BreakKind.HOLD, "hold_purpose"),
    ],
)
def test_a_tender_settles_only_to_the_borrower_of_its_own_loan(change: dict[str, str], kind: BreakKind, rule: str) -> None:
    right: dict[str, Any] = {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1", "related_request_no": "ht"}
    assert refusal_of(with_second_loan(), T.TENDER_SETTLE, 100, right | change) == (kind, rule, False)
    post(with_second_loan(), T.TENDER_SETTLE, "X", 100, **right)


@pytest.mark.parametrize(
    ("change", "kind", "rule"),
    [
        ({"from_account": "P001.BORROWER.b2", "related_request_no": "hr2"}, BreakKind.INV_08, "not_the_borrower"),
        (
            {"from_account": "P001.BORROWER.b2", "related_request_no": "hr2", "loan_id": "L2", "interest_minor": 101},
            BreakKind.INV_05,
            "parts",
        ),
        ({"principal_minor": 2_000}, BreakKind.INV_05, "parts"),
        ({"interest_minor": 99}, BreakKind.INV_05, "parts"),
        ({"penalty_minor": 1}, BreakKind.INV_05, "parts"),
    ],
)
def test_a_borrower_repays_his_own_loan_and_every_fen_has_a_name(change: dict[str, Any], kind: BreakKind, rule: str) -> None:
    right: dict[str, Any] = {
        "from_account": BORROWER, "to_account": LENDER, "loan_id": "L1", "related_request_no": "hr", "principal_minor": 900,
        "interest_minor": 100,
    }  # fmt: skip
    assert refusal_of(with_second_loan(), T.REPAYMENT, 1_000, right | change) == (kind, rule, False)
    post(with_second_loan(), T.REPAYMENT, "X", 1_000, **right)


CLAIM: dict[str, Any] = {"to_account": LENDER, "loan_id": "L1", "related_request_no": "ht0", "principal_minor": 1_000}
SELL: dict[str, Any] = {**CLAIM, "from_account": LENDER2}
COMPENSATE: dict[str, Any] = {**CLAIM, "from_account": GUARANTOR}


@pytest.mark.parametrize(
    ("txn_type", "fields", "kind", "rule", "waits"),
    [
        (T.CREDIT_ASSIGNMENT, SELL | {"principal_minor": 298_001}, BreakKind.INV_06, "claim_share", False),
        (T.CREDIT_ASSIGNMENT, SELL | {"related_request_no": "ht9"}, BreakKind.INV_06, "unknown_claim", True),
        (T.CREDIT_ASSIGNMENT, SELL | {"from_account": LENDER, "to_account": LENDER2}, BreakKind.INV_06, "claim_holder", False),
        (T.CREDIT_ASSIGNMENT, SELL | {"related_request_no": "cg"}, BreakKind.INV_06, "claim_holder", False),
        (T.CREDIT_ASSIGNMENT, SELL | {"loan_id": "L2"}, BreakKind.INV_06, "claim_holder", False),
        (T.CREDIT_ASSIGNMENT, SELL | {"to_account": GUARANTOR}, BreakKind.WRONG_ACCOUNT, "account_kind", False),
        (T.CREDIT_ASSIGNMENT, SELL | {"request_no": "cg"}, BreakKind.INV_06, "claim_exists", False),
        (T.COMPENSATION, COMPENSATE | {"to_account": LENDER2}, BreakKind.CLAIM, "claim_holder", False),
        (T.COMPENSATION, COMPENSATE | {"loan_id": "L2"}, BreakKind.CLAIM, "not_the_guarantor", False),
        (T.COMPENSATION, COMPENSATE | {"interest_minor": 1}, BreakKind.INV_05, "parts", False),
        (
            T.COMPENSATION_REPAYMENT,
            {**CLAIM, "from_account": BORROWER, "to_account": GUARANTOR, "related_request_no": "hr", "principal_minor": 2_001},
            BreakKind.CLAIM, "claim_principal", True,
        ),
        (
            T.REPAYMENT,
            {**CLAIM, "from_account": BORROWER, "to_account": GUARANTOR, "related_request_no": "hr"},
            BreakKind.WRONG_ACCOUNT, "account_kind", False,
        ),
        (
            T.ENTRUSTED_PAYMENT, {"from_account": BORROWER, "to_account": PAYEE, "loan_id": "L2"},
            BreakKind.INV_08, "not_the_borrower", False,
        ),
        (
            T.ENTRUSTED_PAYMENT, {"from_account": "P001.BORROWER.b2", "to_account": PAYEE, "loan_id": "L2"},
            BreakKind.INV_08, "not_the_payee", False,
        ),
        (
            T.TENDER_FREEZE, {"from_account": LENDER, "loan_id": "L1", "coupon_minor": 1_000},
            BreakKind.AMOUNT, "coupon_exceeds_amount", False,
        ),
        (
            T.TENDER_FREEZE, {"from_account": LENDER, "loan_id": "L1", "coupon_minor": 99_001, "amount_minor": 150_000},
            BreakKind.SHORTFALL, "insufficient", True,
        ),
        (
            T.TENDER_CANCEL, {"to_account": LENDER2, "related_request_no": "htc", "coupon_minor": 1_001, "amount_minor": 2_000},
            BreakKind.HOLD, "hold_amount", False,
        ),
        (
            T.TENDER_CANCEL, {"to_account": LENDER, "related_request_no": "ht", "coupon_minor": 1},
            BreakKind.HOLD, "unknown_hold", True,
        ),
        (T.LEGAL_DEDUCT, {"from_account": LENDER, "related_request_no": "ht"}, BreakKind.HOLD, "unknown_hold", True),
        (T.WITHDRAW_CANCEL, {"to_account": BORROWER, "related_request_no": "hj"}, BreakKind.HOLD, "unknown_hold", True),
        (
            T.BANK_INTEREST, {"direction": "OUT", "from_account": MARKETING, "to_account": LENDER, "related_request_no": "i"},
            BreakKind.WRONG_ACCOUNT, "account_kind", False,
        ),
        (T.ADJUSTMENT, {"from_account": "P001:P_INCOME", "to_account": LENDER}, BreakKind.WRONG_ACCOUNT, "account_kind", False),
        (
            T.REVERSAL, {"from_account": LENDER, "to_account": "P001:CORE_CASH", "related_request_no": "m"},
            BreakKind.WRONG_ACCOUNT, "account_kind", False,
        ),
        (
            T.REVERSAL, {"from_account": SUSPENSE, "related_request_no": "r5", "amount_minor": 20_001},
            BreakKind.SHORTFALL, "insufficient", True,
        ),
        (T.PLATFORM_WITHDRAW, {"from_account": "P001:P_INCOME"}, BreakKind.SHORTFALL, "insufficient", True),
        (T.PLATFORM_WITHDRAW, {"from_account": LENDER}, BreakKind.WRONG_ACCOUNT, "account_kind", False),
    ],
)  # fmt: skip
def test_what_the_claims_coupons_and_courts_do_not_allow(
    txn_type: TxnType, fields: dict[str, Any], kind: BreakKind, rule: str, waits: bool
) -> None:
    ledger = with_second_loan()
    before = deepcopy(ledger.state)
    told = {"request_no": "X", "amount_minor": 1_000} | fields
    if txn_type == T.COMPENSATION_REPAYMENT:
        told["amount_minor"] = fields["principal_minor"]
    refusal = refuse(ledger, txn_type, told.pop("request_no"), told.pop("amount_minor"), **told)
    assert (refusal.kind, refusal.rule, refusal.waits) == (kind, rule, waits)
    assert ledger.state == before


def test_a_claim_is_not_sold_twice() -> None:
    ledger = rich()
    post(ledger, T.CREDIT_ASSIGNMENT, "a", 1_000, **SELL | {"principal_minor": 298_000})
    again = refuse(ledger, T.CREDIT_ASSIGNMENT, "b", 1_000, **SELL)
    assert (again.kind, again.rule) == (BreakKind.INV_06, "claim_share")


def test_each_leg_of_a_freeze_holds_its_own_money() -> None:
    ledger = rich()
    ledger.apply(instruction(T.TENDER_FREEZE, "X", 1_000, leg=1, from_account=LENDER, loan_id="L1"))
    ledger.apply(instruction(T.TENDER_FREEZE, "X", 500, leg=2, from_account=LENDER, loan_id="L1"))
    held = sum(h.amount_minor for h in ledger.state.holds.values() if h.account == LENDER)
    assert held == ledger.balance(C, f"{LENDER}:frozen")


def test_a_fee_above_the_gross_is_refused() -> None:
    refuse(rich(), T.CHANNEL_SETTLEMENT, "X", 100, **IN, fee_minor=101)


@pytest.mark.parametrize(("creditor", "principal"), [(LENDER, 298_001), (LENDER2, 1)])
def test_principal_is_repaid_to_nobody_beyond_his_claim(creditor: str, principal: int) -> None:
    ledger = rich()
    post(ledger, T.RECHARGE, "X0", 900_000, to_account=BORROWER, channel="CH01")
    post(ledger, T.REPAY_FREEZE, "X1", 400_000, from_account=BORROWER, loan_id="L1")
    back: dict[str, Any] = {"from_account": BORROWER, "to_account": creditor, "loan_id": "L1", "related_request_no": "X1"}
    ledger.apply(instruction(T.REPAYMENT, "X", principal, principal_minor=principal, **back))
    loan = ledger.state.loans["P001", "L1"]
    claims = sum(c.principal_minor for c in ledger.claims_of("P001", "L1"))
    assert loan.funded_minor - loan.principal_repaid_minor == claims


def test_a_claims_original_principal_is_all_that_was_tendered() -> None:
    ledger = rich()
    settled: dict[str, Any] = {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1", "related_request_no": "ht"}
    back: dict[str, Any] = {"from_account": BORROWER, "to_account": LENDER, "loan_id": "L1", "related_request_no": "hr"}
    post(ledger, T.TENDER_SETTLE, "X1", 100_000, **settled)
    post(ledger, T.REPAYMENT, "X2", 40_000, **back, principal_minor=40_000)
    post(ledger, T.TENDER_SETTLE, "X3", 100_000, **settled)
    (claim,) = (c for c in ledger.claims_of("P001", "L1") if c.claim_id == "ht")
    assert (claim.principal_minor, claim.original_minor) == (160_000, 200_000)
