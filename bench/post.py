"""Posting a day: the whole ``post`` step (checks, entries, findings, snapshots, Parquet with row hashes, digests, commit) against
DuckDB SQL that only sums the same postings into balances and writes these. Both on two processes or threads."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench.harness import Run
from bench.post_day import DAY, make_day
from connectors.table_digest import content_digest

ROWS = 1_000_000
_PROCESSES = 2


def prepare(folder: Path, rows: int) -> int:
    return make_day(folder / "home", rows)


def ours(folder: Path) -> Run:
    from connectors.bootstrap import wire
    from jobs.registry import step_named
    from jobs.step import run_step
    from simulator.memory import peak_mib

    wiring = wire(folder / "home")
    step = step_named("post")
    started = time.perf_counter()
    result = run_step(wiring, step, DAY, "bench", f"run at {time.time_ns()}")
    seconds = time.perf_counter() - started
    read = wiring.lake.read(result.seal.path, "balances")
    assert result.tables["posting_findings"]["rows"] == 0
    assert result.tables["pending_instructions"]["rows"] == 0
    # The step's own process, and the largest of its workers as often as there are any.
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return Run({"post": seconds}, _answer(read["account"], read["closing_minor"]), peak_mib() + _PROCESSES * workers)


def duckdb_sums(folder: Path) -> Run:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {_PROCESSES}")
    legs = next((folder / "home").glob(f"lake/{DAY}/land/*/*/land_instruction"))
    started = time.perf_counter()
    connection.execute(f"copy ({_SUMS.format(legs=legs)}) to '{folder / 'sums.parquet'}' (format parquet)")
    seconds = time.perf_counter() - started
    found = connection.sql(f"select account, closing_minor from '{folder / 'sums.parquet'}'").to_arrow_table()
    return Run({"post": seconds}, _answer(found["account"], found["closing_minor"]))


_SUMS = """
with legs as (
  select txn_type, amount_minor as minor, platform,
         platform || '.' || from_role || '.' || from_user_no as payer, platform || '.' || to_role || '.' || to_user_no as payee,
         platform || coalesce(':CHANNEL_RECEIVABLE/' || channel, ':CORE_CASH') as came_by,
         platform || ':CHANNEL_PAYABLE/' || channel as payable
  from '{legs}/*.parquet'
),
moves as (
  select case txn_type when 'RECHARGE' then came_by
                       when 'TENDER_FREEZE' then payer || ':available' when 'WITHDRAW_FREEZE' then payer || ':available'
                       when 'REPAY_FREEZE' then payer || ':available' else payer || ':frozen' end as from_account,
         case txn_type when 'TENDER_FREEZE' then payer || ':frozen' when 'WITHDRAW_FREEZE' then payer || ':frozen'
                       when 'REPAY_FREEZE' then payer || ':frozen' when 'WITHDRAW' then payable
                       else payee || ':available' end as to_account,
         minor
  from legs
)
select account, sum(minor)::bigint as closing_minor
from (select from_account as account, -minor as minor from moves union all select to_account, minor from moves)
group by account
"""


def _answer(account: pa.ChunkedArray, closing_minor: pa.ChunkedArray) -> dict[str, object]:
    """Of the accounts that hold anything: how many, and a digest of each one's closing balance."""
    rows = pa.table({"account": account.cast(pa.string()), "closing_minor": closing_minor.cast(pa.int64())})
    rows = rows.filter(pc.not_equal(rows["closing_minor"], 0))
    return {"accounts": rows.num_rows, "balances": content_digest(rows)}


SIDES = {"ours": ours, "DuckDB sums": duckdb_sums}
