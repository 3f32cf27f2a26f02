"""What figures are made of, as data: a **row set** is a named query over sealed tables, a **figure** a sum or a count over one row set.

A figure is defined once and every report that shows it shows this one, so that the loan balance is the same in all of them. Because
a figure is an aggregate over rows that say where they come from, the rows behind it are the same query without the aggregate.
The language is described in ``reports/README.md``.
"""

from __future__ import annotations

import string
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from custody.errors import SettingsError

FigureUnit = Literal["amount", "count", "share"]
ColumnType = Literal["text", "word", "amount", "count", "share", "date", "time"]
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
# What every query may name beside its tables: the first and the last custody date of the period.
Model = TypeVar("Model", bound=BaseModel)
_PARAMETERS = frozenset({"first", "last"})
# The parser in C reads them in a tenth of the time; both are the safe one.
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Words(Strict):
    """The same in English and Chinese."""

    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]


class TableUse(Strict):
    """``of``: as it stood at the period's ``end``, at the end of the day before the period (``opening``), or the rows of all its
    ``days``, which then have a column ``on_date``. ``step`` None: a table that the report step makes itself (jobs.reporting)."""

    step: Id | None = None
    of: Literal["end", "opening", "days"]


class ColumnDefinition(Strict):
    """A column of the query that reports may show, or tell figures apart by. A ``word`` is a term of ``dimension`` (reports.terms)."""

    id: Id
    type: ColumnType
    name: Words
    meaning: Words
    dimension: Id | None = None


class ShareOf(Strict):
    of: Id
    over: Id


class FigureDefinition(Strict):
    """``sum`` of a column, ``count`` of rows, number of ``distinct`` values, or the ``share`` of one figure of this row set in another,
    in ten-thousandths rounded half up. ``where``: a condition on the row set's columns."""

    id: Id
    unit: FigureUnit
    name: Words
    meaning: Words
    sum: Id | None = None
    count: Literal[True] | None = None
    distinct: Id | None = None
    share: ShareOf | None = None
    where: str | None = None

    @property
    def is_additive(self) -> bool:
        """Whether the figures of parts add up to that of the whole: persons and shares do not."""
        return self.sum is not None or self.count is not None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.sum, self.count, self.distinct, self.share]
        if sum(way is not None for way in ways) != 1:
            raise ValueError(f"figure {self.id} must be one of sum, count, distinct, share")
        if (self.share is not None) != (self.unit == "share") or (self.unit == "amount") != bool(
            self.sum and self.sum.endswith("_minor")
        ):
            raise ValueError(f"figure {self.id}: its unit does not fit what it is made of")
        return self


class RowSet(Strict):
    """``query``: SQL in which {table} names a table of ``tables``, {first} and {last} the period. ``place``: the columns that say which
    sealed row a row is."""

    id: Id
    tables: dict[str, TableUse]
    query: str
    place: list[Id]
    source: Words
    columns: list[ColumnDefinition] = Field(default_factory=list)
    figures: list[FigureDefinition] = Field(default_factory=list)

    def column(self, name: str) -> ColumnDefinition:
        for column in self.columns:
            if column.id == name:
                return column
        raise SettingsError(f"row set {self.id} has no column {name!r}")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        named = {field for _, field, _, _ in string.Formatter().parse(self.query) if field is not None}
        if named - _PARAMETERS != set(self.tables):
            raise ValueError(f"row set {self.id}: the query names {sorted(named)}, its tables are {sorted(self.tables)}")
        own = {figure.id for figure in self.figures}
        for figure in self.figures:
            if figure.share is not None and not {figure.share.of, figure.share.over} <= own:
                raise ValueError(f"figure {figure.id}: a share is of two figures of its own row set")
        return self


class Catalogue(Strict):
    row_sets: dict[str, RowSet]

    def row_set(self, name: str) -> RowSet:
        if name not in self.row_sets:
            raise SettingsError(f"no row set is called {name!r}; known: {', '.join(sorted(self.row_sets))}")
        return self.row_sets[name]

    def figure(self, name: str) -> tuple[RowSet, FigureDefinition]:
        for row_set in self.row_sets.values():
            for figure in row_set.figures:
                if figure.id == name:
                    return row_set, figure
        raise SettingsError(f"no figure is called {name!r}")


@cache
def load_catalogue() -> Catalogue:
    """All row sets that the program ships. Raises SettingsError when one is wrong, or two define a figure of one name."""
    found: dict[str, RowSet] = {}
    for file in sorted(files("reports").joinpath("row_sets").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            row_set = read_yaml(file.read_text(encoding="utf-8"), RowSet, f"row set {file.name}")
            if f"{row_set.id}.yaml" != file.name:
                raise SettingsError(f"row set {file.name} has another id: {row_set.id}")
            found[row_set.id] = row_set
    figures = [figure.id for row_set in found.values() for figure in row_set.figures]
    twice = sorted({name for name in figures if figures.count(name) > 1})
    if twice:
        raise SettingsError(f"figures are defined twice: {', '.join(twice)}")
    return Catalogue(row_sets=found)


def read_yaml(text: str, model: type[Model], what: str) -> Model:
    """Raises SettingsError that says what is wrong with ``what``."""
    try:
        return model.model_validate(yaml.load(text, _Loader))
    except (yaml.YAMLError, ValidationError) as error:
        raise SettingsError(f"{what} is wrong: {error}") from error
