"""How many different keys each batch has, in eight octets a row.

Keys are compared by a 64-bit multilinear hash of their text. Of ten million different keys in one batch two have the same hash
about once in fifty thousand such days; a repeated key is therefore a sign to look, and reconciliation names the rows themselves.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# No key's text is longer: fields of at most 50 octets, three to a key.
_LONGEST = 256
_SEPARATOR = "\x1f"
_DRAWN = b"".join(hashlib.sha256(b"distinct_keys %d" % n).digest() for n in range(_LONGEST // 4))
_FACTORS: NDArray[np.uint64] = np.frombuffer(_DRAWN, dtype="<u8")


class DistinctKeys:
    """Collects keys batch by batch; in whatever order and parts they come, the counts are the same."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._hashes: dict[tuple[str, date], list[NDArray[np.uint64]]] = defaultdict(list)

    def add(self, rows: pa.Table) -> None:
        """Take in the keys of rows that have ``party``, ``custody_date`` and the key's columns."""
        batches = rows.select(["party", "custody_date"]).append_column("at", pa.array(np.arange(rows.num_rows)))
        hashes = key_hashes(rows.select(list(self._names)))
        places = batches.group_by(["party", "custody_date"], use_threads=False).aggregate([("at", "list")])
        for party, on, at in zip(places["party"].to_pylist(), places["custody_date"].to_pylist(), places["at_list"], strict=True):
            self._hashes[party, on].append(hashes[at.values.to_numpy()])

    def counts(self) -> dict[tuple[str, date], int]:
        """(party, custody date) -> different keys"""
        return {batch: int(np.unique(np.concatenate(hashes)).size) for batch, hashes in self._hashes.items()}


def key_hashes(keys: pa.Table) -> NDArray[np.uint64]:
    """One number for each row: the sum over its text's octets, each times a factor of its place (mod 2^64).

    Raises ValueError where a key's text is longer than 256 octets.
    """
    # The last cell, which is empty, leaves no text without an octet: reduceat could not add nothing up.
    cells = [column.cast(pa.large_string()).combine_chunks() for column in keys.columns]
    text = pc.binary_join_element_wise(*cells, pa.scalar("", pa.large_string()), pa.scalar(_SEPARATOR, pa.large_string()))
    if not len(text):
        return np.empty(0, np.uint64)
    _, offsets, octets = text.buffers()
    ends = np.frombuffer(offsets, "<i8", len(text) + 1, text.offset * 8)
    lengths = np.diff(ends)
    if lengths.max() > _LONGEST:
        raise ValueError(f"a key of {lengths.max()} octets; at most {_LONGEST} are compared")
    places = np.arange(ends[-1] - ends[0]) - np.repeat(ends[:-1] - ends[0], lengths)
    weighed = (np.frombuffer(octets, np.uint8)[ends[0] : ends[-1]].astype(np.uint64) + np.uint64(1)) * _FACTORS[places]
    return np.add.reduceat(weighed, ends[:-1] - ends[0])
