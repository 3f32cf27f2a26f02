"""A file of instructions that is restated after its day was closed: what it says no more is reversed on the open day, what it says anew
is posted, valued on the original day; and when a third version says it all again, the ledger is as if nothing had happened."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, MONTHLY, Instance, copy_of, make_instance, make_world, opened
from kill_kit import assert_same, content_of, start
from test_restated_days import Rows, accept, custody, rows_of, send
from typer.testing import CliRunner

from console.cli import app
from custody.calendar import dates
from custody.money import format_amount
from custody.ports import Row
from custody.reversals import REVERSAL, request_of
from custody.services import restatements
from custody.steps import STEPS
from jobs.ledger_snapshots import SNAPSHOTS

FIRST, SECOND, THIRD, FOURTH = dates(GO_LIVE, 4)
NEW = "R-FORGOTTEN"
# How each step of the restated day dies.
KILLED = {
    "cut_off": ("committed",), "land": ("io", "9"), "post": ("io", "30"), "project": ("committed",), "reconcile": ("published",),
}  # fmt: skip
LEGS = ("TXN|", "POSTING|REV", "CHANNEL|")
STATE = ("holds", "claims", "loans", *SNAPSHOTS)


def one(rows: Rows, txn_type: str, but: Callable[[dict[str, Any]], bool] = lambda row: True, **said: object) -> dict[str, Any]:
    return next(r for r in rows if r["txn_type"] == txn_type and all(r[n] == v for n, v in said.items()) and but(r))


def key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["platform"], row["request_no"], row["leg"]


@dataclass
class Story:
    home: Path
    other: Path
    good: Rows
    names: list[str] = field(default_factory=list)
    gone: dict[str, dict[str, Any]] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    sealed: dict[tuple[str, str], str] = field(default_factory=dict)
    before_third: Path = Path()
    third: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The gateway restates its second day on the third, badly, and on the fourth as it was. Another instance never hears of it."""
    folder = tmp_path_factory.mktemp("story")
    world = make_world(folder / "world", [], seed=5, days=4, lenders=8, loans=4, e_account_platform=1)
    good = rows_of(world, "GW", "INSTRUCTION", SECOND)
    home = make_instance(folder / "home", world, reports=MONTHLY)
    with opened(home) as instance:
        for on in (FIRST, SECOND):
            instance.deliver(world, on)
            instance.run_day(on)
    told = Story(home, copy_of(home, folder / "other"), good)
    told.gone = {
        "recharge": one(good, "RECHARGE", lambda r: r["channel"] is not None and r["event_time"].hour == 23),
        "passed_on": one(good, "RECHARGE", lambda r: r["channel"] is not None),
        "bonus": one(good, "MARKETING"),
        "repayment": one(good, "REPAYMENT", lambda r: r["principal_minor"] > 0),
        "used_freeze": one(good, "REPAY_FREEZE"),
        "status": one(good, "WITHDRAW", status="UNKNOWN"),
        "settlement": one(good, "CHANNEL_SETTLEMENT", direction="IN"),
    }
    changed = one(good, "COMMISSION")
    bad = [r for r in good if r not in told.gone.values()]
    bad[bad.index(changed)] = {**changed, "amount_minor": changed["amount_minor"] + 1}
    bad.append({**told.gone["bonus"], "request_no": NEW})
    told.gone["changed"] = changed
    with opened(told.other) as instance:
        for on in (THIRD, FOURTH):
            instance.deliver(world, on)
            instance.run_day(on, STEPS if on < FOURTH else STEPS[: STEPS.index("post") + 1])
    with opened(told.home) as instance:
        told.sealed = {(r["custody_date"], r["step"]): r["manifest_digest"] for r in instance.find("step_output")}
        told.names.append(send(instance, "GW", "INSTRUCTION", SECOND, 2, bad))
    told.shown = custody(told.home, "restatement", "show", told.names[0])
    with opened(told.home) as instance:
        accept(instance, told.names[0], restatements.Effect(told.shown["base"], told.shown["digest"], {}))
        instance.deliver(world, THIRD)
    told.before_third = copy_of(told.home, folder / "before_third")
    with opened(told.home) as instance:
        instance.run_day(THIRD)
        told.third = content_of(instance)
        with instance.wiring.register.transaction() as tx:
            base = restatements.base_of(tx)
        told.names.append(send(instance, "GW", "INSTRUCTION", SECOND, 3, good))
        accept(instance, told.names[1], restatements.Effect(base, "", {}))
        instance.deliver(world, FOURTH)
        instance.run_day(FOURTH)
    return told


def legs(instance: Instance, on: Any, prefix: str) -> dict[tuple[str, str, int], Row]:
    return {key(r): r for r in instance.lake_rows(on, "post", "ledger_txn") if r["file_name"].startswith(prefix)}


def test_what_stands_no_more_is_reversed_and_what_is_new_is_posted(story: Story) -> None:
    gone = story.gone
    with opened(story.home) as instance:
        taken = legs(instance, THIRD, REVERSAL)
        assert len(taken) == len(gone)
        outcome = {n: taken[r["platform"], request_of(r["request_no"], THIRD), r["leg"]]["outcome"] for n, r in gone.items()}
        assert outcome == {
            "recharge": "POSTED", "bonus": "POSTED", "repayment": "POSTED", "changed": "POSTED",
            "status": "NO_POSTING", "used_freeze": "REFUSED", "settlement": "REFUSED", "passed_on": "REFUSED",
        }  # fmt: skip
        theirs = legs(instance, THIRD, story.names[0])
        assert (theirs[key(gone["changed"])]["outcome"], theirs[gone["bonus"]["platform"], NEW, 1]["outcome"]) == (
            "POSTED",
            "POSTED",
        )
        assert {r["outcome"] for k, r in theirs.items() if k != key(gone["changed"]) and k[1] != NEW} == {"REPEATED"}
        moves = [m for m in instance.lake_rows(THIRD, "post", "journal") if m["request_no"].startswith("REV")]
        assert {(m["txn_type"], m["value_date"], m["posting_date"], m["core_ref"]) for m in moves} == {
            ("REVERSAL", SECOND, THIRD, None)
        }
        (bonus,) = [m for m in moves if m["request_no"] == request_of(gone["bonus"]["request_no"], THIRD)]
        lender = f"{gone['bonus']['platform']}.{gone['bonus']['to_role']}.{gone['bonus']['to_user_no']}:available"
        assert (bonus["from_account"], bonus["amount_minor"]) == (lender, gone["bonus"]["amount_minor"])
        assert instance.failing_proofs() == [] and instance.damage() == []
        sealed = {(r["custody_date"], r["step"]): r["manifest_digest"] for r in instance.find("step_output")}
        assert {at: sealed[at] for at in story.sealed} == story.sealed


def test_the_effect_is_shown_before_and_comes_true(story: Story) -> None:
    assert story.shown["legs"] == {
        "posted": 2, "as_before": len(story.good) - len(story.gone), "reversed": 4, "was_not_posted": 1, "cannot_be_reversed": 3,
    }  # fmt: skip
    said = {(c["after"]["kind"], c["subject"]) for c in story.shown["cases_in_all"] if c["effect"] == "open"}
    with opened(story.home) as instance:
        known = {b["subject"] for b in instance.lake_rows(SECOND, "reconcile", "breaks")}
        found = {(b["kind"], b["subject"]) for b in instance.lake_rows(THIRD, "reconcile", "breaks") if b["subject"] not in known}
    # What follows for the third day's own instructions (a repayment of more principal, say) nobody knew before.
    of_legs = {(kind, about) for kind, about in found if about.startswith(LEGS)}
    on_trial = request_of(story.gone["used_freeze"]["request_no"], THIRD)
    assert any(about == f"POSTING|{on_trial}|1" for _, about in said)
    assert of_legs == {(kind, about) for kind, about in said if about.startswith(LEGS)}
    bonus, changed = story.gone["bonus"], story.gone["changed"]
    assert {
        ("UNAUTHORISED", f"TXN|{bonus['request_no']}|{bonus['leg']}"),
        ("AMOUNT", f"TXN|{changed['request_no']}|{changed['leg']}"),
        ("MISSING_IN_PLATFORM", f"TXN|{NEW}|1"),
    } <= of_legs


def test_when_it_is_said_again_the_ledger_is_as_if_nothing_had_happened(story: Story) -> None:
    with opened(story.home) as ours, opened(story.other) as theirs:
        assert ours.failing_proofs() == []
        closing = [
            # The third day's custody fee is of the balances that it had.
            {
                r["account"]: r["closing_minor"]
                for r in i.lake_rows(FOURTH, "post", "balances")
                if r["closing_minor"] and r["book"] != "BANK"
            }
            for i in (ours, theirs)
        ]
        assert closing[0] == closing[1]
        for table in STATE:
            assert ours.lake_rows(FOURTH, "post", table) == theirs.lake_rows(FOURTH, "post", table), table
        again = legs(ours, FOURTH, story.names[1])
        posted = {k for k, r in again.items() if r["outcome"] == "POSTED"}
        assert posted == {key(story.gone[n]) for n in ("recharge", "bonus", "repayment", "changed")}
        # What the third day's own legs met with stays said of them; all else is over.
        left = ours.lake_rows(FOURTH, "reconcile", "breaks")
        # December was charged while its postings stood reversed; the core collected what the market's own books come to.
        assert [b["subject"] for b in left if b["kind"] == "INV_11"] == ["INV|INV_11|P002"]
        left = [b for b in left if b["kind"] != "INV_11"]
        assert {b["kind"] for b in left} <= {"ALLOCATION", "TIMING"}
        assert {b["subject"] for b in left} <= {
            f"POSTING|{k[1]}|{k[2]}" for k in legs(ours, THIRD, f"GW_INSTRUCTION_{THIRD:%Y%m%d}")
        }
        ended = {c["subject"]: c["closed_by"] for c in ours.find("recon_case")}
        used = story.gone["used_freeze"]
        assert ended[f"POSTING|{request_of(used['request_no'], THIRD)}|{used['leg']}"] == f"restated {story.names[1]}"


def test_killed_at_each_step_and_run_again_nothing_is_double(story: Story, tmp_path: Path) -> None:
    """Each step of the day on which the file lands dies between its commit and its publication, or at a write; run again, all content
    is the undisturbed day's."""
    home = copy_of(story.before_third, tmp_path / "home")
    for step in STEPS:
        if step in KILLED:
            child = start(home, step, THIRD, *KILLED[step])
            _, errors = child.communicate(timeout=300)
            assert child.returncode == -signal.SIGKILL, (step, errors)
        with opened(home) as instance:
            instance.step(step, THIRD)
    with opened(home) as instance:
        assert_same(content_of(instance), story.third, "killed")


def test_run_anew_for_a_reason_the_same_bytes_come(story: Story, tmp_path: Path) -> None:
    home = copy_of(story.home, tmp_path / "home")
    with opened(home) as instance:
        for step in ("post", "reconcile"):
            (before,) = instance.find("step_output", custody_date=FOURTH, step=step)
            again = instance.step(step, FOURTH, reason="to see whether it comes out the same")
            assert (again.seal.version, again.seal.manifest_digest) == (2, before["manifest_digest"])


def test_who_reads_a_report_of_the_restated_period_is_told_what_changed_since(story: Story) -> None:
    with opened(story.home) as instance:
        told = {a["subject"]: a for a in instance.find("alert", rule="REPORT_RESTATED")}
        drafted = {(r["report_id"], r["period"], r["scope"]) for r in instance.find("report_release")}
        # On the third day and the fourth, of the month that was reported at the end of the second.
        assert set(told) == {f"2019-12|{name}" for name in story.names}
        taken = [r for r in legs(instance, THIRD, REVERSAL).values() if r["outcome"] == "POSTED"]
        posted = [r for r in legs(instance, THIRD, story.names[0]).values() if r["outcome"] == "POSTED"]
    assert taken and posted
    words = told[f"2019-12|{story.names[0]}"]["words_en"]
    for rows in (taken, posted):
        assert format_amount(sum(r["amount_minor"] for r in rows), "CNY") in words
    assert f"{len(taken)} legs of it were taken back" in words and f"{len(posted)} posted" in words
    shown = CliRunner().invoke(
        app, ["report", "show", "custody_monthly", "2019-12", "--json"], env={"CUSTODY_HOME": str(story.home)}
    )
    said = json.loads(shown.stdout.splitlines()[-1])["restated"]
    assert ("custody_monthly", "2019-12", "") in drafted and [one[0] for one in said] == [
        told[f"2019-12|{n}"]["words_en"] for n in story.names
    ]
