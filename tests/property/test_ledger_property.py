"""Whatever instructions come, in whatever order: the books hold after every step, and a replay gives the same state."""

from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from custody.ledger import Entry, Instruction, Ledger, LedgerState, Loan, Refusal
from custody.names import Book, Originator, TxnStatus, TxnType
from custody.posting_rules import RULES, is_asset

T = TxnType
LENDERS = ["P001.LENDER.u1", "P001.LENDER.u2"]
BORROWERS = ["P001.BORROWER.b1", "P001.BORROWER.b2"]
LOANS = {"L1": BORROWERS[0], "L2": BORROWERS[1]}
DAY = date(2019, 12, 30)
START = datetime(2019, 12, 30, tzinfo=UTC)
# Types whose money moved outside already: they are never refused, so what they touch may lie below zero (posting_rules).
EXTERNALLY_MOVED = ("P001:PLATFORM_OWN", "P001:CHANNEL_PAYABLE/CH01")


def loan(loan_id: str, borrower: str) -> Loan:
    return Loan(
        platform="P001", loan_id=loan_id, borrower=borrower, amount_minor=50_000, currency="CNY", annual_rate="0.08",
        method="bullet", periods=1, every="month", day_count="30/360", purpose="trade", state="BIDDING", disbursed_on=None,
        funded_minor=0, principal_repaid_minor=0, interest_repaid_minor=0,
    )  # fmt: skip


def fresh() -> LedgerState:
    return LedgerState(loans={("P001", k): loan(k, b) for k, b in LOANS.items()}, sub_accounts={*LENDERS, *BORROWERS})


@dataclass(frozen=True)
class Draft:
    """One wish of the generator: choices that ``to_instruction`` turns into an instruction on the ledger as it stands."""

    txn_type: TxnType
    direction: str | None
    lender: str
    loan_id: str
    amount_minor: int
    whole: bool
    pick: int
    fee_minor: int
    wrong: str | None


DRAFTS = st.builds(
    Draft,
    txn_type=st.sampled_from([*(t for t, _ in RULES), *[T.RECHARGE, T.TENDER_FREEZE, T.TENDER_SETTLE] * 2, T.REPAYMENT]),
    direction=st.sampled_from(["IN", "OUT"]),
    lender=st.sampled_from(LENDERS),
    loan_id=st.sampled_from(sorted(LOANS)),
    amount_minor=st.one_of(st.integers(1, 100), st.integers(1, 40_000)),
    whole=st.booleans(),
    pick=st.integers(0, 50),
    fee_minor=st.integers(0, 50),
    wrong=st.sampled_from([None] * 9 + ["originator", "account", "hold", "loan"]),
)


def to_instruction(ledger: Ledger, draft: Draft, number: int) -> Instruction:
    """The draft as an instruction that could be true now: holds and claims are picked from those that are open."""
    kinds = {
        T.WITHDRAW: "WITHDRAW", T.WITHDRAW_CANCEL: "WITHDRAW", T.TENDER_SETTLE: "TENDER", T.TENDER_CANCEL: "TENDER", T.REPAYMENT: "REPAY",
    }  # fmt: skip
    holds = [h for _, h in sorted(ledger.state.holds.items()) if h.kind == kinds.get(draft.txn_type)]
    hold = holds[draft.pick % len(holds)] if holds else None
    amount = hold.amount_minor if hold and draft.whole else draft.amount_minor
    loan_id = hold.loan_id if hold and hold.loan_id else draft.loan_id
    borrower = LOANS[loan_id]
    owner = hold.account if hold else draft.lender
    fields: dict[str, Any] = {
        "channel": "CH01",
        "settlement_batch": f"S{number}",
        "related_request_no": hold.hold_id if hold else "none",
    }
    match draft.txn_type:
        case T.RECHARGE:
            fields |= {"to_account": [draft.lender, borrower][draft.pick % 2]}
        case T.WITHDRAW_FREEZE:
            fields |= {"from_account": [draft.lender, borrower][draft.pick % 2]}
        case T.TENDER_FREEZE:
            fields |= {"from_account": draft.lender, "loan_id": loan_id}
        case T.REPAY_FREEZE:
            fields |= {"from_account": borrower, "loan_id": loan_id}
        case T.WITHDRAW_CANCEL | T.TENDER_CANCEL:
            fields |= {"to_account": owner}
        case T.WITHDRAW:
            fields |= {"from_account": owner}
        case T.TENDER_SETTLE:
            fields |= {"from_account": owner, "to_account": borrower, "loan_id": loan_id}
        case T.REPAYMENT:
            claims = ledger.claims_of("P001", loan_id)
            claim = claims[draft.pick % len(claims)] if claims else None
            # Principal never beyond what the creditor holds; the rest of the leg is interest.
            principal = min(amount, claim.principal_minor) if claim else 0
            fields |= {"from_account": owner, "to_account": claim.holder if claim else draft.lender, "loan_id": loan_id}
            fields |= {"principal_minor": principal, "interest_minor": amount - principal}
        case T.COMMISSION:
            fields |= {"from_account": borrower, "to_account": "P001:P_INCOME"}
        case T.MARKETING:
            fields |= {"from_account": "P001:P_MARKETING", "to_account": draft.lender}
        case T.PLATFORM_RECHARGE:
            fields |= {"to_account": "P001:P_MARKETING"}
        case _:
            pass
    directed = (draft.txn_type, draft.direction) in RULES
    rule = RULES[draft.txn_type, draft.direction if directed else None]
    made = Instruction(
        platform="P001", request_no=f"R{number}", leg=1, txn_type=draft.txn_type, originator=min(rule.originators),
        from_account=None, to_account=None, amount_minor=amount, currency="CNY", loan_id=None, principal_minor=0,
        interest_minor=0, penalty_minor=0, related_request_no=None, channel=None, settlement_batch=None,
        direction=draft.direction if directed else None, fee_minor=min(draft.fee_minor, amount), status=TxnStatus.SUCCESS,
        event_time=START + timedelta(seconds=number), value_date=DAY,
    )  # fmt: skip
    made = replace(made, **fields)
    match draft.wrong:
        case "originator":
            return replace(made, originator=Originator.BANK if made.originator != Originator.BANK else Originator.CUSTOMER)
        case "account":
            return replace(made, from_account="P001.LENDER.stranger")
        case "hold":
            return replace(made, related_request_no="none")
        case "loan":
            return replace(made, loan_id="L9")
    return made


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
        assert sum(claims) == terms.funded_minor - terms.principal_repaid_minor
        assert all(c >= 0 for c in claims)
        assert 0 <= terms.funded_minor <= terms.amount_minor


@settings(max_examples=150)
@given(st.lists(DRAFTS, min_size=1, max_size=40))
def test_the_books_hold_after_every_instruction(drafts: list[Draft]) -> None:
    ledger = Ledger(fresh())
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
    again = Ledger(fresh())
    assert [again.apply(instruction) for instruction in sent] == results
    assert again.state == ledger.state


@settings(max_examples=50)
@given(st.lists(DRAFTS, min_size=2, max_size=30), st.integers(0, 30))
def test_a_ledger_opened_from_a_snapshot_goes_on_as_the_one_that_never_stopped(drafts: list[Draft], cut: int) -> None:
    ledger = Ledger(fresh())
    for number, draft in enumerate(drafts):
        if number == cut:
            ledger = Ledger(deepcopy(ledger.state))
        ledger.apply(to_instruction(ledger, draft, number))
    straight = Ledger(fresh())
    for number, draft in enumerate(drafts):
        straight.apply(to_instruction(straight, draft, number))
    assert ledger.state == straight.state


@settings(max_examples=10)
@given(st.integers(0, 1_000))
def test_the_generator_reaches_every_type(seed: int) -> None:
    """Guards this test itself: a fixed life posts every type that has a rule, through the same generator."""
    ledger = Ledger(fresh())
    posted: set[tuple[TxnType, str | None]] = set()
    life = [
        (T.OWN_FUNDS_MOVEMENT, "IN"), (T.OWN_FUNDS_MOVEMENT, "OUT"), (T.RECHARGE, "IN"), (T.RECHARGE, "IN"), (T.PLATFORM_RECHARGE, "IN"),
        (T.MARKETING, "IN"), (T.WITHDRAW_FREEZE, "IN"), (T.WITHDRAW, "IN"), (T.WITHDRAW_CANCEL, "IN"), (T.TENDER_FREEZE, "IN"),
        (T.TENDER_SETTLE, "IN"), (T.TENDER_CANCEL, "IN"), (T.REPAY_FREEZE, "IN"), (T.REPAYMENT, "IN"), (T.COMMISSION, "IN"),
        (T.CHANNEL_SETTLEMENT, "IN"), (T.CHANNEL_SETTLEMENT, "OUT"), (T.CHANNEL_FEE_TOPUP, "IN"), (T.CUSTODY_FEE, "IN"),
    ]  # fmt: skip
    amounts = {
        T.OWN_FUNDS_MOVEMENT: 9_000,
        T.RECHARGE: 20_000,
        T.PLATFORM_RECHARGE: 500,
        T.TENDER_FREEZE: 5_000,
        T.WITHDRAW_FREEZE: 900,
    }
    for number, (txn_type, direction) in enumerate(life):
        amount = 4_000 if (txn_type, direction) == (T.OWN_FUNDS_MOVEMENT, "OUT") else amounts.get(txn_type, 50 + seed % 10)
        draft = Draft(txn_type, direction, LENDERS[0], "L1", amount, False, number % 2 if txn_type == T.RECHARGE else 0, 3, None)
        result = ledger.apply(to_instruction(ledger, draft, number))
        assert isinstance(result, Entry), result
        posted.add((txn_type, direction if (txn_type, direction) in RULES else None))
        check(ledger.state)
    assert posted == set(RULES)
