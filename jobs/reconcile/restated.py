"""Restated files: the earlier version's rows are withdrawn from what is compared, and what they had matched is free again.

Closed days stay as they are: the rows of both versions, and what became of them, stand in the tables of those days. From the day
on which the new version lands the earlier one's rows are in one bucket, WITHDRAWN, and their counterparts in the books again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from connectors.lake import arrow_schema, table_of
from custody.adjustments import DECISION, WITHDRAWAL, withdrawn
from custody.calendar import dates
from custody.matching import NETTING
from custody.names import UNDER_WAY, FileType, TxnStatus
from custody.ports import Row
from custody.reversals import REVERSAL
from jobs.reconcile.day import Day
from jobs.reconcile.e_accounts import E_VIEWS, RELATION, e_account_queries
from jobs.reconcile.relations import FLOW_VIEWS, items_sql
from jobs.reconcile.states import STATE_RELATIONS
from schemas.tables import TABLES

# What an amount of each relation is, where a file is compared with a snapshot: the proof counts the same.
_STATE_AMOUNTS = {
    FileType.BALANCE: ("available_minor", "frozen_minor"),
    FileType.CLAIM: ("principal_minor",),
    FileType.LOAN: ("amount_minor",),
    FileType.CUSTOMER: (),
}
_FLOWS = (FileType.TXN, FileType.SETTLEMENT)
# Statuses that a leg tells and that post nothing.
_TOLD = ", ".join(f"'{status}'" for status in sorted({*UNDER_WAY, TxnStatus.FAIL}))
_WITHDRAWN, _RELEASED = TABLES["withdrawn"], TABLES["released_keys"]
_ITEMS = arrow_schema(TABLES["open_items"])


@dataclass(frozen=True)
class Withdrawal:
    """``freed``: items that count as matched until now and are open again. ``names``: files whose rows
    leave the open items; ``refs``: single rows that do. ``released``: keys that were matched and are so no more. ``summary``: rows
    of the table ``withdrawn``."""

    names: frozenset[str]
    refs: frozenset[str]
    freed: pa.Table
    released: pa.Table
    summary: pa.Table


def withdraw(day: Day, spark: SparkSession, window_minutes: int, gateway: str) -> Withdrawal:
    """What becomes of the versions that are superseded today. View ``fee_rates`` is there."""
    ever = day.context.rows("land", "superseded_files")
    superseded = [r for r in ever if r["superseded_on"] == day.today]
    states = table_of(_WITHDRAWN, [_of_state(day, r) for r in superseded if r["file_type"] in _STATE_AMOUNTS])
    gone = [(r["file_name"], r["replaced_by"]) for r in superseded if r["file_type"] == FileType.INSTRUCTION]
    decided = withdrawn(day.context.rows("cut_off", "decisions"))
    gone += [(f"{DECISION}{proposal}", f"{DECISION}{WITHDRAWAL}") for proposal in sorted(decided)]
    states = pa.concat_tables([states, _waited(day, gone)])
    flows = [r for r in superseded if r["file_type"] in (*_FLOWS, FileType.INSTRUCTION)]
    if not flows:
        return Withdrawal(frozenset(), frozenset(), _ITEMS.empty_table(), arrow_schema(_RELEASED).empty_table(), states)
    # A counterpart came into the books when its first version did, or later, or it was there already.
    restated = {(r["party"], r["file_type"], r["custody_date"]) for r in flows}
    first = min(r["landed_on"] for r in ever if (r["party"], r["file_type"], r["custody_date"]) in restated)
    _books_views(day, spark, first, window_minutes, gateway)
    spark.createDataFrame(
        [(r["file_name"], r["replaced_by"], r["file_type"] in _FLOWS) for r in flows],
        "file_name string, replaced_by string, whole boolean",
    ).createOrReplaceTempView("superseded_today")
    _reversed_views(spark, day.today)
    freed = _freed(spark)
    under_way = ", ".join(f"'{status}'" for status in sorted(UNDER_WAY))
    released = spark.sql(
        f"""
        select distinct relation, match_key from (
          select relation, match_key, status from mine where matched = 1
          union all select relation, match_key, status from freed_items
        ) where match_key is not null and status not in ({under_way})
        """
    )
    counted = spark.sql(
        """
        select file_name, replaced_by, relation, side, cast(sum(matched) as bigint) as reopened, count(*) as withdrawn,
               cast(sum(matched * amount_minor) as bigint) as reopened_minor, cast(sum(amount_minor) as bigint) as withdrawn_minor
        from mine group by file_name, replaced_by, relation, side
        union all
        select f.file_name, s.replaced_by, f.relation, f.side, count(*), cast(0 as bigint), cast(sum(f.amount_minor) as bigint),
               cast(0 as bigint)
        from freed_by f join superseded_today s on s.file_name = f.file_name
        group by f.file_name, s.replaced_by, f.relation, f.side
        """
    )
    schema = arrow_schema(_WITHDRAWN)
    summary = pa.concat_tables([states, counted.toArrow().select(schema.names).cast(schema)])
    names = frozenset(r["file_name"] for r in flows if r["file_type"] in _FLOWS)
    still_open = spark.sql("select distinct row_ref from mine where side = 'B' and matched = 0").toArrow()
    refs = frozenset(still_open["row_ref"].to_pylist())
    return Withdrawal(names, refs, freed, released.toArrow().cast(arrow_schema(_RELEASED)), summary)


def _books_views(day: Day, spark: SparkSession, first: date, window_minutes: int, gateway: str) -> None:
    """View ``books``: every item that was in the books on some day since ``first``; what is no longer open was matched."""
    context, lake = day.context, day.context.wiring.lake
    days = list(dates(first, (day.today - first).days))
    for step, table in (*FLOW_VIEWS, *(E_VIEWS if day.has_e_accounts else ())):
        found = [lake.parquet(seal.path, table) for on in days if (seal := context.seal(step, on)) is not None]
        spark.read.parquet(*found).createOrReplaceTempView(f"{table}_earlier")
    items = spark.sql(items_sql(window_minutes, gateway, "_earlier"))
    for query in e_account_queries(window_minutes, gateway, "_earlier").values() if day.has_e_accounts else ():
        items = items.unionByName(spark.sql(query).toDF(*items.columns))
    carried = context.table("reconcile", "open_items", on=first - (day.today - day.yesterday))
    if carried is not None and carried.num_rows:
        items = items.unionByName(spark.createDataFrame(carried.select(items.columns)))
    items.createOrReplaceTempView("books")
    still = context.table("reconcile", "open_items", on=day.yesterday)
    assert still is not None
    spark.createDataFrame(still.select(["relation", "side", "row_ref"])).createOrReplaceTempView("open_before")
    netted = [lake.parquet(seal.path, "matches") for on in days if (seal := context.seal("reconcile", on)) is not None]
    spark.read.parquet(*netted).where(f"rule = '{NETTING}'").createOrReplaceTempView("netted_earlier")
    gone = [(r["file_name"],) for r in context.rows("land", "superseded_files") if r["file_type"] in _FLOWS]
    spark.createDataFrame(gone, "file_name string").createOrReplaceTempView("superseded_ever")


def _freed(spark: SparkSession) -> pa.Table:
    """Views ``mine``: the withdrawn rows; ``freed_by``: what each file's rows had matched; ``freed_items``: these items, which are returned.

    A movement under way has a row for each status under one key, so that a row's counterpart is that of its own status, unless
    there is none and people settled the difference. What netted inside a request stands under other keys: the group is dissolved.
    """
    mine = spark.sql(
        f"""
        select i.*, if(o.row_ref is null, 1, 0) as matched
        from (
          select i.*, s.file_name, s.replaced_by
          from books i join superseded_today s on s.whole and s.file_name = substring_index(i.row_ref, ':', 1)
          union all
          select i.*, r.file_name, r.replaced_by
          from books i join reversed_rows r on r.today and r.ref = {_LEDGER_REF} where i.side = 'B'
        ) i
        left join open_before o on o.relation = i.relation and o.side = i.side and o.row_ref = i.row_ref
        """
    )
    _laid_by(spark, mine, "mine")
    dissolved = spark.sql(
        """
        select m.relation, m.platform, substring_index(m.subject, '|', 2) as request, min(m.file_name) as file_name
        from mine m join netted_earlier n on n.relation = m.relation and n.side = m.side and n.row_ref = m.row_ref
        where m.matched = 1 group by m.relation, m.platform, substring_index(m.subject, '|', 2)
        """
    )
    _laid_by(spark, dissolved, "dissolved")
    near = spark.sql(
        f"""
        select i.* from (
          select i.* from books i left semi join mine m on m.matched = 1 and m.relation = i.relation and m.match_key = i.match_key
          union
          select i.* from books i
          left semi join dissolved d on d.relation = i.relation and d.platform = i.platform and d.request = substring_index(i.subject, '|', 2)
        ) i
        left anti join open_before o on o.relation = i.relation and o.side = i.side and o.row_ref = i.row_ref
        left anti join superseded_ever e on e.file_name = substring_index(i.row_ref, ':', 1)
        left anti join reversed_rows r on r.ref = {_LEDGER_REF} and i.side = 'B'
        """
    )
    _laid_by(spark, near, "matched_meanwhile")
    spark.sql(
        """
        select m.relation, m.side, m.match_key, m.status, m.file_name, max(if(g.status <=> m.status, 1, 0)) as has_its_own
        from mine m join matched_meanwhile g
          on g.relation = m.relation and g.match_key = m.match_key and g.side <> m.side
        where m.matched = 1 group by m.relation, m.side, m.match_key, m.status, m.file_name
        """
    ).createOrReplaceTempView("partners")
    freed_by = spark.sql(
        """
        select relation, side, row_ref, amount_minor, min(file_name) as file_name
        from (
          select g.relation, g.side, g.row_ref, g.amount_minor, p.file_name
          from matched_meanwhile g join partners p
            on p.relation = g.relation and p.match_key = g.match_key and p.side <> g.side
           and (p.status <=> g.status or p.has_its_own = 0)
          union all
          select g.relation, g.side, g.row_ref, g.amount_minor, d.file_name
          from matched_meanwhile g
          join netted_earlier n on n.relation = g.relation and n.side = g.side and n.row_ref = g.row_ref
          join dissolved d on d.relation = g.relation and d.platform = g.platform and d.request = substring_index(g.subject, '|', 2)
        )
        group by relation, side, row_ref, amount_minor
        """
    )
    _laid_by(spark, freed_by, "freed_by")
    freed = spark.sql(
        """
        select g.* from matched_meanwhile g
        left semi join freed_by f on f.relation = g.relation and f.side = g.side and f.row_ref = g.row_ref
        """
    )
    return _laid_by(spark, freed, "freed_items").select(_ITEMS.names).cast(_ITEMS)


def _laid_by(spark: SparkSession, frame: DataFrame, view: str) -> pa.Table:
    """The rows, and a view of them. A view of a query is planned and worked out anew wherever it is named: the books of all days since were ten
    times in the plan of ``released`` alone. What is laid by is as many rows as restated files have and had matched, whatever the books hold."""
    rows = frame.toArrow()
    # No frame is made of a table without rows.
    laid_by = spark.createDataFrame(rows) if rows.num_rows else spark.createDataFrame([], frame.schema)
    laid_by.createOrReplaceTempView(view)
    return rows


# By what a side-B item is found again: the line of its leg, or its entry.
_LEDGER_REF = f"if(i.relation in ('BC_CORE', '{RELATION}'), substring_index(i.row_ref, ':', 2), i.row_ref)"


def _reversed_views(spark: SparkSession, today: date) -> None:
    """View ``reversed_rows``: the ledger's rows of earlier days that restated instructions have taken back, by what their items are
    found again, with the file that said so; ``today``: whether it was today. A leg is taken back by the first reversal after it."""
    spark.sql(
        f"""
        select platform, related_request_no as request_no, leg, status, outcome, txn_no, authorisation_id as replaced_by,
               substring(file_name, {len(REVERSAL) + 1}) as file_name
        from (select * from ledger_txn_earlier union all select * from ledger_txn)
        where file_name like '{REVERSAL}%' and (outcome = 'POSTED' or (outcome = 'NO_POSTING' and status in ({_TOLD})))
        """
    ).createOrReplaceTempView("reversals")
    spark.sql(
        """
        select e.file_name as of_file, e.line_no, e.entry_no, r.file_name, r.replaced_by, r.txn_no,
               row_number() over (partition by e.txn_no order by r.txn_no) as nth
        from ledger_txn_earlier e join reversals r
          on r.platform = e.platform and r.request_no = e.request_no and r.leg = e.leg and r.outcome = e.outcome
         and r.status = e.status and r.txn_no > e.txn_no
        """
    ).createOrReplaceTempView("taken_back")
    first = int(f"{today:%Y%m%d}") * 10**9
    spark.sql(
        f"""
        select explode(array(concat(of_file, ':', line_no), concat('journal:', entry_no))) as ref, file_name, replaced_by,
               txn_no >= {first} as today
        from taken_back where nth = 1
        """
    ).where("ref is not null").createOrReplaceTempView("reversed_rows")


def _waited(day: Day, gone: list[tuple[str, str]]) -> pa.Table:
    """Of withdrawn instructions and adjusting entries those that waited to be posted. ``gone``: (their place, what took it)."""
    pending = day.context.rows("post", "pending_instructions", on=day.yesterday) if gone else []
    rows = []
    for file_name, replaced_by in gone:
        mine = [json.loads(row["payload"])["amount_minor"] for row in pending if row["file_name"] == file_name]
        if mine:
            counts = {"reopened": 0, "withdrawn": len(mine), "reopened_minor": 0, "withdrawn_minor": sum(mine)}
            rows.append({"file_name": file_name, "replaced_by": replaced_by, "relation": "POSTING", "side": "B", **counts})
    return table_of(_WITHDRAWN, rows)


def _of_state(day: Day, superseded: Row) -> Row:
    """Rows that were compared with a snapshot stay nowhere: they come back only to be withdrawn."""
    file_type = superseded["file_type"]
    rows = day.context.table("land", f"land_{file_type.lower()}", on=superseded["landed_on"])
    assert rows is not None
    mine = rows.filter(pc.equal(rows["file_name"], superseded["file_name"]))
    minor = sum(pc.sum(mine[column]).as_py() or 0 for column in _STATE_AMOUNTS[file_type])
    relation = next(name for name, of_type in STATE_RELATIONS.items() if of_type == file_type)
    counts = {"reopened": mine.num_rows, "withdrawn": mine.num_rows, "reopened_minor": minor, "withdrawn_minor": minor}
    return {n: superseded[n] for n in ("file_name", "replaced_by")} | {"relation": relation, "side": "A"} | counts
