"""A day's custody fees of many platforms: facts from the posted day's tables, rated by their contracts and written, against DuckDB SQL by hand
that computes the same figures from the same Parquet.

Ours writes all of the step's tables with digests of their rows; DuckDB only the fees as Parquet. Each platform has 2,000 sub-accounts and pays by
balance, by recharge, by withdrawal in tiers, a flat part and a minimum. Rows are sub-accounts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.committed import commit
from bench.harness import Run

ROWS = 1_000_000
_ON = date(2020, 1, 2)
_ACCOUNTS = 2_000
_PART_PLATFORMS = 125
_LEGS = 400
_TERMS = {
    "valid_from": "2019-01-01", "valid_to": None, "currency": "CNY", "rounding": "half_even", "vat_rate": "0.06", "per_mille_year": "1.5",
    "day_count": "actual/365", "charged": "monthly", "charge_business_day": 1, "flat_minor": 31_000, "minimum_minor": 155_000,
    "per_transaction_minor": {
        "RECHARGE": 20,
        "WITHDRAW": {"mode": "graduated", "tiers": [{"above": 0, "price_minor": 100}, {"above": 100, "price_minor": 80}]},
    },
}  # fmt: skip


def prepare(folder: Path, rows: int) -> int:
    """An instance whose first day is posted, as ``post`` lays it: in parts, platform by platform."""
    from typer.testing import CliRunner

    from connectors.bootstrap import wire
    from console.cli import app

    home, platforms = folder / "home", max(1, rows // _ACCOUNTS)
    arguments = ["init", "--bank", "Bench", "--go-live", _ON.isoformat(), "--sftp-port", "2222"]
    made = CliRunner().invoke(app, arguments, env={"CUSTODY_HOME": str(home)})
    assert made.exit_code == 0, made.output
    wiring = wire(home)
    try:
        commit(wiring, _ON, "cut_off", lambda writer: _cut_off(writer, platforms))
        commit(wiring, _ON, "post", lambda writer: _posted(writer, platforms))
    finally:
        wiring.close()
    return platforms * _ACCOUNTS


def _name(platform: int) -> str:
    return f"P{platform:05d}"


def _cut_off(writer: Any, platforms: int) -> None:
    writer.declare("decisions")
    party = json.dumps({"kind": "PLATFORM", "status": "LIVE", "contract": {"fee_contract": _TERMS}})
    rows = [{"kind": "party", "id": _name(n), "payload": party} for n in range(platforms)]
    instance = {"bank": "Bench", "risk_horizon_business_days": 3, "reports": []}
    writer.table("reference", [*rows, {"kind": "instance", "id": "instance", "payload": json.dumps(instance)}])


def _posted(writer: Any, platforms: int) -> None:
    from connectors.lake import Part, conform
    from schemas.tables import TABLES

    for first in range(0, platforms, _PART_PLATFORMS):
        of_part = range(first, min(first + _PART_PLATFORMS, platforms))
        for table, columns in (
            ("balances", _balances(of_part)),
            ("sub_accounts", _accounts(of_part)),
            ("ledger_txn", _legs(of_part)),
            ("journal", _moves(of_part)),
        ):
            writer.part(Part.of(TABLES[table], conform(TABLES[table], _whole(table, columns))))


def _whole(table: str, columns: dict[str, Any]) -> pa.Table:
    from connectors.lake import arrow_schema
    from schemas.tables import TABLES

    size, filled = len(next(iter(columns.values()))), {}
    for field, column in zip(arrow_schema(TABLES[table]), TABLES[table].columns, strict=True):
        filler = None if column.nullable else {"int": 0, "text": "x", "date": _ON, "time": 0, "bool": False}[column.type]
        filled[field.name] = pa.array(columns[field.name] if field.name in columns else [filler] * size, field.type)
    return pa.table(filled)


def _each(platforms: range) -> Iterator[tuple[str, int]]:
    return ((_name(p), n) for p in platforms for n in range(_ACCOUNTS))


def _balances(platforms: range) -> dict[str, Any]:
    owners = [(p, f"{p}.LENDER.U{n:06d}") for p, n in _each(platforms)]
    minor = np.random.default_rng(platforms.start).integers(0, 5_000_000, 2 * len(owners))
    return {
        "platform": [p for p, _ in owners for _ in range(2)],
        "book": ["CUSTODY"] * (2 * len(owners)),
        "account": [f"{owner}:{part}" for _, owner in owners for part in ("available", "frozen")],
        "closing_minor": minor,
        "currency": ["CNY"] * (2 * len(owners)),
    }


def _accounts(platforms: range) -> dict[str, Any]:
    return {
        "platform": [p for p, _ in _each(platforms)],
        "sub_account": [f"{p}.LENDER.U{n:06d}" for p, n in _each(platforms)],
        "opened_on": [_ON if n % 100 == 0 else date(2019, 6, 1) for _, n in _each(platforms)],
    }


def _legs(platforms: range) -> dict[str, Any]:
    types = ["RECHARGE", "WITHDRAW", "REPAYMENT", "TENDER_FREEZE"]
    legs = [(_name(p), n) for p in platforms for n in range(_LEGS + p % 7)]
    return {
        "platform": [p for p, _ in legs],
        "txn_no": np.arange(len(legs)),
        "txn_type": [types[n % 4] for _, n in legs],
        "outcome": ["POSTED" if n % 50 else "REFUSED" for _, n in legs],
        "amount_minor": [100 + n for _, n in legs],
    }


def _moves(platforms: range) -> dict[str, Any]:
    legs = [_name(p) for p in platforms for _ in range(_LEGS)]
    return {
        "platform": legs,
        "entry_no": np.arange(len(legs)) + platforms.start * _LEGS,
        "book": ["CUSTODY"] * len(legs),
        "from_account": [f"{p}:CORE_CASH" for p in legs],
        "to_account": [f"{p}.LENDER.U000001:available" for p in legs],
        "amount_minor": [100] * len(legs),
    }


def ours(folder: Path) -> Run:
    from connectors.bootstrap import wire
    from jobs.fees import STEP
    from jobs.step import Step, StepContext, run_step

    seconds: dict[str, float] = {}

    def timed(context: StepContext) -> None:
        started = time.perf_counter()
        STEP.run(context)
        seconds["fees"] = time.perf_counter() - started

    wiring = wire(folder / "home")
    result = run_step(wiring, Step("fees", timed), _ON, "bench", f"run at {time.time_ns()}")
    fees = wiring.lake.read(result.seal.path, "fee_accruals", ["platform", "net_minor", "vat_minor"])
    wiring.close()
    return Run(seconds, _answer(fees))


def duckdb_sql(folder: Path) -> Run:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads = 2")
    lake = next((folder / "home").glob(f"lake/{_ON}/post/*/*"))
    started = time.perf_counter()
    connection.execute(f"copy ({_FEES.format(lake=lake)}) to '{folder / 'fees'}.parquet' (format parquet)")
    seconds = {"fees": time.perf_counter() - started}
    fees = connection.sql(f"select platform, net_minor, vat_minor from '{folder / 'fees'}.parquet'").to_arrow_table()
    return Run(seconds, _answer(fees))


# 1.5 per mille / 365 and the flat and least parts of one day of 31, in 365,000ths of a fen of which 3/2 a fen of balance; half even.
_FEES = """
with base as (
  select platform, sum(closing_minor)::hugeint as minor from '{lake}/balances/*.parquet'
  where book = 'CUSTODY' and contains(account, '.') group by platform
),
legs as (
  select platform, count(*) filter (txn_type = 'RECHARGE') as recharges, count(*) filter (txn_type = 'WITHDRAW') as withdrawals
  from '{lake}/ledger_txn/*.parquet' where outcome = 'POSTED' group by platform
),
opened as (
  select platform, count(*) as opened from '{lake}/sub_accounts/*.parquet' where opened_on = date '2020-01-02' group by platform
),
exact as (
  select platform, opened, 730000::hugeint as unit,
         greatest(3 * minor + 730000::hugeint * (20 * recharges + 100 * least(withdrawals, 100) + 80 * greatest(withdrawals - 100, 0) + 1000),
                  730000::hugeint * 5000) as parts
  from base left join legs using (platform) left join opened using (platform)
),
rounded as (
  select platform, opened,
         parts // unit + case when 2 * (parts % unit) > unit or (2 * (parts % unit) = unit and (parts // unit) % 2 = 1) then 1 else 0 end as net
  from exact
)
select platform, opened, net::bigint as net_minor,
       (6 * net // 100 + case when 2 * (6 * net % 100) > 100 or (2 * (6 * net % 100) = 100 and (6 * net // 100) % 2 = 1)
                              then 1 else 0 end)::bigint as vat_minor
from rounded order by platform
"""


def _answer(fees: pa.Table) -> dict[str, Any]:
    from connectors.table_digest import content_digest

    plain = pa.table({name: fees[name].cast(pa.string() if name == "platform" else pa.int64()) for name in fees.column_names})
    return {"fees": content_digest(plain), "platforms": fees.num_rows, "net_minor": int(fees["net_minor"].to_numpy().sum())}


SIDES = {"ours": ours, "DuckDB SQL": duckdb_sql}
