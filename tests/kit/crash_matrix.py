"""What the crash tests recorded, as one matrix: which step, what was killed, where, and what came of it.

    python tests/kit/crash_matrix.py JUNIT.xml... --out crash_matrix.json

Ends with 1 when a point did not end equal, or when there are fewer points than were promised: 50 of the embedded
instance, 50 of one on HBase.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

EQUAL = "equal"
PROMISED = {"embedded": 50, "HBase": 50}
_FIELDS = ("store", "step", "killed", "point", "at first", "then")

Point = dict[str, str]


def points_of(junit: Path) -> list[Point]:
    """The points that a run of the tests recorded; one whose test failed has no ``then``."""
    found = []
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        said = {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}
        if "killed" in said:
            point = {name: said.get(name, "") for name in _FIELDS}
            found.append({"test": case.attrib["name"], **point, "then": point["then"] or "FAILED"})
    return found


def table_of(points: list[Point]) -> Table:
    table = Table(title="Killed and run again / 中断与重跑", box=SIMPLE, pad_edge=False)
    for title in ("store 存储", "step 步骤", "killed 被终止", "at first 当时"):
        table.add_column(title, no_wrap=True)
    for title in ("points 点数", "then equal 重跑一致"):
        table.add_column(title, justify="right", no_wrap=True)
    counted = Counter((p["store"], p["step"], p["killed"], p["at first"]) for p in points)
    equal = Counter((p["store"], p["step"], p["killed"], p["at first"]) for p in points if p["then"] == EQUAL)
    for key, count in sorted(counted.items()):
        style = "green" if equal[key] == count else "bold red"
        table.add_row(*key, str(count), str(equal[key]), style=style)
    return table


def main(arguments: list[str]) -> int:
    *junits, option, out = arguments
    assert option == "--out", __doc__
    points = [point for junit in junits for point in points_of(Path(junit))]
    Path(out).write_text(json.dumps(points, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    screen = Console(width=120)
    screen.print(table_of(points))
    counted = Counter(point["store"] for point in points)
    wrong = [f"{point['test']}: {point['point']}" for point in points if point["then"] != EQUAL]
    wrong += [
        f"{counted[store]} points on {store}, {least} were promised"
        for store, least in PROMISED.items()
        if counted[store] < least
    ]
    for words in wrong:
        screen.print(f"[bold red]{words}[/]", soft_wrap=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
