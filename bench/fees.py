"""A day's custody fees of many platforms: facts from the posted day's tables, rated by their contracts and written, against DuckDB SQL by hand
that writes the same facts, lines, accruals and positions from the same Parquet.

Ours writes besides each period's state, and digests of all rows. Each platform has 2,000 sub-accounts and pays by balance, by recharge, by
withdrawal in tiers, a flat part and a minimum; one platform in ten has a rate of its own. Rows are sub-accounts.
"""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.committed import commit, cut_off, lay, new_instance
from bench.harness import Run

ROWS = 1_000_000
_ON = date(2020, 1, 2)
_ACCOUNTS = 2_000
_PART_PLATFORMS = 125
_LEGS = 400
_TERMS = {
    "valid_from": "2019-01-01", "valid_to": None, "currency": "CNY", "rounding": "half_even", "vat_rate": "0.06", "day_count": "actual/365", "charged": "monthly", "charge_business_day": 1, "flat_minor": 31_000, "minimum_minor": 155_000,
    "per_transaction_minor": {
        "RECHARGE": 20,
        "WITHDRAW": {"mode": "graduated", "tiers": [{"above": 0, "price_minor": 100}, {"above": 100, "price_minor": 80}]},
    },
}  # fmt: skip


def prepare(folder: Path, rows: int) -> int:
    """An instance whose first day is posted, as ``post`` lays it: in parts, platform by platform."""
    platforms = max(1, rows // _ACCOUNTS)
    with new_instance(folder / "home", _ON) as wiring:
        contracts = ((f"P{n:05d}", {"fee_contract": _terms(n)}) for n in range(platforms))
        commit(wiring, _ON, "cut_off", lambda writer: cut_off(writer, contracts, False))
        commit(wiring, _ON, "post", lambda writer: _posted(writer, platforms))
    return platforms * _ACCOUNTS


def _terms(platform: int) -> dict[str, Any]:
    """Nine in ten have the usual terms, the others pay by balance what they agreed."""
    return _TERMS | {"per_mille_year": _rate(platform)}


def _rate(platform: int) -> str:
    return "1.5" if platform % 10 else f"{1 + platform // 10 % 7}.25"


def _posted(writer: Any, platforms: int) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set enable_progress_bar = false")
    for first in range(0, platforms, _PART_PLATFORMS):
        of_part = {"first": first, "last": min(first + _PART_PLATFORMS, platforms)}
        for table, query in _DAY.items():
            lay(writer, table, connection.sql(query.format(**of_part)).to_arrow_table(), _ON)


# p: the platform's number, n: the account's or leg's on it.
_NAMED = "select p, 'P' || lpad(p::varchar, 5, '0') as platform, n from range({first}, {last}) of_platform(p), range("
_DAY = {
    "balances": f"""select platform, 'CUSTODY' as book, platform || '.LENDER.U' || lpad(n::varchar, 6, '0') || ':' || part as account,
      (hash(p, n, part) % 5000000)::bigint as closing_minor, 'CNY' as currency
      from ({_NAMED}{_ACCOUNTS}) of_it(n)), (values ('available'), ('frozen')) of_account(part) order by platform, account""",
    "sub_accounts": f"""select platform, platform || '.LENDER.U' || lpad(n::varchar, 6, '0') as sub_account,
      if(n % 100 = 0, date '{_ON}', date '2019-06-01') as opened_on from ({_NAMED}{_ACCOUNTS}) of_it(n)) order by sub_account""",
    "ledger_txn": f"""select platform, row_number() over (order by p, n) + {{first}} * 1000 as txn_no,
      ['RECHARGE', 'WITHDRAW', 'REPAYMENT', 'TENDER_FREEZE'][1 + n % 4] as txn_type, if(n % 50 = 0, 'REFUSED', 'POSTED') as outcome,
      100 + n as amount_minor from ({_NAMED}{_LEGS + 6}) of_it(n)) where n < {_LEGS} + p % 7 order by txn_no""",
    "journal": f"""select platform, row_number() over (order by p, n) + {{first}} * 1000 as entry_no, 'CUSTODY' as book,
      platform || ':CORE_CASH' as from_account, platform || '.LENDER.U000001:available' as to_account, 100 as amount_minor
      from ({_NAMED}{_LEGS}) of_it(n)) order by entry_no""",
}  # fmt: skip


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
    tables = {name: wiring.lake.read(result.seal.path, name) for name in _ANSWERS}
    wiring.close()
    return Run(seconds, _answer(tables))


def duckdb_sql(folder: Path) -> Run:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads = 2; set enable_progress_bar = false")
    home = folder / "home"
    lakes = {step: next(home.glob(f"lake/{_ON}/{step}/*/*")) for step in ("cut_off", "post")}
    started = time.perf_counter()
    for statement in _SQL.format(**lakes, on=_ON).split(";"):
        connection.execute(statement)
    for name in _WRITTEN:
        connection.execute(f"copy {name} to '{folder / name}.parquet' (format parquet)")
    seconds = {"fees": time.perf_counter() - started}
    return Run(seconds, _answer({name: connection.sql(f"from {name}").to_arrow_table() for name in _ANSWERS}))


# A day's part of rates by quarters of a per mille, in 1,460,000ths of a fen; of flat fee and minimum a 31st; rounded half even.
_SQL = """
create macro half_even(n, d) as n // d + case when 2 * (n % d) > d or (2 * (n % d) = d and (n // d) % 2 = 1) then 1 else 0 end;
create macro fraction(n, d) as (n // gcd(n, d))::varchar || if(d = gcd(n, d), '', '/' || (d // gcd(n, d))::varchar);
create temp table terms as
  select id as platform, json_extract_string(payload, '$.contract.fee_contract.per_mille_year') as rate,
         (4 * json_extract_string(payload, '$.contract.fee_contract.per_mille_year')::decimal(18, 2))::bigint as quarters
  from '{cut_off}/reference/*.parquet' where kind = 'party';
create temp table fee_facts as
  select platform, date '{on}' as fact_date, 'balance' as component, 0 as pieces, sum(closing_minor)::bigint as minor
    from '{post}/balances/*.parquet' where book = 'CUSTODY' and contains(account, '.') group by platform
  union all select platform, least(value_date, date '{on}'), txn_type, count(*), sum(amount_minor)::bigint
    from '{post}/ledger_txn/*.parquet' where outcome = 'POSTED' group by all
  union all select platform, date '{on}', 'account_opened', count(*), 0
    from '{post}/sub_accounts/*.parquet' where opened_on = date '{on}' group by platform
  union all select platform, of_day::date, 'balance', 0, sum(amount_minor * (contains(to_account, '.')::int - contains(from_account, '.')::int))::bigint
    from '{post}/journal/*.parquet', unnest(generate_series(value_date, date '{on}' - 1, interval 1 day)) days(of_day)
    where value_date < date '{on}' and book = 'CUSTODY' group by all;
create temp table of_day as
  select platform, rate, quarters, minor, coalesce(recharges, 0) as recharges, coalesce(withdrawals, 0) as withdrawals,
         20 * coalesce(recharges, 0) as recharged, 100 * least(coalesce(withdrawals, 0), 100) + 80 * greatest(coalesce(withdrawals, 0) - 100, 0) as withdrawn
  from terms left join (
    select platform, sum(minor) filter (component = 'balance')::bigint as minor, sum(pieces) filter (component = 'RECHARGE')::bigint as recharges,
           sum(pieces) filter (component = 'WITHDRAW')::bigint as withdrawals from fee_facts where fact_date = date '{on}' group by platform) using (platform);
create temp table fee_lines as
  with line as (
    select platform, 1 as place, 'balance' as component, minor as quantity, rate || ' per mille / 365' as terms, fraction(quarters * minor, 1460000::bigint) as fee from of_day
    union all select platform, 2, 'flat', 1, '31000 / 31', '1000' from of_day
    union all select platform, 3, 'transaction.RECHARGE', recharges, 'graduated 0:20', recharged::varchar from of_day where recharges > 0
    union all select platform, 4, 'transaction.WITHDRAW', withdrawals, 'graduated 0:100 100:80', withdrawn::varchar from of_day where withdrawals > 0
    union all select platform, 5, 'minimum', 1, '', fraction(short, 1460000::bigint) from (
      select platform, 1460000::bigint * (5000 - 1000 - recharged - withdrawn) - quarters * minor as short from of_day) where short > 0)
  select platform, row_number() over (partition by platform order by place) as line_no, component, quantity, terms, '1' as remaining, fee from line;
create temp table fee_accruals as
  select platform, date '{on}' as accrual_date, '2020-01' as period, minor as base_minor, net as net_minor, vat as vat_minor, net + vat as gross_minor,
         net + vat as accrued_minor, 'CNY' as currency, '3/50' as vat_rate, 'half_even' as rounding
  from (select platform, minor, net, half_even(6 * net, 100)::bigint as vat from (
    select platform, minor, half_even(greatest(quarters * minor + 1460000::bigint * (1000 + recharged + withdrawn), 1460000::bigint * 5000), 1460000)::bigint as net from of_day));
create temp table fee_positions as
  select platform, accrued_minor, 0 as charged_minor, 0 as collected_minor, 0 as written_off_minor, 0 as to_give_back_minor from fee_accruals;
create temp table interest_since as select platform, date '{on}' as since from terms
"""
_ANSWERS = ("fee_facts", "fee_lines", "fee_accruals")
_WRITTEN = (*_ANSWERS, "fee_positions", "interest_since")


def _answer(tables: dict[str, pa.Table]) -> dict[str, Any]:
    from connectors.lake import arrow_schema
    from connectors.table_digest import content_digest
    from schemas.tables import TABLES

    found: dict[str, Any] = {}
    for name, table in tables.items():
        columns = [field for field in arrow_schema(TABLES[name]) if field.name != "state"]
        kinds = pa.schema([pa.field(field.name, field.type) for field in columns])
        found[name] = [table.num_rows, content_digest(table.select(kinds.names).cast(kinds))]
    return found | {"net_minor": int(tables["fee_accruals"]["net_minor"].to_numpy().sum())}


SIDES = {"ours": ours, "DuckDB SQL": duckdb_sql}
