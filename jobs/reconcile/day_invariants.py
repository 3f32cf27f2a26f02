"""The invariants of domain.md §4, and what waits too long, on a day's snapshot and its movements.

What grows with accounts, claims and legs stays on the engine, which picks what a rule may find broken (jobs.reconcile.suspects).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from custody.bank_interest import interest_as_owned
from custody.calendar import dates
from custody.core_chain import core_chain
from custody.fee_positions import Position, WriteOff, moved, position_of
from custody.invariant_rows import Rows, violations
from custody.invariants import Violation
from custody.life_invariants import fees_add_up
from custody.names import BreakKind, PartyKind, TxnType
from jobs.reconcile.balance_days import balance_days
from jobs.reconcile.breaks import Breaks, add_violation
from jobs.reconcile.day import Day
from jobs.reconcile.e_balances import is_e_account
from jobs.reconcile.journal_sums import JournalSum, paths_of_money
from jobs.reconcile.relations import silent_hub
from jobs.reconcile.suspects import BEFORE, LEG, SNAPSHOTS, day_rows, snapshot_views
from jobs.step import StepContext

# What only today's instructions can fulfil: our cash is the core's, what is due was settled, what waited has ended.
_BY_CORE = (BreakKind.INV_01, "BC")
_WAITING = (BreakKind.UNKNOWN_STATUS, BreakKind.STALE_FREEZE, BreakKind.SUSPENSE_AGED)
_BY_INSTRUCTIONS = frozenset({_BY_CORE, (BreakKind.INV_13, "B"), *((kind, "B") for kind in _WAITING)})


def find_violations(day: Day, spark: SparkSession, moved: Iterable[JournalSum]) -> list[Violation]:
    """All invariants of the day, with the engine's view of its legs at hand. ``moved``: its journal."""
    context = day.context
    sealed = {table: _frame(context, spark, "post", table, day.today) for table in SNAPSHOTS}
    before = {table: _frame(context, spark, "post", table, day.yesterday) for table in BEFORE}
    told = _frame(context, spark, "land", "land_loan", day.today)
    assert told is not None
    snapshot_views({table: frame for table, frame in sealed.items() if frame}, {t: f for t, f in before.items() if f}, told)
    platforms = set(day.reference.of_kind(PartyKind.PLATFORM))
    core = [c for c in context.rows("extract", "core_balance") if c["account"].partition(":")[0] in platforms]
    ages = day.reference.rule_book.ages
    rows = day_rows(spark, day.today, core, context.rows("post", "suspense"), paths_of_money(moved), ages)
    fees = _legs(spark, f"txn_type = '{TxnType.CUSTODY_FEE}'", [*LEG, "currency"])
    interest = _legs(spark, f"txn_type = '{TxnType.BANK_INTEREST}'")
    found = [*violations(rows, day.today, day.reference.calendar, ages)]
    found += fees_add_up(rows.own, _positions(context, day.yesterday, fees))
    found += _of_interest(context, interest)
    for chains in _core_chains(context):
        found += chains
    found = [v for v in found if not is_unjudged(day, v.platform, v.kind, v.sides, v.subject)]
    return [*found, *(_silence(day, platform) for platform in sorted(day.silent_hubs))]


def is_unjudged(day: Day, platform: str, kind: str, sides: str, subject: str) -> bool:
    """Whether nothing of today can tell that an invariant is kept or broken: what is lacking heals nothing either."""
    if day.lacks_instructions(day.today) and (kind, sides) in _BY_INSTRUCTIONS:
        return True
    of_e_accounts = subject.startswith("E_BALANCE|") or subject.endswith(f"|{platform}:E_ACCOUNTS")
    if of_e_accounts:
        return platform in day.silent_cores or day.lacks_instructions(day.today)
    if subject.startswith("CHAIN|") and is_e_account(subject):
        return platform in day.silent_cores
    return platform in day.silent_hubs and (kind, sides) == _BY_CORE


def _silence(day: Day, platform: str) -> Violation:
    """The core shows nothing of the platform's general accounts: what waits for it waits, and one case says why."""
    figures: dict[str, int | str] = {"silent_since": day.silent_hubs[platform].isoformat(), "date": day.today.isoformat()}
    return Violation(BreakKind.MISSING_IN_CORE, platform, "BC", silent_hub(platform), 0, figures, "core_shows_nothing")


def add_invariants(breaks: Breaks, found: list[Violation]) -> None:
    """Each violation is a break."""
    for violation in found:
        add_violation(breaks, violation)


def _frame(context: StepContext, spark: SparkSession, step: str, table: str, on: date) -> DataFrame | None:
    seal = context.seal(step, on=on)
    return spark.read.parquet(context.wiring.lake.parquet(seal.path, table)) if seal else None


def _legs(spark: SparkSession, of: str, columns: list[str] = LEG) -> Rows:
    """The day's posted legs of a kind of which there are few."""
    rows: Rows = spark.sql(f"select {', '.join(columns)} from ledger_txn where outcome = 'POSTED' and {of}").toArrow().to_pylist()
    return sorted(rows, key=lambda r: (r["platform"], r["request_no"], r["leg"]))


def _of_interest(context: StepContext, posted: Rows) -> Iterator[Violation]:
    """On the day of a credit: its shares against the balance-days of the accounts that are still open."""
    yesterday = context.custody_date - timedelta(days=1)
    credited = {leg["platform"] for leg in posted}
    since = {r["platform"]: r["since"] for r in context.rows("fees", "interest_since", on=yesterday) if r["platform"] in credited}
    if not since:
        return
    before = {seal.custody_date: seal for seal in context.seals_of("post") if seal.custody_date <= yesterday}
    days = balance_days(context.wiring.lake, before, since, yesterday)
    accounts = context.table("post", "sub_accounts")
    assert accounts is not None
    today = pa.scalar(context.custody_date, pa.date32())
    closed = accounts.filter(pc.fill_null(pc.less(accounts["closed_on"], today), False))["sub_account"]
    still = days.filter(pc.invert(pc.is_in(days["account"], closed))).to_pylist()
    credits = [leg for leg in posted if leg["direction"] == "IN"]
    yield from interest_as_owned(credits, [leg for leg in posted if leg["direction"] == "OUT"], still)


def _positions(context: StepContext, yesterday: date, fees: Rows) -> Iterable[Position]:
    """Of custody fees, with what today's cut-off sealed and today's legs."""
    before = [position_of(row) for row in context.rows("fees", "fee_positions", on=yesterday)]
    write_offs = [WriteOff(**row) for row in context.rows("fees", "fee_write_offs", on=yesterday)]
    return moved(before, write_offs, context.rows("cut_off", "decisions"), fees).positions.values()


def _core_chains(context: StepContext) -> Iterator[Iterator[Violation]]:
    """Of today, and of each date whose chain was broken when it was last looked at: a flow that reached the core's table late may
    explain it."""
    today, yesterday = context.custody_date, context.custody_date - timedelta(days=1)
    open_before = [
        b for b in context.rows("reconcile", "breaks", on=yesterday) if b["kind"] == BreakKind.BALANCE_CHAIN and "C" in b["sides"]
    ]
    broken = {date.fromisoformat(e["date"]) for b in open_before for e in json.loads(b["evidence"])}
    for on in sorted({today} | broken, reverse=True):
        flows: Counter[str] = Counter()
        for day in dates(on, (today - on).days + 1):
            extracted = context.table("extract", "core_flow", on=day, columns=["account", "core_date", "amount_minor"])
            if extracted is not None:
                of_date = extracted.filter(pc.equal(extracted["core_date"], pa.scalar(on, pa.date32())))
                sums = of_date.group_by("account").aggregate([("amount_minor", "sum")]).to_pylist()
                flows.update({row["account"]: row["amount_minor_sum"] for row in sums})
        balances, before = (context.rows("extract", "core_balance", on=day) for day in (on, on - timedelta(days=1)))
        yield core_chain(on, balances, before, flows)
