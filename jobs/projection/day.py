"""A day's rows for the keyed store: packed by shares of its postings, by several processes where there are many."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from connectors.bootstrap import Wiring
from connectors.disk import room_for
from connectors.lake import Lake
from jobs.projection.flows import AT_ONCE, journal_rows, txn_rows
from jobs.projection.packing import Packed, by_salt
from jobs.projection.runs import RunFile, Runs, put_aside
from jobs.projection.states import state_rows
from jobs.workers import in_order
from schemas.store_keys import LEDGER_TABLES
from schemas.store_records import RECORDS

# Packed rows that make a run, which is sorted in memory.
_RUN_ROWS = 500_000
# Journal and transaction rows that make a share; below this in all, processes cost more than they save.
_SHARE_ROWS = 250_000
# A packed row on disk, more or less: only said when there is no room for it.
_ROW_BYTES = 250
_FOLDER = "projecting"
_FLOWS = ("journal", "ledger_txn")

TODAYS_VERSIONS: dict[str, int] = {table: RECORDS[table].version for table in LEDGER_TABLES}


@dataclass(frozen=True)
class Source:
    """What a day's rows are made from: the sealed outputs of post, of this day and of the day before, if there was one.

    ``versions``: of the record of each table, so that a day is written again as it was written before.
    """

    on: date
    today: str
    yesterday: str | None
    versions: Mapping[str, int]


@dataclass(frozen=True)
class _Share:
    """Some parts of a flow's table, or (no table) the day's snapshots. ``file``: how the names of its runs begin."""

    source: Source
    table: str | None
    parts: slice
    file: Path


def packed_day(wiring: Wiring, source: Source) -> Runs:
    """The day's rows, sorted and summed. Raises what reading the lake raises, DiskFull when there is no room to put them aside."""
    folder = wiring.settings.path(wiring.settings.post.scratch) / _FOLDER
    # Only what a run left that was killed: a file is taken over, and its name gone, as soon as its share is whole.
    shutil.rmtree(folder, ignore_errors=True)
    with _room(folder, _ROW_BYTES):
        folder.mkdir(parents=True)
    with ExitStack() as undo:
        runs = Runs()
        undo.callback(runs.close)
        for files in _run_files(wiring, list(_shares(wiring.lake, source, folder))):
            for file in files:
                runs.take(file)
        undo.pop_all()
    folder.rmdir()
    return runs


def _room(path: Path, wanted_bytes: int) -> AbstractContextManager[None]:
    return room_for("what is projected into the keyed store", path, wanted_bytes)


def _shares(lake: Lake, source: Source, folder: Path) -> Iterator[_Share]:
    manifest = lake.manifest(source.today)
    for table in _FLOWS:
        count = len(manifest.parts(table))
        together = max(1, count * _SHARE_ROWS // max(1, manifest.tables[table]["rows"]))
        for first in range(0, count, together):
            yield _Share(source, table, slice(first, first + together), folder / f"{table}-{first:05d}")
    yield _Share(source, None, slice(None), folder / "snapshots")


def _run_files(wiring: Wiring, shares: list[_Share]) -> Iterator[list[RunFile]]:
    tables = wiring.lake.manifest(shares[0].source.today).tables
    processes = min(wiring.settings.post.processes, len(shares))
    if processes < 2 or sum(tables[table]["rows"] for table in _FLOWS) < _SHARE_ROWS:
        yield from (_put_aside(wiring, share) for share in shares)
        return
    with closing(in_order(wiring.settings.home, _put_aside, shares, processes)) as files:
        yield from files


def _put_aside(wiring: Wiring, share: _Share) -> list[RunFile]:
    """The runs of one share."""
    files: list[RunFile] = []
    found: dict[str, list[pa.Table]] = {}

    def put(rows: int) -> None:
        path = share.file.with_suffix(f".{len(files)}")
        with _room(path, rows * _ROW_BYTES):
            files.append(put_aside(path, _sorted(found)))
        found.clear()

    held = 0
    for table, packed in _rows(wiring.lake, share):
        found.setdefault(table, []).append(packed)
        held += packed.num_rows
        if held >= _RUN_ROWS:
            put(held)
            held = 0
    if held:
        put(held)
    return files


def _sorted(found: Mapping[str, list[pa.Table]]) -> Iterator[Packed]:
    for table in sorted(found):
        yield from by_salt(table, pa.concat_tables(found[table]))


def _rows(lake: Lake, share: _Share) -> Iterator[tuple[str, pa.Table]]:
    source = share.source
    if share.table is None:
        yield from state_rows(lake, source.today, source.yesterday, source.on, source.versions)
        return
    for part in lake.batches(source.today, share.table, share.parts):
        for start in range(0, part.num_rows, AT_ONCE):
            rows = part.slice(start, AT_ONCE)
            if share.table == "journal":
                yield from journal_rows(rows, source.on, source.versions)
            else:
                yield from txn_rows(rows, source.versions)
