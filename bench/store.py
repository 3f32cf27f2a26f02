"""The keyed store on LMDB against SQLite: put the journal under its owners, then scan every owner's rows by prefix.

Both keep the same keys and packed records and make each batch of 5,000 rows durable before the next.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from datetime import date
from itertools import islice
from pathlib import Path

from bench.harness import Run
from custody.ports import StoreRow
from schemas.store_keys import JOURNAL, PACKED, dated, owner_key, owner_range, pack, unpack

ROWS = 300_000
_ROWS_OF_AN_OWNER = 100
_BATCH = 5_000
_AMOUNT = 3
_MAP_SIZE_GIB = 4

Scan = Callable[[bytes, bytes], Iterable[dict[bytes, bytes]]]


def prepare(folder: Path, rows: int) -> None:
    (folder / "rows").write_text(str(rows), encoding="utf-8")


def _input(folder: Path) -> tuple[list[str], list[StoreRow]]:
    """The owners, and the journal's rows in the order of their entries, which is not the order of their keys."""
    rows = int((folder / "rows").read_text(encoding="utf-8"))
    owners = [f"P00{number % 3 + 1}.LENDER.L{number:06d}" for number in range(max(1, rows // _ROWS_OF_AN_OWNER))]
    return owners, [_row(number, owners[number * 7_919 % len(owners)]) for number in range(rows)]


def journal_rows(folder: Path) -> list[StoreRow]:
    return _input(folder)[1]


def _row(number: int, owner: str) -> StoreRow:
    """As jobs.project packs it."""
    on = date(2020, 1, 2)
    fields = [
        20_200_102 * 10**9 + number, 0, "available", 1_000 + number * 37 % 5_000_000, "CNY", "REPAYMENT", f"R20200102{number:09d}",
        1, f"LN{number % 2_000:06d}", on.isoformat(), "2020-01-02T10:00:00+08:00",
    ]  # fmt: skip
    return owner_key(owner, dated(on, number * 1_000), "available"), pack(1, fields)


def ours(folder: Path) -> Run:
    from connectors.lmdb_store import LmdbStore

    owners, rows = _input(folder)
    store = LmdbStore(folder / f"lmdb_{time.monotonic_ns()}", _MAP_SIZE_GIB)
    started = time.perf_counter()
    store.put_many(JOURNAL, rows)
    put_s = time.perf_counter() - started
    return _scanned(owners, put_s, lambda start, stop: (columns for _, columns in store.scan(JOURNAL, start, stop)))


def sqlite(folder: Path) -> Run:
    owners, rows = _input(folder)
    connection = sqlite3.connect(folder / f"sqlite_{time.monotonic_ns()}.db")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    # In KiB: as much as the data need, since LMDB has the whole page cache; the default of 2 MiB would thrash.
    connection.execute("pragma cache_size = -262144")
    connection.execute("create table journal (key blob primary key, packed blob not null) without rowid")
    started = time.perf_counter()
    source = iter(rows)
    while batch := list(islice(source, _BATCH)):
        connection.executemany("insert or replace into journal values (?, ?)", [(k, columns[PACKED]) for k, columns in batch])
        connection.commit()
    put_s = time.perf_counter() - started
    query = "select packed from journal where key >= ? and key < ? order by key"
    return _scanned(
        owners, put_s, lambda start, stop: ({PACKED: row[0]} for row in connection.execute(query, (start, stop)).fetchall())
    )


def _scanned(owners: list[str], put_s: float, scan: Scan) -> Run:
    rows = amount = 0
    started = time.perf_counter()
    for owner in owners:
        for columns in scan(*owner_range(owner)):
            rows += 1
            amount += unpack(columns)[1][_AMOUNT]
    seconds = {"store_put": put_s, "store_scan": time.perf_counter() - started}
    return Run(seconds, {"rows": rows, "amount_minor": amount})


SIDES = {"ours": ours, "SQLite, WAL": sqlite}
