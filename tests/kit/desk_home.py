"""An instance as the desk has it on the morning after a month's end: two days closed with faults in them, a watch list that was hit, a month's
report that nobody has released, and a person for each duty."""

from __future__ import annotations

import csv
from pathlib import Path

from instance_kit import GO_LIVE, MONTHLY, Instance, make_instance, make_world, opened

from custody.calendar import ONE_DAY
from custody.permissions import Duty
from custody.services.four_eyes import approve
from custody.services.people import DUTIES, add_person
from custody.services.watch_lists import WATCH_LIST, propose_list
from simulator.simulate import load_faults

MONTH_END = GO_LIVE + ONE_DAY
BOSS = "boss"
_FAULTS = Path(__file__).parents[1] / "faults" / "demo.yaml"


def desk_home(folder: Path) -> Path:
    """Besides the first people there is ``zhang``, a regulator; one person for each duty, called after it (``p.auditor``); and BOSS, an
    administrator who is operator and supervisor too."""
    world = make_world(folder / "world", load_faults(_FAULTS), seed=7)
    home = make_instance(folder / "home", world, reports=MONTHLY)
    with opened(home) as instance:
        _watch(instance, world)
        for on in (GO_LIVE, MONTH_END):
            instance.deliver(world, on)
            instance.run_day(on)
        register = instance.wiring.register
        add_person(register, "admin", "zhang", "张 Zhang", [Duty.REGULATOR])
        for duty in DUTIES:
            add_person(register, "admin", f"p.{duty}", str(duty), [duty])
        add_person(register, "admin", BOSS, "Boss", [Duty.ADMINISTRATOR, Duty.OPERATOR, Duty.SUPERVISOR])
    return home


def _watch(instance: Instance, world: Path) -> None:
    """A list with the first person who opens an account."""
    (file,) = (world / str(GO_LIVE) / "P001").glob("P001_CUSTOMER_*.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        number = next(row["id_no"] for row in csv.DictReader(lines) if row["kind"] == "PERSON")
    wiring = instance.wiring
    entries = [["1", wiring.secrets.identity_digest("ID", number)]]
    said = {"list": "un", "valid_from": str(GO_LIVE), "source": "circular", "entries": entries}
    proposal = propose_list(wiring.register, wiring.clock, "maker", said, "circular 7")
    approve(wiring.register, wiring.clock, "checker", WATCH_LIST, proposal, "read")
