"""Airflow's own services for the tests, on SQLite, over an instance that has run two days: started once for the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from state_kit import server_folder

from cluster.airflow import Airflow
from cluster.machine import Ports
from console.airflow.dates import FIRST_DATE_VARIABLE


@dataclass(frozen=True)
class AirflowAndInstance:
    airflow: Airflow
    home: Path


@pytest.fixture(scope="session")
def real_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowAndInstance]:
    """Over the instance of desk_home."""
    # Every run of pytest loads this module: what it takes to make an instance is imported by those who want one.
    from desk_home import desk_home
    from instance_kit import GO_LIVE

    home = desk_home(tmp_path_factory.mktemp("airflow_instance"))
    with server_folder("airflow") as folder:
        database = f"sqlite:///{folder / 'airflow' / 'airflow.db'}"
        # Airflow lets five log in within 40 seconds: here a whole desk does, through one address.
        settings = {FIRST_DATE_VARIABLE: GO_LIVE.isoformat(), "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False"}
        airflow = Airflow(folder, Ports(folder), database, home, settings)
        try:
            airflow.start()
            yield AirflowAndInstance(airflow, home)
        finally:
            airflow.stop()
