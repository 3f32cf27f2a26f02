"""Settlement batches of the day: sums on the engine, those of earlier days that are still open, and the judgement of each.

Table ``settlement_batches`` is sealed with every batch that is open or was closed today; only the open ones go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from custody.calendar import dates
from custody.matching import Bucket, case_id
from custody.names import FileType
from custody.ports import Row
from custody.settlement import AGREES, Batch, Judged, Key, gather, judge
from jobs.reconcile.breaks import Breaks, add_violation
from jobs.reconcile.day import Day
from jobs.reconcile.views import column_view

_STATE = list(Batch._fields)


@dataclass(frozen=True)
class BatchSums:
    """What came today, by batch. ``batch_of``: of each channel row that the engine did not match, its batch."""

    known: list[Batch]
    rows: list[Row]
    instructed: list[Row]
    core: list[Row]
    batch_of: dict[str, Key]


def batch_sums(day: Day, spark: SparkSession, rest: pa.Table) -> BatchSums:
    """Views land_settlement, ledger_txn, core_flow. ``rest``: the items that the engine did not match."""
    before = day.context.rows("reconcile", "settlement_batches", on=day.yesterday)
    known = [Batch(**{name: row[name] for name in _STATE}) for row in before if row["state"] != AGREES]
    rows = _rows(spark, _ROWS.format(of="land_settlement"))
    taken = _taken_back(day, spark)
    rows += taken
    known = _with_closed(day, known, {(r["platform"], r["settlement_batch"]) for r in taken})
    instructed = _rows(spark, _INSTRUCTED)
    named = {batch.key for batch in known}
    new = {(r["platform"], r["settlement_batch"]) for r in (*rows, *instructed)} - named
    keys = [(f"{platform}:CUSTODY", batch) for platform, batch in sorted(named | new)]
    spark.createDataFrame(keys, "account string, core_ref string").createOrReplaceTempView("batch_accounts")
    core = _rows(spark, _CORE) + _booked_before(day, new)
    of_channels = pc.and_(pc.equal(rest["relation"], "BC_CHANNEL"), pc.equal(rest["side"], "C"))
    column_view(spark, "unmatched_rows", "row_ref", rest.filter(of_channels)["row_ref"])
    batch_of = {r["row_ref"]: (r["platform"], r["settlement_batch"]) for r in _rows(spark, _BATCH_OF)}
    return BatchSums(known, rows, instructed, core, batch_of)


def add_settlements(day: Day, breaks: Breaks, sums: BatchSums, verdicts: Iterable[Row]) -> list[Judged]:
    """``verdicts``: rows of the matches table; a channel's row that is a break of its own makes its batch a faulty one."""
    broken = (v["row_ref"] for v in verdicts if (v["relation"], v["bucket"]) == ("BC_CHANNEL", Bucket.BREAK))
    faulty = Counter(sums.batch_of[ref] for ref in broken if ref in sums.batch_of)
    rows = [row | {"faulty_rows": faulty[row["platform"], row["settlement_batch"]]} for row in sums.rows]
    batches = gather(sums.known, rows, sums.instructed, sums.core)
    judged = list(judge(batches, day.today, day.missing, day.reference.gateways()[0]))
    for one in judged:
        for violation in one.violations:
            add_violation(breaks, violation)
    return judged


def batch_rows(judged: Iterable[Judged], cases: Iterable[Row], resolved: Collection[tuple[str, str]]) -> list[Row]:
    """As they are sealed. A batch whose every break two people settled, as it stands, is closed too."""
    decided = {case["case_id"] for case in cases if (case["case_id"], case["evidence_digest"]) in resolved}
    out = []
    for one in judged:
        own = {case_id(v.platform, v.sides, v.subject) for v in one.violations}
        state = AGREES if own and own <= decided else one.state
        out.append(one.batch._asdict() | {"state": state})
    return out


def _booked_before(day: Day, new: Collection[Key]) -> list[Row]:
    """What the core booked on earlier days for batches that nothing named until today: it waits among the open items."""
    items = day.context.table("reconcile", "open_items", on=day.yesterday)
    if items is None or not new:
        return []
    of_core = pc.and_(pc.equal(items["relation"], "BC_CORE"), pc.equal(items["side"], "C"))
    found = []
    for item in items.filter(of_core).to_pylist():
        account, _, reference = str(item["match_key"]).partition("|")
        if account == f"{item['platform']}:CUSTODY" and (item["platform"], reference) in new:
            sums = {"rows": 1, "core_minor": item["amount_minor"], "core_date": item["item_date"]}
            found.append({"platform": item["platform"], "settlement_batch": reference, **sums})
    return found


def _taken_back(day: Day, spark: SparkSession) -> list[Row]:
    """What restated files no longer say, by batch: the sums of the withdrawn versions' rows, negative."""
    gone = [r for r in _superseded(day) if r["file_type"] == FileType.SETTLEMENT]
    found: list[Row] = []
    for on in sorted({r["landed_on"] for r in gone}):
        seal = day.context.seal("land", on=on)
        assert seal is not None
        landed = spark.read.parquet(day.context.wiring.lake.parquet(seal.path, "land_settlement"))
        names = [r["file_name"] for r in gone if r["landed_on"] == on]
        landed.where(landed.file_name.isin(names)).createOrReplaceTempView("withdrawn_settlement")
        for row in _rows(spark, _ROWS.format(of="withdrawn_settlement")):
            found.append({**row, **{name: -row[name] for name in ("rows", "own_minor", "net_minor")}})
    return found


def _with_closed(day: Day, known: list[Batch], restated: Collection[Key]) -> list[Batch]:
    """A batch of which rows are restated is open again, as it was closed; which of its rows are faulty is judged anew."""
    if not restated:
        return known
    found: dict[Key, Batch] = {}
    still_open = {batch.key for batch in known}
    first = min(r["landed_on"] for r in _superseded(day))
    for on in dates(first, (day.today - first).days):
        for row in day.context.rows("reconcile", "settlement_batches", on=on):
            batch = Batch(**{name: row[name] for name in _STATE})
            if row["state"] == AGREES and batch.key in restated and batch.key not in still_open:
                found[batch.key] = batch
    return [batch._replace(faulty_rows=0) if batch.key in restated else batch for batch in (*known, *found.values())]


def _superseded(day: Day) -> list[Row]:
    return [r for r in day.context.rows("land", "superseded_files") if r["superseded_on"] == day.today]


def _rows(spark: SparkSession, query: str) -> list[Row]:
    """The engine's row order must decide nothing."""
    return sorted(spark.sql(query).toArrow().to_pylist(), key=lambda row: str(list(row.values())))


_ROWS = """
select platform, settlement_batch, min(party) as channel, min(settle_date) as expected_on, count(*) as rows,
       cast(sum(if(direction = 'IN', gross_minor - fee_minor, fee_minor - gross_minor)) as bigint) as own_minor,
       cast(sum(if(direction = 'IN', net_minor, -net_minor)) as bigint) as net_minor
from {of} group by platform, settlement_batch
"""

_INSTRUCTED = """
select platform, settlement_batch, coalesce(min(channel), '') as channel, min(value_date) as expected_on, count(*) as rows,
       cast(sum(if(direction = 'IN', amount_minor - fee_minor, fee_minor - amount_minor)) as bigint) as instructed_minor
from ledger_txn
where txn_type = 'CHANNEL_SETTLEMENT' and outcome = 'POSTED' and settlement_batch is not null
group by platform, settlement_batch
"""

_CORE = """
select substring_index(f.account, ':', 1) as platform, f.core_ref as settlement_batch, count(*) as rows,
       cast(sum(f.amount_minor) as bigint) as core_minor, max(f.core_date) as core_date
from core_flow f join batch_accounts b on b.account = f.account and b.core_ref = f.core_ref
group by 1, 2
"""

_BATCH_OF = """
select concat(s.file_name, ':', s.line_no) as row_ref, s.platform, s.settlement_batch
from land_settlement s join unmatched_rows u on u.row_ref = concat(s.file_name, ':', s.line_no)
"""
