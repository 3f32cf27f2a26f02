"""Apache Spark for the tests that compare it with the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.machine import Ports
from cluster.spark_connect import SparkConnect


@pytest.fixture(scope="session")
def spark_connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkConnect]:
    folder = tmp_path_factory.mktemp("spark_connect")
    server = SparkConnect(folder, Ports(folder))
    server.start()
    yield server
    server.stop()
