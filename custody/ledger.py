"""The custody sub-ledger: applies instructions to state in double entry, or says why not (domain.md §2, §3).

Pure and sequential: same state and instructions in, same entries out. A refusal is a value.
"""

from __future__ import annotations

from collections import defaultdict

from custody.claims import ClaimRegister
from custody.holds import change_hold, check_hold
from custody.instruction import Entry, Instruction, Move, Refusal
from custody.ledger_state import Claim, LedgerState
from custody.names import PLATFORM_ACCOUNTS, Book, BreakKind, Role, available, role_of
from custody.posting_rules import SUSPENSE, HoldRule, Part, PostingRule, is_asset, rule_of

_CUSTOMERS: frozenset[str] = frozenset(Role)


class Ledger:
    def __init__(self, state: LedgerState) -> None:
        self.state = state
        self._register = ClaimRegister(state)

    def apply(self, instruction: Instruction, claim_id: str | None = None) -> Entry | Refusal:
        """Post one leg and change the state, or refuse it and change nothing.

        ``claim_id``: the claim whose share a repayment's leg is, where the split has been computed (custody.allocation);
        without it, and beyond it, the creditor's claims fall in order of claim id.
        """
        rule = rule_of(instruction)
        if rule is None:
            return _incomplete(instruction, "direction")
        parts = _parts(instruction)
        names = _names(instruction)
        moves = tuple(
            (m.book, m.from_account.format_map(names), m.to_account.format_map(names), parts[m.part])
            for m in rule.moves
            if parts[m.part]
        )
        holds = [(hold, hold.owner.format_map(names), parts[hold.part]) for hold in rule.holds if parts[hold.part]]
        refusal = (
            _check_form(instruction, rule, parts)
            or self._check_accounts(instruction, rule)
            or self._register.check(instruction)
            or self._check_holds(instruction, holds)
            or self._check_funds(rule, moves)
        )
        if refusal is not None:
            return refusal
        moved = tuple(self._move(*move) for move in moves)
        for hold in holds:
            change_hold(self.state, instruction, *hold)
        self._register.change(instruction, claim_id)
        return Entry(instruction, moved, str(getattr(instruction, rule.core)) if rule.core else None)

    def balance(self, book: Book, account: str) -> int:
        return self.state.balances.get((book, account), 0)

    def claims_of(self, platform: str, loan_id: str) -> list[Claim]:
        """The live claims on a loan, by claim id."""
        return self._register.of_loan(platform, loan_id)

    def _check_accounts(self, instruction: Instruction, rule: PostingRule) -> Refusal | None:
        """Each account is of the kind that the type moves, of the instruction's own platform, and open."""
        for name, kinds in rule.sides:
            account = str(getattr(instruction, name))
            if _kind_of(account, instruction.platform) not in kinds:
                figures: dict[str, object] = {
                    "account": account,
                    "txn_type": str(instruction.txn_type),
                    "expected": "customer" if kinds == _CUSTOMERS else "/".join(sorted(kinds)),
                }
                return Refusal(BreakKind.WRONG_ACCOUNT, "account_kind", figures, False)
            if "." in account and account not in self.state.sub_accounts:
                return Refusal(BreakKind.ORPHAN, "unknown_account", {"account": account}, True)
        return None

    def _check_holds(self, instruction: Instruction, holds: list[tuple[HoldRule, str, int]]) -> Refusal | None:
        refusals = (check_hold(self.state, instruction, *hold) for hold in holds)
        return next((refusal for refusal in refusals if refusal is not None), None)

    def _check_funds(self, rule: PostingRule, moves: tuple[tuple[Book, str, str, int], ...]) -> Refusal | None:
        """No liability goes below zero, move by move: an earlier move of the entry may bring what a later one takes."""
        if rule.external:
            return None
        came: dict[str, int] = defaultdict(int)
        for book, from_account, to_account, amount_minor in moves:
            held = self.balance(book, from_account) + came[from_account]
            if not is_asset(from_account) and held < amount_minor:
                figures: dict[str, object] = {"account": from_account, "available": held, "needed": amount_minor}
                return Refusal(BreakKind.SHORTFALL, "insufficient", figures, True)
            came[from_account] -= amount_minor
            came[to_account] += amount_minor
        return None

    def _move(self, book: Book, from_account: str, to_account: str, amount_minor: int) -> Move:
        paid = self.state.balances[book, from_account] = self.balance(book, from_account) - amount_minor
        got = self.state.balances[book, to_account] = self.balance(book, to_account) + amount_minor
        return Move(book, from_account, to_account, amount_minor, paid, got)


def _check_form(instruction: Instruction, rule: PostingRule, parts: dict[Part, int]) -> Refusal | None:
    """What the rule needs is there, its originator may ask for it, and its parts fit into it."""
    for name in rule.asks:
        if not getattr(instruction, name):
            return _incomplete(instruction, name)
    if instruction.originator not in rule.originators:
        figures: dict[str, object] = {"originator": str(instruction.originator), "txn_type": str(instruction.txn_type)}
        return Refusal(BreakKind.UNAUTHORISED, "originator", figures, False)
    if parts[Part.NET] < 0:
        figures = {"fee": instruction.fee_minor, "amount": instruction.amount_minor}
        return Refusal(BreakKind.FEE, "fee_exceeds_amount", figures, False)
    if parts[Part.COUPON] and parts[Part.PAID] <= 0:
        # A lender tenders his own money: without any there is neither a tender of his nor a hold in its name.
        figures = {"coupon": instruction.coupon_minor, "amount": instruction.amount_minor}
        return Refusal(BreakKind.AMOUNT, "coupon_exceeds_amount", figures, False)
    return None


def _incomplete(instruction: Instruction, name: str) -> Refusal:
    figures: dict[str, object] = {"field": name, "txn_type": str(instruction.txn_type)}
    return Refusal(BreakKind.UNAUTHORISED, "incomplete_instruction", figures, False)


def _kind_of(account: str, platform: str) -> str | None:
    """The role of a customer's sub-account, or the name of a P_* account or SUSPENSE; None for all others, another platform's
    among them."""
    if account.startswith(f"{platform}."):
        return role_of(account)
    owner, _, name = account.partition(":")
    return name if owner == platform and name in (*PLATFORM_ACCOUNTS, SUSPENSE) else None


def _names(instruction: Instruction) -> dict[str, str]:
    names = {"p": instruction.platform, "channel": str(instruction.channel)}
    for name, account in (("from", str(instruction.from_account)), ("to", str(instruction.to_account))):
        names |= {name: account, f"{name}_spendable": available(account) if "." in account else account}
    return names


def _parts(instruction: Instruction) -> dict[Part, int]:
    return {
        Part.AMOUNT: instruction.amount_minor,
        Part.FEE: instruction.fee_minor,
        Part.NET: instruction.amount_minor - instruction.fee_minor,
        Part.COUPON: instruction.coupon_minor,
        Part.PAID: instruction.amount_minor - instruction.coupon_minor,
    }
