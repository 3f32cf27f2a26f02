"""The bank's custody fee: what a day costs by the platform's contract, and what is collected for a month."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from fractions import Fraction

from custody.money import round_minor
from custody.names import TxnStatus, TxnType
from simulator import hours
from simulator.today import Today

PER_MILLE_YEAR = "1.5"
PER_TRANSACTION_MINOR = {"RECHARGE": 20, "WITHDRAW": 100}
VAT_RATE = "0.06"
VALID_FROM, VALID_TO = date(2019, 1, 1), date(2025, 12, 31)


class CustodyFees:
    """By month: the sum of customers' balances at the ends of its days, and what its transactions cost."""

    def __init__(self) -> None:
        self._balance_days: Counter[str] = Counter()
        self._transactions_minor: Counter[str] = Counter()

    def due(self, today: Today) -> tuple[int, int]:
        """(what is collected today, the VAT inside it): on a month's first business day for the month before; else nothing.

        Both round half_even once for the month: the days' fees carry their rests, and so add up to it.
        """
        month = f"{today.day.replace(day=1) - timedelta(days=1):%Y-%m}"
        first = today.accounts.calendar.next_business_day(today.day.replace(day=1) - timedelta(days=1))
        if today.day != first:
            return 0, 0
        exact = self._balance_days[month] * Fraction(PER_MILLE_YEAR) / 1000 / 365
        net = round_minor(exact, "half_even") + self._transactions_minor[month]
        vat = round_minor(net * Fraction(VAT_RATE), "half_even")
        return net + vat, vat

    def collect(self, today: Today) -> None:
        amount, vat = self.due(today)
        if amount:
            when = today.time(hours.CUSTODY_FEES)
            month = today.day.replace(day=1) - timedelta(days=1)
            # The core answers the bank's charge under its number: the platform's period, and the first try.
            number = f"{today.platform}-{month:%Y-%m}-1"
            today.move(TxnType.CUSTODY_FEE, amount, when, request_no=number, direction="OUT", fee_minor=vat)

    def end_of_day(self, today: Today) -> None:
        if not VALID_FROM <= today.day <= VALID_TO:
            return
        month = f"{today.day:%Y-%m}"
        self._balance_days[month] += sum(minor for (role, _), minor in today.accounts.held() if role != "PLATFORM")
        # By identity: hashing an enumeration's member is slow, and there are millions.
        posted = [move.txn_type for move in today.moves if move.status is TxnStatus.SUCCESS]
        for name, price in PER_TRANSACTION_MINOR.items():
            txn_type = TxnType(name)
            self._transactions_minor[month] += price * sum(1 for posted_type in posted if posted_type is txn_type)
