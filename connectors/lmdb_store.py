"""The keyed store on LMDB: an ordered key-value file with one writer and many readers (design.md §2).

One environment for a process, opened after fork, with one large fixed map size; a reader would get MDB_MAP_RESIZED
otherwise. A read transaction ends with each batch, so that a long scan never pins old pages.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb
import msgpack

from custody.errors import LeaseLost, RetryLater, StopRun
from custody.ports import StoreRow

_BATCH = 5_000
_TABLES = 16
# Below this the disk is as good as full, and a half-written map would be the result.
_MIN_FREE_BYTES = 256 * 1024 * 1024


# The newest lease token that wrote to each table.
_FENCES = "_fences"


class LmdbStore:
    """Implements custody.ports.KeyedStore."""

    def __init__(self, folder: Path, map_size_gib: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < _MIN_FREE_BYTES:
            raise StopRun(f"less than {_MIN_FREE_BYTES} bytes free under {folder}: make room first")
        self._pid = os.getpid()
        self._env = lmdb.open(str(folder), map_size=map_size_gib * 1024**3, max_dbs=_TABLES, sync=True, metasync=True)
        self._tables: dict[str, Any] = {}

    def _table(self, name: str) -> Any:
        if os.getpid() != self._pid:
            raise StopRun("an LMDB environment must be opened after fork, not carried over it")
        if name not in self._tables:
            self._tables[name] = self._env.open_db(name.encode())
        return self._tables[name]

    def put_many(self, table: str, rows: Iterable[StoreRow], fence: int | None = None) -> int:
        handle, count, source = self._table(table), 0, iter(rows)
        fences = self._table(_FENCES) if fence is not None else None
        while batch := list(islice(source, _BATCH)):
            try:
                with self._env.begin(write=True, db=handle) as tx:
                    if fence is not None:
                        _pass_fence(tx, fences, table, fence)
                    for key, columns in batch:
                        tx.put(key, msgpack.packb(columns))
            except lmdb.BadValsizeError as error:
                raise StopRun(f"a key of table {table} is empty or longer than the store takes (511 bytes)") from error
            except lmdb.MapFullError as error:
                raise StopRun("the keyed store is full: raise stores.map_size_gib") from error
            except lmdb.Error as error:
                raise RetryLater(f"the keyed store did not take a batch: {error}") from error
            count += len(batch)
        return count

    def get(self, table: str, key: bytes) -> dict[bytes, bytes] | None:
        handle = self._table(table)
        with self._env.begin(db=handle, buffers=False) as tx:
            packed = tx.get(key)
        return None if packed is None else msgpack.unpackb(packed, raw=True)

    def scan(self, table: str, start: bytes, stop: bytes) -> Iterator[StoreRow]:
        handle, at, inclusive = self._table(table), start, True
        while True:
            batch: list[StoreRow] = []
            with self._env.begin(db=handle) as tx, tx.cursor() as cursor:
                found = cursor.set_range(at)
                while found and len(batch) < _BATCH:
                    key = cursor.key()
                    if key >= stop:
                        break
                    if inclusive or key != at:
                        batch.append((key, msgpack.unpackb(cursor.value(), raw=True)))
                    found = cursor.next()
            yield from batch
            if len(batch) < _BATCH:
                return
            at, inclusive = batch[-1][0], False

    def delete_many(self, table: str, keys: Iterable[bytes]) -> int:
        handle, count, source = self._table(table), 0, iter(keys)
        while batch := list(islice(source, _BATCH)):
            with self._env.begin(write=True, db=handle) as tx:
                count += sum(tx.delete(key) for key in batch)
        return count

    def close(self) -> None:
        self._env.close()


def _pass_fence(tx: Any, fences: Any, table: str, fence: int) -> None:
    """Inside the write transaction: refuse an older token than the table has seen, else remember this one."""
    newest = tx.get(table.encode(), db=fences)
    if newest is not None and int(newest) > fence:
        raise LeaseLost(f"table {table} was written under fence {int(newest)}; this writer holds {fence}")
    tx.put(table.encode(), str(fence).encode(), db=fences)
