"""The scores that the tests recorded, summed over all seeds: one line for each kind of fault.

    python tests/kit/score_table.py JUNIT.xml... --out score.json

Ends with 1 when a kind was missed, found late or raised for nothing, and when no score was recorded.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from recorded import recorded
from rich.console import Console

from console.scoring import score_table
from simulator.score import TOTAL, Score, rate

PROPERTY = "score"
_COUNTS = ("planted", "not_due", "found", "late", "missed", "false")

Kinds = dict[str, dict[str, Any]]


def scores_of(junit: Path) -> list[Kinds]:
    """The kinds of each world that a run of the tests scored; one whose test failed stands there as well."""
    return recorded(junit, PROPERTY)


def summed(worlds: list[Kinds]) -> Kinds:
    """Counts over all worlds, and the rates that they give."""
    counts: dict[str, Counter[str]] = {}
    for world in worlds:
        for kind, line in world.items():
            counts.setdefault(kind, Counter()).update({name: line[name] for name in _COUNTS})
    kinds = [*sorted(kind for kind in counts if kind != TOTAL), TOTAL]
    return {kind: _line(counts[kind]) for kind in kinds}


def _line(counts: Counter[str]) -> dict[str, Any]:
    rates = {
        "recall": rate(counts["found"], counts["planted"] - counts["not_due"]),
        "precision": rate(counts["found"], counts["found"] + counts["false"]),
    }
    return {name: counts[name] for name in _COUNTS} | rates


def main(arguments: list[str]) -> int:
    *junits, option, out = arguments
    assert option == "--out", __doc__
    worlds = [kinds for junit in junits for kinds in scores_of(Path(junit))]
    if not worlds:
        print("no score was recorded")
        return 1
    kinds = summed(worlds)
    Path(out).write_text(json.dumps({"worlds": len(worlds), "kinds": kinds}, indent=1) + "\n", encoding="utf-8")
    Console(width=120).print(score_table(Score(kinds)))
    print(f"{len(worlds)} worlds")
    return 1 if any(kinds[TOTAL][name] for name in ("late", "missed", "false")) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
