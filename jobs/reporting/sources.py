"""The sealed tables that row sets name (reports.catalogue), as views of the engine, and what their queries answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.lake import arrow_schema
from custody.calendar import ONE_DAY
from custody.errors import StopRun
from custody.services.outputs import Seal
from jobs.reporting.made import MadeTables
from jobs.step import StepContext
from reports.build import Answer, Key, ten_thousandths
from reports.catalogue import Catalogue, FigureDefinition, RowSet, TableUse
from reports.definition import ReportDefinition, TableDefinition
from reports.periods import Period
from schemas.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_PLATFORM = "platform"
_SQL_TYPES = {
    pa.string(): "string",
    pa.int64(): "bigint",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us", tz="UTC"): "timestamp",
}
# Of a key that is no word: dates and numbers are compared and sealed as text.
_NO_PARTY = ""


@dataclass
class Sources:
    """Of one report and period. ``made``: tables that no step seals but are made of sealed ones; ``views``: those that stand in the
    session already; ``used``: the seals of what was read."""

    context: StepContext
    spark: SparkSession
    period: Period
    made: MadeTables
    views: set[str] = field(default_factory=set)
    used: dict[tuple[date, str], Seal] = field(default_factory=dict)

    def sql(self, row_set: RowSet) -> str:
        """The row set's query over views that stand from here on. Raises StopRun for a table that no step seals."""
        views = {name: self._view(name, use) for name, use in row_set.tables.items()}
        return row_set.query.format(first=self.period.first.isoformat(), last=self.period.last.isoformat(), **views)

    def rows(self, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.spark.sql(query).toArrow().to_pylist()
        return found

    def days(self) -> list[date]:
        """The dates of the period of which the ledger is sealed."""
        return [seal.custody_date for seal in self._seals("post", "days")]

    def _view(self, name: str, use: TableUse) -> str:
        # A period's own: one session serves several.
        view = f"{name}__{use.of}__{self.period.name.replace('-', '_')}"
        for seal in self._seals(use.step, use.of) if use.step is not None else self.made.seals(name):
            self.used[seal.custody_date, seal.step] = seal
        if view not in self.views:
            self._frame(name, use).createOrReplaceTempView(view)
            self.views.add(view)
        return view

    def _frame(self, name: str, use: TableUse) -> DataFrame:
        from pyspark.sql import functions as F

        if use.step is None:
            if name not in self.made:
                raise StopRun(f"no table {name!r} is made for reports; a row set must name the step that seals it")
            return self._of_rows(self.made[name])
        columns = TABLES[name].names
        lake = self.context.wiring.lake
        frames = []
        for seal in self._seals(use.step, use.of):
            if name not in lake.manifest(seal.path).tables:
                continue
            frame = self.spark.read.parquet(lake.parquet(seal.path, name)).select(*columns)
            frames.append(frame.withColumn("on_date", F.lit(seal.custody_date)) if use.of == "days" else frame)
        if not frames:
            schema = arrow_schema(TABLES[name])
            return self._of_rows((schema.append(pa.field("on_date", pa.date32())) if use.of == "days" else schema).empty_table())
        return reduce(lambda one, other: one.unionAll(other), frames)

    def _of_rows(self, table: pa.Table) -> DataFrame:
        """Of no rows the engine's client infers no columns: they are named to it."""
        if table.num_rows:
            return self.spark.createDataFrame(table)
        return self.spark.createDataFrame([], ", ".join(f"{field.name} {_SQL_TYPES[field.type]}" for field in table.schema))

    def _seals(self, step: str, of: str) -> list[Seal]:
        first, last = self.period.first, self.period.last
        if of == "days":
            return [seal for seal in self.context.seals_of(step) if first <= seal.custody_date <= last]
        found = self.context.seal(step, last if of == "end" else first - ONE_DAY)
        return [found] if found else []


def answers(
    sources: Sources, catalogue: Catalogue, definition: ReportDefinition, parties: Sequence[str]
) -> dict[str, dict[str, Answer]]:
    """By party ("" for the whole bank's report) and table: what each table's queries say. ``parties``: the platforms of the date, each of
    which stands in a table by platform though nothing of it is found."""
    scoped = definition.scope == "platform"
    found: dict[str, dict[str, Answer]] = {party: {} for party in (parties if scoped else [_NO_PARTY])}
    for table in definition.tables:
        if table.rows is not None:
            by_party = _rows(sources, catalogue.row_set(table.rows), table, scoped)
        else:
            by_party = _figures(sources, catalogue, table, scoped, parties)
        for party, said in found.items():
            said[table.id] = by_party.get(party, Answer())
    return found


def rows_behind(
    sources: Sources, row_set: RowSet, figure: FigureDefinition, table: TableDefinition, key: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The row set's rows that a figure was made of, those first that their ``place`` puts first. ``key``: by column, the values by which
    the figure is told apart (for a platform's own report its platform too)."""
    conditions = [f"({condition})" for condition in (table.where, figure.where) if condition]
    conditions += [f"cast({column} as string) = {_literal(value)}" for column, value in key.items()]
    where = f"where {' and '.join(conditions)}" if conditions else ""
    return sources.rows(f"select * from ({sources.sql(row_set)}) r {where} order by {', '.join(row_set.place)}")


def _rows(sources: Sources, row_set: RowSet, table: TableDefinition, scoped: bool) -> dict[str, Answer]:
    columns = [*([_PLATFORM] if scoped else []), *table.columns]
    order = ", ".join(f"{name} nulls first" for name in dict.fromkeys([*table.order, *row_set.place]))
    shown = ", ".join(f"{name} as c{number}" for number, name in enumerate(columns))
    ordered = sources.rows(f"select {shown} from ({sources.sql(row_set)}) r {_where(table)} order by {order}")
    by_party: dict[str, list[list[Any]]] = defaultdict(list)
    for row in ordered:
        values = list(row.values())
        by_party[values[0] if scoped else _NO_PARTY].append(values[1:] if scoped else values)
    return {party: Answer(rows=rows) for party, rows in by_party.items()}


def _figures(
    sources: Sources, catalogue: Catalogue, table: TableDefinition, scoped: bool, parties: Sequence[str]
) -> dict[str, Answer]:
    """Each row set is asked once by the table's keys, and once for the whole where rows do not add up to it."""
    outer = [_PLATFORM] if scoped else []
    by = [*outer, *(table.by or ())]
    figures = [catalogue.figure(name)[1] for name in table.figures]
    wanted = {figure.id: figure for figure in figures} | {f.id: f for f in _parts_of_shares(catalogue, figures)}
    grouped = _grouped(sources, catalogue, list(wanted.values()), table, by)
    # What no row set has a row of is nothing, not missing.
    for party in parties if by == [_PLATFORM] or not by else ():
        grouped.setdefault((party,) if by else (), {})
    whole = _whole(sources, catalogue, list(wanted.values()), table, outer, grouped) if table.total else {}
    found: dict[str, dict[Key, dict[str, int | None]]] = defaultdict(dict)
    for key, values in grouped.items():
        party, rest = (key[0], key[1:]) if scoped else (_NO_PARTY, key)
        found[party][rest] = _complete(figures, values)
    totals = {key[0] if scoped else _NO_PARTY: _complete(figures, values) for key, values in whole.items()}
    return {party: Answer(figures=said, total=totals.get(party, {})) for party, said in found.items()}


def _whole(
    sources: Sources,
    catalogue: Catalogue,
    figures: Sequence[FigureDefinition],
    table: TableDefinition,
    outer: Sequence[str],
    grouped: Mapping[Key, Mapping[str, int]],
) -> dict[Key, dict[str, int]]:
    """Totals: what adds up is added, and only of the rest is the engine asked once more."""
    found = _grouped(sources, catalogue, [f for f in figures if not f.is_additive], table, outer)
    additive = [figure.id for figure in figures if figure.is_additive]
    for key, values in grouped.items():
        total = found.setdefault(key[: len(outer)], {})
        for name in additive:
            total[name] = total.get(name, 0) + values.get(name, 0)
    return found


def _grouped(
    sources: Sources, catalogue: Catalogue, figures: Iterable[FigureDefinition], table: TableDefinition, by: Sequence[str]
) -> dict[Key, dict[str, int]]:
    found: dict[Key, dict[str, int]] = {}
    by_set: dict[str, list[FigureDefinition]] = defaultdict(list)
    for figure in figures:
        if figure.share is None:
            by_set[catalogue.figure(figure.id)[0].id].append(figure)
    for name, own in by_set.items():
        keys = [f"cast({column} as string)" for column in by]
        shown = [f"{key} as k{number}" for number, key in enumerate(keys)] + [f"{_aggregate(f)} as {f.id}" for f in own]
        group = f"group by {', '.join(keys)}" if keys else ""
        for row in sources.rows(
            f"select {', '.join(shown)} from ({sources.sql(catalogue.row_set(name))}) r {_where(table)} {group}"
        ):
            key = tuple(row[f"k{number}"] or "" for number in range(len(by)))
            found.setdefault(key, {}).update({figure.id: row[figure.id] for figure in own})
    return found


def _aggregate(figure: FigureDefinition) -> str:
    where = figure.where or "true"
    if figure.sum is not None:
        return f"cast(coalesce(sum(case when {where} then {figure.sum} end), 0) as bigint)"
    if figure.distinct is not None:
        return f"count(distinct case when {where} then {figure.distinct} end)"
    return f"count(case when {where} then 1 end)"


def _parts_of_shares(catalogue: Catalogue, figures: Iterable[FigureDefinition]) -> list[FigureDefinition]:
    names = [name for figure in figures if figure.share is not None for name in (figure.share.of, figure.share.over)]
    return [catalogue.figure(name)[1] for name in names]


def _complete(figures: Sequence[FigureDefinition], values: Mapping[str, int]) -> dict[str, int | None]:
    """Every figure: 0 where no row was found; a share of nothing is not known."""
    found: dict[str, int | None] = {}
    for figure in figures:
        if figure.share is None:
            found[figure.id] = values.get(figure.id, 0)
        else:
            over = values.get(figure.share.over, 0)
            found[figure.id] = ten_thousandths(values.get(figure.share.of, 0), over) if over else None
    return found


def _where(table: TableDefinition) -> str:
    return f"where {table.where}" if table.where else ""


def _literal(value: str) -> str:
    """Quoted for the engine, whatever a party wrote into it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
