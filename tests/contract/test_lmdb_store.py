"""What is LMDB's own: a process of its own, and words when the disk or the map is full."""

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from connectors.lmdb_store import LmdbStore
from custody.errors import DiskFull, StopRun


def _use_inherited(store: LmdbStore, answer: Connection) -> None:
    try:
        store.get("customer", b"a")
    except StopRun as error:
        answer.send(str(error))
    else:
        answer.send("read")


def test_an_environment_carried_over_a_fork_is_refused(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, 1)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_use_inherited, args=(store, there))
    child.start()
    assert here.poll(20)
    assert "opened after fork" in here.recv()
    child.join(20)
    store.close()


def _read(folder: Path, answer: Connection) -> None:
    store = LmdbStore(folder, 1)
    answer.send(store.get("customer", b"a"))
    store.close()


def test_another_process_reads_what_was_written(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, 1)
    store.put_many("customer", [(b"a", {b"p": b"1"})])
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_read, args=(tmp_path, there))
    child.start()
    assert here.poll(20)
    assert here.recv() == {b"p": b"1"}
    child.join(20)
    store.close()


def test_a_full_map_says_which_setting_to_raise(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, 1)
    store._env.set_mapsize(1024 * 1024)
    rows = [(b"%06d" % n, {b"p": b"x" * 1000}) for n in range(5_000)]
    with pytest.raises(DiskFull, match=rf"{tmp_path} has filled its 1 GiB: raise stores.map_size_gib .* bytes are free"):
        store.put_many("customer", rows)
    assert list(store.scan("customer", b"", b"\xff")) == []
    store.close()
    larger = LmdbStore(tmp_path, 2)
    larger.put_many("customer", rows)
    assert list(larger.scan("customer", b"", b"\xff")) == rows
    larger.close()
