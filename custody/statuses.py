"""The statuses of what goes out and comes back through a channel (domain.md §3, Withdrawal status).

ACCEPTED, REMITTING and UNKNOWN move no money. What is UNKNOWN stays frozen and is not sent again until the channel has proved how
it ended: neither a second request nor a cancellation touches its hold before that.
"""

from __future__ import annotations

from collections.abc import Mapping

from custody.instruction import Instruction, Refusal
from custody.ledger_state import LedgerState, UnderWay
from custody.names import UNDER_WAY, BreakKind, TxnStatus, TxnType

_S = TxnStatus
# What may follow a status; the same one again says nothing new.
NEXT: Mapping[TxnStatus, frozenset[TxnStatus]] = {
    _S.ACCEPTED: frozenset({_S.REMITTING, _S.UNKNOWN, _S.SUCCESS, _S.FAIL}),
    _S.REMITTING: frozenset({_S.UNKNOWN, _S.SUCCESS, _S.FAIL}),
    _S.UNKNOWN: frozenset({_S.SUCCESS, _S.FAIL}),
    _S.SUCCESS: frozenset(),
    _S.FAIL: frozenset(),
}

_Key = tuple[str, str, int]


class StatusRegister:
    """What is under way in a ledger's state."""

    def __init__(self, state: LedgerState) -> None:
        self._state = state
        self._rows = state.under_way
        self._by_hold: dict[tuple[str, str], set[_Key]] = {}
        for key, row in self._rows.items():
            self._by_hold.setdefault((row.platform, str(row.related_request_no)), set()).add(key)

    def tell(self, instruction: Instruction) -> Refusal | None:
        """A leg whose status moves no money: remembered, or why it cannot be true."""
        refusal = self._check_order(instruction) or self._check_hold(instruction)
        if refusal is not None:
            return refusal
        key = _key(instruction)
        before = self._rows.get(key)
        self._rows[key] = UnderWay(
            platform=instruction.platform,
            request_no=instruction.request_no,
            leg=instruction.leg,
            txn_type=str(instruction.txn_type),
            account=instruction.from_account or instruction.to_account,
            channel=instruction.channel,
            amount_minor=instruction.amount_minor,
            currency=instruction.currency,
            status=str(instruction.status),
            since=before.since if before is not None else instruction.value_date,
            related_request_no=instruction.related_request_no,
        )
        self._by_hold.setdefault(_hold(instruction), set()).add(key)
        return None

    def check(self, instruction: Instruction) -> Refusal | None:
        """A success follows what was said before; what is under way keeps its hold."""
        return self._check_order(instruction) or self._check_hold(instruction)

    def change(self, instruction: Instruction) -> None:
        """What was posted is under way no more."""
        if self._rows.pop(_key(instruction), None) is not None:
            self._by_hold[_hold(instruction)].discard(_key(instruction))

    def untell(self, original: Instruction) -> None:
        """What a leg said is said no more, unless something followed it since."""
        row = self._rows.get(_key(original))
        if row is not None and row.status == original.status:
            del self._rows[_key(original)]
            self._by_hold[_hold(original)].discard(_key(original))

    def _check_order(self, instruction: Instruction) -> Refusal | None:
        before = self._rows.get(_key(instruction))
        if before is None or before.status == instruction.status or instruction.status in NEXT[TxnStatus(before.status)]:
            return None
        figures: dict[str, object] = {"before": before.status, "status": str(instruction.status)}
        return Refusal(BreakKind.STATUS, "status_order", figures, False)

    def _check_hold(self, instruction: Instruction) -> Refusal | None:
        if instruction.txn_type not in (TxnType.WITHDRAW, TxnType.WITHDRAW_CANCEL):
            return None
        for key in sorted(self._by_hold.get(_hold(instruction), ())):
            row = self._rows[key]
            if key != _key(instruction) and row.status in UNDER_WAY:
                figures: dict[str, object] = {"hold": row.related_request_no, "request": row.request_no, "status": row.status}
                return Refusal(BreakKind.STATUS, "still_under_way", figures, True)
        return None


def still_under_way(state: LedgerState) -> list[UnderWay]:
    """What the next day must know: what has not ended, and what failed while its money is still frozen."""
    return [
        row
        for row in state.under_way.values()
        if row.status in UNDER_WAY or (row.platform, str(row.related_request_no)) in state.holds
    ]


def _key(instruction: Instruction) -> _Key:
    return instruction.platform, instruction.request_no, instruction.leg


def _hold(instruction: Instruction) -> tuple[str, str]:
    return instruction.platform, str(instruction.related_request_no)
