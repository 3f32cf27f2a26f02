"""The engine of the jobs is a URL (design.md §2): empty = Sail inside this process, ``sc://host:port`` = a Spark Connect
server, which on the engine of record is Apache Spark. The jobs' code is the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from connectors.loopback import LOOPBACK
from connectors.settings import Settings
from custody.errors import RetryLater, StopRun

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Of gRPC's encodings the first one only, identity.
_UNCOMPRESSED = ("grpc.compression_enabled_algorithms_bitset", 1)


@contextmanager
def engine(settings: Settings) -> Iterator[SparkSession]:
    """A Spark Connect session in UTC. Raises RetryLater when the server named in the settings does not answer."""
    from pyspark.errors import PySparkException

    server = None
    url = settings.engine.url
    options: list[tuple[str, int]] = []
    if not url:
        # Sail logs each session to stderr, where a person reads progress; a wish of the environment's still wins.
        os.environ.setdefault("RUST_LOG", "error")
        # Its allocator keeps what it has freed: the kernel clears each page that it gives anew, a third of a large day's system time.
        os.environ.setdefault("MIMALLOC_PURGE_DELAY", "-1")
        # Of rows that a join or filter leaves out the other columns need not be decoded.
        os.environ.setdefault("SAIL_PARQUET__PUSHDOWN_FILTERS", "true")
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer(LOOPBACK, 0)
        server.start(background=True)
        host, port = server.listening_address
        url = f"sc://{host}:{port}"
        # Within one process nothing is gained by the gzip that gRPC would agree on: it takes most of the time of a large result.
        options = [_UNCOMPRESSED]
    try:
        # Functions of columns are then those of Spark Connect.
        os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
        try:
            from connectors.engine_session import QuerySession

            session = QuerySession.at(url, options, may_break_off=server is None)
            session.conf.set("spark.sql.session.timeZone", "UTC")
        except ImportError as error:
            raise StopRun(f"the environment lacks a package that the engine's client needs: {error}") from error
        except PySparkException as error:
            raise RetryLater(f"the engine at {url} does not answer: {error}") from error
        try:
            yield session
        finally:
            session.stop()
    finally:
        if server is not None:
            server.stop()
