from __future__ import annotations

from pathlib import Path

import pytest
from world_reader import WORLDS, World, read_world

from simulator.simulate import simulate


@pytest.fixture(scope="session", params=list(WORLDS))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world without faults, read back from its files."""
    out: Path = tmp_path_factory.mktemp(request.param) / "world"
    simulate(config=WORLDS[request.param], faults=[], out=out)
    return read_world(out)
