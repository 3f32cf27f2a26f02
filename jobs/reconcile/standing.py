"""Of yesterday's breaks, what still stands when today's restated files have taken their earlier versions out."""

from __future__ import annotations

import json
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
            gone = {
                said["as_of"]
                for said in evidence
                if (row["platform"], word, said["as_of"]) in judged_anew and _said_by(evidence, said["as_of"]) <= names
            }
            left = [said for said in evidence if said["as_of"] not in gone]
            if not left:
                continue
            if gone:
                row = {**row, "evidence": canonical_json(left), "evidence_digest": evidence_digest(left)}
        stands.append(row)
    return stands


def _said_by(evidence: list[dict[str, Any]], as_of: str) -> set[str]:
    """The files from which the platform's side of the evidence of that date came; none where it had no row."""
    return {said["row_ref"].rpartition(":")[0] for said in evidence if (said["side"], said["as_of"]) == ("A", as_of)}
