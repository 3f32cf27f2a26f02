"""A line that shows how far a world is made, for a person at a terminal; nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.simulate import Progress


@contextmanager
def world_progress(platforms: int) -> Iterator[Callable[[Progress], None]]:
    """What to call with each Progress; the line goes when the world is made."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich import progress as bar
    from rich.console import Console

    columns = (
        bar.TextColumn("platforms 平台"),
        bar.BarColumn(),
        bar.MofNCompleteColumn(),
        bar.TextColumn("{task.fields[rows]:,} rows 行, {task.fields[speed]:,}/s, {task.fields[memory]:,} MiB"),
        bar.TimeRemainingColumn(),
    )
    began = time.perf_counter()
    with bar.Progress(*columns, console=Console(stderr=True), transient=True) as line:
        task = line.add_task("", total=platforms, rows=0, speed=0, memory=0)

        def told(now: Progress) -> None:
            speed = int(now.made.rows / (time.perf_counter() - began))
            line.update(task, completed=now.made.platforms, rows=now.made.rows, speed=speed, memory=now.memory_mib)

        yield told
