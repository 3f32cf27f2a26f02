"""Rules about customers' money as it comes and goes: large values, structuring, fast in and out, dormant then active (domain.md §8).

Rows are an account's days: ``on`` (the date by value), ``posted_on``, platform, account, customer_id, kind, and of that day ``in_minor``,
``in_count`` (recharges), ``out_minor``, ``out_count`` (withdrawals and refunds), ``spent_minor`` (to others), ``credit_minor`` (all that came). Each function may be given only the rows of
customers whom it could concern.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from custody.calendar import SettlementCalendar
from custody.compliance import BASIS_POINTS, Behind, Figures, Finding, Source
from custody.compliance_borrowers import kind_of, limit_of
from custody.ports import Row

WAYS = {"in": ("came in", "转入", Source.MONEY_IN), "out": ("went out", "转出", Source.MONEY_OUT)}


def large_values(days: Iterable[Row], figures: Figures, calendar: SettlementCalendar) -> Iterator[Finding]:
    """``days``: all that is posted so far of the dates by value of which something is posted today."""
    of: dict[tuple[str, date], list[Row]] = defaultdict(list)
    for row in days:
        of[row["customer_id"], row["on"]].append(row)
    for (customer, on), rows in sorted(of.items()):
        threshold = limit_of(kind_of(rows), figures)
        for way, (en, zh, _) in WAYS.items():
            total = sum(row[f"{way}_minor"] for row in rows)
            if total >= threshold:
                said = {
                    "customer": customer,
                    "moved_minor": total,
                    "way": en,
                    "way_zh": zh,
                    "on": on.isoformat(),
                    "transactions": sum(row[f"{way}_count"] for row in rows),
                    "platforms": len({row["platform"] for row in rows if row[f"{way}_minor"]}),
                    "due_on": calendar.add_business_days(on, figures["file_business_days"]).isoformat(),
                }
                yield Finding("large_value", "", f"{customer}|{way.upper()}", on.isoformat(), total, said, _rows(rows, way))


def structured(days: Iterable[Row], figures: Figures, today: date) -> Iterator[Finding]:
    """Days again and again just below the threshold; it speaks on the last of them, and once a month of a customer and a way. With
    ``sum_bp`` the nearer they come, the fewer of them it takes: those from ``share_bp`` on must add up to so much of the threshold."""
    first = today - timedelta(days=figures["days"] - 1)
    for customer, rows in _by_customer(row for row in days if first <= row["on"] <= today):
        threshold = limit_of(kind_of(rows), figures)
        low = -(-threshold * figures["share_bp"] // BASIS_POINTS)
        for way, (en, zh, _) in WAYS.items():
            totals: dict[date, int] = defaultdict(int)
            for row in rows:
                totals[row["on"]] += row[f"{way}_minor"]
            near = {on: total for on, total in totals.items() if low <= total < threshold}
            is_enough = sum(near.values()) * BASIS_POINTS >= threshold * figures.get("sum_bp", 0)
            if len(near) >= figures["times"] and is_enough and _is_new(rows, near, today):
                said: dict[str, int | str] = {
                    "customer": customer,
                    "times": len(near),
                    "days": figures["days"],
                    "low_minor": low,
                    "threshold_minor": threshold,
                    "way": en,
                    "way_zh": zh,
                    "moved_minor": sum(near.values()),
                }
                behind = _rows([row for row in rows if row["on"] in near], way)
                subject, month = f"{customer}|{way.upper()}", f"{today:%Y-%m}"
                yield Finding("structuring", "", subject, month, sum(near.values()), said, behind)


def _is_new(rows: Iterable[Row], near: Mapping[date, int], today: date) -> bool:
    return any(row["posted_on"] == today and row["on"] in near for row in rows)


def fast_in_and_out(days: Iterable[Row], figures: Figures, today: date) -> Iterator[Finding]:
    """Within a few days much came, and nearly all of it left, for nothing else; it speaks on a day on which something leaves. What
    leaves may also be what a loan or a repayment brought (``credit_minor``), and what came may have been lent or repaid
    (``spent_minor``): neither passed through."""
    first = today - timedelta(days=figures["days"] - 1)
    for customer, rows in _by_customer(row for row in days if first <= row["on"] <= today):
        came, left, spent, got = (
            sum(row[name] for row in rows) for name in ("in_minor", "out_minor", "spent_minor", "credit_minor")
        )
        passed = min(left - (got - came), came - spent)
        leaves_today = any(row["out_minor"] for row in rows if row["posted_on"] == today)
        if leaves_today and came >= figures["minor"] and passed * BASIS_POINTS >= came * figures["share_bp"]:
            said = {"came_minor": came, "left_minor": left, "spent_minor": spent, "days": figures["days"]}
            behind = (*_rows(rows, "in"), *_rows(rows, "out"))
            yield Finding("fast_in_out", "", customer, f"{today:%Y-%m}", passed, said, behind)


def woken(days: Iterable[Row], last_acts: Mapping[str, date], figures: Figures, today: date) -> Iterator[Finding]:
    """``days``: those posted today; ``last_acts``: of each customer the last date before on which he did anything, or opened."""
    for customer, rows in _by_customer(row for row in days if row["posted_on"] == today):
        came, left = (sum(row[name] for row in rows) for name in ("in_minor", "out_minor"))
        last_on = last_acts.get(customer)
        if last_on is None or max(came, left) < figures["minor"] or (today - last_on).days < figures["days"]:
            continue
        said = {
            "came_minor": came,
            "left_minor": left,
            "last_on": last_on.isoformat(),
            "quiet_days": (today - last_on).days,
        }
        behind = (*_rows(rows, "in"), *_rows(rows, "out"))
        yield Finding("dormant_active", "", customer, today.isoformat(), max(came, left), said, behind)


def _by_customer(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[row["customer_id"]].append(row)
    return sorted(of.items())


def _rows(rows: Iterable[Row], way: str) -> tuple[Behind, ...]:
    source = WAYS[way][2]
    ordered = sorted((row for row in rows if row[f"{way}_minor"]), key=lambda row: (row["on"], row["posted_on"], row["account"]))
    return tuple(Behind(source, row["platform"], row["account"], row["posted_on"], row[f"{way}_minor"]) for row in ordered)
