"""Make a world: every party's sealed files for each custody date, the core's flows and balances, and the labelled faults.

The same configuration and faults give the same bytes, whatever the number of processes, but for the private keys (see
simulator.parties.write_keys). Without faults no process holds more than a block of platforms on one day.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from custody.calendar import dates
from simulator.block import Block, BlockWorld, Made, make_block
from simulator.config import SimulationConfig
from simulator.core_files import CORE, join_parts
from simulator.edits import FaultPlan
from simulator.faults import FaultRequest, FaultRequestError, load_faults
from simulator.files import Drop
from simulator.memory import peak_mib
from simulator.movement import DayTruth
from simulator.parties import SendingParty, write_keys
from simulator.plant import plant_faults
from simulator.spoil import FileSet, spoil
from simulator.victims_answers import ANSWERS
from simulator.workers import WorkerLost, spread

__all__ = [
    "FaultRequest",
    "FaultRequestError",
    "Progress",
    "SimulationConfig",
    "WorkerLost",
    "load_faults",
    "simulate",
    "true_days",
]

# Faults are drawn from all that is true of all days, which is then held at once.
MOST_MOVEMENTS_WITH_FAULTS = 500_000


@dataclass
class Progress:
    """What is made so far, and the peak memory of each process, this one's included, in MiB by its id."""

    made: Made = field(default_factory=Made)
    files: int = 0
    peaks_mib: dict[int, int] = field(default_factory=dict)

    @property
    def memory_mib(self) -> int:
        return sum(self.peaks_mib.values())


@dataclass(frozen=True, slots=True)
class _Done:
    made: Made
    files: int
    process: int
    peak_mib: int


def simulate(
    *,
    config: SimulationConfig,
    faults: list[FaultRequest],
    out: Path,
    workers: int = 1,
    told: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, int]:
    """Write the world into the folder ``out``, which must be new or empty. Returns counts of what was written.

    ``told`` hears of every block that is done. Raises FileExistsError when the folder holds anything, FaultRequestError
    when a fault cannot be planted, WorkerLost when one of the ``workers`` processes was killed.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: name a new folder, or remove the old world first")
    parties = config.parties()
    plan = FaultPlan()
    if faults:
        batch_of = {parties[n - 1].party: block.number for block in blocks_of(config) for n in block.platforms}
        plan = plant_faults(seed=config.seed, parties=parties, days=_all_days(config), requests=faults, batch_of=batch_of)
    _make_folders(out, config, parties)
    _write_json(out / "world.json", _world(config, parties))
    write_keys(out / "keys", config.seed, parties)
    _write_json(out / "truth" / "faults.json", plan.labels)
    if config.behaviours:
        labels = [label for block in blocks_of(config) for label in BlockWorld(config, block).labels()]
        _write_json(out / "truth" / "behaviours.json", labels)
    answers = {one["keys"]["result"]: ANSWERS[one["kind"]] for one in plan.labels if one["kind"] in ANSWERS}
    if answers:
        _write_json(out / "answers.json", answers)
    blocks, progress = blocks_of(config), Progress()
    results = _with_faults(config, blocks, plan, out) if faults else spread(partial(_make, config, out), blocks, workers)
    for done in results:
        progress.made.add(done.made)
        progress.files += done.files
        progress.peaks_mib |= {os.getpid(): peak_mib(), done.process: done.peak_mib}
        told(progress)
    join_parts(out, dates(config.start, config.days), len(blocks))
    return {
        "days": config.days,
        "parties": len(parties),
        "transactions": progress.made.transactions,
        "faults": len(plan.labels),
        "files": progress.files,
        "rows": progress.made.rows,
        "core_flows": progress.made.core_flows,
    }


def true_days(config: SimulationConfig) -> Iterator[DayTruth]:
    """The world as it truly was, a day at a time."""
    worlds = [BlockWorld(config, block) for block in blocks_of(config)]
    for index, day in enumerate(dates(config.start, config.days)):
        lived = chain.from_iterable(world.run_day(day, index) for world in worlds)
        yield DayTruth(day, {party.party: own for party, own in lived})


def _all_days(config: SimulationConfig) -> list[DayTruth]:
    """Raises FaultRequestError when they are too many to be held at once."""
    days, movements = list[DayTruth](), config.transactions or 0
    if movements <= MOST_MOVEMENTS_WITH_FAULTS:
        movements = 0
        for truth in true_days(config):
            days.append(truth)
            movements += sum(len(own.instructions) for own in truth.platforms.values())
            if movements > MOST_MOVEMENTS_WITH_FAULTS:
                break
        else:
            return days
    raise FaultRequestError(
        f"this world has {movements} movements or more; faults can be planted in one of at most {MOST_MOVEMENTS_WITH_FAULTS}: "
        "ask for a smaller world, or for none"
    )


def blocks_of(config: SimulationConfig) -> list[Block]:
    """The world in the pieces in which it is made, in order."""
    sizes, cut = config.sizes(), config.blocks()
    return [
        Block(number, len(cut), platforms, sizes[platforms.start - 1 : platforms.stop - 1])
        for number, platforms in enumerate(cut, start=1)
    ]


def _make(config: SimulationConfig, out: Path, block: Block) -> _Done:
    """One block, each file written as soon as it is made."""
    drop = Drop(out)
    made = make_block(config, block, FaultPlan(), out, drop.deliver)
    return _Done(made, drop.files, os.getpid(), peak_mib())


def _with_faults(config: SimulationConfig, blocks: list[Block], plan: FaultPlan, out: Path) -> Iterator[_Done]:
    """All blocks, then what arrives of their sets: a fault may spoil any of a party's batches, and move it to another date."""
    made, held = Made(), dict[tuple[str, date], list[FileSet]]()

    def hold(day: date, sealed: FileSet) -> None:
        held.setdefault((sealed.name.party, day), []).append(sealed)

    for block in blocks:
        made.add(make_block(config, block, plan, out, hold))
    drop, days = Drop(out), set(dates(config.start, config.days))
    for (party, day), sets in held.items():
        for delivery, arriving in spoil(plan, party, day, sets):
            # What comes after the world's last date is not seen in it.
            if delivery in days:
                drop.deliver(delivery, arriving)
    yield _Done(made, drop.files, os.getpid(), peak_mib())


def _make_folders(out: Path, config: SimulationConfig, parties: list[SendingParty]) -> None:
    (out / "truth").mkdir(parents=True)
    for day in dates(config.start, config.days):
        for name in (CORE, *(party.party for party in parties)):
            (out / day.isoformat() / name).mkdir(parents=True)


def _world(config: SimulationConfig, parties: list[SendingParty]) -> dict[str, Any]:
    return {
        "start": config.start.isoformat(),
        "days": config.days,
        "seed": config.seed,
        "calendar": "chinese",
        "parties": [party.as_json() for party in parties],
    }


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
