"""Every step by name. Modules load when their step runs: a command pays only for what it needs."""

from __future__ import annotations

from importlib import import_module

from custody.steps import STEPS
from jobs.step import Step

_MODULES = {step: f"jobs.{step}" for step in STEPS} | {
    step: f"jobs.{step}.step" for step in ("post", "reconcile", "compliance", "risk")
}


def step_named(name: str) -> Step:
    """The step of this name; KeyError for a name that is not in custody.steps.STEPS."""
    step: Step = import_module(_MODULES[name]).STEP
    return step
