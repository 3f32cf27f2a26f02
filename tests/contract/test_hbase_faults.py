"""The keyed store while HBase's processes are killed and started again, and while nobody starts them."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from threading import Thread

import happybase
import pytest
from real_hbase import OwnTables
from thriftpy2.thrift import TException

from cluster.hbase import Hbase
from connectors.hbase_store import HbaseStore
from connectors.loopback import LOOPBACK
from connectors.settings import HbaseSettings
from custody.errors import RetryLater
from custody.ports import StoreRow
from schemas.store_keys import CUSTOMER, JOURNAL

pytestmark = pytest.mark.real

_COUNT = 30_000
_BATCH = 5_000
ROWS: list[StoreRow] = [(b"%08d" % n, {b"p": b"%d" % n * 20, b"q": b"x"}) for n in range(_COUNT)]
NEW_ROWS: list[StoreRow] = [(key, {b"p": b"new"}) for key, _ in ROWS]


@pytest.fixture
def store(hbase: Hbase, open_hbase_store: Callable[[], HbaseStore]) -> Iterator[HbaseStore]:
    opened = open_hbase_store()
    yield opened
    opened.close()
    hbase.start()


def restarting(server: Hbase, which: str) -> Thread:
    def work() -> None:
        server.kill(which)
        server.start()

    thread = Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("which", ["master", "thrift"])
def test_a_server_killed_under_puts_and_scans_loses_and_repeats_nothing(hbase: Hbase, store: HbaseStore, which: str) -> None:
    store.put_many(JOURNAL, ROWS, fence=1)
    threads = []

    def rows_with_a_kill() -> Iterator[StoreRow]:
        for number, row in enumerate(NEW_ROWS, start=1):
            if number == 3 * _BATCH:
                # While this batch is on its way.
                threads.append(restarting(hbase, which))
            yield row

    assert store.put_many(JOURNAL, rows_with_a_kill(), fence=1) == _COUNT
    threads.pop().join()
    assert list(store.scan(JOURNAL, b"", b"\xff")) == NEW_ROWS

    scan = store.scan(JOURNAL, b"", b"\xff")
    found = [next(scan)]
    thread = restarting(hbase, which)
    found += scan
    thread.join()
    assert found == NEW_ROWS


def test_scans_that_outlive_the_thrift_server_do_not_take_each_others_rows(hbase: Hbase, store: HbaseStore) -> None:
    """A server that was started again gives its scanners the numbers it gave before."""
    others: list[StoreRow] = [(key, {b"p": b"other"}) for key, _ in ROWS]
    store.put_many(JOURNAL, ROWS)
    store.put_many(CUSTOMER, others)
    one, two = store.scan(JOURNAL, b"", b"\xff"), store.scan(CUSTOMER, b"", b"\xff")
    found_one, found_two = [next(one)], [next(two)]
    hbase.kill("thrift")
    hbase.start()
    # The second scan goes on first, gets the first one's old number, and is still under way when that one goes on.
    found_two += islice(two, 10_000)
    found_one += one
    found_two += two
    assert found_one == ROWS
    assert found_two == others


def test_a_connection_that_the_server_dropped_for_idleness_is_made_anew(hbase: Hbase, store: HbaseStore) -> None:
    store.put_many(CUSTOMER, ROWS[:1])
    hbase.kill("thrift")
    impatient = Hbase(hbase.folder, hbase.ports, idle_seconds=1)
    impatient.start()
    try:
        other = happybase.Connection(LOOPBACK, hbase.thrift_port)
        other.tables()
        assert store.get(CUSTOMER, ROWS[0][0]) == ROWS[0][1]
        time.sleep(3)
        with pytest.raises((OSError, TException)):
            other.tables()
        assert store.get(CUSTOMER, ROWS[0][0]) == ROWS[0][1]
    finally:
        impatient.kill("thrift")


def test_a_server_that_stays_away_is_not_waited_for_any_longer_than_the_settings_say(hbase: Hbase, store: OwnTables) -> None:
    settings = HbaseSettings(timeout_seconds=1, give_up_after_seconds=3)
    hurried = OwnTables(hbase, store._prefix, store._made, settings)
    hurried.put_many(CUSTOMER, ROWS[:1])
    hbase.kill("thrift")
    for call in (
        lambda: hurried.put_many(CUSTOMER, ROWS[:2]),
        lambda: hurried.get(CUSTOMER, b"k"),
        lambda: list(hurried.scan(CUSTOMER, b"", b"\xff")),
        lambda: HbaseStore.at(hbase.url("default"), settings),
    ):
        started = time.monotonic()
        with pytest.raises(RetryLater, match=rf"{LOOPBACK}:{hbase.thrift_port} did not do it within 3 s: Could not connect"):
            call()
        assert 1 < time.monotonic() - started < 10
    hurried.close()
