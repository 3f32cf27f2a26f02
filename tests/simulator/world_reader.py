"""Reads a simulated world from its files alone, and replays its money; shares no code with the simulator."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from schemas.delimited import ParsedFile, parse_delimited
from schemas.exchange import Seal, parse_name, parse_seal, sha256_hex
from schemas.layout import load_layout
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
    seal_path = folder / f"{party['party']}_SEAL_{day:%Y%m%d}_01_v1.json"
    seal = parse_seal(seal_path.read_bytes())
    assert isinstance(seal, Seal), seal
    assert {path.name for path in folder.iterdir()} == {seal_path.name, *(entry.name for entry in seal.files)}
    for entry in seal.files:
        data = (folder / entry.name).read_bytes()
        assert (len(data), sha256_hex(data), entry.encoding) == (entry.bytes, entry.sha256, party["encoding"])
        parsed = parse_delimited(load_layout(entry.layout), entry.name, data, entry.encoding, entry.rows, entry.totals)
        name = parse_name(entry.name)
        assert name is not None and (name.party, name.custody_date, name.batch, name.version) == (party["party"], day, 1, 1)
        assert entry.layout in party["layouts"][name.file_type]
        world.parsed[entry.name] = parsed
        world.tables[name.party, name.file_type, day] = parsed.rows


def tree(folder: Path) -> dict[str, str]:
    """Digest of every file but the private keys, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.parent.name != "keys" or path.suffix == ".pub")
    }


class Replay:
    """Available, frozen and holds by customer from rows of TXN or INSTRUCTION, which share their columns."""

    def __init__(self) -> None:
        self.available: dict[tuple[str, str], int] = defaultdict(int)
        self.frozen: dict[tuple[str, str], int] = defaultdict(int)
        self.holds: dict[str, int] = {}
        self.receivable = 0
        self.payable = 0

    def apply(self, row: Row) -> None:
        payer, payee = (row["from_role"], row["from_user_no"]), (row["to_role"], row["to_user_no"])
        amount, related = row["amount_minor"], row["related_request_no"]
        match row["txn_type"]:
            case "TENDER_FREEZE" | "WITHDRAW_FREEZE" | "REPAY_FREEZE":
                self.available[payer] -= amount
                self.frozen[payer] += amount
                self.holds[row["request_no"]] = amount
            case "TENDER_CANCEL" | "WITHDRAW_CANCEL":
                assert self.holds.pop(related) == amount
                self.frozen[payee] -= amount
                self.available[payee] += amount
            case "TENDER_SETTLE" | "REPAYMENT" | "WITHDRAW":
                self.holds[related] -= amount
                if self.holds[related] == 0:
                    del self.holds[related]
                self.frozen[payer] -= amount
                if row["txn_type"] == "WITHDRAW":
                    self.payable += amount
                else:
                    self.available[payee] += amount
            case "RECHARGE":
                self.available[payee] += amount
                self.receivable += amount
            case "PLATFORM_RECHARGE":
                self.available[payee] += amount
            case "COMMISSION" | "MARKETING":
                self.available[payer] -= amount
                self.available[payee] += amount
            case "CHANNEL_SETTLEMENT":
                if row["direction"] == "IN":
                    self.receivable -= amount
                else:
                    self.payable -= amount
            case "CHANNEL_FEE_TOPUP" | "OWN_FUNDS_MOVEMENT":
                pass
            case other:
                raise AssertionError(other)
        for holder in (payer, payee):
            assert self.available[holder] >= 0 and self.frozen[holder] >= 0, (holder, row)
        assert related not in self.holds or self.holds[related] > 0

    def balances(self) -> dict[tuple[str, str], tuple[int, int]]:
        holders = (self.available.keys() | self.frozen.keys()) - {(None, None)}
        found = {holder: (self.available[holder], self.frozen[holder]) for holder in holders}
        return {holder: both for holder, both in found.items() if both != (0, 0)}
