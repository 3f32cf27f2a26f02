"""Orders of courts and the police (LEGAL_ORDER, domain.md §5): what is frozen, released or deducted must have been ordered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from custody.instruction import Entry, Instruction, Refusal
from custody.ledger_state import LedgerState, LegalOrder
from custody.names import BreakKind, TxnType, sub_account_id
from custody.posting_plan import Planned

_ACTIONS = {TxnType.LEGAL_FREEZE: "FREEZE", TxnType.LEGAL_RELEASE: "RELEASE", TxnType.LEGAL_DEDUCT: "DEDUCT"}


class LegalOrders:
    """The orders of a ledger's state: an instruction names one by its authorisation."""

    types = frozenset(_ACTIONS)

    def __init__(self, state: LedgerState) -> None:
        self._orders = state.legal_orders

    def check(self, instruction: Instruction, moves: Sequence[Planned]) -> Refusal | None:
        """Why no order covers it: none of that number and action (it may still come), another account, or more money."""
        order = self._orders.get(_key(instruction))
        figures: dict[str, object] = {"order": instruction.authorisation_id, "action": _ACTIONS[instruction.txn_type]}
        if order is None:
            return Refusal(BreakKind.UNAUTHORISED, "no_legal_order", figures, True)
        if order.account not in (instruction.from_account, instruction.to_account):
            return Refusal(BreakKind.UNAUTHORISED, "legal_order_account", figures | {"account": order.account}, False)
        if order.used_minor + instruction.amount_minor > order.amount_minor:
            figures |= {"ordered": order.amount_minor, "done": order.used_minor, "needed": instruction.amount_minor}
            return Refusal(BreakKind.UNAUTHORISED, "legal_order_amount", figures, False)
        return None

    def change(self, entry: Entry, claim_id: str | None) -> None:
        """What was checked is carried out."""
        key = _key(entry.instruction)
        order = self._orders[key]
        self._orders[key] = order._replace(used_minor=order.used_minor + entry.instruction.amount_minor)

    def check_undo(self, original: Instruction) -> Refusal | None:
        """What was carried out can always be taken back from the order."""
        return None

    def undo(self, original: Instruction) -> None:
        """The order is as far from being carried out as before."""
        key = _key(original)
        order = self._orders[key]
        self._orders[key] = order._replace(used_minor=order.used_minor - original.amount_minor)


def enter_orders(state: LedgerState, landed: Iterable[Mapping[str, Any]]) -> None:
    """A day's orders (rows of land_legal_order) enter the register; an order keeps the terms of its first row."""
    for row in sorted(landed, key=lambda r: (r["event_time"], r["file_name"], r["line_no"])):
        account = sub_account_id(row["platform"], row["role"], row["user_no"])
        order = LegalOrder(row["platform"], row["order_no"], row["action"], account, row["amount_minor"], 0)
        state.legal_orders.setdefault((order.platform, order.order_no, order.action), order)


def _key(instruction: Instruction) -> tuple[str, str, str]:
    return instruction.platform, instruction.authorisation_id, _ACTIONS[instruction.txn_type]
