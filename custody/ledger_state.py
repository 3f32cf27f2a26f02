"""What the sub-ledger knows at one moment: balances, open holds, claims, loans, mandates, what is not settled yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from custody.names import Book


class Hold(NamedTuple):
    """Frozen money of ``account``, a sub-account id or ``P001:P_MARKETING``. ``mandate_id``: the mandate that placed it."""

    platform: str
    hold_id: str
    account: str
    kind: str
    loan_id: str | None
    amount_minor: int
    placed_on: date
    mandate_id: str | None = None


class Claim(NamedTuple):
    """A share of a loan; ``original_minor`` is all principal that ever came to it."""

    platform: str
    claim_id: str
    loan_id: str
    holder: str
    principal_minor: int
    original_minor: int
    currency: str


class Loan(NamedTuple):
    """Terms as first registered, and what was funded and repaid since.

    ``borrower``, ``guarantor`` and ``payee`` are sub-account ids. ``minimum_minor``: the least at which it may be disbursed
    (None: only when full); ``penalty_rate``: a day, as a decimal fraction.
    """

    platform: str
    loan_id: str
    borrower: str
    amount_minor: int
    currency: str
    annual_rate: str
    method: str
    periods: int
    every: str
    day_count: str
    minimum_minor: int | None
    penalty_rate: str | None
    guarantor: str | None
    payee: str | None
    purpose: str
    state: str
    disbursed_on: date | None
    funded_minor: int
    principal_repaid_minor: int
    interest_repaid_minor: int


class Mandate(NamedTuple):
    """What a customer lets be done without his password, from ``granted_at`` until it expires or is revoked."""

    platform: str
    mandate_id: str
    holder: str
    scope: str
    item_limit_minor: int
    total_limit_minor: int
    used_minor: int
    expires_on: date
    granted_at: datetime
    revoked_at: datetime | None


class Receipt(NamedTuple):
    """Money in SUSPENSE, named by the request that brought it: to be identified or returned by ``due_on``."""

    platform: str
    request_no: str
    received_on: date
    amount_minor: int
    left_minor: int
    due_on: date


class LegalOrder(NamedTuple):
    """What a court or the police ordered with one account, and how much of it was carried out."""

    platform: str
    order_no: str
    action: str
    account: str
    amount_minor: int
    used_minor: int


class UnderWay(NamedTuple):
    """A movement that was handed on and has not ended; ``since``: the date that first said so. One that failed stays while the
    hold ``related_request_no`` does, so that it cannot succeed after all."""

    platform: str
    request_no: str
    leg: int
    txn_type: str
    account: str | None
    channel: str | None
    amount_minor: int
    currency: str
    status: str
    since: date
    related_request_no: str | None


class OpenItem(NamedTuple):
    """What one request (or settlement batch) left open on a receivable or payable. ``settle_date``: when it should be settled."""

    opened_on: date
    settle_date: date
    amount_minor: int


# A part of an account: the ledger account, and the hold of a frozen part ("" for what is not frozen).
AccountPart = tuple[str, str]
# Money that a channel still owes for one settlement date.
Lot = tuple[str, date]


@dataclass
class LedgerState:
    """Balances by (book, account); holds, claims, loans, mandates and receipts by (platform, id); open sub-account ids.

    ``legal_orders``: by (platform, order, action); ``under_way``: by (platform, request, leg).

    ``held``: sub-accounts from which nothing may leave today (custody.aml_holds).

    ``open_items``: by receivable or payable account, then by item. ``unsettled``: by part of an account, how much of each lot.
    """

    balances: dict[tuple[Book, str], int] = field(default_factory=dict)
    holds: dict[tuple[str, str], Hold] = field(default_factory=dict)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    loans: dict[tuple[str, str], Loan] = field(default_factory=dict)
    sub_accounts: set[str] = field(default_factory=set)
    mandates: dict[tuple[str, str], Mandate] = field(default_factory=dict)
    receipts: dict[tuple[str, str], Receipt] = field(default_factory=dict)
    legal_orders: dict[tuple[str, str, str], LegalOrder] = field(default_factory=dict)
    under_way: dict[tuple[str, str, int], UnderWay] = field(default_factory=dict)
    open_items: dict[str, dict[str, OpenItem]] = field(default_factory=dict)
    unsettled: dict[AccountPart, dict[Lot, int]] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
