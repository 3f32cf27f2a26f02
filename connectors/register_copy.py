"""The register as files and back: every table of the database as it is, whatever program made it, SQLite and PostgreSQL alike.

A copy names the schema revision that it was taken from. It is filled into tables of that revision, which are then brought to the
newest like any other register's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from sqlalchemy import Date, MetaData, Table, func, insert, select, update
from sqlalchemy.engine import Connection

from connectors.register import as_our_errors, open_engine
from custody.errors import StopRun

_REVISION = "alembic_version"
_ROWS_AT_ONCE = 1_000


class RegisterCopy:
    """What one transaction sees; nobody writes meanwhile, since the register's transactions run one after another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._metadata = MetaData()
        self._metadata.reflect(connection)
        self.revision = str(connection.execute(select(self._metadata.tables[_REVISION])).scalar_one())
        self.tables = [table.name for table in self._metadata.sorted_tables if table.name != _REVISION]

    def lines(self, table: str) -> Iterator[bytes]:
        """The table's rows by primary key, one JSON object a line."""
        t = self._metadata.tables[table]
        rows = self._connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(t).order_by(*t.primary_key.columns))
        for row in rows.mappings():
            plain = {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
            yield json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@contextmanager
def register_copy(url: str) -> Iterator[RegisterCopy]:
    """Raises RetryLater and StopRun as the register does."""
    engine = open_engine(url)
    try:
        with as_our_errors(url), engine.begin() as connection:
            yield RegisterCopy(connection)
    finally:
        engine.dispose()


def is_empty(url: str) -> bool:
    """Whether no table of the register has a row."""
    engine = open_engine(url)
    try:
        with as_our_errors(url), engine.begin() as connection:
            metadata = MetaData()
            metadata.reflect(connection)
            return not any(
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.tables.values()
                if table.name != _REVISION
            )
    finally:
        engine.dispose()


def fill_register(url: str, lines_of: Callable[[str], Iterable[bytes]], counts: Mapping[str, int]) -> None:
    """Put a copy's rows into a register that has its tables and no row in any, all or none. ``counts``: rows of each of its tables.
    Raises StopRun where a row stands already or the tables are others."""
    engine = open_engine(url)
    try:
        with as_our_errors(url), engine.begin() as connection:
            metadata = MetaData()
            metadata.reflect(connection)
            tables = [table for table in metadata.sorted_tables if table.name != _REVISION]
            if {table.name for table in tables} != set(counts):
                raise StopRun("the backup's tables are not those of the register that it is to be put into")
            for table in tables:
                if connection.execute(select(func.count()).select_from(table)).scalar_one():
                    raise StopRun(f"table {table.name} of the register has rows: a backup is put back into an empty one")
                if _fill(connection, table, lines_of(table.name)) != counts[table.name]:
                    raise StopRun(f"table {table.name} of the backup has not the number of rows that it says")
            # Who held a lease then, the backup itself among them, is of another time; its fence goes on.
            connection.execute(update(metadata.tables["lease"]).values(expires_at=0))
    finally:
        engine.dispose()


def _fill(connection: Connection, table: Table, lines: Iterable[bytes]) -> int:
    dated = [column.name for column in table.columns if isinstance(column.type, Date)]
    number, some = 0, list[dict[str, Any]]()
    for line in lines:
        row = json.loads(line)
        some.append(row | {name: date.fromisoformat(row[name]) for name in dated if row[name] is not None})
        number += 1
        if len(some) == _ROWS_AT_ONCE:
            connection.execute(insert(table), some)
            some = []
    if some:
        connection.execute(insert(table), some)
    return number
