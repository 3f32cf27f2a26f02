"""What the fuzz runs of a soak found, summed over all seeds.

    python tests/kit/fuzz_table.py JUNIT.xml... --out fuzz.json

Ends with 1 when something did not hold in any of them, and when none was recorded.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from recorded import recorded

PROPERTY = "fuzz"
_COUNTED = ("mutations", "outcomes", "rules")
_SUMMED = ("files", "seals", "bytes", "amounts", "seconds")


def runs_of(junit: Path) -> list[dict[str, Any]]:
    return recorded(junit, PROPERTY)


def summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {"runs": len(runs)}
    out |= {name: round(sum(run[name] for run in runs), 1) for name in _SUMMED}
    out |= {name: max(run[name] for run in runs) for name in ("slowest_s", "peak_mib")}
    for name in _COUNTED:
        counts: Counter[str] = Counter()
        for run in runs:
            counts.update(run[name])
        out[name] = dict(sorted(counts.items()))
    return out | {"broken": [words for run in runs for words in run["broken"]]}


def main(arguments: list[str]) -> int:
    *junits, option, out = arguments
    assert option == "--out", __doc__
    runs = [run for junit in junits for run in runs_of(Path(junit))]
    if not runs:
        print("no fuzz run was recorded")
        return 1
    found = summed(runs)
    Path(out).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{found['files']} files in {found['runs']} runs, {len(found['broken'])} things did not hold")
    return 1 if found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
