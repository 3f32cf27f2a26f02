"""The audit trail: who did what, when, to what, the newest first; also what was refused.

It is read from an event backwards, never counted: years of a bank's days are millions of events.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import json
from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from console.pages.asking import UserDep, asked, date_of, show
from console.pages.listing import ROWS_ON_A_PAGE, query
from custody.calendar import ONE_DAY
from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.permissions import PERMISSIONS
from custody.ports import RegisterTx, Row

router = APIRouter()

_FILTERS = ("actor", "action", "subject")
_LONGEST_DETAILS = 600
_MOST_DIGITS = 15


@router.get("/audit", response_class=HTMLResponse)
def the_trail(request: Request, user: UserDep) -> HTMLResponse:
    """Events up to a date, of one person, action or subject, as the filters say."""
    with asked(user, "audit.view", "audit trail") as wiring, wiring.register.transaction() as tx:
        return show(request, "audit.html", view=TrailView(tx, dict(request.query_params)))


class TrailView:
    """One page of events, and the link to older ones."""

    def __init__(self, tx: RegisterTx, params: Mapping[str, str]) -> None:
        self.asked = {name: params.get(name, "").strip() for name in (*_FILTERS, "until")}
        at_most: dict[str, object] = {}
        if self.asked["until"]:
            day = date_of(self.asked["until"])
            if day is None:
                raise UsageError(f"{self.asked['until'][:40]!r} is not a date YYYY-MM-DD / 日期格式应为 YYYY-MM-DD")
            # Moments are texts: any of the day lies before the next day's name.
            at_most["at"] = (day + ONE_DAY).isoformat()
        before = params.get("before", "")
        if before.isdecimal() and len(before) <= _MOST_DIGITS:
            at_most["event_no"] = int(before) - 1
        equals = {name: self.asked[name] for name in _FILTERS if self.asked[name]}
        found = tx.page("audit_event", ["-event_no"], 0, ROWS_ON_A_PAGE + 1, at_most, **equals)
        self.rows = [_shown(row) for row in found[:ROWS_ON_A_PAGE]]
        self.actions = sorted(PERMISSIONS)
        self.people = [row["person_id"] for row in tx.find("person", ["person_id"])]
        last = found[ROWS_ON_A_PAGE - 1]["event_no"] if len(found) > ROWS_ON_A_PAGE else None
        self.older = query("audit", {**self.asked, "before": last}) if last else ""
        self.newest = query("audit", self.asked) if before else ""


def _shown(row: Row) -> Row:
    said = json.loads(row["details"])
    text = mask_user_numbers("; ".join(f"{name}: {_plain(value)}" for name, value in sorted(said.items())))
    short = text if len(text) <= _LONGEST_DETAILS else f"{text[:_LONGEST_DETAILS]}…"
    refused = str(row["action"]).startswith("refused:")
    return {**row, "subject": mask_user_numbers(row["subject"]), "details": short, "refused": refused}


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
