"""Whom rules over weeks could concern at all, told before their rows are put together: sums by a few bits of a digest of each customer's id.

Who shares these bits with others is picked for their sums too, and then judged by his own rows alone; nobody is left out. So of weeks in which
everybody moved the rows of a few are in memory, and the sums take what they take however many customers there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# 4 million sums are 32 MiB.
MOST_BITS = 22
_BYTES = 16
_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)


def bits_for(rows: int) -> int:
    """As many as so many rows of different customers would fill, within bounds."""
    return min(MOST_BITS, max(8, rows.bit_length()))


def places(ids: Any, bits: int) -> npt.NDArray[np.int64]:
    """Of each text its place among ``2 ** bits``, by its first bytes: customers' ids are digests, which are spread evenly by them."""
    texts = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    count = len(texts)
    if not count:
        return np.empty(0, np.int64)
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + count + 1].astype(np.int64)
    sizes = np.diff(ends)
    octets = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    if sizes.min() == sizes.max() >= _BYTES:
        first = np.ascontiguousarray(octets[ends[0] : ends[-1]].reshape(count, -1)[:, :_BYTES])
    else:
        first = np.zeros((count, _BYTES), np.uint8)
        for number in range(_BYTES):
            some = sizes > number
            first[some, number] = octets[ends[:-1][some] + number]
    words = first.view(np.uint64) * _ODD
    mixed = words[:, 0] ^ (words[:, 1] >> np.uint64(7))
    return (mixed >> np.uint64(64 - bits)).astype(np.int64)


class Sums:
    """Named sums, each by place."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._of: dict[str, npt.NDArray[np.int64]] = {}

    def add(self, name: str, at: npt.NDArray[np.int64], minor: npt.NDArray[np.int64]) -> None:
        np.add.at(self[name], at, minor)

    def __getitem__(self, name: str) -> npt.NDArray[np.int64]:
        if name not in self._of:
            self._of[name] = np.zeros(1 << self.bits, np.int64)
        return self._of[name]
