"""Does a row cost the same on a day ten times as large? The reconcile step on two days, in seconds for a million rows a side.

The ratio is that of a row's cost on the large day to that on the day of a tenth of its rows. ``--rows 10000000`` is the size that is
asked about, since a small day is mostly what each query costs however few its rows are.
"""

from __future__ import annotations

from pathlib import Path

from bench.harness import Run
from bench.reconcile import run_reconcile
from bench.reconcile_day import make_day

ROWS = 1_000_000
_MILLION = 1_000_000


def prepare(folder: Path, rows: int) -> int:
    for name, many in (("large", rows), ("small", rows // 10)):
        make_day(folder / name / "home", many)
        (folder / name / "rows").write_text(str(many), encoding="ascii")
    return rows


def _run(folder: Path) -> Run:
    from connectors.bootstrap import wire

    found = run_reconcile(wire(folder / "home"))
    millions = int((folder / "rows").read_text(encoding="ascii")) / _MILLION
    seconds = {f"{name}_growth": spent / millions for name, spent in found.seconds.items()}
    # What is found grows with the rows; that the proof holds has been seen.
    return Run(seconds, {}, found.rss_mb)


SIDES = {
    "ours, s for 1 million rows": lambda folder: _run(folder / "large"),
    "a tenth of the rows": lambda folder: _run(folder / "small"),
}
