"""Row keys and packed records of the keyed store: the same bytes in LMDB and in HBase (design.md §2, §4.2).

A key is one salt byte, then its parts, NUL between them. The salt is a digest of the owner, so that one owner's rows
lie together under one salt and owners spread over 16 regions. A packed record starts with its version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgpack

# Of keys and records. A store keeps the version it was made with and refuses programs of another.
SCHEMA_VERSION = 1
SALTS = 16
_PART = b"\x00"

CUSTOMER = "customer"
SUB_ACCOUNT = "sub_account"
JOURNAL = "journal_by_account"
WATERMARK = "watermark"
CORE_FLOW = "core_flow"
CORE_BALANCE = "core_balance"
# What a store knows about itself: its schema version and each table's newest writer.
META = "_meta"

OWN_TABLES = (CUSTOMER, SUB_ACCOUNT, JOURNAL, WATERMARK)
CORE_TABLES = (CORE_FLOW, CORE_BALANCE)
# A few rows whose keys begin with no salt: one region.
UNSALTED = frozenset({WATERMARK, META})

PACKED = b"p"


def salt(owner: str) -> bytes:
    return bytes([hashlib.sha256(owner.encode()).digest()[0] % SALTS])


def owner_key(owner: str, *parts: str) -> bytes:
    """``salt|owner|parts``: everything of one owner is one prefix scan."""
    return salt(owner) + _PART.join(p.encode() for p in (owner, *parts))


def owner_range(owner: str) -> tuple[bytes, bytes]:
    """Start and stop of the scan over all rows below one owner (its own row excluded)."""
    prefix = salt(owner) + owner.encode()
    return prefix + _PART, prefix + b"\x01"


def dated(day: date, sequence: int) -> str:
    """Date and sequence as text that sorts as they do."""
    return f"{day:%Y%m%d}{sequence:012d}"


def core_key(salt_no: int, core_date: date, account: str, sequence: int) -> bytes:
    """``salt|date|account|seq``: the reference core's key, so that one date is one range in each salt."""
    return bytes([salt_no]) + _PART.join([f"{core_date:%Y%m%d}".encode(), account.encode(), f"{sequence:012d}".encode()])


def core_date_range(salt_no: int, core_date: date) -> tuple[bytes, bytes]:
    prefix = bytes([salt_no]) + f"{core_date:%Y%m%d}".encode()
    return prefix + _PART, prefix + b"\x01"


def pack(version: int, fields: Sequence[Any]) -> dict[bytes, bytes]:
    """An immutable record as one cell (facts.md: eight times faster through Thrift than a cell a column)."""
    return {PACKED: bytes([version]) + msgpack.packb(list(fields))}


def unpack(columns: dict[bytes, bytes]) -> tuple[int, list[Any]]:
    """(version, fields)"""
    packed = columns[PACKED]
    return packed[0], msgpack.unpackb(packed[1:])
