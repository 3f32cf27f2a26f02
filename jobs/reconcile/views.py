"""The engine's views of the day: what flow relations are asked of."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from custody.errors import StopRun
from jobs.reconcile.day import Day
from jobs.reconcile.relations import items_sql
from jobs.step import StepContext


def flow_views(day: Day, spark: SparkSession) -> None:
    """Views of the day's new rows, then ``items``: those with what was carried in; ``matched_before``: keys of earlier days."""
    context, reference = day.context, day.reference
    for step, table in (("land", "land_txn"), ("land", "land_settlement"), ("post", "ledger_txn"), ("post", "journal")):
        _read(context, spark, step, table).createOrReplaceTempView(table)
    _read(context, spark, "extract", "core_flow").createOrReplaceTempView("core_flow")
    rates = [(rate.channel, rate.millionths, rate.least_minor) for rate in reference.channel_rates()]
    schema = "fee_channel string, rate_millionths bigint, min_fee_minor bigint"
    spark.createDataFrame(rates, schema).createOrReplaceTempView("fee_rates")
    gateways = reference.gateways()
    if len(gateways) != 1:
        raise StopRun(f"one live gateway is needed to reconcile {context.custody_date}; the cut-off sealed {gateways}")
    new = spark.sql(items_sql(reference.rules.window_minutes, gateways[0]))
    carried = context.table("reconcile", "open_items", on=day.yesterday)
    if carried is None or carried.num_rows == 0:
        new.createOrReplaceTempView("items")
    else:
        carried_in = spark.createDataFrame(carried.select(new.columns))
        new.unionByName(carried_in).createOrReplaceTempView("items")
    keys = [context.wiring.lake.parquet(s.path, "matched_keys") for s in context.seals_of("reconcile")]
    if keys:
        spark.read.parquet(*keys).createOrReplaceTempView("matched_before")
    else:
        spark.createDataFrame([], "relation string, match_key string").createOrReplaceTempView("matched_before")


def _read(context: StepContext, spark: SparkSession, step: str, table: str) -> DataFrame:
    seal = context.seal(step)
    assert seal is not None
    return spark.read.parquet(context.wiring.lake.parquet(seal.path, table))
