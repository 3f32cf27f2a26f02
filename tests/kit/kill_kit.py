"""Ending a step's process at a chosen point, and what must be the same afterwards as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from instance_kit import Instance, copy_of, opened

from cluster.processes import descendants
from connectors.processes import process_start
from custody.calendar import dates
from custody.errors import RetryLater
from custody.steps import STEPS

RUNNER = Path(__file__).with_name("kill_runner.py")
LEDGER = ("post", "project")
KILLED_STEPS = ("land", *LEDGER, "reconcile", "close")
_STEP_SECONDS = 300
# One that had only begun to start ends before it looks at its work.
_WORKERS_END_SECONDS = 120
# Worker processes have to start first.
_SHARED_OUT_TAKES = 4
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


def wait_until_stopped(child: subprocess.Popen[str]) -> None:
    """Until the runner has stopped itself at its point."""
    until = time.monotonic() + _STEP_SECONDS
    while (waited := os.waitpid(child.pid, os.WUNTRACED | os.WNOHANG))[0] == 0:
        assert time.monotonic() < until, "the step does not get on"
        time.sleep(0.02)
    assert os.WIFSTOPPED(waited[1]), "the step never got to its point"


def told(child: subprocess.Popen[str], line: str = "") -> dict[str, Any]:
    """The runner's answer once it has ended by itself."""
    out, errors = child.communicate(line, timeout=_STEP_SECONDS)
    assert out, f"the runner ended {child.returncode}: {errors}"
    answer: dict[str, Any] = json.loads(out)
    return answer


@dataclass(frozen=True)
class Undisturbed:
    """The third day's run: the closed instance as it stood before each step and at the ``end``.

    ``seconds``: how long each step took.
    """

    on: date
    before: dict[str, Path]
    seconds: dict[str, float]
    end: Path
    folder: Path
    counted: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, dict[str, Any]] = field(default_factory=dict)

    def after(self, step: str) -> dict[str, Any]:
        """The content after this step; read when it is first asked, since most steps are never asked about."""
        if step not in self.contents:
            stands = self.end if step == STEPS[-1] else self.before[STEPS[STEPS.index(step) + 1]]
            with opened(stands) as instance:
                self.contents[step] = content_of(instance)
        return self.contents[step]

    def points(self, step: str, kind: str) -> int:
        """How many points of this kind the step passes; counted when it is first asked."""
        how = "workers" if kind == "worker" else "count"
        if (step, how) not in self.counted:
            copy = copy_of(self.before[step], self.folder / f"{step}_{how}")
            found = told(start(copy, step, self.on, how), "go\n" if how == "workers" else "")
            assert found["outcome"] == "committed" and found[kind] > 0, (step, found)
            assert how == "workers" or (found["io"] > 20 and found["lines"] > 200), (step, found)
            self.counted[step, how] = found
        return int(self.counted[step, how][kind])


def content_of(instance: Instance) -> dict[str, Any]:
    """Seals of all steps of all dates, cases, alerts, files, events, and the keyed store; nothing that names a run."""
    assert instance.damage() == []
    return {**instance.register_rows(), **instance.keyed_rows()}


def run_undisturbed(two_days: TwoDays, folder: Path) -> Undisturbed:
    on = two_days.days[2]
    home = copy_of(two_days.home, folder / "home")
    with opened(home) as instance:
        instance.deliver(two_days.world, on)
    made = Undisturbed(on, {}, {}, home, folder)
    for step in STEPS:
        made.before[step] = copy_of(home, folder / step)
        started = time.monotonic()
        with opened(home) as instance:
            instance.step(step, on)
            made.seconds[step] = time.monotonic() - started
    return made


def kill(home: Path, step: str, how: str, rng: Random, undisturbed: Undisturbed) -> tuple[str, str]:
    """End the step's process, or one of its worker processes, where the seed says; (where that was, how the step ended).

    ``lines``, ``io``: at a line of our source, around a write to disk; ``timer``, ``workers``: after a time, alone or with worker
    processes; ``worker``: one of these, when it has got a share of the work.
    """
    if how in ("timer", "workers"):
        child = start(home, step, undisturbed.on, "start" if how == "timer" else how)
        assert child.stdin is not None
        wait = rng.uniform(0, undisturbed.seconds[step] * (1 if how == "timer" else _SHARED_OUT_TAKES))
        child.stdin.write("go\n")
        child.stdin.flush()
        time.sleep(wait)
        workers = {pid: process_start(pid) for pid in descendants(child.pid)}
        child.kill()
        child.wait()
        _wait_until_gone(workers)
        # It may have been done by then: to be run again must be harmless all the same.
        return f"after {wait:.3f} s", "killed"
    count = undisturbed.points(step, how)
    number = rng.randint(1, count)
    child = start(home, step, undisturbed.on, how, number)
    _, errors = child.communicate(timeout=_STEP_SECONDS)
    where = f"{how} {number} of {count}"
    if how == "worker":
        assert child.returncode in (0, RetryLater.exit_code), errors
        return where, "retry later" if child.returncode else "it was not needed any more"
    assert child.returncode == -signal.SIGKILL, f"{step} was not killed at {where}: {errors}"
    return where, "killed"


def _wait_until_gone(workers: dict[int, str | None]) -> None:
    """Worker processes end with the run that started them: the next one's files are safe from them."""
    until = time.monotonic() + _WORKERS_END_SECONDS
    while left := [pid for pid, started in workers.items() if started is not None and process_start(pid) == started]:
        assert time.monotonic() < until, f"processes outlive the run that was killed: {left}"
        time.sleep(0.05)


def run_on(home: Path, on: date, first: str, last: str) -> dict[str, Any]:
    """Run the steps from ``first`` to ``last``; returns the content then."""
    with opened(home) as instance:
        for step in STEPS[STEPS.index(first) : STEPS.index(last) + 1]:
            instance.step(step, on)
        return content_of(instance)


def assert_same(found: dict[str, Any], expected: dict[str, Any], what: str) -> None:
    for name, rows in expected.items():
        assert found[name] == rows, f"{what}: {name} differs"
