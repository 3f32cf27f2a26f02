"""The core's balances against the core's own flows, by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

from custody.core_chain import core_chain

DAY = date(2020, 1, 2)
ACCOUNT = "P001:CUSTODY"


def chain(opening: int, closing: int, before: int | None, booked: int) -> list[tuple[str, str, str, int]]:
    balances = [{"account": ACCOUNT, "opening_minor": opening, "closing_minor": closing}]
    day_before: list[dict[str, Any]] = [] if before is None else [{"account": ACCOUNT, "closing_minor": before}]
    found = core_chain(DAY, balances, day_before, {ACCOUNT: booked})
    return [(str(v.kind), v.platform, v.subject, v.amount_minor) for v in found]


def test_opening_is_yesterdays_closing_and_flows_lead_to_the_closing() -> None:
    broken = ("BALANCE_CHAIN", "P001", f"CHAIN|{ACCOUNT}")
    assert chain(100, 90, 100, -10) == []
    assert chain(100, 90, None, -10) == [], "nothing stood there the day before"
    assert chain(103, 90, 100, -13) == [(*broken, 3)]
    assert chain(100, 91, 100, -10) == [(*broken, 1)]
    assert chain(103, 93, 100, -10) == [(*broken, 3)], "shifted as a whole"
