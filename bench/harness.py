"""How a benchmark runs: each side in a process of its own, interleaved, medians compared, answers checked to be equal first.

A benchmark is a module of this folder with ``ROWS``, ``prepare(folder, rows)`` and ``SIDES``: the first side is ours, the
others are peers. One that starts a server in ``prepare`` stops it in ``finish(folder)``. A side reads what ``prepare``
wrote, times its own work (neither imports nor the engine's start) and says what it found; sides whose answers differ are
not compared.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

NAMES = (
    "reconcile",
    "reconcile_growth",
    "digest",
    "land",
    "item_index",
    "store",
    "land_files",
    "sweep",
    "hbase",
    "day",
    "simulate",
    "project",
    "post",
    "lookup",
    "funds",
    "fees",
    "statements",
    "compliance",
    "risk",
    "day_page",
)
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Run:
    """``seconds`` for each measure (most benchmarks have one, under their own name); ``answer`` must be equal on all sides.

    ``rss_mb``: peak memory of all processes of a side that has several, or until each measure was taken, by its name; None: that of its
    own process."""

    seconds: dict[str, float]
    answer: dict[str, Any]
    rss_mb: int | dict[str, int] | None = None


Side = Callable[[Path], Run]


class AnswersDiffer(Exception):
    """Two sides did not find the same, so their times say nothing about each other."""


@dataclass(frozen=True)
class Figure:
    """One row of the result. Memory is the peak of the side's process or processes, in MiB."""

    name: str
    peer: str
    rows: int
    ours_s: float
    peer_s: float
    ratio: float
    rss_mb: int
    peer_rss_mb: int


def load(name: str) -> ModuleType:
    return import_module(f"bench.{name}")


def measure(name: str, rows: int | None, runs: int, folder: Path, told: Callable[[str], None]) -> list[Figure]:
    """Prepare, run every side ``runs`` times in turn, and compare ours with each peer. Raises AnswersDiffer."""
    module = load(name)
    size: int = module.ROWS if rows is None else rows
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    results: dict[str, list[dict[str, Any]]] = {side: [] for side in module.SIDES}
    try:
        told(f"{name}: preparing {size} rows")
        # What was made may be counted in other units than was asked for.
        size = module.prepare(folder, size) or size
        for number in range(1, runs + 1):
            for side in module.SIDES:
                result = _in_own_process(name, side, folder)
                results[side].append(result)
                times = ", ".join(f"{measured} {seconds:.2f} s" for measured, seconds in result["seconds"].items())
                told(f"{name}: run {number} of {runs}, {side}: {times}, {result['rss_mb']} MiB")
    finally:
        if hasattr(module, "finish"):
            module.finish(folder)
    shutil.rmtree(folder)
    same_answers(name, results)
    ours, *peers = module.SIDES
    return [
        _figure(measured, size, peer, results[ours], results[peer]) for peer in peers for measured in results[ours][0]["seconds"]
    ]


def _in_own_process(name: str, side: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.worker", name, side, str(folder)]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def same_answers(name: str, results: dict[str, list[dict[str, Any]]]) -> None:
    """Raises AnswersDiffer unless every run of every side found the same."""
    answers = [(side, result["answer"]) for side, all_runs in results.items() for result in all_runs]
    first_side, first = answers[0]
    for side, answer in answers[1:]:
        if answer != first:
            raise AnswersDiffer(f"{name}: {first_side} found {first}, {side} found {answer}")


def _figure(measured: str, rows: int, peer: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Figure:
    ours_s = statistics.median(r["seconds"][measured] for r in ours)
    peer_s = statistics.median(r["seconds"][measured] for r in theirs)
    return Figure(
        name=measured,
        peer=peer,
        rows=rows,
        ours_s=round(ours_s, 4),
        peer_s=round(peer_s, 4),
        ratio=round(ours_s / peer_s, 2),
        rss_mb=_peak(measured, ours),
        peer_rss_mb=_peak(measured, theirs),
    )


def _peak(measured: str, runs: list[dict[str, Any]]) -> int:
    return max(r["rss_mb"][measured] if isinstance(r["rss_mb"], dict) else r["rss_mb"] for r in runs)
