"""The command `custody` in a process that is counted, or killed where a plan says so: what a DAG's task starts in place of the executable.

The plan's folder has ``plan.json``: the words of a command -> at which of its durable writes its next runs are killed, one after the
other (0: before it does anything). Where ``count`` stands beside it, every command runs to its end and leaves how many such writes it
made in ``points.json``. What makes a point: kill_runner.watch_io.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from console.airflow.preloaded import launch_preloaded


def launch(plan: Path, home: Path, arguments: Sequence[str], output: Path) -> Any:
    """A launcher (console.airflow.command) for one instance and its plan."""
    return launch_preloaded(arguments, output, partial(_planned, str(plan), str(home)))


def _planned(folder: str, home: str) -> None:
    # The fork server's environment is that of its first user.
    os.environ["CUSTODY_HOME"] = home
    from kill_runner import Points, die, watch_io

    from console.cli import main

    plan_file, words = Path(folder, "plan.json"), " ".join(sys.argv[1:])
    plan = json.loads(plan_file.read_text(encoding="utf-8")) if plan_file.exists() else {}
    counts, last = Path(folder, "count").exists(), None
    if not counts and plan.get(words):
        last = plan[words].pop(0)
        plan_file.write_text(json.dumps(plan), encoding="utf-8")
    if last == 0:
        die()
    points = Points(last)
    watch_io(points)
    try:
        main()
    finally:
        if counts:
            made = Path(folder, "points.json")
            known = json.loads(made.read_text(encoding="utf-8")) if made.exists() else {}
            made.write_text(json.dumps({**known, words: points.passed}), encoding="utf-8")
