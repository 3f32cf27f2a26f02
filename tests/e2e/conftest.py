"""A market and an instance that has run two of its days, made once; a test copies the folder and goes on from there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kit"))

from customer_kit import Market, make_market
from instance_kit import GO_LIVE, MONTHLY, copy_of, make_instance, make_world, opened
from kill_kit import CopyOf, TwoDays, Undisturbed, run_undisturbed

from simulator.simulate import load_faults

FAULTS = Path(__file__).parents[1] / "faults"


@pytest.fixture(scope="session")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> TwoDays:
    folder = tmp_path_factory.mktemp("two_days")
    world = make_world(folder / "world", load_faults(FAULTS / "demo.yaml"), seed=7)
    made = TwoDays(world, make_instance(folder / "home", world, reports=MONTHLY), GO_LIVE)
    with opened(made.home) as instance:
        for on in made.days[:2]:
            instance.deliver(world, on)
            instance.run_day(on)
    return made


@pytest.fixture(scope="session")
def undisturbed(two_days: TwoDays, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return run_undisturbed(two_days, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return make_market(tmp_path_factory.mktemp("market"))


@pytest.fixture
def fresh(tmp_path: Path) -> CopyOf:
    """Copies an instance into the test's own folder."""
    return lambda home: copy_of(home, tmp_path / f"copy_{len(list(tmp_path.iterdir()))}")
