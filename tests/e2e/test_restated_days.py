"""Files that come late, are restated after their day was closed, or never come: what they change is said before and sealed after,
cases keep their identity, and closed days stay as they are."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened
from test_awkward_days import Rows, file_of, sealed
from typer.testing import CliRunner

from console.cli import app
from custody.calendar import dates
from custody.errors import UsageError
from custody.ports import Row
from custody.services import absent_files, restatements
from custody.services.four_eyes import approve
from custody.steps import STEPS
from schemas.exchange import Seal
from schemas.layout import load_layout
from schemas.layout_file import control_totals, parse_file, write_file

FIRST, SECOND, THIRD, FOURTH = dates(GO_LIVE, 4)
INVENTED = "R-INVENTED"
LAYOUTS = {
    "TXN": "platform_txn/1",
    "BALANCE": "platform_balance/1",
    "SETTLEMENT": "channel_settlement/1",
    "INSTRUCTION": "gateway_instruction/1",
    "CLAIM": "platform_claim/1",
    "LOAN": "platform_loan/1",
    "CUSTOMER": "platform_customer/1",
}


def rows_of(world: Path, party: str, file_type: str, on: date) -> Rows:
    path = file_of(world, party, file_type, on)
    return parse_file(load_layout(LAYOUTS[file_type]), path.name, path.read_bytes(), "utf-8", on).rows


def send(instance: Instance, party: str, file_type: str, on: date, version: int, rows: Rows) -> str:
    """A version of one file of an earlier date into the drop, and a sweep; returns its name."""
    layout = load_layout(LAYOUTS[file_type])
    name = f"{party}_{file_type}_{on:%Y%m%d}_01_v{version}.csv"
    data = write_file(layout, rows, "utf-8", on)
    seal, body = sealed(party, on, version, {name: (LAYOUTS[file_type], data, len(rows), control_totals(layout, rows))})
    instance.drop.put(party, name, data)
    instance.drop.put(party, seal, body)
    instance.collect(on)
    return name


def restate(instance: Instance, party: str, file_type: str, on: date, version: int, rows: Rows) -> str:
    """Sent, and accepted by two people; what it changes is worked out for one file of the story only, since it takes a while."""
    with instance.wiring.register.transaction() as tx:
        base = restatements.base_of(tx)
    name = send(instance, party, file_type, on, version, rows)
    accept(instance, name, restatements.Effect(base, "", {}))
    return name


def accept(instance: Instance, name: str, effect: restatements.Effect) -> None:
    register, clock = instance.wiring.register, instance.wiring.clock
    proposal = restatements.propose_restatement(register, clock, "maker", name, "they found a bug", effect)
    approve(register, clock, "checker", restatements.RESTATEMENT, proposal, "seen")


def give_up(instance: Instance, party: str, file_type: str, on: date) -> str:
    register, clock = instance.wiring.register, instance.wiring.clock
    with pytest.raises(UsageError, match="no reconciled day waits"):
        absent_files.propose_give_up(register, clock, "maker", party, "BALANCE", on, "they lost it")
    proposal = absent_files.propose_give_up(register, clock, "maker", party, file_type, on, "they lost it")
    approve(register, clock, "checker", absent_files.GIVE_UP, proposal, "seen")
    return proposal


def custody(home: Path, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*arguments, "--json"], env={"CUSTODY_HOME": str(home)})
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def deliver_without(instance: Instance, world: Path, on: date, party: str, file_type: str) -> None:
    """All that the parties send for a date but one file."""
    instance.deliver(world, on, without=[party])
    folder = world / on.isoformat() / party
    seal_name = f"{party}_SEAL_{on:%Y%m%d}_01_v1.json"
    whole = Seal.model_validate_json((folder / seal_name).read_bytes())
    files = [f for f in whole.files if f"_{file_type}_" not in f.name]
    for file in files:
        instance.drop.put(party, file.name, (folder / file.name).read_bytes())
    instance.drop.put(party, seal_name, whole.model_copy(update={"files": files}).to_bytes())
    instance.collect(on)


def found(instance: Instance, on: date) -> set[tuple[str, str]]:
    """Kind and subject of what stands; what a platform's own figures say of one another (SHADOW) is jobs.reconcile.shadow's."""
    rows = instance.lake_rows(on, "reconcile", "breaks")
    return {(b["kind"], b["subject"]) for b in rows if not b["subject"].startswith("SHADOW|")}


def cases(instance: Instance) -> dict[str, Row]:
    return {c["subject"]: c for c in instance.find("recon_case") if not c["subject"].startswith("SHADOW|")}


def changed(rows: Rows, at: int, column: str, by: int) -> Rows:
    """The rows, one of which says more in a column."""
    copies = [dict(row) for row in rows]
    copies[at][column] += by  # type: ignore[operator]
    return copies


@dataclass
class Story:
    """What was seen on the way. ``first``: the first day's seals when it was closed; ``opened``: cases after the second day."""

    home: Path
    good: Rows
    given_up: str = ""
    bad_name: str = ""
    good_name: str = ""
    split: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    opened: dict[str, Row] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Four days of a sound market. On the second, P001 restates its closed first day's movements and P003 its balances, both badly;
    P003 sends no movements. On the third, both put it right, CH01 restates the second day's settlement badly, and P003's file is
    given up. On the fourth CH01 puts it right, and P003's file comes after all."""
    folder = tmp_path_factory.mktemp("story")
    world = make_world(folder / "world", [], seed=5, days=4, lenders=8, loans=4)
    home = make_instance(folder / "home", world)
    movements, balances = rows_of(world, "P001", "TXN", FIRST), rows_of(world, "P003", "BALANCE", FIRST)
    settled = rows_of(world, "CH01", "SETTLEMENT", SECOND)
    told = Story(home, movements)
    with opened(home) as instance:
        instance.deliver(world, FIRST)
        instance.run_day(FIRST)
        told.first = {row["step"]: row["manifest_digest"] for row in instance.find("step_output")}
        bad = [*changed(movements, 1, "amount_minor", 1)[1:], {**movements[2], "request_no": INVENTED}]
        # One leg said as two halves: they net inside their request.
        whole = told.split = next(r for r in bad[2:-1] if r["txn_type"] == "TENDER_FREEZE" and not r["amount_minor"] % 2)
        halves = [{**whole, "leg": leg, "amount_minor": whole["amount_minor"] // 2} for leg in (91, 92)]
        bad = [*(r for r in bad if r is not whole), *halves]
        told.bad_name = send(instance, "P001", "TXN", FIRST, 2, bad)
    told.shown = custody(home, "restatement", "show", told.bad_name)
    with opened(home) as instance:
        seen = restatements.Effect(told.shown["base"], told.shown["digest"], {"rows": told.shown["rows"]})
        accept(instance, told.bad_name, seen)
        restate(instance, "P003", "BALANCE", FIRST, 2, changed(balances, 0, "available_minor", 5))
        deliver_without(instance, world, SECOND, "P003", "TXN")
        instance.run_day(SECOND)
        told.opened = cases(instance)
        told.good_name = restate(instance, "P001", "TXN", FIRST, 3, movements)
        restate(instance, "P003", "BALANCE", FIRST, 3, balances)
        restate(instance, "CH01", "SETTLEMENT", SECOND, 2, changed(settled, 0, "gross_minor", 7))
        told.given_up = give_up(instance, "P003", "TXN", SECOND)
        instance.deliver(world, THIRD)
        instance.run_day(THIRD)
        restate(instance, "CH01", "SETTLEMENT", SECOND, 3, settled)
        send(instance, "P003", "TXN", SECOND, 2, rows_of(world, "P003", "TXN", SECOND))
        instance.deliver(world, FOURTH)
        instance.run_day(FOURTH, STEPS[: STEPS.index("reconcile") + 1])
    return told


def subject(row: dict[str, object]) -> str:
    return f"TXN|{row['request_no']}|{row['leg']}"


def wanted_of(story: Story) -> set[tuple[str, str]]:
    gone, other, third = story.good[:3]
    return {
        ("MISSING_IN_PLATFORM", subject(gone)),
        ("AMOUNT", subject(other)),
        ("UNAUTHORISED", subject({**third, "request_no": INVENTED})),
    }


def flows(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(kind, about) for kind, about in found if about.startswith("TXN|P001") or INVENTED in about}


def test_what_it_would_change_is_said_before_and_comes_true(story: Story) -> None:
    rows = story.shown["rows"]
    assert rows == {"added": 3, "removed": 2, "changed": 1, "same": len(story.good) - 3}
    (row,) = [r for r in story.shown["first_rows"] if r["difference"] == "changed"]
    before = story.good[1]["amount_minor"]
    assert row["fields"] == {"amount_minor": [before, before + 1]}  # type: ignore[operator]
    said = {(c["after"]["kind"], c["subject"]) for c in story.shown["cases_in_all"] if c["effect"] == "open"}
    assert flows(said) == wanted_of(story)
    with opened(story.home) as instance:
        assert flows(found(instance, SECOND)) == wanted_of(story)
        assert flows(found(instance, THIRD)) == set()


def test_a_case_keeps_its_identity_and_says_what_closed_it(story: Story) -> None:
    name = story.good_name
    with opened(story.home) as instance:
        after = cases(instance)
    for number, row in enumerate(story.good[:2], start=2):
        case = after[subject(row)]
        assert (case["case_id"], case["state"]) == (story.opened[subject(row)]["case_id"], "CLOSED")
        assert case["closed_by"] == f"row {name}:{number}"
    assert after[subject({**story.good[2], "request_no": INVENTED})]["closed_by"] == f"restated {name}"
    assert {case["state"] for case in after.values()} == {"CLOSED"}


def test_the_rows_of_the_earlier_version_are_a_bucket_of_their_own(story: Story) -> None:
    with opened(story.home) as instance:
        assert instance.failing_proofs() == []
        taken = {(r["relation"], r["side"]): r for r in instance.lake_rows(SECOND, "reconcile", "withdrawn")}
        n = len(story.good)
        mine, ours = taken["AB_TXN", "A"], taken["AB_TXN", "B"]
        assert (mine["reopened"], mine["withdrawn"], ours["reopened"], ours["withdrawn"]) == (n, n, n, 0)
        again = {(r["relation"], r["side"]): r for r in instance.lake_rows(THIRD, "reconcile", "withdrawn")}
        netted = {m["row_ref"] for m in instance.lake_rows(SECOND, "reconcile", "matches") if m["rule"] == "netting"}
        assert len(netted) == 3
        # Of the bad version, a row longer, two rows were open breaks; what they could not match stood open on our side too.
        mine, ours = again["AB_TXN", "A"], again["AB_TXN", "B"]
        assert (mine["withdrawn"], mine["reopened"], ours["reopened"]) == (n + 1, n - 1, n - 2)
        assert {r["step"]: r["manifest_digest"] for r in instance.find("step_output", custody_date=FIRST)} == story.first


def test_balances_and_settlements_are_judged_anew(story: Story) -> None:
    with opened(story.home) as instance:
        on_second, on_third, on_fourth = (found(instance, on) for on in (SECOND, THIRD, FOURTH))
        assert [kind for kind, about in on_second if about.startswith("BALANCE|")] == ["AMOUNT"]
        assert {kind for kind, about in on_third if about.startswith("BALANCE|")} == set()
        of_channel = {kind for kind, about in on_third if about.startswith(("CHANNEL|", "INV|INV_09"))}
        assert of_channel == {"AMOUNT", "INV_09"}
        assert on_fourth == set()


def test_a_file_that_is_given_up_is_missing_until_it_comes(story: Story) -> None:
    with opened(story.home) as instance:
        late = f"LATE|P003|TXN|{SECOND}"
        assert ("LATE_FILE", late) in found(instance, SECOND)
        missing = {about for kind, about in found(instance, THIRD) if kind == "MISSING_IN_PLATFORM"}
        assert missing and ("LATE_FILE", late) not in found(instance, THIRD)
        after = cases(instance)
        assert after[late]["closed_by"] == f"given_up {story.given_up}"
        name = f"P003_TXN_{SECOND:%Y%m%d}_01_v2.csv"
        assert {str(after[about]["closed_by"]).rpartition(":")[0] for about in missing} == {f"row {name}"}


def test_each_time_is_a_version_of_the_assessment(story: Story) -> None:
    with opened(story.home) as instance:
        rows = [r for on in (SECOND, THIRD, FOURTH) for r in instance.lake_rows(on, "reconcile", "assessments")]
    found_ = {(r["party"], r["assessed_date"], r["version"], r["cause"]) for r in rows}
    assert found_ == {
        ("P001", FIRST, 2, "restated"),
        ("P001", FIRST, 3, "restated"),
        ("P003", FIRST, 2, "restated"),
        ("P003", FIRST, 3, "restated"),
        ("CH01", SECOND, 2, "restated"),
        ("CH01", SECOND, 3, "restated"),
        ("P003", SECOND, 2, "given_up"),
        ("P003", SECOND, 3, "late"),
    }
    n = len(story.good)
    figures = {
        (r["bucket"], r["rule"]): (r["rows_before"], r["rows_after"])
        for r in rows
        if (r["party"], r["version"], r["relation"], r["side"]) == ("P001", 2, "AB_TXN", "A")
    }
    assert figures == {("MATCHED", ""): (n, n - 1), ("BREAK", "AMOUNT"): (0, 1), ("BREAK", "UNAUTHORISED"): (0, 1)}


def test_nobody_accepts_what_he_has_not_seen(story: Story) -> None:
    """The proposal names the digest of the difference, and is void when a day was reconciled since."""
    with opened(story.home) as instance:
        (proposal,) = instance.find("proposal", subject=story.bad_name)
        payload = json.loads(proposal["payload"])["effect"]
        assert payload["digest"] == story.shown["digest"]
        old = restatements.Effect(payload["base"], payload["digest"], payload["summary"])
        register, clock = instance.wiring.register, instance.wiring.clock
        with pytest.raises(UsageError, match="a day was reconciled since"):
            restatements.propose_restatement(register, clock, "maker", story.bad_name, "again", old)
