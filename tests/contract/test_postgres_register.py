"""The register on PostgreSQL when the server fails under it: each failure is a later try or a person's task, and nothing is half done."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import make_url

from cluster.postgres import Postgres
from connectors import register as register_module
from connectors.clock import SystemClock
from connectors.loopback import LOOPBACK
from connectors.register import SqlRegister
from connectors.register_tables import metadata
from custody.errors import RetryLater, StopRun

pytestmark = pytest.mark.real
DAY = date(2019, 12, 30)
HOLIDAY = {"day": DAY, "business_day": False, "reason": "r"}


@pytest.fixture
def postgres_register(postgres_url: str) -> Iterator[SqlRegister]:
    opened = SqlRegister(postgres_url, SystemClock())
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


def holidays(register: SqlRegister) -> list[object]:
    """As soon as the server answers again."""
    until = time.monotonic() + 30
    while True:
        try:
            with register.transaction() as tx:
                return [row["day"] for row in tx.find("holiday")]
        except RetryLater:
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.mark.parametrize("writes_again", [True, False])
def test_a_backend_killed_in_a_transaction(
    postgres: Postgres, postgres_database: str, postgres_register: SqlRegister, writes_again: bool
) -> None:
    with pytest.raises(RetryLater, match="busy or away"), postgres_register.transaction() as tx:
        tx.insert("holiday", HOLIDAY)
        assert postgres.kill_backends(postgres_database) == 1
        if writes_again:
            tx.audit("op1", "x", "y", {})
    assert holidays(postgres_register) == []
    with postgres_register.transaction() as tx:
        tx.insert("holiday", HOLIDAY)
    assert holidays(postgres_register) == [DAY]


def test_a_backend_killed_between_transactions_is_not_noticed(
    postgres: Postgres, postgres_database: str, postgres_register: SqlRegister
) -> None:
    assert holidays(postgres_register) == []
    assert postgres.kill_backends(postgres_database) == 1
    postgres.daemon.wait_until(postgres.healthy, 30)
    with postgres_register.transaction() as tx:
        tx.insert("holiday", HOLIDAY)


def test_a_server_stopped_in_a_transaction_and_started_again(postgres: Postgres, postgres_register: SqlRegister) -> None:
    with postgres_register.transaction() as tx:
        tx.insert("holiday", HOLIDAY)
    with pytest.raises(RetryLater, match="busy or away"), postgres_register.transaction() as tx:
        tx.delete("holiday", day=DAY)
        postgres.stop()
        tx.find("holiday")
    with pytest.raises(RetryLater, match="busy or away"), postgres_register.transaction():
        pytest.fail("there is no server")
    postgres.start()
    assert holidays(postgres_register) == [DAY]


def test_a_server_that_crashed_keeps_what_was_committed(postgres: Postgres, postgres_register: SqlRegister) -> None:
    with postgres_register.transaction() as tx:
        tx.insert("holiday", HOLIDAY)
        tx.audit("op1", "x", "y", {})
    postgres.kill()
    with pytest.raises(RetryLater), postgres_register.transaction():
        pytest.fail("there is no server")
    postgres.start()
    assert holidays(postgres_register) == [DAY]


def test_a_commit_whose_answer_is_lost_is_a_later_try(postgres_url: str, postgres_register: SqlRegister) -> None:
    url = make_url(postgres_url)
    assert url.port is not None
    with line_cut_after(b"COMMIT\0", url.port) as port:
        # The passfile names the server's own port.
        password = password_of(str(url.query["passfile"]), str(url.username))
        through = SqlRegister(
            url.set(port=port, query={}, password=password).render_as_string(hide_password=False), SystemClock()
        )
        with pytest.raises(RetryLater, match="busy or away"), through.transaction() as tx:
            tx.insert("holiday", HOLIDAY)
        through.close()
    # It was committed: whoever repeats finds it.
    assert holidays(postgres_register) == [DAY]


def test_waiting_for_another_transaction_has_an_end(
    postgres_url: str, postgres_register: SqlRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register_module, "_BUSY_MS", 300)
    hasty = SqlRegister(postgres_url, SystemClock())
    with postgres_register.transaction() as tx:
        tx.insert("holiday", HOLIDAY)
        for _ in range(2):
            with pytest.raises(RetryLater, match="lock timeout"), hasty.transaction():
                pytest.fail("two transactions at once")
    assert holidays(hasty) == [DAY]
    hasty.close()


def test_a_client_that_falls_silent_in_its_transaction_loses_it(
    postgres_url: str, postgres_register: SqlRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register_module, "_SILENT_MS", 300)
    silent = SqlRegister(postgres_url, SystemClock())
    with pytest.raises(RetryLater), silent.transaction() as tx:
        tx.insert("holiday", HOLIDAY)
        # The other gets its turn before the silent one has left the block.
        assert holidays(postgres_register) == []
        tx.find("holiday")
    assert holidays(silent) == []
    silent.close()


def test_a_database_that_does_not_let_us_in_is_for_a_person_to_look_at(postgres: Postgres) -> None:
    url = make_url(postgres.register_url())
    wrong = [url.set(database="nowhere"), url.set(database="airflow"), url.set(query={}, password="wrong"), url.set(query={})]
    for one in wrong:
        register = SqlRegister(one.render_as_string(hide_password=False), SystemClock())
        with pytest.raises(StopRun, match="does not let us in"), register.transaction():
            pytest.fail(f"{one} let us in")
        register.close()


def test_a_database_that_sorts_as_a_language_does_is_refused(postgres: Postgres) -> None:
    with postgres._connection() as connection:
        connection.execute(
            "CREATE DATABASE in_chinese OWNER custody TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'zh' LOCALE 'C'"
        )
    register = SqlRegister(postgres.register_url("in_chinese"), SystemClock())
    with pytest.raises(StopRun, match="does not sort text by its bytes"), register.transaction():
        pytest.fail("it was taken")
    register.close()
    postgres.drop_database("in_chinese")


def password_of(passfile: str, role: str) -> str:
    lines = [line.split(":") for line in Path(passfile).read_text(encoding="utf-8").splitlines()]
    (found,) = [line[4] for line in lines if line[3] == role]
    return found


@contextmanager
def line_cut_after(word: bytes, port: int) -> Iterator[int]:
    """A port that passes one connection on to the server's, until the client says the word: its answer goes nowhere."""
    listener = socket.create_server((LOOPBACK, 0))
    listener.settimeout(20)

    def relay() -> None:
        client, _ = listener.accept()
        server = socket.create_connection((LOOPBACK, port), timeout=20)
        cut = threading.Event()

        def answers() -> None:
            while data := server.recv(65536):
                if cut.is_set():
                    break
                client.sendall(data)

        back = threading.Thread(target=answers, daemon=True)
        back.start()
        while data := client.recv(65536):
            if word in data:
                cut.set()
            server.sendall(data)
            if cut.is_set():
                back.join(20)
                break
        for one in (client, server):
            one.close()

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(20)
