"""A market and an instance that has run two of its days, made once; a test copies the folder and goes on from there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kit"))

from instance_kit import GO_LIVE, copy_of, make_instance, make_world, opened

from custody.calendar import dates
from simulator.simulate import load_faults

DAY_1, DAY_2, DAY_3, DAY_4 = dates(GO_LIVE, 4)
CopyOf = Callable[[Path], Path]


@dataclass(frozen=True)
class TwoDays:
    """``world`` has four days with the demonstration's faults; ``home`` is a closed instance that ran the first two."""

    world: Path
    home: Path
    day_1: date = DAY_1
    day_2: date = DAY_2
    day_3: date = DAY_3
    day_4: date = DAY_4


@pytest.fixture(scope="session")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> TwoDays:
    folder = tmp_path_factory.mktemp("two_days")
    world = make_world(folder / "world", load_faults(Path(__file__).parents[1] / "faults" / "demo.yaml"), seed=7)
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        for on in (DAY_1, DAY_2):
            instance.deliver(world, on)
            instance.run_day(on)
    return TwoDays(world, home)


@pytest.fixture
def fresh(tmp_path: Path) -> CopyOf:
    """Copies an instance into the test's own folder."""
    return lambda home: copy_of(home, tmp_path / f"copy_{len(list(tmp_path.iterdir()))}")
