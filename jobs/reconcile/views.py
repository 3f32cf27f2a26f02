"""The engine's views of the day: what flow relations are asked of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from connectors.item_index import column, printed
from connectors.lake import arrow_schema
from custody.errors import StopRun
from jobs.reconcile.day import Day
from jobs.reconcile.e_accounts import e_account_queries
from jobs.reconcile.prints import SEALED_SIDES
from jobs.reconcile.relations import FLOW_VIEWS, side_queries, view_of
from jobs.reconcile.restated import Withdrawal, withdraw
from jobs.step import StepContext
from schemas.tables import TABLES

_ITEM = TABLES["open_items"].names


@dataclass(frozen=True)
class Books:
    """The day's items: new ones, ``carried`` in, and those that a restated file set free (``withdrawal``). ``released``: (relation, key)
    of what restated files set free today."""

    withdrawal: Withdrawal
    carried: pa.Table
    released: frozenset[tuple[str, str]]

    def beside_sealed(self, spark: SparkSession, relation: str, side: str) -> list[pa.Table]:
        """Items whose numbers do not lie in the lake with today's rows."""
        if (relation, side) not in SEALED_SIDES:
            columns = {"row_ref", "match_key", "platform", "status", *printed(relation)}
            return [spark.table(view_of(relation, side)).select(*sorted(columns)).toArrow()]
        return [_of_side(self.carried, relation, side), _of_side(self.withdrawal.freed, relation, side)]

    def left_over_view(self, day: Day, spark: SparkSession, relation: str, side: str, null_keys: bool) -> str:
        """A view of the items whose key's hash is in view ``left_over_of`` the relation, and of those without a key if there are such. Rows are chosen by
        what lies in the lake before anything is made of their cells; a few more may be among them."""
        sealed = SEALED_SIDES.get((relation, side))
        if sealed is None:
            return view_of(relation, side)
        key, row = column(relation, "key"), column(relation, "row")
        rows = f"select t.* from {sealed.table} t left semi join {left_over_of(relation)} s on s.h = t.{key}"
        if null_keys:
            rows += f" union all select * from {sealed.table} where {key} is null and {row} is not null"
        # Relations are matched at the same time.
        of = f"_{left_over_of(relation)}"
        spark.sql(rows).createOrReplaceTempView(f"{sealed.table}{of}")
        items = new_items(day, spark, of, ((relation, side),))[relation, side]
        self.with_others(spark, items, relation, side).createOrReplaceTempView(f"{view_of(relation, side)}_left")
        return f"{view_of(relation, side)}_left"

    def with_others(self, spark: SparkSession, items: DataFrame, relation: str, side: str) -> DataFrame:
        for more in (self.carried, self.withdrawal.freed):
            mine = _of_side(more, relation, side)
            if mine.num_rows:
                items = items.unionByName(spark.createDataFrame(mine.select(_ITEM)))
        return items


def _of_side(items: pa.Table, relation: str, side: str) -> pa.Table:
    return items.filter(pc.and_(pc.equal(items["relation"], relation), pc.equal(items["side"], side)))


def left_over_of(relation: str) -> str:
    """The name of the view of the hashes of its keys that are not clean."""
    return f"left_over_{relation.lower()}"


def open_books(day: Day, spark: SparkSession) -> Books:
    """Makes views of the day's new rows, and one for each side of each flow relation (relations.view_of) with its items."""
    new_rows(day, spark, day.today)
    _terms(day, spark)
    withdrawal = withdraw(day, spark, day.reference.rules.window_minutes, _gateway(day))
    carried = day.context.table("reconcile", "open_items", on=day.yesterday)
    if carried is None:
        carried = arrow_schema(TABLES["open_items"]).empty_table()
    if withdrawal.refs:
        refs = pa.array(sorted(withdrawal.refs))
        carried = carried.filter(pc.invert(pc.and_(pc.equal(carried["side"], "B"), pc.is_in(carried["row_ref"], refs))))
    if withdrawal.names:
        of_file = pc.list_element(pc.split_pattern(carried["row_ref"], ":"), 0)
        carried = carried.filter(pc.invert(pc.is_in(of_file, pa.array(sorted(withdrawal.names)))))
    released = frozenset(zip(*(withdrawal.released[n].to_pylist() for n in ("relation", "match_key")), strict=True))
    books = Books(withdrawal, carried, released)
    for (relation, side), items in new_items(day, spark).items():
        books.with_others(spark, items, relation, side).createOrReplaceTempView(view_of(relation, side))
    return books


def new_rows(day: Day, spark: SparkSession, on: date, of: str = "") -> None:
    """Views of what came on a date; their names end in ``of``."""
    e_accounts = (("extract", "e_account_flow"),) if day.has_e_accounts else ()
    for step, table in (*FLOW_VIEWS, *e_accounts):
        _read(day.context, spark, step, table, on).createOrReplaceTempView(f"{table}{of}")


def _terms(day: Day, spark: SparkSession) -> None:
    """Views of what contracts say today: fee_rates of channels, and e_account_days."""
    if day.has_e_accounts:
        periods = [(platform, *period) for platform, period in sorted(day.reference.e_account_periods().items())]
        schema = "e_platform string, first_date date, last_date date"
        spark.createDataFrame(periods, schema).createOrReplaceTempView("e_account_days")
    rates = [(rate.channel, rate.millionths, rate.least_minor) for rate in day.reference.channel_rates()]
    schema = "fee_channel string, rate_millionths bigint, min_fee_minor bigint"
    spark.createDataFrame(rates, schema).createOrReplaceTempView("fee_rates")


def _gateway(day: Day) -> str:
    gateways = day.reference.gateways()
    if len(gateways) != 1:
        raise StopRun(f"one live gateway is needed to reconcile {day.today}; the cut-off sealed {gateways}")
    return gateways[0]


def new_items(
    day: Day, spark: SparkSession, of: str = "", sides: Collection[tuple[str, str]] | None = None
) -> dict[tuple[str, str], DataFrame]:
    """Each relation's and side's items, or of ``sides`` only: of the views of ``new_rows``, or of those whose names end in ``of`` besides."""
    terms = day.reference.rules.window_minutes, _gateway(day), of
    queries = side_queries(*terms) | (e_account_queries(*terms) if day.has_e_accounts else {})
    return {side: spark.sql(query).toDF(*_ITEM) for side, query in queries.items() if sides is None or side in sides}


def column_view(spark: SparkSession, view: str, column: str, values: pa.Array | pa.ChunkedArray) -> None:
    """A view of one column, be it empty."""
    if len(values):
        frame = spark.createDataFrame(pa.table({column: values}))
    else:
        frame = spark.createDataFrame([], f"{column} {'string' if pa.types.is_string(values.type) else 'bigint'}")
    frame.createOrReplaceTempView(view)


def _read(context: StepContext, spark: SparkSession, step: str, table: str, on: date | None = None) -> DataFrame:
    seal = context.seal(step, on)
    assert seal is not None
    return spark.read.parquet(context.wiring.lake.parquet(seal.path, table))
