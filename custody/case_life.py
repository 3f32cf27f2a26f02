"""What a custody day does to a case: opened, aged, changed, closed; each as the columns that change and the events that say so.

The same day's findings again change nothing and say nothing, so that publishing can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from custody.calendar import SettlementCalendar
from custody.match_rules import RuleSet

Row = Mapping[str, Any]

OPEN, CLOSED = "OPEN", "CLOSED"
NO_LONGER_FOUND = "no_longer_found"


class CaseEvent(StrEnum):
    OPENED = "OPENED"
    FOUND_AGAIN = "FOUND_AGAIN"
    KIND = "KIND"
    AMOUNT = "AMOUNT"
    EVIDENCE = "EVIDENCE"
    SEVERITY = "SEVERITY"
    CLOSED = "CLOSED"
    ASSIGNED = "ASSIGNED"
    COMMENTED = "COMMENTED"
    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    REOPENED = "REOPENED"
    ADJUSTED = "ADJUSTED"
    NOT_ADJUSTED = "NOT_ADJUSTED"
    # The platform disputes our verdict on a row of its own that the case is about.
    DISPUTED = "DISPUTED"


@dataclass(frozen=True)
class Change:
    """``events``: (event, details) in order."""

    columns: dict[str, Any] = field(default_factory=dict)
    events: tuple[tuple[CaseEvent, dict[str, Any]], ...] = ()


def found(case: Row | None, row: Row, on: date, rules: RuleSet, calendar: SettlementCalendar) -> Change:
    """A break of the day: its case is opened, opened again as a new episode, or goes on."""
    facts = {name: row[name] for name in ("kind", "amount_minor", "evidence_digest", "evidence", "cause")} | {"last_seen_on": on}
    if case is not None and not (case["state"] == CLOSED and case["closed_on"] < on):
        return _goes_on(case, facts, on, rules, calendar)
    level = rules.severity(row["amount_minor"], 0)
    due = due_on(on, level, rules, calendar)
    facts |= {"state": OPEN, "opened_on": on, "severity": level, "due_on": due}
    told: dict[str, Any] = {
        "kind": row["kind"],
        "amount_minor": row["amount_minor"],
        "severity": level,
        "due_on": due.isoformat(),
        "cause": row["cause"],
    }
    if case is None:
        new = {name: row[name] for name in ("case_id", "platform", "sides", "subject")} | {"episode": 1}
        return Change(new | facts, ((CaseEvent.OPENED, told),))
    again = {"closed_on": None, "closed_by": None, "episode": case["episode"] + 1}
    return Change(facts | again, ((CaseEvent.FOUND_AGAIN, told | {"episode": case["episode"] + 1}),))


def _goes_on(case: Row, facts: dict[str, Any], on: date, rules: RuleSet, calendar: SettlementCalendar) -> Change:
    opened = case["opened_on"]
    facts |= {"severity": rules.severity(facts["amount_minor"], (on - opened).days)}
    due = due_on(opened, rules.severity(facts["amount_minor"], 0), rules, calendar)
    # What has grown may be due sooner; nothing that happens to an open case gives it more time.
    facts["due_on"] = due if case["due_on"] is None else min(due, case["due_on"])
    events: list[tuple[CaseEvent, dict[str, Any]]] = []
    if case["state"] == CLOSED:
        # By an earlier version of this same day.
        facts |= {"state": OPEN, "closed_on": None, "closed_by": None}
        events.append((CaseEvent.FOUND_AGAIN, {"episode": case["episode"]}))
    events += [
        (event, {"before": case[name], "after": facts[name]})
        for event, name in (
            (CaseEvent.KIND, "kind"),
            (CaseEvent.AMOUNT, "amount_minor"),
            (CaseEvent.SEVERITY, "severity"),
        )
        if case[name] != facts[name]
    ]
    if case["evidence_digest"] != facts["evidence_digest"]:
        changed = {"before": case["evidence_digest"], "after": facts["evidence_digest"], "cause": facts["cause"]}
        events.append((CaseEvent.EVIDENCE, changed))
    return Change(facts, tuple(events))


def closed(on: date, closed_by: str) -> Change:
    """``closed_by``: the later row, the file, the decision or the adjustment that ended it, or that it is no longer found."""
    columns = {"state": CLOSED, "closed_on": on, "closed_by": closed_by, "reopened_by": None}
    return Change(columns, ((CaseEvent.CLOSED, {"closed_by": closed_by}),))


def due_on(opened_on: date, level: str, rules: RuleSet, calendar: SettlementCalendar) -> date:
    """The bank business day by whose end a case of this severity is to be settled."""
    days = rules.due_business_days(level)
    if days:
        return calendar.add_business_days(opened_on, days)
    return opened_on if calendar.is_business_day(opened_on) else calendar.next_business_day(opened_on)
