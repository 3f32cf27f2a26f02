"""The interest that the core pays on the custody account each quarter, and whose it is: by daily balances."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from fractions import Fraction

from custody.money import round_minor, split_largest_remainder
from custody.names import TxnType
from simulator import hours
from simulator.movement import SUSPENSE, Holder
from simulator.today import Today

RATE = Fraction("0.0035")
_PAID_ON = ((3, 21), (6, 21), (9, 21), (12, 21))


def is_paid_on(day: date) -> bool:
    return (day.month, day.day) in _PAID_ON


class BankInterest:
    """``weights``: the sum of each account's balances at the ends of days since the last credit."""

    def __init__(self) -> None:
        self._weights: Counter[Holder] = Counter()
        self._core_minor = 0

    def credit(self, today: Today) -> None:
        """The core's credit, rounded half_even to the fen, then each owner's share, in one request."""
        if not is_paid_on(today.day):
            return
        owners = [(holder, weight) for holder, weight in sorted(self._weights.items()) if holder in today.accounts.holders]
        total = round_minor(self._core_minor * RATE / 360, "half_even")
        self._weights, self._core_minor = Counter(), 0
        if total == 0 or not sum(weight for _, weight in owners):
            return
        when = today.time(hours.INTEREST)
        credit = today.move(TxnType.BANK_INTEREST, total, when, direction="IN").request_no
        request_no, when = today.next_request_no(), today.time(hours.INTEREST_SHARES)
        shares = split_largest_remainder(total, [weight for _, weight in owners], ["|".join(holder) for holder, _ in owners])
        paid = [(holder, share) for (holder, _), share in zip(owners, shares, strict=True) if share]
        for leg, (holder, share) in enumerate(paid, start=1):
            today.move(
                TxnType.BANK_INTEREST,
                share,
                when,
                request_no=request_no,
                leg=leg,
                payer=SUSPENSE,
                payee=holder,
                direction="OUT",
                related_request_no=credit,
            )

    def end_of_day(self, today: Today) -> None:
        """Note today's balances, if interest is still paid on them in this world."""
        if not any(is_paid_on(today.day + timedelta(days=k)) for k in range(1, today.days - today.index)):
            return
        self._core_minor += today.accounts.custody_minor
        for holder, minor in today.accounts.held():
            if minor:
                self._weights[holder] += minor
