"""Borrowers who are related parties of the platform on which they borrow: its contract of the date states them (two people let each version
in), as customer ids."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from custody.names import PartyKind
from jobs.reference import Reference
from jobs.risk.balances import parts
from jobs.step import StepContext


def related_accounts(context: StepContext, reference: Reference) -> frozenset[str]:
    """Their sub-accounts, in whatever role; nothing is read where no contract states any."""
    related = {platform: reference.related_parties(platform) for platform in reference.of_kind(PartyKind.PLATFORM)}
    every = sorted({person for persons in related.values() for person in persons})
    if not every:
        return frozenset()
    found: set[str] = set()
    for part in parts(context, "sub_accounts", ("platform", "sub_account", "customer_id")):
        some = part.filter(pc.is_in(part["customer_id"], pa.array(every, pa.string()))).to_pylist()
        found |= {row["sub_account"] for row in some if row["customer_id"] in related[row["platform"]]}
    return frozenset(found)
