"""Files that are restated after their day was closed: the rows of the earlier version go, what they had matched is judged anew,
cases keep their identity, and closed days stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened
from kill_kit import CopyOf
from test_awkward_days import Market, Rows, file_of, sealed

from custody.calendar import dates
from custody.services import restatements
from custody.services.four_eyes import approve
from jobs.restatement.effect import Difference, difference_of
from schemas.layout import load_layout
from schemas.layout_file import control_totals, parse_file, write_file

FIRST, SECOND, THIRD, FOURTH = dates(GO_LIVE, 4)
P = "P001"
LAYOUTS = {
    "TXN": "platform_txn/1",
    "BALANCE": "platform_balance/1",
    "CLAIM": "platform_claim/1",
    "LOAN": "platform_loan/1",
    "CUSTOMER": "platform_customer/1",
    "SETTLEMENT": "channel_settlement/1",
}


@pytest.fixture(scope="session")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """A sound market whose first day has run."""
    folder = tmp_path_factory.mktemp("restated")
    world = make_world(folder / "world", [], seed=5, days=4, lenders=8, loans=4)
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        instance.deliver(world, FIRST)
        instance.run_day(FIRST)
    return Market(world, home)


def rows_of(world: Path, party: str, file_type: str, on: date) -> Rows:
    path = file_of(world, party, file_type, on)
    return parse_file(load_layout(LAYOUTS[file_type]), path.name, path.read_bytes(), "utf-8", on).rows


def send(instance: Instance, party: str, file_type: str, on: date, version: int, rows: Rows) -> str:
    """A version of one file of a closed day into the drop, and a sweep; returns its name."""
    layout = load_layout(LAYOUTS[file_type])
    name = f"{party}_{file_type}_{on:%Y%m%d}_01_v{version}.csv"
    data = write_file(layout, rows, "utf-8", on)
    seal, body = sealed(party, on, version, {name: (LAYOUTS[file_type], data, len(rows), control_totals(layout, rows))})
    instance.drop.put(party, name, data)
    instance.drop.put(party, seal, body)
    instance.collect(on)
    return name


def restate(instance: Instance, party: str, file_type: str, on: date, version: int, rows: Rows) -> Difference:
    """Sent, looked at, and accepted by two people as they saw it."""
    name = send(instance, party, file_type, on, version, rows)
    seen = difference_of(instance.wiring, name)
    register, clock = instance.wiring.register, instance.wiring.clock
    proposal = restatements.propose_restatement(register, clock, "maker", name, "they found a bug", seen.effect)
    approve(register, clock, "checker", restatements.RESTATEMENT, proposal, "seen")
    return seen


def run(instance: Instance, world: Path, on: date) -> None:
    instance.deliver(world, on)
    instance.run_day(on)
    assert instance.failing_proofs() == []


def breaks(instance: Instance, on: date) -> set[tuple[str, str]]:
    return {(b["kind"], b["subject"]) for b in instance.lake_rows(on, "reconcile", "breaks")}


def cases(instance: Instance, **equals: object) -> dict[str, tuple[str, str, str | None]]:
    return {c["subject"]: (c["case_id"], c["state"], c["closed_by"]) for c in instance.find("recon_case", **equals)}


def changed(rows: Rows, at: int, change: Callable[[dict], object]) -> Rows:
    copies = [dict(row) for row in rows]
    change(copies[at])
    return copies


def test_movements_restated_into_a_sealed_day(closed: Market, fresh: CopyOf) -> None:
    """Version 2 forgets a row, changes one and invents one; version 3 is the first again. Nothing else moves."""
    good = rows_of(closed.world, P, "TXN", FIRST)
    third = {**good[2], "request_no": "R-INVENTED"}
    bad = changed([*good[1:], third], 0, lambda row: row.update(amount_minor=row["amount_minor"] + 1))
    gone, other = (f"TXN|{r['request_no']}|{r['leg']}" for r in good[:2])
    wanted = {("MISSING_IN_PLATFORM", gone), ("AMOUNT", other), ("UNAUTHORISED", f"TXN|R-INVENTED|{third['leg']}")}
    with opened(fresh(closed.home)) as instance:
        first = {row["step"]: row["manifest_digest"] for row in instance.find("step_output")}
        seen = restate(instance, P, "TXN", FIRST, 2, bad)
        assert (seen.rows.added, seen.rows.removed, seen.rows.changed, seen.rows.same) == (1, 1, 1, len(good) - 2)
        assert {(c["after"]["kind"], c["subject"]) for c in seen.cases if c["effect"] == "open"} == wanted
        assert len(seen.cases) == len(wanted)
        run(instance, closed.world, SECOND)
        assert breaks(instance, SECOND) == wanted
        (withdrawn,) = [r for r in instance.lake_rows(SECOND, "reconcile", "withdrawn") if r["side"] == "A"]
        assert (withdrawn["withdrawn"], withdrawn["reopened"], withdrawn["replaced_by"]) == (len(good), len(good), seen.file_name)
        opened_as = cases(instance)
        seen = restate(instance, P, "TXN", FIRST, 3, good)
        assert {(c["before"]["kind"], c["subject"]) for c in seen.cases if c["effect"] == "close"} == wanted
        run(instance, closed.world, THIRD)
        assert breaks(instance, THIRD) == set()
        closed_as = cases(instance)
        assert {s: c[0] for s, c in opened_as.items()} == {s: c[0] for s, c in closed_as.items()}
        assert {c[1] for c in closed_as.values()} == {"CLOSED"}
        by_line = {f"TXN|{r['request_no']}|{r['leg']}": number for number, r in enumerate(good[:2], start=2)}
        for subject, line in by_line.items():
            assert closed_as[subject][2] == f"row {seen.file_name}:{line}"
        assert closed_as[f"TXN|R-INVENTED|{third['leg']}"][2] == f"restated {seen.file_name}"
        # What matched again is not to match a third time.
        run(instance, closed.world, FOURTH)
        assert breaks(instance, FOURTH) == set()
        assert {r["step"]: r["manifest_digest"] for r in instance.find("step_output", custody_date=FIRST)} == first
