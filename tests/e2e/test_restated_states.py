"""CLAIM, LOAN and CUSTOMER files of a closed day that are restated: the difference in effect that two people see is what the next sealed
day then has; when the first version comes again, what it opened closes, and nothing is left of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened
from test_restated_days import Rows, accept, custody, found, rows_of, send

from custody.calendar import dates
from custody.services import restatements
from custody.steps import STEPS

FIRST, SECOND, THIRD = dates(GO_LIVE, 3)
TYPES = {"CLAIM": "P003", "LOAN": "P001", "CUSTOMER": "P003"}
# What is said badly: of one row another figure, and one row less where the file says all that stands.
BAD = {
    "CLAIM": lambda rows: [{**rows[0], "principal_minor": rows[0]["principal_minor"] + 100}, *rows[2:]],
    "LOAN": lambda rows: [{**rows[0], "periods": rows[0]["periods"] + 1}, *rows[1:]],
    # An account that was never opened is closed.
    "CUSTOMER": lambda rows: [*rows, {**rows[0], "user_no": "U-NEVER", "action": "CHANGE"}],
}
Found = set[tuple[str, str]]


@dataclass
class Story:
    home: Path
    good: dict[str, Rows] = field(default_factory=dict)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: Found = field(default_factory=set)
    sealed: dict[tuple[date, str], str] = field(default_factory=dict)


def accepted(instance: Instance, name: str) -> None:
    with instance.wiring.register.transaction() as tx:
        base = restatements.base_of(tx)
    accept(instance, name, restatements.Effect(base, "", {}))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("states")
    world = make_world(folder / "world", [], seed=5, days=3, lenders=8, loans=4)
    told = Story(make_instance(folder / "home", world))
    told.good = {file_type: rows_of(world, party, file_type, FIRST) for file_type, party in TYPES.items()}
    with opened(told.home) as instance:
        instance.deliver(world, FIRST)
        instance.run_day(FIRST)
        told.before = found(instance, FIRST)
        told.sealed = {(r["custody_date"], r["step"]): r["manifest_digest"] for r in instance.find("step_output")}
        names = {t: send(instance, party, t, FIRST, 2, BAD[t](told.good[t])) for t, party in TYPES.items()}
    told.shown = {file_type: custody(told.home, "restatement", "show", name) for file_type, name in names.items()}
    with opened(told.home) as instance:
        for file_type, name in names.items():
            shown = told.shown[file_type]
            accept(instance, name, restatements.Effect(shown["base"], shown["digest"], {}))
        instance.deliver(world, SECOND)
        instance.run_day(SECOND)
        for file_type, party in TYPES.items():
            accepted(instance, send(instance, party, file_type, FIRST, 3, told.good[file_type]))
        instance.deliver(world, THIRD)
        instance.run_day(THIRD, STEPS[: STEPS.index("reconcile") + 1])
    return told


@pytest.mark.parametrize("file_type", TYPES)
def test_what_was_shown_is_what_the_next_day_has(story: Story, file_type: str) -> None:
    cases = story.shown[file_type]["cases_in_all"]
    said = {(case["after"]["kind"], case["subject"]) for case in cases if case["effect"] == "open"}
    assert said and story.before == set() and all(case["effect"] == "open" for case in cases)
    with opened(story.home) as instance:
        of_party = {
            (b["kind"], b["subject"])
            for b in instance.lake_rows(SECOND, "reconcile", "breaks")
            if b["platform"] == TYPES[file_type] and b["subject"].startswith(f"{file_type}|")
        }
        assert of_party == said
        assert {case["amount_minor"] for case in map(_after, cases)} == {
            b["amount_minor"] for b in instance.lake_rows(SECOND, "reconcile", "breaks") if (b["kind"], b["subject"]) in said
        }


def _after(case: dict[str, Any]) -> dict[str, Any]:
    after: dict[str, Any] = case["after"]
    return after


def test_what_comes_right_closes_it_and_closed_days_stay(story: Story) -> None:
    with opened(story.home) as instance:
        assert found(instance, THIRD) == set() and instance.failing_proofs() == [] and instance.damage() == []
        sealed = {(r["custody_date"], r["step"]): r["manifest_digest"] for r in instance.find("step_output")}
        assert {at: sealed[at] for at in story.sealed} == story.sealed


def test_rows_of_both_versions_are_counted(story: Story) -> None:
    with opened(story.home) as instance:
        for on in (SECOND, THIRD):
            taken = {r["relation"]: r for r in instance.lake_rows(on, "reconcile", "withdrawn")}
            assert set(taken) == {"AB_CLAIM", "AB_LOAN", "AB_CUSTOMER"}
        sizes = {"AB_CLAIM": -1, "AB_LOAN": 0, "AB_CUSTOMER": 1}
        assert {name: row["withdrawn"] for name, row in taken.items()} == {
            f"AB_{t}": len(story.good[t]) + sizes[f"AB_{t}"] for t in TYPES
        }
