"""Row keys and packed records of the keyed store: the same bytes in LMDB and in HBase (design.md §2, §4.2).

A key is one salt byte, then its parts, NUL between them. The salt is a digest of the owner, so that one owner's rows
lie together under one salt and owners spread over 16 regions. A packed record starts with its version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import msgpack

# Of keys and records. A store keeps the version it was made with and refuses programs of another.
SCHEMA_VERSION = 2
# Of the bank core's tables, which have a store of their own.
CORE_SCHEMA_VERSION = 1
SALTS = 16
_PART = b"\x00"

# Personal data and what leads to it: written by landing and by what people do, not found again from the lake.
CUSTOMER = "customer"
PERSON_INDEX = "person_index"
PERSON_TABLES = (CUSTOMER, PERSON_INDEX)
# The ledger's projection, which can be emptied and made again from the lake. Every row is of one date, the last part of its key
# or the first after its owner, and none is ever replaced: what stands at a date is the last row up to it.
JOURNAL = "journal_by_account"
BALANCE = "balance_by_account"
TXN = "txn"
TXN_BY_LOAN = "txn_by_loan"
# What an account's journal does not lead to: legs that were refused, wait, or moved nothing.
UNPOSTED_BY_ACCOUNT = "unposted_by_account"
ACCOUNT_OF_CUSTOMER = "account_of_customer"
SUB_ACCOUNT = "sub_account"
LOAN = "loan"
CLAIM = "claim"
CLAIM_BY_HOLDER = "claim_by_holder"
HOLD = "hold"
LEDGER_TABLES = (
    JOURNAL, BALANCE, TXN, TXN_BY_LOAN, UNPOSTED_BY_ACCOUNT, ACCOUNT_OF_CUSTOMER, SUB_ACCOUNT, LOAN, CLAIM, CLAIM_BY_HOLDER, HOLD,
)  # fmt: skip
WATERMARK = "watermark"
WATERMARK_KEY = b"projected_up_to"
# How far the ledger's tables have been made anew, while they are.
REBUILD_KEY = b"rebuilding"
CORE_FLOW = "core_flow"
CORE_BALANCE = "core_balance"
# What a store knows about itself: its schema version and each table's newest writer.
META = "_meta"

OWN_TABLES = (*PERSON_TABLES, *LEDGER_TABLES, WATERMARK)
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


def rows_of(owner: str, *parts: str) -> tuple[bytes, bytes]:
    """Start and stop of the scan over the rows of one owner whose keys go on with these parts."""
    prefix = owner_key(owner, *parts)
    return prefix + _PART, prefix + b"\x01"


def date_of_row(table: str, key: bytes) -> date:
    """The date of a row of the ledger's projection. Raises ValueError on a key that is none of ours."""
    parts = key.split(_PART)
    if len(parts) < 2:
        raise ValueError(f"a key of table {table} has one part")
    return _date((parts[-2] if table == JOURNAL else parts[-1])[:8])


@lru_cache(maxsize=10_000)
def _date(text: bytes) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def watermark(store_row: dict[bytes, bytes] | None) -> date | None:
    """The date up to which the keyed store may be read, from its row under WATERMARK_KEY."""
    return date.fromisoformat(store_row[b"date"].decode()) if store_row else None


def watermark_row(up_to: date) -> dict[bytes, bytes]:
    return {b"date": up_to.isoformat().encode()}


def owner_of_row(key: bytes) -> str:
    return key[1:].split(_PART, 1)[0].decode()


def dated(day: date, sequence: int) -> str:
    """Date and sequence as text that sorts as they do."""
    return f"{day:%Y%m%d}{sequence:012d}"


def day_sequence(number: int) -> int:
    """The sequence within its day of an ``entry_no`` or ``txn_no``, which is yyyymmdd * 10^9 + sequence."""
    return number % 10**9


def on_date(owner: str, *parts: str, on: date) -> bytes:
    """Of what stands (an account, a balance, a loan, a claim, a hold): the row of one date on which it changed."""
    return owner_key(owner, *parts, f"{on:%Y%m%d}")


def journal_key(account: str, posting_date: date, entry_no: int, move_no: int, part: str) -> bytes:
    """A move inside one account has two rows, told apart by the part."""
    return owner_key(account, dated(posting_date, day_sequence(entry_no) * 1000 + move_no), part)


def of_platform(platform: str, name: str) -> str:
    """The owner that a request or a loan is: their names are unique within a platform."""
    return f"{platform}/{name}"


def txn_key(platform: str, request_no: str, leg: int, txn_no: int) -> bytes:
    """By leg, then in the order of processing: ``txn_no`` begins with its date."""
    return owner_key(of_platform(platform, request_no), f"{leg:06d}", f"{txn_no:017d}")


def txn_by_loan_key(platform: str, loan_id: str, txn_no: int) -> bytes:
    return owner_key(of_platform(platform, loan_id), f"{txn_no:017d}")


def unposted_key(account: str, txn_no: int) -> bytes:
    return owner_key(account, f"{txn_no:017d}")


def core_key(salt_no: int, core_date: date, account: str, sequence: int) -> bytes:
    """``salt|date|account|seq``: the reference core's key, so that one date is one range in each salt."""
    return bytes([salt_no]) + _PART.join([f"{core_date:%Y%m%d}".encode(), account.encode(), f"{sequence:012d}".encode()])


def core_date_range(salt_no: int, core_date: date) -> tuple[bytes, bytes]:
    prefix = bytes([salt_no]) + f"{core_date:%Y%m%d}".encode()
    return prefix + _PART, prefix + b"\x01"


def readable(table: str, key: bytes) -> str:
    """A key, or the beginning of one, for people: its table, the salt in hexadecimal, the parts."""
    return f"{table}/{key[0]:02x}|{key[1:].replace(_PART, b'|').decode()}"


def pack(version: int, fields: Sequence[Any]) -> dict[bytes, bytes]:
    """An immutable record as one cell (facts.md: eight times faster through Thrift than a cell a column)."""
    return {PACKED: bytes([version]) + msgpack.packb(list(fields))}


def unpack(columns: dict[bytes, bytes]) -> tuple[int, list[Any]]:
    """(version, fields)"""
    packed = columns[PACKED]
    return packed[0], msgpack.unpackb(packed[1:])
