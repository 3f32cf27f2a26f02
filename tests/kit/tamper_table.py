"""The tamper drill as a table: what was tampered with, by which part of `custody verify` it was found, and where.

    python tests/kit/tamper_table.py JUNIT.xml --out tampering.json

Ends with 1 when something was not located, and when no tampering was recorded.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from recorded import recorded
from rich.console import Console
from rich.table import Table

PROPERTY = "tampering"


def drill_of(junit: Path) -> list[dict[str, Any]]:
    """In the order of the drill."""
    return recorded(junit, PROPERTY)


def main(arguments: list[str]) -> int:
    junit, option, out = arguments
    assert option == "--out", __doc__
    drill = drill_of(Path(junit))
    if not drill:
        print("no tampering was recorded")
        return 1
    Path(out).write_text(json.dumps(drill, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    table = Table(title=f"{sum(one['located'] for one in drill)} of {len(drill)} found and located 篡改演练")
    for name in ("tampered with", "part", "found at"):
        table.add_column(name, overflow="fold")
    for one in drill:
        table.add_row(one["name"], one["part"], one["words"] if one["located"] else "NOT FOUND")
    Console(width=160).print(table)
    return 0 if all(one["located"] for one in drill) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
