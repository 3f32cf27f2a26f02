"""A platform whose core is in E_ACCOUNT form, beside one of the HUB form: each posting and each account is held against the core's.

One world of these is run whole, with faults; the others take the steps up to reconciliation.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened

from console.scoring import found_items
from custody.calendar import dates
from custody.causes import cause_words
from custody.core_model import E_ACCOUNTS, Period, e_account_period
from custody.invariants import Violation
from custody.ports import Row
from custody.steps import STEPS
from simulator.score import score
from simulator.simulate import FaultRequest, load_faults

FAULTS = Path(__file__).parents[1] / "faults" / "e_accounts.yaml"
SIZE = {"platforms": 2, "channels": 2, "lenders": 12, "loans": 5}
RELATION = "BC_E_ACCOUNT"
Found = list[tuple[str, str, str, str]]


def run(folder: Path, world: Path, days: int, after: Callable[[Instance, date], None] | None = None) -> Path:
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        for on in dates(GO_LIVE, days):
            if after is not None:
                after(instance, on)
            instance.deliver(world, on)
            instance.run_day(on, STEPS)
        assert instance.failing_proofs() == []
    return home


def breaks(instance: Instance, on: date) -> Found:
    return [(b["platform"], b["sides"], b["kind"], b["subject"]) for b in instance.lake_rows(on, "reconcile", "breaks")]


def proof(instance: Instance, on: date, side: str) -> Row:
    return next(p for p in instance.lake_rows(on, "reconcile", "proof") if (p["relation"], p["side"]) == (RELATION, side))


@pytest.fixture(scope="module")
def faulted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(home, world) after four days with faults of every kind at the core of P001."""
    folder = tmp_path_factory.mktemp("e_accounts")
    world = make_world(folder / "world", load_faults(FAULTS), 1, **SIZE, days=4, e_account_platform=1)
    return run(folder, world, 4), world


def test_every_fault_of_an_e_account_is_found_and_nothing_else(faulted: tuple[Path, Path]) -> None:
    home, world = faulted
    labels = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
    with opened(home) as instance:
        found = found_items(instance.wiring)
    result = score(labels, found, (GO_LIVE + timedelta(days=3)).isoformat())
    assert result.is_perfect and not result.not_due, (result.missed, result.late, result.false)
    of_e_accounts = {kind for kind in result.kinds if kind.startswith("e_account_")}
    assert len(of_e_accounts) == 12 and all(result.kinds[kind]["found"] >= 2 for kind in of_e_accounts)
    # Sums depart too, of the one platform that has such accounts.
    assert [f["platform"] for f in found if f["subject"].endswith(":E_ACCOUNTS")] == ["P001"]


def test_what_stands_on_each_side_leads_to_its_row_and_to_what_follows(faulted: tuple[Path, Path]) -> None:
    home, _ = faulted
    with opened(home) as instance:
        last = GO_LIVE + timedelta(days=3)
        rows = instance.lake_rows(last, "reconcile", "breaks")
    told = {b["case_id"]: (b, json.loads(b["evidence"])) for b in rows}
    flows = [(b, e) for b, e in told.values() if b["subject"].startswith("EFLOW|")]
    (wrong, said), *_ = [(b, e) for b, e in flows if b["kind"] == "WRONG_ACCOUNT"]
    assert [e["side"] for e in said] == ["B", "C"]
    assert said[0]["store_key"].startswith("txn/") and said[1]["store_key"].startswith("core_flow/")
    assert said[1]["row_ref"].startswith("core:P001.") and said[1]["row_ref"].split(":")[1] in said[1]["store_key"]
    balances = [(b, e) for b, e in told.values() if b["subject"].startswith("E_BALANCE|")]
    assert balances and all({"B", "C"} <= {one["side"] for one in e} for _, e in balances)
    # A balance that departs by a row is told to follow from that row's case.
    follows = [b for b, _ in balances if b["cause"] == f"follows:{wrong['case_id']}"]
    accounts = {said[1][n] or said[0][n] for n in ("from_account", "to_account")} - {None}
    assert len(follows) == 2 and {b["subject"].partition("|")[2] for b in follows} >= accounts


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sound")
    world = make_world(folder / "world", [], 7, **SIZE, days=4, e_account_platform=1)
    return run(folder, world, 4), world


def test_a_sound_platform_gives_no_break_and_each_posting_stands_twice(sound: tuple[Path, Path]) -> None:
    home, _ = sound
    with opened(home) as instance:
        assert found_items(instance.wiring) == []
        for on in dates(GO_LIVE, 4):
            ours, theirs = (proof(instance, on, side) for side in ("B", "C"))
            assert ours["new"] == ours["matched"] == theirs["new"] == theirs["matched"] > 20
            assert ours["new_minor"] == theirs["new_minor"] > 0 and ours["holds"] and theirs["holds"]
            shown = instance.lake_rows(on, "extract", "e_account_flow")
            assert {row["platform"] for row in shown} == {"P001"}
            ledger: Counter[str] = Counter()
            for b in instance.lake_rows(on, "post", "balances"):
                if b["platform"] == "P001" and re.search(E_ACCOUNTS, b["account"]):
                    ledger[b["account"].removesuffix(":frozen").removesuffix(":available")] += b["closing_minor"]
            core = {b["account"]: b["closing_minor"] for b in instance.lake_rows(on, "extract", "e_account_balance")}
            assert {a: m for a, m in ledger.items() if m} == {a: m for a, m in core.items() if m} != {}


def test_money_that_a_channel_has_not_settled_stays_unsettled_though_the_core_shows_it(sound: tuple[Path, Path]) -> None:
    """The row on the e-account is no cash: that is the general custody account's flow, on settlement."""
    home, _ = sound
    with opened(home) as instance:
        recharged = [
            leg
            for leg in instance.lake_rows(GO_LIVE, "post", "ledger_txn")
            if (leg["platform"], leg["txn_type"]) == ("P001", "RECHARGE") and leg["channel"] is not None
        ]
        at_the_core = {row["request_no"] for row in instance.lake_rows(GO_LIVE, "extract", "e_account_flow")}
        assert recharged and {leg["request_no"] for leg in recharged} <= at_the_core
        unsettled = [u for u in instance.lake_rows(GO_LIVE, "post", "unsettled") if u["platform"] == "P001"]
        assert sum(u["amount_minor"] for u in unsettled) == sum(leg["amount_minor"] for leg in recharged)
        settled = {leg["settle_date"] for leg in recharged}
        for on in sorted(settled):
            later = [u for u in instance.lake_rows(on, "post", "unsettled") if u["platform"] == "P001"]
            assert on not in {u["settle_date"] for u in later}


def test_the_other_platform_is_judged_as_where_no_one_has_e_accounts(sound: tuple[Path, Path], tmp_path: Path) -> None:
    home, world = sound
    hub = make_world(tmp_path / "world", [], 7, **SIZE, days=4)
    for path in sorted((hub / GO_LIVE.isoformat()).rglob("*")):
        if path.is_file() and path.parent.name != "CORE":
            assert path.read_bytes() == (world / path.relative_to(hub)).read_bytes()
    other = run(tmp_path, hub, 1)
    with opened(home) as instance, opened(other) as of_hub:
        for table in ("match_totals", "matches", "open_items"):
            rows = [
                [r for r in one.lake_rows(GO_LIVE, "reconcile", table) if r["platform"] == "P002" or r["relation"] != RELATION]
                for one in (instance, of_hub)
            ]
            assert rows[0] == rows[1] and rows[0]
        assert RELATION not in {p["relation"] for p in of_hub.lake_rows(GO_LIVE, "reconcile", "proof")}


def test_a_core_that_shows_no_e_account_is_one_case_and_its_rows_are_waited_for(tmp_path: Path) -> None:
    faults = [FaultRequest("e_account_silent", 1, GO_LIVE, "P001")]
    world = make_world(tmp_path / "world", faults, 2, **SIZE, days=2, e_account_platform=1)
    home = run(tmp_path, world, 2)
    with opened(home) as instance:
        assert breaks(instance, GO_LIVE) == [("P001", "BC", "MISSING_IN_CORE", "E_ACCOUNTS|P001")]
        (told,) = (b["cause"] for b in instance.lake_rows(GO_LIVE, "reconcile", "breaks"))
        assert told == "core_shows_no_e_account" and cause_words(told) is not None
        waiting = proof(instance, GO_LIVE, "B")
        assert waiting["carried"] == waiting["new"] > 20
        # The rows come a day later, with the next day's.
        after = proof(instance, GO_LIVE + timedelta(days=1), "B")
        assert after["carried"] == after["broken"] == 0 and after["matched"] == waiting["carried"] + after["new"]
        assert breaks(instance, GO_LIVE + timedelta(days=1)) == []


def test_a_silence_whose_case_does_not_say_since_when_began_when_our_rows_began_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the program sealed it that did not know of ``silent_since``."""
    days = list(dates(GO_LIVE, 4))
    world = make_world(tmp_path / "world", [], 2, **SIZE, days=4, e_account_platform=1)
    _show_e_accounts_only_on(world, days[3], days[:3])

    def as_before(*figures: Any) -> Violation:
        made = Violation(*figures)
        return replace(made, figures={name: value for name, value in made.figures.items() if name != "silent_since"})

    home = make_instance(tmp_path / "home", world)
    with opened(home) as instance:
        for on in days:
            monkeypatch.setattr("jobs.reconcile.e_balances.Violation", as_before if on < days[2] else Violation)
            instance.deliver(world, on)
            instance.run_day(on, STEPS)
        for on in days[:3]:
            (row,) = instance.lake_rows(on, "reconcile", "breaks")
            (evidence,) = json.loads(row["evidence"])
            assert (row["subject"], evidence.get("silent_since")) == (
                "E_ACCOUNTS|P001",
                GO_LIVE.isoformat() if on == days[2] else None,
            )
            waiting = proof(instance, on, "B")
            assert waiting["broken"] == 0 and waiting["carried"] > 20
        assert breaks(instance, days[3]) == [] and proof(instance, days[3], "B")["carried"] == 0
        assert instance.failing_proofs() == []


def _show_e_accounts_only_on(world: Path, last: date, silent: list[date]) -> None:
    """What the core should have shown of the silent dates' movements comes with the last; their balances never do."""
    held_back: list[str] = []
    for on in (*silent, last):
        for name in ("flow", "balance"):
            path = world / on.isoformat() / "CORE" / f"{name}.jsonl"
            lines = path.read_text(encoding="utf-8").splitlines()
            of_e_accounts = [line for line in lines if re.search(E_ACCOUNTS, json.loads(line)["account"])]
            if on in silent:
                lines = [line for line in lines if line not in of_e_accounts]
                held_back += of_e_accounts if name == "flow" else []
            elif name == "flow":
                lines = [*held_back, *lines]
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_what_an_e_account_lacks_is_still_lacking_while_the_core_is_silent(tmp_path: Path) -> None:
    faults = [
        FaultRequest("e_account_missing", 1, GO_LIVE, "P001"),
        FaultRequest("e_account_silent", 1, GO_LIVE + timedelta(days=1), "P001"),
    ]
    world = make_world(tmp_path / "world", faults, 2, **SIZE, days=3, e_account_platform=1)
    home = run(tmp_path, world, 3)
    with opened(home) as instance:
        first, silent, after = (set(breaks(instance, GO_LIVE + timedelta(days=n))) for n in range(3))
        assert "MISSING_IN_CORE" in {kind for _, _, kind, _ in first}
        assert silent - first == {("P001", "BC", "MISSING_IN_CORE", "E_ACCOUNTS|P001")} and first <= silent
        assert after == first
        assert {c["episode"] for c in instance.find("recon_case")} == {1}


def test_e_accounts_of_a_contract_that_says_hub_are_counted_and_not_taken(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [], 2, **SIZE, days=1, e_account_platform=1)
    state = json.loads((world / "world.json").read_text(encoding="utf-8"))
    (platform,) = (p for p in state["parties"] if p["party"] == "P001")
    platform |= {"core_model": "E_ACCOUNT", "core_model_from": (GO_LIVE + timedelta(days=1)).isoformat()}
    (world / "world.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
    home = run(tmp_path, world, 1)
    with opened(home) as instance:
        assert breaks(instance, GO_LIVE) == [("P001", "BC", "ORPHAN", "E_ACCOUNTS|P001")]
        (told,) = (b["cause"] for b in instance.lake_rows(GO_LIVE, "reconcile", "breaks"))
        assert told == "contract_without_e_accounts" and cause_words(told) is not None
        (refused,) = instance.lake_rows(GO_LIVE, "extract", "e_accounts_refused")
        lines = [json.loads(t) for t in (world / GO_LIVE.isoformat() / "CORE" / "flow.jsonl").read_text("utf-8").splitlines()]
        assert refused["flows"] == sum("flag" in line for line in lines) > 20
        assert instance.lake_rows(GO_LIVE, "extract", "e_account_flow") == []


@pytest.mark.parametrize(
    ("contract", "period"),
    [
        ({"core_model": "HUB"}, None),
        ({"core_model": "E_ACCOUNT", "core_model_from": "2020-01-01"}, Period(date(2020, 1, 1), date.max)),
        ({"core_model": "HUB", "core_model_from": "2020-01-01"}, Period(date.min, date(2019, 12, 31))),
    ],
)
def test_a_contract_says_on_which_dates_the_core_has_e_accounts(contract: dict[str, Any], period: Period | None) -> None:
    assert e_account_period(contract) == period
    if period is not None:
        assert (date(2020, 1, 1) in period) == (contract["core_model"] == "E_ACCOUNT")
