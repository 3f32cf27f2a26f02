"""Which of today's keys were posted on an earlier day, whatever lies between.

Of the earlier days only eight octets a key are read, a part at a time, and compared with the sorted hashes of today's. Where
one of them is found, that part's rows are read and compared in full: two keys may have one hash, and no leg is refused for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from connectors.bootstrap import Wiring
from custody.services.outputs import Seal
from jobs.post.legs import Run, Source
from jobs.post.posting import TxnKey
from jobs.post.scratch import room
from jobs.workers import in_order

Ints = NDArray[np.int64]
# path of today's hashes, parts to compare, each with its date
Task = tuple[Path, list[tuple[Source, date]]]
# By key: the last date on which a leg of it was posted, and its content hash.
Found = dict[TxnKey, tuple[date, str]]
# Parts that one task compares.
_AT_ONCE = 8


def hashes_of(runs: Sequence[Run]) -> Ints:
    """The key hashes of all legs, sorted."""
    columns = [pa.ipc.open_file(pa.memory_map(str(run.path))).read_all()["key_hash"].to_numpy() for run in runs]
    hashes: Ints = np.concatenate([np.empty(0, np.int64), *columns])
    hashes.sort()
    return hashes


def posted_before(wiring: Wiring, posts: Sequence[Seal], hashes: Ints, folder: Path, processes: int) -> dict[TxnKey, str]:
    """By key of those of today's legs that ``posts`` have posted, or that share a hash with one: its content hash. What was reversed
    since is posted no more."""
    if not len(hashes):
        return {}
    path = folder / "today.npy"
    with room(path, hashes.nbytes):
        np.save(path, hashes)
    parts = [
        (Source(seal.path, "posted_keys", name), seal.custody_date)
        for seal in posts
        for name in wiring.lake.parts(seal.path, "posted_keys")
    ]
    tasks = [(path, parts[n : n + _AT_ONCE]) for n in range(0, len(parts), _AT_ONCE)]
    found: Found = {}
    if processes < 2 or len(tasks) < 2:
        for task in tasks:
            found |= _compare(wiring, task)
    else:
        with closing(in_order(wiring.settings.home, _compare, tasks, processes)) as answers:
            for answer in answers:
                found |= answer
    reversed_on = _reversed_on(wiring, posts) if found else {}
    return {key: content for key, (on, content) in found.items() if reversed_on.get(key, on) <= on}


def _reversed_on(wiring: Wiring, posts: Sequence[Seal]) -> dict[TxnKey, date]:
    """By key the last date on which it was reversed. What was posted anew on that very date was posted after it."""
    found: dict[TxnKey, date] = {}
    for seal in posts:
        # A day that a program without reversals posted has no such table.
        if "reversed_keys" in wiring.lake.manifest(seal.path).tables:
            rows = wiring.lake.rows(seal.path, "reversed_keys")
            found |= {(row["platform"], row["request_no"], row["leg"]): seal.custody_date for row in rows}
    return found


def _compare(wiring: Wiring, task: Task) -> Found:
    hashes: Ints = np.load(task[0], mmap_mode="r")
    found: Found = {}
    for part, on in task[1]:
        theirs = wiring.lake.part(part.output, part.table, part.part, ["key_hash"])["key_hash"].to_numpy()
        # Sorted within a platform: neighbours are looked for in neighbouring places.
        at = np.searchsorted(hashes, theirs)
        hits = np.flatnonzero(hashes[np.minimum(at, len(hashes) - 1)] == theirs)
        if len(hits):
            rows = wiring.lake.part(part.output, part.table, part.part).take(pa.array(hits))
            found |= {(row["platform"], row["request_no"], row["leg"]): (on, row["content_hash"]) for row in rows.to_pylist()}
    return found
