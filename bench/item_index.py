"""What is laid by for matching (connectors.item_index) of claims and legs, against the content digest that each writer of a table reckons
of the same rows anyway: what matching by numbers costs landing and posting."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.harness import Run
from bench.reconcile import lake_tables
from bench.reconcile_day import make_day

ROWS = 200_000


def prepare(folder: Path, rows: int) -> int:
    return make_day(folder / "home", rows)


def laid_by(folder: Path) -> Run:
    from connectors.item_index import indexed

    return _timed(folder, indexed)


def content_digest(folder: Path) -> Run:
    from connectors.table_digest import row_hashes

    return _timed(folder, lambda name, rows: row_hashes(rows))


def _timed(folder: Path, work: Callable[[str, pa.Table], object]) -> Run:
    from schemas.tables import TABLES

    rows = 0
    seconds = 0.0
    for name, path in lake_tables(folder).items():
        table = pq.read_table(path, columns=TABLES[name].names)
        rows += table.num_rows
        started = time.perf_counter()
        work(name, table)
        seconds += time.perf_counter() - started
    return Run({"item_index": seconds}, {"rows": rows})


SIDES = {"ours": laid_by, "content digest": content_digest}
