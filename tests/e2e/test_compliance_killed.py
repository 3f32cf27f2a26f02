"""The compliance step on a market that misbehaves: killed anywhere it is repaired by running it again, and what a changed rule is tried to
find on past days is what it finds once it is adopted.

The killed run looks at the day in shares of a few rows, the one that repairs it in one: in whatever shares, the content is the same.
"""

from __future__ import annotations

import json
import signal
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from instance_kit import GO_LIVE, make_instance, make_world, opened, seeds
from kill_kit import CopyOf, TwoDays, Undisturbed, assert_same, kill, run_on, run_undisturbed, start
from test_rerun import lake_files, whole_register
from typer.testing import CliRunner

from console.cli import app
from custody.errors import OutOfOrder
from custody.match_rules import Rule, read_rule
from custody.steps import STEPS
from jobs.rule_trial import trial_days, try_rules
from schemas.rule_book import shipped_rules

STEP = "compliance"
KILLS = ("lines", "io", "timer")
TABLES = (
    "compliance_findings", "compliance_rows", "compliance_unjudged", "filing_rows", "account_days", "last_acts", "contact_digests",
    "claims_sold", "platform_days",
)  # fmt: skip
UNTIL = STEPS[: STEPS.index(STEP) + 1]
# The platform has lied the day before, a lender sells what he lent alone, another brings money in parts for the third time.
DAY = GO_LIVE + timedelta(days=5)


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("misbehaving")
    days = (DAY - GO_LIVE).days + 1
    world = make_world(folder / "world", [], seed=5, platforms=1, channels=1, lenders=12, loans=5, days=days, behaviours=True)
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        for n in range(days - 1):
            instance.deliver(world, GO_LIVE + timedelta(days=n))
            instance.run_day(GO_LIVE + timedelta(days=n))
    made = run_undisturbed(TwoDays(world, home, DAY - timedelta(days=2)), tmp_path_factory.mktemp("undisturbed"))
    with opened(made.end) as instance:
        found = {row["rule"] for row in instance.lake_rows(DAY, STEP, "compliance_findings")}
    # What is killed has something to say: to be published as alerts, to be filed, in shares of platforms and of customers.
    assert {"fill_that_never_was", "limit_on_platform", "shared_contact", "structuring"} <= found, found
    return made


@pytest.mark.parametrize("seed", seeds(3), ids=lambda seed: f"seed{seed}")
def test_killed_anywhere_and_run_again(seed: int, misbehaving: Undisturbed, fresh: CopyOf) -> None:
    home = fresh(misbehaving.before[STEP])
    point, _ = kill(home, STEP, KILLS[seed % len(KILLS)], Random(f"{STEP}|{seed}"), misbehaving)
    again = run_on(home, DAY, STEP, "close")
    assert_same(again, misbehaving.after("close"), f"seed {seed}: {STEP} killed at {point}")


@pytest.mark.parametrize("how", ["committed", "published"])
def test_killed_between_the_commit_and_its_publication(how: str, misbehaving: Undisturbed, fresh: CopyOf) -> None:
    home = fresh(misbehaving.before[STEP])
    child = start(home, STEP, DAY, how)
    child.communicate(timeout=300)
    assert child.returncode == -signal.SIGKILL
    with opened(home) as instance:
        (committed,) = instance.find("step_output", custody_date=DAY, step=STEP)
        assert not instance.find("publication", custody_date=DAY, step=STEP)
        assert instance.step(STEP, DAY).outcome == "unchanged"
        assert instance.find("step_output", custody_date=DAY, step=STEP) == [committed]
    assert_same(run_on(home, DAY, STEP, STEP), misbehaving.after(STEP), f"{STEP} killed when {how}")


def test_the_day_does_not_go_on_over_what_is_not_published(misbehaving: Undisturbed, fresh: CopyOf) -> None:
    home = fresh(misbehaving.before[STEP])
    start(home, STEP, DAY, "committed").communicate(timeout=300)
    with opened(home) as instance, pytest.raises(OutOfOrder, match="compliance of .* not published"):
        for step in STEPS[STEPS.index(STEP) + 1 :]:
            instance.step(step, DAY)


def changed(rule_id: str, valid_from: date, **figures: int) -> Rule:
    """The newest shipped version with other figures, as the next one."""
    last = [rule for rule in shipped_rules() if rule.rule_id == rule_id][-1]
    entry = {**last.entry, "figures": {**last.entry["figures"], **figures}}
    return read_rule({**entry, "version": last.version + 1, "valid_from": str(valid_from)}, "test")


def custody(home: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), env={"CUSTODY_HOME": str(home)})
    return done.exit_code, done.output


def rule_file(folder: Path, rule: Rule) -> str:
    path = folder / f"{rule.rule_id}.yaml"
    path.write_text(yaml.safe_dump({"rules": [dict(rule.entry)]}, allow_unicode=True))
    return str(path)


def told(found: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    """By rule and what becomes of its findings: the dates."""
    dates: dict[tuple[str, str], list[str]] = {}
    for day in found["days"]:
        for one in day["findings"]:
            dates.setdefault((one["rule"], one["what"]), []).append(day["date"])
    return dates


def test_a_rule_is_tried_on_past_days_and_writes_nothing(misbehaving: Undisturbed, fresh: CopyOf, tmp_path: Path) -> None:
    home = fresh(misbehaving.end)
    with opened(home) as instance:
        before = lake_files(home), whole_register(instance)
        sealed = {
            on: {row["rule"] for row in instance.lake_rows(on, STEP, "compliance_findings")}
            for on in (GO_LIVE + timedelta(days=n) for n in range((DAY - GO_LIVE).days + 1))
        }
    since = [str(on) for on, rules in sealed.items() if "limit_on_platform" in rules]
    assert since and since[0] > str(GO_LIVE)
    span = ("--from", str(GO_LIVE), "--to", str(DAY), "--json")
    lenient = rule_file(tmp_path, changed("limit_on_platform", DAY + timedelta(days=1), person_minor=30_000_000))
    code, shown = custody(home, "rules", "try", lenient, *span)
    found = json.loads(shown.splitlines()[-1])
    assert code == 1 and told(found) == {("limit_on_platform", "VANISHES"): since}
    assert json.loads(custody(home, "rules", "try", lenient, *span)[1].splitlines()[-1]) == found
    code, shown = custody(home, "rules", "try", lenient, *span[:-1])
    assert code == 1 and "would vanish" in shown and "limit_on_platform" in shown
    same = rule_file(tmp_path, changed("super_lender", DAY + timedelta(days=1)))
    code, shown = custody(home, "rules", "try", same, *span)
    assert code == 0 and json.loads(shown.splitlines()[-1])["days"] == []
    with opened(home) as instance:
        assert before == (lake_files(home), whole_register(instance))


def test_what_the_trial_foretells_is_what_happens_once_it_is_adopted(
    misbehaving: Undisturbed, fresh: CopyOf, tmp_path: Path
) -> None:
    strict = changed("structuring", DAY, share_bp=1_000, sum_bp=2_000, times=1)
    lenient = changed("shared_contact", DAY, borrowers=50, card_borrowers=50)
    with opened(fresh(misbehaving.end)) as instance:
        with trial_days(instance.wiring, [strict, lenient], DAY, DAY, step=STEP) as (lake, days):
            (day,) = days
            foretold = {table: lake.rows(day.tried.path, table) for table in TABLES}
            sealed = {table: lake.rows(day.sealed.path, table) for table in TABLES}
        shown = try_rules(instance.wiring, [strict, lenient], DAY, DAY, 5)
    differing = {table for table in TABLES if foretold[table] != sealed[table]}
    assert {"compliance_findings", "compliance_rows", "filing_rows"} == differing
    assert {rule for rule, _ in told(shown)} == {"structuring", "shared_contact"}
    home = fresh(misbehaving.before["cut_off"])
    yesterday = str(DAY - timedelta(days=1))
    for rule in (strict, lenient):
        said = ("--from", yesterday, "--to", yesterday, "--as", "maker", "--note", "a circular", "--json")
        code, text = custody(home, "rules", "adopt", rule_file(tmp_path, rule), *said)
        assert code == 0, text
        code, text = custody(home, "proposal", "approve", json.loads(text.splitlines()[-1])["proposal"], "--as", "checker")
        assert code == 0, text
    with opened(home) as instance:
        for step in UNTIL:
            instance.step(step, DAY)
        assert {table: instance.lake_rows(DAY, STEP, table) for table in TABLES} == foretold
