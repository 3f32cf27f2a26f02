"""Processes that are not ours to wait for: found in /proc, and ended without ever meeting another that got the same number."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from connectors.processes import process_start

_POLL_SECONDS = 0.02


def group_members(leader: int) -> list[int]:
    """Pids of a process group's living members; what has ended and waits for its parent does not count."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it ended while we looked
        if int(group) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def descendants(pid: int) -> list[int]:
    """Every process below this one, whatever session it has made its own; parents before their children."""
    found, level = [], [pid]
    while level:
        level = [child for parent in level for child in _children(parent)]
        found += level
    return found


def end(pids: Iterable[int], number: signal.Signals, wait_seconds: float) -> None:
    """Signal them; returns when they are gone, or after the wait with what is left killed."""
    started = {pid: process_start(pid) for pid in pids}
    until = time.monotonic() + wait_seconds
    _signal(started, number)
    while _alive(started) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
    _signal(started, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []  # it has ended


def _alive(started: Mapping[int, str | None]) -> list[int]:
    return [pid for pid, start in started.items() if start is not None and process_start(pid) == start]


def _signal(started: Mapping[int, str | None], number: signal.Signals) -> None:
    for pid in _alive(started):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # it ended by itself
