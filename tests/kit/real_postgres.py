"""PostgreSQL for the tests: one server for the run, a new database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from state_kit import server_folder

from cluster.machine import Ports
from cluster.postgres import Postgres

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with server_folder("postgres") as folder:
        server = Postgres(folder, Ports(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
def postgres_database(postgres: Postgres) -> Iterator[str]:
    """The name of a database that is empty and this test's own."""
    # A test before this one may have stopped or killed the server.
    postgres.start()
    name = f"test_{next(_NUMBERS)}"
    postgres.create_database(name)
    yield name
    postgres.start()
    postgres.drop_database(name)


@pytest.fixture
def postgres_url(postgres: Postgres, postgres_database: str) -> str:
    return postgres.register_url(postgres_database)
