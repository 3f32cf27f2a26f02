"""Airflow inside the test's own process: it is configured once, by whichever test imports it first, so all share one home."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Airflow's home, with our DAGs and an SQLite database that nobody has made yet. Ask for it before importing Airflow."""
    # A test module that imports it when it is collected configures it for the whole process.
    assert "airflow" not in sys.modules, "a test module, or what it imports, imported Airflow before its home was made"
    home = tmp_path_factory.mktemp("airflow")
    patch = pytest.MonkeyPatch()
    for name, value in {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "CUSTODY_FIRST_DATE": "2019-12-30",
    }.items():
        patch.setenv(name, value)
    yield home
    patch.undo()
