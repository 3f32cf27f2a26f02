"""What a file is cut into before its layout's types are asked: records, and the cells of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from custody.findings import FileFault, RowFault

# Of a file that is read record by record so much is in memory at a time.
BLOCK_BYTES = 1 << 20

# (number for people, byte position of its start from 1, the record without its end)
Record = tuple[int, int, bytes]
# A record's cells in the order of the fields, None for one that cannot be decoded; no cells where it cannot be cut at all.
Cells = tuple[list[str | None] | None, list[RowFault]]


def _nothing() -> Iterator[Record]:
    return iter(())


@dataclass
class Records:
    """A file cut into records. Where ``stopped``, a fault of the whole file (among ``file_faults``) left nothing to read."""

    file_faults: list[FileFault] = field(default_factory=list)
    stopped: bool = False
    body: Iterator[Record] = field(default_factory=_nothing)
    cut: Callable[[Record], Cells] = lambda record: (None, [])
    summary: Record | None = None
    # Known behind the last record. Without record ends, bytes behind the last whole record mean that records are shifted: nothing tells
    # from where on.
    bytes: int = 0
    unaligned_bytes: int = 0


def decoding_fault(line_no: int, place: str, error: UnicodeDecodeError, raw: bytes, start: int, encoding: str) -> RowFault:
    """A byte that is not of the encoding; its position counts from 1 in the record that holds ``raw`` at ``start``."""
    figures: dict[str, object] = {"position": start + error.start + 1, "encoding": encoding}
    return RowFault(line_no, place, raw[error.start : error.start + 1].hex(), "bad_byte", figures)
