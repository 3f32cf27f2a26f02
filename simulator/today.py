"""One platform's custody date while it is being lived: what has happened so far, and how more of it happens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any, TypeVar

from custody.calendar import at
from custody.names import TxnStatus, TxnType
from simulator.accounts import Accounts
from simulator.booking import book
from simulator.customers import Customers
from simulator.hours import Hours
from simulator.movement import Holder, Movement, Row

T = TypeVar("T")


class Today:
    """``index`` counts the platform's ``days`` from 0."""

    def __init__(
        self, *, seed: int, accounts: Accounts, people: Customers, channels: Sequence[str], day: date, index: int, days: int
    ) -> None:
        self.platform, self.accounts, self.people, self.channels = accounts.platform, accounts, people, channels
        self.day, self.index, self.days = day, index, days
        self.rng = Random(f"{seed}|day|{self.platform}|{day.isoformat()}")
        self.moves: list[Movement] = []
        self.customers: list[Row] = []
        self.mandates: list[Row] = []
        self.legal_orders: list[Row] = []
        self.settlements: dict[str, list[Row]] = {channel: [] for channel in channels}
        self._midnight = at(day, time())
        self._prefix, self._count = f"{self.platform}{day:%Y%m%d}", 0

    @property
    def is_business_day(self) -> bool:
        return self.accounts.calendar.is_business_day(self.day)

    def move(self, txn_type: TxnType, amount_minor: int, when: datetime, **parts: Any) -> Movement:
        """A movement that happens now; ``parts`` are further fields of Movement, the request number among them unless it is a new
        one. Raises WorldError when it cannot be."""
        movement = Movement(
            platform=self.platform,
            request_no=parts.pop("request_no", "") or self.next_request_no(),
            txn_type=txn_type,
            amount_minor=amount_minor,
            event_time=when,
            **parts,
        )
        if movement.status is TxnStatus.SUCCESS:
            book(self.accounts, movement)
        self.moves.append(movement)
        return movement

    def recharge(self, holder: Holder, amount_minor: int, when: datetime) -> Movement:
        """The customer brings money in his way: through a channel, or by transfer to the custody account."""
        channel = None if self.people.pays_directly(holder) else self.any_channel()
        return self.move(TxnType.RECHARGE, amount_minor, when, payee=holder, channel=channel)

    def fund(self, holder: Holder, needed_minor: int, hours: Hours, step_minor: int = 1) -> None:
        """The customer brings what he lacks, in whole steps."""
        short = needed_minor - self.accounts.available(holder)
        if short > 0:
            self.recharge(holder, -(-short // step_minor) * step_minor, self.time(hours))

    def time(self, hours: Hours) -> datetime:
        first, before = hours
        return self._midnight + timedelta(seconds=first + int(self.rng.random() * (before - first)))

    def at_second(self, second: int) -> datetime:
        return self._midnight + timedelta(seconds=second)

    def next_request_no(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count:07d}"

    def any_channel(self) -> str:
        return self.one_of(self.channels)

    def one_of(self, things: Sequence[T]) -> T:
        return things[int(self.rng.random() * len(things))]

    def some(self, things: Sequence[T], count: int) -> list[T]:
        """So many of them, or all if they are fewer, in random order."""
        return self.rng.sample(things, min(count, len(things)))

    def a_few(self, things: Sequence[T]) -> list[T]:
        """One to three, fewer of few."""
        return self.some(things, self.below(1, 2 + min(2, len(things) // 10)))

    def below(self, least: int, limit: int) -> int:
        return least + int(self.rng.random() * (limit - least))
