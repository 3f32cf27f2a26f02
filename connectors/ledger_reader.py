"""The ledger's answers from the keyed store, one owner at a time (custody.ports.LedgerReader).

Rows of what stands carry the date on which they changed as the last part of their keys, so that reading up to the watermark is reading
the last row up to it, whatever `project` writes meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import cached_property
from itertools import islice

from custody.errors import UsageError
from custody.ports import KeyedStore, Row, StoreRow
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
    WATERMARK,
    WATERMARK_KEY,
    date_of_row,
    of_platform,
    owner_key,
    owner_range,
    rows_of,
    watermark,
)
from schemas.store_records import RECORDS

_NUL = b"\x00"
# How many keys of transactions are asked for at once.
_AT_ONCE = 1_000


class StoreLedgerReader:
    """Implements custody.ports.LedgerReader. The watermark is read once, so that one reader's answers are of one moment."""

    def __init__(self, store: KeyedStore) -> None:
        self._store = store

    @cached_property
    def _mark(self) -> date | None:
        return watermark(self._store.get(WATERMARK, WATERMARK_KEY))

    def up_to(self) -> date | None:
        return self._mark

    def sub_account(self, account: str) -> Row | None:
        row = self._standing(SUB_ACCOUNT, owner_range(account), self._mark)
        return row and {**row, "sub_account": account}

    def accounts_of(self, customer_id: str) -> list[Row]:
        rows = self._each_standing(ACCOUNT_OF_CUSTOMER, owner_range(customer_id))
        # One that has passed to another customer stays with a last row that says so.
        return [{**row, "sub_account": parts[0]} for parts, row in rows if row["held_by"] == customer_id]

    def account_history(self, customer_id: str) -> list[Row]:
        found = self._store.scan(ACCOUNT_OF_CUSTOMER, *owner_range(customer_id))
        return [
            {**self._row(ACCOUNT_OF_CUSTOMER, row), "sub_account": _parts(row[0])[0]}
            for row in found
            if self._is_up_to(ACCOUNT_OF_CUSTOMER, row[0])
        ]

    def balance_at(self, account: str, on: date) -> Row | None:
        self._within(on)
        return self._standing(BALANCE, owner_range(account), on)

    def movements(self, account: str, first: date, last: date) -> Iterator[Row]:
        self._within(last)
        spec = RECORDS[JOURNAL]
        start, stop = (owner_key(account, f"{day:%Y%m%d}") for day in (first, last + timedelta(days=1)))
        for key, columns in self._store.scan(JOURNAL, start, stop):
            yield {**spec.unpack(columns), "posting_date": date_of_row(JOURNAL, key)}

    def transaction(self, platform: str, request_no: str) -> list[Row]:
        return list(self._attempts(self._store.scan(TXN, *owner_range(of_platform(platform, request_no)))))

    def leg(self, platform: str, request_no: str, leg: int) -> list[Row]:
        return list(self._attempts(self._store.scan(TXN, *rows_of(of_platform(platform, request_no), f"{leg:06d}"))))

    def loan(self, platform: str, loan_id: str) -> Row | None:
        return self._standing(LOAN, owner_range(of_platform(platform, loan_id)), self._mark)

    def loan_transactions(self, platform: str, loan_id: str) -> Iterator[Row]:
        return self._indexed(TXN_BY_LOAN, owner_range(of_platform(platform, loan_id)))

    def unposted(self, account: str, first: date, last: date) -> Iterator[Row]:
        self._within(last)
        start, stop = (owner_key(account, f"{day:%Y%m%d}") for day in (first, last + timedelta(days=1)))
        return self._indexed(UNPOSTED_BY_ACCOUNT, (start, stop))

    def _indexed(self, table: str, between: tuple[bytes, bytes]) -> Iterator[Row]:
        """The transactions that an index leads to, in its order."""
        index = self._store.scan(table, *between)
        keys = (RECORDS[table].unpack(columns)["txn"] for key, columns in index if self._is_up_to(table, key))
        while some := list(islice(keys, _AT_ONCE)):
            found = dict(self._store.get_many(TXN, some))
            yield from (RECORDS[TXN].unpack(found[key]) for key in some)

    def claims_of_loan(self, platform: str, loan_id: str) -> list[Row]:
        return [row for _, row in self._each_standing(CLAIM, owner_range(of_platform(platform, loan_id)))]

    def claims_of_holder(self, holder: str) -> list[Row]:
        return [row for _, row in self._each_standing(CLAIM_BY_HOLDER, owner_range(holder))]

    def holds_of(self, account: str) -> list[Row]:
        # One that has ended says so with its last row.
        return [row for _, row in self._each_standing(HOLD, owner_range(account)) if row["amount_minor"]]

    def _standing(self, table: str, between: tuple[bytes, bytes], on: date | None) -> Row | None:
        """The last row of one thing up to a date, with its own as ``as_of``."""
        last: StoreRow | None = None
        for found in self._store.scan(table, *between):
            if on is None or date_of_row(table, found[0]) > on:
                break
            last = found
        return None if last is None else self._row(table, last)

    def _each_standing(self, table: str, between: tuple[bytes, bytes]) -> Iterator[tuple[list[str], Row]]:
        """The last row up to the watermark of each thing below one owner, with the parts of its key between owner and date."""
        last: StoreRow | None = None
        for found in self._store.scan(table, *between):
            if not self._is_up_to(table, found[0]):
                continue
            if last is not None and _thing(last[0]) != _thing(found[0]):
                yield _parts(last[0]), self._row(table, last)
            last = found
        if last is not None:
            yield _parts(last[0]), self._row(table, last)

    def _attempts(self, rows: Iterable[StoreRow]) -> Iterator[Row]:
        for key, columns in rows:
            if self._is_up_to(TXN, key):
                yield RECORDS[TXN].unpack(columns)

    @staticmethod
    def _row(table: str, found: StoreRow) -> Row:
        key, columns = found
        return {**RECORDS[table].unpack(columns), "as_of": date_of_row(table, key)}

    def _is_up_to(self, table: str, key: bytes) -> bool:
        return self._mark is not None and date_of_row(table, key) <= self._mark

    def _within(self, on: date) -> None:
        if self._mark is None or on > self._mark:
            raise UsageError(f"the keyed store holds {self._mark or 'no day'} and earlier; {on} is not among them")


def _thing(key: bytes) -> bytes:
    return key[: key.rindex(_NUL)]


def _parts(key: bytes) -> list[str]:
    return [part.decode() for part in key[1:].split(_NUL)[1:-1]]
