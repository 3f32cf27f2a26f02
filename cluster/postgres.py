"""PostgreSQL: the register's database and Airflow's, each owned by a role of its own.

Debian's programs run as Debian's own user ``postgres``, since PostgreSQL does not run as root. It listens on loopback only,
has no unix socket, and takes passwords only (SCRAM); they are drawn at random and stand in a passfile, never in a URL.
Text sorts by its bytes (locale C), as on SQLite: the register refuses any other database.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import psycopg
from psycopg import sql

from cluster.daemon import Daemon, ServiceFailed
from cluster.machine import Ports, require_root
from cluster.processes import descendants, end
from cluster.programs import POSTGRES, postgresql, require
from connectors.archive import write_durably
from connectors.loopback import LOOPBACK

USER = "postgres"
REGISTER = "custody"
AIRFLOW = "airflow"
# The superuser, the register's owner and Airflow's: a task of Airflow cannot open the register's tables, nor the other way.
_ROLES = (USER, REGISTER, AIRFLOW)
_START_SECONDS = 60
_STOP_SECONDS = 60
_CONNECT_SECONDS = 5
_COMMAND_SECONDS = 120
_MAX_CONNECTIONS = 80


class Postgres:
    """One server in ``folder``; the newest version of the programs that the machine has."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self._folder = folder
        self._ports = ports
        self._data = folder / "data"
        self._passfile = folder / "passfile"

    def register_url(self, database: str = REGISTER, role: str = REGISTER) -> str:
        """What ``register.url`` in the settings names."""
        return self._url("psycopg", database, role)

    @property
    def airflow_url(self) -> str:
        """Airflow's own database, by the driver that Airflow wants."""
        return self._url("psycopg2", AIRFLOW, AIRFLOW)

    def _url(self, driver: str, database: str, role: str) -> str:
        return f"postgresql+{driver}://{role}@{LOOPBACK}:{self._port}/{database}?passfile={self._passfile}"

    @property
    def _port(self) -> int:
        return self._ports["postgres"]

    @cached_property
    def daemon(self) -> Daemon:
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": str(_MAX_CONNECTIONS),
            "log_line_prefix": "%m [%p] %q%u@%d ",
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        # start() has said what to install where it is missing.
        program = postgresql("postgres").path() or "postgres"
        return Daemon("postgres", self._folder, [program, "-D", str(self._data), *words], {"LC_ALL": "C"}, USER)

    def start(self) -> None:
        """Returns when it answers and both databases are there. Raises MachineLacks, ServiceFailed."""
        require_root()
        require(POSTGRES)
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            self._make()
        self.daemon.start()
        self.daemon.wait_until(self.healthy, _START_SECONDS)
        self._make_roles()
        self.create_database(REGISTER, REGISTER)
        self.create_database(AIRFLOW, AIRFLOW)

    def healthy(self) -> str | None:
        if self.daemon.pid is None:
            return "the process has ended"
        try:
            with self._connection() as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            return str(error).strip()
        return None

    def stop(self) -> None:
        """Fast: clients are cut off, what is committed is flushed."""
        if self.daemon.pid is not None:
            self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w", "-t", str(_STOP_SECONDS))
        self.daemon.stop()

    def kill(self) -> None:
        """As a crash would: every process of the server at once; the next start recovers from the log."""
        server = self.daemon.pid
        # Each backend has a session of its own, so that killing the server's group would leave them for a moment.
        backends = [] if server is None else descendants(server)
        self.daemon.kill()
        end(backends, signal.SIGKILL, _STOP_SECONDS)

    def kill_backends(self, database: str) -> int:
        """KILL to the processes that serve this database's connections; returns how many. The server then recovers by itself."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'", (database,)
            ).fetchall()
        end([pid for (pid,) in rows], signal.SIGKILL, _STOP_SECONDS)
        return len(rows)

    def create_database(self, name: str, role: str = REGISTER) -> None:
        """An empty database that only ``role`` may open, in UTF-8 and byte order. Does nothing when it is there."""
        with self._connection() as connection:
            database, owner = sql.Identifier(name), sql.Identifier(role)
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                make = "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
                connection.execute(sql.SQL(make).format(database, owner))
            connection.execute(sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))

    def drop_database(self, name: str) -> None:
        """With whatever is still connected to it."""
        with self._connection() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        """As the superuser; every statement commits at once."""
        with psycopg.connect(
            host=LOOPBACK,
            port=self._port,
            user=USER,
            dbname="postgres",
            passfile=str(self._passfile),
            connect_timeout=_CONNECT_SECONDS,
            options=f"-c statement_timeout={_COMMAND_SECONDS * 1000}",
            autocommit=True,
        ) as connection:
            yield connection

    def _make(self) -> None:
        """Beside its place first, then renamed: a folder half made by a run that was killed is made anew."""
        half = self._folder / "data.half"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        shutil.chown(half, USER, USER)
        password = self._folder / "superuser"
        try:
            write_durably(password, self._password(USER).encode(), 0o600)
            shutil.chown(password, USER, USER)
            self._run(
                "initdb", "-D", str(half), "-U", USER, "--pwfile", str(password), "--auth", "scram-sha-256",
                "--encoding", "UTF8", "--locale", "C", "--data-checksums", "--no-instructions",
            )  # fmt: skip
        finally:
            password.unlink(missing_ok=True)
        half.rename(self._data)

    def _make_roles(self) -> None:
        with self._connection() as connection:
            for role in (REGISTER, AIRFLOW):
                found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
                verb = "CREATE" if found is None else "ALTER"
                connection.execute(
                    sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                        sql.SQL(verb), sql.Identifier(role), sql.Literal(self._password(role))
                    )
                )

    def _password(self, role: str) -> str:
        """The role's password from the passfile, which is written when it is first asked for."""
        if not self._passfile.exists():
            lines = [f"{LOOPBACK}:{self._port}:*:{name}:{secrets.token_urlsafe(24)}\n" for name in _ROLES]
            write_durably(self._passfile, "".join(lines).encode(), 0o600)
        for line in self._passfile.read_text(encoding="utf-8").splitlines():
            *_, name, password = line.split(":")
            if name == role:
                return password
        raise ServiceFailed(f"{self._passfile} has no password for {role}")

    def _run(self, name: str, *arguments: str) -> None:
        """One of PostgreSQL's programs, as its user. Raises ServiceFailed with what it said."""
        program = postgresql(name).path()
        assert program is not None, "require() found it"
        done = subprocess.run(
            [program, *arguments],
            user=USER,
            group=USER,
            extra_groups=[],
            cwd=self._folder,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
        )
        if done.returncode != 0:
            raise ServiceFailed(f"{name} ended {done.returncode}: {done.stdout}{done.stderr}\n{self.daemon.tail()}")
