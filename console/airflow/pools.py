"""The pool in which what works on a custody day waits for its turn: one slot, since one such run has the machine's cores and memory.

The lease (design.md §4) keeps two runs apart whoever starts them; without the pool the second of Airflow's would fail and be tried again.
The slot is made where Airflow's people are. A bank that has the cores for more gives it more on Airflow's page; that stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from custody.steps import STEPS

DAY = "custody_day_steps"
SLOTS = 1
_WORDS = "steps of custody days, one at a time / 日终步骤，逐一运行"
# What else holds the day's lease.
_BESIDE_STEPS = ("backup",)


def pool_of(command: Sequence[str]) -> str | None:
    """The pool of a task that runs ``custody`` with these words; None for Airflow's own default."""
    works_on_a_day = len(command) == 1 and command[0].replace("-", "_") in (*STEPS, *_BESIDE_STEPS)
    return DAY if works_on_a_day else None


def make_pool() -> None:
    """Where there is none yet. In a process of Airflow's that has its database."""
    from airflow.models.pool import Pool

    if Pool.get_pool(DAY) is None:
        Pool.create_or_update_pool(DAY, SLOTS, _WORDS, include_deferred=False)
