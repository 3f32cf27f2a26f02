"""Whole days over made-up markets: every planted fault is found and nothing else, and a sound market gives no finding."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from case_snapshot import AGAIN, GOLDEN, cases_of_each_kind
from instance_kit import GO_LIVE, SMALL, Instance, copy_core, make_instance, make_world, opened, seeds
from score_table import PROPERTY
from typer.testing import CliRunner

from console.cli import app
from console.platform_answer import answer, answers_in, result_of_yesterday
from console.scoring import found_items
from custody.audit import first_broken
from custody.calendar import dates
from custody.names import PartyKind
from custody.services.access import SYSTEM
from custody.services.intake import collect
from jobs.results import send_results
from simulator.faults import KINDS, FaultRequestError
from simulator.parties import make_parties
from simulator.plant import plant_faults
from simulator.score import Score, score
from simulator.simulate import FaultRequest, SimulationConfig, load_faults, true_days

Record = Callable[[str, object], None]

FAULTS = Path(__file__).parents[1] / "faults"
# Ten days, so that what is known only after five business days falls due.
# Two platforms, so that faults meet.
CROWDED = {"platforms": 2, "channels": 2, "lenders": 16, "loans": 8, "days": 5}
ROOMY = {"platforms": 6, "channels": 3, "lenders": 40, "loans": 24, "days": 10}


def run_world(
    folder: Path, faults: list[FaultRequest], seed: int, size: dict[str, int]
) -> tuple[Score, list[dict[str, Any]], Path]:
    """Run every day of a new world; returns the score, what was found, and the world. The days themselves must be whole."""
    world = make_world(folder / "world", faults, seed, **size)
    days = list(dates(GO_LIVE, size["days"]))
    with opened(make_instance(folder / "home", world)) as instance:
        for on in days:
            deliver(instance, world, on)
            instance.run_day(on)
            assert send_results(instance.wiring, on, SYSTEM)["failed"] == []
        assert instance.failing_proofs() == [], f"seed {seed}"
        assert instance.damage() == [], f"seed {seed}"
        with instance.wiring.register.transaction() as tx:
            assert first_broken(tx.find("audit_event", order_by=["event_no"])) is None
        found = found_items(instance.wiring)
    labels = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
    return score(labels, found, days[-1].isoformat()), found, world


def deliver(instance: Instance, world: Path, on: Any) -> None:
    """All that arrives on a date; what has no usable seal may stay in the drop."""
    for party in sorted(p for p in (world / on.isoformat()).iterdir() if p.name != "CORE"):
        for path in party.iterdir():
            instance.drop.put(party.name, path.name, path.read_bytes())
    copy_core(instance, world, on)
    _answer(instance, world, on)
    limits = instance.wiring.collect_limits
    result = collect(instance.wiring.exchange_ports, instance.wiring.exchange_rules, SYSTEM, on, limits)
    assert result.troubles == []


def _answer(instance: Instance, world: Path, on: date) -> None:
    """What the platforms answer to yesterday's result, as the world says."""
    how = answers_in(world)
    for party in json.loads((world / "world.json").read_text(encoding="utf-8"))["parties"]:
        sent = instance.drop.sent.get(party["party"], {})
        result = result_of_yesterday(party["party"], sent, on)
        if result is not None:
            files, seals = answer(party["party"], party["encoding"], on, result, how.get(result, "AGREED"), sent.__getitem__)
            for name, data in {**files, **seals}.items():
                instance.drop.put(party["party"], name, data)


@pytest.mark.parametrize("seed", seeds(1), ids=lambda seed: f"seed{seed}")
def test_every_kind_is_found_and_nothing_else_is_raised(seed: int, tmp_path: Path, record_property: Record) -> None:
    requests = load_faults(FAULTS / "all.yaml")
    result, _, world = run_world(tmp_path, requests, seed, ROOMY)
    record_property(PROPERTY, json.dumps(result.kinds))
    assert result.kinds["total"]["planted"] == sum(request.count for request in requests)
    assert [(row["platform"], row["sides"], row["kind"], row["subject"]) for row in result.false] == [], f"seed {seed}"
    assert result.late == [] and result.not_due == []
    assert [(row["kind"], row["keys"], row["lacking"]) for row in result.missed] == [], f"seed {seed}"
    _the_command_says_the_same(tmp_path / "home", world, result)
    if seed == 0:
        assert cases_of_each_kind(tmp_path / "home") == GOLDEN.read_text(encoding="utf-8"), AGAIN


def _the_command_says_the_same(home: Path, world: Path, result: Score) -> None:
    """The figures stand in the JSON, by date where asked, and on the screen; a fault that was missed is shown and ends with 1."""
    environment = {"CUSTODY_HOME": str(home)}
    arguments = ["score", "--truth", str(world / "truth")]
    done = CliRunner().invoke(app, [*arguments, "--json"], env=environment)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["kinds"] == result.kinds
    early = CliRunner().invoke(app, [*arguments, "--as-of", GO_LIVE.isoformat(), "--json"], env=environment)
    undue = json.loads(early.stdout.splitlines()[-1])["kinds"]["total"]
    assert undue["planted"] == result.kinds["total"]["planted"] and undue["not_due"] > 50
    path = world / "truth" / "faults.json"
    labels = json.loads(path.read_text(encoding="utf-8"))
    labels[0]["expects"][0]["subject"] += "_X"
    path.write_text(json.dumps(labels), encoding="utf-8")
    shown = CliRunner().invoke(app, arguments, env=environment)
    assert shown.exit_code == 1 and labels[0]["fault_id"] in shown.output


# What reconciliation judges: rows, states, cash, files that are late.
_RECONCILED = (
    "txn_",
    "balance_",
    "claim_",
    "loan_",
    "channel_",
    "core_",
    "settlement_",
    "late_",
    "short_",
    "amount_",
    "account_",
)
_DRAWN = 18


def drawn(seed: int) -> list[FaultRequest]:
    """Those that meet, then kinds at random, some twice, as far as a crowded world of this seed has places for all together."""
    rng = Random(f"together|{seed}")
    config = SimulationConfig(**CROWDED, start=GO_LIVE, seed=seed)
    parties = make_parties(config.platforms, config.channels)
    world = {"seed": seed, "parties": parties, "days": list(true_days(config))}
    batch_of = {party.party: 1 for party in parties if party.kind is PartyKind.PLATFORM}
    kept: list[FaultRequest] = []
    meeting = load_faults(FAULTS / "together.yaml")
    kinds = [kind for kind in KINDS if kind.startswith(_RECONCILED) and kind not in {request.kind for request in meeting}]
    for request in (*meeting, *(FaultRequest(kind, rng.choice((1, 1, 2))) for kind in rng.sample(kinds, _DRAWN))):
        more = [*kept, request]
        try:
            plant_faults(**world, requests=more, batch_of=batch_of)
        except FaultRequestError:
            continue
        kept = more
    return kept


@pytest.mark.parametrize("seed", seeds(1), ids=lambda seed: f"seed{seed}")
def test_faults_that_meet_are_all_found(seed: int, tmp_path: Path, record_property: Record) -> None:
    """A small market is crowded: faults share platforms, days, files, batches and accounts."""
    requests = drawn(seed)
    assert len(requests) > _DRAWN // 2
    result, _, _ = run_world(tmp_path, requests, seed, CROWDED)
    record_property(PROPERTY, json.dumps(result.kinds))
    assert result.is_perfect and not result.not_due, (f"seed {seed}", result.missed, result.late, result.false)


def test_a_channels_first_batch_comes_after_its_last(tmp_path: Path) -> None:
    result, _, _ = run_world(tmp_path, [FaultRequest("batches_out_of_order", 1)], 1, {**SMALL, "batches": 2})
    assert result.is_perfect, result.as_json()


def test_a_platform_that_is_silent_and_one_that_disputes_are_found(tmp_path: Path) -> None:
    """One disputes a result by a row of its own that was a break, and one as a whole."""
    faults = [
        FaultRequest("result_unanswered", 1, date=GO_LIVE, party="P001"),
        FaultRequest("result_disputed", 1, date=GO_LIVE, party="P002"),
        FaultRequest("result_disputed", 1, date=GO_LIVE, party="P003"),
        FaultRequest("txn_amount", 1, date=GO_LIVE, party="P003"),
    ]
    result, _, _ = run_world(tmp_path, faults, 1, {**SMALL, "days": 3})
    assert result.is_perfect and not result.not_due, result.as_json()
    assert {name: line["found"] for name, line in result.kinds.items()} == {
        "result_unanswered": 1, "result_disputed": 2, "txn_amount": 1, "total": 4,
    }  # fmt: skip
    with opened(tmp_path / "home") as instance:
        (event,) = instance.find("case_event", event="DISPUTED")
        (case,) = instance.find("recon_case", case_id=event["case_id"])
        assert (case["platform"], case["kind"]) == ("P003", "AMOUNT")


@pytest.mark.parametrize("seed", seeds(1), ids=lambda seed: f"seed{seed}")
def test_a_sound_market_gives_no_finding(seed: int, tmp_path: Path) -> None:
    result, found, world = run_world(tmp_path, [], seed, SMALL)
    assert found == [], f"seed {seed}"
    assert result.kinds["total"]["planted"] == 0 and result.is_perfect
    done = CliRunner().invoke(app, ["score", "--truth", str(world / "truth")], env={"CUSTODY_HOME": str(tmp_path / "home")})
    assert done.exit_code == 0, done.output


def test_a_score_needs_a_closed_date_and_a_truth(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [], 1, days=1)
    home = make_instance(tmp_path / "home", world)
    for truth, why in ((world / "truth", "no date is closed yet"), (world, "is not a file")):
        done = CliRunner().invoke(app, ["score", "--truth", str(truth), "--json"], env={"CUSTODY_HOME": str(home)})
        assert done.exit_code == 2 and why in json.loads(done.stdout.splitlines()[-1])["words"]
