"""What each transaction type moves, as data: domain.md §3, book by book, ``from -> to``.

A move lowers *from* and raises *to*; liabilities are stored >= 0 and assets <= 0, so that a book sums to zero whatever is
posted. In a template ``{p}`` is the platform, ``{channel}`` the instruction's channel, ``{from}`` and ``{to}`` its accounts;
``{from_spendable}`` and ``{to_spendable}`` are what these may spend: a sub-account's available part, a P_* account itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from custody.instruction import Instruction
from custody.names import PLATFORM_ACCOUNTS, Book, HoldKind, Originator, Role, TxnType, platform_account


class Part(StrEnum):
    """Which figure of the instruction a move or a hold carries."""

    AMOUNT = "amount"
    FEE = "fee"
    NET = "net"  # amount less fee
    COUPON = "coupon"
    PAID = "paid"  # amount less coupon: what the customer himself pays


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
class HoldRule:
    """A hold of ``owner``'s frozen money; it is named by the request that places it, with ``suffix``."""

    effect: HoldEffect
    kind: HoldKind
    owner: str
    part: Part = Part.AMOUNT
    suffix: str = ""


@dataclass(frozen=True)
class PostingRule:
    """``payer`` and ``payee``: whose account from_account and to_account must be, by roles of customers, names of P_*
    accounts, SUSPENSE; empty: the rule does not look at it. (Which customer of a loan it must be, custody.claims says.)
    ``needs``: the fields that must be filled beside the accounts. ``external``: the money moved outside already, so the
    posting is never refused for want of funds. ``core``: which field of the instruction the core's flow quotes.
    ``settles``: in which direction the channel settles it the next business day.
    """

    moves: tuple[MoveRule, ...]
    originators: frozenset[Originator]
    payer: frozenset[str] = frozenset()
    payee: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    holds: tuple[HoldRule, ...] = ()
    external: bool = False
    core: str | None = None
    settles: str | None = None

    @cached_property
    def sides(self) -> tuple[tuple[str, frozenset[str]], ...]:
        """The accounts that the rule looks at, with the kinds that they may be."""
        return tuple(side for side in (("from_account", self.payer), ("to_account", self.payee)) if side[1])

    @cached_property
    def asks(self) -> tuple[str, ...]:
        """All fields that must be filled."""
        return (*self.needs, *(name for name, _ in self.sides))


SUSPENSE = "SUSPENSE"
COUPON_HOLD = "#COUPON"
# The custody fee's daily accrual is the system's own; no instruction can name this direction.
ACCRUE = "ACCRUE"
# ... nor these: what was accrued is taken back, where a period became cheaper; what is due is given up; and was paid after all.
RELEASE = "RELEASE"
WRITE_OFF = "WRITE_OFF"
RECOVER = "RECOVER"

_BY_CUSTOMER = frozenset({Originator.CUSTOMER})
_BY_MANDATE = frozenset({Originator.MANDATE})
_CUSTOMER = _BY_CUSTOMER | _BY_MANDATE
_PLATFORM = frozenset({Originator.PLATFORM})
_BANK = frozenset({Originator.BANK})

_ANYBODY: frozenset[str] = frozenset(Role)
_ANY_P: frozenset[str] = frozenset(PLATFORM_ACCOUNTS)
_LENDER, _BORROWER, _GUARANTOR = (frozenset({str(role)}) for role in (Role.LENDER, Role.BORROWER, Role.GUARANTOR))
_MARKETING, _INCOME, _SUSPENSE = (frozenset({name}) for name in ("P_MARKETING", "P_INCOME", SUSPENSE))

_C, _O, _B = Book.CUSTODY, Book.OWN, Book.BANK
_RECEIVABLE, _PAYABLE = "{p}:CHANNEL_RECEIVABLE/{channel}", "{p}:CHANNEL_PAYABLE/{channel}"
_CORE, _FEES, _OWN_CASH, _OWN = "{p}:CORE_CASH", "{p}:FEE_RECEIVABLE", "{p}:OWN_CASH", "{p}:PLATFORM_OWN"
_UNOWNED, _COUPONS, _DUE = "{p}:SUSPENSE", "{p}:P_MARKETING", "{p}:FEE_DUE"
_LOST = "{p}:FEE_WRITTEN_OFF"
_FROM, _TO = "{from_spendable}", "{to_spendable}"


def _hold(
    kind: HoldKind, originators: frozenset[Originator], payer: frozenset[str] = _ANYBODY, needs: tuple[str, ...] = ()
) -> PostingRule:
    move = MoveRule(_C, _FROM, "{from}:frozen")
    return PostingRule((move,), originators, payer=payer, needs=needs, holds=(HoldRule(HoldEffect.PLACE, kind, "{from}"),))


def _release(kind: HoldKind, originators: frozenset[Originator]) -> PostingRule:
    return PostingRule(
        (MoveRule(_C, "{to}:frozen", _TO),),
        originators,
        payee=_ANYBODY,
        needs=("related_request_no",),
        holds=(HoldRule(HoldEffect.RELEASE, kind, "{to}"),),
    )


def _tender_holds(effect: HoldEffect, owner: str) -> tuple[HoldRule, ...]:
    """What the lender pays himself, and the platform's coupon beside it."""
    return (
        HoldRule(effect, HoldKind.TENDER, owner, Part.PAID),
        HoldRule(effect, HoldKind.TENDER, _COUPONS, Part.COUPON, COUPON_HOLD),
    )


# (type, variant): what tells a type's variants apart stands in VARIANTS; None for a type that has one rule.
RULES: dict[tuple[TxnType, str | None], PostingRule] = {
    (TxnType.RECHARGE, "channel"): PostingRule(
        (MoveRule(_C, _RECEIVABLE, _TO),), _CUSTOMER, payee=_ANYBODY, needs=("channel",), external=True, settles="IN"
    ),
    (TxnType.RECHARGE, "direct"): PostingRule(
        (MoveRule(_C, _CORE, _TO),), _CUSTOMER, payee=_ANYBODY, external=True, core="request_no"
    ),
    (TxnType.RECHARGE, SUSPENSE): PostingRule(
        (MoveRule(_C, _CORE, _UNOWNED),), _BANK, payee=_SUSPENSE, external=True, core="request_no"
    ),
    (TxnType.BACKROLL_RECHARGE, None): PostingRule(
        (MoveRule(_C, _FROM, _PAYABLE),), _CUSTOMER, payer=_ANYBODY, needs=("channel", "related_request_no"), settles="OUT"
    ),
    (TxnType.WITHDRAW_FREEZE, None): _hold(HoldKind.WITHDRAW, _CUSTOMER),
    (TxnType.WITHDRAW_CANCEL, None): _release(HoldKind.WITHDRAW, _CUSTOMER | _PLATFORM | _BANK),
    (TxnType.WITHDRAW, None): PostingRule(
        (MoveRule(_C, "{from}:frozen", _PAYABLE),),
        _CUSTOMER,
        payer=_ANYBODY,
        needs=("channel", "related_request_no"),
        holds=(HoldRule(HoldEffect.TAKE, HoldKind.WITHDRAW, "{from}"),),
        settles="OUT",
    ),
    # The channel gives back what it had settled already (IN), or what it had not (OUT).
    (TxnType.WITHDRAW_RETURN, "IN"): PostingRule(
        (MoveRule(_C, _RECEIVABLE, _TO),),
        _BANK,
        payee=_ANYBODY,
        needs=("channel", "related_request_no"),
        external=True,
        settles="IN",
    ),
    (TxnType.WITHDRAW_RETURN, "OUT"): PostingRule(
        (MoveRule(_C, _PAYABLE, _TO),), _BANK, payee=_ANYBODY, needs=("channel", "related_request_no"), external=True
    ),
    (TxnType.TENDER_FREEZE, None): PostingRule(
        (
            MoveRule(_C, _FROM, "{from}:frozen", Part.PAID),
            MoveRule(_C, _COUPONS, f"{_COUPONS}:frozen", Part.COUPON),
        ),
        _CUSTOMER,
        payer=_LENDER,
        needs=("loan_id",),
        holds=_tender_holds(HoldEffect.PLACE, "{from}"),
    ),
    (TxnType.TENDER_CANCEL, None): PostingRule(
        (
            MoveRule(_C, "{to}:frozen", _TO, Part.PAID),
            MoveRule(_C, f"{_COUPONS}:frozen", _COUPONS, Part.COUPON),
        ),
        _PLATFORM | _CUSTOMER,
        payee=_LENDER,
        needs=("related_request_no",),
        holds=_tender_holds(HoldEffect.RELEASE, "{to}"),
    ),
    # The coupon becomes the lender's own money in the entry that lends it: the platform's money funds no loan.
    (TxnType.TENDER_SETTLE, None): PostingRule(
        (
            MoveRule(_C, "{from}:frozen", _TO, Part.PAID),
            MoveRule(_C, f"{_COUPONS}:frozen", _FROM, Part.COUPON),
            MoveRule(_C, _FROM, _TO, Part.COUPON),
        ),
        _PLATFORM,
        payer=_LENDER,
        payee=_ANYBODY,
        needs=("loan_id", "related_request_no"),
        holds=_tender_holds(HoldEffect.TAKE, "{from}"),
    ),
    (TxnType.ENTRUSTED_PAYMENT, None): PostingRule(
        (MoveRule(_C, _FROM, _TO),), _BY_MANDATE, payer=_ANYBODY, payee=_ANYBODY, needs=("loan_id",)
    ),
    (TxnType.REPAY_FREEZE, None): _hold(HoldKind.REPAY, _CUSTOMER, _BORROWER, ("loan_id",)),
    (TxnType.REPAYMENT, None): PostingRule(
        (MoveRule(_C, "{from}:frozen", _TO),),
        _PLATFORM,
        payer=_ANYBODY,
        payee=_LENDER,
        needs=("loan_id", "related_request_no"),
        holds=(HoldRule(HoldEffect.TAKE, HoldKind.REPAY, "{from}"),),
    ),
    (TxnType.COMPENSATION, None): PostingRule(
        (MoveRule(_C, _FROM, _TO),), _BY_CUSTOMER, payer=_ANYBODY, payee=_LENDER, needs=("loan_id", "related_request_no")
    ),
    (TxnType.COMPENSATION_REPAYMENT, None): PostingRule(
        (MoveRule(_C, "{from}:frozen", _TO),),
        _PLATFORM,
        payer=_ANYBODY,
        payee=_GUARANTOR,
        needs=("loan_id", "related_request_no"),
        holds=(HoldRule(HoldEffect.TAKE, HoldKind.REPAY, "{from}"),),
    ),
    (TxnType.CREDIT_ASSIGNMENT, None): PostingRule(
        (MoveRule(_C, _FROM, _TO),),
        _CUSTOMER,
        payer=_LENDER,
        payee=_LENDER,
        needs=("loan_id", "related_request_no", "principal_minor"),
    ),
    (TxnType.COMMISSION, None): PostingRule((MoveRule(_C, _FROM, _TO),), _PLATFORM, payer=_ANYBODY, payee=_INCOME),
    (TxnType.MARKETING, None): PostingRule((MoveRule(_C, _FROM, _TO),), _PLATFORM, payer=_MARKETING, payee=_ANYBODY),
    # The core's credit first, then what each owner gets of it.
    (TxnType.BANK_INTEREST, "IN"): PostingRule((MoveRule(_C, _CORE, _UNOWNED),), _BANK, external=True, core="request_no"),
    (TxnType.BANK_INTEREST, "OUT"): PostingRule(
        (MoveRule(_C, _FROM, _TO),), _BANK, payer=_SUSPENSE, payee=_ANYBODY | _ANY_P, needs=("related_request_no",)
    ),
    (TxnType.PLATFORM_RECHARGE, None): PostingRule(
        (MoveRule(_C, _CORE, _TO), MoveRule(_O, _OWN, _OWN_CASH)), _PLATFORM, payee=_ANY_P, core="request_no"
    ),
    (TxnType.PLATFORM_WITHDRAW, None): PostingRule(
        (MoveRule(_C, _FROM, _CORE), MoveRule(_O, _OWN_CASH, _OWN)), _PLATFORM, payer=_ANY_P, core="request_no"
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
        needs=("channel", "settlement_batch"),
        external=True,
        core="settlement_batch",
    ),
    (TxnType.CHANNEL_SETTLEMENT, "OUT"): PostingRule(
        (MoveRule(_C, _PAYABLE, _CORE),),
        _BANK,
        needs=("channel", "settlement_batch"),
        external=True,
        core="settlement_batch",
    ),
    # Channel fees never fall on customers' money: the platform's own funds restore them the same business day.
    (TxnType.CHANNEL_FEE_TOPUP, None): PostingRule(
        (MoveRule(_C, _CORE, _FEES), MoveRule(_O, _OWN, _OWN_CASH)),
        _BANK,
        needs=("channel", "settlement_batch"),
        external=True,
        core="request_no",
    ),
    # amount = gross of VAT, fee = the VAT inside it.
    (TxnType.CUSTODY_FEE, ACCRUE): PostingRule(
        (MoveRule(_B, _DUE, "{p}:BANK_FEE_INCOME", Part.NET), MoveRule(_B, _DUE, "{p}:VAT", Part.FEE)), _BANK, external=True
    ),
    (TxnType.CUSTODY_FEE, RELEASE): PostingRule(
        (MoveRule(_B, "{p}:BANK_FEE_INCOME", _DUE, Part.NET), MoveRule(_B, "{p}:VAT", _DUE, Part.FEE)), _BANK
    ),
    (TxnType.CUSTODY_FEE, "OUT"): PostingRule(
        (MoveRule(_O, _OWN, _OWN_CASH), MoveRule(_B, "{p}:BANK_CASH", _DUE)), _BANK, external=True, core="request_no"
    ),
    # What was too much: a period that was re-rated, or more than was asked.
    (TxnType.CUSTODY_FEE, "IN"): PostingRule(
        (MoveRule(_O, _OWN_CASH, _OWN), MoveRule(_B, _DUE, "{p}:BANK_CASH")), _BANK, external=True, core="request_no"
    ),
    (TxnType.CUSTODY_FEE, WRITE_OFF): PostingRule((MoveRule(_B, _LOST, _DUE),), _BANK, external=True),
    (TxnType.CUSTODY_FEE, RECOVER): PostingRule((MoveRule(_B, _DUE, _LOST),), _BANK, external=True),
    # What two people approved: a receipt's owner found, or goodwill.
    (TxnType.ADJUSTMENT, SUSPENSE): PostingRule(
        (MoveRule(_C, _FROM, _TO),), _BANK, payer=_SUSPENSE, payee=_ANYBODY, needs=("related_request_no",)
    ),
    (TxnType.ADJUSTMENT, "owned"): PostingRule((MoveRule(_C, _FROM, _TO),), _BANK, payer=_ANYBODY | _MARKETING, payee=_ANYBODY),
    # A receipt goes back to its payer, or a bonus to the platform.
    (TxnType.REVERSAL, SUSPENSE): PostingRule(
        (MoveRule(_C, _FROM, _CORE),), _BANK, payer=_SUSPENSE, needs=("related_request_no",), core="request_no"
    ),
    (TxnType.REVERSAL, "owned"): PostingRule(
        (MoveRule(_C, _FROM, _TO),), _BANK, payer=_ANYBODY, payee=_MARKETING, needs=("related_request_no",)
    ),
    (TxnType.LEGAL_FREEZE, None): _hold(HoldKind.JUDICIAL, _BANK),
    (TxnType.LEGAL_RELEASE, None): _release(HoldKind.JUDICIAL, _BANK),
    (TxnType.LEGAL_DEDUCT, None): PostingRule(
        (MoveRule(_C, "{from}:frozen", _CORE),),
        _BANK,
        payer=_ANYBODY,
        needs=("related_request_no",),
        holds=(HoldRule(HoldEffect.TAKE, HoldKind.JUDICIAL, "{from}"),),
        core="request_no",
    ),
}


def _by_direction(instruction: Instruction) -> str | None:
    return instruction.direction


def _by_payer(instruction: Instruction) -> str:
    return SUSPENSE if instruction.from_account == platform_account(instruction.platform, SUSPENSE) else "owned"


def _by_way(instruction: Instruction) -> str:
    if instruction.channel is not None:
        return "channel"
    return SUSPENSE if instruction.to_account == platform_account(instruction.platform, SUSPENSE) else "direct"


# How an instruction says which of its type's rules it follows.
VARIANTS: dict[TxnType, Callable[[Instruction], str | None]] = {
    TxnType.RECHARGE: _by_way,
    TxnType.ADJUSTMENT: _by_payer,
    TxnType.REVERSAL: _by_payer,
    **dict.fromkeys(
        (
            TxnType.WITHDRAW_RETURN,
            TxnType.BANK_INTEREST,
            TxnType.OWN_FUNDS_MOVEMENT,
            TxnType.CHANNEL_SETTLEMENT,
            TxnType.CUSTODY_FEE,
        ),
        _by_direction,
    ),
}


def rule_of(instruction: Instruction) -> PostingRule | None:
    """None when the instruction lacks the direction that decides what its type moves."""
    variant = VARIANTS.get(instruction.txn_type)
    return RULES.get((instruction.txn_type, variant(instruction) if variant else None))


# Accounts whose balance is an asset (stored <= 0); every other account is a liability (stored >= 0).
ASSETS = frozenset({"CORE_CASH", "CHANNEL_RECEIVABLE", "FEE_RECEIVABLE", "OWN_CASH", "BANK_CASH", "FEE_DUE", "FEE_WRITTEN_OFF"})
CORE_ACCOUNTS = {"CORE_CASH": "CUSTODY", "OWN_CASH": "OWN"}


def is_asset(account: str) -> bool:
    """Whether a journal account such as ``P001:CHANNEL_RECEIVABLE/CH01`` is an asset."""
    return account.partition(":")[2].partition("/")[0] in ASSETS


def core_account(account: str) -> str | None:
    """The core's account that a ledger account mirrors (``P001:CORE_CASH`` -> ``P001:CUSTODY``), or None."""
    platform, _, name = account.partition(":")
    mirrored = CORE_ACCOUNTS.get(name)
    return None if mirrored is None else f"{platform}:{mirrored}"
