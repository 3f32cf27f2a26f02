"""What courts and the police order: money frozen, and later released or deducted. Only money whose cash is there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from custody.names import TxnType
from simulator import hours
from simulator.movement import CURRENCY, YUAN, Holder, Row
from simulator.states import LEGAL_ORDER, OrderState
from simulator.today import Today

_CHANCE = 0.05
_LEAST_MINOR = 10 * YUAN
_AUTHORITIES = ("某市中级人民法院", "某区人民法院", "某市公安局")
_DAYS = (3, 15)
# What becomes of an order; the first days' orders take each of the first two.
_FATES = (
    (OrderState.RELEASED,),
    (OrderState.DEDUCTED,),
    (OrderState.PART_DEDUCTED, OrderState.RELEASED),
)


@dataclass(slots=True)
class _Order:
    order_no: str
    holder: Holder
    freeze: str
    left_minor: int
    authority: str
    fate: tuple[OrderState, ...]
    state: OrderState = OrderState.FROZEN


class LegalOrders:
    def __init__(self) -> None:
        self._due: dict[int, list[_Order]] = defaultdict(list)
        self._served = 0

    def run(self, today: Today) -> None:
        """Carry out what is due, then take in new orders."""
        for order in self._due.pop(today.index, []):
            self._end(today, order)
        holders = today.people.savers[:2] if today.index == 0 else []
        if today.index > 0 and today.rng.random() < _CHANCE:
            holders = [today.one_of(today.people.lenders)]
        for holder in holders:
            if today.accounts.clear(holder, today.day) >= _LEAST_MINOR:
                self._freeze(today, holder)

    def _freeze(self, today: Today, holder: Holder) -> None:
        available = today.accounts.available(holder)
        amount, when = available * today.below(30, 101) // 100, today.time(hours.ORDERS_BEGIN)
        order_no = f"J{today.next_request_no()}"
        move = today.move(TxnType.LEGAL_FREEZE, amount, when, payer=holder, authorisation_id=order_no)
        fate = _FATES[self._served] if self._served < len(_FATES) else today.one_of(_FATES)
        self._served += 1
        order = _Order(order_no, holder, move.request_no, amount, today.one_of(_AUTHORITIES), fate)
        today.legal_orders.append(self._row(today, order, "FREEZE", amount))
        days = 1 if today.index == 0 else today.below(*_DAYS)
        self._due[today.index + days].append(order)

    def _end(self, today: Today, order: _Order) -> None:
        # What is left is released after the deduction.
        times = sorted(today.time(hours.ORDERS_END) for _ in order.fate)
        for then, when in zip(order.fate, times, strict=True):
            order.state = LEGAL_ORDER.step(order.order_no, order.state, then)
            is_release = then is OrderState.RELEASED
            amount = order.left_minor // 2 if then is OrderState.PART_DEDUCTED else order.left_minor
            whose = {"payee": order.holder} if is_release else {"payer": order.holder}
            today.move(
                TxnType.LEGAL_RELEASE if is_release else TxnType.LEGAL_DEDUCT,
                amount,
                when,
                related_request_no=order.freeze,
                authorisation_id=order.order_no,
                **whose,
            )
            order.left_minor -= amount
            today.legal_orders.append(self._row(today, order, "RELEASE" if is_release else "DEDUCT", amount))

    @staticmethod
    def _row(today: Today, order: _Order, action: str, amount_minor: int) -> Row:
        return {
            "platform": today.platform,
            "order_no": order.order_no,
            "action": action,
            "role": order.holder[0],
            "user_no": order.holder[1],
            "amount_minor": amount_minor,
            "currency": CURRENCY,
            "authority": order.authority,
            "document_no": f"({today.day.year})执{order.order_no[-7:]}号",
            "event_time": today.moves[-1].event_time,
        }
