"""The register on SQL: SQLite embedded, PostgreSQL on a cluster, by one SQLAlchemy implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, Table, and_, create_engine, delete, event, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from connectors.register_tables import audit_event, metadata
from custody.audit import GENESIS, event_hash
from custody.digest import canonical_json
from custody.errors import RetryLater, StopRun
from custody.ports import Clock, DuplicateRow, Row

_BUSY_MS = 30_000
# How SQLite and PostgreSQL say that a key stands already; any other broken constraint is a programming error.
_REPEATED = ("unique constraint", "duplicate key")


def _open_engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: object) -> None:
            # We begin transactions ourselves: BEGIN IMMEDIATE takes the write lock at once, so that what a transaction
            # has read cannot change under it.
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    else:
        engine = create_engine(url, isolation_level="SERIALIZABLE")
    return engine


class SqlRegister:
    """Implements custody.ports.Register."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.engine = _open_engine(url)
        self._clock = clock

    @contextmanager
    def transaction(self) -> Iterator[SqlRegisterTx]:
        try:
            with self.engine.begin() as connection:
                yield SqlRegisterTx(connection, self._clock)
        except OperationalError as error:
            if "no such table" in str(error.orig):
                raise StopRun(f"the register lacks a table ({error.orig}): bring it to the newest with custody init") from error
            raise RetryLater(f"the register is busy or away: {error.orig}") from error

    def close(self) -> None:
        self.engine.dispose()


class SqlRegisterTx:
    """Implements custody.ports.RegisterTx."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def get(self, table: str, **key: object) -> Row | None:
        rows = self.find(table, (), **key)
        if len(rows) > 1:
            raise LookupError(f"{table} has {len(rows)} rows with {key}")
        return rows[0] if rows else None

    def find(self, table: str, order_by: Sequence[str] = (), **equals: object) -> list[Row]:
        t = metadata.tables[table]
        query = select(t).where(_where(t, equals))
        # Without a wish the primary key orders, so that no caller depends on the store's own order.
        names = order_by or [c.name for c in t.primary_key.columns]
        return [dict(row) for row in self._connection.execute(query.order_by(*(t.c[n] for n in names))).mappings()]

    def insert(self, table: str, row: Mapping[str, object]) -> None:
        savepoint = self._connection.begin_nested()
        try:
            self._connection.execute(insert(metadata.tables[table]).values(dict(row)))
        except IntegrityError as error:
            savepoint.rollback()
            if not any(word in str(error.orig).lower() for word in _REPEATED):
                raise
            raise DuplicateRow(f"{table}: {error.orig}") from error
        savepoint.commit()

    def update(self, table: str, key: Mapping[str, object], values: Mapping[str, object]) -> int:
        t = metadata.tables[table]
        return self._connection.execute(update(t).where(_where(t, key)).values(dict(values))).rowcount

    def delete(self, table: str, **key: object) -> int:
        t = metadata.tables[table]
        return self._connection.execute(delete(t).where(_where(t, key))).rowcount

    def audit(self, actor: str, action: str, subject: str, details: Mapping[str, object]) -> None:
        t = audit_event
        last = self._connection.execute(select(t.c.event_no, t.c.hash).order_by(t.c.event_no.desc()).limit(1)).first()
        number, previous = (last.event_no + 1, last.hash) if last else (1, GENESIS)
        row: Row = {
            "event_no": number,
            "at": self._clock.now().isoformat(timespec="microseconds"),
            "actor": actor,
            "action": action,
            "subject": subject,
            "details": canonical_json(dict(details)),
            "previous_hash": previous,
        }
        self._connection.execute(insert(t).values({**row, "hash": event_hash(row)}))


def _where(table: Table, equals: Mapping[str, object]) -> Any:
    conditions: list[Any] = []
    column: Callable[[str], Any] = table.c.__getitem__
    for name, value in equals.items():
        if isinstance(value, (list, tuple)):
            conditions.append(column(name).in_(value))
        elif value is None:
            conditions.append(column(name).is_(None))
        else:
            conditions.append(column(name) == value)
    return and_(True, *conditions)
