"""Apache Spark as a Spark Connect server, from the jars that the pip package brings: the engine of record (design.md §2)."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path

from cluster.daemon import Daemon
from cluster.machine import Ports, listens
from cluster.programs import JAVA, require
from connectors.loopback import LOOPBACK

_START_SECONDS = 120
_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
_DRIVER_MEMORY = "2g"


class SparkConnect:
    """A server on ``cores`` local threads. Loopback only: whoever reaches its port may run code."""

    def __init__(self, folder: Path, ports: Ports, cores: int = 2) -> None:
        self._folder = folder
        self._ports = ports
        self._cores = cores

    @property
    def url(self) -> str:
        """What ``engine.url`` in the settings names."""
        return f"sc://{LOOPBACK}:{self._port}"

    @property
    def _port(self) -> int:
        return self._ports["spark_connect"]

    @cached_property
    def daemon(self) -> Daemon:
        import pyspark

        settings = {
            "spark.connect.grpc.binding.address": LOOPBACK,
            "spark.connect.grpc.binding.port": str(self._port),
            "spark.driver.bindAddress": LOOPBACK,
            "spark.driver.host": LOOPBACK,
            "spark.ui.enabled": "false",
            # The whole cluster is one machine: a shuffle of hundreds of partitions would be nothing but overhead.
            "spark.sql.shuffle.partitions": str(2 * self._cores),
            "spark.sql.warehouse.dir": (self._folder / "warehouse").as_uri(),
            "spark.local.dir": str(self._folder / "scratch"),
            "spark.sql.catalogImplementation": "in-memory",
        }
        submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
        options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        memory = ["--driver-memory", _DRIVER_MEMORY, "--master", f"local[{self._cores}]"]
        command = [str(submit), *memory, *options, "--class", _SERVER, "spark-internal"]
        # spark-submit would otherwise take a SPARK_HOME of the caller's, with other jars.
        environment = {"PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(Path(pyspark.__file__).parent)}
        return Daemon("spark_connect", self._folder, command, environment)

    def start(self) -> None:
        """Returns when the server takes connections. Raises MachineLacks, ServiceFailed."""
        require([JAVA])
        (self._folder / "scratch").mkdir(parents=True, exist_ok=True)
        self.daemon.start()
        self.daemon.wait_until(self.healthy, _START_SECONDS)

    def healthy(self) -> str | None:
        return listens(self._port) if self.daemon.pid is not None else "the process has ended"

    def stop(self) -> None:
        self.daemon.stop()

    def kill(self) -> None:
        self.daemon.kill()
