"""What is done over weeks is truly done: an independent checker finds nothing but the two lies, and every kind is labelled."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from world_checker import check
from world_reader import read_world

from custody.compliance_rules import NEEDS
from simulator.simulate import SimulationConfig, simulate

START = date(2019, 12, 30)
# What the simulator cannot do: no customer of it stands on a list, and its platforms have no money in P_COMPENSATION.
NOT_LIVED = {"watch_list", "platform_compensation"}
# What other steps find.
ELSEWHERE = {"repeated_compensation", "borrower_is_related"}


def test_the_files_of_a_world_of_misdeeds_agree_but_for_its_lies(tmp_path: Path) -> None:
    config = SimulationConfig(platforms=6, channels=1, lenders=12, loans=5, days=13, start=START, seed=3, behaviours=True)
    simulate(config=config, faults=[], out=tmp_path / "world")
    labels = json.loads((tmp_path / "world" / "truth" / "behaviours.json").read_text(encoding="utf-8"))
    assert {label["kind"] for label in labels} == (set(NEEDS) | ELSEWHERE) - NOT_LIVED - {"dormant_active"}
    assert all(label["known_by"] <= "2020-01-11" and label["home"] in ("P001", "P003", "P005", "P006") for label in labels)
    invented = {label["subject"] for label in labels if label["kind"] == "fill_that_never_was"}
    said = [str(violation) for violation in check(read_world(tmp_path / "world"))]
    rest = [line for line in said if not any(loan in line for loan in invented)]
    assert len(invented) == 3 and said
    # One person under two numbers.
    assert len(rest) == 3 and all("is a person who has an account of that role" in line for line in rest)
