"""What goes into the sub-ledger and what comes out: an instruction, the entry that it became, or why it was refused.

Millions a day are made of the first three: they are tuples.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from custody.names import Book, BreakKind, Originator, TxnStatus, TxnType


class Instruction(NamedTuple):
    """One authorised leg; ``authorisation_id`` names the password check, mandate or signed request. Accounts are sub-account ids, ``P001:P_INCOME`` or ``P001:SUSPENSE``; amounts are minor units of
    ``currency``. ``coupon_minor`` is the part of a tender's amount that the platform's coupon pays."""

    platform: str
    request_no: str
    leg: int
    txn_type: TxnType
    originator: Originator
    authorisation_id: str
    from_account: str | None
    to_account: str | None
    amount_minor: int
    currency: str
    loan_id: str | None
    principal_minor: int
    interest_minor: int
    penalty_minor: int
    coupon_minor: int
    related_request_no: str | None
    channel: str | None
    settlement_batch: str | None
    direction: str | None
    fee_minor: int
    status: TxnStatus
    event_time: datetime
    value_date: date


class Move(NamedTuple):
    """Balances are those of the two accounts right after the move."""

    book: Book
    from_account: str
    to_account: str
    amount_minor: int
    from_balance_minor: int
    to_balance_minor: int


class Entry(NamedTuple):
    """The moves of one instruction leg; ``core_ref`` is what the core's flow must quote, None where none is expected.
    ``findings``: what is wrong with it though it was posted, since the money has moved."""

    instruction: Instruction
    moves: tuple[Move, ...]
    core_ref: str | None
    findings: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """Why a leg was refused, or what is wrong with one that was posted all the same.

    ``waits``: what is missing may still come (a late file), so the instruction is tried again and never lost.
    """

    kind: BreakKind
    rule: str
    figures: dict[str, object]
    waits: bool
