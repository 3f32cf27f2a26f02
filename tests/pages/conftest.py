"""An instance as the desk meets it in the morning: one day closed, one only landed; and a browser that says who it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kit"))

from instance_kit import GO_LIVE, make_instance, make_world, opened
from pages_kit import Desk

from custody.calendar import ONE_DAY
from custody.services.deliveries import deliver_pending
from custody.services.people import add_person
from simulator.simulate import load_faults

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

FAULTS = Path(__file__).parents[1] / "faults" / "demo.yaml"


@pytest.fixture(scope="session")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The instance's folder. ``zhang`` is a regulator, ``rose`` a report officer, ``gone`` an operator who has left."""
    folder = tmp_path_factory.mktemp("morning")
    world = make_world(folder / "world", load_faults(FAULTS), seed=7)
    home = make_instance(folder / "home", world, reports=("custody_monthly", "judicial_holds"))
    with opened(home) as instance:
        instance.deliver(world, GO_LIVE)
        instance.run_day(GO_LIVE)
        instance.deliver(world, GO_LIVE + ONE_DAY)
        instance.run_day(GO_LIVE + ONE_DAY, ("cut_off", "land", "extract"))
        # What the cut-offs told the senders is with them, as it is after the next sweep.
        deliver_pending(instance.wiring.exchange_ports)
        register = instance.wiring.register
        add_person(register, "admin", "zhang", "张 Zhang", ["regulator"])
        add_person(register, "admin", "rose", "Rose", ["report_officer"])
        add_person(register, "admin", "gone", "Gone", ["operator"])
        with register.transaction() as tx:
            tx.update("person", {"person_id": "gone"}, {"active": False})
    return home


@pytest.fixture(scope="session")
def pages(airflow_home: Path) -> TestClient:
    """The pages' app, before anybody has logged in."""
    from fastapi.testclient import TestClient

    from console.pages.app import app

    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def desk(pages: TestClient, morning: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The same with Airflow's answer to "who is it" in our hands."""
    yield from Desk.at(pages, morning, monkeypatch)
