"""Two versions of a file, row by row: what is added, removed, changed, by the key that the layout declares."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import SparkSession

from custody.ports import Row

# Where a row stood is nothing that it says.
_PLACE = ("party", "file_name", "line_no", "custody_date")
ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True)
class RowDifference:
    """Counts by kind and of the ``same``; ``first``: of the rows that differ the first by key, each with kind, key, line numbers, and
    the fields that differ as [before, after]."""

    added: int
    removed: int
    changed: int
    same: int
    first: list[Row]


def row_difference(spark: SparkSession, before: pa.Table, after: pa.Table, key: tuple[str, ...], shown: int) -> RowDifference:
    """``before`` and ``after``: landed rows of one type. Rows that repeat a key are compared in the order in which they stand."""
    fields = [name for name in after.column_names if name not in (*_PLACE, *key)]
    for name, table in (("before", before), ("after", after)):
        spark.createDataFrame(table).createOrReplaceTempView(f"{name}_rows")
        spark.sql(
            f"select *, row_number() over (partition by {', '.join(key)} order by line_no) as nth from {name}_rows"
        ).createOrReplaceTempView(f"{name}_numbered")
    on = " and ".join(f"b.{name} <=> a.{name}" for name in (*key, "nth"))
    same = " and ".join(f"b.{name} <=> a.{name}" for name in fields) or "true"
    keys = ", ".join(f"coalesce(a.{name}, b.{name}) as {name}" for name in key)
    said = ", ".join(f"b.{name} as before_{name}, a.{name} as after_{name}" for name in fields)
    spark.sql(
        f"""
        select {keys}, coalesce(a.nth, b.nth) as nth, b.line_no as before_line, a.line_no as after_line, {said},
               case when b.line_no is null then '{ADDED}' when a.line_no is null then '{REMOVED}' when {same} then 'same'
                    else '{CHANGED}' end as difference
        from before_numbered b full outer join after_numbered a on {on}
        """
    ).createOrReplaceTempView("row_differences")
    counted = spark.sql("select difference, count(*) as n from row_differences group by difference").toArrow().to_pylist()
    counts = {row["difference"]: row["n"] for row in counted}
    order = ", ".join((*key, "nth"))
    first = spark.sql(f"select * from row_differences where difference <> 'same' order by {order} limit {shown}").toArrow()
    rows = [_shown(row, key, fields) for row in first.to_pylist()]
    added, removed, changed, unchanged = (counts.get(name, 0) for name in (ADDED, REMOVED, CHANGED, "same"))
    return RowDifference(added, removed, changed, unchanged, rows)


def _shown(row: Row, key: tuple[str, ...], fields: list[str]) -> Row:
    pairs = {name: [_plain(row[f"before_{name}"]), _plain(row[f"after_{name}"])] for name in fields}
    return {
        "difference": row["difference"],
        "key": {name: _plain(row[name]) for name in key},
        "lines": [row["before_line"], row["after_line"]],
        "fields": {name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
    }


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, (int, str, bool)) else str(value)
