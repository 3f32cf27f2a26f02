"""What every keyed store refuses, in the same words: rows no store takes, writers who may not write, another schema version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from custody.errors import LeaseLost, StopRun
from custody.ports import StoreRow

# LMDB's limit, kept by all, so that a bank can move from one store to another.
KEY_BYTES = 511


def check_key(table: str, key: bytes) -> None:
    if not 0 < len(key) <= KEY_BYTES:
        raise StopRun(f"a key of table {table} is empty or longer than the stores take ({KEY_BYTES} bytes)")


def check_columns(table: str, columns: Mapping[bytes, bytes]) -> None:
    if not columns:
        raise StopRun(f"a row of table {table} has no columns: HBase keeps no such row")


def check_rows(table: str, rows: Sequence[StoreRow]) -> None:
    """All of them at once: a day puts millions."""
    if not all(0 < len(key) <= KEY_BYTES and columns for key, columns in rows):
        for key, columns in rows:
            check_key(table, key)
            check_columns(table, columns)


def pass_fence(table: str, newest: int, fence: int | None) -> None:
    """``newest``: the newest fence that wrote to the table, 0 when none did."""
    if fence is None:
        if newest:
            raise StopRun(f"table {table} is written under a fence ({newest} is the newest): write it under one")
    elif newest > fence:
        raise LeaseLost(f"table {table} was written under fence {newest}; this writer holds {fence}")


def check_version(where: str, found: bytes, expected: int) -> None:
    if found != packed_version(expected):
        words = f"has schema version {found.decode()}, this program has {expected}"
        raise StopRun(
            f"{where} {words}: use the program that made it, or make it anew: `custody store rebuild` keeps the customers"
        )


def packed_version(version: int) -> bytes:
    return b"%d" % version
