"""Legs of a restated file of instructions: which of the earlier version's stand no more, and are reversed today."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from custody.instruction import Instruction
from custody.names import FileType
from custody.ports import Row
from custody.reversals import reversal_of
from jobs.post.columns import instructions_of, with_accounts
from jobs.post.legs import LANDED, content_hashes
from jobs.step import StepContext

# platform, request, leg, status: of one leg a file may tell several statuses.
ReversalKey = tuple[str, str, int, str]


@dataclass(frozen=True)
class Reversals:
    """``legs``: rows of the table reversed_legs, in the order in which they are posted. ``originals``: of each, what it takes back, with its content hash. ``told``: content
    hashes of legs that both versions have; ``withdrawn``: names of the versions that are withdrawn today."""

    legs: pa.Table = field(default_factory=LANDED.empty_table)
    originals: dict[ReversalKey, tuple[Instruction, str]] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()


def reversals_of(context: StepContext) -> Reversals:
    """Of the versions that landed today in another's place. What happened last is taken back first."""
    today = context.custody_date
    restated = [
        row
        for row in context.rows("land", "superseded_files")
        if row["superseded_on"] == today and row["file_type"] == FileType.INSTRUCTION
    ]
    if not restated:
        return Reversals()
    landed = context.table("land", "land_instruction")
    assert landed is not None
    legs: list[Row] = []
    originals: dict[ReversalKey, tuple[Instruction, str]] = {}
    told: set[str] = set()
    for file in restated:
        there = context.table("land", "land_instruction", on=file["landed_on"])
        assert there is not None
        before, after = _of_file(there, file["file_name"]), _of_file(landed, file["replaced_by"])
        hashes, now = content_hashes(before), content_hashes(after)
        told |= set(now.to_pylist()) & set(hashes.to_pylist())
        gone = pc.invert(pc.is_in(hashes, now))
        rows, hashes = before.filter(gone), hashes.filter(gone)
        order = pc.sort_indices(rows, [("platform", "ascending"), ("event_time", "descending"), ("line_no", "descending")])
        rows, hashes = rows.take(order), hashes.take(order)
        for row, original, content in zip(
            rows.to_pylist(), instructions_of(with_accounts(rows)), hashes.to_pylist(), strict=True
        ):
            leg = reversal_of(row, file["replaced_by"], today)
            key = leg["platform"], leg["request_no"], leg["leg"], leg["status"]
            if key not in originals:
                legs.append(leg)
                originals[key] = original, content
    names = frozenset(file["file_name"] for file in restated)
    return Reversals(pa.Table.from_pylist(legs, LANDED), originals, frozenset(told), names)


def _of_file(rows: pa.Table, file_name: str) -> pa.Table:
    return rows.filter(pc.equal(rows["file_name"], file_name))
