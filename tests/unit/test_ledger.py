"""Golden entries, by hand, for each transaction type of the posting rules against domain.md §3; and a whole life."""

from typing import Any

import pytest
from ledger_kit import BORROWER, DAY, IN, LENDER, OUT, balances, moves, new_ledger, post, refuse, rich

from custody.names import Book, BreakKind, LoanState, Originator, TxnType
from custody.posting_rules import RULES, core_account, is_asset

C, OWN, B = Book.CUSTODY, Book.OWN, Book.BANK
T = TxnType


# txn type, direction, fields -> (moves, what the core's flow must quote)
GOLDEN: list[tuple[TxnType, dict[str, Any], list[tuple[Book, str, str, int]], str | None]] = [
    (
        T.RECHARGE,
        {"to_account": LENDER, "channel": "CH01"},
        [(C, "P001:CHANNEL_RECEIVABLE/CH01", f"{LENDER}:available", 1000)],
        None,
    ),
    (T.WITHDRAW_FREEZE, {"from_account": LENDER}, [(C, f"{LENDER}:available", f"{LENDER}:frozen", 1000)], None),
    (
        T.WITHDRAW_CANCEL,
        {"to_account": LENDER, "related_request_no": "hw"},
        [(C, f"{LENDER}:frozen", f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.WITHDRAW,
        {"from_account": LENDER, "channel": "CH01", "related_request_no": "hw"},
        [(C, f"{LENDER}:frozen", "P001:CHANNEL_PAYABLE/CH01", 1000)],
        None,
    ),
    (
        T.TENDER_FREEZE,
        {"from_account": LENDER, "loan_id": "L1"},
        [(C, f"{LENDER}:available", f"{LENDER}:frozen", 1000)],
        None,
    ),
    (
        T.TENDER_CANCEL,
        {"to_account": LENDER, "related_request_no": "ht"},
        [(C, f"{LENDER}:frozen", f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.TENDER_SETTLE,
        {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1", "related_request_no": "ht"},
        [(C, f"{LENDER}:frozen", f"{BORROWER}:available", 1000)],
        None,
    ),
    (
        T.REPAY_FREEZE,
        {"from_account": BORROWER, "loan_id": "L1"},
        [(C, f"{BORROWER}:available", f"{BORROWER}:frozen", 1000)],
        None,
    ),
    (
        T.REPAYMENT,
        {
            "from_account": BORROWER, "to_account": LENDER, "loan_id": "L1", "related_request_no": "hr",
            "principal_minor": 900, "interest_minor": 100,
        },
        [(C, f"{BORROWER}:frozen", f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.COMMISSION,
        {"from_account": BORROWER, "to_account": "P001:P_INCOME"},
        [(C, f"{BORROWER}:available", "P001:P_INCOME", 1000)],
        None,
    ),
    (
        T.MARKETING,
        {"from_account": "P001:P_MARKETING", "to_account": LENDER},
        [(C, "P001:P_MARKETING", f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.PLATFORM_RECHARGE,
        {"to_account": "P001:P_MARKETING"},
        [(C, "P001:CORE_CASH", "P001:P_MARKETING", 1000), (OWN, "P001:PLATFORM_OWN", "P001:OWN_CASH", 1000)],
        "X",
    ),
    (T.OWN_FUNDS_MOVEMENT, {"direction": "IN"}, [(OWN, "P001:OWN_CASH", "P001:PLATFORM_OWN", 1000)], "X"),
    (T.OWN_FUNDS_MOVEMENT, {"direction": "OUT"}, [(OWN, "P001:PLATFORM_OWN", "P001:OWN_CASH", 1000)], "X"),
    (
        T.CHANNEL_SETTLEMENT,
        {**IN, "fee_minor": 3},
        [
            (C, "P001:CORE_CASH", "P001:CHANNEL_RECEIVABLE/CH01", 997),
            (C, "P001:FEE_RECEIVABLE", "P001:CHANNEL_RECEIVABLE/CH01", 3),
        ],
        "S1",
    ),
    (T.CHANNEL_SETTLEMENT, IN, [(C, "P001:CORE_CASH", "P001:CHANNEL_RECEIVABLE/CH01", 1000)], "S1"),
    (T.CHANNEL_SETTLEMENT, OUT, [(C, "P001:CHANNEL_PAYABLE/CH01", "P001:CORE_CASH", 1000)], "S2"),
    (
        T.CHANNEL_FEE_TOPUP,
        {"channel": "CH01", "settlement_batch": "S1"},
        [(C, "P001:CORE_CASH", "P001:FEE_RECEIVABLE", 1000), (OWN, "P001:PLATFORM_OWN", "P001:OWN_CASH", 1000)],
        "X",
    ),
    (
        T.CUSTODY_FEE,
        {"fee_minor": 57},
        [(B, "P001:FEE_DUE", "P001:BANK_FEE_INCOME", 943), (B, "P001:FEE_DUE", "P001:VAT", 57)],
        None,
    ),
]  # fmt: skip
IDS = [f"{txn_type}-{fields.get('direction', '')}{i}" for i, (txn_type, fields, _, _) in enumerate(GOLDEN)]


@pytest.mark.parametrize(("txn_type", "fields", "expected", "core_ref"), GOLDEN, ids=IDS)
def test_golden_entry(
    txn_type: TxnType, fields: dict[str, Any], expected: list[tuple[Book, str, str, int]], core_ref: str | None
) -> None:
    ledger = rich()
    before = dict(ledger.state.balances)
    entry = post(ledger, txn_type, "X", 1000, **fields)
    assert moves(entry) == expected
    assert entry.core_ref == core_ref
    for book, from_account, to_account, minor in expected:
        before[book, from_account] = before.get((book, from_account), 0) - minor
        before[book, to_account] = before.get((book, to_account), 0) + minor
    assert ledger.state.balances == before


def test_every_rule_has_a_golden_entry() -> None:
    assert {(t, f.get("direction")) for t, f, _, _ in GOLDEN} == set(RULES)


@pytest.mark.parametrize(("txn_type", "fields", "expected", "core_ref"), GOLDEN, ids=IDS)
def test_nobody_else_may_originate_it(txn_type: TxnType, fields: dict[str, Any], expected: object, core_ref: object) -> None:
    allowed = {
        T.RECHARGE: "CM", T.WITHDRAW_FREEZE: "CM", T.WITHDRAW_CANCEL: "CMPB", T.WITHDRAW: "CM", T.TENDER_FREEZE: "CM",
        T.TENDER_CANCEL: "CMP", T.TENDER_SETTLE: "P", T.REPAY_FREEZE: "CM", T.REPAYMENT: "P", T.COMMISSION: "P",
        T.MARKETING: "P", T.PLATFORM_RECHARGE: "P", T.OWN_FUNDS_MOVEMENT: "P", T.CHANNEL_SETTLEMENT: "B",
        T.CHANNEL_FEE_TOPUP: "B", T.CUSTODY_FEE: "B",
    }  # fmt: skip
    for originator in Originator:
        if originator[0] in allowed[txn_type]:
            post(rich(), txn_type, "X", 1000, **fields, originator=originator)
        else:
            refusal = refuse(rich(), txn_type, "X", 1000, **fields, originator=originator)
            assert (refusal.kind, refusal.rule, refusal.waits) == (BreakKind.UNAUTHORISED, "originator", False)


@pytest.mark.parametrize(("txn_type", "fields", "expected", "core_ref"), GOLDEN, ids=IDS)
def test_every_needed_field_is_asked_for(txn_type: TxnType, fields: dict[str, Any], expected: object, core_ref: object) -> None:
    optional = {"fee_minor", "principal_minor", "interest_minor"}
    for name in fields.keys() - optional:
        refusal = refuse(rich(), txn_type, "X", 1000, **{**fields, name: None})
        assert (refusal.rule, refusal.figures) == ("incomplete_instruction", {"field": name, "txn_type": str(txn_type)})


def test_a_type_without_a_rule_is_refused() -> None:
    refusal = refuse(new_ledger(), T.BANK_INTEREST, "X", 1000, to_account=LENDER)
    assert (refusal.kind, refusal.waits) == (BreakKind.UNAUTHORISED, False)


def test_a_whole_life_by_hand() -> None:
    """Recharge, tender, disbursal, repayment, withdrawal and their settlements, with every balance written out."""
    ledger = new_ledger()
    post(ledger, T.OWN_FUNDS_MOVEMENT, "o1", 10_000, direction="IN")
    post(ledger, T.RECHARGE, "r1", 1_000_000, to_account=LENDER, channel="CH01")
    post(ledger, T.CHANNEL_SETTLEMENT, "s1", 1_000_000, **IN, fee_minor=2_000)
    post(ledger, T.CHANNEL_FEE_TOPUP, "t1", 2_000, channel="CH01", settlement_batch="S1")
    assert balances(ledger) == {
        f"{LENDER}:available": 1_000_000, "P001:CORE_CASH": -1_000_000, "P001:OWN_CASH": -8_000, "P001:PLATFORM_OWN": 8_000,
    }  # fmt: skip
    post(ledger, T.TENDER_FREEZE, "f1", 600_000, from_account=LENDER, loan_id="L1")
    hold = ledger.state.holds["P001", "f1"]
    assert (hold.account, hold.kind, hold.loan_id, hold.amount_minor, hold.placed_on) == (LENDER, "TENDER", "L1", 600_000, DAY)
    post(ledger, T.TENDER_CANCEL, "c1", 100_000, to_account=LENDER, related_request_no="f1")
    post(ledger, T.TENDER_SETTLE, "s2", 500_000, from_account=LENDER, to_account=BORROWER, loan_id="L1", related_request_no="f1")
    assert ledger.state.holds == {}
    (claim,) = ledger.claims_of("P001", "L1")
    assert (claim.claim_id, claim.holder, claim.principal_minor, claim.original_minor) == ("f1", LENDER, 500_000, 500_000)
    loan = ledger.state.loans["P001", "L1"]
    assert (loan.funded_minor, loan.state, loan.disbursed_on) == (500_000, LoanState.DISBURSED, DAY)
    post(ledger, T.REPAY_FREEZE, "f2", 204_000, from_account=BORROWER, loan_id="L1")
    repay: dict[str, Any] = {"from_account": BORROWER, "to_account": LENDER, "loan_id": "L1", "related_request_no": "f2"}
    post(ledger, T.REPAYMENT, "p1", 204_000, **repay, principal_minor=200_000, interest_minor=4_000)
    assert ledger.state.loans["P001", "L1"].state == LoanState.REPAYING
    assert ledger.claims_of("P001", "L1")[0].principal_minor == 300_000
    post(ledger, T.RECHARGE, "r2", 4_000, to_account=BORROWER, channel="CH01")
    post(ledger, T.REPAY_FREEZE, "f3", 300_000, from_account=BORROWER, loan_id="L1")
    post(ledger, T.REPAYMENT, "p2", 300_000, **{**repay, "related_request_no": "f3"}, principal_minor=300_000)
    loan = ledger.state.loans["P001", "L1"]
    assert (loan.state, loan.principal_repaid_minor, loan.interest_repaid_minor) == (LoanState.SETTLED, 500_000, 4_000)
    assert ledger.claims_of("P001", "L1") == []
    post(ledger, T.WITHDRAW_FREEZE, "f4", 1_004_000, from_account=LENDER)
    post(ledger, T.WITHDRAW, "w1", 1_004_000, from_account=LENDER, channel="CH01", related_request_no="f4")
    post(ledger, T.CHANNEL_SETTLEMENT, "s3", 1_004_000, **OUT)
    assert balances(ledger) == {
        "P001:CHANNEL_RECEIVABLE/CH01": -4_000, "P001:CORE_CASH": 4_000, "P001:OWN_CASH": -8_000, "P001:PLATFORM_OWN": 8_000,
    }  # fmt: skip


def test_the_exact_balance_may_go() -> None:
    ledger = rich()
    post(ledger, T.WITHDRAW_FREEZE, "X", 390_000, from_account=LENDER)
    assert ledger.balance(C, f"{LENDER}:available") == 0


def test_a_repayment_reduces_its_holders_claims_in_order() -> None:
    ledger = rich()
    settled: dict[str, Any] = {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1"}
    post(ledger, T.TENDER_SETTLE, "st", 200_000, related_request_no="ht", **settled)
    post(ledger, T.REPAY_FREEZE, "h2", 310_000, from_account=BORROWER, loan_id="L1")
    back: dict[str, Any] = {"from_account": BORROWER, "to_account": LENDER, "loan_id": "L1", "related_request_no": "h2"}
    post(ledger, T.REPAYMENT, "p", 310_000, principal_minor=310_000, **back)
    assert [(c.claim_id, c.principal_minor) for c in ledger.claims_of("P001", "L1")] == [("ht0", 190_000)]


def test_assets_and_core_mirrors() -> None:
    assert is_asset("P001:CHANNEL_RECEIVABLE/CH01")
    assert is_asset("P001:FEE_DUE")
    assert not is_asset("P001:CHANNEL_PAYABLE/CH01")
    assert not is_asset(f"{LENDER}:available")
    assert core_account("P001:CORE_CASH") == "P001:CUSTODY"
    assert core_account("P001:OWN_CASH") == "P001:OWN"
    assert core_account("P001:P_INCOME") is None
