"""The flow matcher (jobs.reconcile.flows) on AB_TXN: Parquet in, matched and judged Parquet out, against two peers.

``rows`` are items a side; one in a thousand is not clean. Peers classify alike: the same kinds, in the same order of rules.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.harness import Run
from connectors.lake import arrow_schema
from schemas.tables import ITEM_COLUMNS, TABLES

ROWS = 1_000_000
_DAY = date(2020, 1, 2)
# What is wrong with the items whose number leaves this remainder by 5,000.
_AMOUNT, _ONLY_A, _ONLY_B, _TWICE_ON_A, _WRONG_ACCOUNT = 1, 2, 3, 4, 5
_COMPARED = (
    "currency", "from_account", "to_account", "loan_id", "amount_minor", "coupon_minor", "principal_minor", "interest_minor",
    "penalty_minor", "status", "item_date",
)  # fmt: skip


def prepare(folder: Path, rows: int) -> None:
    from connectors.settings import FILE_NAME, initial_settings

    left, right = _side(rows, "A"), _side(rows, "B")
    pq.write_table(pa.concat_tables([left, right]), folder / "items.parquet", compression="zstd")
    settings = initial_settings("bench", _DAY, 0)
    (folder / FILE_NAME).write_text(settings, encoding="utf-8")


def _side(rows: int, side: str) -> pa.Table:
    """One side's items in an order of its own (B runs backwards)."""
    number = np.arange(rows, dtype=np.int64)
    kind = number % 5_000
    if side == "A":
        number = np.concatenate([number[kind != _ONLY_B], number[kind == _TWICE_ON_A]])
    else:
        number = number[kind != _ONLY_A][::-1].copy()
    kind = number % 5_000
    amount = 1_000 + number * 37 % 5_000_000
    if side == "B":
        amount = np.where(kind == _AMOUNT, amount + 1, amount)
    payee = np.where((kind == _WRONG_ACCOUNT) & (side == "B"), number + 1, number) % 40_000
    text = pc.cast(pa.array(number), pa.string())
    platform = pa.DictionaryArray.from_arrays(pa.array(number % 5, pa.int32()), ["P001", "P002", "P003", "P004", "P005"])
    platform = platform.cast(pa.string())
    leg = pc.cast(pa.array(number % 3 + 1), pa.string())
    values = {
        "relation": "AB_TXN",
        "side": side,
        "row_ref": _joined(f"{side}_TXN_20200102_01_v1.csv:", pc.cast(pa.array(np.arange(len(number)) + 2), pa.string())),
        "match_key": _joined(platform, "|R20200102", text, "|", leg),
        "platform": platform,
        "subject": _joined("TXN|R20200102", text, "|", leg),
        "item_date": pa.scalar(_DAY),
        "event_time": pa.array(1_577_894_400_000_000 + number * 50_000, pa.timestamp("us", tz="UTC")),
        "amount_minor": pa.array(amount),
        "currency": "CNY",
        "from_account": _joined(platform, ".LENDER.L", pc.cast(pa.array(number % 90_000), pa.string())),
        "to_account": _joined(platform, ".BORROWER.B", pc.cast(pa.array(payee), pa.string())),
        "loan_id": pc.if_else(pa.array(number % 4 == 0), None, _joined("LN", pc.cast(pa.array(number % 2_000), pa.string()))),
        "status": "SUCCESS",
        "principal_minor": pa.array(number % 1_000),
        "interest_minor": pa.array(number % 50),
        "penalty_minor": 0,
        "coupon_minor": 0,
        "counterpart_file": _joined("GW|INSTRUCTION|", _DAY.isoformat()),
        "in_window": False,
    }
    schema = arrow_schema(TABLES["open_items"])
    assert [word.partition(":")[0] for word in ITEM_COLUMNS.split()] == schema.names
    columns = [_column(values.get(field.name), field.type, len(number)) for field in schema]
    return pa.Table.from_arrays(columns, names=schema.names)


def _joined(*parts: object) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _column(value: object, type_: pa.DataType, rows: int) -> pa.Array:
    """An array as it is; one value, or none, for every row."""
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        return value
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    return pa.repeat(pa.scalar(value, type_), rows)


def ours(folder: Path) -> Run:
    from connectors.engine import engine
    from connectors.settings import load_settings
    from jobs.reconcile.flows import judge_rest, match_flows
    from schemas.rule_book import book_with

    relations = book_with([]).rules_on(_DAY).relations

    with engine(load_settings(folder)) as spark:
        started = time.perf_counter()
        spark.read.parquet(str(folder / "items.parquet")).createOrReplaceTempView("items")
        spark.createDataFrame([], "relation string, side string, match_key string").createOrReplaceTempView("matched_before")
        flows = match_flows(spark, relations)
        judged = [
            {**item, "kind": str(verdict.rule)}
            for _, items, verdict in judge_rest(relations, flows.rest, _DAY, frozenset(), frozenset(), frozenset())
            for item in items
        ]
        pq.write_table(flows.matched, folder / "ours_matched.parquet", compression="zstd")
        rest = arrow_schema(TABLES["open_items"]).append(pa.field("kind", pa.string()))
        pq.write_table(pa.Table.from_pylist(judged, rest), folder / "ours_rest.parquet", compression="zstd")
        seconds = time.perf_counter() - started
    return Run({"match": seconds}, _classes(flows.matched.num_rows, [row["kind"] for row in judged]))


def datacompy_on_polars(folder: Path) -> Run:
    """It pairs repeated keys by an arbitrary order, so they are taken out first, as the rules demand."""
    import polars as pl
    from datacompy import PolarsCompare

    started = time.perf_counter()
    items = pl.read_parquet(folder / "items.parquet")
    sides = [items.filter(pl.col("side") == side) for side in ("A", "B")]
    repeated = pl.concat([side.filter(pl.col("match_key").is_duplicated()).select("match_key") for side in sides]).unique()
    once = [side.join(repeated, on="match_key", how="anti").select("match_key", *_COMPARED) for side in sides]
    compared = PolarsCompare(once[0], once[1], join_columns="match_key", df1_name="a", df2_name="b")
    pairs = compared.intersect_rows.with_columns(kind=_kind_in_polars(pl))
    pairs.filter(pl.col("kind").is_null()).write_parquet(folder / "datacompy_matched.parquet", compression="zstd")
    rest = pl.concat(
        [
            pairs.filter(pl.col("kind").is_not_null()).select("match_key", "kind", rows=2),
            compared.df1_unq_rows.select("match_key", kind=pl.lit("UNAUTHORISED"), rows=1),
            compared.df2_unq_rows.select("match_key", kind=pl.lit("MISSING_IN_PLATFORM"), rows=1),
            items.join(repeated, on="match_key", how="semi").select("match_key", kind=pl.lit("DUPLICATE"), rows=1),
        ]
    )
    rest.write_parquet(folder / "datacompy_rest.parquet", compression="zstd")
    seconds = time.perf_counter() - started
    kinds = [kind for kind, rows in rest.select("kind", "rows").iter_rows() for _ in range(rows)]
    return Run({"match": seconds}, _classes(2 * pairs["kind"].null_count(), kinds))


def _kind_in_polars(pl: object) -> object:
    col, when = pl.col, pl.when  # type: ignore[attr-defined]
    swapped = (
        col("from_account_a").ne_missing(col("to_account_a"))
        & col("from_account_a").eq_missing(col("to_account_b"))
        & col("to_account_a").eq_missing(col("from_account_b"))
    )
    differs = {name: ~col(f"{name}_match") for name in _COMPARED}
    kind = when(differs["currency"]).then(pl.lit("CURRENCY"))  # type: ignore[attr-defined]
    for test, name in (
        (swapped, "DIRECTION"),
        (differs["from_account"] | differs["to_account"], "WRONG_ACCOUNT"),
        (differs["loan_id"], "WRONG_LOAN"),
        (differs["amount_minor"] | differs["coupon_minor"], "AMOUNT"),
        (differs["principal_minor"] | differs["interest_minor"] | differs["penalty_minor"], "ALLOCATION"),
        (differs["status"], "STATUS"),
        (differs["item_date"], "TIMING"),
    ):
        kind = kind.when(test).then(pl.lit(name))  # type: ignore[attr-defined]
    return kind.otherwise(None)


_DUCKDB = """
create view items as select * from read_parquet('{folder}/items.parquet');
create temp table keys as
  select match_key, count(*) as n, count(*) filter (side = 'A') as n_left from items where match_key is not null group by match_key;
create temp table pairs as
  select l.match_key, case
    when l.currency is distinct from r.currency then 'CURRENCY'
    when l.from_account is distinct from l.to_account and l.from_account is not distinct from r.to_account
         and l.to_account is not distinct from r.from_account then 'DIRECTION'
    when l.from_account is distinct from r.from_account or l.to_account is distinct from r.to_account then 'WRONG_ACCOUNT'
    when l.loan_id is distinct from r.loan_id then 'WRONG_LOAN'
    when l.amount_minor is distinct from r.amount_minor or l.coupon_minor is distinct from r.coupon_minor then 'AMOUNT'
    when l.principal_minor is distinct from r.principal_minor or l.interest_minor is distinct from r.interest_minor
         or l.penalty_minor is distinct from r.penalty_minor then 'ALLOCATION'
    when l.status is distinct from r.status then 'STATUS'
    when l.item_date is distinct from r.item_date and not (l.in_window or r.in_window) then 'TIMING'
  end as kind
  from items l join items r on l.match_key = r.match_key and l.side = 'A' and r.side = 'B'
  join keys k on k.match_key = l.match_key and k.n = 2 and k.n_left = 1;
copy (
  select i.relation, i.side, i.row_ref, i.item_date, i.platform, i.subject, 'MATCHED' as bucket, 'exact' as rule, i.match_key,
         i.amount_minor
  from items i join pairs p on p.match_key = i.match_key and p.kind is null
) to '{folder}/duckdb_matched.parquet' (format parquet, compression zstd);
copy (
  select i.*, case
    when i.match_key is null then 'ORPHAN'
    when k.n > 2 or (k.n = 2 and k.n_left <> 1) then 'DUPLICATE'
    when p.kind is not null then p.kind
    when i.side = 'A' then 'UNAUTHORISED'
    else 'MISSING_IN_PLATFORM'
  end as kind
  from items i left join pairs p on p.match_key = i.match_key left join keys k on k.match_key = i.match_key
  where p.match_key is null or p.kind is not null
) to '{folder}/duckdb_rest.parquet' (format parquet, compression zstd);
"""


def duckdb_by_hand(folder: Path) -> Run:
    import duckdb

    connection = duckdb.connect()
    started = time.perf_counter()
    connection.execute(_DUCKDB.format(folder=folder))
    seconds = time.perf_counter() - started
    matched = pq.read_metadata(folder / "duckdb_matched.parquet").num_rows
    kinds = pq.read_table(folder / "duckdb_rest.parquet", columns=["kind"])["kind"].to_pylist()
    return Run({"match": seconds}, _classes(matched, kinds))


def _classes(matched: int, kinds: list[str]) -> dict[str, int]:
    """Items (not pairs) by class."""
    return {"MATCHED": matched, **dict(sorted(Counter(kinds).items()))}


SIDES = {"ours": ours, "datacompy (Polars)": datacompy_on_polars, "DuckDB, by hand": duckdb_by_hand}
