"""What waits too long: holds, withdrawals whose end nobody knows, receipts in SUSPENSE. Each limit is a dated rule.

Judged at the end of a custody date: within n business days means by the end of the n-th after the day on which it began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.calendar import SettlementCalendar
from custody.invariants import Violation
from custody.names import BreakKind, HoldKind, TxnStatus

Row = Mapping[str, Any]


@dataclass(frozen=True)
class AgeRule:
    """``business_days`` after the first day; ``source``: who says so, which the bank's lawyers may change."""

    valid_from: date
    business_days: int
    source: str


_ALWAYS = date(2015, 6, 1)
# A JUDICIAL or AML hold stays as long as its order says.
HOLD_AGES: Mapping[str, tuple[AgeRule, ...]] = {
    HoldKind.WITHDRAW: (AgeRule(_ALWAYS, 5, "the bank's own limit for paying or cancelling a withdrawal"),),
    HoldKind.TENDER: (AgeRule(_ALWAYS, 20, "domain.md §4.4: a loan is disbursed within 20 working days"),),
    HoldKind.REPAY: (AgeRule(_ALWAYS, 3, "the bank's own limit for passing a repayment on to its creditors"),),
}
STATUS_AGES: Mapping[str, tuple[AgeRule, ...]] = {
    TxnStatus.UNKNOWN: (AgeRule(_ALWAYS, 1, "the channel answers by its next settlement"),),
    TxnStatus.REMITTING: (AgeRule(_ALWAYS, 3, "the bank's own limit for a payment under way"),),
    TxnStatus.ACCEPTED: (AgeRule(_ALWAYS, 3, "the bank's own limit for a payment under way"),),
}


def stale_holds(holds: Iterable[Row], on: date, calendar: SettlementCalendar) -> Iterator[Violation]:
    """STALE_FREEZE: a hold for a withdrawal, a tender or a repayment of which nothing has become."""
    for hold in holds:
        limit = limit_of(HOLD_AGES, hold["kind"], hold["placed_on"], calendar)
        if limit is not None and limit <= on:
            figures: dict[str, int | str] = {
                "kind": hold["kind"],
                "account": hold["account"],
                "placed_on": hold["placed_on"].isoformat(),
                "until": limit.isoformat(),
            }
            subject = f"HOLD|{hold['hold_id']}"
            yield Violation(BreakKind.STALE_FREEZE, hold["platform"], "B", subject, hold["amount_minor"], figures)


def unknown_too_long(under_way: Iterable[Row], on: date, calendar: SettlementCalendar) -> Iterator[Violation]:
    """UNKNOWN_STATUS: a movement whose end the channel has not proved in time; its money stays frozen."""
    for row in under_way:
        limit = limit_of(STATUS_AGES, row["status"], row["since"], calendar)
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


def limit_of(rules: Mapping[str, tuple[AgeRule, ...]], kind: str, since: date, calendar: SettlementCalendar) -> date | None:
    """The last day in time, by the rule that held on the first day; None where no rule speaks."""
    valid = [rule for rule in rules.get(kind, ()) if rule.valid_from <= since]
    return calendar.add_business_days(since, max(valid, key=lambda r: r.valid_from).business_days) if valid else None
