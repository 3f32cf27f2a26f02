"""project: one day's postings packed, sorted and put into the keyed store on LMDB, against SQLite under the very same packed rows.

Both sides pack and sort by our code (``project`` is all of it, ``project_put`` the putting alone), and put the rows in the order
of their keys, which is SQLite's best case: a table for each of the store's, WITHOUT ROWID. Both make each batch of 50,000 rows
durable before the next. A posting is one move of a repayment: two rows of the journal, one of its leg, one that leads to it from the
loan; beside these every account's balance, and the day's claims.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.harness import Run
from schemas.store_keys import JOURNAL, LEDGER_TABLES, PACKED, SALTS
from schemas.store_proof import StoreSum

ROWS = 1_000_000
_ON = date(2020, 1, 2)
_PART_ROWS = 250_000
_PLATFORMS = 50
_POSTINGS_OF_A_LENDER = 20
_POSTINGS_OF_A_LOAN = 1_000
_BATCH = 50_000
_MAP_SIZE_GIB = 64
_PROCESSES = 2
# Of what was put, this much is read again and compared.
_READ_SALT = 7

Numbers = npt.NDArray[np.int64]


def prepare(folder: Path, rows: int) -> None:
    """An instance whose lake has a day that was posted, as `post` lays it: in parts, platform by platform."""
    from connectors.lake import Lake, Part, conform
    from connectors.lake_files import LocalFiles
    from connectors.settings import FILE_NAME, changed, initial_settings
    from schemas.tables import TABLES

    settings = changed(initial_settings("Bench", _ON, 0), {"stores.map_size_gib": _MAP_SIZE_GIB, "post.processes": _PROCESSES})
    (folder / FILE_NAME).write_text(settings, encoding="utf-8")
    writer = Lake(LocalFiles(folder / "lake")).attempt(_ON, "post", "0" * 32, 1)
    for table in ("journal", "ledger_txn", "balances", "sub_accounts", "unsettled", "loans", "claims", "holds"):
        writer.declare(table)
    for first in range(0, rows, _PART_ROWS):
        number = np.arange(first, min(first + _PART_ROWS, rows), dtype=np.int64)
        for table, columns in (("journal", _moves(number, rows)), ("ledger_txn", _legs(number, rows))):
            writer.part(Part.of(TABLES[table], conform(TABLES[table], pa.table(_whole(table, columns, len(number))))))
    for table, columns in _standing(rows).items():
        size = len(next(iter(columns.values())))
        writer.table(table, pa.table(_whole(table, columns, size)))
    writer.finish()


def _moves(number: Numbers, rows: int) -> dict[str, object]:
    platform, lender, loan = _parties(number, rows)
    return {
        "entry_no": 20_200_102 * 10**9 + number + 1,
        "move_no": 1,
        "platform": platform,
        "book": "CUSTODY",
        "from_account": _text(platform, ".BORROWER.B", _digits(loan, 6), ":frozen"),
        "to_account": _text(platform, ".LENDER.L", _digits(lender, 7), ":available"),
        "amount_minor": 1_000 + number * 37 % 5_000_000,
        "from_balance_minor": 10**9 - number,
        "to_balance_minor": 10**6 + number,
        "txn_type": "REPAYMENT",
        "request_no": _text("R20200102", _digits(loan, 9)),
        "leg": number % _POSTINGS_OF_A_LOAN + 1,
        "loan_id": _text("LN", _digits(loan, 8)),
    }


def _legs(number: Numbers, rows: int) -> dict[str, object]:
    platform, lender, loan = _parties(number, rows)
    amount = 1_000 + number * 37 % 5_000_000
    return {
        "platform": platform,
        "txn_no": 20_200_102 * 10**9 + number + 1,
        "request_no": _text("R20200102", _digits(loan, 9)),
        "leg": number % _POSTINGS_OF_A_LOAN + 1,
        "txn_type": "REPAYMENT",
        "from_account": _text(platform, ".BORROWER.B", _digits(loan, 6)),
        "to_account": _text(platform, ".LENDER.L", _digits(lender, 7)),
        "amount_minor": amount,
        "principal_minor": amount - number % 50,
        "interest_minor": number % 50,
        "loan_id": _text("LN", _digits(loan, 8)),
        "related_request_no": _text("F20200102", _digits(loan, 9)),
        "status": "SUCCESS",
        "originator": "CUSTOMER",
        "authorisation_id": _text("A", _digits(number, 12)),
        "file_name": "GATEWAY_INSTRUCTION_20200102_01_v1.csv",
        "line_no": number + 2,
        "content_hash": _text("c" * 50, _digits(number, 14)),
        "outcome": "POSTED",
        "entry_no": 20_200_102 * 10**9 + number + 1,
    }


def _standing(rows: int) -> dict[str, dict[str, object]]:
    """Each lender's balance and sub-account, and one claim for each of his postings of the first tenth."""
    lenders = np.arange(_PLATFORMS * _lenders(rows), dtype=np.int64)
    platform = _text("P", _digits(lenders // _lenders(rows), 3))
    account = _text(platform, ".LENDER.L", _digits(lenders % _lenders(rows), 7))
    claims = np.arange(max(rows // 10, 1), dtype=np.int64)
    claims_platform, holder, loan = _parties(claims * 10, rows)
    return {
        "balances": {
            "platform": platform, "book": "CUSTODY", "account": _text(account, ":available"), "in_minor": 100, "closing_minor": lenders + 100,
        },
        "sub_accounts": {
            "sub_account": account, "platform": platform, "role": "LENDER", "user_no": _text("L", _digits(lenders % _lenders(rows), 7)),
            "customer_id": _text("C", _digits(lenders, 24)), "kind": "PERSON",
        },
        "claims": {
            "platform": claims_platform, "claim_id": _text("T", _digits(claims, 12)), "loan_id": _text("LN", _digits(loan, 8)),
            "holder": _text(claims_platform, ".LENDER.L", _digits(holder, 7)), "principal_minor": claims, "original_minor": claims + 10,
        },
    }  # fmt: skip


def _lenders(rows: int) -> int:
    """Of one platform."""
    return max(1, rows // _PLATFORMS // _POSTINGS_OF_A_LENDER)


def _parties(number: Numbers, rows: int) -> tuple[pa.Array, Numbers, Numbers]:
    """Platform, and the numbers of lender and loan: postings lie platform by platform, a loan's together."""
    return _text("P", _digits(number * _PLATFORMS // rows, 3)), number * 7_919 % _lenders(rows), number // _POSTINGS_OF_A_LOAN


def _digits(number: Numbers, width: int) -> pa.Array:
    return pc.utf8_lpad(pa.array(number).cast(pa.string()), width, "0")


def _text(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _whole(name: str, columns: dict[str, object], size: int) -> dict[str, pa.Array]:
    """All columns of a lake table; what was not said is null, or of one value."""
    from connectors.lake import arrow_schema
    from schemas.tables import TABLES

    plain: dict[str, object] = {"text": "CNY", "int": 0, "bool": False, "date": _ON, "time": datetime(2020, 1, 2, 4, tzinfo=UTC)}
    whole = {}
    for column, of_schema in zip(TABLES[name].columns, arrow_schema(TABLES[name]), strict=True):
        said = columns.get(column.name, None if column.nullable else plain[column.type])
        if not isinstance(said, (pa.Array, np.ndarray)):
            said = pa.repeat(pa.scalar(said, of_schema.type), size)
        whole[column.name] = pa.array(said, of_schema.type) if isinstance(said, np.ndarray) else said
    return whole


def _packed(folder: Path) -> tuple[Any, Any, float]:
    """(wiring, packed rows, seconds)"""
    from connectors.bootstrap import wire
    from jobs.projection.day import TODAYS_VERSIONS, Source, packed_day

    wiring = wire(folder)
    started = time.perf_counter()
    source = Source(_ON, wiring.lake.relative(_ON, "post", "0" * 32, 1), None, TODAYS_VERSIONS)
    return wiring, packed_day(wiring, source), time.perf_counter() - started


def ours(folder: Path) -> Run:
    from connectors.lmdb_store import LmdbStore
    from jobs.project import put_day

    wiring, runs, packed_s = _packed(folder)
    wiring.__dict__["keyed"] = store = LmdbStore(folder / f"lmdb_{time.monotonic_ns()}", _MAP_SIZE_GIB)
    started = time.perf_counter()
    put_day(wiring, runs, 1)
    put_s = time.perf_counter() - started
    bounds = bytes([_READ_SALT]), bytes([_READ_SALT + 1])
    return _run(runs, packed_s, put_s, ((key, columns[PACKED]) for key, columns in store.scan(JOURNAL, *bounds)))


def sqlite(folder: Path) -> Run:
    _, runs, packed_s = _packed(folder)
    connection = sqlite3.connect(folder / f"sqlite_{time.monotonic_ns()}.db")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    # In KiB; the default of 2 MiB would thrash.
    connection.execute("pragma cache_size = -262144")
    started = time.perf_counter()
    for table in LEDGER_TABLES:
        connection.execute(f"create table {table} (key blob primary key, packed blob not null) without rowid")
        source = (pair for salt in range(SALTS) for pair in runs.pairs(table, salt))
        while batch := list(islice(source, _BATCH)):
            connection.executemany(f"insert or replace into {table} values (?, ?)", batch)
            connection.commit()
    put_s = time.perf_counter() - started
    query = f"select key, packed from {JOURNAL} where key >= ? and key < ? order by key"
    return _run(runs, packed_s, put_s, connection.execute(query, (bytes([_READ_SALT]), bytes([_READ_SALT + 1]))))


def _run(runs: Any, packed_s: float, put_s: float, read: Iterable[tuple[bytes, bytes]]) -> Run:
    """What was put, as its proof says, and what one salt of the journal says when it is read."""
    total = sum(runs.proofs.values(), StoreSum())
    found = StoreSum()
    for key, cell in read:
        found += StoreSum.of_row(key, cell, 0)
    answer = {"rows": total.rows, "digest": total.digest, "read": found.rows, "read_digest": found.digest}
    return Run({"project": packed_s + put_s, "project_put": put_s}, answer)


@contextmanager
def _watched() -> Iterator[list[int]]:
    """In MiB, ten times a second: what this process and those it started hold of their own. The pages of a mapped file, which
    LMDB's are, are not counted: the system takes them back as it likes."""
    peaks = [0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            peaks[0] = max(peaks[0], sum(_own_kib(pid) for pid in (os.getpid(), *_children())) // 1024)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield peaks
    ended.set()
    thread.join()


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()]


def _own_kib(pid: int) -> int:
    try:
        found = re.search(r"RssAnon:\s+([0-9]+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    except (FileNotFoundError, ProcessLookupError):
        # It has ended meanwhile.
        return 0
    return int(found[1]) if found else 0


def _with_peak(side: Callable[[Path], Run], folder: Path) -> Run:
    with _watched() as peaks:
        run = side(folder)
    return replace(run, rss_mb=peaks[0])


SIDES = {"ours": partial(_with_peak, ours), "SQLite, WITHOUT ROWID": partial(_with_peak, sqlite)}
