"""Reading a TXN file into typed Arrow batches (schemas.columnar: every cell typed and checked, keys and totals kept) against
DuckDB's bare CSV reader, which gives every column as text and checks nothing. Both stream, on the same number of threads."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.harness import Run

ROWS = 1_000_000
_LAYOUT = "platform_txn/1"
_NAME = "P001_TXN_20200102_01_v1.csv"
_AT_ONCE = 250_000


def prepare(folder: Path, rows: int) -> None:
    write_txn(folder / _NAME, 0, rows)


def write_txn(path: Path, first: int, rows: int) -> None:
    """A file of good rows of layout platform_txn/1, numbered from ``first``."""
    from schemas.layout import load_layout

    with path.open("wb") as file:
        file.write(f"{load_layout(_LAYOUT).header}\n".encode())
        for start in range(first, first + rows, _AT_ONCE):
            file.write(_lines(np.arange(start, min(start + _AT_ONCE, first + rows), dtype=np.int64)))


def _lines(number: np.ndarray[tuple[int], np.dtype[np.int64]]) -> bytes:
    interest = number % 50
    amount = 1_000 + number * 37 % 5_000_000
    clock = pc.strftime(pa.array(number % 86_400, pa.timestamp("s")), "%H:%M:%S")
    cells = {
        "request_no": _joined("R20200102", _digits(number // 3, 9)),
        "leg": _digits(number % 3 + 1, 1),
        "txn_type": "REPAYMENT",
        "from_role": "BORROWER",
        "from_user_no": _joined("B", _digits(number % 2_000, 6)),
        "to_role": "LENDER",
        "to_user_no": _joined("L", _digits(number % 40_000, 6)),
        "amount": _yuan(amount),
        "currency": "CNY",
        "loan_id": _joined("LN", _digits(number % 2_000, 6)),
        "principal": _yuan(amount - interest),
        "interest": _yuan(interest),
        "penalty": "0.00",
        "coupon": "",
        "related_request_no": _joined("F20200102", _digits(number // 3, 9)),
        "channel": "",
        "status": "SUCCESS",
        "event_time": _joined("2020-01-02T", clock),
    }
    return "".join(_joined(*_with_commas(list(cells.values()))).to_pylist()).encode()


def _with_commas(cells: list[pa.Array | str]) -> list[pa.Array | str]:
    parted: list[pa.Array | str] = []
    for cell in cells:
        parted += [cell, ","]
    return [*parted[:-1], "\n"]


def _joined(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _digits(number: np.ndarray[tuple[int], np.dtype[np.int64]], width: int) -> pa.Array:
    return pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), width, "0")


def _yuan(minor: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Array:
    return _joined(pc.cast(pa.array(minor // 100), pa.string()), ".", _digits(minor % 100, 2))


def ours(folder: Path) -> Run:
    from schemas.columnar import FileReader
    from schemas.content import Content
    from schemas.layout import load_layout

    layout = load_layout(_LAYOUT)
    rows = 0
    started = time.perf_counter()
    reader = FileReader(layout, _NAME, Content.at(folder / _NAME), "utf-8", None, threads=_threads())
    for batch in reader.batches():
        rows += batch.num_rows
    seconds = time.perf_counter() - started
    assert not reader.rest.faults and not reader.rest.file_faults
    return Run({"land": seconds}, {"rows": rows, "amount_minor": reader.rest.totals_minor["amount"]})


def duckdb_read_csv(folder: Path) -> Run:
    return read_text(folder / _NAME, "land", _threads())


def read_text(path: Path, measured: str, threads: int) -> Run:
    """DuckDB's batches of text over the files that ``path`` names, a glob or one file."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {threads}")
    source = f"read_csv('{path}', all_varchar = true, header = true, delim = ',', quote = '')"
    rows = 0
    started = time.perf_counter()
    for batch in connection.sql(f"select * from {source}").to_arrow_reader(100_000):
        rows += batch.num_rows
    seconds = time.perf_counter() - started
    # Two decimals always stand in the files, so that the digits alone are minor units.
    found = connection.sql(f"select sum(replace(amount, '.', '')::bigint)::bigint from {source}").fetchall()
    return Run({measured: seconds}, {"rows": rows, "amount_minor": found[0][0]})


def _threads() -> int:
    return os.cpu_count() or 1


SIDES = {"ours": ours, "DuckDB read_csv": duckdb_read_csv}
