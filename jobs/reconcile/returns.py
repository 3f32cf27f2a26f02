"""Pay-outs that came back: a channel's row that pays in under the number of a request that was paid out (kind RETURNED)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from custody.cascade import return_of
from jobs.reconcile.day import Day
from jobs.reconcile.key_history import matched_among
from jobs.reconcile.relations import view_of
from jobs.reconcile.views import column_view


def paid_out_keys(day: Day, spark: SparkSession, rest: pa.Table) -> frozenset[str]:
    """Of the channels' rows that the engine did not match: the keys of pay-outs that they may be the return of, where the ledger
    has such a pay-out, today's or an earlier day's."""
    rows = rest.filter(pc.and_(pc.equal(rest["relation"], "BC_CHANNEL"), pc.equal(rest["side"], "C")))
    asked = {key for key in (return_of(k) for k in rows["match_key"].drop_null().to_pylist()) if key is not None}
    if not asked:
        return frozenset()
    column_view(spark, "asked_keys", "match_key", pa.array(sorted(asked)))
    ledger = f"select distinct i.match_key from {view_of('BC_CHANNEL', 'B')} i left semi join asked_keys a on a.match_key = i.match_key"
    today = frozenset(spark.sql(ledger).toArrow()["match_key"].to_pylist())
    return today | matched_among(day, spark, "BC_CHANNEL", asked - today)
