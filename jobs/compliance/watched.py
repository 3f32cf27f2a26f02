"""Who is watched on a date, and which of their accounts are open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from custody.compliance import Finding
from custody.customer_decisions import resolve
from custody.ports import Row
from custody.watch_list import KIND, carried, hits
from jobs.compliance.columns import owner_of
from jobs.compliance.day import ComplianceDay


def watched(day: ComplianceDay) -> list[Row]:
    """The entries that hold from today's cut-off on."""
    decided = [row for row in day.context.rows("cut_off", "decisions") if (row["kind"], row["outcome"]) == (KIND, "APPROVED")]
    before = day.context.rows("compliance", "watched", on=day.today - timedelta(days=1))
    return carried(before, [json.loads(row["payload"]) for row in sorted(decided, key=lambda row: row["decision_no"])])


def watch_hits(day: ComplianceDay, entries: list[Row]) -> Iterator[Finding]:
    """Every open account of whoever is watched; who was found to be another is watched under his present id."""
    if not entries or "watch_list" not in day.rules:
        return
    aliases = {row["old"]: row["new"] for row in day.context.rows("land", "customer_aliases")}
    entries = [row | {"customer_id": resolve(aliases, row["customer_id"])} for row in entries]
    ids = pa.array(sorted({row["customer_id"] for row in entries}), pa.string())
    accounts = day.accounts.filter(pc.and_(pc.is_in(day.accounts["customer_id"], ids), pc.is_null(day.accounts["closed_on"])))
    if not accounts.num_rows:
        return
    balances = day.context.table("post", "balances", columns=("account", "closing_minor"))
    assert balances is not None
    owners = pc.is_in(owner_of(balances["account"]), accounts["sub_account"].combine_chunks())
    held: dict[str, int] = {}
    for row in balances.filter(owners).to_pylist():
        owner = row["account"].partition(":")[0]
        held[owner] = held.get(owner, 0) + row["closing_minor"]
    rows = [row | {"held_minor": held.get(row["sub_account"], 0)} for row in accounts.to_pylist()]
    yield from hits(entries, rows, day.today)
