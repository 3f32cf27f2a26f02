"""What a trial tells: breaks that appear, vanish or change, and rows that end elsewhere, counted whole with a few examples."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from custody.match_rules import RuleSet, read_rule
from custody.rule_trial import Outcome, day_difference
from schemas.rule_book import book_with, shipped_rules

ON = date(2020, 1, 10)
SHIPPED = book_with([]).rules_on(ON)


def weighing(steps: list[dict[str, int]]) -> RuleSet:
    (first,) = (rule for rule in shipped_rules() if rule.rule_id == "severity_by_age")
    return book_with([read_rule({**first.entry, "version": 2, "valid_from": ON.isoformat(), "steps": steps}, "t")]).rules_on(ON)


def a_break(
    case_id: str, kind: str = "AMOUNT", amount: int = 100, platform: str = "P001", cause: str | None = None
) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "platform": platform,
        "sides": "AB",
        "subject": f"TXN|{case_id}|1",
        "kind": kind,
        "cause": cause,
        "amount_minor": amount,
    }


def row(ref: str, bucket: str, rule: str, amount: int = 100) -> dict[str, Any]:
    place = {"relation": "AB_TXN", "side": "A", "row_ref": ref, "platform": "P001", "subject": "BALANCE|LENDER.U001000001"}
    return {**place, "bucket": bucket, "rule": rule, "amount_minor": amount}


def difference(before: Outcome, after: Outcome, examples: int = 5, age: int = 0) -> list[dict[str, Any]]:
    return day_difference(ON, before, after, lambda _: ON - timedelta(days=age), examples)


def outcome(*found: dict[str, Any], rules: RuleSet = SHIPPED) -> Outcome:
    return Outcome([f for f in found if "case_id" in f], [f for f in found if "row_ref" in f], rules)


def test_the_same_day_under_the_same_rules_differs_in_nothing() -> None:
    day = outcome(a_break("c1"), row("F:2", "BREAK", "AMOUNT"))
    assert difference(day, day) == []


def test_breaks_appear_vanish_and_change() -> None:
    before = outcome(
        a_break("gone"), a_break("kind"), a_break("size"), a_break("same"), a_break("why"), a_break("far", platform="P002")
    )
    after = outcome(
        a_break("new", amount=7),
        a_break("kind", "TIMING"),
        a_break("size", amount=90),
        a_break("same"),
        a_break("why", cause="sign"),
    )
    first, second = difference(before, after)
    assert (first["date"], first["platform"], second["platform"], first["rows"]) == ("2020-01-10", "P001", "P002", [])
    told = [(one["what"], one["before"], one["after"], one["count"], one["amount_minor"]) for one in first["breaks"]]
    assert told == [
        ("AMOUNT", "AMOUNT", "AMOUNT", 1, 90),
        ("APPEARS", "", "AMOUNT", 1, 7),
        ("CAUSE", "AMOUNT", "AMOUNT", 1, 100),
        ("KIND", "AMOUNT", "TIMING", 1, 100),
        ("VANISHES", "AMOUNT", "", 1, 100),
    ]
    assert [one["what"] for one in second["breaks"]] == ["VANISHES"]


def test_examples_are_few_and_the_largest_first_while_counts_are_whole() -> None:
    (day,) = difference(outcome(), outcome(*(a_break(f"c{n}", amount=n) for n in range(1, 21))), examples=2)
    (one,) = day["breaks"]
    assert (one["count"], one["amount_minor"]) == (20, 210)
    assert [e["subject"] for e in one["examples"]] == ["TXN|c20|1", "TXN|c19|1"]


def test_severity_and_due_time_are_compared_by_age() -> None:
    before, after = outcome(a_break("c1")), outcome(a_break("c1"), rules=weighing([{"from": 2, "weight": 3}]))
    assert difference(before, after, age=1) == []
    (day,) = difference(before, after, age=2)
    (one,) = day["breaks"]
    (example,) = one["examples"]
    assert one["what"] == "WEIGHT"
    assert (example["before"]["severity"], example["before"]["due_business_days"]) == ("LOW", 5)
    assert (example["after"]["severity"], example["after"]["due_business_days"]) == ("CRITICAL", 0)


def test_rows_move_and_what_is_not_listed_matched_cleanly() -> None:
    before = outcome(row("F:2", "BREAK", "TIMING"), row("F:3", "BREAK", "TIMING"), row("F:4", "CARRIED", "late_file"))
    after = outcome(row("F:2", "BREAK", "AMOUNT"), row("F:4", "CARRIED", "late_file"), row("F:5", "CARRIED", "not_due", 1))
    (day,) = difference(before, after)
    told = [(one["before"], one["after"], one["count"], one["amount_minor"]) for one in day["rows"]]
    assert told == [
        ("BREAK TIMING", "BREAK AMOUNT", 1, 100),
        ("BREAK TIMING", "MATCHED exact", 1, 100),
        ("MATCHED exact", "CARRIED not_due", 1, 1),
    ]
    # User numbers are masked wherever people look.
    assert {e["subject"] for one in day["rows"] for e in one["examples"]} == {"BALANCE|LENDER.U00*****01"}
