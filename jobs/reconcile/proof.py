"""The completeness proof (domain.md §4.10): every accepted input row is in exactly one bucket, in count and in amount.

For each relation and side: carried in + reopened + new = matched + broken + carried out + withdrawn. A restated file's earlier
version is withdrawn: what of it had matched, and what it had matched, comes back (reopened) to be judged anew. For each side that comes from files:
rows of the files' trailers = landed + rejected, and landed = new. For each flow relation, which rows they are besides: the digest
of all items, taken before anything was joined, is the sum of the clean pairs' and the rest's, so that none is in two match groups
and none in place of another; among the rest the matches table takes no row twice.

New rows are counted from the sealed inputs, not from what the matcher made of them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import SparkSession

from custody.adjustments import DECISION, KIND, withdrawn
from custody.ports import Row
from custody.reversals import REVERSAL
from jobs.reconcile.e_accounts import RELATION, count_ends
from jobs.reconcile.flows import FlowMatches
from jobs.reconcile.journal_sums import JournalSum, booked_by_core
from jobs.reconcile.relations import claimed_sql
from jobs.reconcile.totals import Place, Totals
from jobs.step import StepContext

Side = tuple[str, str]

# (relation, side) -> the file type whose trailers must equal it
_TRAILERS = {
    ("AB_TXN", "A"): "TXN",
    ("BC_CHANNEL", "C"): "SETTLEMENT",
    ("AB_BALANCE", "A"): "BALANCE",
    ("AB_CLAIM", "A"): "CLAIM",
    ("AB_LOAN", "A"): "LOAN",
    ("AB_CUSTOMER", "A"): "CUSTOMER",
    ("POSTING", "B"): "INSTRUCTION",
    ("MANDATE", "B"): "MANDATE",
    ("LEGAL_ORDER", "B"): "LEGAL_ORDER",
    ("CONFIRMATION", "A"): "CONFIRMATION",
    ("DISCLOSURE", "A"): "DISCLOSURE",
}
# What is kept as it came and has no counterpart: (table, relation and side, amounts).
_REGISTERED: tuple[tuple[str, Side, tuple[str, ...]], ...] = (
    ("land_mandate", ("MANDATE", "B"), ()),
    ("land_legal_order", ("LEGAL_ORDER", "B"), ("amount_minor",)),
    ("land_confirmation", ("CONFIRMATION", "A"), ()),
    ("land_disclosure", ("DISCLOSURE", "A"), ()),
)
# Tables that are a side whole, or a part of one: (step, table, relation and side, the columns that make up an item's amount).
_WHOLE: tuple[tuple[str, str, Side, tuple[str, ...]], ...] = (
    ("land", "land_txn", ("AB_TXN", "A"), ("amount_minor",)),
    ("land", "land_settlement", ("BC_CHANNEL", "C"), ("gross_minor",)),
    ("land", "land_claim", ("AB_CLAIM", "A"), ("principal_minor",)),
    ("land", "land_loan", ("AB_LOAN", "A"), ("amount_minor",)),
    ("land", "land_instruction", ("POSTING", "B"), ("amount_minor",)),
    ("land", "decided_adjustments", ("POSTING", "B"), ("amount_minor",)),
    ("post", "reversed_legs", ("POSTING", "B"), ("amount_minor",)),
    ("land", "land_balance", ("AB_BALANCE", "A"), ("available_minor", "frozen_minor")),
    ("land", "land_customer", ("AB_CUSTOMER", "A"), ()),
    ("extract", "core_flow", ("BC_CORE", "C"), ("amount_minor",)),
    ("extract", "e_account_flow", (RELATION, "C"), ("amount_minor",)),
    *(("land", *registered) for registered in _REGISTERED),
)
# The trailer's sum is the layout's first control total; of these relations the items' amount is the same figure.
_SUMS_AGREE = frozenset(
    {("AB_TXN", "A"), ("BC_CHANNEL", "C"), ("AB_CLAIM", "A"), ("AB_LOAN", "A"), ("POSTING", "B"), ("LEGAL_ORDER", "B")}
)
_POSTING_BUCKETS = {"POSTED": "MATCHED", "REPEATED": "MATCHED", "NO_POSTING": "MATCHED", "REFUSED": "BREAK", "WAITING": "CARRIED"}


class Sum(NamedTuple):
    rows: int = 0
    minor: int = 0

    def plus(self, rows: int, minor: int) -> Sum:
        return Sum(self.rows + rows, self.minor + minor)


class Moved(NamedTuple):
    """What restated files brought back into the books, and what they took out of them."""

    reopened: Sum = Sum()
    withdrawn: Sum = Sum()

    def plus(self, row: Row) -> Moved:
        return Moved(*(s.plus(row[n], row[f"{n}_minor"]) for n, s in zip(self._fields, self, strict=True)))


@dataclass(frozen=True)
class Posted:
    """The day's ledger, counted: postings by outcome, and what of them are items of the flow relations."""

    outcomes: dict[str, Sum]
    items: dict[Side, Sum]


def count_posted(spark: SparkSession, moved: Iterable[JournalSum], has_e_accounts: bool) -> Posted:
    """Of the view ledger_txn, and of the journal."""
    outcomes: dict[str, Sum] = defaultdict(Sum)
    items: dict[Side, Sum] = defaultdict(Sum)
    for row in spark.sql(_LEGS).toArrow().to_pylist():
        rows, minor = row["rows"], (row["high"] << 32) + row["low"]
        outcomes[row["outcome"]] = outcomes[row["outcome"]].plus(rows, minor)
        if row["claimed"] and row["outcome"] in ("POSTED", "NO_POSTING"):
            items["AB_TXN", "B"] = items["AB_TXN", "B"].plus(rows, minor)
        if row["settles"] and row["outcome"] == "POSTED":
            items["BC_CHANNEL", "B"] = items["BC_CHANNEL", "B"].plus(rows, minor)
    booked = Sum(*booked_by_core(moved))
    if booked.rows:
        items["BC_CORE", "B"] = booked
    for row in count_ends(spark) if has_e_accounts else ():
        items[RELATION, "B"] = items[RELATION, "B"].plus(row["rows"], ((row["high"] or 0) << 32) + (row["low"] or 0))
    return Posted(outcomes, items)


_SUMMED = "count(*) as rows, sum(shiftright(amount_minor, 32)) as high, sum(amount_minor & 4294967295) as low"
# The platform must have it in its file, unless it is an adjusting entry or a reversal: these are the bank's own remedies.
_LEGS = f"""
select outcome, settle_date is not null as settles, {_SUMMED},
       {claimed_sql()}
         and file_name not like '{DECISION}%' and file_name not like '{REVERSAL}%' as claimed
from ledger_txn group by 1, 2, 6
"""


def prove(
    context: StepContext,
    flows: FlowMatches,
    clean: dict[Place, Totals],
    matches: pa.Table,
    posted: Posted,
    outcomes: list[Row],
    withdrawn: list[Row],
) -> list[Row]:
    """One row for each relation and side; ``holds`` says whether its equations are true. ``clean``: of flows and states alike;
    ``withdrawn``: rows of that table."""
    counts: dict[tuple[str, str, str], Sum] = defaultdict(Sum)
    for (relation, side, _, _), totals in clean.items():
        counts[relation, side, "MATCHED"] = counts[relation, side, "MATCHED"].plus(totals.rows, totals.amount_minor)
    for row in _sums(matches, ["relation", "side", "bucket"]):
        key = row["relation"], row["side"], row["bucket"]
        counts[key] = counts[key].plus(row["rows"], row["minor"])
    for outcome, total in posted.outcomes.items():
        bucket = ("POSTING", "B", _POSTING_BUCKETS[outcome])
        counts[bucket] = counts[bucket].plus(*total)
    new: dict[Side, Sum] = defaultdict(Sum, posted.items)
    for step, table, whole, amounts in _WHOLE:
        found = _sealed(context, step, table, amounts)
        if found.rows or whole[0] != RELATION:
            new[whole] = new[whole].plus(*found)
    for _table, registered, _amounts in _REGISTERED:
        counts[(*registered, "MATCHED")] = new[registered]
    carried_in = _carried_in(context)
    moved: dict[Side, Moved] = defaultdict(Moved)
    for row in withdrawn:
        moved[row["relation"], row["side"]] = moved[row["relation"], row["side"]].plus(row)
    sides = sorted({(relation, side) for relation, side, _ in counts} | set(carried_in) | set(_TRAILERS) | set(new) | set(moved))
    files = [*outcomes, _decided(context), _taken_back(context)]
    return [_equation(side, counts, carried_in.get(side, Sum()), new[side], moved[side], files, flows) for side in sides]


def _decided(context: StepContext) -> Row:
    """What two people approved of adjusting entries, as the cut-off sealed it, in the shape of one more file's trailer."""
    decisions = context.rows("cut_off", "decisions")
    gone = withdrawn(decisions)
    rows = [d for d in decisions if d["kind"] == KIND and d["outcome"] == "APPROVED" and d["proposal_id"] not in gone]
    total = sum(json.loads(d["payload"])["amount_minor"] for d in rows)
    return _trailer(Sum(len(rows), total))


def _taken_back(context: StepContext) -> Row:
    """What restated files took back, in the same shape: it stands in none of them."""
    return _trailer(_sealed(context, "post", "reversed_legs", ("amount_minor",)))


def _trailer(found: Sum) -> Row:
    return {
        "outcome": "LANDED",
        "file_type": "INSTRUCTION",
        "rows": found.rows,
        "total_minor": found.minor,
        "rows_rejected": 0,
        "rejected_minor": 0,
    }


def _sealed(context: StepContext, step: str, table: str, amounts: Iterable[str]) -> Sum:
    """Rows and sum of an input's table, as its manifest seals them."""
    seal = context.seal(step)
    assert seal is not None
    entry = context.wiring.lake.manifest(seal.path).tables[table]
    return Sum(entry["rows"], sum(int(entry["sums"][name]) for name in amounts))


def _carried_in(context: StepContext) -> dict[Side, Sum]:
    """Yesterday's open items, and the postings that its proof left waiting."""
    yesterday = context.custody_date - timedelta(days=1)
    items = context.table("reconcile", "open_items", on=yesterday)
    found: dict[Side, Sum] = {}
    if items is not None:
        found = {(row["relation"], row["side"]): Sum(row["rows"], row["minor"]) for row in _sums(items, ["relation", "side"])}
    for row in context.rows("reconcile", "proof", on=yesterday):
        if row["relation"] == "POSTING":
            found["POSTING", row["side"]] = Sum(row["carried"], row["carried_minor"])
    return found


def _sums(table: pa.Table, by: list[str]) -> list[Row]:
    """Rows and exact sum of amount_minor for each group."""
    wide = table.select(by).append_column("minor", table["amount_minor"].cast(pa.decimal128(38, 0)))
    found = wide.group_by(by).aggregate([("minor", "sum"), ([], "count_all")]).to_pylist()
    return [{name: row[name] for name in by} | {"rows": row["count_all"], "minor": int(row["minor_sum"])} for row in found]


def _equation(
    side: Side,
    counts: dict[tuple[str, str, str], Sum],
    carried_in: Sum,
    new: Sum,
    moved: Moved,
    outcomes: list[Row],
    flows: FlowMatches,
) -> Row:
    matched, broken, carried = (counts[(*side, bucket)] for bucket in ("MATCHED", "BREAK", "CARRIED"))
    reopened, withdrawn = moved
    holds = all(carried_in[i] + reopened[i] + new[i] == matched[i] + broken[i] + carried[i] + withdrawn[i] for i in (0, 1))
    files = [o for o in outcomes if o["outcome"] == "LANDED" and o["file_type"] == _TRAILERS.get(side)]
    trailer = Sum(sum(o["rows"] for o in files), sum(o["total_minor"] for o in files))
    rejected = Sum(sum(o["rows_rejected"] for o in files), sum(o["rejected_minor"] for o in files))
    if side in _TRAILERS:
        holds &= trailer.rows == new.rows + rejected.rows
    if side in _SUMS_AGREE:
        holds &= trailer.minor == new.minor + rejected.minor
    digests: dict[str, str | None] = {"rows_digest": None, "buckets_digest": None}
    if side in flows.seen:
        seen, buckets = flows.seen[side], flows.left[side]
        for (relation, which, _, _), totals in flows.clean.items():
            if (relation, which) == side:
                buckets = buckets.plus(totals)
        holds &= seen.rows == carried_in.rows + reopened.rows + new.rows - withdrawn.rows
        digests = {"rows_digest": seen.digest, "buckets_digest": buckets.digest}
        holds &= seen.digest == buckets.digest
    return {
        "relation": side[0],
        "side": side[1],
        "carried_in": carried_in.rows,
        "reopened": reopened.rows,
        "new": new.rows,
        "matched": matched.rows,
        "broken": broken.rows,
        "carried": carried.rows,
        "withdrawn": withdrawn.rows,
        "rejected": rejected.rows,
        "carried_in_minor": carried_in.minor,
        "reopened_minor": reopened.minor,
        "new_minor": new.minor,
        "matched_minor": matched.minor,
        "broken_minor": broken.minor,
        "carried_minor": carried.minor,
        "withdrawn_minor": withdrawn.minor,
        "rejected_minor": rejected.minor,
        "trailer_rows": trailer.rows,
        "trailer_minor": trailer.minor,
        **digests,
        "holds": holds,
    }
