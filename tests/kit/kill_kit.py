"""Ending a step's process at a chosen point, and what must be the same afterwards as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from instance_kit import Instance, copy_of, opened

from custody.calendar import dates
from custody.steps import STEPS

RUNNER = Path(__file__).with_name("kill_runner.py")
KILLED_STEPS = ("land", "post", "project", "reconcile", "close")
CopyOf = Callable[[Path], Path]


@dataclass(frozen=True)
class TwoDays:
    """``world`` has four days with the demonstration's faults; ``home`` is a closed instance that ran the first two."""

    world: Path
    home: Path
    first: date

    @property
    def days(self) -> list[date]:
        return list(dates(self.first, 4))


def start(home: Path, step: str, on: date, how: str, number: int | str = 0) -> subprocess.Popen[str]:
    """Start the runner; returns when it is about to run its step."""
    command = [sys.executable, str(RUNNER), str(home), step, str(on), how, str(number)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line == "ready\n", f"the runner did not start: {line}{child.communicate()}"
    return child


def told(child: subprocess.Popen[str], line: str = "") -> dict[str, Any]:
    """The runner's answer once it has ended by itself."""
    out, errors = child.communicate(line, timeout=60)
    assert out, f"the runner ended {child.returncode}: {errors}"
    answer: dict[str, Any] = json.loads(out)
    return answer


@dataclass(frozen=True)
class Undisturbed:
    """The third day's run: the instance as it stood before each step, the points each step passes, and what came of it.

    ``seconds``: how long each step took; ``after``: the content after each step.
    """

    on: date
    before: dict[str, Path]
    points: dict[str, dict[str, Any]]
    seconds: dict[str, float]
    after: dict[str, dict[str, Any]]


def content_of(instance: Instance) -> dict[str, Any]:
    """Seals of all steps of all dates, cases, alerts, files, events, and the keyed store; nothing that names a run."""
    assert instance.damage() == []
    return {**instance.register_rows(), **instance.keyed_rows()}


def run_undisturbed(two_days: TwoDays, folder: Path) -> Undisturbed:
    on = two_days.days[2]
    home = copy_of(two_days.home, folder / "home")
    with opened(home) as instance:
        instance.deliver(two_days.world, on)
    made = Undisturbed(on, {}, {}, {}, {})
    for step in STEPS:
        made.before[step] = copy_of(home, folder / step)
        if step in KILLED_STEPS:
            copy = copy_of(home, folder / f"{step}_counted")
            made.points[step] = told(start(copy, step, on, "count"))
            assert made.points[step]["outcome"] == "committed"
            assert made.points[step]["io"] > 20 and made.points[step]["lines"] > 200
        started = time.monotonic()
        with opened(home) as instance:
            instance.step(step, on)
            made.seconds[step] = time.monotonic() - started
            made.after[step] = content_of(instance)
    return made


def run_on(home: Path, on: date, first: str, last: str) -> dict[str, Any]:
    """Run the steps from ``first`` to ``last``; returns the content then."""
    with opened(home) as instance:
        for step in STEPS[STEPS.index(first) : STEPS.index(last) + 1]:
            instance.step(step, on)
        return content_of(instance)


def assert_same(found: dict[str, Any], expected: dict[str, Any], what: str) -> None:
    for name, rows in expected.items():
        assert found[name] == rows, f"{what}: {name} differs"
