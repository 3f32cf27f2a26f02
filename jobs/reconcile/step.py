"""The reconcile step: joins on the engine, judgement in the core, then the proof that every row is accounted for."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from connectors.engine import engine
from connectors.lake import arrow_schema, table_of
from custody.errors import StopRun
from custody.matching import Bucket, case_id
from custody.names import UNDER_WAY, PartyKind
from custody.ports import Row
from jobs.reconcile.breaks import Breaks, add_difference, add_files, add_flow, add_postings, file_key, still_open
from jobs.reconcile.cases import publish_cases
from jobs.reconcile.day_invariants import add_invariants, paths_of_money
from jobs.reconcile.flows import judge_rest, match_flows
from jobs.reconcile.proof import prove
from jobs.reconcile.relations import items_sql
from jobs.reconcile.states import STATE_RELATIONS, StateMatches, match_states
from jobs.reference import Reference, load_reference
from jobs.step import Step, StepContext
from schemas.tables import TABLES

_SNAPSHOTS = ("balances", "claims", "loans", "sub_accounts")
_RATE_UNIT = 1_000_000


def _run(context: StepContext) -> None:
    reference = load_reference(context)
    outcomes = context.rows("land", "file_outcomes")
    missing = frozenset(file_key(o) for o in outcomes if o["outcome"] == "EXPECTED")
    yesterday = context.custody_date - timedelta(days=1)
    with engine(context.wiring.settings) as spark:
        _flow_views(context, spark, reference)
        flows = match_flows(spark)
        states = _states(context, spark, reference, missing)
        paths = paths_of_money(spark)
    breaks = Breaks(context.custody_date)
    resolved = _resolved(context)
    matched_before = frozenset(
        (r["relation"], r["match_key"])
        for seal in context.seals_of("reconcile")
        for r in context.wiring.lake.rows(seal.path, "matched_keys")
    )
    waiting = frozenset(
        f"{t['platform']}|{t['request_no']}|{t['leg']}" for t in context.rows("post", "ledger_txn") if t["outcome"] == "WAITING"
    )
    rejected = {(r["party"], r["row_key"]): r for r in context.rows("land", "rejected_rows") if r["row_key"]}
    before = context.rows("reconcile", "breaks", on=yesterday)
    causes = {b["case_id"]: b["cause"] for b in before}
    judged: list[Row] = []
    open_items: list[Row] = []
    flow_breaks: list[tuple[str, list[Row]]] = []
    for relation, items, verdict in judge_rest(flows.rest, context.custody_date, missing, matched_before, waiting):
        if verdict.bucket == Bucket.BREAK:
            known = case_id(items[0]["platform"], relation.sides, items[0]["subject"])
            cause = _cause(items, rejected) or causes.get(known)
            flow_breaks.append((add_flow(breaks, relation, items, verdict, cause), items))
        judged += [_match_row(item, verdict.bucket, verdict.rule) for item in items]
        if verdict.bucket != Bucket.MATCHED:
            open_items += items
    for difference in states.differences:
        add_difference(breaks, difference)
    add_invariants(context, breaks, reference, missing, paths)
    add_files(breaks, outcomes)
    add_postings(breaks, context.rows("post", "posting_findings"))
    landed = _judged_parties(context, reference, outcomes, missing)
    still_open(before, breaks, landed, missing)
    settled_refs = _settle_by_decision(breaks.rows(), flow_breaks, resolved)
    judged = [{**row, "bucket": Bucket.MATCHED, "rule": "resolved"} if row["row_ref"] in settled_refs else row for row in judged]
    open_items = [item for item in open_items if item["row_ref"] not in settled_refs]
    matches = pa.concat_tables([_conformed(flows.matched), _conformed(states.rows), table_of(TABLES["matches"], judged)])
    context.write("matches", matches)
    context.write("breaks", [b for b in breaks.rows() if (b["case_id"], b["evidence_digest"]) not in resolved])
    context.write("open_items", open_items)
    context.write("matched_keys", _matched_keys(flows.matched, judged))
    context.write("proof", prove(context, matches, outcomes))


def _flow_views(context: StepContext, spark: SparkSession, reference: Reference) -> None:
    """Views of the day's new rows, then ``items``: those with what was carried in."""
    for step, table in (("land", "land_txn"), ("land", "land_settlement"), ("post", "ledger_txn"), ("post", "journal")):
        _read(context, spark, step, table).createOrReplaceTempView(table)
    _read(context, spark, "extract", "core_flow").createOrReplaceTempView("core_flow")
    rates = [
        (
            channel,
            parse_rate(reference.parties[channel]["contract"]["channel_fee_rate"]),
            int(reference.parties[channel]["contract"]["channel_fee_min_minor"]),
        )
        for channel in reference.of_kind(PartyKind.CHANNEL)
    ]
    schema = "fee_channel string, rate_millionths bigint, min_fee_minor bigint"
    spark.createDataFrame(rates, schema).createOrReplaceTempView("fee_rates")
    gateways = reference.gateways()
    if len(gateways) != 1:
        raise StopRun(f"one live gateway is needed to reconcile {context.custody_date}; the cut-off sealed {gateways}")
    new = spark.sql(items_sql(reference.cut_off_window_minutes, gateways[0]))
    carried = context.table("reconcile", "open_items", on=context.custody_date - timedelta(days=1))
    if carried is None or carried.num_rows == 0:
        new.createOrReplaceTempView("items")
    else:
        carried_in = spark.createDataFrame(carried.select(new.columns))
        new.unionByName(carried_in).createOrReplaceTempView("items")
    keys = [context.wiring.lake.parquet(s.path, "matched_keys") for s in context.seals_of("reconcile")]
    if keys:
        spark.read.parquet(*keys).createOrReplaceTempView("matched_before")
    else:
        spark.createDataFrame([], "relation string, match_key string").createOrReplaceTempView("matched_before")


def _states(context: StepContext, spark: SparkSession, reference: Reference, missing: frozenset[str]) -> StateMatches:
    for table in ("land_balance", "land_claim", "land_loan", "land_customer"):
        _read(context, spark, "land", table).createOrReplaceTempView(table)
    compared = sorted(
        {r["custody_date"] for r in context.rows("land", "file_outcomes") if r["outcome"] == "LANDED"} | {context.custody_date}
    )
    for table in _SNAPSHOTS:
        union: DataFrame | None = None
        for day in compared:
            seal = context.seal("post", on=day)
            if seal is None:
                continue
            frame = spark.read.parquet(context.wiring.lake.parquet(seal.path, table)).withColumn("as_of", F.lit(day))
            union = frame if union is None else union.unionByName(frame)
        assert union is not None  # today's own posting is always an input
        union.createOrReplaceTempView(table)
    unjudged = [day for day in compared if _lacks_instructions(reference, day, missing)]
    return match_states(spark, context.custody_date, unjudged)


def _read(context: StepContext, spark: SparkSession, step: str, table: str) -> DataFrame:
    seal = context.seal(step)
    assert seal is not None
    return spark.read.parquet(context.wiring.lake.parquet(seal.path, table))


def parse_rate(text: str) -> int:
    """A rate such as "0.0025" in millionths, exactly. Raises ValueError when it has more than six decimals."""
    whole, _, decimals = text.partition(".")
    if len(decimals) > 6:
        raise ValueError(f"rate {text!r} has more than six decimals")
    return int(whole) * _RATE_UNIT + int(decimals.ljust(6, "0"))


def _lacks_instructions(reference: Reference, day: date, missing: frozenset[str]) -> bool:
    """Without a date's instructions our own side of it is not known, so nothing is judged against it."""
    return any(f"{gateway}|INSTRUCTION|{day.isoformat()}" in missing for gateway in reference.gateways())


def _judged_parties(
    context: StepContext, reference: Reference, outcomes: list[Row], missing: frozenset[str]
) -> dict[str, frozenset[str]]:
    """For each state subject's first word, the platforms whose whole state of today landed and is judged anew.

    CUSTOMER is not among them: its file says what changed and is silent about the rest. Without today's instructions
    nothing is judged at all.
    """
    today = context.custody_date
    unjudged = _lacks_instructions(reference, today, missing)
    landed: dict[str, set[str]] = defaultdict(set)
    for o in outcomes:
        if o["outcome"] == "LANDED" and o["custody_date"] == today and not unjudged:
            landed[o["file_type"]].add(o["party"])
    landed["CUSTOMER"] = set()
    return {file_type: frozenset(landed[file_type]) for file_type in STATE_RELATIONS.values()}


def _cause(items: list[Row], rejected: dict[tuple[str, str], Row]) -> str | None:
    """A row that was rejected at landing explains why its counterpart stands alone."""
    request, leg = items[0]["subject"].split("|")[1:3] if items[0]["relation"] == "AB_TXN" else ("", "")
    found = rejected.get((items[0]["platform"], f"request_no={request}|leg={leg}"))
    return f"row_rejected:{found['file_name']}:{found['line_no']}" if found else None


def _resolved(context: StepContext) -> frozenset[tuple[str, str]]:
    """(case id, evidence digest) of cases that two people settled; bound to the evidence they saw."""
    return frozenset(
        (d["subject"], json.loads(d["payload"])["evidence_digest"])
        for d in context.rows("cut_off", "decisions")
        if d["kind"] == "case" and d["outcome"] == "APPROVED"
    )


def _settle_by_decision(
    rows: list[Row], flow_breaks: list[tuple[str, list[Row]]], resolved: frozenset[tuple[str, str]]
) -> frozenset[str]:
    settled = {r["case_id"] for r in rows if (r["case_id"], r["evidence_digest"]) in resolved}
    return frozenset(item["row_ref"] for identity, items in flow_breaks if identity in settled for item in items)


def _match_row(item: Row, bucket: str, rule: str) -> Row:
    kept = ("relation", "side", "row_ref", "item_date", "platform", "subject", "match_key", "amount_minor")
    return {n: item[n] for n in kept} | {"bucket": str(bucket), "rule": str(rule)}


def _conformed(table: pa.Table) -> pa.Table:
    schema = arrow_schema(TABLES["matches"])
    return table.select(schema.names).cast(schema)


def _matched_keys(matched: pa.Table, judged: list[Row]) -> list[Row]:
    """Keys that must never match again. A movement still under way (ACCEPTED, UNKNOWN ...) will come with a new status."""
    under_way = {str(status) for status in UNDER_WAY}
    keys = {
        (r["relation"], r["match_key"])
        for r in matched.select(["relation", "match_key", "status"]).to_pylist()
        if r["status"] not in under_way
    }
    keys |= {(r["relation"], r["match_key"]) for r in judged if r["bucket"] == Bucket.MATCHED and r["match_key"]}
    return [{"relation": relation, "match_key": key} for relation, key in sorted(keys)]


STEP = Step("reconcile", _run, publish_cases)
