"""Sealed outputs that a bench makes for the step that it measures, without running the steps before it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from custody.services.outputs import Seal

_RUN = "be" * 32


def commit(wiring: Any, on: date, step: str, write: Callable[[Any], None]) -> Seal:
    """One step of a date: what ``write`` puts into the lake is committed and published."""
    writer = wiring.lake.attempt(on, step, _RUN, 1)
    write(writer)
    manifest = writer.finish()
    key = {"custody_date": on, "step": step, "version": 1}
    row = {**key, "run_digest": _RUN, "inputs_digest": "", "manifest_digest": manifest.digest, "code_digest": "", "fence": 1}
    path = wiring.lake.relative(on, step, _RUN, 1)
    row |= {"path": path, "reason": "", "committed_at": ""}
    with wiring.register.transaction() as tx:
        tx.insert("step_output", row)
        tx.insert("publication", {**key, "manifest_digest": manifest.digest, "published_at": ""})
    return Seal(on, step, 1, manifest.digest, path)
