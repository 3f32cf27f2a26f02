"""The bank's own holidays and working days, which always win over the public table (domain.md §10); changed by two people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from custody.calendar import SettlementCalendar
from custody.ports import Clock, Register, RegisterTx
from custody.services.four_eyes import DecisionKind, propose


def settlement_calendar(tx: RegisterTx) -> SettlementCalendar:
    """The calendar as decided so far. A custody day uses the one that its cut-off sealed."""
    return SettlementCalendar({row["day"]: row["business_day"] for row in tx.find("holiday")})


def propose_day(register: Register, clock: Clock, actor: str, day: date, business_day: bool, note: str) -> str:
    """Propose that a day is, or is not, a bank business day; returns the proposal's id."""
    return propose(register, clock, actor, HOLIDAY, day.isoformat(), {"business_day": business_day, "reason": note}, note)


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    day = date.fromisoformat(subject)
    values = {"business_day": payload["business_day"], "reason": payload["reason"]}
    if not tx.update("holiday", {"day": day}, values):
        tx.insert("holiday", {"day": day, **values})


HOLIDAY = DecisionKind("holiday", "calendar.propose", "calendar.approve", _apply)
