"""What a day does to a case, and that the same day again does nothing."""

from datetime import date
from typing import Any

from custody.calendar import SettlementCalendar
from custody.case_life import CaseEvent, Change, closed, due_on, found
from custody.case_words import closed_words, detail_words, event_words
from custody.match_rules import RuleBook
from schemas.rule_book import shipped_rules

# A Monday; the public table knows 2020-01-01 for a holiday.
MONDAY = date(2019, 12, 30)
CALENDAR = SettlementCalendar()
RULES = RuleBook.of(shipped_rules()).rules_on(MONDAY)


def broken(**other: Any) -> dict[str, Any]:
    row = {
        "case_id": "c", "platform": "P001", "sides": "AB", "subject": "TXN|R1|1", "kind": "AMOUNT", "amount_minor": 100,
        "evidence_digest": "e1", "evidence": "[]", "cause": None,
    }  # fmt: skip
    return row | other


def seen(case: dict[str, Any] | None, on: date, **other: Any) -> tuple[dict[str, Any], list[str], Change]:
    change = found(case, broken(**other), on, RULES, CALENDAR)
    columns = {"owner": None, "closed_on": None, "closed_by": None, "reopened_by": None} | (case or {}) | change.columns
    return columns, [str(event) for event, _ in change.events], change


def test_a_case_opens_with_its_severity_and_its_last_day() -> None:
    case, events, _ = seen(None, MONDAY)
    assert events == ["OPENED"]
    # LOW has five bank business days: 31, 2, 3, 6, 7.
    assert (case["state"], case["severity"], case["due_on"], case["episode"]) == ("OPEN", "LOW", date(2020, 1, 7), 1)
    large, _, _ = seen(None, MONDAY, amount_minor=100_000_00)
    assert (large["severity"], large["due_on"]) == ("HIGH", date(2019, 12, 31))


def test_the_same_day_again_says_nothing() -> None:
    case, _, _ = seen(None, MONDAY)
    again, events, change = seen(case, MONDAY)
    assert (events, again) == ([], case) and change.events == ()


def test_ageing_and_changes_are_told_and_give_no_more_time() -> None:
    case, _, _ = seen(None, MONDAY)
    aged, events, change = seen(case, date(2020, 1, 4))
    assert events == ["SEVERITY"] and change.events[0][1] == {"before": "LOW", "after": "HIGH"}
    assert aged["due_on"] == case["due_on"]
    changed, events, _ = seen(aged, date(2020, 1, 4), kind="STATUS", amount_minor=200_000_00, evidence_digest="e2")
    assert events == ["KIND", "AMOUNT", "SEVERITY", "EVIDENCE"]
    assert changed["due_on"] == date(2019, 12, 31)
    shrunk, _, _ = seen(changed, date(2020, 1, 4), kind="STATUS", evidence_digest="e2")
    assert shrunk["due_on"] == date(2019, 12, 31)


def test_what_was_closed_and_is_found_again_is_a_new_episode() -> None:
    case, _, _ = seen(None, MONDAY)
    ended = case | closed(date(2019, 12, 31), "no_longer_found").columns
    again, events, _ = seen(ended, date(2020, 1, 2))
    assert events == ["FOUND_AGAIN"]
    assert (again["state"], again["episode"], again["opened_on"], again["closed_by"]) == ("OPEN", 2, date(2020, 1, 2), None)
    # By another version of the day that closed it, it never was closed.
    same, events, _ = seen(ended, date(2019, 12, 31))
    assert (same["state"], same["episode"], same["closed_on"], events) == ("OPEN", 1, None, ["FOUND_AGAIN"])


def test_the_most_severe_are_due_the_same_business_day() -> None:
    assert due_on(MONDAY, "CRITICAL", RULES, CALENDAR) == MONDAY
    assert due_on(date(2020, 1, 1), "CRITICAL", RULES, CALENDAR) == date(2020, 1, 2)


def test_every_event_and_every_end_has_words() -> None:
    assert all(event_words(event)[1] for event in CaseEvent)
    for how in ("decision p1", "adjustment a1", "row F.csv:3", "no_longer_found", "restated F.csv"):
        told = closed_words(how)
        assert told is not None and how.partition(" ")[2] in told[0] and told[1] != ""
    assert closed_words(None) is None
    assert detail_words("KIND", {"before": "AMOUNT", "after": "STATUS"}) == "AMOUNT → STATUS"
