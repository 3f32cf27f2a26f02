"""Restated files that came too late for a report's period, with what they changed in the books and in what is compared."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from custody.names import PartyKind
from custody.ports import Row
from custody.reversals import REVERSAL
from custody.services.outputs import Seal
from custody.services.restated_reports import Count, Restated
from jobs.reference import Reference, load_reference
from jobs.step import StepContext

# Layouts admit no other (ARCHITECTURE.md, non-goals).
_CURRENCY = "CNY"
_LEGS = ("platform", "file_name", "outcome", "amount_minor")


def restated_since(context: StepContext, oldest_end: date | None) -> list[Restated]:
    """The files that were taken in another's place on the step's date; for reports that it drafts of a period that ended on ``oldest_end``,
    those that were taken since then too."""
    since = context.custody_date if oldest_end is None else oldest_end
    landed = context.seal("land")
    # An earlier program's landing knew of no such files.
    if landed is None or "superseded_files" not in context.wiring.lake.manifest(landed.path).tables:
        return []
    rows = context.rows("land", "superseded_files")
    late = [row for row in rows if row["superseded_on"] >= since and row["custody_date"] < row["superseded_on"]]
    if not late:
        return []
    reference = load_reference(context)
    by_date: dict[date, list[Row]] = {}
    for row in late:
        by_date.setdefault(row["superseded_on"], []).append(row)
    return [found for on, of in sorted(by_date.items()) for found in _of_date(context, reference, on, of)]


def _of_date(context: StepContext, reference: Reference, on: date, rows: Iterable[Row]) -> Iterable[Restated]:
    legs = context.table("post", "ledger_txn", on, _LEGS)
    compared = _withdrawn(context.seal("reconcile", on), context)
    for row in rows:
        posted = _legs(legs, row["replaced_by"])
        taken_back = _legs(legs, REVERSAL + row["file_name"])
        kind = reference.parties.get(row["party"], {}).get("kind")
        moved = {name for table in (posted, taken_back) for name in pc.unique(table["platform"]).to_pylist()}
        yield Restated(
            row["replaced_by"],
            row["file_name"],
            row["custody_date"],
            on,
            frozenset({row["party"]} if kind == PartyKind.PLATFORM else moved),
            _CURRENCY,
            _count(posted),
            _count(taken_back),
            compared.get(row["file_name"], Count()),
        )


def _legs(legs: pa.Table | None, file_name: str) -> pa.Table:
    if legs is None:
        return pa.table({name: [] for name in _LEGS})
    return legs.filter(pc.and_(pc.equal(legs["file_name"], file_name), pc.equal(legs["outcome"], "POSTED")))


def _count(legs: pa.Table) -> Count:
    return Count(legs.num_rows, pc.sum(legs["amount_minor"]).as_py() or 0)


def _withdrawn(seal: Seal | None, context: StepContext) -> dict[str, Count]:
    found: dict[str, Count] = {}
    for row in context.wiring.lake.rows(seal.path, "withdrawn") if seal is not None else ():
        before = found.get(row["file_name"], Count())
        found[row["file_name"]] = Count(before.rows + row["withdrawn"], before.minor + row["withdrawn_minor"])
    return found
