"""The day's legs, in order of platform and event time, however many there are.

Landed parts, and what waited since yesterday, each become a run: sorted, beside it hashes of each leg's key, request and
content. A share of the platforms is then read from all runs at once: an index of eight octets a leg says in which order, and
a chunk of that order is at most one slice of each run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.bootstrap import Wiring
from connectors.lake import arrow_schema
from connectors.table_digest import HASH_BYTES, row_hashes
from jobs.distinct_keys import key_hashes
from jobs.post.scratch import room
from schemas.tables import TABLES

LANDED = arrow_schema(TABLES["land_instruction"])
# What says where a row stood is no content: the same leg sent again stands elsewhere.
_CONTENT = [name for name in LANDED.names if name not in ("party", "file_name", "line_no", "custody_date")]
_KEY = ["platform", "request_no", "leg"]
_RUN_ROWS = 1 << 20

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """One part of a table in the lake."""

    output: str
    table: str
    part: str


@dataclass(frozen=True)
class Run:
    """``legs``: how many of each platform, in order of platform."""

    path: Path
    legs: dict[str, int]


def sort_part(wiring: Wiring, task: tuple[Source, Path, frozenset[str]]) -> list[Run]:
    """The legs of one part as runs under ``task[1]`` with a number; what waited of the files ``task[2]`` is left out."""
    source, path, withdrawn = task
    rows = wiring.lake.part(source.output, source.table, source.part)
    if source.table == "pending_instructions":
        if withdrawn:
            rows = rows.filter(pc.invert(pc.is_in(rows["file_name"], pa.array(sorted(withdrawn)))))
        rows = _landed_again(rows)
    return sort_rows(rows, path)


def sort_rows(rows: pa.Table, path: Path) -> list[Run]:
    """Landed legs as runs under ``path`` with a number; legs of one moment stay in their order."""
    runs = []
    for start in range(0, rows.num_rows, _RUN_ROWS):
        runs.append(_write_run(rows.slice(start, _RUN_ROWS), path.with_name(f"{path.name}-{start // _RUN_ROWS}.arrow")))
    return runs


def _landed_again(pending: pa.Table) -> pa.Table:
    """What waits, as it landed."""
    rows = []
    for row in pending.to_pylist():
        landed = json.loads(row["payload"])
        rows.append({**landed, "event_time": datetime.fromisoformat(landed["event_time"]), "custody_date": row["custody_date"]})
    return pa.Table.from_pylist(rows, LANDED)


def _write_run(rows: pa.Table, path: Path) -> Run:
    rows = rows.take(pc.sort_indices(rows, [("platform", "ascending"), ("event_time", "ascending")]))
    rows = rows.append_column("content_hash", content_hashes(rows))
    rows = rows.append_column("key_hash", pa.array(key_hashes(rows.select(_KEY)).view(np.int64)))
    rows = rows.append_column("request_hash", pa.array(key_hashes(rows.select(_KEY[:2])).view(np.int64)))
    (batch,) = rows.combine_chunks().to_batches()

    with room(path, batch.nbytes), pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(batch["platform"]).to_pylist()}
    return Run(path, dict(sorted(counts.items())))


def content_hashes(rows: pa.Table) -> pa.Array:
    """Of landed legs: what each says, wherever it stands."""
    size = 2 * HASH_BYTES
    text = row_hashes(rows.select(_CONTENT)).hex().encode()
    offsets = np.arange(0, (rows.num_rows + 1) * size, size, dtype=np.int32)
    return pa.StringArray.from_buffers(rows.num_rows, pa.py_buffer(offsets), pa.py_buffer(text))


class Legs:
    """The legs of the platforms after ``after`` and up to ``upto``. A leg's place is its row in the runs laid end to end."""

    def __init__(self, runs: Sequence[Run], after: str, upto: str) -> None:
        tables, ranks, names = [], [], []
        for run in runs:
            counts = list(run.legs.items())
            before = sum(n for platform, n in counts if platform <= after)
            mine = [(platform, n) for platform, n in counts if after < platform <= upto]
            if mine:
                table = pa.ipc.open_file(pa.memory_map(str(run.path))).read_all()
                tables.append(table.slice(before, sum(n for _, n in mine)))
                names.append(mine)
        rank = {platform: n for n, platform in enumerate(sorted({platform for mine in names for platform, _ in mine}))}
        ranks = [np.repeat([rank[p] for p, _ in mine], [n for _, n in mine]).astype(np.int32) for mine in names]
        self._tables = tables
        self._starts = np.cumsum([0, *(t.num_rows for t in tables)])
        self.count = int(self._starts[-1])
        self._ranks = np.concatenate([np.empty(0, np.int32), *ranks])
        # Stable, so that legs of one moment stay in the order in which they landed.
        self._order = np.lexsort((self._column("event_time"), self._ranks))

    def chunks(self, rows: int) -> Iterator[pa.Table]:
        """All legs in order, with their ``place``, about ``rows`` at a time."""
        for start in range(0, self.count, rows):
            yield self.take(self._order[start : start + rows])

    def take(self, places: Ints, columns: Sequence[str] | None = None) -> pa.Table:
        """The legs at these places, in this order."""
        of_run = np.searchsorted(self._starts, places, "right") - 1
        slices, at, begun = [], np.empty(len(places), np.int64), 0
        for run in np.unique(of_run).tolist():
            here = of_run == run
            rows = places[here] - self._starts[run]
            table = self._tables[run] if columns is None else self._tables[run].select(list(columns))
            first, end = int(rows.min()), int(rows.max()) + 1
            if end - first == len(rows):
                slices.append(table.slice(first, end - first))
                at[here] = rows - first + begun
            else:
                slices.append(table.take(pa.array(rows)))
                at[here] = np.arange(len(rows)) + begun
            begun += len(rows)
        taken = pa.concat_tables(slices).combine_chunks().take(pa.array(at))
        return taken.append_column("place", pa.array(places))

    def by_key(self, posted: NDArray[np.bool_], rows: int) -> Iterator[pa.Table]:
        """The keys of the legs that are ``posted``, by platform and hash, about ``rows`` at a time, equal hashes together."""
        hashes = self._column("key_hash")
        order = np.lexsort((hashes, self._ranks))
        order = order[posted[order]]
        start = 0
        while start < len(order):
            end = min(start + rows, len(order))
            while end < len(order) and hashes[order[end]] == hashes[order[end - 1]]:
                end += 1
            yield self.take(order[start:end], [*_KEY, "key_hash", "content_hash"])
            start = end

    @cached_property
    def repayments(self) -> tuple[Ints, Ints]:
        """Request hashes of the repayments that succeeded, sorted, and their places."""
        found = [np.empty(0, np.int64)]
        for start, table in zip(self._starts, self._tables, strict=False):
            mask = pc.and_(pc.equal(table["txn_type"], "REPAYMENT"), pc.equal(table["status"], "SUCCESS"))
            found.append(np.flatnonzero(mask.to_numpy()) + start)
        places = np.concatenate(found)
        hashes = self._column("request_hash")[places]
        order = np.argsort(hashes, kind="stable")
        return hashes[order], places[order]

    def _column(self, name: str) -> Ints:
        columns = [table[name].cast(pa.int64()).to_numpy() for table in self._tables]
        return np.concatenate([np.empty(0, np.int64), *columns])
