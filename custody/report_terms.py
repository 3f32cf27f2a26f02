"""When a report is due, what stands out in it, and who gets it: terms of its definition and of its recipients' contracts (domain.md §9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.calendar import SettlementCalendar
from custody.release_checks import ChangeTerms

# Of a reporting platform's contract: the ids of the reports that it gets, or EVERY for all that are for the regulator.
TERM = "reports"
EVERY = "*"


@dataclass(frozen=True)
class ReleaseTerms:
    """What is to be known of a report's release. ``due_business_days``: it is to be out by the so many-th bank business day after its
    period's last day, None where it has no due date; ``warn_business_days``: so many bank business days earlier the desk is told.
    ``to_regulator``, ``to_platform``: who gets it beside the bank itself. ``daily_steps``: what it reads of each day of its period."""

    report_id: str
    english: str
    chinese: str
    due_business_days: int | None
    warn_business_days: int
    to_regulator: bool
    to_platform: bool
    daily_steps: frozenset[str]
    change: ChangeTerms

    def due_on(self, calendar: SettlementCalendar, period_end: date) -> date | None:
        """Raises CalendarUnknown."""
        return calendar.add_business_days(period_end, self.due_business_days) if self.due_business_days is not None else None

    def warned_on(self, calendar: SettlementCalendar, period_end: date) -> date | None:
        """Never before the period is over."""
        on = self.due_on(calendar, period_end)
        for _ in range(self.warn_business_days if on is not None else 0):
            assert on is not None
            earlier = calendar.previous_business_day(on)
            if earlier <= period_end:
                break
            on = earlier
        return on


def contract_faults(contract: Mapping[str, Any]) -> list[str]:
    """What is wrong with the term of a reporting platform's contract, in words."""
    said = contract[TERM]
    if not isinstance(said, list) or not said or not all(isinstance(one, str) and one for one in said):
        return [f"{TERM} must list the ids of the reports that it gets, or {EVERY}"]
    return []


def gets(contract: Mapping[str, Any], report_id: str, to_regulator: bool) -> bool:
    """Whether a reporting platform gets the report: named, or one for the regulator where the contract says all of them."""
    said = contract[TERM]
    return report_id in said or (EVERY in said and to_regulator)
