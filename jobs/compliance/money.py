"""Whom the rules about money that comes and goes could concern, by columns; what they say is custody.compliance_money's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema
from custody.compliance import BASIS_POINTS, Figures, Finding
from custody.compliance_money import fast_in_and_out, large_values, structured, woken
from jobs.compliance.columns import heavy, plain, rows_of
from jobs.compliance.day import ComplianceDay
from schemas.tables import TABLES

_CUSTOMER, _NUMBER = ["customer_id"], ["customer"]
_LAST = plain(arrow_schema(TABLES["last_acts"]).empty_table()).schema


def money(day: ComplianceDay, before: pa.Table) -> Iterator[Finding]:
    """``before``: yesterday's last_acts."""
    window, today = day.window, pa.scalar(day.today, pa.date32())
    posted = window.filter(pc.equal(window["posted_on"], today))
    if "large_value" in day.rules:
        figures, keys = day.figures("large_value"), [*_NUMBER, "on"]
        # Of few dates something is posted today; then of few customers.
        of_these = window.filter(pc.is_in(window["on"], pc.unique(posted["on"])))
        groups = posted.select(keys).group_by(keys).aggregate([])
        picked = either(of_these, keys, min(figures["person_minor"], figures["company_minor"]))
        picked = picked.join(groups, keys, join_type="left semi")
        yield from large_values(rows_of(of_these, keys, picked), figures, day.reference.calendar)
    moving = window.filter(pc.is_in(window["customer"], pc.unique(posted["customer"])))
    if "structuring" in day.rules:
        figures = day.figures("structuring")
        picked = near_days(moving, figures, "customer")
        yield from structured(rows_of(moving, _NUMBER, picked), figures, day.today)
    if "fast_in_out" in day.rules:
        figures = day.figures("fast_in_out")
        recent = moving.filter(pc.greater(moving["on"], pa.scalar(day.today - timedelta(days=figures["days"]), pa.date32())))
        picked = heavy(recent, _NUMBER, "in_minor", figures["minor"])
        yield from fast_in_and_out(rows_of(recent, _NUMBER, picked), figures, day.today)
    if "dormant_active" in day.rules:
        figures = day.figures("dormant_active")
        rows = rows_of(posted, _NUMBER, either(posted, _NUMBER, figures["minor"]))
        yield from woken(rows, _last_before(day, before, [row["customer_id"] for row in rows]), figures, day.today)


def either(table: pa.Table, keys: list[str], least: int) -> pa.Table:
    """The groups in which as much came in, or as much went out."""
    found = [heavy(table, keys, name, least).select(keys) for name in ("in_minor", "out_minor")]
    return pa.concat_tables(found).group_by(keys).aggregate([])


def near_days(days: pa.Table, figures: Figures, customer: str = "customer_id") -> pa.Table:
    """The customers of whom days enough reach the lowest share of the lowest threshold; ``customer``: the column that tells them apart."""
    low = min(figures["person_minor"], figures["company_minor"]) * figures["share_bp"] // BASIS_POINTS
    near = either(days, [customer, "on"], low).group_by([customer]).aggregate([("on", "count")])
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
    acted = moved.filter(pc.greater(moved["acts"], 0)).select(["customer_id", "on_date"])
    acted = acted.group_by(_CUSTOMER).aggregate([("on_date", "max")]).rename_columns(_LAST.names).select(_LAST.names).cast(_LAST)
    place = pc.index_in(acted["customer_id"], before["customer_id"].combine_chunks()).combine_chunks()
    known = pc.is_valid(place)
    # Of those who were known before, in place: there are many more than act today.
    days = before["last_on"].combine_chunks().cast(pa.int32()).to_numpy(zero_copy_only=False).copy()
    at, to = place.filter(known).to_numpy(), acted["last_on"].filter(known).cast(pa.int32()).to_numpy()
    days[at] = np.maximum(days[at], to)
    standing = pa.table([before["customer_id"], pa.array(days, pa.int32()).cast(pa.date32())], _LAST)
    return pa.concat_tables([standing, acted.filter(pc.invert(known))])
