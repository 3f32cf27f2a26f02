"""Fee terms change in mid-period: the bank charges each day by its own, what the core collects by the first ones is found, else nothing."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from instance_kit import make_instance, make_world, opened, seeds
from soak import in_soak_only

from console.scoring import found_items
from simulator.faults import FaultRequest, load_faults
from simulator.score import score

FAULTS = Path(__file__).parents[1] / "faults" / "contract_changes.yaml"
START, DAYS, CHANGE = date(2019, 12, 26), 8, date(2019, 12, 29)
SIZE = {"platforms": 2, "channels": 1, "lenders": 8, "loans": 3, "days": DAYS}


@in_soak_only("half a minute of processor time a seed")
@pytest.mark.parametrize("seed", seeds(1), ids=lambda seed: f"seed{seed}")
@pytest.mark.parametrize("faults", [[], load_faults(FAULTS)], ids=["sound", "faulty"])
def test_a_core_that_has_not_heard_of_the_change_is_found(seed: int, faults: list[FaultRequest], tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", faults, seed, START, **SIZE, contract_change=CHANGE)
    days = [START + timedelta(days=n) for n in range(DAYS)]
    with opened(make_instance(tmp_path / "home", world, START)) as instance:
        for on in days:
            instance.deliver(world, on)
            instance.run_day(on)
        assert instance.failing_proofs() == []
        labels = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
        result = score(labels, found_items(instance.wiring), days[-1].isoformat())
        assert result.is_perfect and result.kinds["total"]["found"] == len(faults), json.dumps(result.as_json(), indent=1)
        # What was charged of the platform that agreed anew is by both terms: the core's answer, of another hand, is the same to the fen.
        assert {row["platform"] for row in instance.find("fee_charge")} == {"P001", "P002"}
