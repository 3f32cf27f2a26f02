"""The steps of a custody day: what reads what, and the state that follows."""

from datetime import date, timedelta
from itertools import product

import pytest

from custody.steps import STATES, STEPS, StepRef, day_state, reads

FIRST = date(2019, 12, 30)


def test_every_state_is_reached_in_order() -> None:
    committed: list[str] = []
    seen = [day_state(committed)]
    for step in STEPS:
        committed.append(step)
        if day_state(committed) != seen[-1]:
            seen.append(day_state(committed))
    assert tuple(seen) == STATES


@pytest.mark.parametrize(
    ("committed", "state"),
    [
        (set(), "OPEN"),
        ({"cut_off", "land"}, "CUT_OFF"),
        ({"land", "extract"}, "OPEN"),
        ({"cut_off", "land", "extract", "post"}, "LANDED"),
        (set(STEPS) - {"report"}, "RECONCILED"),
        (set(STEPS) - {"close"}, "ASSESSED"),
        (set(STEPS), "CLOSED"),
    ],
)
def test_a_state_needs_every_step_before_it(committed: set[str], state: str) -> None:
    assert day_state(committed) == state


def test_a_step_reads_only_what_comes_before_it() -> None:
    for step, offset in product(STEPS, range(4)):
        day = FIRST + timedelta(days=offset)
        for ref in reads(step, day, FIRST):
            assert ref.custody_date >= FIRST
            assert ref.custody_date < day or (ref.custody_date == day and STEPS.index(ref.step) < STEPS.index(step))


def test_the_first_day_reads_no_earlier_day() -> None:
    for step in STEPS:
        assert {ref.custody_date for ref in reads(step, FIRST, FIRST)} <= {FIRST}


def test_posting_needs_the_day_before_closed() -> None:
    day = FIRST + timedelta(days=2)
    found = reads("post", day, FIRST)
    assert StepRef(day - timedelta(days=1), "close") in found
    assert StepRef(FIRST, "close") not in found
    assert {ref for ref in found if ref.step == "post"} == {StepRef(FIRST, "post"), StepRef(FIRST + timedelta(days=1), "post")}


def test_close_needs_every_step_and_nothing_is_read_twice() -> None:
    assert {ref.step for ref in reads("close", FIRST, FIRST)} == set(STEPS) - {"close"}
    for step in STEPS:
        found = reads(step, FIRST + timedelta(days=3), FIRST)
        assert found == sorted(set(found))


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(KeyError):
        reads("dance", FIRST, FIRST)
