"""One writer at a time: a process that lost its lease changes nothing, and of two that start at once one commits."""

from __future__ import annotations

import re
import signal
import time
from datetime import date
from pathlib import Path

import pytest
from instance_kit import Instance, opened
from kill_kit import CopyOf, TwoDays, Undisturbed, assert_same, content_of, run_on, start, told, wait_until_stopped

from connectors.settings import FILE_NAME
from custody.errors import RetryLater
from custody.steps import STEPS
from jobs.step import StepResult

LEASE_SECONDS = 5


def with_short_lease(home: Path) -> Path:
    path = home / FILE_NAME
    text, changed = re.subn(r"(?<=\[lease\]\nseconds = )\d+", str(LEASE_SECONDS), path.read_text(encoding="utf-8"))
    assert changed == 1
    path.write_text(text, encoding="utf-8")
    return home


def take_over(instance: Instance, step: str, on: date) -> StepResult:
    """Run the step as soon as the stopped holder's lease runs out; until then it must be refused."""
    refusals, deadline = 0, time.monotonic() + 4 * LEASE_SECONDS
    while True:
        try:
            result = instance.step(step, on)
        except RetryLater:
            refusals += 1
            assert time.monotonic() < deadline, "the lease of a stopped process never ran out"
            time.sleep(0.2)
            continue
        assert refusals > 0, "a lease that a living process holds was taken over"
        return result


def test_a_process_that_slept_through_its_lease_changes_nothing(undisturbed: Undisturbed, fresh: CopyOf) -> None:
    home, on = with_short_lease(fresh(undisturbed.before["post"])), undisturbed.on
    sleeper = start(home, "post", on, "stopped")
    wait_until_stopped(sleeper)
    with opened(home) as instance:
        assert take_over(instance, "post", on).outcome == "committed"
        before = content_of(instance), instance.find("step_output"), instance.find("lease"), instance.find("audit_event")
        sleeper.send_signal(signal.SIGCONT)
        assert told(sleeper) == {"error": "LeaseLost"} and sleeper.returncode == 3
        assert before == (
            content_of(instance), instance.find("step_output"), instance.find("lease"), instance.find("audit_event"),
        )  # fmt: skip
        assert instance.step("post", on).outcome == "unchanged"
    assert_same(run_on(home, on, "project", "close"), undisturbed.after("close"), "post taken over")


def test_a_process_that_slept_before_its_publication_leaves_it_to_the_next(undisturbed: Undisturbed, fresh: CopyOf) -> None:
    """Asleep just before it writes to the keyed store, it finds its successor's publication there and ends with LeaseLost."""
    home, on = with_short_lease(fresh(undisturbed.before["project"])), undisturbed.on
    sleeper = start(home, "project", on, "storing")
    wait_until_stopped(sleeper)
    with opened(home) as instance:
        assert take_over(instance, "project", on).outcome == "unchanged"
        before = content_of(instance)
        sleeper.send_signal(signal.SIGCONT)
        assert told(sleeper) == {"error": "LeaseLost"} and sleeper.returncode == 3
        assert content_of(instance) == before


@pytest.mark.parametrize("step", ["land", "post", "close"])
def test_of_two_that_start_at_once_one_commits(step: str, undisturbed: Undisturbed, fresh: CopyOf) -> None:
    home, on = fresh(undisturbed.before[step]), undisturbed.on
    pair = [start(home, step, on, "start") for _ in range(2)]
    for child in pair:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [told(child) for child in pair]
    outcomes = sorted(str(answer.get("outcome", answer.get("error"))) for answer in answers)
    assert outcomes in (["RetryLater", "committed"], ["committed", "unchanged"]), answers
    with opened(home) as instance:
        assert len(instance.find("step_output", custody_date=on, step=step)) == 1
    assert_same(run_on(home, on, step, step), undisturbed.after(step), f"two runs of {step}")


def test_a_process_that_slept_for_a_day_does_not_put_old_balances_back(
    two_days: TwoDays, undisturbed: Undisturbed, fresh: CopyOf
) -> None:
    """Asleep between its last look at the lease and its write, while its successor goes on to the next day."""
    home, on, next_day = with_short_lease(fresh(undisturbed.before["project"])), undisturbed.on, two_days.days[3]
    sleeper = start(home, "project", on, "storing")
    wait_until_stopped(sleeper)
    with opened(home) as instance:
        take_over(instance, "project", on)
        instance.run_day(on, STEPS[STEPS.index("reconcile") :])
        instance.deliver(two_days.world, next_day)
        instance.run_day(next_day, STEPS[: STEPS.index("reconcile")])
        before = instance.keyed_rows()
        sleeper.send_signal(signal.SIGCONT)
        assert told(sleeper) == {"error": "LeaseLost"}
        assert instance.keyed_rows() == before
