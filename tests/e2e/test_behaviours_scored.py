"""Two weeks of a platform that misbehaves boldly: all of it is found, nothing else is; a rule is tried on those days before it counts."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened
from soak import in_soak_only

from console.behaviour_scoring import behaviour_labels, behaviour_score, curves
from custody.errors import UsageError
from custody.match_rules import Rule, read_rule
from jobs.rule_trial import try_rules
from schemas.rule_book import shipped_rules

DAYS = 12


def changed(rule_id: str, **figures: int) -> Rule:
    (first,) = (rule for rule in shipped_rules() if rule.rule_id == rule_id and rule.version == 1)
    entry = {**first.entry, "figures": {**first.entry["figures"], **figures}}
    return read_rule({**entry, "version": 2, "valid_from": str(GO_LIVE)}, "test")


@in_soak_only("a minute of processor time")
def test_all_is_found_nothing_is_raised_for_nothing_and_rules_are_tried(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [], seed=5, platforms=1, channels=1, lenders=12, loans=5, days=DAYS, behaviours=True)
    with opened(make_instance(tmp_path / "home", world)) as instance:
        for n in range(DAYS):
            instance.deliver(world, GO_LIVE + timedelta(days=n))
            instance.run_day(GO_LIVE + timedelta(days=n))
        labels = behaviour_labels(instance.wiring, world / "truth")
        result, _ = behaviour_score(instance.wiring, labels)
        assert len(labels) == 20 and result.is_perfect, json.dumps(result.as_json(), indent=1)
        assert instance.failing_proofs() == []
        rules_are_tried(instance)
        # What is asked beyond what is done is not found, and what an innocent does is found by too low a figure.
        points = {p["value"]: p for p in curves(instance.wiring, labels, ["fast_in_out"])}
        assert (points[13_000_000]["recall"], points[2_000_000]["false"]) == ("0.0000", 1)
        assert points[5_000_000]["operating"] and points[5_000_000]["recall"] == points[5_000_000]["precision"] == "1.0000"


def rules_are_tried(instance: Instance) -> None:
    first, last = GO_LIVE, GO_LIVE + timedelta(days=DAYS - 1)
    before = instance.find("step_output")
    none = try_rules(instance.wiring, [changed("limit_on_platform")], first, last, 5)
    assert not none["differs"]
    found = try_rules(instance.wiring, [changed("limit_on_platform", person_minor=30_000_000)], first, last, 5)
    told = {one["rule"]: one["what"] for day in found["days"] for one in day["findings"]}
    assert told == {"limit_on_platform": "VANISHES"} and found["differs"]
    assert instance.find("step_output") == before
    window = read_rule(
        {**next(r for r in shipped_rules() if r.rule_id == "cut_off_window").entry, "version": 2, "valid_from": str(first)},
        "test",
    )
    with pytest.raises(UsageError, match="different steps"):
        try_rules(instance.wiring, [window, changed("limit_on_platform")], first, last, 5)
