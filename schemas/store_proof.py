"""What proves that rows of the keyed store are those of the lake: for each table and salt their number, their sum, their digest.

A digest is the sum of the rows' SHA-256, taken as four 64-bit numbers that wrap each by itself. So it does not depend on order,
figures of two days add up to the figures of both, and what was removed on purpose is subtracted.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

LANES = 4
_LANES = struct.Struct(f"<{LANES}Q")
_WRAP = 2**64


def row_digest(key: bytes, cell: bytes) -> bytes:
    """SHA-256 of one row. The key's length comes first, so that no two rows share a preimage."""
    return hashlib.sha256(b"%d:%b%b" % (len(key), key, cell)).digest()


@dataclass(frozen=True)
class StoreSum:
    """Of any number of rows; ``sum_minor`` over the figures that the record's specification names (schemas.store_records)."""

    rows: int = 0
    sum_minor: int = 0
    lanes: tuple[int, ...] = (0,) * LANES

    @classmethod
    def of_row(cls, key: bytes, cell: bytes, amount_minor: int) -> StoreSum:
        return cls(1, amount_minor, _LANES.unpack(row_digest(key, cell)))

    @classmethod
    def of_text(cls, rows: int, sum_minor: int, digest: str) -> StoreSum:
        return cls(rows, sum_minor, _LANES.unpack(bytes.fromhex(digest)))

    @property
    def digest(self) -> str:
        return _LANES.pack(*self.lanes).hex()

    def __add__(self, other: StoreSum) -> StoreSum:
        lanes = tuple((a + b) % _WRAP for a, b in zip(self.lanes, other.lanes, strict=True))
        return StoreSum(self.rows + other.rows, self.sum_minor + other.sum_minor, lanes)

    def __sub__(self, other: StoreSum) -> StoreSum:
        lanes = tuple((a - b) % _WRAP for a, b in zip(self.lanes, other.lanes, strict=True))
        return StoreSum(self.rows - other.rows, self.sum_minor - other.sum_minor, lanes)
