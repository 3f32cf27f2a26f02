"""A day of compliance in shares: the journal by whole platforms, what moved over weeks by ranges of customers' ids. So memory follows
a share, and any size of share finds and seals the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from custody.errors import StopRun

# Rows of a share that are in memory at once, about.
SHARE_ROWS = 1 << 20
# Behind every id of a platform or a customer.
LAST = "\U0010ffff"
_DIGITS = 256


def of_platforms(pieces: Iterable[pa.Table], share_rows: int) -> Iterator[tuple[str, pa.Table]]:
    """(last platform, the rows of some platforms whole). Raises StopRun when a platform's rows do not stand together."""
    held: list[pa.Table] = []
    rows, last = 0, ""
    for piece in pieces:
        if not piece.num_rows:
            continue
        platforms = piece["platform"]
        newest = platforms[-1].as_py()
        if platforms[0].as_py() < last or pc.any(pc.less(platforms[1:], platforms[:-1])).as_py():
            raise StopRun(f"the journal has moves of {newest} behind those of {max(last, newest)}: platforms must stand together")
        if newest != last and rows + piece.num_rows >= share_rows:
            # The newest platform may go on in the next piece.
            still = piece.filter(pc.equal(platforms, newest))
            done = [*held, piece.slice(0, piece.num_rows - still.num_rows)]
            before = [table for table in done if table.num_rows]
            if before:
                yield before[-1]["platform"][-1].as_py(), pa.concat_tables(before)
            held, rows = [still], still.num_rows
        else:
            held.append(piece)
            rows += piece.num_rows
        last = newest
    if held:
        yield last, pa.concat_tables(held)


def together(pieces: Iterable[pa.Table], share_rows: int) -> Iterator[pa.Table]:
    """Pieces put together to so many rows at least: what they are looked up in is hashed once for each."""
    held: list[pa.Table] = []
    rows = 0
    for piece in pieces:
        held.append(piece)
        rows += piece.num_rows
        if rows >= share_rows:
            yield pa.concat_tables(held)
            held, rows = [], 0
    if rows:
        yield pa.concat_tables(held)


@dataclass(frozen=True)
class IdRange:
    """Of all texts those from ``first`` on and before ``behind``. Customers' ids are hexadecimal digests, so that ranges by their first
    digits are about alike; any other text lies in one of them too."""

    first: str
    # None: no end.
    behind: str | None

    def holds(self, ids: Any) -> Any:
        is_behind_first = pc.greater_equal(ids, self.first)
        return is_behind_first if self.behind is None else pc.and_(is_behind_first, pc.less(ids, self.behind))

    def has(self, one: str) -> bool:
        return self.first <= one and (self.behind is None or one < self.behind)

    @property
    def bounds(self) -> tuple[str, str]:
        """As Lake.pieces takes them."""
        return self.first, self.behind or LAST


def id_ranges(count: int) -> list[IdRange]:
    """So many of them, 256 at most, that together hold every text."""
    cuts = [f"{number * _DIGITS // count:02x}" for number in range(1, count)]
    return [IdRange(first, behind) for first, behind in zip(["", *cuts], [*cuts, None], strict=True)]
