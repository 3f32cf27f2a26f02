"""``python -m bench [NAME ...]`` from the repository's root: our figures beside named peers', into build/bench.json."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.harness import NAMES, AnswersDiffer, Figure, measure

# design.md §5: what the file holds.
_KEPT = ("name", "peer", "rows", "ours_s", "peer_s", "ratio", "rss_mb")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; none means all")
    parser.add_argument("--rows", type=int, help="size, instead of each benchmark's own")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side; fewer than three only show that it works")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="the result; data lie beside it meanwhile")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    figures: list[Figure] = []
    try:
        for name in asked.names or NAMES:
            figures += measure(name, asked.rows, asked.runs, asked.out.parent / "bench" / name, _told)
    except AnswersDiffer as differ:
        print(f"not compared: {differ}", file=sys.stderr)
        return 1
    kept = [{key: value for key, value in asdict(figure).items() if key in _KEPT} for figure in figures]
    asked.out.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _show(figures)
    return 0


def _told(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _show(figures: list[Figure]) -> None:
    table = Table(padding=(0, 0, 0, 1), title="Medians; a ratio below 1 means ours is faster. 比值小于 1 表示我方更快")
    for title in ("name", "peer"):
        table.add_column(title, no_wrap=True)
    for title in ("rows", "ours s", "peer s", "ratio", "ours MiB", "peer MiB"):
        table.add_column(title, justify="right", no_wrap=True)
    for f in figures:
        seconds = (f"{f.ours_s:.2f}", f"{f.peer_s:.2f}", f"{f.ratio:.2f}")
        table.add_row(f.name, f.peer, f"{f.rows:,}", *seconds, f"{f.rss_mb:,}", f"{f.peer_rss_mb:,}")
    # Wide enough for the table where nobody's terminal says how wide it is.
    Console(width=max(Console().width, 100)).print(table)


if __name__ == "__main__":
    raise SystemExit(main())
