"""A step that dies anywhere is repaired by running it again: all content is what an undisturbed run makes.

Three ways to die, by the step's and the seed's turn: at a random line of our own source, around a random write to disk, and by a SIGKILL
from outside at a random time. (post and project: test_ledger_crash_matrix.py.) ``CUSTODY_SEEDS=n pytest -k "post and seed7"`` runs one seed of one step again.
"""

from __future__ import annotations

import signal
from random import Random

import pytest
from instance_kit import opened, seeds
from kill_kit import KILLED_STEPS, LEDGER, CopyOf, Undisturbed, assert_same, kill, run_on, start

from custody.errors import OutOfOrder

KILLS = ("lines", "io", "timer")
ELSE = [step for step in KILLED_STEPS if step not in LEDGER]


@pytest.mark.parametrize("seed", seeds(2), ids=lambda seed: f"seed{seed}")
@pytest.mark.parametrize("step", ELSE)
def test_killed_anywhere_and_run_again(step: str, seed: int, undisturbed: Undisturbed, fresh: CopyOf) -> None:
    home, how = fresh(undisturbed.before[step]), KILLS[(seed + ELSE.index(step)) % len(KILLS)]
    point, _ = kill(home, step, how, Random(f"{step}|{seed}"), undisturbed)
    again = run_on(home, undisturbed.on, step, "close")
    assert_same(again, undisturbed.after("close"), f"seed {seed}: {step} killed at {point}")


@pytest.mark.parametrize("how", ["committed", "published"])
@pytest.mark.parametrize("step", ["cut_off", "land", "project", "reconcile", "risk"])
def test_killed_between_the_commit_and_its_publication(step: str, how: str, undisturbed: Undisturbed, fresh: CopyOf) -> None:
    home, on = fresh(undisturbed.before[step]), undisturbed.on
    child = start(home, step, on, how)
    child.communicate(timeout=300)
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
    assert_same(run_on(home, on, step, step), undisturbed.after(step), f"{step} killed when {how}")


def test_what_is_committed_but_not_published_cannot_be_closed(undisturbed: Undisturbed, fresh: CopyOf) -> None:
    home = fresh(undisturbed.before["report"])
    child = start(home, "report", undisturbed.on, "committed")
    child.communicate(timeout=300)
    with opened(home) as instance, pytest.raises(OutOfOrder, match="report of .* not published"):
        instance.step("close", undisturbed.on)
