"""PostgreSQL for the tests: one server for the run, a new database for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import pytest

from cluster.machine import Ports, state_folder
from cluster.postgres import Postgres

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = state_folder(f"test-{os.getpid()}") / "postgres"
    folder.mkdir(parents=True)
    server = Postgres(folder, Ports(folder))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
        with suppress(OSError):
            folder.parent.rmdir()  # unless another server's folder is there


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
