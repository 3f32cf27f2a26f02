"""The small world of tests/frozen_world: the generator still makes it, and the system finds in it exactly what was expected."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest
from instance_kit import MONTHLY, copy_core, make_instance, opened
from typer.testing import CliRunner

from console.cli import app
from console.scoring import found_items
from custody.calendar import dates
from custody.money import format_amount, parse_amount
from custody.services.access import SYSTEM
from custody.services.intake import collect
from custody.steps import LEDGER_STEPS
from simulator.score import score

FROZEN = Path(__file__).parents[1] / "frozen_world"
FREEZE = runpy.run_path(str(FROZEN / "freeze.py"))
EXPECTED: dict[str, Any] = json.loads((FROZEN / "expected.json").read_text(encoding="utf-8"))
AGAIN = "if the simulator was meant to change: .venv/bin/python tests/frozen_world/freeze.py, and read README.md again"


def files_of(folder: Path) -> dict[str, bytes]:
    """All but the keys, whose private halves differ from run to run."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if not name.startswith("keys/")}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen files, with keys made anew."""
    made: Path = tmp_path_factory.mktemp("frozen") / "made"
    FREEZE["make"](made)
    frozen = made.parent / "world"
    shutil.copytree(FROZEN / "world", frozen)
    shutil.copytree(made / "keys", frozen / "keys")
    return frozen


def test_the_generator_still_makes_it(world: Path) -> None:
    made, frozen = files_of(world.parent / "made"), files_of(world)
    assert made.keys() == frozen.keys(), AGAIN
    assert [name for name in made if made[name] != frozen[name]] == [], AGAIN


def test_what_is_expected_follows_from_the_files(world: Path) -> None:
    assert FREEZE["expected"](world) == EXPECTED, AGAIN


def test_the_system_finds_exactly_what_is_expected(world: Path, tmp_path: Path) -> None:
    days = list(dates(FREEZE["CONFIG"].start, FREEZE["CONFIG"].days))
    with opened(make_instance(tmp_path / "home", world, go_live=days[0], reports=MONTHLY)) as instance:
        for on in days:
            for party in sorted(one for one in (world / on.isoformat()).iterdir() if one.name != "CORE"):
                for path in party.iterdir():
                    instance.drop.put(party.name, path.name, path.read_bytes())
            copy_core(instance, world, on)
            limits = instance.wiring.collect_limits
            assert collect(instance.wiring.exchange_ports, instance.wiring.exchange_rules, SYSTEM, on, limits).troubles == []
            instance.run_day(on)
            assert _posted(instance.lake_rows(on, "post", "balances")) == _expected_balances(on.isoformat()), on
        assert instance.failing_proofs() == [] and instance.damage() == []
        found = found_items(instance.wiring)
    wanted = [{name: one[name] for name in ("platform", "sides", "kind", "subject")} for one in EXPECTED["findings"]]
    assert sorted(({name: one[name] for name in wanted[0]} for one in found), key=str) == sorted(wanted, key=str)
    labels = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
    assert score(labels, found, days[-1].isoformat()).is_perfect
    replayed = CliRunner().invoke(
        app, ["replay", "--into", str(tmp_path / "replayed"), "--json"], env={"CUSTODY_HOME": str(tmp_path / "home")}
    )
    assert replayed.exit_code == 0, replayed.output
    assert len(json.loads(replayed.stdout.splitlines()[-1])["steps"]) == len(days) * len(LEDGER_STEPS)


def _posted(rows: list[dict[str, Any]]) -> dict[str, int]:
    """The ledger's accounts that hold something, under the names of expected.json; cash is an asset, so below zero there."""
    cash = {"CORE_CASH": "core custody account", "OWN_CASH": "core own-funds account"}
    held = {}
    for row in rows:
        account, minor = row["account"].removesuffix(":available"), row["closing_minor"]
        platform, _, name = account.replace(".", ":", 1).partition(":")
        if name in cash:
            held[f"{platform} {cash[name]}"] = -minor
        elif minor and name.startswith(("P_", "SUSPENSE", "LENDER.", "BORROWER.")):
            held[f"{platform} {name.partition('.')[2] or name}"] = minor
    return held


def _expected_balances(on: str) -> dict[str, int]:
    """Account -> minor units; what is frozen under the account's name with ":frozen"."""
    found = {}
    for platform, accounts in EXPECTED["balances"][on].items():
        for account, text in accounts.items():
            parts = [parse_amount(part) for part in text.split(" + ")]
            found |= {f"{platform} {account}{of}": part for of, part in zip(("", ":frozen"), parts, strict=False) if part}
    return found


def test_the_readme_tells_what_stands_in_the_files() -> None:
    """Each amount of its story stands in a file or among the expected balances; each person and loan exists."""
    story = (FROZEN / "README.md").read_text(encoding="utf-8")
    encodings = {"P002": "gb18030"}
    texts = [
        path.read_text(encoding=encodings.get(path.parent.name, "utf-8"))
        for path in (FROZEN / "world").rglob("*")
        if path.is_file()
    ]
    known = "\n".join([*texts, (FROZEN / "expected.json").read_text(encoding="utf-8")])
    amounts = re.findall(r"\d[\d,]*\.\d\d\b", story)
    numbers = set(re.findall(r"\d+(?:\.\d\d)?", known))  # in yuan, or at the core in fen
    minors = [parse_amount(one.replace(",", "")) for one in amounts]
    assert len(amounts) > 60
    assert [minor for minor in minors if not {format_amount(minor), str(minor)} & numbers] == []
    assert [one for one in re.findall(r"\b(?:[UB]00\d{7}|P00\dLN\d{5})\b", story) if one not in known] == []
