"""Parsing a TXN file (schemas.delimited.parse_delimited: every cell typed and checked, keys and totals kept) against
pandas.read_csv with every column as text, which only splits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from bench.harness import Run
from custody.calendar import CHINA
from schemas.delimited import parse_delimited, write_delimited
from schemas.layout import Value, load_layout

ROWS = 300_000
_LAYOUT = "platform_txn/1"
_NAME = "P001_TXN_20200102_01_v1.csv"


def prepare(folder: Path, rows: int) -> None:
    (folder / _NAME).write_bytes(write_delimited(load_layout(_LAYOUT), _rows(rows), "utf-8"))


def _rows(rows: int) -> Iterator[dict[str, Value]]:
    start = datetime(2020, 1, 2, tzinfo=CHINA)
    for number in range(rows):
        interest = number % 50
        amount = 1_000 + number * 37 % 5_000_000
        yield {
            "request_no": f"R20200102{number // 3:09d}",
            "leg": number % 3 + 1,
            "txn_type": "REPAYMENT",
            "from_role": "BORROWER",
            "from_user_no": f"B{number % 2_000:06d}",
            "to_role": "LENDER",
            "to_user_no": f"L{number % 40_000:06d}",
            "amount_minor": amount,
            "currency": "CNY",
            "loan_id": f"LN{number % 2_000:06d}",
            "principal_minor": amount - interest,
            "interest_minor": interest,
            "penalty_minor": 0,
            "related_request_no": f"F20200102{number // 3:09d}",
            "channel": None,
            "status": "SUCCESS",
            "event_time": start + timedelta(seconds=number % 86_400),
        }


def ours(folder: Path) -> Run:
    data = (folder / _NAME).read_bytes()
    layout = load_layout(_LAYOUT)
    started = time.perf_counter()
    parsed = parse_delimited(layout, _NAME, data, "utf-8")
    seconds = time.perf_counter() - started
    assert not parsed.faults and not parsed.file_faults
    return Run({"land": seconds}, {"rows": len(parsed.rows), "amount_minor": parsed.totals_minor["amount"]})


def pandas_read_csv(folder: Path) -> Run:
    import io

    import pandas as pd

    data = (folder / _NAME).read_bytes()
    started = time.perf_counter()
    frame = pd.read_csv(io.BytesIO(data), dtype=str)
    seconds = time.perf_counter() - started
    # Two decimals always stand in the file, so that the digits alone are minor units.
    amount = int(frame["amount"].str.replace(".", "", regex=False).astype("int64").sum())
    return Run({"land": seconds}, {"rows": len(frame), "amount_minor": amount})


SIDES = {"ours": ours, "pandas.read_csv": pandas_read_csv}
