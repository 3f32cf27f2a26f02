"""Money of whoever is held (custody.watch_list): none of it leaves his sub-accounts, wherever they are and whenever it came.

No money is moved into ``frozen``: a platform's BALANCE and a statement would show it, and what came later would be free. So a hold is a
property of the account. What would leave, or be set aside in order to leave, waits and is tried again each day, under a code that says
nothing of why; what a channel has paid already is posted, since books follow the cash, and is a finding. Courts go on taking what
they order, and money that comes in comes in.
"""

from __future__ import annotations

from collections.abc import Sequence

from custody.instruction import Entry, Instruction, Refusal
from custody.ledger_state import LedgerState
from custody.names import BreakKind, Role, TxnType
from custody.posting_plan import Planned
from custody.posting_rules import RULES

# The codes under which it is told of (custody.texts).
NOT_CARRIED_OUT, LEFT_MEANWHILE = "not_carried_out", "left_meanwhile"
_BY_ORDER = frozenset({TxnType.LEGAL_FREEZE, TxnType.LEGAL_DEDUCT})
_PAID_BY_CHANNEL = frozenset(txn_type for (txn_type, _), rule in RULES.items() if rule.settles == "OUT")


class AmlHolds:
    """The accounts of a ledger's state that are held. A hold is no entry: nothing is to be undone."""

    types = frozenset(txn_type for (txn_type, _), rule in RULES.items() if rule.payer & set(Role)) - _BY_ORDER

    def __init__(self, state: LedgerState) -> None:
        self._held = state.held

    def check(self, instruction: Instruction, moves: Sequence[Planned]) -> Refusal | None:
        """What would leave a held account waits, but for what a channel has paid."""
        if instruction.from_account not in self._held or instruction.txn_type in _PAID_BY_CHANNEL:
            return None
        return Refusal(BreakKind.STATUS, NOT_CARRIED_OUT, {"txn_type": str(instruction.txn_type)}, True)

    def change(self, entry: Entry, claim_id: str | None) -> Refusal | None:
        """Returns what was paid though it is held, as a finding."""
        if entry.instruction.from_account not in self._held:
            return None
        return Refusal(BreakKind.STATUS, LEFT_MEANWHILE, {"txn_type": str(entry.instruction.txn_type)}, False)

    def check_undo(self, original: Instruction) -> Refusal | None:
        """Holds stand in no entry's way back."""
        return None

    def undo(self, original: Instruction) -> None:
        """Nothing was changed."""
