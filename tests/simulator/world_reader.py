"""Reads a simulated world from its files alone; shares no code with the simulator."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from schemas.exchange import Seal, SealedFile, parse_name, parse_seal, sha256_hex
from schemas.layout import load_layout
from schemas.layout_file import ParsedFile, parse_file
from simulator.simulate import SimulationConfig

Row = dict[str, Any]

DEMO = SimulationConfig(platforms=3, channels=2, lenders=40, loans=8, days=4, start=date(2019, 12, 30), seed=7)
# (size, seed): the demonstration twice, a long one over the Spring Festival, one of a single day, one with a month's repayments.
WORLDS = {
    "demo-7": DEMO,
    "demo-8": replace(DEMO, seed=8),
    "spring-festival": SimulationConfig(platforms=2, channels=3, lenders=15, loans=18, days=24, start=date(2020, 1, 15), seed=3),
    "months": SimulationConfig(platforms=1, channels=1, lenders=6, loans=6, days=95, start=date(2019, 11, 30), seed=11),
    "one-of-each": SimulationConfig(platforms=1, channels=1, lenders=1, loans=1, days=1, start=date(2019, 12, 31), seed=1),
}


@dataclass
class World:
    folder: Path
    about: dict[str, Any]
    dates: list[date]
    tables: dict[tuple[str, str, date], list[Row]] = field(default_factory=dict)
    parsed: dict[str, ParsedFile] = field(default_factory=dict)
    sealed: dict[tuple[str, date], list[SealedFile]] = field(default_factory=dict)
    core: dict[date, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    labels: list[dict[str, Any]] = field(default_factory=list)

    def parties(self, kind: str) -> list[str]:
        return [party["party"] for party in self.about["parties"] if party["kind"] == kind]

    def instructions(self, day: date, platform: str) -> list[Row]:
        rows = [row for row in self.tables["GW", "INSTRUCTION", day] if row["platform"] == platform]
        return sorted(rows, key=lambda row: (row["event_time"], row["request_no"], row["leg"]))


def read_world(folder: Path) -> World:
    """Every sealed file must match its seal in size, digest, rows and totals."""
    about = json.loads((folder / "world.json").read_text(encoding="utf-8"))
    dates = sorted(date.fromisoformat(path.name) for path in folder.iterdir() if path.name[:2] == "20")
    world = World(folder, about, dates, labels=json.loads((folder / "truth" / "faults.json").read_text(encoding="utf-8")))
    for day in dates:
        for party in about["parties"]:
            _read_party(world, folder / day.isoformat() / party["party"], party, day)
        core = folder / day.isoformat() / "CORE"
        world.core[day] = {
            name: [json.loads(line) for line in (core / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
            for name in ("flow", "balance")
        }
    return world


def _read_party(world: World, folder: Path, party: dict[str, Any], day: date) -> None:
    seals = sorted(folder.glob("*_SEAL_*.json"))
    found = [parse_seal(path.read_bytes()) for path in seals]
    named = {path.name for path in seals} | {entry.name for seal in found if isinstance(seal, Seal) for entry in seal.files}
    assert {path.name for path in folder.iterdir()} == named
    for path, seal in zip(seals, found, strict=True):
        assert isinstance(seal, Seal), seal
        about_seal = parse_name(path.name)
        assert about_seal is not None and (about_seal.party, about_seal.custody_date, about_seal.batch) == (
            party["party"],
            day,
            seal.batch,
        )
        for entry in seal.files:
            data = (folder / entry.name).read_bytes()
            assert (len(data), sha256_hex(data), entry.encoding) == (entry.bytes, entry.sha256, party["encoding"])
            parsed = parse_file(load_layout(entry.layout), entry.name, data, entry.encoding, day, entry.rows, entry.totals)
            name = parse_name(entry.name)
            assert name is not None
            assert (name.party, name.custody_date, name.batch, name.version) == (party["party"], day, seal.batch, 1)
            assert entry.layout in party["layouts"][name.file_type]
            world.parsed[entry.name] = parsed
            world.sealed.setdefault((name.party, day), []).append(entry)
            world.tables.setdefault((name.party, name.file_type, day), []).extend(parsed.rows)


def tree(folder: Path) -> dict[str, str]:
    """Digest of every file but the private keys, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.parent.name != "keys" or path.suffix == ".pub")
    }
