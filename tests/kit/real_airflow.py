"""Airflow's own services for the tests, on SQLite, over an instance that has run one day: started once for the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from state_kit import server_folder

from cluster.airflow import Airflow
from cluster.machine import Ports
from console.airflow.dates import FIRST_DATE_VARIABLE

BOSS = "boss"


@dataclass(frozen=True)
class AirflowAndInstance:
    airflow: Airflow
    home: Path


@pytest.fixture(scope="session")
def real_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowAndInstance]:
    """GO_LIVE is run; besides the first people there is ``zhang``, a regulator, who may see reports only; one person for each duty,
    called after it (``p.auditor``); and BOSS, an administrator who is operator and supervisor too."""
    # Every run of pytest loads this module: what it takes to make an instance is imported by those who want one.
    from instance_kit import GO_LIVE, MONTHLY, make_instance, make_world, opened

    from custody.permissions import Duty
    from custody.services.people import DUTIES, add_person

    made = tmp_path_factory.mktemp("airflow_instance")
    world = make_world(made / "world", [], seed=11, days=1)
    home = make_instance(made / "home", world, reports=MONTHLY)
    with opened(home) as instance:
        instance.deliver(world, GO_LIVE)
        instance.run_day(GO_LIVE)
        register = instance.wiring.register
        add_person(register, "admin", "zhang", "张 Zhang", ["regulator"])
        for duty in DUTIES:
            add_person(register, "admin", f"p.{duty}", str(duty), [duty])
        add_person(register, "admin", BOSS, "Boss", [Duty.ADMINISTRATOR, Duty.OPERATOR, Duty.SUPERVISOR])
    with server_folder("airflow") as folder:
        database = f"sqlite:///{folder / 'airflow' / 'airflow.db'}"
        airflow = Airflow(folder, Ports(folder), database, home, {FIRST_DATE_VARIABLE: GO_LIVE.isoformat()})
        try:
            airflow.start()
            yield AirflowAndInstance(airflow, home)
        finally:
            airflow.stop()
