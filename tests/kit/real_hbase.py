"""A real HBase of the test run's own: started once, thrown away at the end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import count

import happybase
import pytest
from state_kit import server_folder

from cluster.hbase import Hbase
from cluster.machine import Ports
from connectors.hbase_store import FAMILY, HbaseStore
from connectors.loopback import LOOPBACK
from connectors.settings import HbaseSettings

# A killed master takes its time on a busy machine. An answer is waited for longer than the Thrift server's own 10 seconds, so that
# its words are heard.
SETTINGS = HbaseSettings(timeout_seconds=15, give_up_after_seconds=300)
# Of a table whose server is killed: several, but not the 16 of a bank's. The 210 of a ledger cost the master 12 seconds of the processor to make
# and 4 to open again after each death, these 4 and 1.
REGIONS = 3
_NUMBERS = count(1)
_SERVERS: list[Hbase] = []


@pytest.fixture(scope="session")
def hbase() -> Iterator[Hbase]:
    """Running and empty: a test makes a namespace of its own by ``create_tables``, and starts again what it killed."""
    with server_folder("hbase") as folder:
        server = Hbase(folder, Ports(folder))
        _SERVERS.append(server)
        try:
            server.start()
            yield server
        finally:
            # Nothing of it is kept, so nothing need be flushed.
            server.kill("thrift")
            server.kill("master")
            _SERVERS.remove(server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What fails on HBase's side is seldom more than a time-out on ours, and the logs are gone after the run."""
    report = yield
    if report.failed and item.get_closest_marker("real"):
        report.sections += [
            (f"HBase's {daemon.name}", daemon.tail()) for server in _SERVERS for daemon in (server.master, server.thrift)
        ]
    return report


class OwnTables(HbaseStore):
    """A store whose tables are its own and made when first named: unsplit, since Thrift1 cannot split."""

    def __init__(self, server: Hbase, prefix: str, made: set[str], settings: HbaseSettings, port: int | None = None) -> None:
        """``port``: of a relay before the server."""
        self._server, self._prefix, self._made = server, prefix, made
        super().__init__(LOOPBACK, port or server.thrift_port, "default", settings)

    def _name(self, table: str) -> bytes:
        name = f"{self._prefix}_{table}"
        if table not in self._made:
            connection = happybase.Connection(LOOPBACK, self._server.thrift_port, timeout=60_000)
            connection.create_table(name, {FAMILY.decode(): {"max_versions": 1}})
            connection.close()
            self._made.add(table)
        return f"default:{name}".encode()


@pytest.fixture
def open_hbase_store(hbase: Hbase) -> Callable[[], HbaseStore]:
    """Opens the store that is this test's own; opening again finds what was written."""
    prefix, made = f"t{next(_NUMBERS)}", set[str]()
    return lambda: OwnTables(hbase, prefix, made, SETTINGS)
