"""Makes the frozen world anew: ``.venv/bin/python tests/frozen_world/freeze.py`` after a change of the simulator that was meant.

Never silently: the difference stands in the commit, and README.md, which tells the story by hand, is then to be read again.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

from simulator.faults import load_faults
from simulator.simulate import SimulationConfig, simulate

HERE = Path(__file__).parent
WORLD, EXPECTED = HERE / "world", HERE / "expected.json"
CONFIG = SimulationConfig(platforms=2, channels=1, lenders=4, loans=2, days=3, start=date(2019, 12, 31), seed=28)
sys.path.append(str(HERE.parent / "simulator"))  # the checker's books and its reader


def make(out: Path) -> None:
    """The world as the generator makes it today, with its keys."""
    simulate(config=CONFIG, faults=load_faults(HERE / "faults.yaml"), out=out)


def expected(world: Path) -> dict[str, Any]:
    """What the labels demand and what follows from it, and every account at the end of each day by the checker's own books, from INSTRUCTION alone."""
    labels = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
    findings = [
        {
            "platform": one["platform"],
            "sides": one["sides"],
            "kind": one["kind"],
            "subject": one["subject"],
            "fault": label["kind"],
        }
        for label in labels
        for one in (*label["expects"], *label["follows"])
    ]
    return {"findings": sorted(findings, key=str), "balances": _balances(world)}


def _balances(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Date -> platform -> account -> available, and "+ frozen" if any, in yuan; accounts with nothing are left out."""
    from world_checker.books import Books
    from world_checker.view import platforms
    from world_reader import read_world

    from custody.money import format_amount

    found: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for platform in platforms(read_world(folder)):
        books, settled = Books(), defaultdict(list)
        for rows in platform.settlements.values():
            for row in rows:
                settled[row["settlement_batch"]].append(row["request_no"])
        for day in platform.dates:
            for row in platform.instructions[day]:
                books.post(row, settled)
            held = {
                holder[1]: format_amount(books.available[holder])
                + (f" + {format_amount(books.frozen[holder])}" if books.frozen[holder] else "")
                for holder in sorted(books.available.keys() | books.frozen.keys())
                if books.available[holder] or books.frozen[holder]
            }
            core = {"core custody account": format_amount(books.cash), "core own-funds account": format_amount(books.own)}
            found[day.isoformat()][platform.name] = held | core
    return dict(found)


def freeze() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "world"
        make(made)
        shutil.rmtree(made / "keys")  # private keys differ from run to run, and none belongs here
        shutil.rmtree(WORLD, ignore_errors=True)
        shutil.copytree(made, WORLD)
    text = json.dumps(expected(WORLD), ensure_ascii=False, indent=1) + "\n"
    EXPECTED.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    freeze()
