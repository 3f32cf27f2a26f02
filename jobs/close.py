"""close: the day's root, a table that names every step's seal of the date and yesterday's root (design.md §4.5).

The root and the audit chain are tied together from the chain's side: the commit of this step (jobs/step.py) and its audit
event, which carries the root's digest, are one register transaction. So the chain, from that event on, commits to the root,
and the root through yesterday's to every seal of every day before; and the events up to a close are those before its own.
The root itself names no event: events have wall-clock times, and a root must be the same whenever its day is run.
What names both is the statement that the bank signs when the close is published (jobs/day_seal.py). `custody verify` checks all
three.
"""

from __future__ import annotations

from datetime import timedelta

from custody.audit import GENESIS
from custody.errors import StopRun
from custody.ports import Row
from custody.services.outputs import Seal
from custody.steps import STEPS
from jobs.day_seal import sign_day
from jobs.step import Step, StepContext


def _run(context: StepContext) -> None:
    proof = context.rows("reconcile", "proof")
    failing = [f"{p['relation']}/{p['side']}" for p in proof if not p["holds"]]
    if failing:
        raise StopRun(f"the completeness proof of {context.custody_date} does not hold for {', '.join(failing)}")
    rows: list[Row] = []
    for step in STEPS:
        seal = context.seal(step)
        if seal is not None:
            rows.append({"step": step, "version": seal.version, "manifest_digest": seal.manifest_digest})
    yesterday = context.seal("close", on=context.custody_date - timedelta(days=1))
    previous = yesterday.manifest_digest if yesterday else GENESIS
    rows.append({"step": "close_of_yesterday", "version": yesterday.version if yesterday else 0, "manifest_digest": previous})
    context.write("day_root", rows)


def _publish(context: StepContext, seal: Seal) -> None:
    sign_day(context.wiring, seal)


STEP = Step("close", _run, _publish)
