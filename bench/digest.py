"""The content digest that seals a table (connectors.lake.content_digest) against an order-independent sum of pandas' row
hashes, which agrees or differs like ours but proves nothing to a third party."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.harness import Run

ROWS = 1_000_000
_SAMPLE = 20_000


def prepare(folder: Path, rows: int) -> None:
    number = np.arange(rows, dtype=np.int64)
    text = pc.cast(pa.array(number), pa.string())
    table = pa.table(
        {
            "platform": pc.binary_join_element_wise("P00", pc.cast(pa.array(number % 9 + 1), pa.string()), ""),
            "request_no": pc.binary_join_element_wise("R20200102", text, ""),
            "leg": pa.array(number % 3 + 1),
            "loan_id": pc.if_else(pa.array(number % 4 == 0), None, pc.binary_join_element_wise("标的LN", text, "")),
            "amount_minor": pa.array(1_000 + number * 37 % 5_000_000),
            "event_time": pa.array(1_577_894_400_000_000 + number * 50_000, pa.timestamp("us", tz="UTC")),
        }
    )
    pq.write_table(table, folder / "rows.parquet", compression="zstd")


def ours(folder: Path) -> Run:
    from connectors.table_digest import content_digest

    return _timed(folder, content_digest)


def pandas_hash_sum(folder: Path) -> Run:
    import pandas as pd

    def digest(table: pa.Table) -> str:
        hashes = pd.util.hash_pandas_object(table.to_pandas(), index=False)
        return f"{hashes.sum():016x}"

    return _timed(folder, digest)


def _timed(folder: Path, digest: Callable[[pa.Table], str]) -> Run:
    table = pq.read_table(folder / "rows.parquet")
    started = time.perf_counter()
    digest(table)
    seconds = time.perf_counter() - started
    # The two give different text; what they must share is what they can tell.
    sample = table.slice(0, _SAMPLE)
    backwards = sample.take(pa.array(np.arange(sample.num_rows)[::-1]))
    amount = sample.schema.get_field_index("amount_minor")
    changed = sample.set_column(amount, "amount_minor", pc.add(sample["amount_minor"], 1))
    whole = digest(sample)
    told = {"order_does_not_count": digest(backwards) == whole, "sees_a_change": digest(changed) != whole}
    return Run({"digest": seconds}, {"rows": table.num_rows, **told})


SIDES = {"ours": ours, "pandas hash sum": pandas_hash_sum}
