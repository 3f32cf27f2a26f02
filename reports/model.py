"""A report's content: a frozen tree of sheets and typed cells, which renderers turn into files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from reports.definition import ReportDefinition, Unit


@dataclass(frozen=True)
class Text:
    """Words. A renderer must write them as text, whatever they start with."""

    text: str


@dataclass(frozen=True)
class Count:
    number: int


@dataclass(frozen=True)
class Amount:
    """Minor units of the report's currency."""

    minor: int


Cell = Text | Count | Amount


@dataclass(frozen=True)
class Column:
    """``width`` is in characters. ``total`` asks for a sum below the rows, which then all are Count or all Amount."""

    name_en: str
    name_zh: str
    width: int
    total: bool = False


@dataclass(frozen=True)
class Chart:
    """A bar chart of a sheet: one bar a row, its label and its value from the named columns (counted from 0)."""

    title: str
    label_column: int
    value_column: int


@dataclass(frozen=True)
class Sheet:
    """``preface`` stands above the table, one row of cells a line. ``frozen`` keeps the header rows, all above them and
    the first two columns in sight."""

    name: str
    preface: tuple[tuple[Cell, ...], ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    frozen: bool = True
    chart: Chart | None = None

    def total(self, column: int) -> int:
        """The exact sum of a column: a number, or minor units."""
        return sum(_number(row[column]) for row in self.rows)


@dataclass(frozen=True)
class Fact:
    """One figure of one platform: the tidy form, one row of the CSV file."""

    platform: str
    figure_id: str
    name_en: str
    name_zh: str
    unit: Unit
    value: int


@dataclass(frozen=True)
class Report:
    """``period`` is ``YYYY-MM``, ``as_of`` its last day; ``currency`` is that of every amount in it."""

    definition: ReportDefinition
    period: str
    as_of: date
    currency: str
    bank_name: str
    sheets: tuple[Sheet, ...]
    facts: tuple[Fact, ...]
    seals: tuple[Mapping[str, str | int], ...]


def _number(cell: Cell) -> int:
    if isinstance(cell, Text):
        raise TypeError("text has no sum")
    return cell.number if isinstance(cell, Count) else cell.minor
