"""When each customer last did anything: told anew of a sixteenth of the customers a day, whole, the others' rows of the days before
standing. What they did since stands in those days' account_days.

So a day writes a sixteenth of the rows, and nobody's are older than sixteen days.
"""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema
from custody.services.outputs import Seal
from jobs.compliance.columns import plain
from jobs.compliance.shares import IdRange, id_ranges
from jobs.step import StepContext
from schemas.tables import TABLES

TURNS = 16
LAST_ACTS = plain(arrow_schema(TABLES["last_acts"]).empty_table()).schema


def whose_turn(on: date) -> IdRange:
    """The customers of whom a date tells anew."""
    return id_ranges(TURNS)[on.toordinal() % TURNS]


def told_before(context: StepContext) -> pa.Table:
    """What was told of those whose turn it is when it was last theirs; nobody where the instance is younger."""
    turn, on = whose_turn(context.custody_date), context.custody_date - timedelta(days=TURNS)
    seal = context.seal("compliance", on)
    return _of([seal] if seal else [], context, turn, None)


def told_anew(before: pa.Table, acted: pa.Table) -> pa.Table:
    """``before``: as told_before says; ``acted`` (customer_id, last_on): what they did since, today included, a row for each day."""
    whole = pa.concat_tables([before, acted.select(LAST_ACTS.names).cast(LAST_ACTS)])
    last = whole.group_by(["customer_id"]).aggregate([("last_on", "max")])
    return last.rename_columns(LAST_ACTS.names).select(LAST_ACTS.names).cast(LAST_ACTS)


def last_told(context: StepContext, among: IdRange, customers: pa.Array) -> pa.Table:
    """Of some customers of a range what was last told of each, and maybe what was told before that."""
    first = context.custody_date - timedelta(days=TURNS)
    seals = [seal for seal in context.seals_of("compliance") if first <= seal.custody_date < context.custody_date]
    return _of(seals, context, among, customers)


def _of(seals: list[Seal], context: StepContext, among: IdRange, customers: pa.Array | None) -> pa.Table:
    found = [LAST_ACTS.empty_table()]
    for seal in seals:
        # What an earlier program sealed is of all customers: the range is looked at, and not the date alone.
        for piece in context.wiring.lake.pieces(seal.path, "last_acts", {"customer_id": among.bounds}, LAST_ACTS.names):
            ids = piece["customer_id"]
            wanted = among.holds(ids) if customers is None else pc.is_in(ids, customers)
            found.append(plain(piece.filter(wanted)))
    return pa.concat_tables(found)
