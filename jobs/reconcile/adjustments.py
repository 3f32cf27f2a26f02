"""Adjusting entries of the day: which of them were posted, so that their cases are settled, and which were not."""

from __future__ import annotations

from datetime import timedelta

import pyarrow.compute as pc

from custody.adjustments import DECISION, authorised
from custody.ports import Row
from jobs.step import StepContext

_SHOWN = ["request_no", "authorisation_id", "outcome", "amount_minor"]


def adjusting_legs(context: StepContext) -> list[Row]:
    """The day's legs that a decision asked for, those that had waited too, with ``outcome``; each with proposal, case and digest."""
    if not _any_decided(context):
        return []
    legs = context.table("post", "ledger_txn")
    assert legs is not None
    mine = legs.filter(pc.starts_with(legs["file_name"], DECISION)).select(_SHOWN).to_pylist()
    names = ("proposal_id", "case_id", "evidence_digest")
    return [leg | dict(zip(names, authorised(leg["authorisation_id"]), strict=True)) for leg in mine]


def _any_decided(context: StepContext) -> bool:
    """Whether today's cut-off sealed one, or one waited since an earlier day: few days have any, and a day has millions of legs."""
    decided = context.table("land", "decided_adjustments")
    pending = context.table("post", "pending_instructions", on=context.custody_date - timedelta(days=1))
    waited = pending is not None and pc.any(pc.starts_with(pending["file_name"], DECISION)).as_py()
    return bool(waited or (decided is not None and decided.num_rows))


def settled_by_adjustment(context: StepContext) -> frozenset[tuple[str, str]]:
    """(case id, evidence digest) of cases whose approved entry was posted today."""
    return frozenset((leg["case_id"], leg["evidence_digest"]) for leg in adjusting_legs(context) if leg["outcome"] == "POSTED")
