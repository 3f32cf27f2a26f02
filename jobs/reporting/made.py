"""Tables that reports ask for and no step seals as a table: made of what the cut-off sealed."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from jobs.reference import Reference
from jobs.step import StepContext

_PARTIES = pa.schema([pa.field(name, pa.string()) for name in ("party", "kind", "status", "branch")])


def made_tables(context: StepContext, reference: Reference) -> Mapping[str, pa.Table]:
    """``parties``: each organisation with its kind, status and the bank's branch that keeps its contract ("" where it states none)."""
    rows = [
        {"party": party, "kind": body["kind"], "status": body["status"], "branch": body["contract"].get("branch", "")}
        for party, body in sorted(reference.parties.items())
    ]
    return {"parties": pa.Table.from_pylist(rows, schema=_PARTIES)}
