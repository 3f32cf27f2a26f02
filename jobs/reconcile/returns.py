"""Pay-outs that came back: a channel's row that pays in under the number of a request that was paid out (kind RETURNED)."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import SparkSession

from custody.cascade import return_of
from custody.ports import Row


def paid_out_keys(spark: SparkSession, rest: Iterable[Row]) -> frozenset[str]:
    """Of the channels' rows that the engine did not match: the keys of pay-outs that they may be the return of, where the ledger
    has such a pay-out, today's or an earlier day's. Views: items, matched_before."""
    rows = [i for i in rest if (i["relation"], i["side"]) == ("BC_CHANNEL", "C") and i["match_key"] is not None]
    asked = sorted({key for key in (return_of(i["match_key"]) for i in rows) if key is not None})
    if not asked:
        return frozenset()
    spark.createDataFrame([(key,) for key in asked], "match_key string").createOrReplaceTempView("asked_keys")
    found = spark.sql(
        """
        select a.match_key from asked_keys a
        join items i on i.match_key = a.match_key and i.relation = 'BC_CHANNEL' and i.side = 'B'
        union
        select a.match_key from asked_keys a
        join matched_before m on m.match_key = a.match_key and m.relation = 'BC_CHANNEL'
        """
    )
    return frozenset(row["match_key"] for row in found.toArrow().to_pylist())
