"""What each type of movement does to the platform's true money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeVar

from custody.names import TxnType
from simulator.accounts import Accounts
from simulator.movement import P_MARKETING, SUSPENSE, Holder, Movement
from simulator.states import WorldError

T = TypeVar("T")
COUPON_HOLD = "#COUPON"  # what the platform's coupon adds to a tender is a hold of its own beside the lender's


def _needed(value: T | None, movement: Movement, what: str) -> T:
    if value is None:
        raise WorldError(f"{movement.txn_type} {movement.request_no} has not {what}")
    return value


def _payer(movement: Movement) -> Holder:
    return _needed(movement.payer, movement, "a payer")


def _payee(movement: Movement) -> Holder:
    return _needed(movement.payee, movement, "a payee")


def _related(movement: Movement) -> str:
    return _needed(movement.related_request_no, movement, "the request that it follows")


def _channel(movement: Movement) -> str:
    return _needed(movement.channel, movement, "a channel")


def _recharge(accounts: Accounts, movement: Movement) -> None:
    clear_on = date.min
    if movement.channel is None:
        accounts.book_core(
            "CUSTODY", movement.amount_minor, movement.request_no, _payee(movement)[1], "来账", movement.event_time
        )
    else:
        clear_on = accounts.note_unsettled(movement, _channel(movement), "IN", is_charged=True)
    accounts.credit(_payee(movement), movement.amount_minor, clear_on)


def _refund(accounts: Accounts, movement: Movement) -> None:
    accounts.debit(_payer(movement), movement.amount_minor)
    accounts.note_unsettled(movement, _channel(movement), "OUT")


def _freeze(accounts: Accounts, movement: Movement) -> None:
    accounts.freeze(_payer(movement), movement.amount_minor, movement.request_no)


def _release(accounts: Accounts, movement: Movement) -> None:
    accounts.unfreeze(_related(movement), movement.amount_minor)
    accounts.credit(_payee(movement), movement.amount_minor, date.min)


def _withdraw(accounts: Accounts, movement: Movement) -> None:
    accounts.unfreeze(_related(movement), movement.amount_minor)
    accounts.note_unsettled(movement, _channel(movement), "OUT")


def _withdraw_return(accounts: Accounts, movement: Movement) -> None:
    accounts.credit(_payee(movement), movement.amount_minor, accounts.note_unsettled(movement, _channel(movement), "IN"))


def _tender(accounts: Accounts, movement: Movement) -> None:
    coupon = movement.coupon_minor or 0
    accounts.freeze(_payer(movement), movement.amount_minor - coupon, movement.request_no)
    if coupon:
        accounts.freeze(P_MARKETING, coupon, movement.request_no + COUPON_HOLD)


def _tender_cancel(accounts: Accounts, movement: Movement) -> None:
    coupon, freeze = movement.coupon_minor or 0, _related(movement)
    accounts.unfreeze(freeze, movement.amount_minor - coupon)
    accounts.credit(_payee(movement), movement.amount_minor - coupon, date.min)
    if coupon:
        accounts.unfreeze(freeze + COUPON_HOLD, coupon)
        accounts.credit(P_MARKETING, coupon, date.min)


def _tender_settle(accounts: Accounts, movement: Movement) -> None:
    """Gross, and as unsettled as the worst of what it is made of."""
    coupon, freeze = movement.coupon_minor or 0, _related(movement)
    clear_on = accounts.unfreeze(freeze, movement.amount_minor - coupon).clear_on
    if coupon:
        clear_on = max(clear_on, accounts.unfreeze(freeze + COUPON_HOLD, coupon).clear_on)
    accounts.credit(_payee(movement), movement.amount_minor, clear_on)


def _from_hold(accounts: Accounts, movement: Movement) -> None:
    source = accounts.unfreeze(_related(movement), movement.amount_minor)
    accounts.credit(_payee(movement), movement.amount_minor, source.clear_on)


def _from_available(accounts: Accounts, movement: Movement) -> None:
    source = accounts.debit(_payer(movement), movement.amount_minor)
    accounts.credit(_payee(movement), movement.amount_minor, source.clear_on)


def _reversal(accounts: Accounts, movement: Movement) -> None:
    """To the platform, or back to a payer outside."""
    if movement.payee is not None:
        _from_available(accounts, movement)
        return
    accounts.debit(_payer(movement), movement.amount_minor)
    accounts.book_core("CUSTODY", -movement.amount_minor, movement.request_no, "付款人", "来账退回", movement.event_time)


def _deduct(accounts: Accounts, movement: Movement) -> None:
    accounts.unfreeze(_related(movement), movement.amount_minor)
    accounts.book_core("CUSTODY", -movement.amount_minor, movement.request_no, "执行机关", "司法扣划", movement.event_time)


def _bank_interest(accounts: Accounts, movement: Movement) -> None:
    if movement.direction == "OUT":
        _from_available(accounts, movement)
        return
    accounts.book_core("CUSTODY", movement.amount_minor, movement.request_no, "存管银行", "结息", movement.event_time)
    accounts.credit(SUSPENSE, movement.amount_minor, date.min)


def _own_funds(accounts: Accounts, movement: Movement) -> None:
    inward = movement.direction == "IN"
    amount, narrative = (movement.amount_minor, "平台自有资金转入") if inward else (-movement.amount_minor, "平台自有资金转出")
    accounts.book_core("OWN", amount, movement.request_no, accounts.platform, narrative, movement.event_time)


def _custody_fee(accounts: Accounts, movement: Movement) -> None:
    accounts.book_core("OWN", -movement.amount_minor, movement.request_no, "存管银行", "存管费", movement.event_time)


def _platform_recharge(accounts: Accounts, movement: Movement) -> None:
    request_no, when = movement.request_no, movement.event_time
    accounts.book_core("OWN", -movement.amount_minor, request_no, accounts.platform, "划转营销账户", when)
    accounts.book_core("CUSTODY", movement.amount_minor, request_no, accounts.platform, "营销账户充值", when)
    accounts.credit(_payee(movement), movement.amount_minor, date.min)


def _platform_withdraw(accounts: Accounts, movement: Movement) -> None:
    request_no, when = movement.request_no, movement.event_time
    accounts.debit(_payer(movement), movement.amount_minor)
    accounts.book_core("CUSTODY", -movement.amount_minor, request_no, accounts.platform, "平台账户提现", when)
    accounts.book_core("OWN", movement.amount_minor, request_no, accounts.platform, "平台账户提现转入", when)


def _settlement(accounts: Accounts, movement: Movement) -> None:
    batch, channel = (_needed(value, movement, "its batch") for value in (movement.settlement_batch, movement.channel))
    inward = movement.direction == "IN"
    cash = movement.amount_minor - (movement.fee_minor or 0) if inward else -movement.amount_minor
    narrative = "渠道充值清算" if inward else "渠道提现清算"
    accounts.book_core("CUSTODY", cash, batch, channel, narrative, movement.event_time)


def _topup(accounts: Accounts, movement: Movement) -> None:
    request_no, when = movement.request_no, movement.event_time
    accounts.book_core("OWN", -movement.amount_minor, request_no, accounts.platform, "补足渠道手续费", when)
    accounts.book_core("CUSTODY", movement.amount_minor, request_no, accounts.platform, "渠道手续费补足", when)


_MOVES: dict[TxnType, Callable[[Accounts, Movement], None]] = {
    TxnType.OWN_FUNDS_MOVEMENT: _own_funds,
    TxnType.CUSTODY_FEE: _custody_fee,
    TxnType.PLATFORM_RECHARGE: _platform_recharge,
    TxnType.PLATFORM_WITHDRAW: _platform_withdraw,
    TxnType.RECHARGE: _recharge,
    TxnType.BACKROLL_RECHARGE: _refund,
    TxnType.WITHDRAW_FREEZE: _freeze,
    TxnType.REPAY_FREEZE: _freeze,
    TxnType.LEGAL_FREEZE: _freeze,
    TxnType.WITHDRAW_CANCEL: _release,
    TxnType.LEGAL_RELEASE: _release,
    TxnType.WITHDRAW: _withdraw,
    TxnType.WITHDRAW_RETURN: _withdraw_return,
    TxnType.LEGAL_DEDUCT: _deduct,
    TxnType.TENDER_FREEZE: _tender,
    TxnType.TENDER_CANCEL: _tender_cancel,
    TxnType.TENDER_SETTLE: _tender_settle,
    TxnType.REPAYMENT: _from_hold,
    TxnType.COMPENSATION_REPAYMENT: _from_hold,
    TxnType.ENTRUSTED_PAYMENT: _from_available,
    TxnType.COMPENSATION: _from_available,
    TxnType.CREDIT_ASSIGNMENT: _from_available,
    TxnType.COMMISSION: _from_available,
    TxnType.MARKETING: _from_available,
    TxnType.ADJUSTMENT: _from_available,
    TxnType.REVERSAL: _reversal,
    TxnType.BANK_INTEREST: _bank_interest,
    TxnType.CHANNEL_SETTLEMENT: _settlement,
    TxnType.CHANNEL_FEE_TOPUP: _topup,
}


def book(accounts: Accounts, movement: Movement) -> None:
    """Move the money of one movement that succeeded. Raises WorldError when its payer does not hold it."""
    _MOVES[movement.txn_type](accounts, movement)
