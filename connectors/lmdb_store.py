"""The keyed store on LMDB: an ordered key-value file with one writer and many readers (design.md §2).

One environment for a process, opened after fork, with one large fixed map size; a reader would get MDB_MAP_RESIZED
otherwise. A read transaction ends with each batch, so that a long scan never pins old pages.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb
import msgpack

from connectors.disk import disk_full, free_bytes
from connectors.store_rules import check_key, check_rows, check_version, packed_version, pass_fence
from custody.errors import DiskFull, StopRun
from custody.ports import StoreRow
from schemas.store_keys import META, SCHEMA_VERSION

_BATCH = 5_000
# Each batch rewrites the pages that it touches, and waits for the disk: of rows in key order many go into one.
_PUT_ROWS = 20_000
_TABLES = 64
# Below this the disk is as good as full, and a half-written map would be the result.
_MIN_FREE_BYTES = 256 * 1024 * 1024
_VERSION = b"schema"
_WHAT = "the keyed store"


class LmdbStore:
    """Implements custody.ports.KeyedStore."""

    def __init__(self, folder: Path, map_size_gib: int, version: int = SCHEMA_VERSION, any_version: bool = False) -> None:
        """``version``: of the schema of what it keeps; ``any_version``: open it whatever it has, to make it anew."""
        folder.mkdir(parents=True, exist_ok=True)
        if free_bytes(folder) < _MIN_FREE_BYTES:
            raise disk_full(_WHAT, folder, _MIN_FREE_BYTES)
        self._folder, self._map_size_gib = folder, map_size_gib
        self._pid = os.getpid()
        self._env = lmdb.open(str(folder), map_size=map_size_gib * 1024**3, max_dbs=_TABLES, sync=True, metasync=True)
        self._tables: dict[str, Any] = {}
        self._version = version
        self._check_version(f"the store in {folder}", any_version)

    def _table(self, name: str) -> Any:
        if os.getpid() != self._pid:
            raise StopRun("an LMDB environment must be opened after fork, not carried over it")
        if name not in self._tables:
            self._tables[name] = self._env.open_db(name.encode())
        return self._tables[name]

    def _check_version(self, where: str, any_version: bool) -> None:
        with self._env.begin(db=self._table(META)) as tx:
            found: bytes | None = tx.get(_VERSION)
        if found is None:
            self.adopt_version()
        elif found != packed_version(self._version) and not any_version:
            self.close()
            check_version(where, found, self._version)

    def adopt_version(self) -> None:
        with self._env.begin(write=True, db=self._table(META)) as tx:
            tx.put(_VERSION, packed_version(self._version))

    def clear(self, table: str, fence: int | None = None) -> None:
        handle = self._table(table)
        with self._writing(table, handle, fence) as tx:
            tx.drop(handle, delete=False)

    def put_many(self, table: str, rows: Iterable[StoreRow], fence: int | None = None) -> int:
        handle, count, source = self._table(table), 0, iter(rows)
        pack = msgpack.Packer().pack
        while batch := list(islice(source, _PUT_ROWS)):
            check_rows(table, batch)
            with self._writing(table, handle, fence) as tx, tx.cursor() as cursor:
                cursor.putmulti([(key, pack(columns)) for key, columns in batch])
            count += len(batch)
        return count

    @contextmanager
    def _writing(self, table: str, handle: Any, fence: int | None) -> Iterator[Any]:
        """A write transaction of a writer who may write: all of it or, with an error, nothing."""
        meta = self._table(META)
        try:
            with self._env.begin(write=True, db=handle) as tx:
                _pass_fence(tx, meta, table, fence)
                yield tx
        except lmdb.MapFullError as error:
            words = f"the keyed store in {self._folder} has filled its {self._map_size_gib} GiB: raise stores.map_size_gib in settings.toml"
            raise DiskFull(
                f"{words} ({free_bytes(self._folder):,} bytes are free on its disk) and give the same command again"
            ) from error
        except lmdb.Error as error:
            # Of a disk that filled up under a batch LMDB says no more than "Input/output error".
            if free_bytes(self._folder) < _MIN_FREE_BYTES:
                raise disk_full(_WHAT, self._folder, _MIN_FREE_BYTES) from error
            # There is one writer at a time and no timeout: what goes wrong here is the disk or the file.
            raise StopRun(f"the keyed store in {self._folder} did not take a batch: {error}; look at its disk") from error

    def get(self, table: str, key: bytes) -> dict[bytes, bytes] | None:
        check_key(table, key)
        handle = self._table(table)
        with self._env.begin(db=handle, buffers=False) as tx:
            packed = tx.get(key)
        return None if packed is None else msgpack.unpackb(packed, raw=True)

    def get_many(self, table: str, keys: Iterable[bytes]) -> Iterator[StoreRow]:
        handle, source = self._table(table), iter(keys)
        while batch := list(islice(source, _BATCH)):
            for key in batch:
                check_key(table, key)
            with self._env.begin(db=handle) as tx:
                found = [(key, tx.get(key)) for key in batch]
            yield from ((key, msgpack.unpackb(packed, raw=True)) for key, packed in found if packed is not None)

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

    def delete_many(self, table: str, keys: Iterable[bytes], fence: int | None = None) -> int:
        handle, count, source = self._table(table), 0, iter(keys)
        while batch := list(islice(source, _BATCH)):
            with self._writing(table, handle, fence) as tx:
                for key in batch:
                    check_key(table, key)
                    count += tx.delete(key)
        return count

    def close(self) -> None:
        self._env.close()


def _pass_fence(tx: Any, meta: Any, table: str, fence: int | None) -> None:
    """Inside the write transaction: refuse an older token than the table has seen, else remember this one."""
    name = b"table:" + table.encode()
    newest = int(tx.get(name, default=b"0", db=meta))
    pass_fence(table, newest, fence)
    if fence is not None and fence != newest:
        tx.put(name, b"%d" % fence, db=meta)
