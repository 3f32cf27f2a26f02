"""What waits too long: holds, withdrawals whose end nobody knows, receipts in SUSPENSE. Each limit is a dated rule of the rule
book (schemas/rules/ageing.yaml).

Judged at the end of a custody date: within n business days means by the end of the n-th after the day on which it began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.calendar import SettlementCalendar
from custody.invariants import Violation
from custody.names import BreakKind

Row = Mapping[str, Any]


Versions = Sequence[tuple[date, Mapping[str, int]]]


@dataclass(frozen=True)
class Ages:
    """The rule book's limits: of each version its first day, and business days after the first day of what waits, by its kind."""

    holds: Versions
    statuses: Versions


def stale_holds(holds: Iterable[Row], on: date, calendar: SettlementCalendar, ages: Ages) -> Iterator[Violation]:
    """STALE_FREEZE: a hold for a withdrawal, a tender or a repayment of which nothing has become."""
    for hold in holds:
        limit = limit_of(ages.holds, hold["kind"], hold["placed_on"], calendar)
        if limit is not None and limit <= on:
            figures: dict[str, int | str] = {
                "kind": hold["kind"],
                "account": hold["account"],
                "placed_on": hold["placed_on"].isoformat(),
                "until": limit.isoformat(),
            }
            subject = f"HOLD|{hold['hold_id']}"
            yield Violation(BreakKind.STALE_FREEZE, hold["platform"], "B", subject, hold["amount_minor"], figures)


def unknown_too_long(under_way: Iterable[Row], on: date, calendar: SettlementCalendar, ages: Ages) -> Iterator[Violation]:
    """UNKNOWN_STATUS: a movement whose end the channel has not proved in time; its money stays frozen."""
    for row in under_way:
        limit = limit_of(ages.statuses, row["status"], row["since"], calendar)
        if limit is not None and limit <= on:
            figures: dict[str, int | str] = {
                "status": row["status"],
                "channel": str(row["channel"]),
                "since": row["since"].isoformat(),
                "until": limit.isoformat(),
            }
            subject = f"POSTING|{row['request_no']}|{row['leg']}"
            yield Violation(BreakKind.UNKNOWN_STATUS, row["platform"], "B", subject, row["amount_minor"], figures)


def suspense_aged(suspense: Iterable[Row], on: date) -> Iterator[Violation]:
    """SUSPENSE_AGED: a receipt neither identified nor returned by its due date."""
    for receipt in suspense:
        if receipt["due_on"] <= on:
            figures: dict[str, int | str] = {
                "received_on": receipt["received_on"].isoformat(),
                "due_on": receipt["due_on"].isoformat(),
                "left": receipt["left_minor"],
            }
            subject = f"SUSPENSE|{receipt['request_no']}"
            yield Violation(BreakKind.SUSPENSE_AGED, receipt["platform"], "B", subject, receipt["left_minor"], figures)


def limit_of(versions: Versions, kind: str, since: date, calendar: SettlementCalendar) -> date | None:
    """The last day in time, by the version that held on the first day; None where no rule speaks."""
    valid = [version for version in versions if version[0] <= since]
    days = max(valid, key=lambda version: version[0])[1].get(kind) if valid else None
    return None if days is None else calendar.add_business_days(since, days)


def least_days(versions: Versions) -> Mapping[str, int]:
    """By kind the fewest business days that any version gives it: so many calendar days at least have passed before it is too old."""
    kinds = {kind for _, days in versions for kind in days}
    return {kind: min(days[kind] for _, days in versions if kind in days) for kind in sorted(kinds)}
