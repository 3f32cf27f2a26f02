"""The custody sub-ledger: applies instructions to state in double entry, or says why not (domain.md §2, §3).

Pure and sequential: same state and instructions in, same entries out. A refusal is a value. What is more than balances
and holds is kept by registers, each for its own part of the state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from custody.claims import ClaimRegister
from custody.holds import change_hold, check_hold, check_undone, undo_hold
from custody.instruction import Entry, Instruction, Move, Refusal
from custody.ledger_state import Claim, LedgerState
from custody.names import PLATFORM_ACCOUNTS, Book, BreakKind, Role, TxnType, platform_of, role_of
from custody.posting_plan import Plan, Planned, plan_of
from custody.posting_rules import SUSPENSE, is_asset
from custody.statuses import StatusRegister

_CUSTOMERS: frozenset[str] = frozenset(Role)
# What puts money into a loan.
_LENDING = frozenset({TxnType.TENDER_FREEZE, TxnType.TENDER_SETTLE, TxnType.CREDIT_ASSIGNMENT})
# What other parts of the system count on, or what covered items that are not told apart any more: people put it right.
_BY_HAND = frozenset({TxnType.CUSTODY_FEE, TxnType.ADJUSTMENT, TxnType.REVERSAL})
_NAMED: frozenset[str] = frozenset((*PLATFORM_ACCOUNTS, SUSPENSE))


class Register(Protocol):
    """A part of the state with its own rules. ``types``: the transaction types that it looks at; others never reach it."""

    @property
    def types(self) -> frozenset[TxnType]: ...

    def check(self, instruction: Instruction, moves: Sequence[Planned]) -> Refusal | None:
        """Why the instruction may not be posted; None when it may. Changes nothing."""

    def change(self, entry: Entry, claim_id: str | None) -> Refusal | None:
        """What was checked, done, while the holds are as they were before. ``claim_id`` as for Ledger.apply. Returns what is
        wrong with the entry though it is posted."""

    def check_undo(self, original: Instruction) -> Refusal | None:
        """Why what a posted instruction did here cannot be taken back any more; None when it can. Changes nothing."""

    def undo(self, original: Instruction) -> None:
        """What was checked, done, while the holds are as they were before."""


class Ledger:
    """``registers`` are asked in their order, after those of statuses and claims and before holds and balances."""

    def __init__(self, state: LedgerState, registers: Sequence[Register] = ()) -> None:
        self.state = state
        self._claims = ClaimRegister(state)
        self._statuses = StatusRegister(state)
        every: tuple[Register, ...] = (self._claims, *registers)
        self._checks = {t: tuple(r.check for r in every if t in r.types) for t in TxnType}
        self._changes = {t: tuple(r.change for r in every if t in r.types) for t in TxnType}
        self._registers = every
        # By account: the platform that it is of, and its kind.
        self._kinds: dict[str, tuple[str, str | None]] = {}

    def apply(self, instruction: Instruction, claim_id: str | None = None) -> Entry | Refusal:
        """Post one leg and change the state, or refuse it and change nothing.

        ``claim_id``: the claim whose share a repayment's leg is, where the split has been computed (custody.allocation);
        without it, and beyond it, the creditor's claims fall in order of claim id.
        """
        plan = plan_of(instruction)
        if plan is None:
            return _incomplete(instruction, "direction")
        refusal = _check_form(instruction, plan) or self._check_accounts(instruction, plan)
        if refusal is not None:
            return refusal
        moves = plan.moves_of(instruction)
        if self.state.under_way:
            # Few withdrawals ever are, and every leg would be asked.
            refusal = self._statuses.check(instruction)
            if refusal is not None:
                return refusal
        for check in self._checks[instruction.txn_type]:
            refusal = check(instruction, moves)
            if refusal is not None:
                return refusal
        holds = plan.holds_of(instruction)
        for rule, owner, minor in holds:
            refusal = check_hold(self.state, instruction, rule, owner, minor)
            if refusal is not None:
                return refusal
        if not plan.rule.external:
            refusal = self._check_funds(moves)
            if refusal is not None:
                return refusal
        entry = Entry(instruction, self._move(moves), plan.core(instruction) if plan.core else None)
        if self.state.under_way:
            self._statuses.change(instruction)
        for change in self._changes[instruction.txn_type]:
            finding = change(entry, claim_id)
            if finding is not None:
                entry = entry._replace(findings=(*entry.findings, finding))
        for rule, owner, minor in holds:
            change_hold(self.state, instruction, rule, owner, minor)
        return entry

    def tell(self, instruction: Instruction) -> Refusal | None:
        """A leg whose status moves no money: it is remembered, or refused."""
        return self._statuses.tell(instruction)

    def untell(self, original: Instruction) -> None:
        """A leg whose status moved no money was never said."""
        self._statuses.untell(original)

    def reverse(self, reversal: Instruction, original: Instruction) -> Entry | Refusal:
        """Take back what ``original`` posted, or refuse and change nothing: the moves the other way round, in the last one's order
        first, and each register as if it had not been. Nothing that something later rests on is taken from under it.

        ``reversal`` names the entry; what is refused stays posted, for people to put right.
        """
        plan = plan_of(original)
        assert plan is not None, "it was posted"
        if original.txn_type in _BY_HAND:
            figures: dict[str, object] = {
                "request_no": original.request_no,
                "leg": original.leg,
                "txn_type": str(original.txn_type),
            }
            return Refusal(BreakKind.STATUS, "reversal_by_hand", figures, False)
        registers = [register for register in self._registers if original.txn_type in register.types]
        holds = plan.holds_of(original)
        moves = [(book, payee, payer, minor) for book, payer, payee, minor in reversed(plan.moves_of(original))]
        for register in registers:
            refusal = register.check_undo(original)
            if refusal is not None:
                return refusal
        for rule, owner, minor in holds:
            refusal = check_undone(self.state, original, rule, owner, minor)
            if refusal is not None:
                return refusal
        refusal = self._check_funds(moves) or self._check_assets(moves)
        if refusal is not None:
            return replace(refusal, rule="reversal_short", waits=False)
        for register in registers:
            register.undo(original)
        for rule, owner, minor in holds:
            undo_hold(self.state, original, rule, owner, minor)
        return Entry(reversal, self._move(moves), None)

    def balance(self, book: Book, account: str) -> int:
        return self.state.balances.get((book, account), 0)

    def claims_of(self, platform: str, loan_id: str) -> list[Claim]:
        """The live claims on a loan, by claim id."""
        return self._claims.of_loan(platform, loan_id)

    def _check_accounts(self, instruction: Instruction, plan: Plan) -> Refusal | None:
        """Each account is of the kind that the type moves, of the instruction's own platform, and open."""
        for place, _, kinds in plan.sides:
            account = str(instruction[place])
            known = self._kinds.get(account)
            if known is None:
                known = self._kinds[account] = platform_of(account), kind_of(account)
            if known[1] not in kinds or known[0] != instruction.platform:
                if _platform_lends(instruction):
                    return _own_money(instruction)
                figures: dict[str, object] = {
                    "account": account,
                    "txn_type": str(instruction.txn_type),
                    "expected": "customer" if kinds == _CUSTOMERS else "/".join(sorted(kinds)),
                }
                return Refusal(BreakKind.WRONG_ACCOUNT, "account_kind", figures, False)
            if "." in account and account not in self.state.sub_accounts:
                return Refusal(BreakKind.ORPHAN, "unknown_account", {"account": account}, True)
        return None

    def _check_funds(self, moves: Sequence[Planned]) -> Refusal | None:
        """No liability goes below zero, move by move: an earlier move of the entry may bring what a later one takes."""
        came: dict[str, int] = defaultdict(int)
        for book, from_account, to_account, minor in moves:
            held = self.balance(book, from_account) + came[from_account]
            if held < minor and not is_asset(from_account):
                figures: dict[str, object] = {"account": from_account, "available": held, "needed": minor}
                return Refusal(BreakKind.SHORTFALL, "insufficient", figures, True)
            if len(moves) > 1:
                came[from_account] -= minor
                came[to_account] += minor
        return None

    def _check_assets(self, moves: Sequence[Planned]) -> Refusal | None:
        """No asset rises above nothing: what the channel or the core has paid since cannot be unclaimed."""
        for book, _, to_account, minor in moves:
            if is_asset(to_account) and self.balance(book, to_account) + minor > 0:
                figures: dict[str, object] = {
                    "account": to_account,
                    "available": -self.balance(book, to_account),
                    "needed": minor,
                }
                return Refusal(BreakKind.SHORTFALL, "insufficient", figures, False)
        return None

    def _move(self, moves: Sequence[Planned]) -> tuple[Move, ...]:
        balances, made = self.state.balances, []
        for book, from_account, to_account, minor in moves:
            payer, payee = (book, from_account), (book, to_account)
            paid = balances[payer] = balances.get(payer, 0) - minor
            got = balances[payee] = balances.get(payee, 0) + minor
            made.append(Move(book, from_account, to_account, minor, paid, got))
        return tuple(made)


def _check_form(instruction: Instruction, plan: Plan) -> Refusal | None:
    """What the rule needs is there, its originator may ask for it, and its parts fit into it."""
    for place, name in plan.asks:
        if not instruction[place]:
            return _incomplete(instruction, name)
    figures: dict[str, object]
    if instruction.originator not in plan.rule.originators:
        if _platform_lends(instruction):
            return _own_money(instruction)
        figures = {"originator": str(instruction.originator), "txn_type": str(instruction.txn_type)}
        return Refusal(BreakKind.UNAUTHORISED, "originator", figures, False)
    if instruction.fee_minor > instruction.amount_minor:
        figures = {"fee": instruction.fee_minor, "amount": instruction.amount_minor}
        return Refusal(BreakKind.FEE, "fee_exceeds_amount", figures, False)
    if instruction.coupon_minor and instruction.coupon_minor >= instruction.amount_minor:
        # A lender tenders his own money: without any there is neither a tender of his nor a hold in its name.
        figures = {"coupon": instruction.coupon_minor, "amount": instruction.amount_minor}
        return Refusal(BreakKind.AMOUNT, "coupon_exceeds_amount", figures, False)
    return None


def _platform_lends(instruction: Instruction) -> bool:
    """Whether an account of the platform would fund a loan (§4.7). Asked of what is refused anyway."""
    return instruction.txn_type in _LENDING and str(instruction.from_account).partition(":")[2] in _NAMED


def _own_money(instruction: Instruction) -> Refusal:
    figures: dict[str, object] = {"account": instruction.from_account, "loan": instruction.loan_id}
    return Refusal(BreakKind.INV_07, "platform_lends", figures, False)


def _incomplete(instruction: Instruction, name: str) -> Refusal:
    figures: dict[str, object] = {"field": name, "txn_type": str(instruction.txn_type)}
    return Refusal(BreakKind.UNAUTHORISED, "incomplete_instruction", figures, False)


def kind_of(account: str) -> str | None:
    """The role of a customer's sub-account, or the name of a P_* account or SUSPENSE; None for all others."""
    owner, _, name = account.partition(":")
    if "." in owner:
        return role_of(account)
    return name if name in _NAMED else None
