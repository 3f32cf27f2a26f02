"""The bank's custody fee: what a day costs by the terms that hold on it, and what is collected for a month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Terms:
    per_mille_year: str
    per_transaction_minor: Mapping[str, int]


FIRST = Terms(PER_MILLE_YEAR, PER_TRANSACTION_MINOR)
# What platforms may agree anew while a month runs: cheaper in everything.
THEN = Terms("0.9", {"RECHARGE": 12, "WITHDRAW": 60})


class CustodyFees:
    """By month and terms: the sum of customers' balances at the ends of its days, and its transactions. ``changes_on``: from which date on
    other terms hold; None: they never do."""

    def __init__(self, changes_on: date | None = None) -> None:
        self._changes_on = changes_on
        self._balance_days: Counter[tuple[str, bool]] = Counter()
        self._transactions: Counter[tuple[str, bool, str]] = Counter()

    def due(self, today: Today) -> tuple[int, int]:
        """(what is collected today, the VAT inside it): on a month's first business day for the month before; else nothing.

        Both round half_even once for the month: the days' fees carry their rests, and so add up to it.
        """
        return self._due(today, THEN)

    def due_by_first_terms(self, today: Today) -> int:
        """What would be collected had the terms not changed."""
        return self._due(today, FIRST)[0]

    def _due(self, today: Today, then: Terms) -> tuple[int, int]:
        month = f"{today.day.replace(day=1) - timedelta(days=1):%Y-%m}"
        first = today.accounts.calendar.next_business_day(today.day.replace(day=1) - timedelta(days=1))
        if today.day != first:
            return 0, 0
        exact, pieces = Fraction(0), 0
        for changed, terms in ((False, FIRST), (True, then)):
            exact += self._balance_days[month, changed] * Fraction(terms.per_mille_year) / 1000 / 365
            pieces += sum(price * self._transactions[month, changed, name] for name, price in terms.per_transaction_minor.items())
        net = round_minor(exact, "half_even") + pieces
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
        month, changed = f"{today.day:%Y-%m}", self._changes_on is not None and today.day >= self._changes_on
        self._balance_days[month, changed] += sum(minor for (role, _), minor in today.accounts.held() if role != "PLATFORM")
        # By identity: hashing an enumeration's member is slow, and there are millions.
        posted = [move.txn_type for move in today.moves if move.status is TxnStatus.SUCCESS]
        for name in PER_TRANSACTION_MINOR:
            txn_type = TxnType(name)
            self._transactions[month, changed, name] += sum(1 for posted_type in posted if posted_type is txn_type)
