"""Whatever instructions come, in whatever order: the books hold after every step, and a replay gives the same state."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from custody.instruction import Entry, Instruction, Refusal
from custody.ledger import Ledger
from custody.ledger_state import Hold, LedgerState, Loan
from custody.names import Book, HoldKind, Originator, TxnStatus, TxnType
from custody.posting_rules import RULES, is_asset

T = TxnType
Key = tuple[TxnType, str | None]
LENDERS = ["P001.LENDER.u1", "P001.LENDER.u2"]
BORROWERS = ["P001.BORROWER.b1", "P001.BORROWER.b2"]
GUARANTOR, PAYEE = "P001.GUARANTOR.G1", "P001.PAYEE.Y1"
SUSPENSE, MARKETING, INCOME = "P001:SUSPENSE", "P001:P_MARKETING", "P001:P_INCOME"
LOANS = {"L1": BORROWERS[0], "L2": BORROWERS[1]}
DAY = date(2019, 12, 30)
START = datetime(2019, 12, 30, tzinfo=UTC)
# Types whose money moved outside already: they are never refused, so what they touch may lie below zero (posting_rules).
EXTERNALLY_MOVED = ("P001:PLATFORM_OWN", "P001:CHANNEL_PAYABLE/CH01")
# Sent now and then whatever the draft says, so that there is money, and claims to move.
OFTEN: list[Key] = [
    *[(T.RECHARGE, "channel"), (T.TENDER_FREEZE, None), (T.TENDER_SETTLE, None)] * 3,
    *[(T.PLATFORM_RECHARGE, None), (T.REPAYMENT, None), (T.COMPENSATION, None), (T.CREDIT_ASSIGNMENT, None)] * 2,
]
TAKES = {
    T.WITHDRAW: HoldKind.WITHDRAW, T.WITHDRAW_CANCEL: HoldKind.WITHDRAW, T.TENDER_SETTLE: HoldKind.TENDER,
    T.TENDER_CANCEL: HoldKind.TENDER, T.REPAYMENT: HoldKind.REPAY, T.COMPENSATION_REPAYMENT: HoldKind.REPAY,
    T.LEGAL_DEDUCT: HoldKind.JUDICIAL, T.LEGAL_RELEASE: HoldKind.JUDICIAL,
}  # fmt: skip


def loan(loan_id: str, borrower: str) -> Loan:
    return Loan(
        platform="P001", loan_id=loan_id, borrower=borrower, amount_minor=50_000, currency="CNY", annual_rate="0.08",
        method="bullet", periods=1, every="month", day_count="30/360", minimum_minor=None, penalty_rate=None,
        guarantor=GUARANTOR, payee=PAYEE, purpose="trade", state="BIDDING", disbursed_on=None,
        funded_minor=0, principal_repaid_minor=0, interest_repaid_minor=0,
    )  # fmt: skip


def fresh() -> LedgerState:
    people = {*LENDERS, *BORROWERS, GUARANTOR, PAYEE}
    return LedgerState(loans={("P001", k): loan(k, b) for k, b in LOANS.items()}, sub_accounts=people)


@dataclass(frozen=True)
class Draft:
    """One wish of the generator: choices that ``to_instruction`` turns into an instruction on the ledger as it stands."""

    key: Key
    lender: int
    loan_id: str
    amount_minor: int
    whole: bool
    pick: int
    fee_minor: int
    wrong: str | None = None


DRAFTS = st.builds(
    Draft,
    key=st.sampled_from([*RULES, *OFTEN]),
    lender=st.integers(0, 1),
    loan_id=st.sampled_from(sorted(LOANS)),
    amount_minor=st.one_of(st.integers(1, 100), st.integers(1, 40_000)),
    whole=st.booleans(),
    pick=st.integers(0, 50),
    fee_minor=st.integers(0, 50),
    wrong=st.sampled_from([None] * 9 + ["originator", "account", "hold", "loan"]),
)


def to_instruction(ledger: Ledger, draft: Draft, number: int) -> Instruction:
    """The draft as an instruction that could be true now: holds and claims are picked from those that are open."""
    txn_type, variant = draft.key
    hold, coupon_hold = _pick_hold(ledger, draft)
    amount = hold.amount_minor if hold and draft.whole else draft.amount_minor
    loan_id = hold.loan_id if hold and hold.loan_id else draft.loan_id
    lender, borrower = LENDERS[draft.lender], LOANS.get(loan_id, BORROWERS[0])
    anybody = [lender, borrower, GUARANTOR][draft.pick % 3]
    owner = hold.account if hold else lender
    guarantors = txn_type == T.COMPENSATION_REPAYMENT
    claims = [c for c in ledger.claims_of("P001", loan_id) if (c.holder == GUARANTOR) == guarantors]
    claim = claims[draft.pick % len(claims)] if claims else None
    holder = claim.holder if claim else lender
    # Never beyond what the creditor holds; the rest of the leg is interest and a little penalty.
    principal = min(amount, claim.principal_minor) if claim else 0
    penalty = min(draft.fee_minor, amount - principal)
    in_parts = {"principal_minor": principal, "interest_minor": amount - principal - penalty, "penalty_minor": penalty}
    of_claim = {"loan_id": loan_id, "related_request_no": claim.claim_id if claim else "none"}
    coupon = coupon_hold.amount_minor if coupon_hold and draft.whole else 0
    tender = {"amount_minor": amount + coupon, "coupon_minor": coupon}
    bonus = draft.fee_minor if draft.pick % 2 and draft.fee_minor < amount else 0
    chosen: dict[TxnType, dict[str, Any]] = {
        T.RECHARGE: {"to_account": SUSPENSE if variant == "SUSPENSE" else anybody}
        | ({} if variant == "channel" else {"channel": None}),
        T.BACKROLL_RECHARGE: {"from_account": anybody},
        T.WITHDRAW_FREEZE: {"from_account": anybody},
        T.WITHDRAW_CANCEL: {"to_account": owner},
        T.WITHDRAW: {"from_account": owner},
        T.WITHDRAW_RETURN: {"to_account": anybody},
        T.TENDER_FREEZE: {"from_account": lender, "loan_id": loan_id, "coupon_minor": bonus},
        T.TENDER_CANCEL: {"to_account": owner, **tender},
        T.TENDER_SETTLE: {"from_account": owner, "to_account": borrower, "loan_id": loan_id, **tender},
        T.ENTRUSTED_PAYMENT: {"from_account": borrower, "to_account": PAYEE, "loan_id": loan_id},
        T.REPAY_FREEZE: {"from_account": borrower, "loan_id": loan_id},
        T.REPAYMENT: {"from_account": owner, "to_account": holder, "loan_id": loan_id, **in_parts},
        T.COMPENSATION: {"from_account": GUARANTOR, "to_account": holder, **of_claim, **in_parts},
        T.COMPENSATION_REPAYMENT: {"from_account": owner, "to_account": GUARANTOR, "loan_id": loan_id, **in_parts},
        T.CREDIT_ASSIGNMENT: {"from_account": LENDERS[1 - draft.lender], "to_account": holder, **of_claim,
                              "principal_minor": principal},
        T.COMMISSION: {"from_account": anybody, "to_account": INCOME},
        T.MARKETING: {"from_account": MARKETING, "to_account": anybody},
        T.BANK_INTEREST: {} if variant == "IN" else {"from_account": SUSPENSE, "to_account": [lender, INCOME][draft.pick % 2]},
        T.PLATFORM_RECHARGE: {"to_account": MARKETING},
        T.PLATFORM_WITHDRAW: {"from_account": [INCOME, MARKETING][draft.pick % 2]},
        T.ADJUSTMENT: {"from_account": SUSPENSE if variant == "SUSPENSE" else [MARKETING, borrower][draft.pick % 2],
                       "to_account": lender},
        T.REVERSAL: {"from_account": SUSPENSE} if variant == "SUSPENSE" else {"from_account": anybody, "to_account": MARKETING},
        T.LEGAL_FREEZE: {"from_account": anybody},
        T.LEGAL_RELEASE: {"to_account": owner},
        T.LEGAL_DEDUCT: {"from_account": owner},
    }  # fmt: skip
    plain = Instruction(
        platform="P001", request_no=f"R{number}", leg=1, txn_type=txn_type, originator=min(RULES[draft.key].originators),
        authorisation_id=f"A{number}",
        from_account=None, to_account=None, amount_minor=amount, currency="CNY", loan_id=None, principal_minor=0,
        interest_minor=0, penalty_minor=0, coupon_minor=0, related_request_no=hold.hold_id if hold else "none",
        channel="CH01", settlement_batch=f"S{number}", direction=variant, fee_minor=min(draft.fee_minor, amount),
        status=TxnStatus.SUCCESS, event_time=START + timedelta(seconds=number), value_date=DAY,
    )  # fmt: skip
    made = plain._replace(**chosen.get(txn_type, {}))
    match draft.wrong:
        case "originator":
            return made._replace(originator=Originator.BANK if made.originator != Originator.BANK else Originator.CUSTOMER)
        case "account":
            return made._replace(from_account="P001.LENDER.stranger")
        case "hold":
            return made._replace(related_request_no="none")
        case "loan":
            return made._replace(loan_id="L9")
    return made


def _pick_hold(ledger: Ledger, draft: Draft) -> tuple[Hold | None, Hold | None]:
    """A customer's open hold of the kind that the type takes, and the coupon's beside it."""
    kind = TAKES.get(draft.key[0])
    holds = [h for _, h in sorted(ledger.state.holds.items()) if h.kind == kind and "." in h.account]
    if not holds:
        return None, None
    hold = holds[draft.pick % len(holds)]
    return hold, ledger.state.holds.get(("P001", f"{hold.hold_id}#COUPON"))


def check(state: LedgerState) -> None:
    """What domain.md §2 and §4 ask of every moment."""
    for book in Book:
        assert sum(minor for (b, _), minor in state.balances.items() if b == book) == 0
    held: dict[str, int] = {}
    for hold in state.holds.values():
        assert hold.amount_minor > 0
        held[f"{hold.account}:frozen"] = held.get(f"{hold.account}:frozen", 0) + hold.amount_minor
    for (_, account), minor in state.balances.items():
        if not is_asset(account) and account not in EXTERNALLY_MOVED:
            assert minor >= 0, account
        if account.endswith(":frozen"):
            assert minor == held.pop(account, 0), account
    assert held == {}
    for (platform, loan_id), terms in state.loans.items():
        claims = [c.principal_minor for c in state.claims.values() if (c.platform, c.loan_id) == (platform, loan_id)]
        assert all(c.principal_minor <= c.original_minor for c in state.claims.values())
        assert sum(claims) == terms.funded_minor - terms.principal_repaid_minor
        assert all(c >= 0 for c in claims)
        assert 0 <= terms.funded_minor <= terms.amount_minor


def check_shares(instruction: Instruction, before: LedgerState, after: LedgerState) -> None:
    """What becomes of the shares of a loan (§4.5, §4.6): a claim that passes on leaves their sum and the debt as they were;
    the coupons that are held are those of open tenders; a type that is no lending or repaying touches no share."""
    lending = {T.TENDER_SETTLE, T.REPAYMENT, T.COMPENSATION_REPAYMENT}
    if instruction.txn_type not in lending:
        assert after.loans == before.loans
        for loan_id in LOANS:
            sums = [sum(c.principal_minor for c in s.claims.values() if c.loan_id == loan_id) for s in (before, after)]
            assert sums[0] == sums[1]
    if instruction.txn_type not in lending | {T.CREDIT_ASSIGNMENT, T.COMPENSATION}:
        assert after.claims == before.claims
    for (_, hold_id), hold in after.holds.items():
        assert (hold.account == MARKETING) == hold_id.endswith("#COUPON")


# (type, variant, amount, pick): a life in which every rule is posted; pick chooses the person, a coupon, a claim, and from
# 10 on the second lender.
LIFE: list[tuple[TxnType, str | None, int, int]] = [
    (T.OWN_FUNDS_MOVEMENT, "IN", 9_000, 0), (T.OWN_FUNDS_MOVEMENT, "OUT", 2_000, 0), (T.RECHARGE, "channel", 20_000, 0),
    (T.RECHARGE, "channel", 20_000, 1), (T.RECHARGE, "direct", 20_000, 2), (T.RECHARGE, "SUSPENSE", 900, 0),
    (T.RECHARGE, "channel", 20_000, 12),
    (T.PLATFORM_RECHARGE, None, 500, 0), (T.MARKETING, None, 50, 0), (T.REVERSAL, "owned", 20, 0), (T.WITHDRAW_FREEZE, None, 900, 0),
    (T.WITHDRAW, None, 50, 0), (T.WITHDRAW_CANCEL, None, 50, 0), (T.WITHDRAW_RETURN, "IN", 20, 0),
    (T.WITHDRAW_RETURN, "OUT", 20, 0), (T.BACKROLL_RECHARGE, None, 30, 0), (T.TENDER_FREEZE, None, 5_000, 1),
    (T.TENDER_CANCEL, None, 50, 0), (T.TENDER_SETTLE, None, 900, 0), (T.ENTRUSTED_PAYMENT, None, 40, 0),
    (T.REPAY_FREEZE, None, 300, 0), (T.REPAYMENT, None, 60, 0), (T.CREDIT_ASSIGNMENT, None, 70, 0), (T.COMPENSATION, None, 80, 0),
    (T.COMPENSATION_REPAYMENT, None, 90, 0), (T.COMMISSION, None, 50, 1), (T.BANK_INTEREST, "IN", 70, 0),
    (T.BANK_INTEREST, "OUT", 60, 0), (T.ADJUSTMENT, "SUSPENSE", 40, 0), (T.ADJUSTMENT, "owned", 40, 1),
    (T.REVERSAL, "SUSPENSE", 30, 0), (T.PLATFORM_WITHDRAW, None, 30, 1), (T.CHANNEL_SETTLEMENT, "IN", 50, 0),
    (T.CHANNEL_SETTLEMENT, "OUT", 50, 0), (T.CHANNEL_FEE_TOPUP, None, 50, 0), (T.CUSTODY_FEE, "ACCRUE", 500, 0), (T.CUSTODY_FEE, "RELEASE", 50, 0),
    (T.CUSTODY_FEE, "OUT", 50, 0), (T.CUSTODY_FEE, "IN", 20, 0), (T.CUSTODY_FEE, "WRITE_OFF", 30, 0), (T.CUSTODY_FEE, "RECOVER", 10, 0), (T.LEGAL_FREEZE, None, 600, 0), (T.LEGAL_DEDUCT, None, 20, 0), (T.LEGAL_RELEASE, None, 40, 0),
]  # fmt: skip


def lived(more: int = 0, whole: bool = False) -> LedgerState:
    """A state in which every rule was posted through the generator, so that what follows finds holds, claims and money."""
    ledger = Ledger(fresh())
    for number, (txn_type, variant, amount, pick) in enumerate(LIFE):
        some = whole and txn_type in (T.WITHDRAW_CANCEL, T.TENDER_SETTLE, T.LEGAL_RELEASE)
        draft = Draft((txn_type, variant), pick // 10, "L1", amount + more, some, pick, 3)
        result = ledger.apply(to_instruction(ledger, draft, 1_000 + number))
        assert isinstance(result, Entry), (draft, result)
        check(ledger.state)
    return ledger.state


@settings(max_examples=150)
@given(st.sampled_from([fresh, lived]), st.lists(DRAFTS, min_size=1, max_size=40))
def test_the_books_hold_after_every_instruction(begin: Callable[[], LedgerState], drafts: list[Draft]) -> None:
    ledger = Ledger(begin())
    sent: list[Instruction] = []
    results: list[Entry | Refusal] = []
    for number, draft in enumerate(drafts):
        instruction = to_instruction(ledger, draft, number)
        before = deepcopy(ledger.state)
        result = ledger.apply(instruction)
        sent.append(instruction)
        results.append(result)
        if isinstance(result, Refusal):
            assert ledger.state == before
            continue
        assert all(move.amount_minor > 0 for move in result.moves)
        for move in result.moves:
            before.balances[move.book, move.from_account] = (
                before.balances.get((move.book, move.from_account), 0) - move.amount_minor
            )
            before.balances[move.book, move.to_account] = before.balances.get((move.book, move.to_account), 0) + move.amount_minor
        assert ledger.state.balances == before.balances
        check(ledger.state)
        check_shares(instruction, before, ledger.state)
    again = Ledger(begin())
    assert [again.apply(instruction) for instruction in sent] == results
    assert again.state == ledger.state


@settings(max_examples=50)
@given(st.sampled_from([fresh, lived]), st.lists(DRAFTS, min_size=2, max_size=30), st.integers(0, 30))
def test_a_ledger_opened_from_a_snapshot_goes_on_as_the_one_that_never_stopped(
    begin: Callable[[], LedgerState], drafts: list[Draft], cut: int
) -> None:
    ledger = Ledger(begin())
    for number, draft in enumerate(drafts):
        if number == cut:
            ledger = Ledger(deepcopy(ledger.state))
        ledger.apply(to_instruction(ledger, draft, number))
    straight = Ledger(begin())
    for number, draft in enumerate(drafts):
        straight.apply(to_instruction(straight, draft, number))
    assert ledger.state == straight.state


@settings(max_examples=10)
@given(st.integers(0, 9), st.booleans())
def test_the_generator_reaches_every_rule(more: int, whole: bool) -> None:
    """Guards this test itself."""
    lived(more, whole)
    assert {(txn_type, variant) for txn_type, variant, _, _ in LIFE} == set(RULES)
