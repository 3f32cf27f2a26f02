"""Five thousand small TXN files, each with header, seal totals and faults of its own (schemas.columnar), against DuckDB's bare
CSV reader over the same files by a glob. Both on one thread: landing shares files out to processes."""

from __future__ import annotations

import time
from pathlib import Path

from bench.harness import Run
from bench.land import read_text, write_txn

ROWS = 100_000
_FILES = 5_000
# As many as a task of landing takes.
_TOGETHER = 500


def prepare(folder: Path, rows: int) -> int:
    each = max(rows // _FILES, 1)
    for number in range(_FILES):
        write_txn(folder / f"P{number:04d}_TXN_20200102_01_v1.csv", number * each, each)
    return each * _FILES


def ours(folder: Path) -> Run:
    from schemas.columnar import FileReader, prove_together, proved_file
    from schemas.content import Content
    from schemas.layout import load_layout

    layout = load_layout("platform_txn/1")
    rows = amount = 0
    started = time.perf_counter()
    paths = sorted(folder.iterdir())
    for start in range(0, len(paths), _TOGETHER):
        files = {path.name: path.read_bytes() for path in paths[start : start + _TOGETHER]}
        for (name, data), batch in zip(files.items(), prove_together(layout, "utf-8", list(files.values())), strict=True):
            if batch is not None:
                rest = proved_file(layout, name, batch, None, None)
                rows += batch.num_rows
            else:
                reader = FileReader(layout, name, Content.of(data), "utf-8", None)
                rows += sum(batch.num_rows for batch in reader.batches())
                rest = reader.rest
            amount += rest.totals_minor["amount"]
            assert not rest.faults and not rest.file_faults
    return Run({"land_files": time.perf_counter() - started}, {"rows": rows, "amount_minor": amount})


def duckdb_read_csv(folder: Path) -> Run:
    return read_text(folder / "*.csv", "land_files", 1)


SIDES = {"ours": ours, "DuckDB read_csv": duckdb_read_csv}
