"""Make a world: every party's sealed files for each custody date, the core's flows and balances, and the labelled faults.

The same configuration and faults give the same bytes, but for the private keys (see simulator.parties.write_keys).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from custody.calendar import dates
from custody.names import PartyKind
from simulator.faults import FaultPlan, FaultRequest, FaultRequestError, load_faults
from simulator.files import FileWriter
from simulator.movement import DayTruth
from simulator.parties import SendingParty, make_customers, make_parties, write_keys
from simulator.plant import plant_faults
from simulator.platform_day import PlatformWorld

__all__ = ["FaultRequest", "FaultRequestError", "SimulationConfig", "load_faults", "simulate", "true_days"]


@dataclass(frozen=True, kw_only=True)
class SimulationConfig:
    """Size of the world; ``lenders`` and ``loans`` are for each platform. Raises ValueError when out of range."""

    platforms: int
    channels: int
    lenders: int
    loans: int
    days: int
    start: date
    seed: int

    def __post_init__(self) -> None:
        for name, most in (("platforms", 999), ("channels", 99), ("lenders", 999_999), ("loans", 99_999), ("days", 3_660)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be between 1 and {most}, not {getattr(self, name)}")


def simulate(*, config: SimulationConfig, faults: list[FaultRequest], out: Path) -> dict[str, int]:
    """Write the world into the folder ``out``, which must be new or empty. Returns counts of what was written.

    Raises FileExistsError when the folder holds anything, FaultRequestError when a fault cannot be planted.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: name a new folder, or remove the old world first")
    parties = make_parties(config.platforms, config.channels)
    truth: Iterable[DayTruth] = true_days(config)
    plan = FaultPlan()
    if faults:
        truth = list(truth)
        plan = plant_faults(seed=config.seed, parties=parties, days=truth, requests=faults)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / "world.json", _world(config, parties))
    write_keys(out / "keys", config.seed, parties)
    (out / "truth").mkdir()
    _write_json(out / "truth" / "faults.json", plan.labels)
    writer = FileWriter(out, parties, plan)
    movements = 0
    for day in truth:
        writer.write_day(day)
        movements += sum(len(platform.instructions) for platform in day.platforms.values())
    return {
        "days": config.days,
        "parties": len(parties),
        "transactions": movements,
        "faults": len(plan.labels),
        **writer.counts,
    }


def true_days(config: SimulationConfig) -> Iterator[DayTruth]:
    """The world as it truly was, a day at a time."""
    channels = [p.party for p in make_parties(config.platforms, config.channels) if p.kind is PartyKind.CHANNEL]
    worlds = []
    for number in range(1, config.platforms + 1):
        lenders, borrowers = make_customers(config.seed, number, config.lenders, config.loans)
        worlds.append(
            PlatformWorld(
                seed=config.seed,
                platform=f"P{number:03d}",
                number=number,
                days=config.days,
                channels=channels,
                lenders=lenders,
                borrowers=borrowers,
            )
        )
    for index, day in enumerate(dates(config.start, config.days)):
        yield DayTruth(day, {world.platform: world.run_day(day, index) for world in worlds})


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
