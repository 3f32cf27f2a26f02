"""A date whose instructions come a day late: what platforms said of it is compared then, with what was posted since and belongs to it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened

from custody.calendar import dates
from custody.ports import Row
from simulator.simulate import FaultRequest

FIRST, SECOND = dates(GO_LIVE, 2)
STATES = ("BALANCE|", "CLAIM|", "LOAN|", "CUSTOMER|")


def of_states(instance: Instance, on: date) -> dict[str, Row]:
    """The day's breaks of balances, claims, loans and customers, and of the platforms' own ledgers."""
    rows = instance.lake_rows(on, "reconcile", "breaks")
    return {row["subject"]: row for row in rows if row["subject"].startswith((*STATES, "SHADOW|"))}


def test_a_date_is_judged_when_its_instructions_come(tmp_path: Path) -> None:
    fault = FaultRequest("balance_wrong", 1, date=FIRST, party="P001")
    world = make_world(tmp_path / "world", [fault], seed=5, days=3, lenders=8, loans=4)
    (label,) = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
    balance = next(expect["subject"] for expect in label["expects"] if expect["sides"] == "AB")
    with opened(make_instance(tmp_path / "home", world)) as instance:
        instance.deliver(world, FIRST, without=["GW"])
        instance.run_day(FIRST)
        # Our side of the date is not known, nor what the platforms may still file of its last minutes.
        assert of_states(instance, FIRST) == {}
        instance.deliver(world, SECOND)
        instance.deliver_party(world, FIRST, "GW", SECOND)
        instance.run_day(SECOND)
        found = of_states(instance, SECOND)
        assert set(found) == {balance}
        evidence = json.loads(found[balance]["evidence"])
        ours = next(one for one in evidence if one["side"] == "B" and "available_minor" in one)
        assert ours["as_of"] == FIRST.isoformat()
        later = [one for one in evidence if "posted_later_minor" in one]
        # Nothing was posted on the date itself, so that what stood is just what came later and is valued on it.
        assert sum(one["posted_later_minor"] for one in later) == ours["available_minor"] + ours["frozen_minor"]
        assert later and all(one["row_ref"].startswith("journal:") for one in later)
        assert instance.failing_proofs() == []
