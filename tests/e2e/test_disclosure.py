"""A platform's monthly figures: awaited, expected when they are late, and compared with our books on the day they land."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from instance_kit import Instance, make_instance, make_world, opened

from custody.calendar import dates
from custody.disclosure import FIGURE_WORDS
from schemas.exchange import Seal, SealedFile, sha256_hex
from schemas.layout import load_layout
from schemas.layout_file import control_totals, write_file
from simulator.simulate import SimulationConfig, true_days

P, START, END = "P001", date(2019, 12, 27), date(2019, 12, 31)
# Up to New Year's Day: what the platform itself sends comes after it.
SIZE = {"platforms": 1, "channels": 1, "lenders": 8, "loans": 12, "days": 6, "disclosures": True}
LAYOUT = "platform_disclosure/1"
LANDING = ("cut_off", "land")


def home(folder: Path) -> tuple[Path, Path]:
    """An instance whose platform is to publish its figures, and its world."""
    world = make_world(folder / "world", [], seed=3, start=START, **SIZE)
    return make_instance(folder / "home", world, START), world


def publish(instance: Instance, row: dict[str, Any], today: date, version: int = 1) -> None:
    layout = load_layout(LAYOUT)
    data = write_file(layout, [row], "utf-8", END)
    name = f"{P}_DISCLOSURE_{END:%Y%m%d}_60_v{version}.csv"
    totals = control_totals(layout, [row])
    file = SealedFile(
        name=name, layout=LAYOUT, encoding="utf-8", bytes=len(data), rows=1, sha256=sha256_hex(data), totals=totals, batches=1
    )
    seal = Seal(party=P, custody_date=END.isoformat(), batch=60, version=version, files=[file])
    instance.drop.put(P, name, data)
    instance.drop.put(P, f"{P}_SEAL_{END:%Y%m%d}_60_v{version}.json", seal.to_bytes())
    instance.collect(today)


def figures_of_the_world() -> dict[str, Any]:
    """As the platform would publish them: the simulator's own, from its loans as they live."""
    (own,) = (
        truth.platforms[P].published for truth in true_days(SimulationConfig(**SIZE, start=START, seed=3)) if truth.day == END
    )
    assert own is not None
    return own.row


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The figures come on New Year's Day, one of them wrong; days up to it are whole."""
    path, world = home(tmp_path_factory.mktemp("disclosure"))
    with opened(path) as instance:
        for on in dates(START, SIZE["days"]):
            instance.deliver(world, on)
            if on > END:
                right = figures_of_the_world()
                publish(instance, right | {"overdue_minor": right["overdue_minor"] + 100, "lenders": right["lenders"] - 1}, on)
            instance.run_day(on)
        yield instance


def test_our_figures_are_the_worlds_and_what_is_not_is_a_case(published: Instance) -> None:
    right, day = figures_of_the_world(), END + timedelta(days=1)
    assert right["overdue_minor"] and right["compensations"] and right["interest_balance_minor"], "a world that tests little"
    rows = {row["figure"]: row for row in published.lake_rows(day, "reconcile", "disclosures")}
    assert {name: row["ours"] for name, row in rows.items()} == {name: str(right[name]) for name in FIGURE_WORDS}
    wrong = {"overdue_minor", "lenders"}
    assert {name for name, row in rows.items() if row["verdict"] != "AGREES"} == wrong
    breaks = {row["subject"]: row for row in published.lake_rows(day, "reconcile", "breaks")}
    assert set(breaks) == {f"DISCLOSURE|2019-12-31|{name}" for name in wrong}
    found = breaks["DISCLOSURE|2019-12-31|overdue_minor"]
    assert (found["kind"], found["sides"], found["amount_minor"]) == ("DISCLOSURE", "AB", 100)
    evidence = json.loads(found["evidence"])
    said = {row["side"]: row for row in evidence}
    assert said["A"]["overdue_minor"] - said["B"]["overdue_minor"] == 100
    assert said["-"]["loans_behind"] == right["overdue_loans"] and said["A"]["row_ref"].endswith("_60_v1.csv:2")
    assert published.failing_proofs() == []


def test_the_figures_are_awaited_five_working_days_and_then_they_are_late(tmp_path: Path) -> None:
    path, _ = home(tmp_path)
    due = date(2020, 1, 8)

    def of_disclosure(instance: Instance, on: date) -> list[str]:
        rows = instance.lake_rows(on, "land", "file_outcomes")
        return [row["outcome"] for row in rows if row["file_type"] == "DISCLOSURE" and row["custody_date"] == END]

    with opened(path) as instance:
        seen = {}
        for on in dates(START, 15):
            if on == due + timedelta(days=2):
                publish(instance, figures_of_the_world(), on)
            for step in LANDING:
                instance.step(step, on)
            seen[on] = of_disclosure(instance, on)
    assert all(not found for on, found in seen.items() if on <= END)
    assert all(found == ["AWAITED"] for on, found in seen.items() if END < on < due)
    assert seen[due] == seen[due + timedelta(days=1)] == ["EXPECTED"]
    assert seen[due + timedelta(days=2)] == ["LANDED"]
