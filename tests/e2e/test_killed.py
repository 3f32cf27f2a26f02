"""A step that dies anywhere is repaired by running it again: all content is what an undisturbed run makes.

Three ways to die, by the seed's turn: at a random line of our own source, around a random write to disk, and by a SIGKILL
from outside at a random time. ``CUSTODY_SEEDS=n pytest -k "post and seed7"`` runs one seed of one step again.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import CopyOf, TwoDays
from instance_kit import Instance, copy_of, opened, seeds

from custody.errors import OutOfOrder
from custody.steps import STEPS

RUNNER = Path(__file__).parents[1] / "kit" / "kill_runner.py"
KILLED_STEPS = ("land", "post", "project", "reconcile", "close")
KILLS = ("lines", "io", "timer")


def start(home: Path, step: str, on: object, how: str, number: int = 0) -> subprocess.Popen[str]:
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
    """The third day's run: the instance as it stood before each step, the points each step passes, and what came out."""

    before: dict[str, Path]
    points: dict[str, dict[str, Any]]
    seconds: dict[str, float]
    content: dict[str, Any]


def content_of(instance: Instance) -> dict[str, Any]:
    """Seals of all steps of all dates, cases, alerts, files, events, and the keyed store; nothing that names a run."""
    assert instance.damage() == []
    return {**instance.register_rows(), **instance.keyed_rows()}


@pytest.fixture(scope="session")
def undisturbed(two_days: TwoDays, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    home = copy_of(two_days.home, folder / "home")
    with opened(home) as instance:
        instance.deliver(two_days.world, two_days.day_3)
    before: dict[str, Path] = {}
    points: dict[str, dict[str, Any]] = {}
    seconds: dict[str, float] = {}
    for step in STEPS:
        before[step] = copy_of(home, folder / step)
        if step in KILLED_STEPS:
            copy = copy_of(home, folder / f"{step}_counted")
            points[step] = told(start(copy, step, two_days.day_3, "count"))
            assert points[step]["outcome"] == "committed" and points[step]["io"] > 20 and points[step]["lines"] > 200
        started = time.monotonic()
        with opened(home) as instance:
            instance.step(step, two_days.day_3)
        seconds[step] = time.monotonic() - started
    with opened(home) as instance:
        return Undisturbed(before, points, seconds, content_of(instance))


def run_to_the_end(home: Path, two_days: TwoDays, first: str) -> dict[str, Any]:
    with opened(home) as instance:
        for step in STEPS[STEPS.index(first) :]:
            instance.step(step, two_days.day_3)
        return content_of(instance)


@pytest.mark.parametrize("seed", seeds(3), ids=lambda seed: f"seed{seed}")
@pytest.mark.parametrize("step", KILLED_STEPS)
def test_killed_anywhere_and_run_again(step: str, seed: int, two_days: TwoDays, undisturbed: Undisturbed, fresh: CopyOf) -> None:
    home, rng, how = fresh(undisturbed.before[step]), Random(f"{step}|{seed}"), KILLS[seed % len(KILLS)]
    if how == "timer":
        child = start(home, step, two_days.day_3, "start")
        assert child.stdin is not None
        wait = rng.uniform(0, undisturbed.seconds[step])
        point = f"after {wait:.3f} s"
        child.stdin.write("go\n")
        child.stdin.flush()
        time.sleep(wait)
        child.kill()
        child.wait()
    else:
        number = rng.randint(1, undisturbed.points[step][how])
        point = f"{how} {number}"
        child = start(home, step, two_days.day_3, how, number)
        child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL, f"seed {seed}: {step} was not killed at {point}"
    again = run_to_the_end(home, two_days, step)
    for name, rows in undisturbed.content.items():
        assert again[name] == rows, f"seed {seed}: {step} killed at {point}: {name} differs"


@pytest.mark.parametrize("how", ["committed", "published"])
@pytest.mark.parametrize("step", ["cut_off", "land", "project", "reconcile", "risk"])
def test_killed_between_the_commit_and_its_publication(
    step: str, how: str, two_days: TwoDays, undisturbed: Undisturbed, fresh: CopyOf
) -> None:
    home, on = fresh(undisturbed.before[step]), two_days.day_3
    child = start(home, step, on, how)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    with opened(home) as instance:
        (committed,) = instance.find("step_output", custody_date=on, step=step)
        assert not instance.find("publication", custody_date=on, step=step)
        reader = {"cut_off": "land", "land": "post"}.get(step, "close")
        if reader != "close":
            with pytest.raises(OutOfOrder, match="not published"):
                instance.step(reader, on)
        assert instance.step(step, on).outcome == "unchanged"
        assert instance.find("step_output", custody_date=on, step=step) == [committed]
        assert len(instance.find("publication", custody_date=on, step=step)) == 1
    again = run_to_the_end(home, two_days, step)
    for name, rows in undisturbed.content.items():
        assert again[name] == rows, f"{step} killed when {how}: {name} differs"


def test_what_is_committed_but_not_published_cannot_be_closed(two_days: TwoDays, undisturbed: Undisturbed, fresh: CopyOf) -> None:
    home = fresh(undisturbed.before["report"])
    child = start(home, "report", two_days.day_3, "committed")
    child.communicate(timeout=60)
    with opened(home) as instance, pytest.raises(OutOfOrder, match="report of .* not published"):
        instance.step("close", two_days.day_3)
