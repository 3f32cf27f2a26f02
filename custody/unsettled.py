"""Unsettled money: recharges (and returned pay-outs) whose cash has not reached the core, in whose hands it lies (domain.md §2).

It lies in lots: what one channel owes for one settlement date. A lot is settled, wherever it has come to, when nothing of the
channel's receivable for that date is open any more; a settlement that is short leaves all lots of its date as they are, since it
says nothing about whose recharge is missing. Settled money is a balance less its lots.

- Inside the bank unsettled money moves first, the lot due last before all others: the receiver's worst case. What is frozen to
  leave the bank (a withdrawal, a legal order) takes settled money first. A frozen part keeps its own lots, by its hold.
- Money leaves as settled money. What a withdrawal lacks P_ADVANCE gives from its own settled money and takes the lots for it: no
  money moves, and the settlement restores P_ADVANCE by itself. A lot that is due on the day itself counts as settled that day.
- What leaves beyond that is posted all the same, with the finding UNSETTLED_USE: the gateway says that the money is gone, so that
  platform, ledger and channel stay comparable. Its lots stay with the account by which it left, and INV_12 sees them there.
- A refund of a recharge takes back that recharge's own lot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from custody.calendar import SettlementCalendar
from custody.instruction import Entry, Instruction, Refusal
from custody.ledger_state import AccountPart, LedgerState, Lot
from custody.names import Book, BreakKind, HoldKind, TxnType, available, platform_account, platform_of
from custody.open_items import ITEMISED, PAYABLE, OpenItems
from custody.posting_plan import Planned
from custody.posting_rules import RULES, VARIANTS, HoldEffect, HoldRule, MoveRule, Part, PostingRule

# Beside the payable: lots of recharges that were refunded. What the channel owes for them it is owed again.
REFUNDED = "REFUNDED"
_LEAVING = frozenset({HoldKind.WITHDRAW, HoldKind.JUDICIAL})

# Where a move takes money from or brings it to, as a function of the instruction; None: outside the accounts that hold money.
_Place = Callable[[Instruction], AccountPart]


@dataclass(frozen=True)
class _Flow:
    """One move of a posting rule. ``leaves``: it takes money out, or freezes it to go out."""

    source: _Place
    target: _Place
    part: Part
    freezes_to_leave: bool
    leaves: bool


def _hold_id(hold: HoldRule, instruction: Instruction) -> str:
    placed = hold.effect == HoldEffect.PLACE
    return (instruction.request_no if placed else str(instruction.related_request_no)) + hold.suffix


def _place(template: str, hold: HoldRule | None) -> _Place | None:
    """What a move's template names, as a part of an account; None where no lot can come from: the core, a receivable."""
    match template.partition(":"):
        case ("{from_spendable}", _, _):
            return lambda i: (str(i.from_account), "")
        case ("{to_spendable}", _, _):
            return lambda i: (str(i.to_account), "")
        case ("{from}", _, "frozen") if hold is not None:
            return lambda i: (str(i.from_account), _hold_id(hold, i))
        case ("{to}", _, "frozen") if hold is not None:
            return lambda i: (str(i.to_account), _hold_id(hold, i))
        case ("{p}", _, "P_MARKETING:frozen") if hold is not None:
            return lambda i: (f"{i.platform}:P_MARKETING", _hold_id(hold, i))
        case ("{p}", _, name) if name in ("P_MARKETING", "SUSPENSE"):
            return lambda i: (f"{i.platform}:{name}", "")
    return None


def _outside(template: str) -> _Place | None:
    """The account by which money leaves the bank."""
    name = template.partition(":")[2]
    if name == "CORE_CASH":
        return lambda i: (f"{i.platform}:{name}", "")
    return (lambda i: (f"{i.platform}:{PAYABLE}/{i.channel}", "")) if name.startswith(PAYABLE) else None


def _flow(move: MoveRule, rule: PostingRule) -> _Flow | None:
    hold = next((hold for hold in rule.holds if hold.part == move.part), None)
    source, target = _place(move.from_account, hold), _place(move.to_account, hold) or _outside(move.to_account)
    if move.book != Book.CUSTODY or source is None or target is None:
        return None
    placed = hold is not None and hold.effect == HoldEffect.PLACE and hold.kind in _LEAVING
    return _Flow(source, target, move.part, placed, _outside(move.to_account) is not None)


_FLOWS: dict[tuple[TxnType, str | None], tuple[_Flow, ...]] = {
    key: tuple(flow for move in rule.moves if (flow := _flow(move, rule)) is not None) for key, rule in RULES.items()
}


def _flows(instruction: Instruction) -> tuple[_Flow, ...]:
    variant = VARIANTS.get(instruction.txn_type)
    return _FLOWS[instruction.txn_type, variant(instruction) if variant else None]


class UnsettledMoney:
    """The lots of a ledger's state, and the open items that they follow."""

    types = frozenset(t for (t, _), flows in _FLOWS.items() if flows) | ITEMISED

    def __init__(self, state: LedgerState, calendar: SettlementCalendar) -> None:
        self._state = state
        self._lots = state.unsettled
        self._items = OpenItems(state, calendar)
        self._places: dict[tuple[str, Lot], set[AccountPart]] = {}
        for place, lots in self._lots.items():
            for lot in lots:
                self._places.setdefault((platform_of(place[0]), lot), set()).add(place)

    def check(self, instruction: Instruction, moves: Sequence[Planned]) -> Refusal | None:
        """Unsettled money stops no posting."""
        return None

    def change(self, entry: Entry, claim_id: str | None) -> Refusal | None:
        """Returns what left the bank unsettled, as a finding."""
        instruction = entry.instruction
        if instruction.channel is not None:
            change = self._items.change(instruction)
            for on in change.settled:
                self._settle(instruction.platform, (instruction.channel, on))
            if change.opened_minor:
                lot = (instruction.channel, self._items.settle_date(instruction.value_date))
                self._add((str(instruction.to_account), ""), lot, change.opened_minor)
                return None
        if not self._lots:
            return None
        used = sum(self._follow(instruction, flow) for flow in _flows(instruction))
        if not used:
            return None
        figures: dict[str, object] = {"unsettled": used, "amount": instruction.amount_minor}
        return Refusal(BreakKind.UNSETTLED_USE, "unsettled_use", figures, False)

    def check_undo(self, original: Instruction) -> Refusal | None:
        """A recharge's own lot must lie where it came to; of a withdrawal nothing may have left unsettled."""
        if original.channel is None:
            return None
        refusal = self._items.check_undo(original)
        if refusal is not None:
            return refusal
        figures: dict[str, object] = {"request_no": original.request_no, "leg": original.leg}
        if original.txn_type == TxnType.RECHARGE:
            lot = (original.channel, self._items.settle_date(original.value_date))
            if self._lots.get((str(original.to_account), ""), {}).get(lot, 0) < original.amount_minor:
                return Refusal(BreakKind.UNSETTLED_USE, "reversal_lot", figures | {"account": original.to_account}, False)
        elif (f"{original.platform}:{PAYABLE}/{original.channel}", "") in self._lots:
            return Refusal(BreakKind.UNSETTLED_USE, "reversal_lot", figures | {"account": original.from_account}, False)
        return None

    def undo(self, original: Instruction) -> None:
        """Inside the bank lots go back as money always moves: the one due last before all others."""
        if original.channel is not None:
            settled = self._items.undo(original)
            if original.txn_type == TxnType.RECHARGE:
                lot = (original.channel, self._items.settle_date(original.value_date))
                self._take((str(original.to_account), ""), lot, original.amount_minor)
            for on in settled:
                self._settle(original.platform, (original.channel, on))
            return
        for flow in reversed(_flows(original)):
            source = flow.target(original)
            if source in self._lots:
                self._carry(source, flow.source(original), _amount(original, flow.part), latest_first=True)

    def _follow(self, instruction: Instruction, flow: _Flow) -> int:
        """Let the lots of a move follow it; returns what left unsettled."""
        source = flow.source(instruction)
        lots = self._lots.get(source)
        if lots is None:
            return 0
        amount = _amount(instruction, flow.part)
        if not (flow.leaves or flow.freezes_to_leave):
            self._carry(source, flow.target(instruction), amount, latest_first=True)
            return 0
        # The balance has moved already, the hold has not.
        settled = self._balance(source) - sum(lots.values()) + (0 if source[1] else amount)
        if instruction.txn_type == TxnType.BACKROLL_RECHARGE:
            amount -= self._refund(instruction, source, amount)
        lacking = max(0, amount - settled)
        if flow.leaves:
            return self._leave(instruction, source, flow.target(instruction), lacking)
        self._carry(source, flow.target(instruction), lacking, latest_first=False)
        return 0

    def _leave(self, instruction: Instruction, source: AccountPart, target: AccountPart, lacking: int) -> int:
        """Lots of the day itself count as settled; of the others P_ADVANCE takes what it can; the rest is used unsettled."""
        if not lacking:
            return 0
        today = instruction.value_date
        due = min(lacking, sum(minor for lot, minor in self._lots[source].items() if lot[1] <= today))
        self._carry(source, target, due, latest_first=False)
        lacking -= due
        advance = (platform_account(instruction.platform, "P_ADVANCE"), "")
        if lacking and source != advance and instruction.txn_type == TxnType.WITHDRAW:
            able = self._balance(advance) - sum(self._lots.get(advance, {}).values())
            lent = min(lacking, max(0, able))
            self._carry(source, advance, lent, latest_first=False)
            lacking -= lent
        self._carry(source, target, lacking, latest_first=False)
        return lacking

    def _refund(self, instruction: Instruction, source: AccountPart, amount: int) -> int:
        """The recharge's own lot goes with its refund, as far as it is still there."""
        channel, request = str(instruction.channel), str(instruction.related_request_no)
        item = self._items.of_request(instruction.platform, channel, request)
        if item is None:
            return 0
        lot = (channel, item.settle_date)
        own = min(amount, item.amount_minor, self._lots[source].get(lot, 0))
        if own:
            self._take(source, lot, own)
            self._add((f"{instruction.platform}:{PAYABLE}/{channel}", REFUNDED), lot, own)
        return own

    def _carry(self, source: AccountPart, target: AccountPart, amount: int, *, latest_first: bool) -> None:
        lots = list(self._lots.get(source, {}).items())
        if len(lots) > 1:
            lots.sort(key=lambda x: (x[0][1], x[0][0]), reverse=latest_first)
        for lot, held in lots:
            moved = min(amount, held)
            if not moved:
                return
            amount -= moved
            self._take(source, lot, moved)
            self._add(target, lot, moved)

    def _settle(self, platform: str, lot: Lot) -> None:
        for place in self._places.pop((platform, lot), ()):
            lots = self._lots[place]
            del lots[lot]
            if not lots:
                del self._lots[place]

    def _add(self, place: AccountPart, lot: Lot, amount: int) -> None:
        lots = self._lots.setdefault(place, {})
        lots[lot] = lots.get(lot, 0) + amount
        self._places.setdefault((platform_of(place[0]), lot), set()).add(place)

    def _take(self, place: AccountPart, lot: Lot, amount: int) -> None:
        lots = self._lots[place]
        if lots[lot] > amount:
            lots[lot] -= amount
            return
        del lots[lot]
        self._places[platform_of(place[0]), lot].discard(place)
        if not lots:
            del self._lots[place]

    def _balance(self, place: AccountPart) -> int:
        account, hold_id = place
        if hold_id:
            return self._state.holds[platform_of(account), hold_id].amount_minor
        return self._state.balances.get((Book.CUSTODY, available(account) if "." in account else account), 0)


def _amount(instruction: Instruction, part: Part) -> int:
    if part == Part.COUPON:
        return instruction.coupon_minor
    return instruction.amount_minor - (instruction.coupon_minor if part == Part.PAID else 0)
