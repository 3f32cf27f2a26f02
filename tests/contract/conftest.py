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

# name -> opens the keyed store that lives in a folder; opening again finds what was written.
KEYED_STORES: dict[str, Callable[[Path], KeyedStore]] = {"lmdb": lambda folder: LmdbStore(folder, 1)}
# name -> the register's URL in a folder.
REGISTER_URLS: dict[str, Callable[[Path], str]] = {"sqlite": lambda folder: f"sqlite:///{folder / 'register.db'}"}


@pytest.fixture(params=sorted(KEYED_STORES))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], KeyedStore]:
    return lambda: KEYED_STORES[request.param](tmp_path / "keyed")


@pytest.fixture
def store(open_store: Callable[[], KeyedStore]) -> Iterator[KeyedStore]:
    opened = open_store()
    yield opened
    opened.close()


@pytest.fixture(params=sorted(REGISTER_URLS))
def register_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return REGISTER_URLS[request.param](tmp_path)


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
