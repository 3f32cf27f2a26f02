"""The evidence of a case laid out: one column for each source row, side by side, and which fields do not agree.

Evidence is a list of objects. Each says its ``side`` (A, B, C, or "-" for figures that are nobody's alone), where it stands
(``row_ref``: file:line, ``journal:...``, ``core:...``, ``snapshot:...``), under which ``store_key`` the keyed store has it if it has, and
what is compared. No personal data is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Evidence = Sequence[Mapping[str, Any]]

SIDES = ("A", "B", "C", "-")
FIGURES = "-"
# What says where a row stands is not compared.
PLACES = ("side", "row_ref", "store_key")
# The order in which people read the fields; what is not named comes behind, by name.
_ORDER = (
    "amount_minor",
    "currency",
    "available_minor",
    "frozen_minor",
    "fee_minor",
    "principal_minor",
    "interest_minor",
    "penalty_minor",
    "coupon_minor",
    "from_account",
    "to_account",
    "loan_id",
    "holder",
    "borrower",
    "guarantor",
    "payee",
    "raised_minor",
    "state",
    "overdue_since",
    "status",
    "item_date",
    "event_time",
)


@dataclass(frozen=True)
class Column:
    side: str
    row_ref: str | None
    store_key: str | None


@dataclass(frozen=True)
class Line:
    """One field; a cell for each column. ``differs``: the sides do not say the same."""

    field: str
    cells: tuple[Any, ...]
    differs: bool


# More rows than these nobody compares as columns.
MOST_BESIDE_EACH_OTHER = 6


@dataclass(frozen=True)
class Sheet:
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]

    @property
    def is_long(self) -> bool:
        """Whether it is better read with a line for each source row, under each other (``below_each_other``)."""
        return len(self.columns) > MOST_BESIDE_EACH_OTHER

    def below_each_other(self) -> tuple[tuple[Line, ...], list[tuple[Column, tuple[Any, ...]]]]:
        """(fields that the sides' rows say, each row with its cells of these fields)."""
        rows = [at for at, column in enumerate(self.columns) if column.side != FIGURES]
        fields = tuple(line for line in self.lines if any(line.cells[at] is not None for at in rows))
        return fields, [(self.columns[at], tuple(line.cells[at] for line in fields)) for at in rows]

    def figures(self) -> list[tuple[Line, Any]]:
        """What is nobody's alone: each field with its value."""
        found = []
        for line in self.lines:
            for column, value in zip(self.columns, line.cells, strict=True):
                if column.side == FIGURES and value is not None:
                    found.append((line, value))
        return found


def side_by_side(evidence: Evidence) -> Sheet:
    """Columns in order of side, rows of one side as they came; fields that nobody filled are left out."""
    rows = sorted(evidence, key=lambda row: SIDES.index(side_of(row)))
    columns = tuple(Column(side_of(row), row.get("row_ref"), row.get("store_key")) for row in rows)
    names = {name for row in rows for name, value in row.items() if name not in PLACES and value is not None}
    lines = []
    for name in sorted(names, key=_place):
        cells = tuple(row.get(name) for row in rows)
        lines.append(Line(name, cells, _differs(name, rows)))
    return Sheet(columns, tuple(lines))


def side_of(row: Mapping[str, Any]) -> str:
    """A, B, C, or "-" for what says none of them."""
    side = row.get("side")
    return str(side) if side in SIDES else FIGURES


def rows_by_side(evidence: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """What is no side's row is left out."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in evidence:
        if (side := side_of(row)) != FIGURES:
            found.setdefault(side, []).append(row)
    return found


def told_by(evidence: Iterable[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """What each side says of a field: of amounts the sum over its rows, of others its one value or all of them."""
    return told_by_sides(rows_by_side(evidence), name)


def told_by_sides(sides: Mapping[str, Sequence[Mapping[str, Any]]], name: str) -> dict[str, Any]:
    """The same of rows that are told apart by side already."""
    return {side: _one(name, [row.get(name) for row in rows]) for side, rows in sides.items()}


def _one(name: str, values: list[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    if name.endswith("_minor"):
        known = [value for value in values if value is not None]
        return sum(known) if known else None
    different = sorted({str(value) for value in values})
    return values[0] if len(different) == 1 else tuple(different)


def _differs(name: str, rows: Evidence) -> bool:
    told = told_by(rows, name)
    # A channel and the core do not tell all that the ledger knows; a platform does.
    said = [value for side, value in told.items() if side != "C" or value is not None]
    return len(said) > 1 and any(value != said[0] for value in said[1:])


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)
