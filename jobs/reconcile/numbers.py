"""Columns as numbers: texts by their codes, and hashes in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# Hashes that somebody made alike in their leading bits are more than chance makes.
_FEW = 1_000
_BLOCK_ROWS = 1 << 16


def in_order(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The hashes in ascending order, and the place of each among ``keys``. Numbers are sorted in a tenth of the time that places are:
    each hash's leading bits, and behind them its place; the few whose leading bits are one are put in order at last."""
    behind = np.uint64((1 << max(len(keys) - 1, 1).bit_length()) - 1)
    # With the sign turned round, negative numbers come first.
    packed = keys.view(np.uint64) ^ np.uint64(1 << 63)
    for some in blocks(len(packed)):
        packed[some] &= ~behind
        packed[some] |= np.arange(some.start, some.stop, dtype=np.uint64)
    packed.sort()
    packed &= behind
    places = packed.view(np.int64)
    ordered = keys[places]
    wrong = np.flatnonzero(ordered[1:] < ordered[:-1])
    if len(wrong) > _FEW:
        places = np.argsort(keys)
        return keys[places], places
    # All whose leading bits are one stand together, by their places.
    rest = behind.view(np.int64)
    for at in wrong.tolist():
        least = ordered[at] & ~rest
        first, end = np.searchsorted(ordered, least), np.searchsorted(ordered, least | rest, "right")
        run = places[first:end]
        places[first:end] = run[np.argsort(keys[run])]
        ordered[first:end] = keys[places[first:end]]
    return ordered, places


def blocks(rows: int) -> Iterator[slice]:
    """So many rows at a time that what is worked on stays in the processor's cache, and needs no memory of its own."""
    for start in range(0, rows, _BLOCK_ROWS):
        yield slice(start, min(start + _BLOCK_ROWS, rows))


def coded(texts: pa.ChunkedArray) -> tuple[list[str | None], NDArray[np.int32]]:
    """The different texts and None, and of each row which one it is."""
    dictionary, codes = numbered(texts)
    return [*dictionary.to_pylist(), None], np.where(codes < 0, np.int32(len(dictionary)), codes)


def numbered(texts: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int32]]:
    """The same, the texts as they are; null is -1."""
    whole = texts.combine_chunks()
    if not pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_encode()
    codes = whole.indices.fill_null(-1) if whole.null_count else whole.indices
    return whole.dictionary, codes.to_numpy()


def looked_up(values: Sequence[bool], codes: NDArray[np.int32]) -> NDArray[np.bool_]:
    return np.array(values, np.bool_)[codes]
