"""What e-accounts hold at the core (custody.core_model): each against our snapshot, their sum against ours, and each against its own
rows. Sides A, B and C of an account stand in one case.

The engine picks what differs: of a sound day nothing comes to Python, however many accounts there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from custody.calendar import dates
from custody.core_model import E_ACCOUNTS, Flag, Period
from custody.invariants import Violation
from custody.names import Book, BreakKind, platform_of
from custody.ports import Row
from jobs.reconcile.breaks import Breaks, add_violation
from jobs.reconcile.day import Day
from jobs.reconcile.e_accounts import ROOT, silent_core
from jobs.reconcile.evidence import of_balance
from jobs.step import StepContext

_SIDES = "BC"
# Causes (custody.causes) that no figure has to prove.
_NOT_SHOWN, _NOT_AGREED = "core_shows_no_e_account", "contract_without_e_accounts"


@dataclass(frozen=True)
class EBalances:
    """``differing``: accounts of which ledger and core do not say the same, with what each says; ``violations``: of sums and chains."""

    differing: list[Row] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)


def find_e_balances(day: Day, spark: SparkSession) -> EBalances:
    """Views inv_balances (today's snapshot) and land_balance (what platforms say of today) are there."""
    context, periods = day.context, day.reference.e_account_periods()
    shown = sorted(p for p, period in periods.items() if day.today in period and p not in day.silent_cores)
    violations = [*_silent(day), *_refused(context.rows("extract", "e_accounts_refused"), periods)]
    if not shown:
        return EBalances([], violations)
    spark.createDataFrame([(p,) for p in shown], "platform string").createOrReplaceTempView("e_shown")
    for name, on in (("e_balances", day.today), ("e_balances_before", day.yesterday)):
        _balances(context, spark, on).createOrReplaceTempView(name)
    violations += _chains(day, spark)
    if day.lacks_instructions(day.today):
        # Our own side of the date is not known.
        return EBalances([], violations)
    differing = _rows(spark, _DIFFERING.format(today=day.today.isoformat()))
    violations += [
        Violation(
            BreakKind.INV_01,
            row["platform"],
            _SIDES,
            f"INV|INV_01|{row['platform']}:E_ACCOUNTS",
            abs(row["ledger_minor"] - row["core_minor"]),
            {"ledger": row["ledger_minor"], "core": row["core_minor"]},
        )
        for row in _rows(spark, _TOTALS)
    ]
    return EBalances(differing, violations)


def add_e_balances(breaks: Breaks, found: EBalances, on: date) -> None:
    for row in found.differing:
        off = abs((row["core_minor"] or 0) - (row["ledger_minor"] or 0))
        breaks.add(row["platform"], _SIDES, f"E_BALANCE|{row['account']}", row["kind"], off, of_balance(row, on))
    for violation in found.violations:
        add_violation(breaks, violation)


def _silent(day: Day) -> Iterator[Violation]:
    """The contract says that the core shows e-accounts and it shows none: rows of ours wait, and one case says why."""
    for platform, first in sorted(day.silent_cores.items()):
        figures: dict[str, int | str] = {
            "contract": "E_ACCOUNT",
            "since": day.reference.e_account_periods()[platform].first.isoformat(),
            "silent_since": first.isoformat(),
            "date": day.today.isoformat(),
            "e_accounts_shown": 0,
        }
        yield Violation(BreakKind.MISSING_IN_CORE, platform, _SIDES, silent_core(platform), 0, figures, _NOT_SHOWN)


def _refused(refused: Iterable[Row], periods: Mapping[str, Period]) -> Iterator[Violation]:
    """The core shows e-accounts and the contract says HUB for that date: nothing of them is compared."""
    found: dict[str, list[Row]] = {}
    for row in refused:
        found.setdefault(row["platform"], []).append(row)
    for platform, rows in sorted(found.items()):
        figures: dict[str, int | str] = {
            "contract": f"E_ACCOUNT {periods[platform].first}..{periods[platform].last}" if platform in periods else "HUB",
            "first_date": min(r["core_date"] for r in rows).isoformat(),
            "last_date": max(r["core_date"] for r in rows).isoformat(),
            "flow_rows": sum(r["flows"] for r in rows),
            "balances": sum(r["balances"] for r in rows),
        }
        amount = sum(r["flow_minor"] for r in rows)
        yield Violation(BreakKind.ORPHAN, platform, _SIDES, silent_core(platform), amount, figures, _NOT_AGREED)


def _chains(day: Day, spark: SparkSession) -> Iterator[Violation]:
    """Of today, and of each date whose chain was broken when it was last looked at: a row that reached the core's table late may
    explain it."""
    broken = {
        date.fromisoformat(e["date"])
        for b in day.breaks_before
        if b["kind"] == BreakKind.BALANCE_CHAIN and b["subject"].startswith("CHAIN|") and is_e_account(b["subject"])
        for e in json.loads(b["evidence"])
    }
    for on in sorted({day.today} | broken, reverse=True):
        for name, of in (("chain_balances", on), ("chain_before", on - timedelta(days=1))):
            _balances(day.context, spark, of).createOrReplaceTempView(name)
        flows = [
            frame
            for extracted in dates(on, (day.today - on).days + 1)
            if (frame := _table(day.context, spark, "e_account_flow", extracted)) is not None
        ]
        union = flows[0]
        for frame in flows[1:]:
            union = union.unionByName(frame)
        union.where(F.col("core_date") == F.lit(on)).createOrReplaceTempView("chain_flows")
        for row in _rows(spark, _CHAINS):
            yield _chain(row, on)


def is_e_account(subject: str) -> bool:
    """Whether the account that a chain (``CHAIN|account``) is about is none of a platform's general ones."""
    account = subject.partition("|")[2]
    return "." in account or (":" in account and account.partition(":")[2] not in (Book.CUSTODY, Book.OWN))


def _chain(row: Row, on: date) -> Violation:
    figures: dict[str, int | str] = {
        "date": on.isoformat(),
        "day_before": row["before_minor"],
        "opening": row["opening_minor"],
        "flows": row["booked_minor"],
        "closing": row["closing_minor"],
        "rows_out_of_chain": row["off_rows"],
    }
    off = abs(row["opening_minor"] + row["booked_minor"] - row["closing_minor"])
    off = off or abs(row["before_minor"] - row["opening_minor"]) or row["off_minor"]
    account = row["account"]
    return Violation(BreakKind.BALANCE_CHAIN, platform_of(account), _SIDES, f"CHAIN|{account}", off, figures)


def _balances(context: StepContext, spark: SparkSession, on: date) -> DataFrame:
    """Of the date; none of a date before the first."""
    found = _table(context, spark, "e_account_balance", on)
    if found is None:
        today = _table(context, spark, "e_account_balance", context.custody_date)
        assert today is not None
        return today.where("1 = 0")
    return found


def _table(context: StepContext, spark: SparkSession, table: str, on: date) -> DataFrame | None:
    seal = context.seal("extract", on)
    return None if seal is None else spark.read.parquet(context.wiring.lake.parquet(seal.path, table))


def _rows(spark: SparkSession, query: str) -> list[Row]:
    """The engine's row order must decide nothing."""
    return sorted(spark.sql(query).toArrow().to_pylist(), key=lambda row: str(list(row.values())))


_LEDGER = f"""
select b.platform, {ROOT.format("b.account")} as account, min(b.currency) as currency, cast(sum(b.closing_minor) as bigint) as minor
from inv_balances b left semi join e_shown s on s.platform = b.platform
where b.book = '{Book.CUSTODY}' and {ROOT.format("b.account")} rlike '{E_ACCOUNTS}' group by 1, 2
"""
_CORE = "select c.* from e_balances c left semi join e_shown s on s.platform = c.platform"
_DIFFERING = f"""
with differing as (
  select coalesce(l.platform, c.platform) as platform, coalesce(l.account, c.account) as account, l.minor as ledger_minor,
         c.closing_minor as core_minor, l.currency as ledger_currency, c.currency as core_currency,
         case when l.currency <> c.currency then '{BreakKind.CURRENCY}' when c.account is null then '{BreakKind.MISSING_IN_CORE}'
              when l.account is null then '{BreakKind.MISSING_IN_LEDGER}' else '{BreakKind.AMOUNT}' end as kind
  from ({_LEDGER}) l full outer join ({_CORE}) c on c.account = l.account
  where coalesce(l.minor, 0) <> coalesce(c.closing_minor, 0) or l.currency <> c.currency
)
select d.*, a.available_minor + a.frozen_minor as told_minor, concat(a.file_name, ':', a.line_no) as told_ref
from differing d left join land_balance a on a.custody_date = date '{{today}}'
 and d.account = if(a.role = 'PLATFORM', concat(a.party, ':', a.user_no), concat(a.party, '.', a.role, '.', a.user_no))
"""
_TOTALS = f"""
select s.platform, coalesce(l.minor, 0) as ledger_minor, coalesce(c.minor, 0) as core_minor
from e_shown s
left join (select platform, cast(sum(minor) as bigint) as minor from ({_LEDGER}) group by platform) l on l.platform = s.platform
left join (select platform, cast(sum(closing_minor) as bigint) as minor from ({_CORE}) group by platform) c on c.platform = s.platform
where coalesce(l.minor, 0) <> coalesce(c.minor, 0)
"""
# Each row's balance is that after the row before and its own amount; the first follows from the opening, the last is the closing.
_CHAINS = f"""
with flow as (
  select f.account, f.seq, f.extracted_for, f.balance_after_minor as after_minor,
         if(f.flag = '{Flag.LEAVES}', -f.amount_minor, f.amount_minor) as minor
  from chain_flows f
),
step as (
  select f.account, f.minor,
         f.after_minor - f.minor
           - coalesce(lag(f.after_minor) over (partition by f.account order by f.seq, f.extracted_for), b.opening_minor) as gap_minor
  from flow f join chain_balances b on b.account = f.account
),
booked as (
  select account, cast(sum(minor) as bigint) as minor, cast(sum(if(gap_minor <> 0, 1, 0)) as bigint) as off_rows,
         cast(max(abs(gap_minor)) as bigint) as off_minor
  from step group by account
)
select b.account, coalesce(y.closing_minor, b.opening_minor) as before_minor, b.opening_minor, b.closing_minor,
       coalesce(k.minor, 0) as booked_minor, coalesce(k.off_rows, 0) as off_rows, coalesce(k.off_minor, 0) as off_minor
from chain_balances b left join chain_before y on y.account = b.account left join booked k on k.account = b.account
where coalesce(y.closing_minor, b.opening_minor) <> b.opening_minor or coalesce(k.off_rows, 0) <> 0
   or b.opening_minor + coalesce(k.minor, 0) <> b.closing_minor
"""
