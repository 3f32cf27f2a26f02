"""The reconcile step: joins on the engine, judgement in the core, then the proof that every row is accounted for.

Each part adds what it finds to ``breaks`` and is a file of its own; their order decides which kind speaks first for a case.
"""

from __future__ import annotations

import pyarrow as pa

from connectors.engine import engine
from connectors.lake import arrow_schema, table_of
from custody.matching import Bucket
from custody.names import UNDER_WAY
from custody.ports import Row
from jobs.reconcile.assessments import assessments
from jobs.reconcile.breaks import Breaks, add_difference, add_files, add_postings, still_open
from jobs.reconcile.cases import publish_cases
from jobs.reconcile.closings import closings
from jobs.reconcile.day import read_day
from jobs.reconcile.day_invariants import add_invariants, find_violations
from jobs.reconcile.flow_verdicts import judge_flows, settled_by_decision
from jobs.reconcile.flows import match_flows
from jobs.reconcile.funds import add_use_of_funds, trace_funds, write_funds
from jobs.reconcile.proof import prove
from jobs.reconcile.returns import paid_out_keys
from jobs.reconcile.settlements import add_settlements, batch_rows, batch_sums
from jobs.reconcile.shadow import add_shadow, kept, shadow_differences
from jobs.reconcile.standing import standing
from jobs.reconcile.state_views import state_views
from jobs.reconcile.states import match_states
from jobs.reconcile.views import flow_views
from jobs.step import Step, StepContext
from schemas.tables import TABLES


def _run(context: StepContext) -> None:
    day = read_day(context)
    breaks = Breaks(day.today, day.reference.rules.causes, day.reference.channel_rates())
    with engine(context.wiring.settings) as spark:
        withdrawal = flow_views(day, spark)
        flows = match_flows(spark, day.reference.rules.relations)
        paid_out = paid_out_keys(spark, flows.rest)
        states = match_states(spark, day.today, state_views(day, spark))
        violations = find_violations(day, spark)
        sums = batch_sums(day, spark, flows.rest)
        funds = trace_funds(day, spark)
        shadow = shadow_differences(day, spark)
    verdicts = judge_flows(day, flows, paid_out, breaks)
    for difference in states.differences:
        add_difference(breaks, difference)
    batches = add_settlements(day, breaks, sums, verdicts.rows)
    add_invariants(breaks, violations)
    add_use_of_funds(day, breaks, funds)
    add_files(breaks, day.outcomes)
    add_postings(breaks, context.rows("post", "posting_findings"))
    add_shadow(breaks, shadow)
    still_open(standing(day), breaks, day.judged_parties(), day.missing)
    cases = breaks.rows()
    verdicts = settled_by_decision(verdicts, cases, day.resolved)
    matches = pa.concat_tables([_conformed(flows.matched), _conformed(states.rows), table_of(TABLES["matches"], verdicts.rows)])
    context.write("matches", matches)
    stand = [b for b in cases if (b["case_id"], b["evidence_digest"]) not in day.resolved]
    context.write("breaks", stand)
    context.write("closings", closings(day, stand, matches))
    context.write("open_items", verdicts.open_items)
    context.write("suggestions", verdicts.suggestions)
    context.write("settlement_batches", batch_rows(batches, cases, day.resolved))
    context.write("shadow_differences", kept(shadow, cases, day.resolved))
    context.write("matched_keys", _matched_keys(flows.matched, verdicts.rows))
    write_funds(day, funds)
    context.write("assessments", assessments(day, matches))
    context.write("released_keys", withdrawal.released)
    withdrawn = context.write("withdrawn", withdrawal.summary)
    context.write("proof", prove(context, matches, day.outcomes, withdrawn.to_pylist()))


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
    keys |= {
        (r["relation"], r["match_key"])
        for r in judged
        if r["bucket"] == Bucket.MATCHED and r["match_key"] and r["status"] not in under_way
    }
    return [{"relation": relation, "match_key": key} for relation, key in sorted(keys)]


STEP = Step("reconcile", _run, publish_cases)
