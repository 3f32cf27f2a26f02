"""What a committed table must look like, and what a day's batches must be like, as Great Expectations suites.

A suite is a JSON file in Great Expectations' own form. One for each table, named after it: ``meta.step`` names the step whose
output holds the table; columns, nulls and keys follow schemas.tables, enumerations custody.names, amounts and currencies
custody.money; a test holds them together. And one for each file type, ``batch_<type>.json``: ranges of the figures in
``batch_statistics`` (jobs.batch_statistics), each with its severity.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from schemas.layout import load_layout
from schemas.tables import TABLES

_BATCH = "batch_"
Severity = Literal["fail", "warn"]


@dataclass(frozen=True)
class Suite:
    """``expectations`` are (type, keyword arguments) as Great Expectations names them; amounts in minor units."""

    table: str
    step: str
    expectations: tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class BatchExpectation:
    """``column`` of ``batch_statistics`` lies within ``at_least`` and ``at_most``, both included; null is no judgement.

    ``rule`` names its words (custody.texts); several severities of one rule have different bounds. ``fail``: the batch is not
    to be trusted until somebody has looked at it. ``warn``: it is shown.
    """

    rule: str
    severity: Severity
    column: str
    at_least: int | None
    at_most: int | None

    @property
    def expected(self) -> str:
        """The range in words that need no language."""
        if self.at_least is None:
            return f"≤ {self.at_most}"
        return f"≥ {self.at_least}" if self.at_most is None else f"{self.at_least} … {self.at_most}"

    def is_met_by(self, value: int | None) -> bool:
        if value is None:
            return True
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True)
class BatchSuite:
    """What of a landed table is measured, and what is expected of the figures.

    ``by``: the column whose values are the classes that are compared with themselves; ``amount``: the one that is summed
    (minor units); ``time``: when a row happened; ``optional``: those that may be null. ``raw``: the suite as Great
    Expectations reads it.
    """

    file_type: str
    key: tuple[str, ...]
    by: str | None
    amount: str | None
    time: str | None
    optional: tuple[str, ...]
    expectations: tuple[BatchExpectation, ...]
    raw: tuple[dict[str, Any], ...]

    @property
    def table(self) -> str:
        return f"land_{self.file_type.lower()}"

    @property
    def columns(self) -> list[str]:
        """The columns of the landed table that are measured, beside its party and custody date."""
        wanted = {*self.key, *self.optional, *(name for name in (self.by, self.amount, self.time) if name)}
        return [name for name in TABLES[self.table].names if name in wanted]


@cache
def suites() -> tuple[Suite, ...]:
    """Every declared suite, by name of table."""
    return tuple(_suite(raw) for raw in _read() if not raw["name"].startswith(_BATCH))


@cache
def batch_suites() -> tuple[BatchSuite, ...]:
    """Every file type's suite, by name of type."""
    return tuple(_batch_suite(raw) for raw in _read() if raw["name"].startswith(_BATCH))


@cache
def _read() -> tuple[dict[str, Any], ...]:
    found = sorted((r for r in files(__name__).iterdir() if r.name.endswith(".json")), key=lambda r: r.name)
    return tuple(json.loads(r.read_text(encoding="utf-8")) for r in found)


def suite_of(table: str) -> Suite:
    """The suite of one table. Raises KeyError."""
    for suite in suites():
        if suite.table == table:
            return suite
    raise KeyError(f"no suite for table {table!r}")


def _suite(raw: dict[str, Any]) -> Suite:
    return Suite(raw["name"], raw["meta"]["step"], tuple((e["type"], e["kwargs"]) for e in raw["expectations"]))


def _batch_suite(raw: dict[str, Any]) -> BatchSuite:
    """Key, amount, time and optional columns follow from the layout; only the class is the suite's own choice."""
    layout = load_layout(raw["meta"]["layout"])
    landed = TABLES[f"land_{layout.file_type.lower()}"]
    totals = [layout.field(total).column for total in layout.totals[:1]]
    return BatchSuite(
        file_type=layout.file_type,
        key=layout.key,
        by=raw["meta"]["by"],
        amount=totals[0] if totals else None,
        time="event_time" if "event_time" in landed.names else None,
        optional=tuple(column.name for column in landed.columns if column.nullable),
        expectations=tuple(_batch_expectation(e) for e in raw["expectations"]),
        raw=tuple(raw["expectations"]),
    )


def _batch_expectation(raw: dict[str, Any]) -> BatchExpectation:
    if raw["type"] != "expect_column_values_to_be_between":
        raise ValueError(f"a batch is expected to lie in ranges; {raw['type']} is not one")
    arguments, meta = raw["kwargs"], raw["meta"]
    return BatchExpectation(
        meta["rule"], meta["severity"], arguments["column"], arguments.get("min_value"), arguments.get("max_value")
    )
