"""The bank's own holidays and working days, which always win over the public table (domain.md §10); changed by two people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from custody.calendar import COVER_TO, ONE_DAY, CalendarUnknown, SettlementCalendar
from custody.calendar_table import DecidedDay
from custody.errors import UsageError
from custody.ports import Clock, Register, RegisterTx
from custody.services.access import SYSTEM
from custody.services.alerts import ACKNOWLEDGED, OPEN, end_alert, put_alert
from custody.services.four_eyes import DecisionKind, propose
from custody.services.outputs import days_begun

# So long before its end somebody has to be told that the next year must be decided.
WARN = timedelta(days=90)
CALENDAR_ENDS = "CALENDAR_ENDS"


def settlement_calendar(tx: RegisterTx) -> SettlementCalendar:
    """The calendar as decided so far. A custody day uses the one that its cut-off sealed."""
    return SettlementCalendar({row["day"]: row["business_day"] for row in tx.find("holiday")})


def known_until(calendar: SettlementCalendar) -> date:
    """The last day of which it is known, by the public table or by the bank, whether it is a business day."""
    day = COVER_TO
    while day + ONE_DAY in calendar.overrides:
        day += ONE_DAY
    return day


def watch_end(register: Register) -> date | None:
    """An alert while the calendar ends within ``WARN`` of the newest custody date, once for each end; it is over when more is decided.
    Returns the end that is near, None where none is."""
    with register.transaction() as tx:
        begun = days_begun(tx)
        until = known_until(settlement_calendar(tx))
        near = bool(begun) and until - begun[-1] < WARN
        for row in tx.find("alert", rule=CALENDAR_ENDS, state=[OPEN, ACKNOWLEDGED]):
            if not near or row["subject"] != until.isoformat():
                words = (f"the calendar is known until {until} now", f"日历现已知至 {until}")
                end_alert(tx, SYSTEM, tx.moment(), row["alert_id"], words)
        if not near:
            return None
        words = (
            f"the bank's calendar is known until {until} only: decide the next year as a whole; what nobody decided counts as a holiday, and "
            "what falls due beyond it cannot be dated",
            f"日历仅知至 {until}：请整年提议下一年度日历；未设置的日期按休息日处理，其后的到期日无法推定",
        )
        put_alert(tx, SYSTEM, CALENDAR_ENDS, until.isoformat(), begun[-1], words, "MEDIUM", "", "")
        return until


@dataclass(frozen=True)
class Effect:
    """What one decided day changes. ``settles``: the business day on which that of the day before settles (T+1), as it is and as it
    would be; None where no calendar says it."""

    day: DecidedDay
    before: bool
    settles: tuple[date | None, date | None]


def effects(tx: RegisterTx, days: Iterable[DecidedDay]) -> list[Effect]:
    """Those of the days that would be other than they are, each with what it moves."""
    days = list(days)
    now = settlement_calendar(tx)
    then = SettlementCalendar({**now.overrides, **{d.day: d.business_day for d in days}})

    def settles(calendar: SettlementCalendar, day: date) -> date | None:
        try:
            return calendar.next_business_day(day - ONE_DAY)
        except CalendarUnknown:
            return None

    return [
        Effect(d, now.is_business_day(d.day), (settles(now, d.day), settles(then, d.day)))
        for d in days
        if now.is_business_day(d.day) != d.business_day
    ]


def propose_days(register: Register, clock: Clock, actor: str, days: Sequence[DecidedDay], note: str) -> str:
    """Propose which days are bank business days and which are not; returns the proposal's id. Raises UsageError where one is cut off
    already, or where all of them are decided so."""
    if not days:
        raise UsageError("no day is named / 未填写日期")
    with register.transaction() as tx:
        _not_cut_off(tx, days)
        decided = {row["day"]: (row["business_day"], row["reason"]) for row in tx.find("holiday")}
    if all(decided.get(d.day) == (d.business_day, d.reason) for d in days):
        raise UsageError("each of these days is decided so already / 所填日期均已如此设置")
    first, last = min(d.day for d in days), max(d.day for d in days)
    subject = first.isoformat() if first == last else f"{first}..{last}"
    return propose(register, clock, actor, HOLIDAY, subject, {"days": [d.as_payload() for d in days]}, note)


def days_of(payload: Mapping[str, Any]) -> list[DecidedDay]:
    return [DecidedDay(date.fromisoformat(said["day"]), said["business_day"], said["reason"]) for said in payload["days"]]


def _not_cut_off(tx: RegisterTx, days: Iterable[DecidedDay]) -> None:
    """A sealed day keeps the calendar that it was sealed with, so what has begun is decided no more."""
    begun = days_begun(tx)
    past = sorted(d.day for d in days if begun and d.day <= begun[-1])
    if past:
        raise UsageError(
            f"{past[0]} is cut off already (the last is {begun[-1]}): decide days to come / {past[0]} 已日切，只能调整以后的日期"
        )


def _apply(tx: RegisterTx, _subject: str, payload: Mapping[str, object]) -> None:
    days = days_of(payload)
    _not_cut_off(tx, days)
    for said in days:
        values = {"business_day": said.business_day, "reason": said.reason}
        if not tx.update("holiday", {"day": said.day}, values):
            tx.insert("holiday", {"day": said.day, **values})


HOLIDAY = DecisionKind("holiday", "calendar.propose", "calendar.approve", _apply)
