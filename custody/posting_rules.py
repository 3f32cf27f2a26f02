"""What each transaction type moves, as data: domain.md §3, book by book, ``from -> to``.

A move lowers *from* and raises *to*; liabilities are stored >= 0 and assets <= 0, so that a book sums to zero whatever is
posted. ``{p}`` is the platform, ``{from}`` and ``{to}`` the instruction's accounts, ``{channel}`` its channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from custody.names import Book, HoldKind, Originator, TxnType


class Part(StrEnum):
    """Which figure of the instruction a move carries."""

    AMOUNT = "amount"
    FEE = "fee"
    NET = "net"  # amount less fee


class HoldEffect(StrEnum):
    PLACE = "place"
    TAKE = "take"
    RELEASE = "release"


@dataclass(frozen=True)
class MoveRule:
    book: Book
    from_account: str
    to_account: str
    part: Part = Part.AMOUNT


@dataclass(frozen=True)
class PostingRule:
    """``needs`` are the instruction's fields that must be filled beside its accounts; ``customer`` and ``platform`` say which
    of from_account and to_account must be a customer's sub-account, or a P_* account of the platform; ``external``: the
    money moved outside already, so the posting is never refused for want of funds; ``core``: which field of the
    instruction the core's flow quotes."""

    moves: tuple[MoveRule, ...]
    originators: frozenset[Originator]
    needs: tuple[str, ...] = ()
    customer: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    hold: tuple[HoldEffect, HoldKind] | None = None
    external: bool = False
    core: str | None = None


_CUSTOMER = frozenset({Originator.CUSTOMER, Originator.MANDATE})
_PLATFORM = frozenset({Originator.PLATFORM})
_BANK = frozenset({Originator.BANK})
_C, _O, _B = Book.CUSTODY, Book.OWN, Book.BANK
_RECEIVABLE, _PAYABLE = "{p}:CHANNEL_RECEIVABLE/{channel}", "{p}:CHANNEL_PAYABLE/{channel}"
_CORE, _FEES, _OWN_CASH, _OWN = "{p}:CORE_CASH", "{p}:FEE_RECEIVABLE", "{p}:OWN_CASH", "{p}:PLATFORM_OWN"


def _hold(kind: HoldKind, originators: frozenset[Originator], needs: tuple[str, ...] = ()) -> PostingRule:
    move = MoveRule(_C, "{from}:available", "{from}:frozen")
    return PostingRule((move,), originators, needs, customer=("from_account",), hold=(HoldEffect.PLACE, kind))


def _release(kind: HoldKind, originators: frozenset[Originator]) -> PostingRule:
    move = MoveRule(_C, "{to}:frozen", "{to}:available")
    needs = ("related_request_no",)
    return PostingRule((move,), originators, needs, customer=("to_account",), hold=(HoldEffect.RELEASE, kind))


# (type, direction) where a direction decides the moves; (type, None) elsewhere.
RULES: dict[tuple[TxnType, str | None], PostingRule] = {
    (TxnType.RECHARGE, None): PostingRule(
        (MoveRule(_C, _RECEIVABLE, "{to}:available"),), _CUSTOMER, ("channel",), ("to_account",), external=True
    ),
    (TxnType.WITHDRAW_FREEZE, None): _hold(HoldKind.WITHDRAW, _CUSTOMER),
    (TxnType.WITHDRAW_CANCEL, None): _release(HoldKind.WITHDRAW, _CUSTOMER | _PLATFORM | _BANK),
    (TxnType.WITHDRAW, None): PostingRule(
        (MoveRule(_C, "{from}:frozen", _PAYABLE),),
        _CUSTOMER,
        ("channel", "related_request_no"),
        ("from_account",),
        hold=(HoldEffect.TAKE, HoldKind.WITHDRAW),
    ),
    (TxnType.TENDER_FREEZE, None): _hold(HoldKind.TENDER, _CUSTOMER, ("loan_id",)),
    (TxnType.TENDER_CANCEL, None): _release(HoldKind.TENDER, _PLATFORM | _CUSTOMER),
    (TxnType.TENDER_SETTLE, None): PostingRule(
        (MoveRule(_C, "{from}:frozen", "{to}:available"),),
        _PLATFORM,
        ("loan_id", "related_request_no"),
        ("from_account", "to_account"),
        hold=(HoldEffect.TAKE, HoldKind.TENDER),
    ),
    (TxnType.REPAY_FREEZE, None): _hold(HoldKind.REPAY, _CUSTOMER, ("loan_id",)),
    (TxnType.REPAYMENT, None): PostingRule(
        (MoveRule(_C, "{from}:frozen", "{to}:available"),),
        _PLATFORM,
        ("loan_id", "related_request_no"),
        ("from_account", "to_account"),
        hold=(HoldEffect.TAKE, HoldKind.REPAY),
    ),
    (TxnType.COMMISSION, None): PostingRule(
        (MoveRule(_C, "{from}:available", "{to}"),), _PLATFORM, customer=("from_account",), platform=("to_account",)
    ),
    (TxnType.MARKETING, None): PostingRule(
        (MoveRule(_C, "{from}", "{to}:available"),), _PLATFORM, customer=("to_account",), platform=("from_account",)
    ),
    (TxnType.PLATFORM_RECHARGE, None): PostingRule(
        (MoveRule(_C, _CORE, "{to}"), MoveRule(_O, _OWN, _OWN_CASH)), _PLATFORM, platform=("to_account",), core="request_no"
    ),
    (TxnType.OWN_FUNDS_MOVEMENT, "IN"): PostingRule(
        (MoveRule(_O, _OWN_CASH, _OWN),), _PLATFORM, external=True, core="request_no"
    ),
    (TxnType.OWN_FUNDS_MOVEMENT, "OUT"): PostingRule(
        (MoveRule(_O, _OWN, _OWN_CASH),), _PLATFORM, external=True, core="request_no"
    ),
    (TxnType.CHANNEL_SETTLEMENT, "IN"): PostingRule(
        (MoveRule(_C, _CORE, _RECEIVABLE, Part.NET), MoveRule(_C, _FEES, _RECEIVABLE, Part.FEE)),
        _BANK,
        ("channel", "settlement_batch", "direction"),
        external=True,
        core="settlement_batch",
    ),
    (TxnType.CHANNEL_SETTLEMENT, "OUT"): PostingRule(
        (MoveRule(_C, _PAYABLE, _CORE),),
        _BANK,
        ("channel", "settlement_batch", "direction"),
        external=True,
        core="settlement_batch",
    ),
    # Channel fees never fall on customers' money: the platform's own funds restore them the same business day.
    (TxnType.CHANNEL_FEE_TOPUP, None): PostingRule(
        (MoveRule(_C, _CORE, _FEES), MoveRule(_O, _OWN, _OWN_CASH)),
        _BANK,
        ("channel", "settlement_batch"),
        external=True,
        core="request_no",
    ),
    # amount = gross of VAT, fee = the VAT inside it.
    (TxnType.CUSTODY_FEE, None): PostingRule(
        (MoveRule(_B, "{p}:FEE_DUE", "{p}:BANK_FEE_INCOME", Part.NET), MoveRule(_B, "{p}:FEE_DUE", "{p}:VAT", Part.FEE)),
        _BANK,
        external=True,
    ),
}

DIRECTED = frozenset(txn_type for txn_type, direction in RULES if direction is not None)

# Accounts whose balance is an asset (stored <= 0); every other account is a liability (stored >= 0).
ASSETS = frozenset({"CORE_CASH", "CHANNEL_RECEIVABLE", "FEE_RECEIVABLE", "OWN_CASH", "BANK_CASH", "FEE_DUE"})
CORE_ACCOUNTS = {"CORE_CASH": "CUSTODY", "OWN_CASH": "OWN"}


def is_asset(account: str) -> bool:
    """Whether a journal account such as ``P001:CHANNEL_RECEIVABLE/CH01`` is an asset."""
    return account.partition(":")[2].partition("/")[0] in ASSETS


def core_account(account: str) -> str | None:
    """The core's account that a ledger account mirrors (``P001:CORE_CASH`` -> ``P001:CUSTODY``), or None."""
    platform, _, name = account.partition(":")
    mirrored = CORE_ACCOUNTS.get(name)
    return None if mirrored is None else f"{platform}:{mirrored}"
