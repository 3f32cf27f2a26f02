"""HDFS for the tests: one NameNode and one DataNode for the run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from cluster.hdfs import Hdfs
from cluster.machine import Ports, state_folder


@pytest.fixture(scope="session")
def hdfs() -> Iterator[Hdfs]:
    """Running, and shared by all tests: each works in a folder of its own, and starts again what it killed."""
    folder = state_folder(f"test-{os.getpid()}") / "hdfs"
    server = Hdfs(folder, Ports(folder))
    try:
        server.start()
        yield server
    finally:
        # Nothing of it is kept.
        server.kill()
        shutil.rmtree(folder)


def dfsadmin(server: Hdfs, *arguments: str) -> None:
    """What an operator does with ``hdfs dfsadmin``."""
    command = [*server.java, "org.apache.hadoop.hdfs.tools.DFSAdmin", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
