"""Who is watched on a date, and which of their accounts are open."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from custody.compliance import Finding
from custody.customer_decisions import resolve
from custody.watch_list import hits
from jobs.compliance.columns import owner_of
from jobs.compliance.day import ComplianceDay


def watch_hits(day: ComplianceDay) -> Iterator[Finding]:
    """Every open account of whoever is watched; who was found to be another is watched under his present id."""
    entries = day.context.rows("land", "watched")
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
