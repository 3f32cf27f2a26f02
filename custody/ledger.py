"""The custody sub-ledger: applies instructions to state in double entry, or says why not (domain.md §2, §3).

Pure and sequential: same state and instructions in, same entries out. A refusal is a value; ``waits`` says that what is
missing may still come (a late file), so the instruction is tried again and never lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from custody.names import (
    PLATFORM_ACCOUNTS,
    Book,
    BreakKind,
    LoanState,
    Originator,
    TxnStatus,
    TxnType,
    platform_account,
)
from custody.posting_rules import DIRECTED, RULES, HoldEffect, Part, PostingRule, is_asset


@dataclass(frozen=True)
class Instruction:
    """One authorised leg. Accounts are sub-account ids or ``P001:P_INCOME``; amounts are minor units of ``currency``."""

    platform: str
    request_no: str
    leg: int
    txn_type: TxnType
    originator: Originator
    from_account: str | None
    to_account: str | None
    amount_minor: int
    currency: str
    loan_id: str | None
    principal_minor: int
    interest_minor: int
    penalty_minor: int
    related_request_no: str | None
    channel: str | None
    settlement_batch: str | None
    direction: str | None
    fee_minor: int
    status: TxnStatus
    event_time: datetime
    value_date: date


@dataclass(frozen=True)
class Move:
    book: Book
    from_account: str
    to_account: str
    amount_minor: int


@dataclass(frozen=True)
class Entry:
    """The moves of one instruction leg; ``core_ref`` is what the core's flow must quote, None where none is expected."""

    instruction: Instruction
    moves: tuple[Move, ...]
    core_ref: str | None


@dataclass(frozen=True)
class Refusal:
    kind: BreakKind
    rule: str
    figures: dict[str, object]
    waits: bool


@dataclass(frozen=True)
class Hold:
    platform: str
    hold_id: str
    account: str
    kind: str
    loan_id: str | None
    amount_minor: int
    placed_on: date


@dataclass(frozen=True)
class Claim:
    platform: str
    claim_id: str
    loan_id: str
    holder: str
    principal_minor: int
    original_minor: int
    currency: str


@dataclass(frozen=True)
class Loan:
    """Terms as first registered, and what was funded and repaid since."""

    platform: str
    loan_id: str
    borrower: str
    amount_minor: int
    currency: str
    annual_rate: str
    method: str
    periods: int
    every: str
    day_count: str
    purpose: str
    state: str
    disbursed_on: date | None
    funded_minor: int
    principal_repaid_minor: int
    interest_repaid_minor: int


@dataclass
class LedgerState:
    """Balances by (book, account); holds, claims and loans by (platform, id); open sub-account ids."""

    balances: dict[tuple[Book, str], int] = field(default_factory=dict)
    holds: dict[tuple[str, str], Hold] = field(default_factory=dict)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    loans: dict[tuple[str, str], Loan] = field(default_factory=dict)
    sub_accounts: set[str] = field(default_factory=set)


class Ledger:
    def __init__(self, state: LedgerState) -> None:
        self.state = state
        # Claim ids by (platform, loan, holder): a repayment with a thousand legs must not search a thousand claims each.
        self._claims_by_holder: dict[tuple[str, str, str], list[str]] = {}
        for claim in sorted(state.claims.values(), key=lambda c: (c.platform, c.claim_id)):
            self._index(claim)

    def _index(self, claim: Claim) -> None:
        ids = self._claims_by_holder.setdefault((claim.platform, claim.loan_id, claim.holder), [])
        if claim.claim_id not in ids:
            ids.append(claim.claim_id)
            ids.sort()

    def apply(self, instruction: Instruction) -> Entry | Refusal:
        """Post one leg and change the state, or refuse it and change nothing."""
        direction = instruction.direction if instruction.txn_type in DIRECTED else None
        rule = RULES.get((instruction.txn_type, direction))
        if rule is None:
            figures: dict[str, object] = {"field": "direction", "txn_type": str(instruction.txn_type)}
            return Refusal(BreakKind.UNAUTHORISED, "incomplete_instruction", figures, False)
        moves = _moves(instruction, rule)
        refusal = self._check(instruction, rule, moves)
        if refusal is not None:
            return refusal
        for move in moves:
            self._change(move.book, move.from_account, -move.amount_minor)
            self._change(move.book, move.to_account, move.amount_minor)
        self._change_hold(instruction, rule)
        self._change_loan(instruction)
        core_ref = str(getattr(instruction, rule.core)) if rule.core else None
        return Entry(instruction, moves, core_ref)

    def _check(self, instruction: Instruction, rule: PostingRule, moves: tuple[Move, ...]) -> Refusal | None:
        for name in (*rule.needs, *rule.customer, *rule.platform):
            if getattr(instruction, name) is None:
                figures: dict[str, object] = {"field": name, "txn_type": str(instruction.txn_type)}
                return Refusal(BreakKind.UNAUTHORISED, "incomplete_instruction", figures, False)
        if instruction.originator not in rule.originators:
            figures = {"originator": str(instruction.originator), "txn_type": str(instruction.txn_type)}
            return Refusal(BreakKind.UNAUTHORISED, "originator", figures, False)
        if any(move.amount_minor < 0 for move in moves):
            figures = {"fee": instruction.fee_minor, "amount": instruction.amount_minor}
            return Refusal(BreakKind.FEE, "fee_exceeds_amount", figures, False)
        return (
            self._check_accounts(instruction, rule)
            or self._check_loan(instruction)
            or self._check_hold(instruction, rule)
            or self._check_funds(rule, moves)
        )

    def _check_accounts(self, instruction: Instruction, rule: PostingRule) -> Refusal | None:
        """Each account is of the kind that the type moves, of the instruction's own platform, and open."""
        own = {platform_account(instruction.platform, name) for name in PLATFORM_ACCOUNTS}
        for name in rule.platform:
            if getattr(instruction, name) not in own:
                return _wrong_account(instruction, name, "P_*")
        for name in rule.customer:
            account = str(getattr(instruction, name))
            if not account.startswith(f"{instruction.platform}."):
                return _wrong_account(instruction, name, "customer")
            if account not in self.state.sub_accounts:
                return Refusal(BreakKind.ORPHAN, "unknown_account", {"account": account}, True)
        return None

    def _check_loan(self, instruction: Instruction) -> Refusal | None:
        if instruction.loan_id is None or instruction.txn_type not in (TxnType.TENDER_SETTLE, TxnType.REPAYMENT):
            return None
        loan = self.state.loans.get((instruction.platform, instruction.loan_id))
        if loan is None:
            return Refusal(BreakKind.ORPHAN, "unknown_loan", {"loan": instruction.loan_id}, True)
        if instruction.txn_type == TxnType.REPAYMENT:
            return _check_repayment(instruction, loan) or self._check_claims(instruction, loan)
        if instruction.to_account != loan.borrower:
            # domain.md §4.8: a lender's money goes only to his loan's borrower.
            return Refusal(BreakKind.INV_08, "not_the_borrower", {"account": instruction.to_account, "loan": loan.loan_id}, False)
        funded = loan.funded_minor + instruction.amount_minor
        if funded > loan.amount_minor:
            # domain.md §4.4: the gross paid out never exceeds the loan's amount.
            figures: dict[str, object] = {"found": funded, "expected": loan.amount_minor}
            return Refusal(BreakKind.INV_04, "loan_amount", figures, False)
        return None

    def _check_claims(self, instruction: Instruction, loan: Loan) -> Refusal | None:
        """The creditor holds at least the principal that he is repaid; a claim that is not there yet may still come."""
        ids = self._claims_by_holder.get((loan.platform, loan.loan_id, str(instruction.to_account)), [])
        held = sum(self.state.claims[loan.platform, claim_id].principal_minor for claim_id in ids)
        if instruction.principal_minor <= held:
            return None
        figures: dict[str, object] = {
            "account": instruction.to_account,
            "loan": loan.loan_id,
            "held": held,
            "principal": instruction.principal_minor,
        }
        return Refusal(BreakKind.CLAIM, "claim_principal", figures, True)

    def _check_hold(self, instruction: Instruction, rule: PostingRule) -> Refusal | None:
        if rule.hold is None:
            return None
        effect, kind = rule.hold
        if effect == HoldEffect.PLACE:
            # A hold is named by its request: a second leg under the same name would be a second hold nobody can tell apart.
            taken = (instruction.platform, instruction.request_no) in self.state.holds
            return Refusal(BreakKind.HOLD, "hold_exists", {"hold": instruction.request_no}, False) if taken else None
        account = instruction.to_account if effect == HoldEffect.RELEASE else instruction.from_account
        hold = self.state.holds.get((instruction.platform, str(instruction.related_request_no)))
        if hold is None or hold.account != account or hold.kind != kind:
            figures: dict[str, object] = {"hold": instruction.related_request_no, "account": account}
            return Refusal(BreakKind.HOLD, "unknown_hold", figures, True)
        if instruction.loan_id != hold.loan_id and effect == HoldEffect.TAKE:
            # Money frozen for one loan settles that loan and no other (domain.md §4.4).
            figures = {"hold": hold.hold_id, "purpose": hold.loan_id, "loan": instruction.loan_id}
            return Refusal(BreakKind.HOLD, "hold_purpose", figures, False)
        if instruction.amount_minor > hold.amount_minor:
            figures = {"hold": hold.hold_id, "open": hold.amount_minor, "needed": instruction.amount_minor}
            return Refusal(BreakKind.HOLD, "hold_amount", figures, False)
        return None

    def _check_funds(self, rule: PostingRule, moves: tuple[Move, ...]) -> Refusal | None:
        if rule.external:
            return None
        for move in moves:
            held = self.balance(move.book, move.from_account)
            if not is_asset(move.from_account) and held < move.amount_minor:
                figures: dict[str, object] = {
                    "account": move.from_account,
                    "available": held,
                    "needed": move.amount_minor,
                }
                return Refusal(BreakKind.SHORTFALL, "insufficient", figures, True)
        return None

    def balance(self, book: Book, account: str) -> int:
        return self.state.balances.get((book, account), 0)

    def _change(self, book: Book, account: str, by: int) -> None:
        self.state.balances[book, account] = self.balance(book, account) + by

    def _change_hold(self, instruction: Instruction, rule: PostingRule) -> None:
        if rule.hold is None:
            return
        effect, kind = rule.hold
        if effect == HoldEffect.PLACE:
            key = (instruction.platform, instruction.request_no)
            self.state.holds[key] = Hold(
                instruction.platform,
                instruction.request_no,
                str(instruction.from_account),
                kind,
                instruction.loan_id,
                instruction.amount_minor,
                instruction.value_date,
            )
            return
        key = (instruction.platform, str(instruction.related_request_no))
        hold = self.state.holds[key]
        left = hold.amount_minor - instruction.amount_minor
        if left:
            self.state.holds[key] = replace(hold, amount_minor=left)
        else:
            del self.state.holds[key]

    def _change_loan(self, instruction: Instruction) -> None:
        if instruction.txn_type == TxnType.TENDER_SETTLE:
            self._fund(instruction)
        elif instruction.txn_type == TxnType.REPAYMENT:
            self._repay(instruction)

    def _fund(self, instruction: Instruction) -> None:
        loan = self._loan(instruction)
        self._set_loan(
            replace(
                loan,
                funded_minor=loan.funded_minor + instruction.amount_minor,
                disbursed_on=loan.disbursed_on or instruction.value_date,
                state=LoanState.DISBURSED,
            )
        )
        # A tender becomes a claim under the tender's own number, so that its whole life has one name.
        claim_id = str(instruction.related_request_no)
        before = self.state.claims.get((instruction.platform, claim_id))
        principal = instruction.amount_minor + (before.principal_minor if before else 0)
        original = instruction.amount_minor + (before.original_minor if before else 0)
        claim = Claim(
            instruction.platform,
            claim_id,
            str(instruction.loan_id),
            str(instruction.from_account),
            principal,
            original,
            instruction.currency,
        )
        self.state.claims[claim.platform, claim_id] = claim
        self._index(claim)

    def _repay(self, instruction: Instruction) -> None:
        loan = self._loan(instruction)
        repaid = loan.principal_repaid_minor + instruction.principal_minor
        self._set_loan(
            replace(
                loan,
                principal_repaid_minor=repaid,
                interest_repaid_minor=loan.interest_repaid_minor + instruction.interest_minor,
                state=LoanState.SETTLED if repaid >= loan.funded_minor else LoanState.REPAYING,
            )
        )
        left = instruction.principal_minor
        holder = (instruction.platform, str(instruction.loan_id), str(instruction.to_account))
        for claim_id in self._claims_by_holder.get(holder, []):
            claim = self.state.claims[instruction.platform, claim_id]
            taken = min(left, claim.principal_minor)
            left -= taken
            self.state.claims[instruction.platform, claim_id] = replace(claim, principal_minor=claim.principal_minor - taken)

    def claims_of(self, platform: str, loan_id: str) -> list[Claim]:
        """The live claims on a loan, by claim id."""
        found = [c for c in self.state.claims.values() if (c.platform, c.loan_id) == (platform, loan_id) and c.principal_minor]
        return sorted(found, key=lambda c: c.claim_id)

    def _loan(self, instruction: Instruction) -> Loan:
        return self.state.loans[instruction.platform, str(instruction.loan_id)]

    def _set_loan(self, loan: Loan) -> None:
        self.state.loans[loan.platform, loan.loan_id] = loan


def _wrong_account(instruction: Instruction, name: str, expected: str) -> Refusal:
    figures: dict[str, object] = {
        "account": getattr(instruction, name),
        "txn_type": str(instruction.txn_type),
        "expected": expected,
    }
    return Refusal(BreakKind.WRONG_ACCOUNT, "account_kind", figures, False)


def _check_repayment(instruction: Instruction, loan: Loan) -> Refusal | None:
    """The borrower pays his own loan, and every fen of it is principal, interest or penalty (domain.md §4.5)."""
    if instruction.from_account != loan.borrower:
        figures: dict[str, object] = {"account": instruction.from_account, "loan": loan.loan_id}
        return Refusal(BreakKind.INV_08, "not_the_borrower", figures, False)
    parts = instruction.principal_minor + instruction.interest_minor + instruction.penalty_minor
    if parts != instruction.amount_minor:
        figures = {"parts": parts, "amount": instruction.amount_minor}
        return Refusal(BreakKind.INV_05, "parts", figures, False)
    return None


def _moves(instruction: Instruction, rule: PostingRule) -> tuple[Move, ...]:
    names = {
        "p": instruction.platform,
        "from": instruction.from_account,
        "to": instruction.to_account,
        "channel": instruction.channel,
    }
    parts = {
        Part.AMOUNT: instruction.amount_minor,
        Part.FEE: instruction.fee_minor,
        Part.NET: instruction.amount_minor - instruction.fee_minor,
    }
    moves = [Move(m.book, m.from_account.format(**names), m.to_account.format(**names), parts[m.part]) for m in rule.moves]
    return tuple(m for m in moves if m.amount_minor)
