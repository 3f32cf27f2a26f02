"""Of yesterday's breaks, what still stands when today's restated files have taken their earlier versions out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from custody.digest import canonical_json
from custody.matching import evidence_digest
from custody.ports import Row
from jobs.reconcile.day import Day
from jobs.reconcile.states import STATE_RELATIONS


def standing(day: Day) -> list[Row]:
    """Breaks of states without the evidence that came from a withdrawn file; those of which nothing is left are judged anew by
    what took its place, and stand no more. Flows need no such care: their items are judged anew each day."""
    superseded = [r for r in day.context.rows("land", "superseded_files") if r["superseded_on"] == day.today]
    if not superseded:
        return day.breaks_before
    names = {r["file_name"] for r in superseded}
    judged_anew = {(r["party"], r["file_type"], r["custody_date"].isoformat()) for r in superseded}
    words = set(STATE_RELATIONS.values())
    stands = []
    for row in day.breaks_before:
        word = row["subject"].partition("|")[0]
        if word in words:
            evidence = json.loads(row["evidence"])
            left = [e for e in evidence if not _is_withdrawn(e, names, (row["platform"], word), judged_anew)]
            if not left:
                continue
            if left != evidence:
                row = {**row, "evidence": canonical_json(left), "evidence_digest": evidence_digest(left)}
        stands.append(row)
    return stands


def _is_withdrawn(
    evidence: Mapping[str, Any], names: set[str], of_type: tuple[str, str], judged_anew: set[tuple[str, str, str]]
) -> bool:
    """A row of the withdrawn file; or our own side's, which that file did not have."""
    if evidence["row_ref"] is None:
        return (*of_type, evidence["as_of"]) in judged_anew
    return evidence["row_ref"].rpartition(":")[0] in names
