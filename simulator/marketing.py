"""Bonuses that the platform gives, those that it takes back, and what two people at the bank put right."""

from __future__ import annotations

from custody.names import TxnType
from simulator import hours
from simulator.movement import P_MARKETING, YUAN, Movement
from simulator.today import Today

_BONUS_MINOR = (500, 5_001)
_GOODWILL_YUAN = (5, 60)
_CHANCE = 0.1


class Marketing:
    def __init__(self) -> None:
        self._wrong: list[Movement] = []

    def give_bonuses(self, today: Today) -> None:
        """To a few lenders each day. On the first day, and now and then, one of them is a mistake."""
        for holder in today.a_few(today.people.lenders):
            self._give(today, holder)
        if today.index == 0 or today.rng.random() < _CHANCE:
            holder = today.one_of(today.people.savers or today.people.lenders)
            self._wrong.append(self._give(today, holder))

    def put_right(self, today: Today) -> None:
        """A wrong bonus goes back once its owner's money is clear; goodwill goes to a customer, from the platform or another."""
        still = []
        for bonus in self._wrong:
            assert bonus.payee is not None
            if today.accounts.clear(bonus.payee, today.day) < bonus.amount_minor:
                still.append(bonus)
                continue
            today.move(
                TxnType.REVERSAL,
                bonus.amount_minor,
                today.time(hours.CORRECTIONS),
                payer=bonus.payee,
                payee=P_MARKETING,
                related_request_no=bonus.request_no,
            )
        self._wrong = still
        if today.index == 1 or today.rng.random() < _CHANCE:
            amount, when = today.below(*_GOODWILL_YUAN) * YUAN, today.time(hours.CORRECTIONS)
            holders = today.some(today.people.lenders, 2)
            payers = [P_MARKETING, *holders[1:]] if today.index == 1 else [today.one_of([P_MARKETING, *holders[1:]])]
            for payer in payers:
                if today.accounts.available(payer) >= amount:
                    today.move(TxnType.ADJUSTMENT, amount, when, payer=payer, payee=holders[0])

    @staticmethod
    def _give(today: Today, holder: tuple[str, str]) -> Movement:
        amount, when = today.rng.randrange(*_BONUS_MINOR, 100), today.time(hours.BONUSES)
        return today.move(TxnType.MARKETING, amount, when, payer=P_MARKETING, payee=holder)
