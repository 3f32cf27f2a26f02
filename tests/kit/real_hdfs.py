"""HDFS for the tests: one NameNode and one DataNode for the run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from state_kit import server_folder

from cluster.hdfs import Hdfs
from cluster.machine import Ports


@pytest.fixture(scope="session")
def hdfs() -> Iterator[Hdfs]:
    """Running, and shared by all tests: each works in a folder of its own, and starts again what it killed."""
    with server_folder("hdfs") as folder:
        server = Hdfs(folder, Ports(folder))
        try:
            server.start()
            yield server
        finally:
            # Nothing of it is kept.
            server.kill()


def dfsadmin(server: Hdfs, *arguments: str) -> None:
    """What an operator does with ``hdfs dfsadmin``."""
    command = [*server.java, "org.apache.hadoop.hdfs.tools.DFSAdmin", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
