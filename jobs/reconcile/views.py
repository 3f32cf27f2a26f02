"""The engine's views of the day: what flow relations are asked of."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from custody.errors import StopRun
from jobs.reconcile.day import Day
from jobs.reconcile.relations import FLOW_VIEWS, items_sql
from jobs.reconcile.restated import Withdrawal, matched_before, withdraw
from jobs.step import StepContext


def flow_views(day: Day, spark: SparkSession) -> Withdrawal:
    """Views of the day's new rows, then ``items``: those with what was carried in and what a restated file sets free;
    ``matched_before``: keys of earlier days. Returns what restated files withdraw."""
    context, reference = day.context, day.reference
    for step, table in FLOW_VIEWS:
        _read(context, spark, step, table).createOrReplaceTempView(table)
    rates = [(rate.channel, rate.millionths, rate.least_minor) for rate in reference.channel_rates()]
    schema = "fee_channel string, rate_millionths bigint, min_fee_minor bigint"
    spark.createDataFrame(rates, schema).createOrReplaceTempView("fee_rates")
    gateways = reference.gateways()
    if len(gateways) != 1:
        raise StopRun(f"one live gateway is needed to reconcile {context.custody_date}; the cut-off sealed {gateways}")
    window = reference.rules.window_minutes
    withdrawal = withdraw(day, spark, window, gateways[0])
    items = spark.sql(items_sql(window, gateways[0]))
    carried = context.table("reconcile", "open_items", on=day.yesterday)
    if carried is not None and withdrawal.names:
        of_file = pc.list_element(pc.split_pattern(carried["row_ref"], ":"), 0)
        carried = carried.filter(pc.invert(pc.is_in(of_file, pa.array(sorted(withdrawal.names)))))
    if carried is not None and carried.num_rows:
        items = items.unionByName(spark.createDataFrame(carried.select(items.columns)))
    if withdrawal.freed is not None:
        items = items.unionByName(withdrawal.freed)
    items.createOrReplaceTempView("items")
    matched_before(day, spark, withdrawal.released).createOrReplaceTempView("matched_before")
    return withdrawal


def _read(context: StepContext, spark: SparkSession, step: str, table: str) -> DataFrame:
    seal = context.seal(step)
    assert seal is not None
    return spark.read.parquet(context.wiring.lake.parquet(seal.path, table))
