"""The platform's true money: who holds what, which holds are open, what the channels and the core owe.

This is bookkeeping by plain sums, not a ledger: it exists so that every file of a day can be written from one truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from custody.calendar import SettlementCalendar
from custody.names import TxnType
from simulator.movement import CURRENCY, P_INCOME, P_MARKETING, CoreBalance, CoreFlow, Holder, Movement, Row


class WorldError(RuntimeError):
    """The simulator contradicts itself (money that nobody holds would move): a bug here, never bad input."""


@dataclass(slots=True)
class Account:
    """``clear_on``: the last day on which cash behind this account's money settles; before it nothing is withdrawn."""

    available_minor: int = 0
    frozen_minor: int = 0
    clear_on: date = date.min


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A recharge (IN) or withdrawal (OUT) that the channel has not settled with the bank."""

    request_no: str
    channel: str
    direction: str
    gross_minor: int
    trade_date: date
    settle_date: date


@dataclass
class Accounts:
    platform: str
    calendar: SettlementCalendar
    holders: dict[Holder, Account] = field(default_factory=lambda: {P_MARKETING: Account(), P_INCOME: Account()})
    holds: dict[str, tuple[Holder, int]] = field(default_factory=dict)
    unsettled: list[Unsettled] = field(default_factory=list)
    custody_minor: int = 0
    own_minor: int = 0
    flows: list[CoreFlow] = field(default_factory=list)
    _opening: tuple[int, int] = (0, 0)

    def open(self, holder: Holder) -> None:
        self.holders[holder] = Account()

    def apply(self, movement: Movement) -> None:
        """Move the money of one movement. Raises WorldError when its payer does not hold it."""
        _MOVES[movement.txn_type](self, movement)

    def start_day(self) -> None:
        self.flows = []
        self._opening = (self.custody_minor, self.own_minor)

    def core_balances(self) -> list[CoreBalance]:
        return [
            CoreBalance(f"{self.platform}:CUSTODY", self._opening[0], self.custody_minor),
            CoreBalance(f"{self.platform}:OWN", self._opening[1], self.own_minor),
        ]

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

    def note_unsettled(self, movement: Movement, direction: str) -> date:
        trade_date = movement.event_time.date()
        settle_date = self.calendar.next_business_day(trade_date)
        assert movement.channel is not None
        self.unsettled.append(
            Unsettled(movement.request_no, movement.channel, direction, movement.amount_minor, trade_date, settle_date)
        )
        return settle_date


def _payer(movement: Movement) -> Holder:
    assert movement.payer is not None
    return movement.payer


def _payee(movement: Movement) -> Holder:
    assert movement.payee is not None
    return movement.payee


def _related(movement: Movement) -> str:
    assert movement.related_request_no is not None
    return movement.related_request_no


def _recharge(accounts: Accounts, movement: Movement) -> None:
    accounts.credit(_payee(movement), movement.amount_minor, accounts.note_unsettled(movement, "IN"))


def _freeze(accounts: Accounts, movement: Movement) -> None:
    accounts.freeze(_payer(movement), movement.amount_minor, movement.request_no)


def _cancel(accounts: Accounts, movement: Movement) -> None:
    accounts.unfreeze(_related(movement), movement.amount_minor)
    accounts.credit(_payee(movement), movement.amount_minor, date.min)


def _withdraw(accounts: Accounts, movement: Movement) -> None:
    accounts.unfreeze(_related(movement), movement.amount_minor)
    accounts.note_unsettled(movement, "OUT")


def _from_hold(accounts: Accounts, movement: Movement) -> None:
    source = accounts.unfreeze(_related(movement), movement.amount_minor)
    accounts.credit(_payee(movement), movement.amount_minor, source.clear_on)


def _from_available(accounts: Accounts, movement: Movement) -> None:
    source = accounts.debit(_payer(movement), movement.amount_minor)
    accounts.credit(_payee(movement), movement.amount_minor, source.clear_on)


def _own_funds(accounts: Accounts, movement: Movement) -> None:
    accounts.book_core(
        "OWN", movement.amount_minor, movement.request_no, accounts.platform, "平台自有资金转入", movement.event_time
    )


def _platform_recharge(accounts: Accounts, movement: Movement) -> None:
    request_no, when = movement.request_no, movement.event_time
    accounts.book_core("OWN", -movement.amount_minor, request_no, accounts.platform, "划转营销账户", when)
    accounts.book_core("CUSTODY", movement.amount_minor, request_no, accounts.platform, "营销账户充值", when)
    accounts.credit(_payee(movement), movement.amount_minor, date.min)


def _settlement(accounts: Accounts, movement: Movement) -> None:
    assert movement.settlement_batch is not None and movement.channel is not None and movement.fee_minor is not None
    inward = movement.direction == "IN"
    cash = movement.amount_minor - movement.fee_minor if inward else -movement.amount_minor
    narrative = "渠道充值清算" if inward else "渠道提现清算"
    accounts.book_core("CUSTODY", cash, movement.settlement_batch, movement.channel, narrative, movement.event_time)


def _topup(accounts: Accounts, movement: Movement) -> None:
    request_no, when = movement.request_no, movement.event_time
    accounts.book_core("OWN", -movement.amount_minor, request_no, accounts.platform, "补足渠道手续费", when)
    accounts.book_core("CUSTODY", movement.amount_minor, request_no, accounts.platform, "渠道手续费补足", when)


_MOVES: dict[TxnType, Callable[[Accounts, Movement], None]] = {
    TxnType.OWN_FUNDS_MOVEMENT: _own_funds,
    TxnType.PLATFORM_RECHARGE: _platform_recharge,
    TxnType.RECHARGE: _recharge,
    TxnType.WITHDRAW_FREEZE: _freeze,
    TxnType.TENDER_FREEZE: _freeze,
    TxnType.REPAY_FREEZE: _freeze,
    TxnType.WITHDRAW_CANCEL: _cancel,
    TxnType.TENDER_CANCEL: _cancel,
    TxnType.WITHDRAW: _withdraw,
    TxnType.TENDER_SETTLE: _from_hold,
    TxnType.REPAYMENT: _from_hold,
    TxnType.COMMISSION: _from_available,
    TxnType.MARKETING: _from_available,
    TxnType.CHANNEL_SETTLEMENT: _settlement,
    TxnType.CHANNEL_FEE_TOPUP: _topup,
}
