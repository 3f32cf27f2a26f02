"""Loans and who holds which share of them: what an instruction may do to them, and what it does (domain.md §3, §4.4-§4.8)."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence

from custody.instruction import Entry, Instruction, Refusal
from custody.ledger_state import Claim, LedgerState, Loan
from custody.names import BreakKind, LoanState, TxnType
from custody.posting_plan import Planned

# (account of the instruction, who of the loan it must be, the break when it is not). §4.8: a lender's money goes only to
# his loan's borrower, or from there, by the borrower's authority, to the payee that the loan names.
_BORROWS = ("from_account", "borrower", BreakKind.INV_08)
_PARTIES: dict[TxnType, tuple[tuple[str, str, BreakKind], ...]] = {
    TxnType.TENDER_SETTLE: (("to_account", "borrower", BreakKind.INV_08),),
    TxnType.ENTRUSTED_PAYMENT: (_BORROWS, ("to_account", "payee", BreakKind.INV_08)),
    TxnType.REPAYMENT: (_BORROWS,),
    TxnType.COMPENSATION_REPAYMENT: (_BORROWS,),
    TxnType.COMPENSATION: (("from_account", "guarantor", BreakKind.CLAIM),),
    TxnType.CREDIT_ASSIGNMENT: (),
}
# Every fen is principal, interest or penalty (§4.5).
_IN_PARTS = frozenset({TxnType.REPAYMENT, TxnType.COMPENSATION, TxnType.COMPENSATION_REPAYMENT})
# The borrower's debt falls, and his creditor's claims with it.
_REPAYING = frozenset({TxnType.REPAYMENT, TxnType.COMPENSATION_REPAYMENT})
# A claim passes from to_account to from_account, who pays for it; the break when to_account does not hold it.
_PASSING = {TxnType.COMPENSATION: BreakKind.CLAIM, TxnType.CREDIT_ASSIGNMENT: BreakKind.INV_06}


class ClaimRegister:
    """The loans and claims of a ledger's state, indexed: a thousand lenders' legs must not search a thousand claims each."""

    types = frozenset(_PARTIES)

    def __init__(self, state: LedgerState) -> None:
        self._state = state
        # Claim ids in order, by (platform, loan) and by (platform, loan, holder).
        self._ids: dict[tuple[str, ...], list[str]] = {}
        for claim in state.claims.values():
            self._index(claim)

    def of_loan(self, platform: str, loan_id: str) -> list[Claim]:
        """The live claims on a loan, by claim id."""
        found = (self._state.claims[platform, claim_id] for claim_id in self._ids.get((platform, loan_id), ()))
        return [claim for claim in found if claim.principal_minor]

    def check(self, instruction: Instruction, moves: Sequence[Planned]) -> Refusal | None:
        """Why the instruction may not touch its loan and claims; None when it may, or names none."""
        if instruction.loan_id is None:
            return None
        loan = self._state.loans.get((instruction.platform, instruction.loan_id))
        if loan is None:
            return Refusal(BreakKind.ORPHAN, "unknown_loan", {"loan": instruction.loan_id}, True)
        for name, party, kind in _PARTIES[instruction.txn_type]:
            if getattr(instruction, name) != getattr(loan, party):
                return Refusal(kind, f"not_the_{party}", {"account": getattr(instruction, name), "loan": loan.loan_id}, False)
        parts = instruction.principal_minor + instruction.interest_minor + instruction.penalty_minor
        if instruction.txn_type in _IN_PARTS and parts != instruction.amount_minor:
            figures: dict[str, object] = {"parts": parts, "amount": instruction.amount_minor}
            return Refusal(BreakKind.INV_05, "parts", figures, False)
        if instruction.txn_type == TxnType.TENDER_SETTLE:
            return _check_funding(instruction, loan)
        if instruction.txn_type in _REPAYING:
            return self._check_repaid(instruction, loan)
        return self._check_passed(instruction) if instruction.txn_type in _PASSING else None

    def change(self, entry: Entry, claim_id: str | None) -> None:
        """What was checked, done. ``claim_id``: the claim whose share a repayment is, where the split has been computed."""
        instruction = entry.instruction
        if instruction.txn_type == TxnType.TENDER_SETTLE:
            self._fund(instruction)
        elif instruction.txn_type in _REPAYING:
            self._repay(instruction, claim_id)
        elif instruction.txn_type in _PASSING and instruction.principal_minor:
            sold = self._claim(instruction, str(instruction.related_request_no))
            self._set_claim(sold._replace(principal_minor=sold.principal_minor - instruction.principal_minor))
            self._add(instruction, instruction.request_no, instruction.principal_minor)

    def check_undo(self, original: Instruction) -> Refusal | None:
        """What it did to loan and claims must lie there unchanged: nothing that was lent by it is repaid or sold since."""
        name = self._made_by(original)
        if name is not None:
            claim = self._state.claims.get((original.platform, name))
            minor = original.amount_minor if original.txn_type == TxnType.TENDER_SETTLE else original.principal_minor
            if claim is not None and claim.principal_minor >= minor:
                return None
            return Refusal(BreakKind.CLAIM, "reversal_claim", {"claim": name, "loan": original.loan_id}, False)
        if original.txn_type in _REPAYING and original.principal_minor:
            claims = list(self._of_holder(original))
            lacking = sum(claim.original_minor - claim.principal_minor for claim in claims)
            # Which of several claims it had repaid, nothing says any more.
            if len(claims) != 1 or lacking < original.principal_minor:
                figures: dict[str, object] = {"claim": original.to_account, "loan": original.loan_id}
                return Refusal(BreakKind.CLAIM, "reversal_claim", figures, False)
        return None

    def undo(self, original: Instruction) -> None:
        """What was checked, done."""
        if original.txn_type == TxnType.TENDER_SETTLE:
            loan = self._loan(original)
            funded = loan.funded_minor - original.amount_minor
            if funded:
                self._set_loan(loan._replace(funded_minor=funded))
            else:
                self._set_loan(loan._replace(funded_minor=0, disbursed_on=None, state=LoanState.FULL))
            self._give_up(original, original.amount_minor)
        elif original.txn_type in _REPAYING:
            loan = self._loan(original)
            repaid = loan.principal_repaid_minor - original.principal_minor
            interest = loan.interest_repaid_minor - original.interest_minor
            state = LoanState.REPAYING if repaid or interest else LoanState.DISBURSED
            self._set_loan(loan._replace(principal_repaid_minor=repaid, interest_repaid_minor=interest, state=state))
            if original.principal_minor:
                (claim,) = self._of_holder(original)
                self._set_claim(claim._replace(principal_minor=claim.principal_minor + original.principal_minor))
        elif original.txn_type in _PASSING and original.principal_minor:
            self._give_up(original, original.principal_minor)
            sold = self._claim(original, str(original.related_request_no))
            self._set_claim(sold._replace(principal_minor=sold.principal_minor + original.principal_minor))

    def _made_by(self, original: Instruction) -> str | None:
        """The claim to which it gave principal."""
        if original.txn_type == TxnType.TENDER_SETTLE:
            return str(original.related_request_no)
        return original.request_no if original.txn_type in _PASSING and original.principal_minor else None

    def _give_up(self, original: Instruction, minor: int) -> None:
        name = self._made_by(original)
        assert name is not None
        claim = self._claim(original, name)
        left = claim._replace(principal_minor=claim.principal_minor - minor, original_minor=claim.original_minor - minor)
        if left.original_minor:
            self._set_claim(left)
            return
        del self._state.claims[claim.platform, claim.claim_id]
        for key in ((claim.platform, claim.loan_id), (claim.platform, claim.loan_id, claim.holder)):
            self._ids[key].remove(claim.claim_id)

    def _check_repaid(self, instruction: Instruction, loan: Loan) -> Refusal | None:
        """The creditor holds at least the principal that he is repaid; a claim that is not there yet may still come."""
        held = sum(claim.principal_minor for claim in self._of_holder(instruction))
        if instruction.principal_minor <= held:
            return None
        figures: dict[str, object] = {
            "account": instruction.to_account,
            "loan": loan.loan_id,
            "held": held,
            "principal": instruction.principal_minor,
        }
        return Refusal(BreakKind.CLAIM, "claim_principal", figures, True)

    def _check_passed(self, instruction: Instruction) -> Refusal | None:
        """Nobody gives up what he does not hold (§4.6), and what it becomes has a name that nobody else's claim has."""
        kind = _PASSING[instruction.txn_type]
        claim = self._state.claims.get((instruction.platform, str(instruction.related_request_no)))
        if claim is None:
            return Refusal(kind, "unknown_claim", {"claim": instruction.related_request_no}, True)
        figures: dict[str, object] = {"account": instruction.to_account, "claim": claim.claim_id}
        if (claim.holder, claim.loan_id) != (instruction.to_account, instruction.loan_id):
            return Refusal(kind, "claim_holder", {**figures, "loan": instruction.loan_id}, False)
        if instruction.principal_minor > claim.principal_minor:
            held = {"held": claim.principal_minor, "principal": instruction.principal_minor}
            return Refusal(kind, "claim_share", figures | held, False)
        there = self._state.claims.get((instruction.platform, instruction.request_no))
        if there is not None and (there.holder, there.loan_id) != (instruction.from_account, instruction.loan_id):
            return Refusal(kind, "claim_exists", {"claim": there.claim_id, "account": there.holder}, False)
        return None

    def _fund(self, instruction: Instruction) -> None:
        loan = self._loan(instruction)
        self._set_loan(
            loan._replace(
                funded_minor=loan.funded_minor + instruction.amount_minor,
                disbursed_on=loan.disbursed_on or instruction.value_date,
                state=LoanState.DISBURSED,
            )
        )
        # A tender becomes a claim under the tender's own number, so that its whole life has one name.
        self._add(instruction, str(instruction.related_request_no), instruction.amount_minor)

    def _repay(self, instruction: Instruction, claim_id: str | None) -> None:
        loan = self._loan(instruction)
        repaid = loan.principal_repaid_minor + instruction.principal_minor
        self._set_loan(
            loan._replace(
                principal_repaid_minor=repaid,
                interest_repaid_minor=loan.interest_repaid_minor + instruction.interest_minor,
                state=LoanState.SETTLED if repaid >= loan.funded_minor else LoanState.REPAYING,
            )
        )
        left = instruction.principal_minor
        for claim in sorted(self._of_holder(instruction), key=lambda c: (c.claim_id != claim_id, c.claim_id)):
            if not left:
                break
            taken = min(left, claim.principal_minor)
            left -= taken
            self._set_claim(claim._replace(principal_minor=claim.principal_minor - taken))

    def _of_holder(self, instruction: Instruction) -> Iterable[Claim]:
        key = (instruction.platform, str(instruction.loan_id), str(instruction.to_account))
        return [self._state.claims[instruction.platform, claim_id] for claim_id in self._ids.get(key, ())]

    def _add(self, instruction: Instruction, claim_id: str, principal_minor: int) -> None:
        """More principal to the payer's claim of this name, which is new with its first."""
        before = self._state.claims.get((instruction.platform, claim_id))
        claim = Claim(
            instruction.platform,
            claim_id,
            str(instruction.loan_id),
            str(instruction.from_account),
            principal_minor + (before.principal_minor if before else 0),
            principal_minor + (before.original_minor if before else 0),
            instruction.currency,
        )
        self._set_claim(claim)
        if before is None:
            self._index(claim)

    def _index(self, claim: Claim) -> None:
        for key in ((claim.platform, claim.loan_id), (claim.platform, claim.loan_id, claim.holder)):
            insort(self._ids.setdefault(key, []), claim.claim_id)

    def _claim(self, instruction: Instruction, claim_id: str) -> Claim:
        return self._state.claims[instruction.platform, claim_id]

    def _set_claim(self, claim: Claim) -> None:
        self._state.claims[claim.platform, claim.claim_id] = claim

    def _loan(self, instruction: Instruction) -> Loan:
        return self._state.loans[instruction.platform, str(instruction.loan_id)]

    def _set_loan(self, loan: Loan) -> None:
        self._state.loans[loan.platform, loan.loan_id] = loan


def _check_funding(instruction: Instruction, loan: Loan) -> Refusal | None:
    """The gross paid out never exceeds the loan's amount (§4.4)."""
    funded = loan.funded_minor + instruction.amount_minor
    if funded > loan.amount_minor:
        return Refusal(BreakKind.INV_04, "loan_amount", {"found": funded, "expected": loan.amount_minor}, False)
    return None
