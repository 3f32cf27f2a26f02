"""Of yesterday's breaks, what still stands when today's restated files have taken their earlier versions out."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from custody.matching import sealed_evidence
from custody.names import FileType
from custody.ports import Row
from custody.reversals import REVERSAL, reversed_request
from jobs.reconcile.day import Day
from jobs.reconcile.states import STATE_RELATIONS


def standing(day: Day) -> list[Row]:
    """Breaks of states without the evidence that came from a withdrawn file; those of which nothing is left are judged anew by
    what took its place, and stand no more. Nor does what the ledger said of a withdrawn leg, unless it is posted as before. Flows
    need no such care: their items are judged anew each day."""
    superseded = [r for r in day.context.rows("land", "superseded_files") if r["superseded_on"] == day.today]
    if not superseded:
        return day.breaks_before
    names = {r["file_name"] for r in superseded}
    judged_anew = {(r["party"], r["file_type"], r["custody_date"].isoformat()) for r in superseded}
    words = set(STATE_RELATIONS.values())
    as_before = _posted_as_before(day, superseded)
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
                row = {**row, **sealed_evidence(left)}
        elif word == "POSTING" and not _leg_stands(row, names, as_before):
            continue
        stands.append(row)
    return stands


def _posted_as_before(day: Day, superseded: list[Row]) -> set[tuple[str, str, int]]:
    """(platform, request, leg) of what the new versions of files of instructions say as it was posted."""
    names = [r["replaced_by"] for r in superseded if r["file_type"] == FileType.INSTRUCTION]
    legs = day.context.table("post", "ledger_txn") if names else None
    if legs is None:
        return set()
    mine = legs.filter(pc.and_(pc.is_in(legs["file_name"], pa.array(names)), pc.equal(legs["outcome"], "REPEATED")))
    return {(r["platform"], r["request_no"], r["leg"]) for r in mine.select(["platform", "request_no", "leg"]).to_pylist()}


def _leg_stands(row: Row, withdrawn: set[str], as_before: set[tuple[str, str, int]]) -> bool:
    """What was said of a leg of a withdrawn file stands with the leg; that a leg could not be reversed, until it is authorised again."""
    _, request_no, leg = row["subject"].split("|")
    file_names = {str(said.get("row_ref")).rpartition(":")[0] for said in json.loads(row["evidence"])}
    if any(name.startswith(REVERSAL) for name in file_names):
        return (row["platform"], reversed_request(request_no), int(leg)) not in as_before
    return not file_names & withdrawn or (row["platform"], request_no, int(leg)) in as_before


def _said_by(evidence: list[dict[str, Any]], as_of: str) -> set[str]:
    """The files from which the platform's side of the evidence of that date came; none where it had no row."""
    return {said["row_ref"].rpartition(":")[0] for said in evidence if (said["side"], said["as_of"]) == ("A", as_of)}
