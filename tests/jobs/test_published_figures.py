"""Platforms that publish their figures of a month: a wrong one and a file that never comes are found, of a sound world nothing is.

The worlds end on the fifth business day of January 2020, on which December's figures are due.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from instance_kit import Instance, copy_of, make_instance, make_world, opened

from console.scoring import found_items
from custody.calendar import dates
from custody.disclosure import FIGURE_WORDS
from custody.steps import STEPS
from simulator.score import score
from simulator.simulate import load_faults

FAULTS = Path(__file__).parents[1] / "faults" / "disclosures.yaml"
START, END, DUE = date(2019, 12, 27), date(2019, 12, 31), date(2020, 1, 8)
SIZE = {"platforms": 2, "channels": 1, "lenders": 8, "loans": 12, "days": (DUE - START).days + 1}
# When each platform sends them: the first and the second business day of the year.
SENT = {"P001": date(2020, 1, 2), "P002": date(2020, 1, 3)}
SEED = 3


@dataclass(frozen=True)
class Market:
    """A sound world, and an instance that ran its days up to the first on which figures are published."""

    world: Path
    home: Path


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    folder = tmp_path_factory.mktemp("sound")
    world = make_world(folder / "world", [], SEED, START, **SIZE, disclosures=True)
    return Market(world, run(make_instance(folder / "home", world, START), world, START, END))


def run(home: Path, world: Path, first: date, last: date) -> Path:
    with opened(home) as instance:
        for on in dates(first, (last - first).days + 1):
            instance.deliver(world, on)
            instance.run_day(on, STEPS)
        assert instance.failing_proofs() == []
    return home


def files_of(world: Path, on: date) -> dict[str, bytes]:
    folder = world / on.isoformat()
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def verdicts(instance: Instance, on: date) -> dict[tuple[str, str], str]:
    rows = instance.lake_rows(on, "reconcile", "disclosures")
    assert {row["as_of"] for row in rows} <= {END}
    return {(row["platform"], row["figure"]): row["verdict"] for row in rows}


def test_what_is_published_wrongly_or_never_is_found_and_nothing_else(market: Market, tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", load_faults(FAULTS), SEED, START, **SIZE, disclosures=True)
    labels = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
    known = {label["kind"]: (label["party"], label["known_by"]) for label in labels}
    assert known == {
        "disclosure_figure": ("P001", SENT["P001"].isoformat()),
        "disclosure_missing": ("P002", DUE.isoformat()),
    }
    assert [path.parent.parent.name for path in world.rglob("*_DISCLOSURE_*")] == ["2020-01-02"]
    (figure,) = (label["keys"]["figure"] for label in labels if label["kind"] == "disclosure_figure")
    # Until then it is the sound one.
    assert all(files_of(world, on) == files_of(market.world, on) for on in dates(START, (END - START).days + 1))
    home = run(copy_of(market.home, tmp_path / "home"), world, END + timedelta(days=1), DUE)
    with opened(home) as instance:
        found = found_items(instance.wiring)
        said = verdicts(instance, SENT["P001"])
    result = score(labels, found, DUE.isoformat())
    assert result.is_perfect and not result.not_due, (result.missed, result.late, result.false)
    assert result.kinds["total"]["found"] == 2 and result.kinds["total"]["precision"] == "1.0000"
    assert {name for (_, name), verdict in said.items() if verdict != "AGREES"} == {figure}
    # The system calls it late on the day on which it is due, not before.
    assert {(f["kind"], f["found_on"]) for f in found} == {("DISCLOSURE", "2020-01-02"), ("LATE_FILE", "2020-01-08")}


def test_of_a_sound_world_every_figure_agrees(market: Market, tmp_path: Path) -> None:
    home = run(copy_of(market.home, tmp_path / "home"), market.world, END + timedelta(days=1), max(SENT.values()))
    with opened(home) as instance:
        assert found_items(instance.wiring) == []
        for platform, on in SENT.items():
            assert verdicts(instance, on) == {(platform, name): "AGREES" for name in FIGURE_WORDS}
