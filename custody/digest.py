"""Content digests: what a table says, whatever engine, file layout or row order it was written with (design.md §2).

Row hash = SHA-256 over the row's columns, each a netstring ``<octets>:<text>,`` or ``~`` for null, so that no two
different rows share a preimage. Rows fall into 4,096 buckets by the first 12 bits of their hash; a bucket's hash is
SHA-256 over its sorted row hashes; the root is SHA-256 over all bucket hashes in order. Standard library only, so
that a third party can check a seal without our system.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

BUCKETS = 4096
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical_text(value: object) -> str | None:
    """The one text form of a cell. Only null, text, int, bool, date and aware datetime (as epoch microseconds) exist."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return str((value - _EPOCH) // timedelta(microseconds=1))
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} has no canonical form; tables hold text, int, bool, date and time only")


def row_hash(cells: Iterable[object]) -> bytes:
    """SHA-256 of one row's canonical columns. Raises TypeError on a cell without a canonical form."""
    parts = []
    for cell in cells:
        text = canonical_text(cell)
        if text is None:
            parts.append(b"~")
        else:
            octets = text.encode()
            parts.append(b"%d:%b," % (len(octets), octets))
    return hashlib.sha256(b"".join(parts)).digest()


class ContentDigest:
    """Accumulates row hashes in any order; ``root()`` is the content digest as hex."""

    def __init__(self) -> None:
        self._buckets: dict[int, list[bytes]] = {}
        self.rows = 0

    def add(self, cells: Iterable[object]) -> None:
        self.add_hash(row_hash(cells))

    def add_hash(self, digest: bytes) -> None:
        """Add a row by its row hash, where an engine has computed it."""
        self._buckets.setdefault(int.from_bytes(digest[:2]) >> 4, []).append(digest)
        self.rows += 1

    def root(self) -> str:
        """The content digest of the rows added so far, as hex."""
        empty = hashlib.sha256(b"").digest()
        whole = hashlib.sha256()
        for number in range(BUCKETS):
            hashes = self._buckets.get(number)
            whole.update(hashlib.sha256(b"".join(sorted(hashes))).digest() if hashes else empty)
        return whole.hexdigest()


def digest_of_rows(rows: Iterable[Sequence[object]]) -> str:
    """The content digest of these rows, whatever their order."""
    digest = ContentDigest()
    for row in rows:
        digest.add(row)
    return digest.root()


# Made once: a day has tens of thousands of small texts.
_ONE_SPELLING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: object) -> str:
    """JSON with one spelling: sorted keys, no spaces, no floats (a float has no one spelling)."""
    _refuse_floats(value)
    return _ONE_SPELLING.encode(value)


def digest_of(algorithm: str, pieces: Iterable[bytes]) -> str:
    """The digest of a file's bytes, as hex: ``sha256``, or ``sm3`` (GB/T 32905, which the standard library takes from OpenSSL)."""
    digest = hashlib.new(algorithm)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def digest_of_json(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


# Nearly all that there is, told by its type alone.
_PLAIN = frozenset({str, int, bool, type(None)})


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("a float has no canonical form; write it as text or integer")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            if type(item) not in _PLAIN:
                _refuse_floats(item)
