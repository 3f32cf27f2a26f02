"""Our session says what the usual one says, in fewer trips (connectors.engine_session)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql.connect.dataframe import DataFrame

from connectors.engine_session import Query

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A value of each type that tables have, and its null.
_EVERY_TYPE = """
select cast(-7 as bigint) as minor, true as holds, '示范' as words, date '2020-02-29' as on, timestamp '2020-02-29 23:59:59.999999' as at,
       cast(1 as decimal(38, 0)) as wide
union all select null, null, null, null, null, null
"""


def test_rows_and_types_are_those_of_the_usual_session(spark: SparkSession) -> None:
    query = spark.sql(_EVERY_TYPE)
    assert type(query) is Query
    # The usual way: the types are asked for first.
    usual = DataFrame.toArrow(query)
    assert query.toArrow().schema == usual.schema
    assert sorted(query.toArrow().to_pylist(), key=str) == sorted(usual.to_pylist(), key=str)
    nothing = spark.sql(f"select * from ({_EVERY_TYPE}) where minor = 1").toArrow()
    assert nothing.num_rows == 0 and nothing.schema.names == usual.schema.names


def test_it_is_planned_when_it_is_asked(spark: SparkSession) -> None:
    query = spark.sql("select n + 1 as m from made_later")
    with pytest.raises(AnalysisException, match="made_later"):
        query.toArrow()
    spark.sql("select cast(1 as bigint) as n").createOrReplaceTempView("made_later")
    assert query.toArrow().to_pylist() == [{"m": 2}]
