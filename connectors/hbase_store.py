"""The keyed store on HBase, through its Thrift1 server (design.md §2).

HBase replaces no rows, orders nobody's writes and joins no two rows in one transaction. Cell timestamps do all three here:

- Each batch has a number of its own, larger than that of every batch before it: the writer's fence in the high bits, below it
  milliseconds. Writers draw it from one cell of ``_meta`` for each table, by compare-and-set: who holds an older fence than
  the cell is refused there, before anything of his batch is written.
- All cells of a batch, and its deletions, carry the number. A row is what carries its newest number: what an earlier put
  left in other columns is not read. So a put needs no deletion, and no deletion hides a later put.
- A batch that was under way when a newer writer drew his number has the smaller one: it can add a row that he did not
  write, but never cover one that he put or deleted. A batch sent twice is the same batch.

Whatever goes wrong between here and the region server is repeated on a new connection, until ``give_up_after_seconds``.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import happybase  # makes the module Hbase_thrift  # noqa: F401
from Hbase_thrift import BatchMutation, Hbase, IllegalArgument, Mutation, TScan
from thriftpy2.protocol import TBinaryProtocol
from thriftpy2.protocol.cybin import ProtocolError
from thriftpy2.thrift import TClient, TException
from thriftpy2.transport import TBufferedTransport, TSocket

from connectors.settings import HbaseSettings
from connectors.store_rules import check_columns, check_key, check_version, packed_version, pass_fence
from custody.errors import CustodyError, RetryLater, SettingsError, StopRun
from custody.ports import StoreRow
from schemas.store_keys import META, SCHEMA_VERSION

FAMILY = b"d"
_COLUMN = FAMILY + b":"
_NEWEST = _COLUMN + b"newest"
_VERSION = _COLUMN + b"version"
_SCHEMA_ROW = b"schema"

_PUT_ROWS = 5_000
_GET_ROWS = 5_000
# The Thrift server takes no message over 100 MB.
_PUT_BYTES = 16 * 1024 * 1024
_SCAN_ROWS = 10_000
_AFTER_ALL_KEYS = b"\xff" * 32
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 5.0
# Somebody else's number was newer each time: not one writer and a straggler any more.
_DRAWS = 50
# Fence above, milliseconds below: these are enough until the year 2109 and for two million fences.
_MILLISECOND_BITS = 42
_FENCES = 2**21

_NOT_MADE = ("TableNotFoundException", "NamespaceNotFoundException", "NoSuchColumnFamilyException")
_NOT_ALLOWED = ("AccessDeniedException",)

T = TypeVar("T")


class _ScannerGone(Exception):
    """The server no longer knows a scanner: its caller was slow, or the server is another one."""


# What a new connection and a repetition may cure. Of what the server says, _refuse_incurable tells what they cannot.
_FAULTS = (OSError, TException, ProtocolError, _ScannerGone)


class _Scanner(NamedTuple):
    # A scanner's number means nothing on another connection: a server that was started again counts from 0.
    client: TClient
    number: int


class _Number(NamedTuple):
    """Of a batch. 0 is the fence of writers who have none."""

    fence: int
    milliseconds: int

    @property
    def timestamp(self) -> int:
        return self.fence << _MILLISECOND_BITS | self.milliseconds

    def packed(self) -> bytes:
        return b"%d %d" % self

    @staticmethod
    def unpacked(value: bytes) -> _Number:
        fence, milliseconds = value.split()
        return _Number(int(fence), int(milliseconds))


class HbaseStore:
    """Implements custody.ports.KeyedStore. Threads may share it, one call at a time; processes may not."""

    def __init__(
        self,
        host: str,
        port: int,
        namespace: str,
        settings: HbaseSettings,
        version: int = SCHEMA_VERSION,
        any_version: bool = False,
    ) -> None:
        """``version``: of the schema of what it keeps; ``any_version``: open it whatever it has, to make it anew.

        Raises RetryLater when HBase is away, StopRun when the namespace has no tables or another schema version."""
        self._host, self._port, self._namespace, self._settings = host, port, namespace, settings
        self._version = version
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._client: TClient | None = None
        self._newest: dict[str, _Number] = {}
        self._column_names: dict[bytes, bytes] = {}
        try:
            self._check_version(any_version)
        except CustodyError:
            self.close()
            raise

    @classmethod
    def at(cls, url: str, settings: HbaseSettings, version: int = SCHEMA_VERSION, any_version: bool = False) -> HbaseStore:
        """``hbase://HOST:PORT/NAMESPACE``. Raises SettingsError, and what opening raises."""
        found = re.fullmatch(r"hbase://([^/:]+):([0-9]+)/([A-Za-z0-9_]+)", url)
        if found is None:
            raise SettingsError(f"{url} is not hbase://HOST:PORT/NAMESPACE")
        return cls(found[1], int(found[2]), found[3], settings, version, any_version)

    def put_many(self, table: str, rows: Iterable[StoreRow], fence: int | None = None) -> int:
        count = 0
        for batch in _batches(table, rows):
            # Of a key that comes twice the later row counts: under one number the two would be one row of all their columns.
            mutations = [BatchMutation(key, self._puts(columns)) for key, columns in dict(batch).items()]
            self._mutate(table, mutations, self._draw_number(table, fence))
            count += len(batch)
        return count

    def get(self, table: str, key: bytes) -> dict[bytes, bytes] | None:
        check_key(table, key)
        name = self._name(table)
        found = self._call(lambda client: client.getRow(name, key, {}))
        return _newest_cells(found[0].columns) if found else None

    def get_many(self, table: str, keys: Iterable[bytes]) -> Iterator[StoreRow]:
        for batch in _key_batches(table, keys):
            for found in self._get_rows(table, batch):
                yield found.row, _newest_cells(found.columns)

    def scan(self, table: str, start: bytes, stop: bytes) -> Iterator[StoreRow]:
        name, at = self._name(table), start
        scanner: _Scanner | None = None

        def fetch(client: TClient) -> tuple[_Scanner, list[Any]]:
            return _fetch(client, scanner, name, at, stop)

        try:
            while at < stop:
                scanner, found = self._call(fetch)
                for result in found:
                    yield result.row, _newest_cells(result.columns)
                if len(found) < _SCAN_ROWS:
                    return
                at = found[-1].row + b"\x00"
        finally:
            if scanner is not None:
                self._end(scanner)

    def delete_many(self, table: str, keys: Iterable[bytes], fence: int | None = None) -> int:
        count = 0
        for batch in _key_batches(table, keys):
            number = self._draw_number(table, fence)
            there = [found.row for found in self._get_rows(table, batch)]
            self._mutate(table, [BatchMutation(key, [Mutation(True, FAMILY)]) for key in there], number)
            count += len(there)
        return count

    def clear(self, table: str, fence: int | None = None) -> None:
        # Thrift1 would take away the regions with the rows.
        self.delete_many(table, (key for key, _ in self.scan(table, b"", _AFTER_ALL_KEYS)), fence)

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _get_rows(self, table: str, keys: list[bytes]) -> list[Any]:
        name = self._name(table)
        found: list[Any] = self._call(lambda client: client.getRows(name, keys, {}))
        return found

    def _name(self, table: str) -> bytes:
        return f"{self._namespace}:{table}".encode()

    def _puts(self, columns: Mapping[bytes, bytes]) -> list[Mutation]:
        names = self._column_names
        puts = []
        for column, value in columns.items():
            name = names.get(column)
            if name is None:
                name = names.setdefault(column, _COLUMN + column)
            puts.append(Mutation(False, name, value))
        return puts

    def _mutate(self, table: str, mutations: list[BatchMutation], number: _Number) -> None:
        if mutations:
            name = self._name(table)
            self._call(lambda client: client.mutateRowsTs(name, mutations, number.timestamp, {}))

    def _draw_number(self, table: str, fence: int | None) -> _Number:
        """The next number of this table, drawn by compare-and-set. Raises LeaseLost, StopRun when the fence may not write."""
        own = _checked_fence(fence)
        row = b"table:" + table.encode()
        if table not in self._newest:
            # A put into a table that is not there would hang in the Thrift server; reading says so at once.
            self._get_rows(table, [row])
        for _ in range(_DRAWS):
            newest = self._newest.get(table) or self._read_newest(row)
            earliest = 0
            if newest is not None:
                pass_fence(table, newest.fence, fence)
                # The clock may have gone back, or two batches fall into one millisecond.
                earliest = newest.milliseconds + 1 if newest.fence == own else 0
            number = _Number(own, max(earliest, time.time_ns() // 1_000_000))
            # Drawn twice, since an answer was lost: the second time the cell has our own number, and we draw the next.
            if self._set_meta(row, _NEWEST, newest and newest.packed(), number.packed()):
                self._newest[table] = number
                return number
            self._newest.pop(table, None)
        raise RetryLater(f"table {self._namespace}:{table} is written by others all the time")

    def _read_newest(self, row: bytes) -> _Number | None:
        value = self._read_meta(row, _NEWEST)
        return None if value is None else _Number.unpacked(value)

    def _check_version(self, any_version: bool) -> None:
        found = self._read_meta(_SCHEMA_ROW, _VERSION)
        if found is None:
            self._set_meta(_SCHEMA_ROW, _VERSION, None, packed_version(self._version))
            found = self._read_meta(_SCHEMA_ROW, _VERSION) or b"none"
        if not any_version:
            check_version(f"namespace {self._namespace}", found, self._version)

    def adopt_version(self) -> None:
        found = self._read_meta(_SCHEMA_ROW, _VERSION)
        self._set_meta(_SCHEMA_ROW, _VERSION, found, packed_version(self._version))

    def _read_meta(self, row: bytes, column: bytes) -> bytes | None:
        name = self._name(META)
        found = self._call(lambda client: client.get(name, row, column, {}))
        return found[0].value if found else None

    def _set_meta(self, row: bytes, column: bytes, old: bytes | None, new: bytes) -> bool:
        """Put the new value where the old one (None: no value) is. The server times it after whatever it replaces."""
        name, put = self._name(META), Mutation(False, column, new)
        done: bool = self._call(lambda client: client.checkAndPut(name, row, column, old, put, {}))
        return done

    def _call(self, work: Callable[[TClient], T]) -> T:
        """Do the work, if need be repeatedly: it must be harmless to repeat. Raises RetryLater, StopRun."""
        if os.getpid() != self._pid:
            raise StopRun("a connection to HBase must be opened after fork, not carried over it")
        until = time.monotonic() + self._settings.give_up_after_seconds
        pause = _PAUSE_SECONDS
        while True:
            try:
                with self._lock:
                    return self._attempt(work)
            except _FAULTS as fault:
                _refuse_incurable(self._namespace, fault)
                if time.monotonic() + pause > until:
                    where = f"HBase at {self._host}:{self._port}"
                    waited = self._settings.give_up_after_seconds
                    raise RetryLater(f"{where} did not do it within {waited} s: {cause(fault)}") from fault
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _attempt(self, work: Callable[[TClient], T]) -> T:
        """Whatever ends the work in its middle ends the connection too: its answer would be taken for the next call's."""
        client, self._client = self._client or self._connect(), None
        try:
            result = work(client)
            self._client = client
            return result
        finally:
            if self._client is None:
                client.close()

    def _connect(self) -> TClient:
        milliseconds = self._settings.timeout_seconds * 1000
        transport = TBufferedTransport(TSocket(self._host, self._port, socket_timeout=milliseconds))
        transport.open()
        return TClient(Hbase, TBinaryProtocol(transport, decode_response=False))

    def _end(self, scanner: _Scanner) -> None:
        """Let the server forget a scanner; it does so by itself when we cannot tell it."""
        with self._lock:
            if scanner.client is not self._client or os.getpid() != self._pid:
                return
            try:
                self._attempt(lambda client: client.scannerClose(scanner.number))
            except _FAULTS:
                return


def _batches(table: str, rows: Iterable[StoreRow]) -> Iterator[list[StoreRow]]:
    """Bounded in rows and in bytes."""
    batch: list[StoreRow] = []
    size = 0
    for row in rows:
        key, columns = row
        check_key(table, key)
        check_columns(table, columns)
        batch.append(row)
        size += len(key) + sum(map(len, columns.values()))
        if len(batch) == _PUT_ROWS or size >= _PUT_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _key_batches(table: str, keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    source = iter(keys)
    # Of a key that comes twice the row is one.
    while batch := list(dict.fromkeys(islice(source, _GET_ROWS))):
        for key in batch:
            check_key(table, key)
        yield batch


def _fetch(client: TClient, scanner: _Scanner | None, name: bytes, at: bytes, stop: bytes) -> tuple[_Scanner, list[Any]]:
    """The next rows from ``at`` on; opens another scanner there when this one was opened on another connection."""
    if scanner is None or scanner.client is not client:
        scan = TScan(startRow=at, stopRow=stop, caching=_SCAN_ROWS)
        scanner = _Scanner(client, client.scannerOpenWithScan(name, scan, {}))
    try:
        return scanner, client.scannerGetList(scanner.number, _SCAN_ROWS)
    except IllegalArgument as unknown:
        raise _ScannerGone(cause(unknown)) from unknown


def _newest_cells(columns: Mapping[bytes, Any]) -> dict[bytes, bytes]:
    """A row is the cells that were put last, all with one timestamp; what an earlier put left is no part of it."""
    if len(columns) == 1:
        return {column[len(_COLUMN) :]: cell.value for column, cell in columns.items()}
    newest = max(cell.timestamp for cell in columns.values())
    return {column[len(_COLUMN) :]: cell.value for column, cell in columns.items() if cell.timestamp == newest}


def _checked_fence(fence: int | None) -> int:
    if fence is None:
        return 0
    if not 0 < fence < _FENCES:
        raise StopRun(f"fence {fence} is not between 1 and {_FENCES - 1}: a cell's timestamp has no room for it")
    return fence


def _refuse_incurable(namespace: str, fault: Exception) -> None:
    """Raise StopRun for what no repetition cures."""
    words = _words(fault)
    if any(name in words for name in _NOT_MADE):
        raise StopRun(f"HBase: {cause(fault)}. Make the tables of {namespace} first (Hbase.create_tables)") from fault
    if any(name in words for name in _NOT_ALLOWED) or isinstance(fault, IllegalArgument):
        raise StopRun(f"HBase refuses: {cause(fault)}") from fault


def _words(fault: Exception) -> str:
    """An error of HBase carries its Java stack trace as bytes."""
    message = getattr(fault, "message", None)
    return message.decode(errors="backslashreplace") if isinstance(message, bytes) else str(message or fault or repr(fault))


def cause(fault: Exception) -> str:
    """What went wrong, without the Java stack traces: HBase's innermost cause is the one that tells."""
    lines = _words(fault).splitlines() or [type(fault).__name__]
    return [lines[0], *(line for line in lines if line.startswith("Caused by: "))][-1].removeprefix("Caused by: ")
