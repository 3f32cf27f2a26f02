"""The reconcile step: matching by numbers, joins on the engine, judgement in the core, then the proof that every row is accounted for.

Each part adds what it finds to ``breaks`` and is a file of its own; their order decides which kind speaks first for a case.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import SparkSession

from connectors.engine import engine
from custody.invariants import Violation
from custody.ports import Row
from jobs.reconcile.assessments import assessments
from jobs.reconcile.breaks import Breaks, add_difference, add_files, add_postings, still_open
from jobs.reconcile.cases import publish_cases
from jobs.reconcile.closings import closings
from jobs.reconcile.day import Day, read_day
from jobs.reconcile.day_invariants import add_invariants, find_violations, is_unjudged
from jobs.reconcile.disclosures import add_disclosures, compare_disclosures, told_disclosures
from jobs.reconcile.e_accounts import keys_by_way
from jobs.reconcile.e_balances import EBalances, add_e_balances, find_e_balances
from jobs.reconcile.flow_verdicts import FlowVerdicts, judge_flows, may_be_settled, settled_by_decision
from jobs.reconcile.flows import FlowMatches, match_flows
from jobs.reconcile.funds import Funds, add_use_of_funds, trace_funds, write_funds
from jobs.reconcile.journal_sums import JournalSum, journal_sums
from jobs.reconcile.key_history import write_matched
from jobs.reconcile.proof import Posted, count_posted, prove
from jobs.reconcile.repayments import Repayments, add_allocations, tell_repayments, told_today
from jobs.reconcile.returns import paid_out_keys
from jobs.reconcile.settlements import BatchSums, add_settlements, batch_rows, batch_sums
from jobs.reconcile.shadow import add_shadow, kept, shadow_differences
from jobs.reconcile.standing import standing
from jobs.reconcile.state_views import state_views
from jobs.reconcile.states import StateMatches, match_states
from jobs.reconcile.totals import rows_of
from jobs.reconcile.views import Books, open_books
from jobs.step import Step, StepContext


def _run(context: StepContext) -> None:
    day = read_day(context)
    # No core of the machine waits for the other: what asks nothing of the matching is found out beside it, or while what is left over is
    # judged.
    with (
        ThreadPoolExecutor(1) as before,
        engine(context.wiring.settings) as spark,
        ThreadPoolExecutor(1) as beside,
    ):
        of_files = before.submit(_find_in_files, day)
        books = open_books(day, spark)
        waiting = beside.submit(_waiting_keys, day, spark)
        others = beside.submit(_find_others, day, spark)
        flows = match_flows(day, spark, books)
        batched = beside.submit(batch_sums, day, spark, flows.rest)
        counted = beside.submit(lambda: count_posted(spark, others.result().moved, day.has_e_accounts))
        paid_out = paid_out_keys(day, spark, flows.rest)
        _judge(day, _Matched(books, flows, waiting.result(), paid_out, others, batched, counted, of_files))


class _Matched(NamedTuple):
    """What the sides of a day say beside each other; some of it is still being summed up."""

    books: Books
    flows: FlowMatches
    waiting: frozenset[str]
    paid_out: frozenset[str]
    others: Future[_Others]
    batched: Future[BatchSums]
    counted: Future[Posted]
    of_files: Future[_InFiles]


def _judge(day: Day, matched: _Matched) -> None:
    """Each break with its case, and all tables of the step. The largest are written first, as soon as nothing more can change them."""
    context, flows = day.context, matched.flows
    breaks = Breaks(day.today, day.reference.rules.causes, day.rates_on)
    verdicts = judge_flows(day, flows, matched.waiting, matched.paid_out, breaks)
    with ThreadPoolExecutor(2) as writer:
        of_flows = None if may_be_settled(verdicts, day.resolved) else writer.submit(_write_flows, context, flows, verdicts)
        told_in_files, found = matched.of_files.result(), matched.others.result()
        for difference in found.states.differences:
            add_difference(breaks, difference)
        batches = add_settlements(day, breaks, matched.batched.result(), verdicts.rows)
        add_invariants(breaks, found.violations)
        add_e_balances(breaks, found.e_balances, day.today)
        add_use_of_funds(day, breaks, told_in_files.funds)
        add_files(breaks, day.outcomes)
        add_postings(breaks, context.rows("post", "posting_findings"))
        add_shadow(breaks, told_in_files.shadow)
        add_allocations(day, breaks, found.repayments)
        disclosures = compare_disclosures(day, found.repayments.rows)
        add_disclosures(breaks, disclosures)
        told = told_today(day, found.repayments.rows) | told_disclosures(disclosures)
        still_open(standing(day), breaks, day.judged_parties(), day.missing, told, partial(is_unjudged, day))
        cases = breaks.rows()
        if of_flows is None:
            of_flows = writer.submit(_write_flows, context, flows, settled_by_decision(verdicts, cases, day.resolved))
        stand = [b for b in cases if (b["case_id"], b["evidence_digest"]) not in day.resolved]
        written = writer.submit(context.write, "breaks", stand)
        clean = flows.clean | found.states.clean
        context.write("match_totals", rows_of(clean))
        context.write("suggestions", verdicts.suggestions)
        context.write("settlement_batches", batch_rows(batches, cases, day.resolved))
        context.write("shadow_differences", kept(told_in_files.shadow, cases, day.resolved))
        context.write("repayments", found.repayments.rows)
        context.write("disclosures", disclosures.rows)
        write_funds(day, told_in_files.funds)
        context.write("released_keys", matched.books.withdrawal.released)
        withdrawn = context.write("withdrawn", matched.books.withdrawal.summary)
        matches = context.write("matches", pa.concat_tables([of_flows.result(), found.states.rows]))
        context.write("closings", closings(day, stand, matches))
        context.write("assessments", assessments(day, matches))
        context.write(
            "proof", prove(context, flows, clean, matches, matched.counted.result(), day.outcomes, withdrawn.to_pylist())
        )
        written.result()


def _write_flows(context: StepContext, flows: FlowMatches, verdicts: FlowVerdicts) -> pa.Table:
    """What tomorrow takes in, and what must never match again. Returns the rows of the table of matches."""
    context.write("open_items", verdicts.carried_out())
    write_matched(context, flows.final, verdicts.matched_hashes())
    return verdicts.matches()


class _InFiles(NamedTuple):
    """What a day shows without an engine."""

    shadow: list[Row]
    funds: Funds


def _find_in_files(day: Day) -> _InFiles:
    return _InFiles(shadow=shadow_differences(day), funds=trace_funds(day))


class _Others(NamedTuple):
    """What a day shows beside its matched flows."""

    moved: list[JournalSum]
    states: StateMatches
    violations: list[Violation]
    e_balances: EBalances
    repayments: Repayments


def _find_others(day: Day, spark: SparkSession) -> _Others:
    """Of the day's views and books."""
    repayments = tell_repayments(day, spark)
    moved = journal_sums(spark)
    return _Others(
        moved=moved,
        states=match_states(spark, day.today, state_views(day, spark, repayments.rows)),
        violations=find_violations(day, spark, moved),
        e_balances=find_e_balances(day, spark),
        repayments=repayments,
    )


def _waiting_keys(day: Day, spark: SparkSession) -> frozenset[str]:
    keys = "select concat(platform, '|', request_no, '|', leg) as match_key from ledger_txn where outcome = 'WAITING'"
    waiting = frozenset(spark.sql(keys).toArrow()["match_key"].to_pylist())
    return waiting | keys_by_way(waiting) if day.has_e_accounts else waiting


STEP = Step("reconcile", _run, publish_cases)
