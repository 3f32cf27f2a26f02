"""The keyed store on HBase against bare happybase: put the journal, then scan it whole.

Both put the same packed single cells through one Thrift server, each into a table of its own with the same 16 regions, so
that either finds its table as it left it. What ours does besides: a number drawn for each batch, rows told by timestamps.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from pathlib import Path

from bench.harness import Run
from bench.store import journal_rows
from cluster.hbase import Hbase
from cluster.machine import LOOPBACK, Ports
from connectors.hbase_store import FAMILY, HbaseStore
from connectors.settings import HbaseSettings
from custody.ports import StoreRow
from schemas.store_keys import PACKED

ROWS = 300_000
_NAMESPACE, _WARM, _OURS, _PEERS = "bench", "warm", "ours", "peers"
_WARM_RUNS, _WARM_ROWS = 10, 50_000
_SETTINGS = HbaseSettings(timeout_seconds=60, give_up_after_seconds=300)
# What facts about this machine found best, and what ours uses.
_PUT_ROWS, _SCAN_ROWS = 5_000, 10_000


def prepare(folder: Path, rows: int) -> None:
    (folder / "rows").write_text(str(rows), encoding="utf-8")
    server = _server(folder)
    server.start()
    server.create_tables(_NAMESPACE, [_WARM, _OURS, _PEERS])
    # The Java servers are slow until their code is compiled; whoever came first would pay for it.
    for _ in range(_WARM_RUNS):
        _through_happybase(server, _WARM, journal_rows(folder)[:_WARM_ROWS])


def finish(folder: Path) -> None:
    server = _server(folder)
    server.kill("thrift")
    server.kill("master")


def _server(folder: Path) -> Hbase:
    return Hbase((folder / "server").resolve(), Ports((folder / "server").resolve()))


def ours(folder: Path) -> Run:
    rows = journal_rows(folder)
    store = HbaseStore.at(_server(folder).url(_NAMESPACE), _SETTINGS)
    started = time.perf_counter()
    store.put_many(_OURS, rows)
    put_s = time.perf_counter() - started
    started = time.perf_counter()
    answer = _digest((key, columns[PACKED]) for key, columns in store.scan(_OURS, b"", b"\xff"))
    return Run({"hbase_put": put_s, "hbase_scan": time.perf_counter() - started}, answer)


def bare_happybase(folder: Path) -> Run:
    return _through_happybase(_server(folder), _PEERS, journal_rows(folder))


def _through_happybase(server: Hbase, name: str, rows: list[StoreRow]) -> Run:
    import happybase

    column = FAMILY + b":" + PACKED
    connection = happybase.Connection(LOOPBACK, server.thrift_port, timeout=_SETTINGS.timeout_seconds * 1000)
    table = connection.table(f"{_NAMESPACE}:{name}")
    started = time.perf_counter()
    with table.batch(batch_size=_PUT_ROWS) as batch:
        for key, columns in rows:
            batch.put(key, {column: columns[PACKED]})
    put_s = time.perf_counter() - started
    started = time.perf_counter()
    answer = _digest((key, columns[column]) for key, columns in table.scan(batch_size=_SCAN_ROWS))
    return Run({"hbase_put": put_s, "hbase_scan": time.perf_counter() - started}, answer)


def _digest(found: Iterable[tuple[bytes, bytes]]) -> dict[str, int]:
    rows = total = 0
    for key, packed in found:
        rows += 1
        total = zlib.crc32(packed, zlib.crc32(key, total))
    return {"rows": rows, "crc32": total}


SIDES = {"ours": ours, "bare happybase": bare_happybase}
