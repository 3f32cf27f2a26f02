"""HBase that is slow, hangs, or loses its answers: words within the configured time, and nothing is there twice afterwards.

The Thrift server is stopped as a machine that thrashes is (SIGSTOP), and a relay in front of it holds back or loses the answers
of calls that the server has carried out: of the compare-and-set that draws a batch's number, and of the batch itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from real_hbase import OwnTables
from relay import Relay

from cluster.hbase import Hbase
from connectors.hbase_store import HbaseStore
from connectors.settings import HbaseSettings
from custody.errors import LeaseLost, RetryLater
from custody.ports import StoreRow
from schemas.store_keys import CUSTOMER, JOURNAL

pytestmark = pytest.mark.real

HURRIED = HbaseSettings(timeout_seconds=1, give_up_after_seconds=2)
ROWS: list[StoreRow] = [(b"%06d" % n, {b"p": b"%d" % n}) for n in range(12_000)]
NEWER: list[StoreRow] = [(key, {b"p": b"newer"}) for key, _ in ROWS]


@pytest.fixture
def store(open_hbase_store: Callable[[], HbaseStore]) -> Iterator[HbaseStore]:
    opened = open_hbase_store()
    yield opened
    opened.close()


def again(hbase: Hbase, store: HbaseStore, settings: HbaseSettings, port: int | None = None) -> OwnTables:
    """The same tables once more, by other settings, and maybe by a relay."""
    assert isinstance(store, OwnTables)
    return OwnTables(hbase, store._prefix, store._made, settings, port)


@contextmanager
def hanging(hbase: Hbase) -> Iterator[None]:
    pid = hbase.thrift.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def everything(store: HbaseStore, table: str) -> list[StoreRow]:
    return list(store.scan(table, b"", b"\xff"))


def test_a_server_that_hangs_is_given_up_in_time_and_what_it_does_late_covers_nothing(hbase: Hbase, store: HbaseStore) -> None:
    slow = again(hbase, store, HURRIED)
    slow.put_many(JOURNAL, ROWS[:1], fence=1)
    with hanging(hbase):
        for call in (
            lambda: slow.put_many(JOURNAL, ROWS, fence=1),
            lambda: slow.get(JOURNAL, ROWS[0][0]),
            lambda: list(slow.scan(JOURNAL, b"", b"\xff")),
        ):
            started = time.monotonic()
            with pytest.raises(RetryLater, match=r"HBase at .* did not do it within 2 s: .*timed out"):
                call()
            # One answer may be waited for beyond the limit.
            assert time.monotonic() - started < 2 + 1 + 2
    # What was sent to it meanwhile is done now, in whatever order; the newer writer's rows stand.
    assert store.put_many(JOURNAL, NEWER, fence=2) == len(NEWER)
    time.sleep(1)
    assert everything(store, JOURNAL) == NEWER
    with pytest.raises(LeaseLost):
        slow.put_many(JOURNAL, ROWS, fence=1)
    slow.close()


@pytest.mark.parametrize("lost", ["checkAndPut", "mutateRowsTs"])
@pytest.mark.parametrize("held_seconds", [None, 1.5], ids=["lost", "late"])
def test_an_answer_that_does_not_come_is_asked_for_again(
    hbase: Hbase, store: HbaseStore, lost: str, held_seconds: float | None
) -> None:
    """The call was carried out; carried out again it makes nothing twice."""

    def trouble(call: str, number: int) -> float | None:
        return held_seconds if (call, number) == (lost, 2) else 0.0

    store.put_many(CUSTOMER, ROWS[:2], fence=1)
    relay = Relay(hbase.thrift_port, trouble)
    patient = HbaseSettings(timeout_seconds=1, give_up_after_seconds=20)
    through = again(hbase, store, patient, relay.port)
    assert through.put_many(CUSTOMER, ROWS, fence=1) == len(ROWS)
    assert relay.calls[lost] > 3
    assert everything(store, CUSTOMER) == ROWS
    assert through.put_many(CUSTOMER, NEWER, fence=2) == len(NEWER)
    assert through.delete_many(CUSTOMER, [key for key, _ in ROWS[:10]], fence=2) == 10
    through.close()
    relay.close()
    assert everything(store, CUSTOMER) == NEWER[10:]


@pytest.mark.parametrize("call", ["checkAndPut", "mutateRowsTs"])
def test_a_writer_whose_every_answer_is_lost_gives_up_in_time(hbase: Hbase, store: HbaseStore, call: str) -> None:
    store.put_many(CUSTOMER, ROWS[:2], fence=1)
    relay = Relay(hbase.thrift_port, lambda name, _: None if name == call else 0.0)
    through = again(hbase, store, HURRIED, relay.port)
    started = time.monotonic()
    with pytest.raises(RetryLater, match="did not do it within 2 s"):
        through.put_many(CUSTOMER, ROWS, fence=1)
    assert time.monotonic() - started < 6
    through.close()
    relay.close()
    assert store.put_many(CUSTOMER, NEWER, fence=2) == len(NEWER)
    assert everything(store, CUSTOMER) == NEWER
