"""Withdrawals that were handed on and whose final status has not come."""

from __future__ import annotations

from collections.abc import Iterable

from custody.names import UNDER_WAY
from custody.ports import Row


def under_way(before: Iterable[Row], legs: Iterable[Row]) -> list[Row]:
    """What is under way at the end of the day, each with the date that first said so; a final status ends it."""
    rows = {(r["platform"], r["request_no"], r["leg"]): r for r in before}
    for t in sorted(legs, key=lambda r: r["event_time"]):
        key = (t["platform"], t["request_no"], t["leg"])
        if t["outcome"] == "NO_POSTING" and t["status"] in UNDER_WAY:
            kept = ("platform", "request_no", "leg", "txn_type", "channel", "amount_minor", "currency", "status")
            since = rows[key]["since"] if key in rows else t["value_date"]
            rows[key] = {n: t[n] for n in kept} | {"account": t["from_account"] or t["to_account"], "since": since}
        elif t["outcome"] in ("NO_POSTING", "POSTED"):
            rows.pop(key, None)
    return list(rows.values())
