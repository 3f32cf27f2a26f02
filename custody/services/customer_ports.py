"""What the services about customers work with, and how they find out who a customer is by now."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from custody.customer_decisions import MERGE, resolve
from custody.findings import RowFault
from custody.ports import Clock, LedgerReader, PersonStore, Register, RegisterTx, Row, Secrets, StoreRow

# In English and Chinese.
Words = tuple[str, str]


class AccountRows(Protocol):
    """A customer's sub-accounts in the tables of the ledger's projection."""

    def of(self, customer_id: str, accounts: Sequence[str]) -> dict[str, list[StoreRow]]:
        """By store table: the rows of which he or one of the accounts is the owner."""

    def sums(self, rows: Mapping[str, Sequence[StoreRow]]) -> list[Row]:
        """What the proof of the store has to expect less without them: store_table, salt, rows, sum_minor, digest."""

    def delete(self, rows: Mapping[str, Sequence[StoreRow]], fence: int) -> None: ...


class Surroundings(Protocol):
    """What the lake's newest sealed day and the register's files say around a customer."""

    def unfinished(self, account: str) -> list[Words]:
        """What waits to be posted, is under way, or runs on at a sub-account: payments, loans, mandates, orders."""

    def decisions_taken_up(self) -> int:
        """The highest decision number that a cut-off has sealed."""

    def days_begun(self) -> list[date]: ...

    def raw_files(self, names: Sequence[str], parties: Sequence[str], first: date, last: date) -> list[tuple[str, bool]]:
        """Archived files with personal data in them: the named ones (True), and those of the parties' dates from first to last of
        layouts that have personal fields, which may name him (False)."""


@dataclass(frozen=True)
class CustomerPorts:
    """``lease`` is held around every write to the keyed store and gives its fence; it raises RetryLater while a step of the day
    holds it. ``judge`` checks rows as a CUSTOMER file's; ``form`` writes one. ``ledger`` answers of one moment.
    """

    register: Register
    clock: Clock
    secrets: Secrets
    persons: PersonStore
    ledger: LedgerReader
    lease: Callable[[], AbstractContextManager[int]]
    judge: Callable[[bytes], tuple[list[Row], list[RowFault]]]
    form: Callable[[Mapping[str, str]], bytes]
    account_rows: AccountRows
    around: Surroundings


def mergers(tx: RegisterTx) -> dict[str, str]:
    """customer id -> the id that two people found him to be, of every merger that was approved."""
    return {row["subject"]: json.loads(row["payload"])["into"] for row in tx.find("proposal", kind=MERGE, state="APPROVED")}


def merged_into(found: Mapping[str, str], customer_id: str) -> list[str]:
    """The ids that became this one, by id."""
    return sorted(old for old in found if old != customer_id and resolve(found, old) == customer_id)


def erased_on(tx: RegisterTx, customer_id: str) -> date | None:
    """The last custody date of which nothing personal is kept of him; None for whom nobody erased."""
    return max((row["erased_up_to"] for row in tx.find("erased_customer", customer_id=customer_id)), default=None)
