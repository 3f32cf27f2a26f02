"""What state relations are asked of: what platforms say stands at the end of a date, and what stood with us on that date.

A (party, type, date) is compared on the day on which its file lands, or on which the date's instructions come that were missing
until then: before, our own side of the date is not known. What was posted later and valued on the date belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from custody.calendar import dates
from custody.names import FileType
from jobs.reconcile.day import Day
from jobs.reconcile.landed import landed_since, rows_of
from jobs.reconcile.loan_delays import wrong_delays
from jobs.reconcile.states import STATE_RELATIONS, Asked
from jobs.step import StepContext

# What stood with us, by relation.
_SNAPSHOTS = {
    "AB_BALANCE": ("balances",), "AB_CLAIM": ("claims",), "AB_LOAN": ("loans", "holds"), "AB_CUSTOMER": ("sub_accounts",),
}  # fmt: skip
_Told = set[tuple[str, date]]


def state_views(day: Day, spark: SparkSession, repayments: pa.Table) -> Asked:
    """The views that jobs.reconcile.states names, of those relations alone of which there is something to compare. ``repayments``: what was
    paid on loans, with today's."""
    told = {relation: _told(day, file_type) for relation, file_type in STATE_RELATIONS.items()}
    told = {relation: pairs for relation, pairs in told.items() if pairs}
    if not told:
        return Asked(frozenset(), False)
    for relation, pairs in told.items():
        _land_view(day, spark, f"land_{STATE_RELATIONS[relation].lower()}", pairs)
    whole = [
        (relation, party, on)
        for relation, pairs in told.items()
        for party, on in sorted(pairs)
        if f"{party}|{STATE_RELATIONS[relation]}|{on.isoformat()}" not in day.missing
    ]
    spark.createDataFrame(whole, "relation string, platform string, as_of date").createOrReplaceTempView("told_whole")
    compared = sorted({on for pairs in told.values() for _, on in pairs} | {day.today})
    for table in (table for relation in told for table in _SNAPSHOTS[relation]):
        frames = [
            frame.withColumn("as_of", F.lit(on)) for on in compared for frame in _sealed(day.context, spark, "post", table, on)
        ]
        _union(frames).createOrReplaceTempView(table)
    earlier = [on for on in compared if on < day.today]
    if earlier:
        _later_view(day, spark, earlier)
    if "AB_LOAN" in told:
        _rejected_view(day, spark)
        wrong = "platform string, as_of date, loan_id string, ours string, overdue_since date"
        spark.createDataFrame(wrong_delays(day, spark, repayments), wrong).createOrReplaceTempView("wrong_delays")
    return Asked(frozenset(told), bool(earlier), [on for on in compared if day.lacks_instructions(on)])


def _told(day: Day, file_type: str) -> _Told:
    """(party, custody date) to compare today."""
    landed = {(o["party"], o["custody_date"]) for o in day.outcomes if o["outcome"] == "LANDED" and o["file_type"] == file_type}
    came = _instructions_came(day)
    if came:
        there = landed_since(day.context, min(came))
        landed |= {(party, on) for party, of, on in there if of == file_type and on in came}
    return landed


def _instructions_came(day: Day) -> frozenset[date]:
    """Dates whose instructions were missing yesterday and are all there today."""
    before = day.context.rows("land", "file_outcomes", on=day.yesterday)
    lacked = {o["custody_date"] for o in before if o["outcome"] == "EXPECTED" and o["file_type"] == FileType.INSTRUCTION}
    return frozenset(on for on in lacked if not day.lacks_instructions(on))


def _land_view(day: Day, spark: SparkSession, table: str, told: _Told) -> None:
    """The platforms' rows of these dates, on whatever day they landed; ``is_new``: today."""
    new = frozenset(o["file_name"] for o in day.outcomes if o["outcome"] == "LANDED")
    on = {of for _, of in told}
    frame = rows_of(day.context, spark, table, on)
    if on != {day.today}:
        wanted = spark.createDataFrame(sorted(told), "party string, custody_date date")
        frame = frame.join(F.broadcast(wanted), ["party", "custody_date"], "left_semi")
        arrived = spark.createDataFrame([(name,) for name in sorted(new)], "new_name string")
        frame = frame.join(F.broadcast(arrived), frame.file_name == arrived.new_name, "left")
        frame = frame.withColumn("is_new", F.col("new_name").isNotNull()).drop("new_name")
    else:
        frame = frame.withColumn("is_new", F.lit(True))
    frame.createOrReplaceTempView(table)


def _later_view(day: Day, spark: SparkSession, earlier: Iterable[date]) -> None:
    """``later_moves``: what was posted after a date and valued on it or before, by account; ``busy_loans``: loans of which more was
    posted since, valued after the date, so that today's claims are not the date's."""
    moves: list[DataFrame] = []
    busy: list[DataFrame] = []
    for on in earlier:
        for posted in dates(on + timedelta(days=1), (day.today - on).days):
            for journal in _sealed(day.context, spark, "post", "journal", posted):
                late = journal.where((F.col("value_date") <= F.lit(on)) & (F.col("book") == "CUSTODY"))
                ref = F.concat(F.lit("journal:"), "entry_no", F.lit(":"), "move_no")
                for account, sign in (("from_account", -1), ("to_account", 1)):
                    columns = (F.col(account).alias("account"), (F.col("amount_minor") * sign).alias("amount_minor"))
                    moves.append(late.select("platform", F.lit(on).alias("as_of"), *columns, "loan_id", ref.alias("ref")))
                after = journal.where((F.col("value_date") > F.lit(on)) & F.col("loan_id").isNotNull())
                busy.append(after.select("platform", F.lit(on).alias("as_of"), "loan_id").distinct())
    _union(moves).createOrReplaceTempView("later_moves")
    _union(busy).distinct().createOrReplaceTempView("busy_loans")


def _rejected_view(day: Day, spark: SparkSession) -> None:
    """``rejected_loans``: lines of LOAN files that landing refused; each has its own finding, and its loan is not left out."""
    rows = [
        (r["party"], r["custody_date"], r["row_key"].removeprefix("loan_id="))
        for r in day.context.rows("land", "rejected_rows")
        if r["file_type"] == FileType.LOAN and r["row_key"]
    ]
    spark.createDataFrame(rows, "platform string, as_of date, loan_id string").createOrReplaceTempView("rejected_loans")


def _sealed(context: StepContext, spark: SparkSession, step: str, table: str, on: date) -> list[DataFrame]:
    """The table as one frame; none where that date lies before the first."""
    seal = context.seal(step, on=on)
    return [] if seal is None else [spark.read.parquet(context.wiring.lake.parquet(seal.path, table))]


def _union(frames: list[DataFrame]) -> DataFrame:
    union = frames[0]
    for frame in frames[1:]:
        union = union.unionByName(frame)
    return union
