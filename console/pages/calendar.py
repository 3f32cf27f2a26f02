"""The bank's calendar of a year: business days and holidays, what the bank decided itself, and what waits for a second person."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import calendar
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from console.pages.asking import FormDep, UserDep, approves, asked, show
from custody.calendar import COVER_FROM, SettlementCalendar, custody_date_of
from custody.calendar_table import HEADING, read_table, whole_year
from custody.errors import UsageError
from custody.findings import RowFault
from custody.permissions import permitted
from custody.ports import RegisterTx, Row
from custody.services.access import duties_of
from custody.services.calendars import HOLIDAY, WARN, days_of, effects, known_until, propose_days, settlement_calendar
from custody.services.four_eyes import approve, reject

router = APIRouter()

_LAST_YEAR = 2199


@router.get("/calendar", response_class=HTMLResponse)
def the_calendar(request: Request, user: UserDep, wanted: Annotated[str, Query(alias="year")] = "") -> HTMLResponse:
    """One year; without a year, this one."""
    with asked(user, "day.view", "calendar") as wiring, wiring.register.transaction() as tx:
        today = custody_date_of(wiring.clock.now())
        return show(request, "calendar.html", view=CalendarView(tx, _year(wanted or str(today.year)), today, user.get_name()))


@router.post("/calendar-propose", response_class=RedirectResponse)
def propose(request: Request, user: UserDep, form: FormDep) -> Response:
    """The lines of a table; one with a fault is shown again with what is wrong."""
    text, year = form.get("days", ""), form.get("year", "")
    with asked(user, HOLIDAY.propose_action, "calendar") as wiring:
        first = ",".join(HEADING)
        days, faults = read_table(text if text.lower().startswith(first) else f"{first}\n{text}")
        if not faults and form.get("whole") == "yes":
            days, faults = whole_year(_year(year), days)
        if faults:
            with wiring.register.transaction() as tx:
                today = custody_date_of(wiring.clock.now())
                view = CalendarView(tx, _year(year), today, user.get_name(), text, faults)
            return show(request, "calendar.html", 400, view=view)
        propose_days(wiring.register, wiring.clock, user.get_name(), days, form.get("note", ""))
    return RedirectResponse(f"calendar?year={days[0].day.year}", 303)


@router.post("/calendar-decide", response_class=RedirectResponse)
def decide(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or reject, as the button says that was pressed."""
    with asked(user, HOLIDAY.approve_action, form.get("proposal", "")[:40]) as wiring:
        decision = approve if approves(form) else reject
        row = decision(wiring.register, wiring.clock, user.get_name(), HOLIDAY, form.get("proposal", ""), form.get("note", ""))
    return RedirectResponse(f"calendar?year={row['subject'][:4]}", 303)


def _year(text: str) -> int:
    if not text.isdecimal() or len(text) != 4 or not COVER_FROM.year <= int(text) <= _LAST_YEAR:
        raise UsageError(f"{text[:10]!r} is no year from {COVER_FROM.year} to {_LAST_YEAR} / 年份无效")
    return int(text)


@dataclass(frozen=True)
class Day:
    """``decided``: why the bank decided it, None where the public table speaks; ``known``: whether either of them does."""

    day: date
    business_day: bool
    decided: str | None
    known: bool


class CalendarView:
    """A year by months and weeks, with what the template asks."""

    def __init__(
        self, tx: RegisterTx, year: int, today: date, reader: str, typed: str = "", faults: Sequence[RowFault] = ()
    ) -> None:
        self.year, self.today, self.reader, self.typed, self.faults = year, today, reader, typed, faults
        duties = duties_of(tx, reader)
        self.may_propose, self.may_approve = permitted("calendar.propose", duties), permitted("calendar.approve", duties)
        known = settlement_calendar(tx)
        self.until = known_until(known)
        self.ends_soon = self.until - today < WARN
        self.decided: list[Row] = [row for row in tx.find("holiday", ["day"]) if row["day"].year == year]
        reasons = {row["day"]: row["reason"] for row in self.decided}
        self.months = [self._month(month, known, reasons) for month in range(1, 13)]
        self.waiting = [
            _proposal(tx, row) for row in tx.find("proposal", ("proposed_at", "proposal_id"), kind=HOLIDAY.kind, state="PROPOSED")
        ]

    def _month(self, month: int, known: SettlementCalendar, reasons: dict[date, str]) -> list[list[Day | None]]:
        """Weeks from Monday to Sunday."""
        weeks = calendar.Calendar().monthdatescalendar(self.year, month)
        return [
            [
                Day(day, known.is_business_day(day), reasons.get(day), day <= self.until) if day.month == month else None
                for day in week
            ]
            for week in weeks
        ]


def _proposal(tx: RegisterTx, row: Row) -> dict[str, Any]:
    facts = {name: row[name] for name in ("proposal_id", "subject", "maker", "note")}
    days = days_of(json.loads(row["payload"]))
    return facts | {"days": len(days), "effects": effects(tx, days)}
