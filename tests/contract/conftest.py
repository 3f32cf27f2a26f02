"""The stores under contract. Another implementation joins by one more entry in each table below."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.clock import SystemClock
from connectors.lmdb_store import LmdbStore
from connectors.register import SqlRegister
from connectors.register_tables import metadata
from connectors.secrets import FileSecrets, make_key_file
from custody.ports import KeyedStore

# Fixtures that open an empty keyed store; opening again finds what was written. The second is in tests/kit/real_hbase.py.
KEYED_STORES = ["open_lmdb_store", pytest.param("open_hbase_store", marks=pytest.mark.real)]
# Fixtures that give the URL of an empty register; the second is in tests/kit/real_postgres.py.
REGISTER_URLS = ["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.real)]


@pytest.fixture
def open_lmdb_store(tmp_path: Path) -> Callable[[], KeyedStore]:
    return lambda: LmdbStore(tmp_path / "keyed", 1)


@pytest.fixture(params=KEYED_STORES)
def open_store(request: pytest.FixtureRequest) -> Callable[[], KeyedStore]:
    opener: Callable[[], KeyedStore] = request.getfixturevalue(request.param)
    return opener


@pytest.fixture
def store(open_store: Callable[[], KeyedStore]) -> Iterator[KeyedStore]:
    opened = open_store()
    yield opened
    opened.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'register.db'}"


@pytest.fixture(params=REGISTER_URLS)
def register_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def register(register_url: str) -> Iterator[SqlRegister]:
    opened = SqlRegister(register_url, SystemClock())
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def secrets(tmp_path: Path) -> FileSecrets:
    make_key_file(tmp_path / "keys" / "identity.key")
    make_key_file(tmp_path / "keys" / "master.key")
    return FileSecrets(tmp_path / "keys" / "identity.key", tmp_path / "keys" / "master.key")
