"""The audit trail: who did what, when, to what, the newest first; also what was refused.

It is read from an event backwards, never counted: years of a bank's days are millions of events.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import json
from collections.abc import Callable, Iterator, Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from console.pages.asking import UserDep, asked, date_of, show
from console.pages.export import Cell, columns_of, csv_of_pieces, wants_file
from console.pages.listing import ROWS_AT_ONCE, ROWS_ON_A_PAGE, query
from custody.calendar import ONE_DAY
from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.permissions import PERMISSIONS
from custody.ports import Register, RegisterTx, Row

router = APIRouter()

_FILTERS = ("actor", "action", "subject")
_LONGEST_DETAILS = 600
_MOST_DIGITS = 15
# As a file has them; the hash proves a line to who has the chain.
_EXPORTED: Mapping[str, Callable[[Row], Cell]] = columns_of(("event_no", "at", "actor", "action", "subject", "details", "hash"))


@router.get("/audit", response_class=HTMLResponse)
def the_trail(request: Request, user: UserDep) -> Response:
    """Events up to a date, of one person, action or subject, as the filters say."""
    with asked(user, "audit.view", "audit trail") as wiring:
        chosen = {name: request.query_params.get(name, "").strip() for name in (*_FILTERS, "until")}
        if wants_file(request.query_params):
            pieces = ([_shown(row) for row in piece] for piece in _pieces(wiring.register, chosen))
            return csv_of_pieces(wiring, user.get_name(), "audit", chosen, pieces, _EXPORTED)
        with wiring.register.transaction() as tx:
            view = TrailView(tx, chosen, request.query_params.get("before", ""))
        return show(request, "audit.html", view=view)


def _events(tx: RegisterTx, chosen: Mapping[str, str], before: int | None, limit: int) -> list[Row]:
    """The newest before an event; None: of all. Raises UsageError."""
    at_most: dict[str, object] = {}
    if chosen["until"]:
        day = date_of(chosen["until"])
        if day is None:
            raise UsageError(f"{chosen['until'][:40]!r} is not a date YYYY-MM-DD / 日期格式应为 YYYY-MM-DD")
        # Moments are texts: any of the day lies before the next day's name.
        at_most["at"] = (day + ONE_DAY).isoformat()
    if before is not None:
        at_most["event_no"] = before - 1
    return tx.page("audit_event", ["-event_no"], 0, limit, at_most, **{name: chosen[name] for name in _FILTERS if chosen[name]})


def _pieces(register: Register, chosen: Mapping[str, str]) -> Iterator[list[Row]]:
    """All of them, each piece in a transaction of its own."""
    before = None
    while True:
        with register.transaction() as tx:
            piece = _events(tx, chosen, before, ROWS_AT_ONCE)
        if not piece:
            return
        yield piece
        before = piece[-1]["event_no"]


class TrailView:
    """One page of events, and the link to older ones."""

    def __init__(self, tx: RegisterTx, chosen: Mapping[str, str], before: str) -> None:
        self.asked = chosen
        number = int(before) if before.isdecimal() and len(before) <= _MOST_DIGITS else None
        found = _events(tx, chosen, number, ROWS_ON_A_PAGE + 1)
        self.rows = [_shown(row) for row in found[:ROWS_ON_A_PAGE]]
        self.actions = sorted(PERMISSIONS)
        self.people = [row["person_id"] for row in tx.find("person", ["person_id"])]
        last = found[ROWS_ON_A_PAGE - 1]["event_no"] if len(found) > ROWS_ON_A_PAGE else None
        self.older = query("audit", {**self.asked, "before": last}) if last else ""
        self.newest = query("audit", self.asked) if before else ""
        self.as_file = query("audit", {**self.asked, "export": "csv"})


def _shown(row: Row) -> Row:
    said = json.loads(row["details"])
    text = mask_user_numbers("; ".join(f"{name}: {_plain(value)}" for name, value in sorted(said.items())))
    short = text if len(text) <= _LONGEST_DETAILS else f"{text[:_LONGEST_DETAILS]}…"
    refused = str(row["action"]).startswith("refused:")
    return {**row, "subject": mask_user_numbers(row["subject"]), "details": short, "refused": refused}


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
