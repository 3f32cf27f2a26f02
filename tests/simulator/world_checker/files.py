"""FILE, INV_10: every party sends every type every day; each row is read; rows and totals are what the seal says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from world_reader import World

from custody.money import parse_amount
from world_checker.view import Violation


def violations(world: World) -> Iterator[Violation]:
    for day in world.dates:
        for party in world.about["parties"]:
            for file_type in party["file_types"]:
                yield from _of_type(world, party["party"], file_type, day)
    for parsed_name, parsed in world.parsed.items():
        if parsed.faults or parsed.file_faults:
            yield Violation("FILE", parsed_name, world.dates[0], f"{parsed.faults[:3]} {parsed.file_faults[:3]}")


def _of_type(world: World, party: str, file_type: str, day: date) -> Iterator[Violation]:
    entries = [entry for entry in world.sealed.get((party, day), []) if f"_{file_type}_{day:%Y%m%d}_" in entry.name]
    if not entries or [entry.batches for entry in entries] != [None] * (len(entries) - 1) + [len(entries)]:
        yield Violation("FILE", party, day, f"{file_type} comes in {[entry.name for entry in entries]}")
    rows = world.tables.get((party, file_type, day), [])
    if sum(entry.rows for entry in entries) != len(rows):
        yield Violation("INV_10", party, day, f"{file_type} has {len(rows)} rows, sealed are {[entry.rows for entry in entries]}")
    for name in entries[0].totals if entries else ():
        sealed = sum(parse_amount(entry.totals[name]) for entry in entries)
        ours = sum(row[f"{name}_minor"] for row in rows)
        if sealed != ours:
            yield Violation("INV_10", party, day, f"{file_type}: {name} adds up to {ours}, sealed is {sealed}")
    if file_type == "INSTRUCTION" and len(entries) == 1:
        times = [row["event_time"] for row in rows]
        if times != sorted(times):
            yield Violation("FILE", party, day, "INSTRUCTION is not in order of event time")
    if file_type == "INSTRUCTION":
        for row in rows:
            if row["event_time"].date() != day:
                yield Violation("FILE", row["platform"], day, f"{row['request_no']} happened at {row['event_time']}")
