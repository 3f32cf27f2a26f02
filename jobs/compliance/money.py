"""Whom the rules about money that comes and goes could concern, by columns; what they say is custody.compliance_money's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from custody.compliance import BASIS_POINTS, Figures, Finding
from custody.compliance_money import fast_in_and_out, large_values, structured, woken
from custody.ports import Row
from jobs.compliance.acts import last_told, told_anew
from jobs.compliance.columns import heavy, rows_of
from jobs.compliance.day import ComplianceDay
from jobs.compliance.shares import IdRange

_CUSTOMER, _NUMBER = ["customer_id"], ["customer"]


def money(day: ComplianceDay, among: IdRange, window: pa.Table) -> Iterator[Finding]:
    """``window``: what moved on accounts of a range of customers whom a rule could concern, as Weeks gives it."""
    everything, window, today = window, day.looked_back_to(window), pa.scalar(day.today, pa.date32())
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
        yield from fast_in_and_out(rows_of(recent, _NUMBER, passing(recent, _NUMBER, figures)), figures, day.today)
    if "dormant_active" in day.rules:
        figures = day.figures("dormant_active")
        rows = rows_of(posted, _NUMBER, either(posted, _NUMBER, figures["minor"]))
        yield from woken(rows, _last_before(day, among, everything, rows), figures, day.today)


def either(table: pa.Table, keys: list[str], least: int) -> pa.Table:
    """The groups in which as much came in, or as much went out."""
    found = [heavy(table, keys, name, least).select(keys) for name in ("in_minor", "out_minor")]
    return pa.concat_tables(found).group_by(keys).aggregate([])


def passing(recent: pa.Table, keys: list[str], figures: Figures) -> pa.Table:
    """The groups in which enough came, and as much left as must have left again of the least that is enough."""
    came = heavy(recent, keys, "in_minor", figures["minor"])
    left = heavy(recent, keys, "out_minor", figures["minor"] * figures["share_bp"] // BASIS_POINTS)
    return came.join(left.select(keys), keys, join_type="left semi")


def near_days(days: pa.Table, figures: Figures, customer: str = "customer_id") -> pa.Table:
    """The customers of whom days enough reach the lowest share of the lowest threshold; ``customer``: the column that tells them apart."""
    low = min(figures["person_minor"], figures["company_minor"]) * figures["share_bp"] // BASIS_POINTS
    near = either(days, [customer, "on"], low).group_by([customer]).aggregate([("on", "count")])
    return near.filter(pc.greater_equal(near["on_count"], figures["times"]))


def _last_before(day: ComplianceDay, among: IdRange, window: pa.Table, rows: Sequence[Row]) -> dict[str, date]:
    """When the customers of these rows last did anything before today, or opened their first account."""
    wanted = pa.array(sorted({row["customer_id"] for row in rows}), pa.string())
    before = window.filter(
        pc.and_(pc.less(window["posted_on"], pa.scalar(day.today, pa.date32())), pc.greater(window["acts"], 0))
    )
    since = before.filter(pc.is_in(before["customer_id"], wanted)).select(["customer_id", "on"])
    told = last_told(day.context, among, wanted)
    known = told_anew(told, since.rename_columns(told.column_names))
    found = dict(zip(known["customer_id"].to_pylist(), known["last_on"].to_pylist(), strict=True))
    new = set(wanted.to_pylist()) - set(found)
    accounts = day.accounts_of("customer_id", new, ("customer_id", "opened_on"))
    opened = accounts.group_by(_CUSTOMER).aggregate([("opened_on", "min")])
    return found | dict(zip(opened["customer_id"].to_pylist(), opened["opened_on_min"].to_pylist(), strict=True))
