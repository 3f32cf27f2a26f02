"""Fee terms that change while a month runs: the month is collected by both, and a core that has not heard of it collects more."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from world_checker import check
from world_reader import read_world

from simulator.faults import load_faults
from simulator.simulate import SimulationConfig, simulate

START, CHANGE = date(2019, 12, 26), date(2019, 12, 29)
FAULTS = Path(__file__).parents[1] / "faults" / "contract_changes.yaml"


def config(change: date | None) -> SimulationConfig:
    return SimulationConfig(platforms=2, channels=1, lenders=8, loans=3, days=8, start=START, seed=4, contract_change=change)


def collected(world: Path) -> dict[str, int]:
    rows = read_world(world).tables["GW", "INSTRUCTION", date(2020, 1, 2)]
    return {row["platform"]: row["amount_minor"] for row in rows if row["txn_type"] == "CUSTODY_FEE"}


def test_a_month_is_collected_by_both_terms(tmp_path: Path) -> None:
    for name, change in (("changed", CHANGE), ("same", None)):
        simulate(config=config(change), faults=[], out=tmp_path / name)
        assert check(read_world(tmp_path / name)) == []
    changed, same = collected(tmp_path / "changed"), collected(tmp_path / "same")
    # Platforms of even number agree nothing new.
    assert changed["P002"] == same["P002"] and 0 < changed["P001"] < same["P001"]
    simulate(config=config(CHANGE), faults=load_faults(FAULTS), out=tmp_path / "faulty")
    (label,) = json.loads((tmp_path / "faulty" / "truth" / "faults.json").read_text(encoding="utf-8"))
    assert collected(tmp_path / "faulty") == {"P001": same["P001"], "P002": same["P002"]}
    assert {expect["kind"] for expect in label["expects"]} == {"FEE_AMOUNT", "INV_11"}


@pytest.mark.parametrize("change", [START, date(2020, 1, 3)])
def test_a_change_lies_within_the_world(change: date) -> None:
    with pytest.raises(ValueError, match="contracts change after the first date"):
        config(change)
