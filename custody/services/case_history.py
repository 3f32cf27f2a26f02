"""What happened to a case, written once and never changed; told again in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.case_life import CaseEvent
from custody.digest import canonical_json
from custody.ports import RegisterTx


@dataclass(frozen=True)
class HistoryLine:
    """``on``: the custody date that did it, None where ``actor`` is a person."""

    event: str
    on: date | None
    actor: str
    at: str
    details: dict[str, Any]
    note: str


def record(
    tx: RegisterTx,
    at: str,
    case_id: str,
    actor: str,
    events: Iterable[tuple[CaseEvent, Mapping[str, Any]]],
    on: date | None = None,
    note: str = "",
) -> None:
    """Append what was done to a case, in the transaction that did it."""
    record_all(tx, at, actor, [(case_id, event, details) for event, details in events], on, note)


def record_all(
    tx: RegisterTx,
    at: str,
    actor: str,
    events: Iterable[tuple[str, CaseEvent, Mapping[str, Any]]],
    on: date | None = None,
    note: str = "",
) -> None:
    """The same for many cases. ``events``: (case, what was done, details) in order."""
    same = {"custody_date": on, "actor": actor, "at": at, "note": note}
    lines = [
        {"case_id": of, "event": str(event), "details": canonical_json(dict(details)), **same} for of, event, details in events
    ]
    tx.insert_all("case_event", lines)


def history_of(tx: RegisterTx, case_id: str) -> list[HistoryLine]:
    """From the first event to the last."""
    return [
        HistoryLine(r["event"], r["custody_date"], r["actor"], r["at"], json.loads(r["details"]), r["note"])
        for r in tx.find("case_event", ("event_no",), case_id=case_id)
    ]


def adjusted_in(history: Iterable[HistoryLine]) -> str | None:
    """What closed the case when it closes now: an adjusting entry that was posted since it was last opened. None without one."""
    found = None
    for line in history:
        if line.event in (CaseEvent.OPENED, CaseEvent.FOUND_AGAIN, CaseEvent.REOPENED):
            found = None
        elif line.event == CaseEvent.ADJUSTED:
            found = f"adjustment {line.details['request_no']}"
    return found
