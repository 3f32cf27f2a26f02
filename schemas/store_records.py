"""The keyed store's packed records: one cell, its first byte the version it was written in (design.md §4.2).

A record is written in today's version, the highest, and read in every version there ever was: what an older one lacks, its row
says by the declared value. A version's fields never change once rows were written in it; a field more is a version more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from custody.errors import SealBroken, StopRun
from custody.ports import Row
from schemas.store_keys import (
    ACCOUNT_OF_CUSTOMER,
    BALANCE,
    CLAIM,
    CLAIM_BY_HOLDER,
    HOLD,
    JOURNAL,
    LOAN,
    SUB_ACCOUNT,
    TXN,
    TXN_BY_LOAN,
    UNPOSTED_BY_ACCOUNT,
    pack,
    unpack,
)
from schemas.tables import TABLES

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class RecordSpec:
    """``types``: of every field that any version has. ``absent``: what a row says for a field that its version lacks.

    ``summed``: the amounts, in every version, that a proof adds up (schemas.store_proof)."""

    types: Mapping[str, str]
    versions: Mapping[int, tuple[str, ...]]
    absent: Mapping[str, object] = field(default_factory=dict)
    summed: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        return max(self.versions)

    @cached_property
    def _dated(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        """The fields that are packed as another type than they are read as."""
        return tuple((name, _READ[kind]) for name, kind in self.types.items() if kind in _READ)

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Of today's version, in their order."""
        return self.versions[self.version]

    def pack(self, row: Mapping[str, Any]) -> dict[bytes, bytes]:
        """A row with at least today's fields, as the one cell that it is stored in."""
        return pack(self.version, [_plain(row[name]) for name in self.fields])

    def unpack(self, columns: dict[bytes, bytes]) -> Row:
        """A row of any version, with every field of today's. Raises SealBroken on bytes that are no such record, StopRun on a
        version of a newer program."""
        names, values = self._read(columns)
        row: Row = dict(zip(names, values, strict=True))
        for name, read in self._dated:
            if name in row:
                row[name] = read(row[name])
        for name in self.fields if len(names) < len(self.fields) else ():
            if name not in row:
                row[name] = self.absent[name]
        return row

    def amount_of(self, columns: dict[bytes, bytes]) -> int:
        """The sum of a stored row's ``summed`` amounts. Raises as ``unpack`` does."""
        if not self.summed:
            return 0
        names, values = self._read(columns)
        amounts = [values[names.index(name)] for name in self.summed]
        if not all(isinstance(amount, int) for amount in amounts):
            raise SealBroken(f"a packed record has no amount where {', '.join(self.summed)} should be")
        return sum(amounts)

    def _read(self, columns: dict[bytes, bytes]) -> tuple[tuple[str, ...], list[Any]]:
        try:
            version, values = unpack(columns)
        except (LookupError, ValueError) as error:
            raise SealBroken(f"a packed record cannot be read: {error}") from error
        if version not in self.versions:
            words = f"a packed record has version {version}, this program knows {self.version}"
            raise StopRun(f"{words}: use the program that wrote it")
        names = self.versions[version]
        if not isinstance(values, list) or len(values) != len(names):
            raise SealBroken(f"a packed record of version {version} does not have its {len(names)} fields")
        return names, values


def _plain(value: object) -> object:
    """As it is packed: a date as its days, a time as its microseconds since 1970, UTC."""
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    return value.toordinal() - _EPOCH_DAY if isinstance(value, date) else value


def _date(value: Any) -> date | None:
    # Version 1 of the journal wrote dates and times as ISO text.
    if isinstance(value, str):
        return date.fromisoformat(value)
    return None if value is None else date.fromordinal(_EPOCH_DAY + value)


def _time(value: Any) -> datetime | None:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return None if value is None else _EPOCH + value * _MICROSECOND


_READ: dict[str, Callable[[Any], Any]] = {"date": _date, "time": _time}


def _types(words: str) -> dict[str, str]:
    """``words``: a list of ``name:type``."""
    return {name: kind for name, _, kind in (word.partition(":") for word in words.split())}


def _first(words: str, *summed: str) -> RecordSpec:
    """A record of one version."""
    types = _types(words)
    return RecordSpec(types, {1: tuple(types)}, summed=summed)


def _of_table(name: str, fields: str, summed: str) -> RecordSpec:
    """Version 1 of a row of the lake's table, whole. Named here, so that a column more there is a version more here."""
    return RecordSpec({c.name: c.type for c in TABLES[name].columns}, {1: tuple(fields.split())}, summed=(summed,))


_CLAIM = _of_table("claims", "platform claim_id loan_id holder principal_minor original_minor currency", "principal_minor")
_JOURNAL_1 = "entry_no move_no part amount_minor currency txn_type request_no leg loan_id value_date event_time"
_BALANCE = "available_minor:int frozen_minor:int unsettled_minor:int currency:text"
_ACCOUNT = "platform:text role:text opened_on:date closed_on:date"

RECORDS: dict[str, RecordSpec] = {
    # ``held_by``: the customer who holds it from this date on; another one than the owner of the row when it has passed to him.
    ACCOUNT_OF_CUSTOMER: _first(f"held_by:text {_ACCOUNT}"),
    SUB_ACCOUNT: _first(f"customer_id:text user_no:text kind:text {_ACCOUNT} {_BALANCE}", "available_minor", "frozen_minor"),
    BALANCE: _first(_BALANCE, "available_minor", "frozen_minor"),
    # ``amount_minor`` is signed: what the move did to this part. ``balance_minor`` is the part's after it.
    JOURNAL: RecordSpec(
        _types(
            "entry_no:int move_no:int part:text amount_minor:int currency:text txn_type:text request_no:text leg:int loan_id:text "
            "value_date:date event_time:time counterparty:text balance_minor:int"
        ),
        {1: tuple(_JOURNAL_1.split()), 2: (*_JOURNAL_1.split(), "counterparty", "balance_minor")},
        {"counterparty": None, "balance_minor": None},
        ("amount_minor",),
    ),
    TXN: _of_table(
        "ledger_txn",
        "platform txn_no request_no leg txn_type from_account to_account amount_minor currency loan_id principal_minor "
        "interest_minor penalty_minor coupon_minor related_request_no channel status event_time originator authorisation_id "
        "settlement_batch direction fee_minor file_name line_no value_date settle_date content_hash outcome entry_no",
        "amount_minor",
    ),
    # ``txn``: the key of the row there.
    TXN_BY_LOAN: _first("txn:bytes"),
    UNPOSTED_BY_ACCOUNT: _first("txn:bytes"),
    LOAN: _of_table(
        "loans",
        "platform loan_id borrower amount_minor currency annual_rate method periods every day_count minimum_minor penalty_rate "
        "guarantor payee purpose state disbursed_on funded_minor principal_repaid_minor interest_repaid_minor",
        "funded_minor",
    ),
    # One of which nothing is left says so once, with principal 0.
    CLAIM: _CLAIM,
    CLAIM_BY_HOLDER: _CLAIM,
    # One that has ended says so once, with amount 0.
    HOLD: _of_table("holds", "platform hold_id account kind loan_id amount_minor placed_on mandate_id", "amount_minor"),
}
