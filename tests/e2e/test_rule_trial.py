"""A changed rule: what its trial on sealed days foretells is what then really happens, and a trial leaves no trace."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from instance_kit import Instance, make_instance, opened
from kill_kit import CopyOf, TwoDays
from test_rerun import lake_files, whole_register
from typer.testing import CliRunner

from console.cli import app
from custody.digest import digest_of_json
from custody.errors import UsageError
from custody.match_rules import Rule, read_rule
from custody.services.four_eyes import approve
from custody.services.rules import propose_rule, rule_decision
from custody.steps import STEPS
from jobs.rule_trial import told, trial_days, try_rules
from schemas.rule_book import shipped_rules

COMPARED = ("breaks", "matches", "open_items")


def changed(rule_id: str, valid_from: Any, **said: Any) -> Rule:
    """The shipped rule's second version."""
    (first,) = (rule for rule in shipped_rules() if rule.rule_id == rule_id)
    return read_rule({**first.entry, "version": 2, "valid_from": str(valid_from), **said}, "test")


def the_changes(valid_from: Any) -> list[Rule]:
    """Half of each day lies in a window of half a day; a wrong loan speaks before all else, and as another kind."""
    return [
        changed("cut_off_window", valid_from, minutes=720),
        changed("ab_txn_loan", valid_from, priority=5, kind="LOAN_TERMS"),
    ]


def custody(home: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), env={"CUSTODY_HOME": str(home)})
    return done.exit_code, done.output


def test_what_the_trial_foretells_is_what_happens(two_days: TwoDays, fresh: CopyOf, tmp_path: Path) -> None:
    first, last = two_days.days[:2]
    rules = the_changes(first)
    with opened(fresh(two_days.home)) as instance:
        home = instance.wiring.settings.home
        before = lake_files(home), whole_register(instance), instance.find("lease")
        with trial_days(instance.wiring, rules, first, last) as (lake, days):
            foretold = [{t: lake.rows(day.tried.path, t) for t in COMPARED} for day in days]
            sealed = [{t: lake.rows(day.sealed.path, t) for t in COMPARED} for day in days]
            found = told(instance.wiring, lake, days, rules, examples=2)
        assert foretold != sealed
        assert before == (lake_files(home), whole_register(instance), instance.find("lease"))
    with opened(make_instance(tmp_path / "adopted", two_days.world)) as instance:
        shipped, register, clock = shipped_rules(), instance.wiring.register, instance.wiring.clock
        for rule in rules:
            body = {"rules": [{"id": rule.id, "digest": rule.digest}], "from": str(first), "to": str(last), "days": found["days"]}
            proposal = propose_rule(register, clock, "maker", shipped, rule, sealed_trial(body), "a circular of the bank")
            approve(register, clock, "checker", rule_decision(shipped), proposal, "agreed")
        for on, steps in ((first, STEPS), (last, STEPS[: STEPS.index("reconcile") + 1])):
            instance.deliver(two_days.world, on)
            instance.run_day(on, steps)
        for on, tables in zip((first, last), foretold, strict=True):
            assert {t: instance.lake_rows(on, "reconcile", t) for t in COMPARED} == tables
        assert instance.failing_proofs() == []
    assert_the_difference_is_told(found, sealed, foretold)


def sealed_trial(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "differs": True, "digest": digest_of_json(body)}


def assert_the_difference_is_told(found: dict[str, Any], sealed: list[dict[str, Any]], tried: list[dict[str, Any]]) -> None:
    """The figures that people see, counted again from the rows themselves."""
    for n, on in enumerate((found["from"], found["to"])):
        before, after = ({b["case_id"]: b for b in tables[n]["breaks"]} for tables in (sealed, tried))
        counted: dict[str, int] = {}
        for day in found["days"]:
            for one in day["breaks"] if day["date"] == on else []:
                counted[one["what"]] = counted.get(one["what"], 0) + one["count"]
                assert 0 < len(one["examples"]) <= 2
        both = [(before[c], after[c]) for c in before.keys() & after.keys()]
        changed = [next((n for n in ("kind", "amount_minor", "cause") if was[n] != would[n]), None) for was, would in both]
        expected = {
            "APPEARS": len(after.keys() - before.keys()),
            "VANISHES": len(before.keys() - after.keys()),
            "KIND": changed.count("kind"),
            "AMOUNT": changed.count("amount_minor"),
            "CAUSE": changed.count("cause"),
        }
        assert counted == {what: count for what, count in expected.items() if count}
    whats = {one["what"] for day in found["days"] for one in day["breaks"]}
    assert {"VANISHES", "KIND"} <= whats
    moved = {(one["before"], one["after"]) for day in found["days"] for one in day["rows"]}
    assert ("BREAK WRONG_LOAN", "BREAK LOAN_TERMS") in moved
    assert ("BREAK UNAUTHORISED", "CARRIED cut_off_window") in moved


def test_a_rule_is_tried_proposed_and_adopted_from_the_next_day_on(two_days: TwoDays, fresh: CopyOf, tmp_path: Path) -> None:
    home = fresh(two_days.home)
    first, last, to_come = two_days.days[:3]
    file = tmp_path / "window.yaml"
    file.write_text(yaml.safe_dump({"rules": [dict(changed("cut_off_window", to_come, minutes=720).entry)]}, allow_unicode=True))
    span = ("--from", str(first), "--to", str(first))
    code, shown = custody(home, "rules", "try", str(file), *span, "--json")
    tried = json.loads(shown.splitlines()[-1])
    assert code == 1 and tried["differs"]
    code, shown = custody(home, "rules", "propose", str(file), *span, "--as", "auditor", "--note", "n")
    assert code == 2 and "judged" not in shown
    code, shown = custody(home, "rules", "adopt", str(file), *span, "--as", "maker", "--note", "a circular")
    assert code == 0 and "would vanish" in shown and "试算差异" in shown
    proposal = shown.splitlines()[-1].split()[1].rstrip(":")
    code, shown = custody(home, "proposal", "show", proposal, "--json")
    row = json.loads(shown.splitlines()[-1])
    assert row["payload"]["trial"] == tried
    assert any("would vanish" in line for line in row["words"])
    assert custody(home, "proposal", "approve", proposal, "--as", "checker")[0] == 0
    code, shown = custody(home, "rules", "show", "cut_off_window", "--json")
    states = [(r["version"], r["minutes"], r["state"]) for r in json.loads(shown.splitlines()[-1])["rules"]]
    assert code == 0 and states == [(1, 30, "PAST"), (2, 720, "IN_FORCE")]
    code, shown = custody(home, "rules", "show", "--date", str(last))
    assert code == 0 and "cut_off_window/1" in shown and "待生效" in shown and "ab_txn_amount/1" in shown
    code, shown = custody(home, "rules", "show", "ab_txn_amount")
    assert "amount_minor" in shown and "金额不符" in shown
    with opened(home) as instance:
        assert_sealed_from_its_first_day_on(instance, two_days, file)


def assert_sealed_from_its_first_day_on(instance: Instance, two_days: TwoDays, file: Path) -> None:
    to_come = two_days.days[2]
    (adopted,) = instance.find("adopted_rule")
    events = [e["action"] for e in instance.find("audit_event") if e["action"].endswith((".propose", ".approve"))]
    assert events[-2:] == ["rule.propose", "rule.approve"]
    assert [e["actor"] for e in instance.find("audit_event", action="refused:rule.propose")] == ["auditor"]
    instance.deliver(two_days.world, to_come)
    instance.step("cut_off", to_come)
    for on, versions in ((two_days.days[1], ["cut_off_window/1"]), (to_come, ["cut_off_window/1", "cut_off_window/2"])):
        rows = instance.lake_rows(on, "cut_off", "reference")
        assert [r["id"] for r in rows if r["kind"] == "rule" and r["id"].startswith("cut_off_window/")] == versions
    assert json.loads(adopted["entry"])["minutes"] == 720
    # A day that is cut off keeps its rules.
    late = changed("cut_off_window", to_come, version=3)
    wiring = instance.wiring
    with pytest.raises(UsageError, match="cut off already"):
        propose_rule(
            wiring.register,
            wiring.clock,
            "maker",
            shipped_rules(),
            late,
            {"rules": [{"id": late.id, "digest": late.digest}]},
            "n",
        )
    with pytest.raises(UsageError, match="is not reconciled: a trial runs on sealed days only"):
        try_rules(wiring, [late], two_days.days[0], to_come, 1)
    with pytest.raises(UsageError, match="ends on .* before it begins"):
        try_rules(wiring, [late], to_come, to_come - timedelta(days=1), 1)
    impossible = changed("ab_txn_amount", to_come + timedelta(days=1), withdrawn=True)
    with pytest.raises(UsageError, match=f"cannot be in force together on {two_days.days[0]}.*tolerance for customers' money"):
        try_rules(wiring, [impossible], *two_days.days[:2], 1)
