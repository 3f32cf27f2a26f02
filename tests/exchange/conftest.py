from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_kit import Exchange, make_home, open_exchange
from real_sshd import RealSshd

from connectors.drop_server import DropServer, with_port


@pytest.fixture
def builtin(tmp_path: Path) -> Iterator[Exchange]:
    """The exchange over our own server."""
    settings = make_home(tmp_path / "home")
    with DropServer(settings) as server:
        made = open_exchange(with_port(settings, server.port))
        yield made
        made.close()


@pytest.fixture
def openssh(sshd: RealSshd) -> Iterator[Exchange]:
    """The exchange over the machine's sshd: the server is the run's, the instance this test's own."""
    made = open_exchange(make_home(sshd.fresh_home(), sshd.changes))
    yield made
    made.close()


@pytest.fixture(params=["builtin", pytest.param("openssh", marks=pytest.mark.real)])
def exchange(request: pytest.FixtureRequest) -> Exchange:
    made: Exchange = request.getfixturevalue(request.param)
    return made
