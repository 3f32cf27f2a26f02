"""A date that is cut off anew keeps its rules: what a later program ships as of an earlier date holds from the next date on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from compliance_day import FIRST, SECOND, first_day
from hand_made import Day, hand_made_instance, put
from instance_kit import Instance, opened

import jobs.cut_off
from custody.match_rules import NEEDED, Rule, RuleBook, read_rule
from custody.services.rules import book_anew
from custody.steps import STEPS
from schemas.rule_book import shipped_rules

# What the program of yesterday shipped: the first version of each rule, and one rule less.
YESTERDAY = tuple(rule for rule in shipped_rules() if rule.version == 1 and rule.rule_id != "borrower_near_guarantor")


def sealed(instance: Instance, on: date) -> dict[str, Rule]:
    rows = [row for row in instance.lake_rows(on, "cut_off", "reference") if row["kind"] == "rule"]
    return {row["id"]: read_rule(json.loads(row["payload"]), "test") for row in rows}


def in_force(rules: Sequence[Rule], on: date) -> dict[str, int]:
    return {rule.rule_id: rule.version for rule in RuleBook.of(rules).rules_on(on).rules}


def test_versions_are_chosen_by_the_custody_date() -> None:
    before, at = date(2018, 12, 31), date(2019, 1, 1)
    for rule_id in ("structuring", "alert_compliance"):
        assert (in_force(shipped_rules(), before)[rule_id], in_force(shipped_rules(), at)[rule_id]) == (1, 2)
    assert in_force(shipped_rules(), date(2017, 12, 7))["packaged_assignment"] == 1


def test_an_old_date_keeps_its_rules_and_the_next_has_what_is_shipped_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(hand_made_instance(tmp_path / "home", tmp_path / "world", FIRST)) as instance:
        put(instance, first_day())
        with monkeypatch.context() as patched:
            patched.setattr(jobs.cut_off, "shipped_rules", lambda: YESTERDAY)
            instance.run_day(FIRST, STEPS)
        before = sealed(instance, FIRST)
        assert in_force(list(before.values()), FIRST)["structuring"] == 1
        for step in STEPS[: STEPS.index("compliance") + 1]:
            assert instance.step(step, FIRST, reason="looked at again").outcome == "committed"
        anew = sealed(instance, FIRST)
        assert in_force(list(anew.values()), FIRST) == in_force(list(before.values()), FIRST)
        first, second = (row for row in instance.find("step_output", custody_date=FIRST, step="compliance"))
        findings = [instance.wiring.lake.rows(row["path"], "compliance_findings") for row in (first, second)]
        assert findings[0] == findings[1] and findings[0]
        instance.step("close", FIRST, reason="looked at again")
        put(instance, Day(SECOND))
        instance.step("cut_off", SECOND)
        assert in_force(list(sealed(instance, SECOND).values()), SECOND) == in_force(shipped_rules(), SECOND)


def test_what_begins_later_and_what_nobody_can_judge_without_is_taken_as_it_stands_now() -> None:
    on, later = date(2018, 1, 1), date(2030, 1, 1)
    (window,) = (rule for rule in shipped_rules() if rule.rule_id == "cut_off_window")
    coming = read_rule({**window.entry, "version": 2, "valid_from": later.isoformat(), "minutes": 60}, "test")
    now = RuleBook.of([*shipped_rules(), coming])
    anew = book_anew(now, YESTERDAY, on)
    assert anew.rules_on(on).window_minutes == 30 and anew.rules_on(later).window_minutes == 60
    assert "borrower_near_guarantor" not in anew.rules_on(on)
    without = [rule for rule in YESTERDAY if rule.rule_id not in NEEDED]
    assert {rule.rule_id for rule in book_anew(now, without, on).rules_on(on).rules} >= set(NEEDED)
    # A program that sealed no rules at all: the date has none to keep.
    assert book_anew(now, (), on) is now
