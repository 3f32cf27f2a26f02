"""A day on which nothing comes at all, and one on which the core shows nothing: what cannot be judged is neither broken nor healed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from changed_days import breaks
from instance_kit import GO_LIVE, Instance, copy_core, make_instance, make_world, opened
from kill_kit import CopyOf

from connectors.lease import DAY_LEASE, Lease, held
from custody.calendar import dates
from jobs.reconcile.day import _silent_hubs, read_day
from jobs.reconcile.day_invariants import is_unjudged
from jobs.reference import load_reference
from jobs.step import StepContext, resolve_inputs
from schemas.exchange import parse_name
from simulator.simulate import FaultRequest

FIRST, SECOND, THIRD = dates(GO_LIVE, 3)
PLATFORMS = ("P001", "P002", "P003")
SILENT = {("MISSING_IN_CORE", f"CORE_SILENT|{platform}") for platform in PLATFORMS}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In which the core lacks a flow of the first day."""
    return make_world(
        tmp_path_factory.mktemp("silent") / "world", [FaultRequest("core_missing", 1, FIRST, "P001")], seed=5, days=3
    )


@pytest.fixture(scope="module")
def home(world: Path) -> Path:
    home = make_instance(world.parent / "home", world)
    with opened(home) as instance:
        instance.deliver(world, FIRST)
        instance.run_day(FIRST)
    return home


def put_files(instance: Instance, world: Path, on: date) -> None:
    for party in sorted(p for p in (world / on.isoformat()).iterdir() if p.name != "CORE"):
        for path in party.iterdir():
            assert parse_name(path.name) is not None
            instance.drop.put(party.name, path.name, path.read_bytes())


def open_cases(instance: Instance) -> dict[str, tuple[object, ...]]:
    return {c["subject"]: (c["kind"], c["opened_on"], c["episode"]) for c in instance.find("recon_case", state="OPEN")}


def test_a_day_with_no_file_and_no_core_heals_nothing_and_breaks_nothing(world: Path, home: Path, fresh: CopyOf) -> None:
    with opened(fresh(home)) as instance:
        before = open_cases(instance)
        assert {kind for kind, _, _ in before.values()} == {"MISSING_IN_CORE", "INV_01"}
        instance.run_day(SECOND)
        now = open_cases(instance)
        assert {subject: now[subject] for subject in before} == before
        found = breaks(instance, SECOND) - breaks(instance, FIRST)
        assert found > SILENT and {kind for kind, _ in found - SILENT} == {"LATE_FILE"}
        assert instance.failing_proofs() == []

        put_files(instance, world, SECOND)
        copy_core(instance, world, SECOND)
        instance.deliver(world, THIRD)
        instance.run_day(THIRD)
        assert open_cases(instance) == before
        assert instance.failing_proofs() == []


def context_of(instance: Instance, lease: Lease) -> StepContext:
    return StepContext(instance.wiring, SECOND, resolve_inputs(instance.wiring, "reconcile", SECOND), lease)


def missed_are_only_platforms_that_are_not_closed(instance: Instance) -> None:
    with held(instance.wiring.register, DAY_LEASE, 60) as lease:
        context = context_of(instance, lease)
        reference, before = load_reference(context), context.rows("reconcile", "breaks", on=FIRST)
        assert tuple(_silent_hubs(context, reference, before)) == PLATFORMS
        unknown = {party: body for party, body in reference.parties.items() if party != "P002"}
        closed = unknown | {"P003": unknown["P003"] | {"status": "CLOSED"}}
        assert tuple(_silent_hubs(context, replace(reference, parties=closed), before)) == ("P001",)


def of_e_accounts_nothing_heals_that_nobody_could_judge(instance: Instance) -> None:
    chain, balance = ("BALANCE_CHAIN", "BC", "CHAIN|P001.LENDER.u1"), ("AMOUNT", "BC", "E_BALANCE|P001.LENDER.u1")
    with held(instance.wiring.register, DAY_LEASE, 60) as lease:
        day = replace(read_day(context_of(instance, lease)), silent_hubs={}, missing=frozenset())
        assert not any(is_unjudged(day, "P001", *about) for about in (chain, balance))
        silent = replace(day, silent_cores={"P001": SECOND})
        assert all(is_unjudged(silent, "P001", *about) for about in (chain, balance))
        assert not is_unjudged(silent, "P001", "BALANCE_CHAIN", "BC", "CHAIN|P001:CUSTODY")
        late = replace(day, missing=frozenset({f"{day.reference.gateways()[0]}|INSTRUCTION|{SECOND.isoformat()}"}))
        assert is_unjudged(late, "P001", *balance) and not is_unjudged(late, "P001", *chain)


def test_a_core_that_shows_nothing_is_one_case_for_each_platform(world: Path, home: Path, fresh: CopyOf) -> None:
    """Not one for each flow, and no balance is held against what nobody saw."""
    with opened(fresh(home)) as instance:
        before = open_cases(instance)
        put_files(instance, world, SECOND)
        instance.collect(SECOND)
        instance.run_day(SECOND)
        assert breaks(instance, SECOND) - breaks(instance, FIRST) == SILENT
        assert {subject: case for subject, case in open_cases(instance).items() if subject in before} == before
        waiting = [m for m in instance.lake_rows(SECOND, "reconcile", "matches") if m["relation"] == "BC_CORE"]
        assert {m["rule"] for m in waiting if m["item_date"] == SECOND} == {"late_file"}
        assert instance.failing_proofs() == []
        missed_are_only_platforms_that_are_not_closed(instance)
        of_e_accounts_nothing_heals_that_nobody_could_judge(instance)

        copy_core(instance, world, SECOND)
        instance.deliver(world, THIRD)
        instance.run_day(THIRD)
        assert open_cases(instance) == before
        assert instance.failing_proofs() == []
