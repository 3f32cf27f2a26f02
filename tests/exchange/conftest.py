from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_kit import Exchange, make_home, open_exchange

from connectors.drop_server import DropServer


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    settings = make_home(tmp_path / "home")
    with DropServer(settings) as server:
        made = open_exchange(server, settings)
        yield made
        made.close()
