"""Sub-accounts from what landed and what was decided: opened once, closed once, passed on by a merger, never by a file."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from custody.calendar import CHINA
from custody.customer_decisions import aliases_of, decided_rows, merged_today, resolve
from custody.sub_accounts import carried

DAY = date(2019, 12, 30)


def landed(action: str, customer_id: str = "C1", line_no: int = 2, day: int = 30, user_no: str = "U1") -> dict[str, Any]:
    said = {"party": "P001", "role": "LENDER", "user_no": user_no, "customer_id": customer_id, "kind": "PERSON", "action": action}
    return {**said, "event_time": datetime(2019, 12, day, 10, tzinfo=CHINA), "file_name": "f", "line_no": line_no}


def decided(action: str, on: date, customer_id: str = "C1", number: int = 1) -> dict[str, Any]:
    said = {"party": "P001", "role": "LENDER", "user_no": "U1", "customer_id": customer_id, "kind": "PERSON", "action": action}
    return {**said, "custody_date": on, "decision_no": number, "row_no": 1}


def shown(rows: list[dict[str, Any]]) -> list[tuple[str, str, date, date | None]]:
    return [(r["sub_account"], r["customer_id"], r["opened_on"], r["closed_on"]) for r in rows]


def test_a_second_opening_a_change_and_a_second_closing_change_nothing() -> None:
    opened = carried([], [landed("OPEN"), landed("OPEN", "C2", 3), landed("CHANGE", "C2", 4)], [], {})
    assert shown(opened) == [("P001.LENDER.U1", "C1", DAY, None)]
    closed = carried(opened, [landed("CLOSE", day=31), landed("CLOSE", line_no=9, day=31)], [], {})
    assert shown(closed) == [("P001.LENDER.U1", "C1", DAY, date(2019, 12, 31))]
    again = carried(closed, [landed("CLOSE", day=31), landed("OPEN", day=31)], [], {})
    assert again == closed
    assert carried([], [landed("CLOSE"), landed("CHANGE")], [], {}) == []


def test_a_form_opens_and_closes_on_the_day_that_takes_it_up() -> None:
    opened = carried([], [], [decided("OPEN", DAY)], {})
    assert shown(opened) == [("P001.LENDER.U1", "C1", DAY, None)]
    # What a file of the day says comes before what two people decided for it.
    on = date(2019, 12, 31)
    both = carried([], [landed("OPEN", "C2", day=31)], [decided("OPEN", on), decided("CLOSE", on, number=2)], {})
    assert shown(both) == [("P001.LENDER.U1", "C2", on, on)]


def test_a_merger_passes_on_what_stands_and_what_still_comes() -> None:
    aliases = aliases_of([{"old": "C1", "new": "C2"}, {"old": "C2", "new": "C3"}])
    assert aliases == {"C1": "C3", "C2": "C3"}
    before = carried([], [landed("OPEN"), landed("OPEN", "C4", 3, user_no="U4")], [], {})
    after = carried(before, [landed("OPEN", "C2", 5, user_no="U5")], [], aliases)
    assert [(r["sub_account"][-2:], r["customer_id"]) for r in after] == [("U1", "C3"), ("U4", "C4"), ("U5", "C3")]


def decision(number: int, kind: str, payload: str, subject: str = "C1", outcome: str = "APPROVED") -> dict[str, Any]:
    return {
        "decision_no": number,
        "proposal_id": f"p{number}",
        "kind": kind,
        "subject": subject,
        "payload": payload,
        "outcome": outcome,
    }


def test_the_days_decisions_are_taken_up_in_their_order_and_rejected_ones_not() -> None:
    row = '{"user_no":"U1","role":"LENDER","action":"%s","kind":"PERSON","customer_id":"C1","personal_digest":"d","changes":[]}'
    form = '{"platform":"P001","rows":[' + row + "]}"
    decisions = [
        decision(3, "customer_change", form % "CLOSE"),
        decision(2, "customer_add", form % "OPEN"),
        decision(1, "customer_add", form % "OPEN", outcome="REJECTED"),
        decision(4, "customer_merge", '{"into":"C2"}'),
        decision(5, "case", '{"rows":[]}'),
    ]
    merged = merged_today(decisions, DAY)
    assert merged == [{"old": "C1", "new": "C2", "effective_on": DAY, "decision_no": 4}]
    rows = decided_rows(decisions, DAY, aliases_of(merged))
    assert [(r["decision_no"], r["action"], r["said_of"], r["customer_id"], r["custody_date"]) for r in rows] == [
        (2, "OPEN", "C1", "C2", DAY), (3, "CLOSE", "C1", "C2", DAY),
    ]  # fmt: skip
    assert len({r["reference"] for r in rows}) == 2
    assert resolve({}, "C9") == "C9"
