"""What a bucket holds, without its rows: how many, their sum, and a digest that neither order nor parts change.

The digest is the sum of a 64-bit hash of each row's place, key and amount, its halves summed apart so that no engine's integers
overflow; so are the amounts. Of two sums that agree in all this the rows are the same ones, each counted as often.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from custody.ports import Row
from jobs.reconcile.numbers import blocks

# Of a row as the engine sees it: which it is, and what is counted of it.
ROW_HASH = "xxhash64({0}.row_ref, {0}.match_key, {0}.amount_minor)"
_LOW = 0xFFFFFFFF

# relation, side, platform, the file that the rows landed from ("" where none did)
Place = tuple[str, str, str, str]


class Totals(NamedTuple):
    rows: int = 0
    amount_minor: int = 0
    high: int = 0
    low: int = 0

    def plus(self, other: Totals) -> Totals:
        return Totals(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def digest(self) -> str:
        return f"{self.high:016x}{self.low:016x}"


def totals_sql(row: str, prefix: str) -> str:
    """Columns of a grouped query: ``prefix`` names them, ``row`` is the alias whose rows are counted."""
    row_hash, amount_minor = ROW_HASH.format(row), f"{row}.amount_minor"
    return f"""
        count({row_hash}) as {prefix}_rows,
        coalesce(sum(shiftright({amount_minor}, 32)), 0) as {prefix}_amount_high,
        coalesce(sum({amount_minor} & {_LOW}), 0) as {prefix}_amount_low,
        coalesce(sum(shiftrightunsigned({row_hash}, 32)), 0) as {prefix}_high,
        coalesce(sum({row_hash} & {_LOW}), 0) as {prefix}_low
    """


def totals_of(row: Mapping[str, int], prefix: str) -> Totals:
    """What ``totals_sql`` found."""
    amount = (row[f"{prefix}_amount_high"] << 32) + row[f"{prefix}_amount_low"]
    return Totals(row[f"{prefix}_rows"], amount, row[f"{prefix}_high"], row[f"{prefix}_low"])


def totals_of_hashes(hashes: NDArray[np.int64]) -> Totals:
    """The same over row hashes; of their amounts nothing is known."""
    unsigned = hashes.view(np.uint64)
    high = low = 0
    for some in blocks(len(hashes)):
        high += int((unsigned[some] >> np.uint64(32)).sum())
        low += int((unsigned[some] & np.uint64(_LOW)).sum())
    return Totals(len(hashes), 0, high, low)


def totals_by(
    codes: NDArray[np.int32], many: int, hashes: NDArray[np.int64], minor: NDArray[np.int64], rows: NDArray[np.int64]
) -> list[Totals]:
    """Of these rows those of each code from 0 to ``many``; one that is named twice counts twice. Quickest where rows of one code follow each
    other. Exact: 32 bits of so few rows add up to less than 2^63."""
    counts = np.zeros(many, np.int64)
    # The lower 32 bits of what is summed, as if unsigned, and the upper ones, of hashes unsigned too.
    sums = np.zeros((4, many), np.int64)
    for block in blocks(len(rows)):
        some = rows[block]
        of = codes[some]
        first = np.flatnonzero(np.concatenate([[True], of[1:] != of[:-1]]))
        np.add.at(counts, of[first], np.diff(first, append=len(some)))
        amounts, unsigned = minor[some], hashes[some].view(np.uint64)
        halves = (
            amounts & _LOW,
            amounts >> 32,
            (unsigned & np.uint64(_LOW)).view(np.int64),
            (unsigned >> np.uint64(32)).view(np.int64),
        )
        for half, values in enumerate(halves):
            np.add.at(sums[half], of[first], np.add.reduceat(values, first))
    return [
        Totals(int(counts[of]), int(low) + (int(high) << 32), int(row_high), int(row_low))
        for of, (low, high, row_low, row_high) in enumerate(sums.T)
    ]


def rows_of(totals: Mapping[Place, Totals]) -> list[Row]:
    """As rows of the table match_totals."""
    names = ("relation", "side", "platform", "file_name")
    return [
        dict(zip(names, place, strict=True)) | {"rows": t.rows, "amount_minor": t.amount_minor, "digest": t.digest}
        for place, t in sorted(totals.items())
        if t.rows
    ]
