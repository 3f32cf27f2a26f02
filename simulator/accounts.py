"""The platform's true money: who holds what, which holds are open, what the channels and the core owe.

This is bookkeeping by plain sums, not a ledger: it exists so that every file of a day can be written from one truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from custody.calendar import SettlementCalendar
from simulator.movement import CURRENCY, P_INCOME, P_MARKETING, SUSPENSE, CoreBalance, CoreFlow, Holder, Movement, Row
from simulator.states import WorldError


@dataclass(slots=True)
class Account:
    """``clear_on``: the last day on which cash behind this account's money settles; before it nothing is withdrawn."""

    available_minor: int = 0
    frozen_minor: int = 0
    clear_on: date = date.min


@dataclass(slots=True, eq=False)
class Unsettled:
    """What the channel has not settled with the bank: a recharge or a returned withdrawal (IN), a withdrawal or a refund (OUT).
    ``is_charged``: the channel takes its fee of it."""

    request_no: str
    channel: str
    direction: str
    gross_minor: int
    trade_date: date
    settle_date: date
    is_charged: bool


@dataclass
class Accounts:
    """``due``: what the channels settle, by the date on which they do. ``holders``: all accounts that are open, SUSPENSE among them."""

    platform: str
    calendar: SettlementCalendar
    holders: dict[Holder, Account] = field(default_factory=lambda: {h: Account() for h in (P_MARKETING, P_INCOME, SUSPENSE)})
    holds: dict[str, tuple[Holder, int]] = field(default_factory=dict)
    due: dict[date, list[Unsettled]] = field(default_factory=dict)
    custody_minor: int = 0
    own_minor: int = 0
    flows: list[CoreFlow] = field(default_factory=list)
    _opening: tuple[int, int] = (0, 0)
    _day: date = date.min
    _settle_date: date = date.min

    def open(self, holder: Holder) -> None:
        self.holders[holder] = Account()

    def close(self, holder: Holder) -> None:
        """Raises WorldError when it holds money."""
        if not self.is_empty(holder):
            raise WorldError(f"{self.platform} {holder}: closes with money in it")
        del self.holders[holder]

    def is_empty(self, holder: Holder) -> bool:
        account = self.holders[holder]
        return account.available_minor == account.frozen_minor == 0

    def available(self, holder: Holder) -> int:
        return self.holders[holder].available_minor

    def clear(self, holder: Holder, day: date) -> int:
        """What may leave the bank on the day: all that is available, if all cash behind it had settled before; else nothing."""
        account = self.holders.get(holder)
        return account.available_minor if account is not None and account.clear_on < day else 0

    def start_day(self, day: date) -> None:
        self._day, self._settle_date = day, self.calendar.next_business_day(day)
        self.flows = []
        self._opening = (self.custody_minor, self.own_minor)

    def core_balances(self) -> list[CoreBalance]:
        return [
            CoreBalance(f"{self.platform}:CUSTODY", self._opening[0], self.custody_minor),
            CoreBalance(f"{self.platform}:OWN", self._opening[1], self.own_minor),
        ]

    def held(self) -> Iterator[tuple[Holder, int]]:
        """What every open sub-account and P_* account holds, available and frozen."""
        for holder, account in self.holders.items():
            if holder != SUSPENSE:
                yield holder, account.available_minor + account.frozen_minor

    def rows(self) -> list[Row]:
        """BALANCE rows of every open sub-account and P_* account."""
        return [
            {
                "role": role,
                "user_no": user_no,
                "available_minor": account.available_minor,
                "frozen_minor": account.frozen_minor,
                "currency": CURRENCY,
            }
            for (role, user_no), account in self.holders.items()
            if user_no != SUSPENSE[1]
        ]

    def book_core(self, account: str, amount_minor: int, core_ref: str, who: str, narrative: str, when: datetime) -> None:
        """Book a core flow on "CUSTODY" or "OWN"; positive is money in."""
        if account == "CUSTODY":
            self.custody_minor += amount_minor
        else:
            self.own_minor += amount_minor
        if self.custody_minor < 0 or self.own_minor < 0:
            raise WorldError(f"{self.platform}: core account {account} would be overdrawn by {core_ref}")
        self.flows.append(CoreFlow(f"{self.platform}:{account}", amount_minor, core_ref, who, narrative, when))

    def credit(self, holder: Holder, amount_minor: int, clear_on: date) -> None:
        account = self.holders[holder]
        account.available_minor += amount_minor
        account.clear_on = max(account.clear_on, clear_on)

    def debit(self, holder: Holder, amount_minor: int) -> Account:
        account = self.holders[holder]
        if account.available_minor < amount_minor:
            raise WorldError(f"{self.platform} {holder}: {account.available_minor} available, {amount_minor} needed")
        account.available_minor -= amount_minor
        return account

    def freeze(self, holder: Holder, amount_minor: int, request_no: str) -> None:
        self.debit(holder, amount_minor).frozen_minor += amount_minor
        self.holds[request_no] = (holder, amount_minor)

    def unfreeze(self, request_no: str, amount_minor: int) -> Account:
        """Take an amount out of a hold; the hold goes when nothing is left in it."""
        holder, held = self.holds.pop(request_no)
        if held < amount_minor:
            raise WorldError(f"{self.platform}: hold {request_no} has {held}, {amount_minor} needed")
        if held > amount_minor:
            self.holds[request_no] = (holder, held - amount_minor)
        account = self.holders[holder]
        account.frozen_minor -= amount_minor
        return account

    def note_unsettled(self, movement: Movement, channel: str, direction: str, *, is_charged: bool = False) -> date:
        """Returns the date on which the channel settles it: T+1 by the bank's calendar."""
        item = Unsettled(
            movement.request_no, channel, direction, movement.amount_minor, self._day, self._settle_date, is_charged=is_charged
        )
        self.due.setdefault(self._settle_date, []).append(item)
        return self._settle_date
