"""What the sub-ledger knows at one moment: balances, open holds, claims, loans, open sub-accounts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from custody.names import Book


class Hold(NamedTuple):
    """Frozen money of ``account``, a sub-account id or ``P001:P_MARKETING``."""

    platform: str
    hold_id: str
    account: str
    kind: str
    loan_id: str | None
    amount_minor: int
    placed_on: date


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


@dataclass
class LedgerState:
    """Balances by (book, account); holds, claims and loans by (platform, id); open sub-account ids."""

    balances: dict[tuple[Book, str], int] = field(default_factory=dict)
    holds: dict[tuple[str, str], Hold] = field(default_factory=dict)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    loans: dict[tuple[str, str], Loan] = field(default_factory=dict)
    sub_accounts: set[str] = field(default_factory=set)
