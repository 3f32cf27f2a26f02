"""Who is watched on a date, and which of their accounts are open."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from custody.compliance import Finding
from custody.watch_list import hits
from jobs.compliance.columns import owner_of
from jobs.compliance.day import ComplianceDay


def watch_hits(day: ComplianceDay) -> Iterator[Finding]:
    """Every open account of whoever is watched; who was found to be another is watched under his present id."""
    accounts = day.walked.watched.filter(pc.is_null(day.walked.watched["closed_on"]))
    if not accounts.num_rows:
        return
    held: dict[str, int] = {}
    owners_of = accounts["sub_account"].combine_chunks()
    for piece in day.post_pieces("balances", ("account", "closing_minor")):
        for row in piece.filter(pc.is_in(owner_of(piece["account"]), owners_of)).to_pylist():
            owner = row["account"].partition(":")[0]
            held[owner] = held.get(owner, 0) + row["closing_minor"]
    rows = [row | {"held_minor": held.get(row["sub_account"], 0)} for row in accounts.to_pylist()]
    yield from hits(day.watched, rows, day.today)
