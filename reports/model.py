"""A report's content: a frozen tree of tables and typed cells, which renderers turn into files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from reports.catalogue import FigureDefinition, Words
from reports.periods import Period


@dataclass(frozen=True)
class Text:
    """Words, in Chinese too where ``zh`` is not None. A renderer must write them as text, whatever they start with."""

    en: str
    zh: str | None = None


@dataclass(frozen=True)
class Count:
    number: int


@dataclass(frozen=True)
class Amount:
    """Minor units of the report's currency."""

    minor: int


@dataclass(frozen=True)
class Share:
    """Ten-thousandths: 1234 is 12.34 %."""

    ten_thousandths: int


@dataclass(frozen=True)
class Day:
    on: date


@dataclass(frozen=True)
class Moment:
    """An aware time; shown in UTC+8."""

    at: datetime


@dataclass(frozen=True)
class Nothing:
    """What is not known, such as the figure of a month for which there was no report."""


Cell = Text | Count | Amount | Share | Day | Moment | Nothing
# What a column's total is: none, a formula over its rows, or a figure of its own that its rows do not add up to (persons, shares).
Total = Literal["none", "sum", "own"]


@dataclass(frozen=True)
class Column:
    """``width`` is in characters. ``id``: of the figure or the row set's column that it shows, "" of one derived from another, which
    ``follows`` it where tables of many columns are parted; ``short``: its name where it stands beside that one."""

    id: str
    name: Words
    width: int
    is_number: bool = False
    total: Total = "none"
    follows: bool = False
    short: Words | None = None


@dataclass(frozen=True)
class Place:
    """Where a figure stands: row and column of its table, counted from 0; row None in the total. ``key``: the values by which it is told
    apart, in the order of the table's ``by``."""

    row: int | None
    column: int
    key: tuple[str, ...]
    figure: FigureDefinition
    value: int | None


@dataclass(frozen=True)
class Chart:
    """Of the rows of a table: a bar or a point for each row and each of the columns (counted from 0)."""

    kind: Literal["bar", "line"]
    title: Words
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """``keys``: how many columns at the left say what a row is; they stay in sight. ``total``: the cells of the last line, None where
    there is none."""

    id: str
    title: Words
    note: Words | None
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    keys: int = 1
    total: tuple[Cell, ...] | None = None
    chart: Chart | None = None
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Report:
    """``version``: of its definition; ``party``: the platform that it is for, "" of the whole bank's. ``currency`` is that of every amount.
    ``cover`` says what it is; ``meanings`` what its columns mean; ``inputs``, from ``seals``, what it was made from: each
    {custody_date, step, version, manifest_digest}."""

    title: Words
    version: int
    period: Period
    party: str
    currency: str
    bank_name: str
    cover: tuple[tuple[Words, Text], ...]
    tables: tuple[Table, ...]
    meanings: Table | None
    inputs: Table | None
    seals: tuple[Mapping[str, str | int], ...]

    @property
    def all_tables(self) -> tuple[Table, ...]:
        """Its tables, and what explains them."""
        return (*self.tables, *([self.meanings] if self.meanings else []))
