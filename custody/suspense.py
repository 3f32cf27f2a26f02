"""SUSPENSE itemised: each receipt without an owner, what is left of it, and the day by which it is cleared (domain.md §2)."""

from __future__ import annotations

from collections.abc import Sequence

from custody.calendar import SettlementCalendar
from custody.instruction import Entry, Instruction, Refusal
from custody.ledger_state import LedgerState, Receipt
from custody.names import BreakKind, TxnType
from custody.posting_plan import Planned
from custody.posting_rules import SUSPENSE

# Business days within which a receipt is identified or returned to its payer (domain.md §2).
CLEARED_WITHIN = 5


class SuspenseRegister:
    """The receipts of a ledger's state: money leaves SUSPENSE only against the receipt that brought it."""

    types = frozenset({TxnType.RECHARGE, TxnType.BANK_INTEREST, TxnType.ADJUSTMENT, TxnType.REVERSAL})

    def __init__(self, state: LedgerState, calendar: SettlementCalendar) -> None:
        self._state = state
        self._calendar = calendar

    def check(self, instruction: Instruction, moves: Sequence[Planned]) -> Refusal | None:
        """What leaves SUSPENSE names a receipt that is open, and takes no more than is left of it."""
        if not _leaves(instruction):
            return None
        receipt = self._state.receipts.get((instruction.platform, str(instruction.related_request_no)))
        figures: dict[str, object] = {"receipt": instruction.related_request_no}
        if receipt is None:
            return Refusal(BreakKind.ORPHAN, "unknown_receipt", figures, True)
        if instruction.amount_minor > receipt.left_minor:
            figures |= {"left": receipt.left_minor, "needed": instruction.amount_minor}
            return Refusal(BreakKind.AMOUNT, "receipt_amount", figures, False)
        return None

    def change(self, entry: Entry, claim_id: str | None) -> None:
        """What was checked, done: a receipt of which nothing is left is gone."""
        instruction = entry.instruction
        if _leaves(instruction):
            key = (instruction.platform, str(instruction.related_request_no))
            receipt = self._state.receipts[key]
            left = receipt.left_minor - instruction.amount_minor
            if left:
                self._state.receipts[key] = receipt._replace(left_minor=left)
            else:
                del self._state.receipts[key]
        elif _enters(instruction):
            self._receive(instruction)

    def check_undo(self, original: Instruction) -> Refusal | None:
        """A receipt must be there still: whole, where it is to go; what left it must have left something."""
        key = (original.platform, str(original.related_request_no) if _leaves(original) else original.request_no)
        receipt = self._state.receipts.get(key)
        figures: dict[str, object] = {"receipt": key[1]}
        if _leaves(original) and receipt is None:
            return Refusal(BreakKind.ORPHAN, "reversal_receipt", figures, False)
        if _enters(original) and (receipt is None or receipt.left_minor < original.amount_minor):
            return Refusal(BreakKind.ORPHAN, "reversal_receipt", figures, False)
        return None

    def undo(self, original: Instruction) -> None:
        """What was checked, done."""
        amount = original.amount_minor
        if _leaves(original):
            key = (original.platform, str(original.related_request_no))
            receipt = self._state.receipts[key]
            self._state.receipts[key] = receipt._replace(left_minor=receipt.left_minor + amount)
        elif _enters(original):
            key = (original.platform, original.request_no)
            receipt = self._state.receipts[key]
            if receipt.amount_minor == amount:
                del self._state.receipts[key]
            else:
                left = receipt.left_minor - amount
                self._state.receipts[key] = receipt._replace(amount_minor=receipt.amount_minor - amount, left_minor=left)

    def _receive(self, instruction: Instruction) -> None:
        key, amount = (instruction.platform, instruction.request_no), instruction.amount_minor
        there = self._state.receipts.get(key)
        if there is None:
            due = self._calendar.add_business_days(instruction.value_date, CLEARED_WITHIN)
            self._state.receipts[key] = Receipt(*key, instruction.value_date, amount, amount, due)
        else:
            # Another leg of the same request.
            self._state.receipts[key] = there._replace(
                amount_minor=there.amount_minor + amount, left_minor=there.left_minor + amount
            )


def _leaves(instruction: Instruction) -> bool:
    return _is_suspense(instruction.from_account)


def _enters(instruction: Instruction) -> bool:
    if instruction.txn_type == TxnType.BANK_INTEREST:
        return instruction.direction == "IN"
    return _is_suspense(instruction.to_account)


def _is_suspense(account: str | None) -> bool:
    return account is not None and account.endswith(f":{SUSPENSE}")
