"""XXH64 over whole columns: the number that both engines give for ``xxhash64(a, b, ...)``, reckoned without one.

As in Spark, the first column is hashed with the seed 42 and each further one with the hash so far; a null leaves it as it is.
It tells rows apart quickly; whoever wants two texts with one hash can make them, so nothing may rest on it alone.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Hashes = NDArray[np.int64]
_Words = NDArray[np.uint64]
_Ends = NDArray[np.int64]

_P1, _P2, _P3, _P4, _P5 = (
    np.uint64(n)
    for n in (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
)
_LANES = tuple(np.uint64(n % 2**64) for n in (int(_P1) + int(_P2), int(_P2), 0, -int(_P1)))
_SEED = 42
# A text's octets are read by eights; the last eight reach beyond its end.
_BEYOND = 8
# Steps keep this many rows' numbers in the processor's cache.
_AT_ONCE = 1 << 15


def xxhash64(*columns: pa.Array | pa.ChunkedArray) -> Hashes:
    """One number a row, as the engines' function of the same name. Columns are texts or 64-bit integers."""
    rows = len(columns[0])
    whole = [column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column for column in columns]
    found = np.empty(rows, np.uint64)
    for start in range(0, rows, _AT_ONCE):
        some = [column.slice(start, _AT_ONCE) for column in whole]
        hashes = np.full(len(some[0]), _SEED, np.uint64)
        for column in some:
            valid = column.is_valid().to_numpy(zero_copy_only=False)
            more = _of_integers(column, hashes) if pa.types.is_integer(column.type) else _of_texts(column, hashes)
            hashes = more if valid.all() else np.where(valid, more, hashes)
        found[start : start + _AT_ONCE] = hashes
    return found.view(np.int64)


def _of_integers(column: pa.Array, seed: _Words) -> _Words:
    words = column.cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64)
    return _avalanche(_mixed(seed + _P5 + np.uint64(8), words))


def _of_texts(column: pa.Array, seed: _Words) -> _Words:
    texts = column.cast(pa.large_string()).fill_null("")
    _, offsets, octets = texts.buffers()
    ends = np.frombuffer(offsets, np.int64, len(texts) + 1, texts.offset * 8)
    first, last = int(ends[0]), int(ends[-1])
    data = np.zeros(last - first + _BEYOND, np.uint8)
    if last > first:
        data[: last - first] = np.frombuffer(octets, np.uint8)[first:last]
    # The eight octets that begin at each octet, as one number.
    eights = np.ndarray(len(data) - _BEYOND + 1, "<u8", data.data, strides=(1,))
    hashes, at, rest = _stripes(eights, ends[:-1] - first, np.diff(ends), seed)
    hashes = hashes + np.diff(ends).astype(np.uint64)
    for octets_each, mask, mix in _STEPS:
        while (goes_on := rest >= octets_each).any():
            words = eights[np.where(goes_on, at, 0)] & mask
            hashes = np.where(goes_on, mix(hashes, words), hashes)
            at, rest = at + octets_each * goes_on, rest - octets_each * goes_on
    return _avalanche(hashes)


def _stripes(eights: _Words, at: _Ends, lengths: _Ends, seed: _Words) -> tuple[_Words, _Ends, _Ends]:
    """What comes of each text's whole stripes of 32 octets; where its rest begins, and how long that is."""
    hashes, many = seed + _P5, lengths // 32
    rows = np.flatnonzero(many)
    if len(rows):
        start, left = at[rows], many[rows]
        lanes = [seed[rows] + add for add in _LANES]
        for stripe in range(int(left.max())):
            goes_on = left > stripe
            for number, lane in enumerate(lanes):
                place = np.where(goes_on, start + 32 * stripe + 8 * number, 0)
                lanes[number] = np.where(goes_on, _round(lane, eights[place]), lane)
        merged = sum((_turned(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)), np.uint64(0))
        for lane in lanes:
            merged = (merged ^ _round(np.zeros_like(lane), lane)) * _P1 + _P4
        hashes[rows] = merged
    return hashes, at + many * 32, lengths - many * 32


def _round(lane: _Words, words: _Words) -> _Words:
    return _turned(lane + words * _P2, 31) * _P1


def _mixed(hashes: _Words, words: _Words) -> _Words:
    return _turned(hashes ^ _round(np.zeros_like(words), words), 27) * _P1 + _P4


def _four(hashes: _Words, words: _Words) -> _Words:
    return _turned(hashes ^ (words * _P1), 23) * _P2 + _P3


def _one(hashes: _Words, words: _Words) -> _Words:
    return _turned(hashes ^ (words * _P5), 11) * _P1


def _avalanche(hashes: _Words) -> _Words:
    hashes = (hashes ^ (hashes >> np.uint64(33))) * _P2
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _P3
    return hashes ^ (hashes >> np.uint64(32))


def _turned(words: _Words, bits: int) -> _Words:
    return (words << np.uint64(bits)) | (words >> np.uint64(64 - bits))


# How what is left of a text is taken in: so many octets at a time.
_STEPS = ((8, np.uint64(0xFFFFFFFFFFFFFFFF), _mixed), (4, np.uint64(0xFFFFFFFF), _four), (1, np.uint64(0xFF), _one))
