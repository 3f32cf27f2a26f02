"""A Spark Connect session that asks its server once for what the usual one asks three times. A small day's steps are mostly such trips.

The usual session sends each query to the server before it is wanted, in case it is a command, and once more for its columns' types
before its rows, which come with their types. Ours takes queries only: no job has a command.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.plan import SQL
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema


class QuerySession(SparkSession):  # type: ignore[misc]  # the library is not typed
    @classmethod
    def at(cls, url: str, options: list[tuple[str, Any]], may_break_off: bool) -> QuerySession:
        """``options``: of the gRPC channel. ``may_break_off``: whether the way to the server is one on which an answer may be lost; if
        so the server is told of each piece that came, and keeps the others."""
        session = cls(connection=DefaultChannelBuilder(url, options))
        # Functions of columns ask for the session by themselves.
        cls._set_default_and_active_session(session)
        if not may_break_off:
            session.client.disable_reattachable_execute()
        return session

    def sql(self, sqlQuery: str, args: Any = None, **kwargs: Any) -> Query:
        """Planned when its rows are asked for, by the views that there are then."""
        assert args is None and not kwargs
        return Query(SQL(sqlQuery, [], {}, []), self)


class Query(DataFrame):  # type: ignore[misc]  # the library is not typed
    """What a query finds."""

    def toArrow(self) -> pa.Table:
        table, schema = self._to_table()
        if schema is None:
            return super().toArrow()
        return table.cast(to_arrow_schema(schema, error_on_duplicated_field_names_in_struct=True, timezone="UTC"))
