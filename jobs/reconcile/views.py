"""The engine's views of the day: what flow relations are asked of."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from custody.errors import StopRun
from jobs.reconcile.day import Day
from jobs.reconcile.e_accounts import e_account_queries
from jobs.reconcile.relations import FLOW_VIEWS, side_queries, view_of
from jobs.reconcile.restated import Withdrawal, withdraw
from jobs.step import StepContext
from schemas.tables import TABLES

_ITEM = TABLES["open_items"].names


def flow_views(day: Day, spark: SparkSession) -> Withdrawal:
    """Views of the day's new rows, and one for each side of each flow relation (relations.view_of): its items, new, carried in and
    set free by a restated file. Returns what restated files withdraw."""
    new_rows(day, spark, day.today)
    withdrawal = withdraw(day, spark, day.reference.rules.window_minutes, _gateway(day))
    carried = day.context.table("reconcile", "open_items", on=day.yesterday)
    if carried is not None and withdrawal.refs:
        refs = pa.array(sorted(withdrawal.refs))
        carried = carried.filter(pc.invert(pc.and_(pc.equal(carried["side"], "B"), pc.is_in(carried["row_ref"], refs))))
    if carried is not None and withdrawal.names:
        of_file = pc.list_element(pc.split_pattern(carried["row_ref"], ":"), 0)
        carried = carried.filter(pc.invert(pc.is_in(of_file, pa.array(sorted(withdrawal.names)))))
    for (relation, side), items in new_items(day, spark).items():
        if carried is not None:
            mine = carried.filter(pc.and_(pc.equal(carried["relation"], relation), pc.equal(carried["side"], side)))
            if mine.num_rows:
                items = items.unionByName(spark.createDataFrame(mine.select(items.columns)))
        if withdrawal.freed is not None:
            freed = withdrawal.freed.where((F.col("relation") == relation) & (F.col("side") == side))
            items = items.unionByName(freed.select(*items.columns))
        items.createOrReplaceTempView(view_of(relation, side))
    return withdrawal


def new_rows(day: Day, spark: SparkSession, on: date) -> None:
    """Views of what came on a date, and the channels' fee_rates."""
    for step, table in FLOW_VIEWS:
        _read(day.context, spark, step, table, on).createOrReplaceTempView(table)
    if day.has_e_accounts:
        _read(day.context, spark, "extract", "e_account_flow", on).createOrReplaceTempView("e_account_flow")
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


def new_items(day: Day, spark: SparkSession) -> dict[tuple[str, str], DataFrame]:
    """Of the views of ``new_rows``: each relation's and side's items."""
    of = day.reference.rules.window_minutes, _gateway(day)
    queries = side_queries(*of) | (e_account_queries(*of) if day.has_e_accounts else {})
    return {side: spark.sql(query).toDF(*_ITEM) for side, query in queries.items()}


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
