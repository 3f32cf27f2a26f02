"""What is HBase's own: numbers instead of replacing, scanners the server forgets, connections, tables somebody must make."""

import multiprocessing
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection

import happybase
import pytest
from Hbase_thrift import IllegalArgument
from real_hbase import SETTINGS, OwnTables

from cluster.hbase import Hbase
from connectors.hbase_store import HbaseStore, _Number
from connectors.loopback import LOOPBACK
from connectors.settings import HbaseSettings
from custody.errors import LeaseLost, SettingsError, StopRun
from custody.ports import StoreRow
from schemas.store_keys import CORE_FLOW, CUSTOMER, LEDGER_TABLES, SALTS, WATERMARK

pytestmark = pytest.mark.real


@pytest.fixture
def store(open_hbase_store: Callable[[], OwnTables]) -> Iterator[OwnTables]:
    opened = open_hbase_store()
    yield opened
    opened.close()


def rows(count: int, value: bytes = b"v") -> list[StoreRow]:
    return [(b"%08d" % n, {b"p": value}) for n in range(count)]


class Paused(OwnTables):
    """A writer who sleeps between drawing his number and putting the batch."""

    meanwhile: Callable[[], object] | None = None

    def _draw_number(self, table: str, fence: int | None) -> _Number:
        number = super()._draw_number(table, fence)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return number


def test_the_batch_of_a_writer_who_slept_covers_nothing_newer(hbase: Hbase, store: OwnTables) -> None:
    late = Paused(hbase, store._prefix, store._made, SETTINGS)

    def newer_writer() -> None:
        store.put_many(CUSTOMER, [(b"put", {b"a": b"new"}), (b"gone", {b"a": b"new"})], fence=8)
        store.delete_many(CUSTOMER, [b"gone"], fence=8)

    late.meanwhile = newer_writer
    old = {b"a": b"old", b"b": b"old"}
    late.put_many(CUSTOMER, [(b"put", old), (b"gone", old)], fence=7)
    assert list(store.scan(CUSTOMER, b"", b"\xff")) == [(b"put", {b"a": b"new"})]
    with pytest.raises(LeaseLost):
        late.put_many(CUSTOMER, [(b"put", old)], fence=7)
    late.close()


def test_a_clock_that_goes_back_hides_no_write(store: OwnTables, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_many(CUSTOMER, [(b"k", {b"a": b"1"}), (b"l", {b"a": b"1"})])
    monkeypatch.setattr("connectors.hbase_store.time.time_ns", lambda: 1_000_000)
    store.put_many(CUSTOMER, [(b"k", {b"a": b"2"})])
    store.delete_many(CUSTOMER, [b"l"])
    assert list(store.scan(CUSTOMER, b"", b"\xff")) == [(b"k", {b"a": b"2"})]


def test_two_writers_without_fences_never_share_a_number(hbase: Hbase, store: OwnTables) -> None:
    other = OwnTables(hbase, store._prefix, store._made, SETTINGS)
    numbers = [writer._draw_number(CUSTOMER, None) for _ in range(5) for writer in (store, other, store)]
    assert numbers == sorted(set(numbers))
    other.close()


def test_fences_that_do_not_fit_a_timestamp_are_refused(store: OwnTables) -> None:
    assert store.put_many(CUSTOMER, rows(1), fence=2**21 - 1) == 1
    for fence in (0, -1, 2**21):
        with pytest.raises(StopRun, match="no room"):
            store.put_many(WATERMARK, rows(1), fence=fence)


def close_scanners(server: Hbase) -> int:
    """Close behind everybody's back what is open; returns how many."""
    closed = 0
    with closing(happybase.Connection(LOOPBACK, server.thrift_port)) as connection:
        for number in range(1_000):
            try:
                connection.client.scannerClose(number)
                closed += 1
            except IllegalArgument:
                continue
    return closed


def test_a_scanner_that_the_server_forgot_is_opened_again_after_the_last_row(hbase: Hbase, store: OwnTables) -> None:
    store.put_many(CUSTOMER, rows(25_000))
    close_scanners(hbase)  # what a process left open that another test killed
    scan = store.scan(CUSTOMER, b"", b"\xff")
    found = [next(scan)]
    assert close_scanners(hbase) == 1
    assert [*found, *scan] == rows(25_000)


def test_a_scan_that_is_left_early_closes_its_scanner(hbase: Hbase, store: OwnTables) -> None:
    store.put_many(CUSTOMER, rows(20_001))
    close_scanners(hbase)
    scan = store.scan(CUSTOMER, b"", b"\xff")
    next(scan)
    scan.close()
    assert close_scanners(hbase) == 0
    assert len(list(store.scan(CUSTOMER, b"", b"\xff"))) == 20_001
    assert close_scanners(hbase) == 0


def test_what_was_not_made_is_named(hbase: Hbase) -> None:
    with pytest.raises(StopRun, match=r"nowhere.*Make the tables of nowhere"):
        HbaseStore.at(hbase.url("nowhere"), SETTINGS)
    hbase.create_tables("made", [CORE_FLOW, WATERMARK])
    store = HbaseStore.at(hbase.url("made"), SETTINGS)
    for refused in (
        lambda: store.put_many(CUSTOMER, rows(1)),
        lambda: store.get(CUSTOMER, b"k"),
        lambda: list(store.scan(CUSTOMER, b"", b"\xff")),
        lambda: store.delete_many(CUSTOMER, [b"k"]),
    ):
        with pytest.raises(StopRun, match="made:customer.*Make the tables"):
            refused()
    # What is there is left alone, and tables of salted keys have a region for each salt.
    store.put_many(WATERMARK, rows(1))
    hbase.create_tables("made", [CORE_FLOW, WATERMARK])
    assert list(store.scan(WATERMARK, b"", b"\xff")) == rows(1)
    store.close()
    connection = happybase.Connection(LOOPBACK, hbase.thrift_port)
    starts = [region["start_key"] for region in connection.table(f"made:{CORE_FLOW}").regions()]
    assert starts == [b"", *(bytes([n]) for n in range(1, SALTS))]
    assert len(connection.table(f"made:{WATERMARK}").regions()) == 1
    connection.close()


def heap_megabytes(server: Hbase) -> float:
    """What lives in the master's heap."""

    def asked(question: str) -> str:
        return subprocess.run(["jcmd", str(server.master.pid), question], capture_output=True, text=True, check=True).stdout

    asked("GC.run")
    used = re.search(r"total \d+K, used (\d+)K", asked("GC.heap_info"))
    assert used is not None
    return int(used[1]) / 1024


def test_a_region_that_holds_little_takes_little_memory(hbase: Hbase) -> None:
    """A ledger has over two hundred regions: at 3 MB each, two ledgers' tables filled the heap, and puts timed out for good."""
    tables = LEDGER_TABLES[:4]
    hbase.create_tables("little", tables)
    store = HbaseStore.at(hbase.url("little"), SETTINGS)
    before = heap_megabytes(hbase)
    for table in tables:
        store.put_many(table, [(bytes([salt]), {b"p": b"v"}) for salt in range(SALTS)])
    store.close()
    assert heap_megabytes(hbase) - before < 0.5 * len(tables) * SALTS


@pytest.mark.parametrize("url", ["hbase://h:1", "hbase://h/n", "hbase://h:x/n", "hbase://h:1/a/b", "hbase://h:1/a-b"])
def test_an_address_that_names_no_namespace_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="hbase://HOST:PORT/NAMESPACE"):
        HbaseStore.at(url, HbaseSettings(timeout_seconds=1, give_up_after_seconds=1))


def _use_inherited(store: HbaseStore, answer: Connection) -> None:
    try:
        store.get(CUSTOMER, b"a")
    except StopRun as error:
        answer.send(str(error))
    else:
        answer.send("read")


def test_a_connection_carried_over_a_fork_is_refused(store: OwnTables) -> None:
    store.put_many(CUSTOMER, rows(1))
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_use_inherited, args=(store, there))
    child.start()
    assert here.poll(20)
    assert "opened after fork" in here.recv()
    child.join(20)
    assert list(store.scan(CUSTOMER, b"", b"\xff")) == rows(1)
