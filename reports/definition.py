"""Report definitions as data: one YAML file for each report under ``reports/definitions/`` (the language: ``reports/README.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from custody.calendar import SettlementCalendar
from custody.errors import SettingsError
from reports.catalogue import Catalogue, Id, RowSet, Strict, Words, load_catalogue, read_yaml
from reports.periods import Period, PeriodKind, due_at

Addressee = Literal["regulator", "bank", "platform"]
Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


class Due(Strict):
    """By that hour (UTC+8) of the so-many-th bank business day after the period."""

    business_days: Annotated[int, Field(ge=1)]
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class ChartOf(Strict):
    """Of these figures of its table: bars for comparing the rows, a line for the trend over them."""

    kind: Literal["bar", "line"]
    figures: Annotated[list[Id], Field(min_length=1)]
    title: Words


class TableDefinition(Strict):
    """Figures ``by`` columns of their row sets (none: one row of figures for the whole, shown one below another), or the ``rows`` of one
    row set with its ``columns``, in the order of ``order``. ``where`` narrows either. ``compare``: each figure beside that of the period
    before and of a year ago, as they were sealed then."""

    id: Id
    title: Words
    note: Words | None = None
    by: list[Id] | None = None
    figures: list[Id] = Field(default_factory=list)
    compare: list[Literal["previous", "year_before"]] = Field(default_factory=list)
    rows: Id | None = None
    columns: list[Id] = Field(default_factory=list)
    order: list[Id] = Field(default_factory=list)
    where: str | None = None
    total: bool = False
    chart: ChartOf | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        of_figures = self.by is not None and self.figures and not (self.rows or self.columns or self.order)
        of_rows = self.rows is not None and self.columns and self.by is None and not (self.figures or self.compare or self.chart)
        if not (of_figures or of_rows):
            raise ValueError(f"table {self.id} must state either by and figures, or rows and columns")
        if self.chart is not None and not set(self.chart.figures) <= set(self.figures):
            raise ValueError(f"table {self.id}: its chart shows figures that it has not")
        return self


class Occasion(Strict):
    """A report of an event is drafted only when the table ``made`` of that name has a row on the period's last date (jobs.reporting.made);
    ``figures`` are the thresholds by which it is made."""

    made: Id
    figures: dict[Id, Annotated[int, Field(ge=0)]]


class ReportDefinition(Strict):
    """``scope``: one report for the whole bank, or one for each platform. ``drafted``: how many bank business days after the period its
    figures are taken; 0, on its last date. ``on_request``: never drafted by itself. ``due`` None: it has no due date."""

    id: Id
    version: Annotated[int, Field(ge=1)]
    title: Words
    audience: Words
    basis: Words
    addressees: Annotated[list[Addressee], Field(min_length=1)]
    scope: Literal["bank", "platform"]
    period: PeriodKind
    drafted: Annotated[int, Field(ge=0)] = 0
    on_request: bool = False
    occasion: Occasion | None = None
    due: Due | None = None
    pdf: list[Language] = Field(default_factory=lambda: list(LANGUAGES))
    tables: Annotated[list[TableDefinition], Field(min_length=1)]

    def due_at(self, period: Period, calendar: SettlementCalendar) -> datetime | None:
        """When the report of that period must have been delivered."""
        if self.due is None:
            return None
        return due_at(period, self.due.business_days, time.fromisoformat(self.due.at), calendar)

    def table(self, name: str) -> TableDefinition:
        for table in self.tables:
            if table.id == name:
                return table
        raise SettingsError(f"report {self.id} has no table {name!r}")

    def row_sets(self, catalogue: Catalogue) -> dict[str, RowSet]:
        """Those that its tables are made of. Raises SettingsError for a figure, row set or column that is not defined."""
        found: dict[str, RowSet] = {}
        for table in self.tables:
            if table.rows is not None:
                row_set = catalogue.row_set(table.rows)
                for column in (*table.columns, *table.order):
                    row_set.column(column)
                found[row_set.id] = row_set
            for figure in table.figures:
                row_set, _ = catalogue.figure(figure)
                for column in table.by or ():
                    row_set.column(column)
                found[row_set.id] = row_set
        return found


@cache
def load_definitions() -> Mapping[str, ReportDefinition]:
    """All reports that the program ships, by id. Raises SettingsError when one contradicts itself or the catalogue."""
    catalogue = load_catalogue()
    found: dict[str, ReportDefinition] = {}
    for file in sorted(files("reports").joinpath("definitions").iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".yaml"):
            continue
        definition = read_definition(file.read_text(encoding="utf-8"), file.name, catalogue)
        if f"{definition.id}.yaml" != file.name:
            raise SettingsError(f"report {file.name} has another id: {definition.id}")
        found[definition.id] = definition
    return found


def read_definition(text: str, what: str, catalogue: Catalogue) -> ReportDefinition:
    """A definition from YAML. Raises SettingsError."""
    definition = read_yaml(text, ReportDefinition, f"report {what}")
    names = [table.id for table in definition.tables]
    if len(set(names)) != len(names):
        raise SettingsError(f"report {what} has two tables of one id")
    for row_set in definition.row_sets(catalogue).values():
        if definition.scope == "platform":
            row_set.column("platform")
    return definition


def load_definition(report_id: str) -> ReportDefinition:
    """The definition of that id. Raises SettingsError when there is none."""
    known = load_definitions()
    if report_id not in known:
        raise SettingsError(f"no report is called {report_id!r}; known: {', '.join(sorted(known))}")
    return known[report_id]
