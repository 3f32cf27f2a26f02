"""The content digest of custody.digest over Arrow tables: its row hashes in batches, its root over any number of them.

Hashes are bytes laid end to end, 32 for each row, so that another process can send them. They are kept sorted in runs; beyond
some runs' worth they lie in a temporary file, so that memory does not grow with the rows.
"""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.disk import room_for
from custody.digest import BUCKETS

HASH_BYTES = 32
_AT_ONCE = 65_536
# One run's hashes take 32 MiB.
_RUN_ROWS = 1 << 20
_EMPTY = hashlib.sha256(b"").digest()
# A row's bucket is the first 12 bits of its hash.
_BITS_BEHIND = 16 - (BUCKETS - 1).bit_length()


def content_digest(table: pa.Table) -> str:
    """The content digest of a whole table."""
    digest = TableDigest()
    digest.add(row_hashes(table))
    return digest.root()


def row_hashes(table: pa.Table) -> bytes:
    """The row hash of each row, in order. The preimages are built by Arrow: only SHA-256 is left to Python."""
    sha256 = hashlib.sha256
    parts = []
    for batch in table.combine_chunks().to_batches(max_chunksize=_AT_ONCE):
        preimages = _preimages(batch)
        _, offsets, data = preimages.buffers()
        ends = np.frombuffer(offsets, np.int32)[preimages.offset : preimages.offset + len(preimages) + 1].tolist()
        content = data.to_pybytes() if data is not None else b""
        parts += [sha256(content[start:end]).digest() for start, end in pairwise(ends)]
    return b"".join(parts)


def row_preimages(table: pa.Table) -> pa.ChunkedArray:
    """Each row as one text, the same for two rows exactly when all their cells are."""
    parts = [_preimages(batch) for batch in table.combine_chunks().to_batches(max_chunksize=_AT_ONCE)]
    return pa.chunked_array(parts, pa.string())


def _preimages(batch: pa.RecordBatch) -> pa.Array:
    """Each row's cells as netstrings: ``<octets>:<text>,``, ``~`` for null; a timestamp's canonical text is its epoch
    microseconds. One join makes them, of as few pieces as will do: what all rows share is one text among them."""
    pieces: list[pa.Array | str] = [""]
    for column in batch.columns:
        plain = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        if plain.null_count == len(plain):
            pieces = _followed(pieces, "~")
        elif plain.null_count == 0 and pc.all(pc.equal(plain, plain[0])).as_py():
            text = plain[0].cast(pa.string()).as_py()
            pieces = _followed(pieces, f"{len(text.encode())}:{text},")
        else:
            text = plain.cast(pa.string())
            sizes = pc.binary_length(text)
            if pc.max(sizes).as_py() < len(known := _sizes()) - 1:
                # Looked up sooner than written; null's place is the last.
                pieces.append(known.take(pc.if_else(sizes.is_null(), len(known) - 1, sizes)))
            else:
                pieces.append(pc.binary_join_element_wise(sizes.cast(pa.string()), "", ":").fill_null("~"))
            if plain.null_count:
                pieces += [text.fill_null(""), pc.if_else(text.is_null(), "", ",")]
            else:
                pieces += [text, ","]
    if all(isinstance(piece, str) for piece in pieces):
        return pa.array(["".join(pieces)] * batch.num_rows, pa.string())  # type: ignore[arg-type]
    return pc.binary_join_element_wise(*pieces, "")


def _followed(pieces: list[pa.Array | str], text: str) -> list[pa.Array | str]:
    last = pieces[-1]
    return [*pieces[:-1], last + text] if isinstance(last, str) else [*pieces, text]


@cache
def _sizes() -> pa.Array:
    """How a netstring of each size begins, and null. The first array that Arrow makes of a list imports pandas: not before one is needed."""
    return pa.array([*(f"{size}:" for size in range(1_000)), "~"])


class TableDigest:
    """Row hashes in any order; ``root`` is the content digest of all of them."""

    def __init__(self, run_rows: int = _RUN_ROWS) -> None:
        self._run_bytes = run_rows * HASH_BYTES
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._spilled: BinaryIO | None = None
        # For each spilled run: where it begins in the file, and in it each bucket's first row.
        self._runs: list[tuple[int, npt.NDArray[np.int64]]] = []

    def add(self, hashes: bytes) -> None:
        """Raises DiskFull when there is no room for the temporary file."""
        self._held.append(hashes)
        self._held_bytes += len(hashes)
        if self._held_bytes >= self._run_bytes:
            self._spill()

    def root(self) -> str:
        """The content digest as hex. Raises OSError where the temporary file cannot be read."""
        return hashlib.sha256(self.bucket_digests()).hexdigest()

    def bucket_digests(self) -> bytes:
        """SHA-256 of each bucket's sorted row hashes, end to end. Raises as ``root``."""
        last, last_bounds = self._sorted_run()
        ends = (last_bounds * HASH_BYTES).tolist()
        sha256 = hashlib.sha256
        # A day has dozens of little tables, whose buckets are nearly all empty.
        filled = range(BUCKETS) if self._runs else np.flatnonzero(np.diff(last_bounds)).tolist()
        buckets = bytearray(_EMPTY * BUCKETS)
        for bucket in filled:
            hashes = last[ends[bucket] : ends[bucket + 1]]
            if self._runs:
                spilled = [self._read(start, bounds, bucket) for start, bounds in self._runs]
                hashes = _sorted(b"".join([*spilled, hashes])).tobytes()
            buckets[bucket * HASH_BYTES : (bucket + 1) * HASH_BYTES] = sha256(hashes).digest()
        return bytes(buckets)

    def bucket_of(self, row: bytes) -> list[bytes]:
        """The sorted row hashes of the bucket into which a row hash falls. Raises as ``root``."""
        bucket = int.from_bytes(row[:2]) >> 4
        last, bounds = self._sorted_run()
        hashes = [self._read(start, spilled, bucket) for start, spilled in self._runs]
        hashes.append(last[int(bounds[bucket]) * HASH_BYTES : int(bounds[bucket + 1]) * HASH_BYTES])
        held = _sorted(b"".join(hashes)).tobytes()
        return [held[at : at + HASH_BYTES] for at in range(0, len(held), HASH_BYTES)]

    def _spill(self) -> None:
        run, bounds = self._sorted_run()
        with room_for("the sorting of row digests (TMPDIR names its folder)", Path(tempfile.gettempdir()), len(run)):
            if self._spilled is None:
                # Unbuffered: a full disk is met where it is waited for.
                file = tempfile.TemporaryFile(prefix="custody-hashes-", buffering=0)  # noqa: SIM115 (closed with us)
                self._spilled = cast(BinaryIO, file)
            self._runs.append((self._spilled.tell(), bounds))
            rest = memoryview(run)
            while rest:
                rest = rest[self._spilled.write(rest) :]
        self._held, self._held_bytes = [], 0

    def _sorted_run(self) -> tuple[bytes, npt.NDArray[np.int64]]:
        run = _sorted(b"".join(self._held)).tobytes()
        bucket_of_each = np.frombuffer(run, ">u2")[:: HASH_BYTES // 2].astype(np.int64) >> _BITS_BEHIND
        return run, np.searchsorted(bucket_of_each, np.arange(BUCKETS + 1))

    def _read(self, start: int, bounds: npt.NDArray[np.int64], bucket: int) -> bytes:
        assert self._spilled is not None
        self._spilled.seek(start + int(bounds[bucket]) * HASH_BYTES)
        return self._spilled.read(int(bounds[bucket + 1] - bounds[bucket]) * HASH_BYTES)


def _sorted(hashes: bytes) -> npt.NDArray[np.bytes_]:
    # Fixed-length bytes compare as if zeros followed them, which is what all 32 of them do.
    return np.sort(np.frombuffer(hashes, f"S{HASH_BYTES}"))
