"""Whole days over made-up markets: every planted fault is found and nothing else, and a sound market gives no finding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, SMALL, make_instance, make_world, opened, seeds

from console.commands.simulation import found_items
from custody.audit import first_broken
from custody.calendar import dates
from simulator.score import score
from simulator.simulate import FaultRequest, load_faults

ALL = Path(__file__).parents[1] / "faults" / "all.yaml"


def run_world(folder: Path, faults: list[FaultRequest], seed: int) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Run every day of a new world; returns the score's lines and what was found. The days themselves must be whole."""
    world = make_world(folder / "world", faults, seed)
    with opened(make_instance(folder / "home", world)) as instance:
        for on in dates(GO_LIVE, SMALL["days"]):
            instance.deliver(world, on)
            instance.run_day(on)
        assert instance.failing_proofs() == [], f"seed {seed}"
        assert instance.damage() == [], f"seed {seed}"
        with instance.wiring.register.transaction() as tx:
            assert first_broken(tx.find("audit_event", order_by=["event_no"])) is None
        found = found_items(instance.wiring)
    return score(json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8")), found), found


@pytest.mark.parametrize("seed", seeds(2), ids=lambda seed: f"seed{seed}")
def test_every_planted_fault_is_found_and_nothing_else(seed: int, tmp_path: Path) -> None:
    requests = load_faults(ALL)
    lines, _ = run_world(tmp_path, requests, seed)
    wrong = {kind: line for kind, line in lines.items() if line["found"] != line["planted"] or line["false"]}
    assert wrong == {}, f"seed {seed}"
    assert lines["total"]["planted"] == sum(request.count for request in requests)


@pytest.mark.parametrize("seed", seeds(2), ids=lambda seed: f"seed{seed}")
def test_a_sound_market_gives_no_finding(seed: int, tmp_path: Path) -> None:
    lines, found = run_world(tmp_path, [], seed)
    assert found == [], f"seed {seed}"
    assert lines["total"]["planted"] == 0
