"""A ledger with all its registers, and time that passes, for tests of what the registers keep."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from ledger_kit import new_ledger

from custody.calendar import SettlementCalendar
from custody.ledger import Ledger
from custody.mandates import enter_mandates
from custody.names import MandateScope, Originator
from custody.registers import registers_of

MONDAY, TUESDAY, HOLIDAY, THURSDAY = date(2019, 12, 30), date(2019, 12, 31), date(2020, 1, 1), date(2020, 1, 2)
MANDATED: dict[str, Any] = {"originator": Originator.MANDATE, "authorisation_id": "M1"}


def whole_ledger() -> Ledger:
    state = new_ledger().state
    return Ledger(state, registers_of(state, SettlementCalendar()))


def reopened(ledger: Ledger) -> Ledger:
    """The same state the next day: registers keep nothing beside it."""
    return Ledger(ledger.state, registers_of(ledger.state, SettlementCalendar()))


def on(day: date, hour: int = 2) -> dict[str, Any]:
    """``hour`` of UTC."""
    return {"value_date": day, "event_time": datetime(day.year, day.month, day.day, hour, tzinfo=UTC)}


def mandate_row(user: str = "u1", role: str = "LENDER", scope: str = MandateScope.AUTO_TENDER, **other: Any) -> dict[str, Any]:
    """A GRANT of 10 yuan an item and 25 in all, at one o'clock of Monday."""
    row = {
        "platform": "P001", "mandate_id": "M1", "action": "GRANT", "role": role, "user_no": user, "scope": str(scope),
        "item_limit_minor": 1_000, "total_limit_minor": 2_500, "expires_on": THURSDAY,
        "event_time": datetime(2019, 12, 30, 1, tzinfo=UTC), "file_name": "f", "line_no": 2,
    }  # fmt: skip
    return row | other


def with_mandate(ledger: Ledger, *args: str, **other: Any) -> Ledger:
    enter_mandates(ledger.state, [mandate_row(*args, **other)])
    return ledger
