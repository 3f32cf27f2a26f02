"""Makes the helpers of whole instances (tests/kit) and of the ledger (tests/unit) importable; one engine for a module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connectors.engine import engine
from connectors.settings import FILE_NAME, initial_settings, load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("kit", "unit")]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    home: Path = tmp_path_factory.mktemp("home")
    (home / FILE_NAME).write_text(initial_settings("B", date(2019, 12, 30), 0))
    with engine(load_settings(home)) as session:
        yield session
