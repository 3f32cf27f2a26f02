"""Receipts without an owner: transfers whose payer nobody knows. Each is identified or returned within five business days."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from custody.names import Originator, TxnType
from simulator import hours
from simulator.movement import SUSPENSE, YUAN, Movement
from simulator.states import RECHARGE, RechargeState
from simulator.today import Today

_RECEIPT_YUAN = (100, 20_000)
_CHANCE = 0.15
_MOST_BUSINESS_DAYS = 4


@dataclass(slots=True)
class _Receipt:
    movement: Movement
    end: RechargeState
    state: RechargeState = RechargeState.UNOWNED


class SuspenseReceipts:
    def __init__(self) -> None:
        self._due: dict[date, list[_Receipt]] = defaultdict(list)

    def receive(self, today: Today) -> None:
        """On the first day one of each end, cleared up on the next business day; later some, at random."""
        ends = [RechargeState.IDENTIFIED, RechargeState.RETURNED]
        if today.index > 0:
            ends = [today.one_of(ends)] if today.rng.random() < _CHANCE else []
        for end in ends:
            amount, when = today.below(*_RECEIPT_YUAN) * YUAN, today.time(hours.RECEIPTS)
            move = today.move(TxnType.RECHARGE, amount, when, payee=SUSPENSE, originator=Originator.BANK)
            days = 1 if today.index == 0 else today.below(1, _MOST_BUSINESS_DAYS + 1)
            self._due[today.accounts.calendar.add_business_days(today.day, days)].append(_Receipt(move, end))

    def clear_up(self, today: Today) -> None:
        for receipt in self._due.pop(today.day, []):
            receipt.state = RECHARGE.step(receipt.movement.request_no, receipt.state, receipt.end)
            is_known = receipt.end is RechargeState.IDENTIFIED
            today.move(
                TxnType.ADJUSTMENT if is_known else TxnType.REVERSAL,
                receipt.movement.amount_minor,
                today.time(hours.RETURNS),
                payer=SUSPENSE,
                payee=today.one_of(today.people.lenders) if is_known else None,
                related_request_no=receipt.movement.request_no,
            )
