"""What a committed table must look like, as Great Expectations suites: one JSON file for each table, named after it.

A suite is in Great Expectations' own form; ``meta.step`` names the step whose output holds the table. Columns, nulls and
keys follow schemas.tables, enumerations custody.names, amounts and currencies custody.money; a test holds them together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Suite:
    """``expectations`` are (type, keyword arguments) as Great Expectations names them; amounts in minor units."""

    table: str
    step: str
    expectations: tuple[tuple[str, dict[str, Any]], ...]


@cache
def suites() -> tuple[Suite, ...]:
    """Every declared suite, by name of table."""
    found = sorted((r for r in files(__name__).iterdir() if r.name.endswith(".json")), key=lambda r: r.name)
    return tuple(_suite(json.loads(r.read_text(encoding="utf-8"))) for r in found)


def suite_of(table: str) -> Suite:
    """The suite of one table. Raises KeyError."""
    for suite in suites():
        if suite.table == table:
            return suite
    raise KeyError(f"no suite for table {table!r}")


def _suite(raw: dict[str, Any]) -> Suite:
    return Suite(raw["name"], raw["meta"]["step"], tuple((e["type"], e["kwargs"]) for e in raw["expectations"]))
