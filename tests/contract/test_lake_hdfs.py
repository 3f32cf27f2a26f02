"""The lake on HDFS when HDFS fails, refuses or restarts, and what the engines read there."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lake_kit import Folder, HdfsFolder, Place, flows, lake_at, write
from real_hdfs import dfsadmin

from cluster.hdfs import Hdfs
from cluster.spark_connect import SparkConnect
from connectors.engine import engine
from connectors.lake import Lake
from connectors.settings import FILE_NAME, changed, initial_settings, load_settings
from custody.errors import RetryLater, StopRun
from schemas.tables import TABLES

pytestmark = pytest.mark.real
# A server that is away is given up after some ten seconds; the rest is a slow machine.
_GIVES_UP_SECONDS = 60


@pytest.fixture
def place(running: Hdfs) -> HdfsFolder:
    return HdfsFolder(running)


@pytest.fixture
def lake(place: Place, tmp_path: Path) -> Lake:
    return lake_at(place, tmp_path)


@pytest.fixture
def running(hdfs: Hdfs) -> Iterator[Hdfs]:
    hdfs.start()
    yield hdfs
    hdfs.start()


@pytest.mark.parametrize("name", ["sail", "spark"])
@pytest.mark.parametrize("where", ["folder", "file", "hdfs"])
def test_both_engines_read_every_place(where: str, name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = tmp_path / "lake 存管"
    at = {"folder": folder.name, "file": f"file://{folder}"}
    place: Place = HdfsFolder(request.getfixturevalue("running")) if where == "hdfs" else Folder(at[where], folder)
    lake = lake_at(place, tmp_path)
    output, _ = write(lake, flows(500))
    # What a killed write left beside a table is passed over.
    place.put(f"{output}/core_flow/.part-00001.parquet.part", b"half")
    server: SparkConnect | None = request.getfixturevalue("spark_connect") if name == "spark" else None
    home = tmp_path / "home"
    home.mkdir()
    url = server.url if server else ""
    text = changed(initial_settings("b", date(2019, 12, 30), 0), {"engine.url": url})
    (home / FILE_NAME).write_text(text)
    with engine(load_settings(home)) as spark:
        whole = spark.read.parquet(lake.parquet(output, "core_flow"))
        found = whole.select(*TABLES["core_flow"].names).orderBy("account", "core_date", "seq").toArrow()
        none = spark.read.parquet(lake.parquet(output, "core_balance")).toArrow()
    assert found.to_pylist() == lake.rows(output, "core_flow")
    assert none.num_rows == 0 and none.column_names == lake.read(output, "core_balance").column_names


def test_what_was_written_survives_the_kill_of_both_servers(lake: Lake, running: Hdfs) -> None:
    where, manifest = write(lake, flows(1_000))
    running.kill()
    assert "ended" in str(running.healthy())
    running.start()
    assert lake.verify(where, manifest.digest) == []
    # The client that lost its connection goes on with a new one.
    assert lake.verify(*_written_again(lake)) == []


def _written_again(lake: Lake) -> tuple[str, str]:
    where, manifest = write(lake, flows(5), fence=2)
    return where, manifest.digest


def test_while_the_namenode_is_away_a_run_is_told_to_come_again(lake: Lake, running: Hdfs) -> None:
    where, manifest = write(lake, flows(5))
    running.stop()
    for refused in _uses(lake, where, manifest.digest):
        began = time.monotonic()
        with pytest.raises(RetryLater, match=f"HDFS does not serve {running.url}/.*(refused|disconnected)"):
            refused()
        assert time.monotonic() - began < _GIVES_UP_SECONDS


def test_while_the_datanode_is_away_a_run_is_told_to_come_again(lake: Lake, running: Hdfs) -> None:
    where, manifest = write(lake, flows(5))
    running.datanode.kill()
    for refused in _uses(lake, where, manifest.digest):
        began = time.monotonic()
        with pytest.raises(RetryLater, match="HDFS (does not serve|refuses) "):
            refused()
        assert time.monotonic() - began < _GIVES_UP_SECONDS
    running.start()
    assert lake.verify(where, manifest.digest) == []


def _uses(lake: Lake, where: str, digest: str) -> list[Callable[[], Any]]:
    return [lambda: write(lake, flows(1), fence=9), lambda: lake.rows(where, "core_flow"), lambda: lake.verify(where, digest)]


def test_in_safe_mode_it_can_be_read_and_a_writer_is_told_to_come_again(lake: Lake, running: Hdfs) -> None:
    where, manifest = write(lake, flows(5))
    dfsadmin(running, "-safemode", "enter")
    try:
        assert lake.verify(where, manifest.digest) == []
        with pytest.raises(RetryLater, match="SafeModeException: .*safe mode"):
            write(lake, flows(1), fence=2)
    finally:
        dfsadmin(running, "-safemode", "leave")
    assert lake.verify(*_written_again(lake)) == []


def test_who_is_not_permitted_is_told_what(
    lake: Lake, place: HdfsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, manifest = write(lake, flows(5))
    monkeypatch.setenv("HADOOP_USER_NAME", "somebody")
    other = lake_at(place, tmp_path)
    assert other.verify(where, manifest.digest) == []
    with pytest.raises(StopRun, match=r"HDFS refuses hdfs://.*Permission denied: user=somebody, access=WRITE"):
        write(other, flows(5), fence=2)


def test_a_full_quota_is_a_persons_to_raise(lake: Lake, place: HdfsFolder, running: Hdfs) -> None:
    where, _ = write(lake, flows(5))
    root = place.location.removeprefix(running.url)
    dfsadmin(running, "-setQuota", "12", root)
    with pytest.raises(StopRun, match="NSQuotaExceededException"):
        write(lake, flows(5), fence=2)
    assert len(lake.rows(where, "core_flow")) == 5


def test_bytes_that_changed_on_the_datanodes_disk_are_never_taken(lake: Lake, running: Hdfs) -> None:
    note = b"a note of this test's own"
    where, manifest = write(lake, flows(5), note=note)
    (block,) = [p for p in (running.datanode.folder / "data").rglob("blk_*") if _read(p) == note]
    block.write_bytes(note.upper())
    with pytest.raises(RetryLater, match="files/note.txt: no DataNode has its blocks whole"):
        lake.verify(where, manifest.digest)


def _read(block: Path) -> bytes | None:
    """None of a block that the DataNode took away meanwhile: it deletes those of earlier tests when it gets to it."""
    try:
        return block.read_bytes()
    except FileNotFoundError:
        return None


def test_a_namenode_that_hangs_is_given_up(lake: Lake, running: Hdfs, monkeypatch: pytest.MonkeyPatch) -> None:
    where, manifest = write(lake, flows(5))
    monkeypatch.setattr("connectors.lake_files._ANSWER_SECONDS", 2)
    namenode = running.namenode.pid
    assert namenode is not None
    os.kill(namenode, signal.SIGSTOP)
    try:
        for refused in _uses(lake, where, manifest.digest):
            with pytest.raises(RetryLater, match="does not answer for .* within 2 s"):
                refused()
    finally:
        os.kill(namenode, signal.SIGCONT)
    monkeypatch.undo()
    assert lake.verify(where, manifest.digest) == []
