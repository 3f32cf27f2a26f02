"""Whom the rules about money that comes and goes could concern, by columns; what they say is custody.compliance_money's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema
from custody.compliance import BASIS_POINTS, Figures, Finding
from custody.compliance_money import fast_in_and_out, large_values, structured, woken
from jobs.compliance.columns import heavy, plain, rows_of
from jobs.compliance.day import ComplianceDay
from schemas.tables import TABLES

_CUSTOMER = ["customer_id"]
_LAST = plain(arrow_schema(TABLES["last_acts"]).empty_table()).schema


def money(day: ComplianceDay, before: pa.Table) -> Iterator[Finding]:
    """``before``: yesterday's last_acts."""
    window, today = day.window, pa.scalar(day.today, pa.date32())
    posted = window.filter(pc.equal(window["posted_on"], today))
    if "large_value" in day.rules:
        figures, keys = day.figures("large_value"), ["customer_id", "on"]
        of_these = window.join(posted.group_by(keys).aggregate([]), keys, join_type="left semi")
        least = min(figures["person_minor"], figures["company_minor"])
        picked = either(of_these, keys, least)
        yield from large_values(rows_of(of_these, keys, picked), figures, day.reference.calendar)
    moving = window.join(posted.group_by(_CUSTOMER).aggregate([]), _CUSTOMER, join_type="left semi")
    if "structuring" in day.rules:
        figures = day.figures("structuring")
        picked = near_days(moving, figures)
        yield from structured(rows_of(moving, _CUSTOMER, picked), figures, day.today)
    if "fast_in_out" in day.rules:
        figures = day.figures("fast_in_out")
        recent = moving.filter(pc.greater(moving["on"], pa.scalar(day.today - timedelta(days=figures["days"]), pa.date32())))
        yield from fast_in_and_out(
            rows_of(recent, _CUSTOMER, heavy(recent, _CUSTOMER, "in_minor", figures["minor"])), figures, day.today
        )
    if "dormant_active" in day.rules:
        figures = day.figures("dormant_active")
        rows = rows_of(posted, _CUSTOMER, either(posted, _CUSTOMER, figures["minor"]))
        yield from woken(rows, _last_before(day, before, [row["customer_id"] for row in rows]), figures, day.today)


def either(table: pa.Table, keys: list[str], least: int) -> pa.Table:
    """The groups in which as much came in, or as much went out."""
    found = [heavy(table, keys, name, least).select(keys) for name in ("in_minor", "out_minor")]
    return pa.concat_tables(found).group_by(keys).aggregate([])


def near_days(days: pa.Table, figures: Figures) -> pa.Table:
    """The customers of whom days enough reach the lowest share of the lowest threshold."""
    low = min(figures["person_minor"], figures["company_minor"]) * figures["share_bp"] // BASIS_POINTS
    near = either(days, [*_CUSTOMER, "on"], low).group_by(_CUSTOMER).aggregate([("on", "count")])
    return near.filter(pc.greater_equal(near["on_count"], figures["times"]))


def _last_before(day: ComplianceDay, before: pa.Table, customers: list[str]) -> dict[str, date]:
    """When these last did anything before today, or opened their first account."""
    wanted = pa.array(sorted(set(customers)), pa.string())
    accounts = day.accounts.filter(pc.is_in(day.accounts["customer_id"], wanted))
    opened = accounts.group_by(_CUSTOMER).aggregate([("opened_on", "min")])
    found = dict(zip(opened["customer_id"].to_pylist(), opened["opened_on_min"].to_pylist(), strict=True))
    acted = before.filter(pc.is_in(before["customer_id"], wanted))
    return found | dict(zip(acted["customer_id"].to_pylist(), acted["last_on"].to_pylist(), strict=True))


def last_acts(before: pa.Table, moved: pa.Table) -> pa.Table:
    """Yesterday's with what was done today."""
    acted = moved.filter(pc.greater(moved["acts"], 0)).select(["customer_id", "on_date"]).rename_columns(_LAST.names)
    whole = pa.concat_tables([before.select(_LAST.names).cast(_LAST), acted.cast(_LAST)])
    latest = whole.group_by(_CUSTOMER).aggregate([("last_on", "max")])
    return latest.rename_columns(_LAST.names).select(_LAST.names).cast(_LAST)
