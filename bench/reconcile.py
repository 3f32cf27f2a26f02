"""The whole reconcile step (all relations, invariants, completeness proof, digests, commit) on a prepared day, against peers that
only match: a full outer join of the same three relations by hand in DuckDB, datacompy (both of its comparisons that need no server)
and a pandas merge of the claims alone.
Beside them the same step on Apache Spark. What matching stands on was laid by when the tables were written; bench item_index says
what that costs.

``rows`` are legs a side. Six kinds are planted on the platforms' side; every peer classifies them alike. The default keeps ``make
bench`` usable, ``make bench-large`` takes five millions. ``reconcile_cpu`` are seconds of all cores: on a machine that others use
too they say more than the clock.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness import Run
from bench.reconcile_day import DAY, make_day

if TYPE_CHECKING:
    from connectors.bootstrap import Wiring

ROWS = 1_000_000
KINDS = ("AMOUNT", "DIRECTION", "DUPLICATE", "MISSING_IN_PLATFORM", "UNAUTHORISED", "WRONG_ACCOUNT")
ON_SPARK = "ours, Apache Spark"
_THREADS = 2


def prepare(folder: Path, rows: int) -> int:
    return make_day(folder / "home", rows)


def cpu_seconds() -> float:
    """Of this process so far, all its threads together."""
    spent = os.times()
    return spent.user + spent.system


def timed(work: Callable[[], object], spent: Callable[[], float] = cpu_seconds) -> dict[str, float]:
    """The clock's seconds and the processors', both of the work alone."""
    started, before = time.perf_counter(), spent()
    work()
    return {"reconcile": time.perf_counter() - started, "reconcile_cpu": spent() - before}


def run_reconcile(wiring: Wiring, spent: Callable[[], float] = cpu_seconds) -> Run:
    """The step once more, as a new version of the day's; its proof must hold."""
    from jobs.registry import step_named
    from jobs.step import run_step
    from simulator.memory import peak_mib

    done: list[Any] = []
    seconds = timed(
        lambda: done.append(run_step(wiring, step_named("reconcile"), DAY, "bench", f"run at {time.time_ns()}")), spent
    )
    path = done[0].seal.path
    assert [p for p in wiring.lake.rows(path, "proof") if not p["holds"]] == []
    kinds = Counter(b["kind"] for b in wiring.lake.rows(path, "breaks"))
    totals = wiring.lake.rows(path, "match_totals")
    pairs = sum(t["rows"] for t in totals if (t["relation"], t["side"]) == ("AB_TXN", "A"))
    return Run(seconds, _answer(pairs, kinds), peak_mib())


def ours(folder: Path) -> Run:
    from connectors.bootstrap import wire

    return run_reconcile(wire(folder / "home"))


def ours_on_spark(folder: Path) -> Run:
    """The server is warm of nothing: each run has its own. Memory is the server's and this process's."""
    from cluster.machine import Ports
    from cluster.spark_connect import SparkConnect
    from connectors.bootstrap import Wiring
    from connectors.settings import load_settings
    from simulator.memory import cpu_seconds_of, peak_mib

    server = SparkConnect((folder / "spark").resolve(), Ports(folder.resolve()), cores=_THREADS)
    server.start()
    try:
        pid = server.daemon.pid
        assert pid is not None
        settings = load_settings(folder / "home")
        there = settings.model_copy(update={"engine": settings.engine.model_copy(update={"url": server.url})})
        found = run_reconcile(Wiring(there), lambda: cpu_seconds() + cpu_seconds_of(pid))
        return Run(found.seconds, found.answer, peak_mib() + peak_mib(pid))
    finally:
        server.stop()


def duckdb_by_hand(folder: Path) -> Run:
    """A full outer join of each relation, classified; what is not clean goes to Parquet."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {_THREADS}")
    seconds = timed(lambda: connection.execute(_DUCKDB.format(folder=folder, **_tables(folder))))
    (pairs,) = connection.execute("select pairs from clean").fetchone() or (0,)
    kinds = Counter(dict(connection.execute(f"select kind, count(*) from '{folder}/duckdb_ab.parquet' group by kind").fetchall()))
    return Run(seconds, _answer(pairs, kinds))


def datacompy_on_polars(folder: Path) -> Run:
    """It pairs repeated keys by an arbitrary order, so they are taken out first, as the rules demand."""
    import polars as pl
    from datacompy import PolarsCompare

    started, before = time.perf_counter(), cpu_seconds()
    keys, sides = ["platform", "request_no", "leg"], []
    for table in _claims_and_legs(folder):
        sides.append(pl.from_arrow(table))
    repeated = pl.concat([s.filter(s.select(keys).is_duplicated()).select(keys) for s in sides]).unique()
    once = [side.join(repeated, on=keys, how="anti") for side in sides]
    compared = PolarsCompare(once[0], once[1], join_columns=keys, df1_name="a", df2_name="b")
    pairs = compared.intersect_rows
    wrong = pairs.filter(~pl.all_horizontal(pl.col(f"{name}_match") for name in _COMPARED))
    kinds = Counter(_kind(row) for row in wrong.iter_rows(named=True))
    kinds |= {"UNAUTHORISED": compared.df1_unq_rows.height, "MISSING_IN_PLATFORM": compared.df2_unq_rows.height}
    kinds["DUPLICATE"] = repeated.height
    seconds = {"reconcile": time.perf_counter() - started, "reconcile_cpu": cpu_seconds() - before}
    return Run(seconds, _answer(pairs.height - wrong.height, kinds))


def datacompy_on_pandas(folder: Path) -> Run:
    """The package's first comparison, of the same rows."""
    import pandas as pd
    from datacompy import PandasCompare

    started, before = time.perf_counter(), cpu_seconds()
    keys = ["platform", "request_no", "leg"]
    sides = [table.to_pandas() for table in _claims_and_legs(folder)]
    repeated = pd.concat([side.loc[side.duplicated(keys, keep=False), keys] for side in sides]).drop_duplicates()
    once = [side.drop(index=side.index[side["request_no"].isin(repeated["request_no"])]) for side in sides]
    compared = PandasCompare(once[0], once[1], join_columns=keys, df1_name="a", df2_name="b")
    pairs = compared.intersect_rows
    wrong = pairs.loc[~pairs[[f"{name}_match" for name in _COMPARED]].all(axis=1)]
    kinds = Counter(_kind(row) for row in wrong.to_dict("records"))
    kinds |= {"UNAUTHORISED": len(compared.df1_unq_rows), "MISSING_IN_PLATFORM": len(compared.df2_unq_rows)}
    kinds["DUPLICATE"] = len(repeated)
    seconds = {"reconcile": time.perf_counter() - started, "reconcile_cpu": cpu_seconds() - before}
    return Run(seconds, _answer(len(pairs) - len(wrong), kinds))


def pandas_merge(folder: Path) -> Run:
    started, before = time.perf_counter(), cpu_seconds()
    keys = ["platform", "request_no", "leg"]
    sides = [table.to_pandas() for table in _claims_and_legs(folder)]
    repeated = [side.loc[side.duplicated(keys, keep=False), keys].drop_duplicates() for side in sides]
    merged = sides[0].merge(sides[1], how="outer", on=keys, suffixes=("_a", "_b"), indicator=True)
    twice = merged.merge(repeated[0], how="inner", on=keys)
    merged = merged.loc[~merged["request_no"].isin(twice["request_no"])]
    both = merged.loc[merged["_merge"] == "both"]
    differs = False
    for name in _COMPARED:
        a, b = both[f"{name}_a"], both[f"{name}_b"]
        differs = differs | ((a != b) & ~(a.isna() & b.isna()))
    wrong = both.loc[differs]
    kinds = Counter(_kind(row) for row in wrong.to_dict("records"))
    kinds |= {
        "UNAUTHORISED": int((merged["_merge"] == "left_only").sum()),
        "MISSING_IN_PLATFORM": int((merged["_merge"] == "right_only").sum()),
        "DUPLICATE": len(repeated[0]) + len(repeated[1]),
    }
    seconds = {"reconcile": time.perf_counter() - started, "reconcile_cpu": cpu_seconds() - before}
    return Run(seconds, _answer(len(both) - len(wrong), kinds))


_COMPARED = (
    "currency", "from_account", "to_account", "loan_id", "amount_minor", "coupon_minor", "principal_minor", "interest_minor",
    "penalty_minor", "status", "item_date",
)  # fmt: skip


def _kind(pair: dict[str, Any]) -> str:
    """Of a pair that differs, in the order of the rules; these days have no other kinds."""
    if pair["from_account_a"] == pair["to_account_b"] and pair["to_account_a"] == pair["from_account_b"]:
        return "DIRECTION"
    if (pair["from_account_a"], pair["to_account_a"]) != (pair["from_account_b"], pair["to_account_b"]):
        return "WRONG_ACCOUNT"
    return "AMOUNT"


def lake_tables(folder: Path) -> dict[str, Path]:
    """The folders of the prepared day's large tables."""
    return {table: next((folder / "home").glob(f"lake/{DAY}/{step}/*/*/{table}")) for step, table in _LARGE}


_LARGE = (
    ("land", "land_txn"),
    ("land", "land_settlement"),
    ("post", "ledger_txn"),
    ("post", "journal"),
    ("extract", "core_flow"),
)


def _tables(folder: Path) -> dict[str, str]:
    return {table: f"'{path}/*.parquet'" for table, path in lake_tables(folder).items()}


def _claims_and_legs(folder: Path) -> list[Any]:
    """Both sides as Arrow, accounts as the ledger names them."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {_THREADS}")
    views = _VIEWS.format(**_tables(folder))
    connection.execute(views)
    columns = ", ".join(("platform", "request_no", "leg", *_COMPARED))
    return [connection.sql(f"select {columns} from {side}").to_arrow_table() for side in ("claims", "legs")]


_VIEWS = """
create view claims as
  select party as platform, request_no, leg, custody_date as item_date, amount_minor, currency, loan_id, status,
         case when from_role = 'PLATFORM' then party || ':' || from_user_no else party || '.' || from_role || '.' || from_user_no end
           as from_account,
         case when to_role = 'PLATFORM' then party || ':' || to_user_no else party || '.' || to_role || '.' || to_user_no end
           as to_account,
         coalesce(principal_minor, 0) as principal_minor, coalesce(interest_minor, 0) as interest_minor,
         coalesce(penalty_minor, 0) as penalty_minor, coalesce(coupon_minor, 0) as coupon_minor, file_name, line_no
  from {land_txn};
create view legs as
  select platform, request_no, leg, value_date as item_date, amount_minor, currency, loan_id, status, from_account, to_account,
         principal_minor, interest_minor, penalty_minor, coupon_minor, file_name, line_no
  from {ledger_txn}
  where outcome in ('POSTED', 'NO_POSTING')
    and (contains(coalesce(from_account, ''), '.') or contains(coalesce(to_account, ''), '.')
         or contains(coalesce(from_account, ''), ':P_') or contains(coalesce(to_account, ''), ':P_'));
"""
_DUCKDB = (
    _VIEWS
    + """
create temp table repeated as
  select platform, request_no, leg from claims group by all having count(*) > 1
  union all select platform, request_no, leg from legs group by all having count(*) > 1;
create temp table judged as
  select a.platform, b.platform as b_platform, coalesce(a.request_no, b.request_no) as request_no, coalesce(a.leg, b.leg) as leg,
         a.file_name as a_file, a.line_no as a_line, b.file_name as b_file, b.line_no as b_line,
         a.amount_minor as a_minor, b.amount_minor as b_minor, case
    when a.platform is null then 'MISSING_IN_PLATFORM'
    when b.platform is null then 'UNAUTHORISED'
    when a.currency is distinct from b.currency then 'CURRENCY'
    when a.from_account is distinct from a.to_account and a.from_account is not distinct from b.to_account
         and a.to_account is not distinct from b.from_account then 'DIRECTION'
    when a.from_account is distinct from b.from_account or a.to_account is distinct from b.to_account then 'WRONG_ACCOUNT'
    when a.loan_id is distinct from b.loan_id then 'WRONG_LOAN'
    when a.amount_minor is distinct from b.amount_minor or a.coupon_minor is distinct from b.coupon_minor then 'AMOUNT'
    when a.principal_minor is distinct from b.principal_minor or a.interest_minor is distinct from b.interest_minor
         or a.penalty_minor is distinct from b.penalty_minor then 'ALLOCATION'
    when a.status is distinct from b.status then 'STATUS'
    when a.item_date is distinct from b.item_date then 'TIMING'
  end as kind
  from (select * from claims anti join repeated using (platform, request_no, leg)) a
  full outer join (select * from legs anti join repeated using (platform, request_no, leg)) b
    on a.platform = b.platform and a.request_no = b.request_no and a.leg = b.leg;
create temp table clean as select count(*) as pairs, sum(a_minor) as minor from judged where kind is null;
copy (
  select platform, request_no, leg, kind from judged where kind is not null
  union all select platform, request_no, leg, 'DUPLICATE' from repeated
) to '{folder}/duckdb_ab.parquet' (format parquet, compression zstd);
copy (
  select coalesce(b.request_no, c.request_no) as request_no, case
    when b.platform is null then 'MISSING_IN_LEDGER' when c.platform is null then 'MISSING_IN_CHANNEL'
    when b.amount_minor <> c.gross_minor then 'AMOUNT' when b.status <> c.status then 'STATUS' end as kind
  from (select * from {ledger_txn} where outcome = 'POSTED' and settle_date is not null) b
  full outer join {land_settlement} c on b.channel = c.party and b.platform = c.platform and b.request_no = c.request_no
  where kind is not null
) to '{folder}/duckdb_channel.parquet' (format parquet, compression zstd);
copy (
  select coalesce(b.core_ref, c.core_ref) as core_ref, case
    when b.core_ref is null then 'MISSING_IN_LEDGER' when c.core_ref is null then 'MISSING_IN_CORE'
    when b.minor <> c.minor then 'AMOUNT' end as kind
  from (select platform || if(from_account like '%:CORE_CASH' or to_account like '%:CORE_CASH', ':CUSTODY', ':OWN') as account, core_ref,
               sum(if(from_account like '%\\_CASH' escape '\\', amount_minor, -amount_minor)) as minor
        from {journal} where core_ref is not null group by all) b
  full outer join (select account, core_ref, sum(amount_minor) as minor from {core_flow} group by all) c
    on b.account = c.account and b.core_ref = c.core_ref
  where kind is not null
) to '{folder}/duckdb_core.parquet' (format parquet, compression zstd);
"""
)


def _answer(pairs: int, kinds: Counter[str]) -> dict[str, int]:
    """Clean pairs of claims and instructions, and cases by kind."""
    return {"MATCHED": pairs, **{kind: kinds[kind] for kind in KINDS}}


SIDES = {
    "ours": ours,
    "DuckDB, by hand": duckdb_by_hand,
    "datacompy (Polars)": datacompy_on_polars,
    "datacompy (pandas)": datacompy_on_pandas,
    "pandas merge": pandas_merge,
    ON_SPARK: ours_on_spark,
}
