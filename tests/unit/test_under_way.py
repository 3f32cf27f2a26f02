"""A withdrawal handed on stays under way until its final status comes, however long that takes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from jobs.post.under_way import under_way

FIRST, SECOND = date(2019, 12, 30), date(2019, 12, 31)


def row(request_no: str, status: str, on: date, hour: int = 2, outcome: str = "NO_POSTING") -> dict[str, Any]:
    return {
        "platform": "P001", "request_no": request_no, "leg": 1, "txn_type": "WITHDRAW", "from_account": "P001.LENDER.u1",
        "to_account": None, "channel": "CH01", "amount_minor": 1_000, "currency": "CNY", "status": status, "outcome": outcome,
        "value_date": on, "event_time": datetime(on.year, on.month, on.day, hour, tzinfo=UTC),
    }  # fmt: skip


def shown(rows: list[dict[str, Any]]) -> list[tuple[str, str, date]]:
    return sorted((r["request_no"], r["status"], r["since"]) for r in rows)


def test_it_ends_with_success_or_failure_and_not_before() -> None:
    first = under_way([], [row(n, "REMITTING", FIRST) for n in ("w1", "w2", "w3", "w4")])
    assert shown(first) == [(n, "REMITTING", FIRST) for n in ("w1", "w2", "w3", "w4")]
    today = [
        row("w1", "SUCCESS", SECOND, outcome="POSTED"),
        row("w2", "FAIL", SECOND),
        row("w3", "UNKNOWN", SECOND),
        row("w4", "SUCCESS", SECOND, outcome="WAITING"),
    ]
    assert shown(under_way(first, today)) == [("w3", "UNKNOWN", FIRST), ("w4", "REMITTING", FIRST)]


def test_the_last_word_of_a_day_counts() -> None:
    rows = [row("w1", "SUCCESS", FIRST, hour=9, outcome="POSTED"), row("w1", "UNKNOWN", FIRST, hour=3)]
    assert under_way([], rows) == []


def test_what_was_posted_at_once_was_neverunder_way() -> None:
    assert under_way([], [row("w1", "SUCCESS", FIRST, outcome="POSTED")]) == []
