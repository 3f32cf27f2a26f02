"""Who may do what, as the tests found it by asking as each person: actions down, duties across.

    python tests/kit/permission_table.py JUNIT.xml --out permissions.json

Writes the same as Markdown beside the JSON. Ends with 1 when an answer was another than the contract's, and when none was recorded.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from permission_matrix import PROPERTY
from recorded import recorded

_MARKS = {"may": "✓", "refused": "–", "sees none": "none", "no such": ""}


def answers_of(junit: Path) -> list[dict[str, Any]]:
    """group, name, answers (duty -> what came), wrong (what came though the contract says otherwise): in the order of asking."""
    return [line for lines in recorded(junit, PROPERTY) for line in lines]


def markdown(lines: list[dict[str, Any]]) -> str:
    duties = list(dict.fromkeys(duty for line in lines for duty in line["answers"]))
    rows = [["", "action", *duties], ["---"] * (len(duties) + 2)]
    for line in lines:
        shown = [_MARKS.get(line["answers"].get(duty, ""), line["answers"].get(duty, "")) for duty in duties]
        rows.append([line["group"], line["name"], *shown])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(arguments: list[str]) -> int:
    junit, option, out = arguments
    assert option == "--out", __doc__
    lines = answers_of(Path(junit))
    if not lines:
        print("no answer was recorded")
        return 1
    Path(out).write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    Path(out).with_suffix(".md").write_text(markdown(lines), encoding="utf-8")
    wrong = [line for line in lines if line["wrong"]]
    print(f"{len(lines)} actions, {sum(len(line['answers']) for line in lines)} answers, {len(wrong)} actions answered wrongly")
    for line in wrong:
        print(line["group"], line["name"], line["wrong"])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
