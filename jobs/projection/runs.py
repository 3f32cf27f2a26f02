"""Sorted rows put aside in files, and read back as one stream in the order of their keys.

A store that is written in the order of its keys touches each of its pages once; a day's rows come in the order of its postings.
So each share of the day is sorted by itself and put aside as a run; a salt's runs are merged, a block of each at a time, so that
memory does not grow with the day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.projection.packing import SCHEMA, Packed, in_key_order
from schemas.store_proof import StoreSum

# Rows of a run that are in memory at a time.
_BLOCK_ROWS = 8_192
_COLUMNS = ("key", "cell")
_STORED = pa.schema([SCHEMA.field(name) for name in _COLUMNS])

Place = tuple[str, int]


@dataclass(frozen=True)
class RunFile:
    """A file of sorted runs: for each table and salt its first block and how many, and what proves its rows."""

    path: Path
    blocks: dict[Place, tuple[int, int]]
    proofs: dict[Place, StoreSum]


def put_aside(path: Path, parts: Iterable[Packed]) -> RunFile:
    """Write the runs of one share of a day. Raises OSError where there is no room."""
    blocks: dict[Place, tuple[int, int]] = {}
    proofs: dict[Place, StoreSum] = {}
    written = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _STORED) as file:
        for part in parts:
            batches = part.rows.select(list(_COLUMNS)).to_batches(max_chunksize=_BLOCK_ROWS)
            for batch in batches:
                file.write_batch(batch)
            place = part.table, part.salt
            assert place not in blocks
            blocks[place], proofs[place] = (written, len(batches)), part.proof
            written += len(batches)
    return RunFile(path, blocks, proofs)


class Runs:
    """All runs of a day. Their files are taken over: they have no names any more, and go when this is closed."""

    def __init__(self) -> None:
        self._files: list[tuple[RunFile, Any, Any]] = []
        self.proofs: dict[Place, StoreSum] = {}

    def take(self, run: RunFile) -> None:
        source = pa.OSFile(str(run.path), "rb")
        run.path.unlink()
        self._files.append((run, source, pa.ipc.open_file(source)))
        for place, proof in run.proofs.items():
            self.proofs[place] = self.proofs.get(place, StoreSum()) + proof

    def rows(self, table: str, salt: int) -> Iterator[pa.Table]:
        """The rows of one table and salt, in blocks, in the order of their keys."""
        return merged(_blocks(reader, *run.blocks.get((table, salt), (0, 0))) for run, _, reader in self._files)

    def pairs(self, table: str, salt: int) -> Iterator[tuple[bytes, bytes]]:
        """The same rows one by one: key and cell."""
        for block in self.rows(table, salt):
            yield from zip(block["key"].to_pylist(), block["cell"].to_pylist(), strict=True)

    def close(self) -> None:
        for _, source, _ in self._files:
            source.close()


def _blocks(reader: Any, first: int, count: int) -> Iterator[pa.RecordBatch]:
    return (reader.get_batch(number) for number in range(first, first + count))


def merged(runs: Iterable[Iterator[pa.RecordBatch]]) -> Iterator[pa.Table]:
    """Sorted runs as one: of all blocks at hand, whatever is not after the first that ends."""
    at_hand = [(block, run) for run in runs if (block := next(run, None)) is not None]
    while at_hand:
        end = min(block["key"][-1].as_py() for block, _ in at_hand)
        ready, left = [], []
        for block, run in at_hand:
            count = bisect_right(block["key"], end, key=lambda key: key.as_py())
            if count:
                ready.append(block.slice(0, count))
            rest = block.slice(count) if count < len(block) else next(run, None)
            if rest is not None:
                left.append((rest, run))
        yield in_key_order(pa.Table.from_batches(ready)) if len(ready) > 1 else pa.Table.from_batches(ready)
        at_hand = left
