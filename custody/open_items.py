"""Receivables and payables itemised: what a channel owes or is owed, by request; the fees that own funds must restore, by batch.

Each account's balance is the sum of its items (domain.md §4.1). A settlement covers items of its channel first in, first out by
the date on which they should be settled. What it brings beyond all items is kept as a negative item, which the next item takes up:
a recharge whose instruction comes after its settlement leaves nothing open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from custody.calendar import SettlementCalendar
from custody.instruction import Instruction, Refusal
from custody.ledger_state import LedgerState, OpenItem
from custody.names import BreakKind, TxnType

RECEIVABLE, PAYABLE, FEES = "CHANNEL_RECEIVABLE", "CHANNEL_PAYABLE", "FEE_RECEIVABLE"
# The types that open items or cover them, where they name a channel.
ITEMISED = frozenset(
    {
        TxnType.RECHARGE,
        TxnType.BACKROLL_RECHARGE,
        TxnType.WITHDRAW,
        TxnType.WITHDRAW_RETURN,
        TxnType.CHANNEL_SETTLEMENT,
        TxnType.CHANNEL_FEE_TOPUP,
    }
)
# The item of what came beyond all items.
SURPLUS = "SURPLUS"


@dataclass(frozen=True)
class Change:
    """``opened_minor``: what the channel owes now for this request and did not before. ``settled``: the dates for which it
    owes nothing any more."""

    opened_minor: int = 0
    settled: tuple[date, ...] = ()


_NOTHING = Change()


class OpenItems:
    """The receivables and payables of a ledger's state."""

    def __init__(self, state: LedgerState, calendar: SettlementCalendar) -> None:
        self._items = state.open_items
        self._calendar = calendar
        self._due: dict[date, date] = {}
        # By account and request the names of its items, those that were covered since among them: a refund must not search a
        # million recharges. An account's are gathered when the first of its requests is asked for.
        self._names: dict[str, dict[str, list[str]]] = {}

    def change(self, instruction: Instruction) -> Change:
        """Open or cover what the instruction opens or covers at its channel."""
        if instruction.channel is None:
            return _NOTHING
        platform, channel, amount = instruction.platform, instruction.channel, instruction.amount_minor
        receivable, payable, fees = f"{platform}:{RECEIVABLE}/{channel}", f"{platform}:{PAYABLE}/{channel}", f"{platform}:{FEES}"
        inward = instruction.direction == "IN"
        match instruction.txn_type:
            case TxnType.RECHARGE:
                return Change(self._open(receivable, request_item(instruction), instruction, amount))
            case TxnType.WITHDRAW_RETURN if inward:
                return Change(self._open(receivable, request_item(instruction), instruction, amount))
            case TxnType.CHANNEL_SETTLEMENT if inward:
                self._open(fees, str(instruction.settlement_batch), instruction, instruction.fee_minor)
                covered = self._cover(receivable, amount, instruction)
                return Change(settled=tuple(sorted(covered - self._open_dates(receivable))))
            case TxnType.WITHDRAW | TxnType.BACKROLL_RECHARGE:
                self._open(payable, request_item(instruction), instruction, amount)
            case TxnType.WITHDRAW_RETURN:
                self._cover(payable, amount, instruction, str(instruction.related_request_no))
            case TxnType.CHANNEL_SETTLEMENT:
                self._cover(payable, amount, instruction)
            case TxnType.CHANNEL_FEE_TOPUP:
                self._cover(fees, amount, instruction, str(instruction.settlement_batch))
        return _NOTHING

    def check_undo(self, original: Instruction) -> Refusal | None:
        """What a leg opened at its channel must be open still; what covers items is not taken back, since which it covered is
        known no more."""
        account = _opened_by(original)
        figures: dict[str, object] = {"request_no": original.request_no, "leg": original.leg}
        if account is None:
            return Refusal(BreakKind.STATUS, "reversal_by_hand", figures | {"txn_type": str(original.txn_type)}, False)
        item = self._items.get(account, {}).get(request_item(original))
        if item is None or item.amount_minor < original.amount_minor:
            return Refusal(BreakKind.STATUS, "reversal_settled", figures | {"channel": original.channel}, False)
        return None

    def undo(self, original: Instruction) -> tuple[date, ...]:
        """What was checked, done; returns the settlement date for which the channel owes nothing any more by it, if there is one."""
        account, name = _opened_by(original), request_item(original)
        assert account is not None
        items = self._items[account]
        item = items[name]
        if item.amount_minor > original.amount_minor:
            items[name] = item._replace(amount_minor=item.amount_minor - original.amount_minor)
        else:
            del items[name]
        if not items:
            del self._items[account]
        owed = account.partition(":")[2].startswith(RECEIVABLE)
        return () if not owed or item.settle_date in self._open_dates(account) else (item.settle_date,)

    def of_request(self, platform: str, channel: str, request_no: str) -> OpenItem | None:
        """What the channel still owes for a recharge; None when it has settled it."""
        account = f"{platform}:{RECEIVABLE}/{channel}"
        names = self._of_request(account, request_no)
        return self._items[account][names[0]] if names else None

    def settle_date(self, value_date: date) -> date:
        """T+1 by the settlement calendar."""
        due = self._due.get(value_date)
        if due is None:
            due = self._due[value_date] = self._calendar.next_business_day(value_date)
        return due

    def _open(self, account: str, name: str, instruction: Instruction, amount_minor: int) -> int:
        """An item of the request, less what came for it already; returns what is open of it. A fee is due on its own day (§3)."""
        items = self._items.setdefault(account, {})
        surplus = items.pop(SURPLUS, None)
        if surplus is not None:
            left = surplus.amount_minor + amount_minor
            if left < 0:
                items[SURPLUS] = surplus._replace(amount_minor=left)
            amount_minor = max(0, left)
        if not amount_minor:
            if not items:
                del self._items[account]
            return 0
        on = instruction.value_date
        there = items.get(name)
        if there is not None:
            items[name] = there._replace(amount_minor=there.amount_minor + amount_minor)
        else:
            items[name] = OpenItem(on, on if account.endswith(FEES) else self.settle_date(on), amount_minor)
            if account in self._names:
                self._names[account].setdefault(_request(name), []).append(name)
        return amount_minor

    def _of_request(self, account: str, request_no: str) -> list[str]:
        """The names of a request's open items, in the order in which they were opened."""
        items = self._items.get(account, {})
        if account not in self._names:
            names = self._names[account] = {}
            for name in items:
                names.setdefault(_request(name), []).append(name)
        # An item that was covered and opened again has its name here twice.
        return [name for name in dict.fromkeys(self._names[account].get(request_no, ())) if name in items]

    def _cover(self, account: str, amount_minor: int, instruction: Instruction, first: str | None = None) -> set[date]:
        """Take an amount from the items: those of request ``first`` before all others, then by settlement date. Returns the
        settlement dates of what it covered."""
        items = self._items.setdefault(account, {})
        touched: set[date] = set()
        for name in self._in_turn(account, items, first):
            if not amount_minor:
                break
            item = items[name]
            if item.amount_minor < 0:
                continue
            taken = min(item.amount_minor, amount_minor)
            amount_minor -= taken
            touched.add(item.settle_date)
            if taken == item.amount_minor:
                del items[name]
            else:
                items[name] = item._replace(amount_minor=item.amount_minor - taken)
        if amount_minor:
            before = items.get(SURPLUS, OpenItem(instruction.value_date, instruction.value_date, 0))
            items[SURPLUS] = before._replace(amount_minor=before.amount_minor - amount_minor)
        if not items:
            del self._items[account]
        return touched

    def _open_dates(self, account: str) -> set[date]:
        return {item.settle_date for item in self._items.get(account, {}).values() if item.amount_minor > 0}

    def _in_turn(self, account: str, items: dict[str, OpenItem], first: str | None) -> Iterator[str]:
        """The names as they are covered; all are sorted only where the request's own are not enough."""
        own = self._of_request(account, first) if first is not None else []
        yield from sorted(own, key=lambda n: (items[n].settle_date, items[n].opened_on, n))
        yield from sorted(set(items) - set(own), key=lambda n: (items[n].settle_date, items[n].opened_on, n))


def _opened_by(instruction: Instruction) -> str | None:
    """The receivable or payable on which the leg opens an item and does nothing else; None when it does not."""
    match instruction.txn_type:
        case TxnType.RECHARGE:
            return f"{instruction.platform}:{RECEIVABLE}/{instruction.channel}"
        case TxnType.WITHDRAW:
            return f"{instruction.platform}:{PAYABLE}/{instruction.channel}"
    return None


def request_item(instruction: Instruction) -> str:
    """The name of the item that a leg opens."""
    return f"{instruction.request_no}|{instruction.leg}"


def _request(item: str) -> str:
    return item.partition("|")[0]
