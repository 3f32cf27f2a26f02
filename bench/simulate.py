"""Making a world (simulator.simulate: people, loans and movements lived through, files written, sealed and digested, on all
cores) against csv.writer putting the same rows of the same files to disk, which it is handed ready made, block by block.

The memory is that of all processes together. ROWS counts movements; each stands in two files or three."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import time
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from bench.harness import Run
from simulator.block import BlockWorld
from simulator.files import each_row
from simulator.movement import DayTruth
from simulator.simulate import Progress, SimulationConfig, blocks_of, simulate

ROWS = 1_000_000
# With ten million movements that is two thousand each, on average.
MOST_PLATFORMS = 5_000
_MOVEMENTS_A_PLATFORM = 200


def prepare(folder: Path, rows: int) -> None:
    """How many are asked for is all that the sides need to know."""
    (folder / "movements").write_text(str(rows), encoding="ascii")


def _config(folder: Path) -> SimulationConfig:
    movements = int((folder / "movements").read_text(encoding="ascii"))
    platforms = min(MOST_PLATFORMS, max(1, movements // _MOVEMENTS_A_PLATFORM))
    return SimulationConfig(platforms=platforms, channels=3, transactions=movements, days=1, start=date(2020, 1, 2), seed=7)


def ours(folder: Path) -> Run:
    out, last = folder / "ours", Progress()

    def told(progress: Progress) -> None:
        nonlocal last
        last = progress

    started = time.perf_counter()
    made = simulate(config=_config(folder), faults=[], out=out, workers=len(os.sched_getaffinity(0)), told=told)
    seconds = time.perf_counter() - started
    speed = f"{made['rows']:,} rows of files, {made['rows'] / seconds:,.0f} a second, in {len(last.peaks_mib)} processes"
    print(f"simulate: {made['transactions']:,} movements, {speed} of {sorted(last.peaks_mib.values())} MiB", file=sys.stderr)
    shutil.rmtree(out)
    return Run({"simulate": seconds}, {"rows": made["rows"]}, rss_mb=last.memory_mib)


def csv_writer(folder: Path) -> Run:
    config, seconds, rows = _config(folder), 0.0, 0
    out = folder / "peer"
    out.mkdir()
    for block in blocks_of(config):
        tables = _tables(config, BlockWorld(config, block))
        started = time.perf_counter()
        for name, (header, cells) in tables.items():
            with (out / f"{name}_{block.number}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(header)
                writer.writerows(cells)
        seconds += time.perf_counter() - started
        rows += sum(len(cells) for _, cells in tables.values())
    shutil.rmtree(out)
    return Run({"simulate": seconds}, {"rows": rows})


def _tables(config: SimulationConfig, world: BlockWorld) -> dict[str, tuple[list[str], list[list[Any]]]]:
    """Each file's header and cells; the writer turns these to text as it knows how."""
    own = dict(world.run_day(config.start, 0))
    truth = DayTruth(config.start, {party.party: day for party, day in own.items()})
    tables = {}
    for party in chain(own, world.others):
        for file_type in party.file_types:
            cells = [list(row.values()) for row in each_row(party, file_type, truth)]
            tables[f"{party.party}_{file_type.value}"] = (list(map(str, range(len(cells[0]) if cells else 0))), cells)
    return tables


SIDES = {"ours": ours, "csv.writer": csv_writer}
