"""Which sub-accounts there are, whose they are, and from when to when: from what landed and what was decided (domain.md §2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from custody.calendar import custody_date_of
from custody.names import sub_account_id
from custody.ports import Row


def carried(
    before: Iterable[Row], landed: Iterable[Mapping[str, Any]], decided: Iterable[Mapping[str, Any]], aliases: Mapping[str, str]
) -> list[Row]:
    """Yesterday's sub-accounts with today's openings and closings, by file and by form, each under the id that its customer goes
    by now. Opening what is open changes nothing, nor does a change: it is of personal data. Whose an account is follows its
    first opening and decisions, never another row of the platform's."""
    rows = {r["sub_account"]: {**r, "customer_id": aliases.get(r["customer_id"], r["customer_id"])} for r in before}
    for said in sorted(landed, key=lambda r: (r["event_time"], r["file_name"], r["line_no"])):
        _take(rows, said, custody_date_of(said["event_time"]), aliases)
    for said in sorted(decided, key=lambda r: (r["decision_no"], r["row_no"])):
        _take(rows, said, said["custody_date"], aliases)
    return list(rows.values())


def _take(rows: dict[str, Row], said: Mapping[str, Any], on: date, aliases: Mapping[str, str]) -> None:
    account = sub_account_id(said["party"], said["role"], said["user_no"])
    if said["action"] == "OPEN" and account not in rows:
        rows[account] = {
            "sub_account": account,
            "platform": said["party"],
            "role": said["role"],
            "user_no": said["user_no"],
            "customer_id": aliases.get(said["customer_id"], said["customer_id"]),
            "kind": said["kind"],
            "opened_on": on,
            "closed_on": None,
        }
    elif said["action"] == "CLOSE" and account in rows and rows[account]["closed_on"] is None:
        rows[account] = {**rows[account], "closed_on": on}
