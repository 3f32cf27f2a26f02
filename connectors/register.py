"""The register on SQL: SQLite embedded, PostgreSQL on a cluster, by one SQLAlchemy implementation.

Both take one lock as a transaction begins and keep it to the end, so that transactions run one after another: what one has
read cannot change under it, none fails because of another, and the audit chain has no gaps. SQLite locks its file (BEGIN
IMMEDIATE); on PostgreSQL it is an advisory lock of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Engine,
    Integer,
    String,
    Table,
    and_,
    bindparam,
    case,
    create_engine,
    delete,
    event,
    false,
    func,
    insert,
    make_url,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from connectors.disk import disk_full, free_bytes
from connectors.register_tables import audit_event, metadata
from custody.audit import GENESIS, event_hash
from custody.calendar import CHINA
from custody.digest import canonical_json
from custody.errors import CustodyError, DiskFull, RetryLater, StopRun, UsageError
from custody.ports import Clock, DuplicateRow, Row, Within

# How long a transaction waits for the ones before it.
_BUSY_MS = 30_000
# PostgreSQL gives up a statement, or a client that has fallen silent inside its transaction, so that the lock comes free.
_STATEMENT_MS = 300_000
_SILENT_MS = 300_000
_CONNECT_SECONDS = 10
# Linux alone would go on for a quarter of an hour.
_UNANSWERED_MS = 40_000
# Any number that nothing else in the database uses: it is the register's lock.
_LOCK_KEY = 0x63757374
# Their byte order is that of no language: capitals first, signs not passed over.
_ORDER_PROBE = ("-b", "B", "a", "b", "é", "中")
# How SQLite and PostgreSQL say that a key stands already; any other broken constraint is a programming error.
_REPEATED = ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE", "23505")
# ... that another holds the lock. Everything else that SQLite says of its file takes a person.
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
# ... that the tables are not those of the code: SQLite in words, PostgreSQL by undefined_table and undefined_column;
_OTHER_TABLES = ("no such table", "no such column", "has no column")
_OTHER_TABLES_CODES = ("42P01", "42703")
# ... that no later try will be let in. At a log-in the driver has no code, only PostgreSQL's words.
_NOT_LET_IN = ("authentication failed", "no password supplied", "does not exist", "permission denied", "no pg_hba.conf entry")
# ... that there is no room: SQLite also by an error of input and output, where it cannot make its log or its index longer.
_SQLITE_FULL, _MAYBE_FULL = "SQLITE_FULL", ("SQLITE_IOERR", "SQLITE_CANTOPEN")
_POSTGRES_FULL = "53100"
# What a transaction may want, since SQLite does not say it.
_REGISTER_BYTES = 16 * 1024 * 1024
# ... that it has cut off a client that fell silent in its transaction. Other internal errors are mistakes in the code.
_CUT_OFF = "25P03"


def open_engine(url: str) -> Engine:
    """The register's database, every transaction under the register's lock. Migrations run by it too."""
    return _open_sqlite(url) if url.startswith("sqlite") else _open_postgresql(url)


def _open_sqlite(url: str) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # We begin transactions ourselves: BEGIN IMMEDIATE takes the write lock at once.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _open_postgresql(url: str) -> Engine:
    limits = {
        "lock_timeout": _BUSY_MS,
        "statement_timeout": _STATEMENT_MS,
        "idle_in_transaction_session_timeout": _SILENT_MS,
        # A client whose host has vanished is noticed, and with it the lock comes free: after 10 + 3 × 10 s when the line was
        # silent, else by what was sent and not acknowledged.
        "tcp_user_timeout": _UNANSWERED_MS,
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }
    arguments = {
        "connect_timeout": _CONNECT_SECONDS,
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        # The same the other way round: a server whose host has vanished.
        "tcp_user_timeout": _UNANSWERED_MS,
        "keepalives_idle": 10,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    # READ COMMITTED, so that the first statement after the lock sees what its last holder committed: a snapshot taken
    # before the wait would not.
    engine = create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _check(connection: Any, _record: object) -> None:
        query = "SELECT ARRAY(SELECT t FROM unnest(%s::text[]) t ORDER BY t)"
        (found,) = connection.execute(query, (list(_ORDER_PROBE),)).fetchone()
        connection.rollback()
        encoding = connection.info.parameter_status("server_encoding")
        if tuple(found) != _ORDER_PROBE or encoding != "UTF8":
            raise StopRun(
                f"the register's database, in {encoding}, does not sort text by its bytes, by which results are compared. Make it with "
                "CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
            )

    @event.listens_for(engine, "begin")
    def _lock(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")

    return engine


@contextmanager
def as_our_errors(url: str) -> Iterator[None]:
    """Turn what the database at this URL says into what the caller must do."""
    try:
        yield
    except (OperationalError, ProgrammingError, InternalError) as error:
        raise _meaning(error, make_url(url)) from error
    except NoConnectionFree as error:
        raise RetryLater(f"no connection to the register came free: {error}") from error


def _meaning(error: DBAPIError, url: URL) -> CustodyError | DBAPIError:
    words = str(error.orig).strip()
    code = _code(error)
    if url.database is not None and _is_full(code, Path(url.database)):
        return disk_full("the register, or a log beside it,", Path(url.database), _REGISTER_BYTES)
    if code == _POSTGRES_FULL:
        return DiskFull(
            f"the disk of the register's database server {url.host} is full: {words}. Make room there, then give the same command again"
        )
    if code in _OTHER_TABLES_CODES or any(said in words for said in _OTHER_TABLES):
        return StopRun(f"the register's tables are not those of this version ({words}): bring it to the newest with custody init")
    if any(said in words for said in _NOT_LET_IN):
        return StopRun(f"the register's database does not let us in: {words}")
    if code is not None and code.startswith("SQLITE_") and not code.startswith(_LOCKED):
        return StopRun(f"the register's file cannot be used: {words} ({code})")
    if isinstance(error, OperationalError) or code == _CUT_OFF:
        return RetryLater(f"the register is busy or away: {words}")
    return error


def _is_full(code: str | None, file: Path) -> bool:
    """Whether SQLite's file lies on a full disk."""
    if code == _SQLITE_FULL:
        return True
    return code is not None and code.startswith(_MAYBE_FULL) and free_bytes(file) < _REGISTER_BYTES


def _code(error: DBAPIError) -> str | None:
    """PostgreSQL's five characters or SQLite's name: words depend on the server's language."""
    code: str | None = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return code


class SqlRegister:
    """Implements custody.ports.Register."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self.engine = open_engine(url)
        self._clock = clock

    @contextmanager
    def transaction(self) -> Iterator[SqlRegisterTx]:
        """As the port says. Raises RetryLater when the database is busy or away.

        RetryLater from a commit does not say that nothing was committed: the answer alone may have been lost. Whoever repeats
        must find his own commit, as the steps do.
        """
        with as_our_errors(self._url), self.engine.begin() as connection:
            yield SqlRegisterTx(connection, self._clock)

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
        # All at once: to fetch one by one costs three times as much.
        return [dict(row) for row in self._connection.execute(query.order_by(*(t.c[n] for n in names))).mappings().all()]

    def page(
        self,
        table: str,
        order_by: Sequence[str],
        start: int,
        limit: int,
        at_most: Mapping[str, object] | None = None,
        unlike: Mapping[str, object] | None = None,
        beyond: Sequence[object] | None = None,
        /,
        **equals: object,
    ) -> list[Row]:
        t = metadata.tables[table]
        column: Callable[[str], Any] = t.c.__getitem__
        bounds = [column(name) <= _checked_text(column(name), value) for name, value in (at_most or {}).items()]
        wished = [_Wish(t, name) for name in order_by]
        query = select(t).where(_where(t, equals), *_unlike(t, unlike), *bounds)
        if beyond is not None:
            query = query.where(_beyond(wished, beyond))
        named = {wish.column.name for wish in wished}
        rest = [c for c in t.primary_key.columns if c.name not in named]
        query = query.order_by(*(wish.clause for wish in wished), *rest).offset(start).limit(limit)
        return [dict(row) for row in self._connection.execute(query).mappings().all()]

    def count(
        self, table: str, by: Sequence[str], unlike: Mapping[str, object] | None = None, /, **equals: object
    ) -> dict[tuple[Any, ...], int]:
        t = metadata.tables[table]
        columns = [t.c[name] for name in by]
        query = select(*columns, func.count()).select_from(t).where(_where(t, equals), *_unlike(t, unlike))
        rows = self._connection.execute(query.group_by(*columns).order_by(*columns)).all()
        return {tuple(row[:-1]): row[-1] for row in rows}

    def total(self, table: str, column: str, /, **equals: object) -> int:
        t = metadata.tables[table]
        query = select(func.coalesce(func.sum(t.c[column]), 0)).where(_where(t, equals))
        return int(self._connection.execute(query).scalar_one())

    def insert(self, table: str, row: Mapping[str, object]) -> None:
        self.insert_all(table, [row])

    def insert_all(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        if not rows:
            return
        t = metadata.tables[table]
        values = self._numbered(t, rows)
        for row in values:
            _check_values(t, row)
        savepoint = self._connection.begin_nested()
        try:
            self._connection.execute(insert(t), values)
        except IntegrityError as error:
            savepoint.rollback()
            if _code(error) not in _REPEATED:
                raise
            raise DuplicateRow(f"{table}: {error.orig}") from error
        savepoint.commit()

    def _numbered(self, table: Table, rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
        """With the next numbers where the table counts its rows: unlike a sequence of the database's, they have no gaps."""
        name = table.info.get("numbered_by")
        if name is None or name in rows[0]:
            return [dict(row) for row in rows]
        last: int | None = self._connection.execute(select(func.max(table.c[name]))).scalar_one()
        return [{name: number, **row} for number, row in enumerate(rows, start=(last or 0) + 1)]

    def update(self, table: str, key: Mapping[str, object], values: Mapping[str, object]) -> int:
        t = metadata.tables[table]
        _check_values(t, values)
        return self._connection.execute(update(t).where(_where(t, key)).values(dict(values))).rowcount

    def update_all(self, table: str, key: str, changes: Mapping[object, Mapping[str, object]]) -> None:
        t = metadata.tables[table]
        alike: dict[tuple[str, ...], list[dict[str, object]]] = {}
        for of, values in changes.items():
            _check_values(t, values)
            alike.setdefault(tuple(sorted(values)), []).append(
                {f"to_{name}": value for name, value in values.items()} | {"of": of}
            )
        for names, rows in alike.items():
            change = update(t).where(t.c[key] == bindparam("of")).values({name: bindparam(f"to_{name}") for name in names})
            self._connection.execute(change, rows)

    def delete(self, table: str, **key: object) -> int:
        t = metadata.tables[table]
        return self._connection.execute(delete(t).where(_where(t, key))).rowcount

    def moment(self) -> str:
        return self._clock.now().astimezone(CHINA).isoformat(timespec="microseconds")

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
        _check_values(t, row)
        self._connection.execute(insert(t).values({**row, "hash": event_hash(row)}))


def _where(table: Table, equals: Mapping[str, object]) -> Any:
    conditions: list[Any] = []
    column: Callable[[str], Any] = table.c.__getitem__
    for name, value in equals.items():
        if isinstance(value, (list, tuple)):
            conditions.append(column(name).in_([_checked_text(column(name), item) for item in value]))
        elif isinstance(value, Within):
            if value.first is not None:
                conditions.append(column(name) >= _checked_text(column(name), value.first))
            if value.last is not None:
                conditions.append(column(name) <= _checked_text(column(name), value.last))
        elif value is None:
            conditions.append(column(name).is_(None))
        else:
            conditions.append(column(name) == _checked_text(column(name), value))
    return and_(True, *conditions)


# A database's whole numbers end before.
_NO_NUMBER = 1 << 63


class _Wish:
    """One column of an order."""

    def __init__(self, table: Table, name: str) -> None:
        column: Callable[[str], Any] = table.c.__getitem__
        self.column = column(name.removeprefix("-"))
        self._down = name.startswith("-")
        words: Sequence[str] = self.column.info.get("in_order", ())
        self._weights = {word: weight for weight, word in enumerate(words)}
        # What is compared: of words that have an order, their place in it.
        self._by: Any = case(self._weights, value=self.column) if words else self.column
        self._null_first = self._down == self.column.info.get("null_last", False)

    @property
    def clause(self) -> Any:
        wished = self._by.desc() if self._down else self._by.asc()
        if not self.column.nullable:
            return wished
        # Said, since PostgreSQL has its own mind; SQLite takes an index where that is its own.
        return wished.nulls_first() if self._null_first else wished.nulls_last()

    def _weight(self, value: object) -> object:
        # Not isinstance: true is no number to a database.
        of_kind = type(value) is self.column.type.python_type or (value is None and self.column.nullable)
        if not of_kind or (self._weights and value not in self._weights) or (isinstance(value, int) and abs(value) >= _NO_NUMBER):
            where = f"{self.column.table.name}, {self.column.name}"
            raise UsageError(f"{str(value)[:40]!r} is no place in an order: {where} / 排序位置无效：{where}")
        _checked_text(self.column, value)
        return self._weights[str(value)] if self._weights else value

    def past(self, value: object) -> Any:
        weight = self._weight(value)
        if weight is None:
            return self.column.is_not(None) if self._null_first else false()
        further = self._by < weight if self._down else self._by > weight
        return or_(further, self.column.is_(None)) if self.column.nullable and not self._null_first else further

    def same(self, value: object) -> Any:
        return self.column.is_(None) if value is None else self.column == value

    def not_before(self, value: object) -> Any:
        """What an index can begin at."""
        if value is None or (self.column.nullable and not self._null_first):
            return true()
        weight = self._weight(value)
        return self._by <= weight if self._down else self._by >= weight


def _beyond(wished: Sequence[_Wish], values: Sequence[object]) -> Any:
    """Rows that come after the one with these values."""
    if len(values) != len(wished):
        raise UsageError(f"{len(values)} values are no place in an order by {len(wished)} columns / 排序位置的字段数不符")
    found: Any = false()
    for wish, value in reversed(list(zip(wished, values, strict=True))):
        found = or_(wish.past(value), and_(wish.same(value), found))
    return and_(wished[0].not_before(values[0]), found)


def _unlike(table: Table, values: Mapping[str, object] | None) -> list[Any]:
    column: Callable[[str], Any] = table.c.__getitem__
    return [column(name) != _checked_text(column(name), value) for name, value in (values or {}).items()]


def _check_values(table: Table, values: Mapping[str, object]) -> None:
    """Raise UsageError for what PostgreSQL would refuse and SQLite would take, so that both refuse it in the same words."""
    for name, value in values.items():
        column = table.c[name]
        kind = column.type
        if isinstance(value, str) and isinstance(kind, String) and kind.length is not None and len(value) > kind.length:
            raise UsageError(f"{table.name}.{name} takes {kind.length} characters, not {len(value)}: {value[:60]!r}...")
        if isinstance(value, int) and isinstance(kind, Integer):
            limit = 2 ** (63 if isinstance(kind, BigInteger) else 31)
            if not -limit <= value < limit:
                raise UsageError(f"{table.name}.{name} takes no number of {value.bit_length()} bits")
        _checked_text(column, value)


def _checked_text(column: Column[Any], value: object) -> object:
    """The value, unless it is text that is no Unicode text in UTF-8, or has the one character that PostgreSQL cannot hold."""
    if isinstance(value, str) and ("\0" in value or not _is_utf8(value)):
        raise UsageError(f"{column.table.name}.{column.name} takes no NUL and no half characters: {value[:60]!r}")
    return value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
