"""Columns become packed rows: keys and cells by whole columns, since a day has tens of millions of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.store_keys import SALTS, salt
from schemas.store_proof import LANES, StoreSum
from schemas.store_records import RecordSpec

SCHEMA = pa.schema([("key", pa.binary()), ("cell", pa.binary()), ("amount_minor", pa.int64())])
SEPARATOR = b"\0"


@dataclass(frozen=True)
class Packed:
    """Rows of one table of the store, of one salt, in the order of their keys."""

    table: str
    salt: int
    rows: pa.Table
    proof: StoreSum


def packed_rows(spec: RecordSpec, version: int, keys: pa.Array, columns: Mapping[str, Any]) -> pa.Table:
    """``columns``: an Arrow column, or one value for all rows, for each field of the version that is written."""
    count = len(keys)
    names = spec.versions[version]
    pack, head = msgpack.Packer().pack, bytes([version])
    cells = [head + pack(values) for values in zip(*(_plain(columns[name], count) for name in names), strict=True)]
    amounts = np.zeros(count, np.int64)
    for name in spec.summed:
        column = columns[name]
        amounts += column.to_numpy(zero_copy_only=False) if isinstance(column, (pa.Array, pa.ChunkedArray)) else column
    return pa.table([keys, pa.array(cells, pa.binary()), pa.array(amounts)], schema=SCHEMA)


def _plain(column: Any, count: int) -> Sequence[Any]:
    """The values as they are packed (schemas.store_records): a date as its days, a time as its microseconds."""
    if not isinstance(column, (pa.Array, pa.ChunkedArray)):
        return [column] * count
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


def owners(names: Sequence[str]) -> list[bytes]:
    """How the keys of each owner begin: salt and name."""
    return [salt(name) + name.encode() for name in names]


def joined(*parts: pa.Array | pa.ChunkedArray | bytes) -> pa.Array:
    """Key parts, NUL between them."""
    columns = [
        pc.cast(p, pa.binary()) if isinstance(p, (pa.Array, pa.ChunkedArray)) else pa.scalar(p, pa.binary()) for p in parts
    ]
    whole = pc.binary_join_element_wise(*columns, pa.scalar(SEPARATOR, pa.binary()))
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole


def digits(numbers: pa.Array | pa.ChunkedArray, width: int) -> pa.Array:
    return pc.utf8_lpad(numbers.cast(pa.string()), width, "0")


def by_salt(table: str, rows: pa.Table) -> Iterator[Packed]:
    """The rows in the order of their keys, each salt by itself, with what proves it."""
    rows = in_key_order(rows)
    first = _first_bytes(rows["key"].chunk(0)) if rows.num_rows else np.zeros(0, np.uint8)
    bounds = np.searchsorted(first, np.arange(SALTS + 1))
    for number in range(SALTS):
        part = rows.slice(bounds[number], bounds[number + 1] - bounds[number])
        if part.num_rows:
            yield Packed(table, number, part, proof_of(part))


def in_key_order(rows: pa.Table) -> pa.Table:
    """In one chunk."""
    return rows.combine_chunks().take(pc.sort_indices(rows["key"].combine_chunks())).combine_chunks()


def _first_bytes(keys: pa.BinaryArray) -> np.ndarray[Any, np.dtype[np.uint8]]:
    _, offsets, data = keys.buffers()
    starts = np.frombuffer(offsets, np.int32)[keys.offset : keys.offset + len(keys)]
    return np.frombuffer(data, np.uint8)[starts]


def proof_of(rows: pa.Table) -> StoreSum:
    sha256 = hashlib.sha256
    keys, cells = rows["key"].to_pylist(), rows["cell"].to_pylist()
    # As schemas.store_proof.row_digest has it.
    hashes = [sha256(b"%d:%b%b" % (len(key), key, cell)).digest() for key, cell in zip(keys, cells, strict=True)]
    return StoreSum(rows.num_rows, pc.sum(rows["amount_minor"]).as_py() or 0, lanes_of(hashes))


def lanes_of(hashes: Sequence[bytes]) -> tuple[int, ...]:
    """The sum of many row digests (schemas.store_proof)."""
    lanes = np.frombuffer(b"".join(hashes), "<u8").reshape(-1, LANES).sum(axis=0, dtype=np.uint64)
    return tuple(int(lane) for lane in lanes)
