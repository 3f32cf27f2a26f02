"""Properties of worlds without faults over many seeds and shapes, proved on the generated files alone (world_checker).

CUSTODY_WORLD_SEEDS says how many worlds are drawn; ``make soak`` draws 200.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from world_checker import check
from world_reader import World, read_world, tree

from custody.calendar import SettlementCalendar
from custody.names import TxnType
from simulator.simulate import SimulationConfig, simulate

SEEDS = int(os.environ.get("CUSTODY_WORLD_SEEDS", "12"))
# A leap day, a year's turn, 21sts that end a quarter's interest (one before a closed weekend), long holidays, a swapped working day.
_NEAR = (
    date(2020, 2, 29), date(2019, 12, 31), date(2019, 12, 21), date(2020, 3, 21), date(2020, 6, 21), date(2019, 9, 21),
    date(2020, 1, 24), date(2019, 10, 1), date(2020, 5, 1), date(2019, 9, 29), date(2021, 2, 28), date(2020, 12, 31),
)  # fmt: skip
# What occurs in any world that has people and days enough for it, whatever its dates.
_ON_CERTAIN_DATES = {TxnType.BANK_INTEREST, TxnType.CUSTODY_FEE}


def drawn(seed: int) -> SimulationConfig:
    rng = Random(f"shape|{seed}")
    days = rng.choice((1, 2, 4, 7, 12, 20, 45))
    return SimulationConfig(
        platforms=rng.randint(1, 3),
        channels=rng.randint(1, 3),
        lenders=rng.choice((1, 2, 5, 13, 24, 60)),
        loans=rng.choice((1, 2, 4, 9, 18)),
        days=days,
        start=rng.choice(_NEAR) - timedelta(days=rng.randrange(days)),
        seed=seed,
    )


def made(config: SimulationConfig, folder: Path) -> World:
    simulate(config=config, faults=[], out=folder)
    return read_world(folder)


def types_of(world: World, platform: str) -> Counter[str]:
    rows = (row for day in world.dates for row in world.tables["GW", "INSTRUCTION", day] if row["platform"] == platform)
    return Counter(row["txn_type"] for row in rows)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_drawn_world_is_sound(seed: int, tmp_path: Path) -> None:
    found = check(made(drawn(seed), tmp_path / "world"))
    assert [str(one) for one in found[:10]] == [], drawn(seed)


def test_the_worlds_of_other_tests_are_sound(world: World) -> None:
    assert [str(one) for one in check(world)[:10]] == []


@pytest.mark.parametrize("seed", range(max(2, SEEDS // 6)))
def test_every_type_occurs_whatever_the_seed(seed: int, tmp_path: Path) -> None:
    """Twenty-four lenders, ten loans and ten days are enough; over a 21st in December and a month's turn nothing is missing."""
    config = SimulationConfig(platforms=1, channels=1, lenders=24, loans=10, days=16, start=date(2019, 12, 18), seed=seed)
    whole = types_of(made(config, tmp_path / "long"), "P001")
    assert set(whole) == {str(kind) for kind in TxnType}
    short = made(replace(config, days=10, start=date(2019, 11, 10)), tmp_path / "short")
    assert set(types_of(short, "P001")) == {str(kind) for kind in TxnType} - {str(kind) for kind in _ON_CERTAIN_DATES}


def test_the_drawn_shapes_are_not_all_alike() -> None:
    """The seeds reach what they are meant to: quarter's interest, month's turns, holidays, one of each, several platforms."""
    shapes = [drawn(seed) for seed in range(200)]
    spans = [{shape.start + timedelta(days=k) for k in range(shape.days)} for shape in shapes]
    calendar = SettlementCalendar()
    assert sum(date(2020, 2, 29) in span for span in spans) > 10
    assert sum(date(2019, 12, 21) in span for span in spans) > 10
    assert sum(any(not calendar.is_business_day(day) for day in span) for span in spans) > 100
    assert sum(len({(day.year, day.month) for day in span}) > 1 for span in spans) > 50
    assert {shape.platforms for shape in shapes} == {1, 2, 3} and min(shape.lenders or 0 for shape in shapes) == 1


@pytest.mark.parametrize("seed", range(max(1, SEEDS // 20)))
def test_a_drawn_world_is_the_same_again(seed: int, tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate(config=drawn(seed), faults=[], out=tmp_path / name)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_some_people_are_on_two_platforms(world: World) -> None:
    names = world.parties("PLATFORM")
    people = {name: {row["id_no"] for row in world.tables[name, "CUSTOMER", world.dates[0]]} for name in names}
    if len(names) > 1:
        assert len(people["P001"] & people["P002"]) == 3


def test_the_usual_files_are_late_by_a_clock_only(world: World) -> None:
    """Some rows just before midnight stand in the next day's file: what a reader must bear, in worlds of more than a day."""
    late = [
        row
        for name in world.parties("PLATFORM")
        for day in world.dates
        for row in world.tables[name, "TXN", day]
        if row["event_time"].date() != day
    ]
    assert len(late) >= (len(world.dates) - 1) // 2
