"""Golden entries, by hand, for each transaction type of the posting rules against domain.md §3; and a whole life."""

from typing import Any

import pytest
from ledger_kit import (
    BORROWER,
    DAY,
    GUARANTOR,
    IN,
    INCOME,
    LENDER,
    LENDER2,
    MARKETING,
    OUT,
    PAYEE,
    SUSPENSE,
    balances,
    instruction,
    moves,
    new_ledger,
    post,
    refuse,
    rich,
)  # fmt: skip

from custody.ledger import Ledger
from custody.names import Book, BreakKind, LoanState, Originator, TxnType
from custody.posting_rules import RULES, VARIANTS, core_account, is_asset
from schemas.layout import load_layout

C, OWN, B = Book.CUSTODY, Book.OWN, Book.BANK
T = TxnType


LENT: dict[str, Any] = {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1", "related_request_no": "ht"}
CHANNEL_IN, CHANNEL_OUT, CORE = "P001:CHANNEL_RECEIVABLE/CH01", "P001:CHANNEL_PAYABLE/CH01", "P001:CORE_CASH"

# txn type, fields -> (moves, what the core's flow must quote)
GOLDEN: list[tuple[TxnType, dict[str, Any], list[tuple[Book, str, str, int]], str | None]] = [
    (T.RECHARGE, {"to_account": LENDER, "channel": "CH01"}, [(C, CHANNEL_IN, f"{LENDER}:available", 1000)], None),
    (T.RECHARGE, {"to_account": BORROWER}, [(C, CORE, f"{BORROWER}:available", 1000)], "X"),
    (T.RECHARGE, {"to_account": SUSPENSE}, [(C, CORE, SUSPENSE, 1000)], "X"),
    (
        T.BACKROLL_RECHARGE,
        {"from_account": LENDER, "channel": "CH01", "related_request_no": "r1"},
        [(C, f"{LENDER}:available", CHANNEL_OUT, 1000)],
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
        [(C, f"{LENDER}:frozen", CHANNEL_OUT, 1000)],
        None,
    ),
    (
        T.WITHDRAW_RETURN,
        {"to_account": LENDER, "channel": "CH01", "related_request_no": "w", "direction": "IN"},
        [(C, CHANNEL_IN, f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.WITHDRAW_RETURN,
        {"to_account": LENDER, "channel": "CH01", "related_request_no": "w", "direction": "OUT"},
        [(C, CHANNEL_OUT, f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.TENDER_FREEZE,
        {"from_account": LENDER, "loan_id": "L1"},
        [(C, f"{LENDER}:available", f"{LENDER}:frozen", 1000)],
        None,
    ),
    (
        T.TENDER_FREEZE,
        {"from_account": LENDER, "loan_id": "L1", "coupon_minor": 30},
        [(C, f"{LENDER}:available", f"{LENDER}:frozen", 970), (C, MARKETING, f"{MARKETING}:frozen", 30)],
        None,
    ),
    (
        T.TENDER_CANCEL,
        {"to_account": LENDER, "related_request_no": "ht"},
        [(C, f"{LENDER}:frozen", f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.TENDER_CANCEL,
        {"to_account": LENDER2, "related_request_no": "htc", "coupon_minor": 30},
        [(C, f"{LENDER2}:frozen", f"{LENDER2}:available", 970), (C, f"{MARKETING}:frozen", MARKETING, 30)],
        None,
    ),
    (T.TENDER_SETTLE, LENT, [(C, f"{LENDER}:frozen", f"{BORROWER}:available", 1000)], None),
    (
        T.TENDER_SETTLE,
        {**LENT, "from_account": LENDER2, "related_request_no": "htc", "coupon_minor": 30},
        [
            (C, f"{LENDER2}:frozen", f"{BORROWER}:available", 970),
            (C, f"{MARKETING}:frozen", f"{LENDER2}:available", 30),
            (C, f"{LENDER2}:available", f"{BORROWER}:available", 30),
        ],
        None,
    ),
    (
        T.ENTRUSTED_PAYMENT,
        {"from_account": BORROWER, "to_account": PAYEE, "loan_id": "L1"},
        [(C, f"{BORROWER}:available", f"{PAYEE}:available", 1000)],
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
            "principal_minor": 900, "interest_minor": 90, "penalty_minor": 10,
        },
        [(C, f"{BORROWER}:frozen", f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.COMPENSATION,
        {
            "from_account": GUARANTOR, "to_account": LENDER, "loan_id": "L1", "related_request_no": "ht0",
            "principal_minor": 900, "interest_minor": 90, "penalty_minor": 10,
        },
        [(C, f"{GUARANTOR}:available", f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.COMPENSATION_REPAYMENT,
        {
            "from_account": BORROWER, "to_account": GUARANTOR, "loan_id": "L1", "related_request_no": "hr",
            "principal_minor": 900, "interest_minor": 90, "penalty_minor": 10,
        },
        [(C, f"{BORROWER}:frozen", f"{GUARANTOR}:available", 1000)],
        None,
    ),
    (
        T.CREDIT_ASSIGNMENT,
        {"from_account": LENDER2, "to_account": LENDER, "loan_id": "L1", "related_request_no": "ht0", "principal_minor": 1200},
        [(C, f"{LENDER2}:available", f"{LENDER}:available", 1000)],
        None,
    ),
    (T.COMMISSION, {"from_account": BORROWER, "to_account": INCOME}, [(C, f"{BORROWER}:available", INCOME, 1000)], None),
    (T.MARKETING, {"from_account": MARKETING, "to_account": LENDER}, [(C, MARKETING, f"{LENDER}:available", 1000)], None),
    (T.BANK_INTEREST, {"direction": "IN"}, [(C, CORE, SUSPENSE, 1000)], "X"),
    (
        T.BANK_INTEREST,
        {"direction": "OUT", "from_account": SUSPENSE, "to_account": LENDER, "related_request_no": "i"},
        [(C, SUSPENSE, f"{LENDER}:available", 1000)],
        None,
    ),
    (
        T.BANK_INTEREST,
        {"direction": "OUT", "from_account": SUSPENSE, "to_account": INCOME, "related_request_no": "i"},
        [(C, SUSPENSE, INCOME, 1000)],
        None,
    ),
    (
        T.PLATFORM_RECHARGE,
        {"to_account": MARKETING},
        [(C, CORE, MARKETING, 1000), (OWN, "P001:PLATFORM_OWN", "P001:OWN_CASH", 1000)],
        "X",
    ),
    (
        T.PLATFORM_WITHDRAW,
        {"from_account": MARKETING},
        [(C, MARKETING, CORE, 1000), (OWN, "P001:OWN_CASH", "P001:PLATFORM_OWN", 1000)],
        "X",
    ),
    (T.OWN_FUNDS_MOVEMENT, {"direction": "IN"}, [(OWN, "P001:OWN_CASH", "P001:PLATFORM_OWN", 1000)], "X"),
    (T.OWN_FUNDS_MOVEMENT, {"direction": "OUT"}, [(OWN, "P001:PLATFORM_OWN", "P001:OWN_CASH", 1000)], "X"),
    (
        T.CHANNEL_SETTLEMENT,
        {**IN, "fee_minor": 3},
        [(C, CORE, CHANNEL_IN, 997), (C, "P001:FEE_RECEIVABLE", CHANNEL_IN, 3)],
        "S1",
    ),
    (T.CHANNEL_SETTLEMENT, IN, [(C, CORE, CHANNEL_IN, 1000)], "S1"),
    (T.CHANNEL_SETTLEMENT, OUT, [(C, CHANNEL_OUT, CORE, 1000)], "S2"),
    (
        T.CHANNEL_FEE_TOPUP,
        {"channel": "CH01", "settlement_batch": "S1"},
        [(C, CORE, "P001:FEE_RECEIVABLE", 1000), (OWN, "P001:PLATFORM_OWN", "P001:OWN_CASH", 1000)],
        "X",
    ),
    (
        T.CUSTODY_FEE,
        {"direction": "ACCRUE", "fee_minor": 57},
        [(B, "P001:FEE_DUE", "P001:BANK_FEE_INCOME", 943), (B, "P001:FEE_DUE", "P001:VAT", 57)],
        None,
    ),
    (
        T.CUSTODY_FEE,
        {"direction": "RELEASE", "fee_minor": 57},
        [(B, "P001:BANK_FEE_INCOME", "P001:FEE_DUE", 943), (B, "P001:VAT", "P001:FEE_DUE", 57)],
        None,
    ),
    (
        T.CUSTODY_FEE,
        {"direction": "OUT", "fee_minor": 57},
        [(OWN, "P001:PLATFORM_OWN", "P001:OWN_CASH", 1000), (B, "P001:BANK_CASH", "P001:FEE_DUE", 1000)],
        "X",
    ),
    (
        T.CUSTODY_FEE,
        {"direction": "IN", "fee_minor": 57},
        [(OWN, "P001:OWN_CASH", "P001:PLATFORM_OWN", 1000), (B, "P001:FEE_DUE", "P001:BANK_CASH", 1000)],
        "X",
    ),
    (T.CUSTODY_FEE, {"direction": "WRITE_OFF", "fee_minor": 0}, [(B, "P001:FEE_WRITTEN_OFF", "P001:FEE_DUE", 1000)], None),
    (T.CUSTODY_FEE, {"direction": "RECOVER", "fee_minor": 0}, [(B, "P001:FEE_DUE", "P001:FEE_WRITTEN_OFF", 1000)], None),
    (
        T.ADJUSTMENT,
        {"from_account": SUSPENSE, "to_account": LENDER, "related_request_no": "r5"},
        [(C, SUSPENSE, f"{LENDER}:available", 1000)],
        None,
    ),
    (T.ADJUSTMENT, {"from_account": MARKETING, "to_account": LENDER}, [(C, MARKETING, f"{LENDER}:available", 1000)], None),
    (
        T.ADJUSTMENT,
        {"from_account": BORROWER, "to_account": LENDER},
        [(C, f"{BORROWER}:available", f"{LENDER}:available", 1000)],
        None,
    ),
    (T.REVERSAL, {"from_account": SUSPENSE, "related_request_no": "r5"}, [(C, SUSPENSE, CORE, 1000)], "X"),
    (
        T.REVERSAL,
        {"from_account": LENDER, "to_account": MARKETING, "related_request_no": "m"},
        [(C, f"{LENDER}:available", MARKETING, 1000)],
        None,
    ),
    (T.LEGAL_FREEZE, {"from_account": LENDER}, [(C, f"{LENDER}:available", f"{LENDER}:frozen", 1000)], None),
    (
        T.LEGAL_RELEASE,
        {"to_account": BORROWER, "related_request_no": "hj"},
        [(C, f"{BORROWER}:frozen", f"{BORROWER}:available", 1000)],
        None,
    ),
    (T.LEGAL_DEDUCT, {"from_account": BORROWER, "related_request_no": "hj"}, [(C, f"{BORROWER}:frozen", CORE, 1000)], "X"),
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


def variant(txn_type: TxnType, fields: dict[str, Any]) -> str | None:
    decide = VARIANTS.get(txn_type)
    return decide(instruction(txn_type, "X", 1000, **fields)) if decide else None


def test_every_rule_has_a_golden_entry() -> None:
    assert {(t, variant(t, f)) for t, f, _, _ in GOLDEN} == set(RULES)
    assert {t for t, _ in RULES} == set(T)


# Customer, Mandate, Platform, Bank.
ALLOWED: dict[tuple[TxnType, str | None], str] = {
    **dict.fromkeys(RULES, "B"),
    **{(t, v): "CM" for t, v in RULES if t in {
        T.BACKROLL_RECHARGE, T.WITHDRAW_FREEZE, T.WITHDRAW, T.TENDER_FREEZE, T.REPAY_FREEZE, T.CREDIT_ASSIGNMENT}},
    **{(t, v): "P" for t, v in RULES if t in {
        T.TENDER_SETTLE, T.REPAYMENT, T.COMPENSATION_REPAYMENT, T.COMMISSION, T.MARKETING, T.PLATFORM_RECHARGE,
        T.PLATFORM_WITHDRAW, T.OWN_FUNDS_MOVEMENT}},
    (T.RECHARGE, "channel"): "CM", (T.RECHARGE, "direct"): "CM", (T.WITHDRAW_CANCEL, None): "CMPB",
    (T.TENDER_CANCEL, None): "CMP", (T.ENTRUSTED_PAYMENT, None): "M", (T.COMPENSATION, None): "C",
}  # fmt: skip


@pytest.mark.parametrize(("txn_type", "fields", "expected", "core_ref"), GOLDEN, ids=IDS)
def test_nobody_else_may_originate_it(txn_type: TxnType, fields: dict[str, Any], expected: object, core_ref: object) -> None:
    for originator in Originator:
        if originator[0] in ALLOWED[txn_type, variant(txn_type, fields)]:
            post(rich(), txn_type, "X", 1000, **fields, originator=originator)
        else:
            refusal = refuse(rich(), txn_type, "X", 1000, **fields, originator=originator)
            assert (refusal.kind, refusal.rule, refusal.waits) == (BreakKind.UNAUTHORISED, "originator", False)


@pytest.mark.parametrize(("txn_type", "fields", "expected", "core_ref"), GOLDEN, ids=IDS)
def test_every_needed_field_is_asked_for(txn_type: TxnType, fields: dict[str, Any], expected: object, core_ref: object) -> None:
    optional = {"fee_minor", "interest_minor", "penalty_minor", "coupon_minor"}
    optional |= {"principal_minor"} if txn_type != T.CREDIT_ASSIGNMENT else set()
    # Another of the type's variants, that of a recharge without a channel.
    optional |= {"channel"} if txn_type == T.RECHARGE else set()
    for name in fields.keys() - optional:
        refusal = refuse(rich(), txn_type, "X", 1000, **{**fields, name: 0 if name == "principal_minor" else None})
        assert (refusal.rule, refusal.figures) == ("incomplete_instruction", {"field": name, "txn_type": str(txn_type)})


def test_no_instruction_of_a_file_can_accrue_a_fee() -> None:
    refusal = refuse(rich(), T.CUSTODY_FEE, "X", 1000, direction=None)
    assert (refusal.kind, refusal.rule) == (BreakKind.UNAUTHORISED, "incomplete_instruction")
    # Of the directions that the bank's own entries have no file may name one.
    (direction,) = (f for f in load_layout("gateway_instruction/1").fields if f.name == "direction")
    assert set(direction.codes) == {"IN", "OUT"}


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
    post(ledger, T.WITHDRAW_FREEZE, "X", 392_000, from_account=LENDER)
    assert ledger.balance(C, f"{LENDER}:available") == 0


def test_a_repayment_reduces_its_holders_claims_in_order() -> None:
    ledger = rich()
    settled: dict[str, Any] = {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1"}
    post(ledger, T.TENDER_SETTLE, "st", 200_000, related_request_no="ht", **settled)
    post(ledger, T.REPAY_FREEZE, "h2", 310_000, from_account=BORROWER, loan_id="L1")
    back: dict[str, Any] = {"from_account": BORROWER, "to_account": LENDER, "loan_id": "L1", "related_request_no": "h2"}
    post(ledger, T.REPAYMENT, "p", 310_000, principal_minor=310_000, **back)
    assert claims(ledger) == [("cg", GUARANTOR, 2_000), ("ht0", LENDER, 188_000)]


def claims(ledger: Ledger) -> list[tuple[str, str, int]]:
    return [(c.claim_id, c.holder, c.principal_minor) for c in ledger.claims_of("P001", "L1")]


def test_a_leg_whose_share_is_known_reduces_that_claim_first() -> None:
    ledger = rich()
    post(ledger, T.TENDER_SETTLE, "st", 200_000, **LENT)
    back: dict[str, Any] = {"from_account": BORROWER, "to_account": LENDER, "loan_id": "L1", "related_request_no": "hr"}
    leg = instruction(T.REPAYMENT, "p", 1_000, principal_minor=1_000, **back)
    ledger.apply(leg, "ht0")
    assert claims(ledger) == [("cg", GUARANTOR, 2_000), ("ht", LENDER, 200_000), ("ht0", LENDER, 297_000)]
    post(ledger, T.REPAY_FREEZE, "h2", 400_000, from_account=BORROWER, loan_id="L1")
    more = instruction(T.REPAYMENT, "p2", 298_000, principal_minor=298_000, **{**back, "related_request_no": "h2"})
    ledger.apply(more, "ht0")
    assert claims(ledger) == [("cg", GUARANTOR, 2_000), ("ht", LENDER, 199_000)]


def test_a_coupon_by_hand() -> None:
    """A tender of 1,000.00 of which a coupon pays 50.00: a fifth is given back, the rest lent gross."""
    ledger = new_ledger()
    post(ledger, T.OWN_FUNDS_MOVEMENT, "o", 10_000, direction="IN")
    post(ledger, T.PLATFORM_RECHARGE, "m", 10_000, to_account=MARKETING)
    post(ledger, T.RECHARGE, "r", 95_000, to_account=LENDER)
    post(ledger, T.TENDER_FREEZE, "f", 100_000, from_account=LENDER, loan_id="L1", coupon_minor=5_000)
    held = {h.hold_id: (h.account, h.amount_minor) for h in ledger.state.holds.values()}
    assert held == {"f": (LENDER, 95_000), "f#COUPON": (MARKETING, 5_000)}
    post(ledger, T.TENDER_CANCEL, "c", 20_000, to_account=LENDER, related_request_no="f", coupon_minor=1_000)
    post(ledger, T.TENDER_SETTLE, "s", 80_000, **{**LENT, "related_request_no": "f"}, coupon_minor=4_000)
    assert ledger.state.holds == {}
    assert claims(ledger) == [("f", LENDER, 80_000)]
    assert ledger.state.loans["P001", "L1"].funded_minor == 80_000
    assert balances(ledger) == {
        f"{LENDER}:available": 19_000, f"{BORROWER}:available": 80_000, MARKETING: 6_000, "P001:CORE_CASH": -105_000,
    }  # fmt: skip


def test_a_compensated_and_assigned_loan_by_hand() -> None:
    """Two claims of 300 and 100 yuan. Half of the first is sold at a discount; the guarantor pays an instalment of 20 yuan to
    all three holders; the borrower repays him 15. The debt falls by what the borrower repays and by nothing else."""
    ledger = new_ledger()
    for lender, request, amount in ((LENDER, "t1", 30_000), (LENDER2, "t2", 10_000)):
        post(ledger, T.RECHARGE, f"r{request}", 60_000, to_account=lender)
        post(ledger, T.TENDER_FREEZE, request, amount, from_account=lender, loan_id="L1")
        post(ledger, T.TENDER_SETTLE, f"s{request}", amount, **{**LENT, "from_account": lender, "related_request_no": request})
    sold: dict[str, Any] = {"from_account": LENDER2, "to_account": LENDER, "loan_id": "L1", "related_request_no": "t1"}
    post(ledger, T.CREDIT_ASSIGNMENT, "a1", 14_500, **sold, principal_minor=15_000)
    assert claims(ledger) == [("a1", LENDER2, 15_000), ("t1", LENDER, 15_000), ("t2", LENDER2, 10_000)]
    post(ledger, T.RECHARGE, "rg", 10_000, to_account=GUARANTOR)
    for leg, (claim, holder, principal) in enumerate((("a1", LENDER2, 750), ("t1", LENDER, 750), ("t2", LENDER2, 500)), start=1):
        paid: dict[str, Any] = {"from_account": GUARANTOR, "to_account": holder, "loan_id": "L1", "related_request_no": claim}
        post(ledger, T.COMPENSATION, "c1", principal + 10, leg=leg, **paid, principal_minor=principal, interest_minor=10)
    assert claims(ledger) == [
        ("a1", LENDER2, 14_250), ("c1", GUARANTOR, 2_000), ("t1", LENDER, 14_250), ("t2", LENDER2, 9_500),
    ]  # fmt: skip
    assert ledger.state.loans["P001", "L1"].principal_repaid_minor == 0
    post(ledger, T.REPAY_FREEZE, "f", 1_530, from_account=BORROWER, loan_id="L1")
    back: dict[str, Any] = {"from_account": BORROWER, "to_account": GUARANTOR, "loan_id": "L1", "related_request_no": "f"}
    post(ledger, T.COMPENSATION_REPAYMENT, "cr", 1_530, **back, principal_minor=1_500, interest_minor=30)
    loan = ledger.state.loans["P001", "L1"]
    assert (loan.principal_repaid_minor, loan.interest_repaid_minor, loan.state) == (1_500, 30, LoanState.REPAYING)
    assert ("c1", GUARANTOR, 500) in claims(ledger)
    assert sum(c[2] for c in claims(ledger)) == 40_000 - 1_500
    assert balances(ledger) == {
        f"{LENDER}:available": 30_000 + 14_500 + 760, f"{LENDER2}:available": 50_000 - 14_500 + 760 + 510,
        f"{BORROWER}:available": 40_000 - 1_530, f"{GUARANTOR}:available": 10_000 - 2_030 + 1_530, "P001:CORE_CASH": -130_000,
    }  # fmt: skip


def test_bank_interest_fee_and_court_by_hand() -> None:
    ledger = new_ledger()
    post(ledger, T.RECHARGE, "r", 1_000, to_account=LENDER)
    post(ledger, T.BANK_INTEREST, "i", 7, direction="IN")
    owed: dict[str, Any] = {"direction": "OUT", "from_account": SUSPENSE, "related_request_no": "i"}
    post(ledger, T.BANK_INTEREST, "j", 5, **owed, to_account=LENDER)
    assert refuse(ledger, T.BANK_INTEREST, "j", 3, leg=2, **owed, to_account=INCOME).rule == "insufficient"
    post(ledger, T.BANK_INTEREST, "j", 2, leg=2, **owed, to_account=INCOME)
    post(ledger, T.LEGAL_FREEZE, "l", 800, from_account=LENDER)
    post(ledger, T.LEGAL_DEDUCT, "d", 500, from_account=LENDER, related_request_no="l")
    post(ledger, T.LEGAL_RELEASE, "e", 300, to_account=LENDER, related_request_no="l")
    post(ledger, T.OWN_FUNDS_MOVEMENT, "o", 400, direction="IN")
    post(ledger, T.CUSTODY_FEE, "fa", 106, direction="ACCRUE", fee_minor=6)
    post(ledger, T.CUSTODY_FEE, "fc", 106, direction="OUT", fee_minor=6)
    assert ledger.state.holds == {}
    assert balances(ledger) == {
        f"{LENDER}:available": 505, INCOME: 2, "P001:CORE_CASH": -507, "P001:OWN_CASH": -294, "P001:PLATFORM_OWN": 294,
        "P001:BANK_CASH": -106, "P001:BANK_FEE_INCOME": 100, "P001:VAT": 6,
    }  # fmt: skip


def test_assets_and_core_mirrors() -> None:
    assert is_asset("P001:CHANNEL_RECEIVABLE/CH01")
    assert is_asset("P001:FEE_DUE")
    assert not is_asset("P001:CHANNEL_PAYABLE/CH01")
    assert not is_asset(f"{LENDER}:available")
    assert core_account("P001:CORE_CASH") == "P001:CUSTODY"
    assert core_account("P001:OWN_CASH") == "P001:OWN"
    assert core_account("P001:P_INCOME") is None
