"""A report from its definition and what its queries answered: tables of cells, cover, meanings, inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from custody.errors import UsageError
from custody.money import round_minor
from reports.catalogue import Catalogue, ColumnDefinition, FigureDefinition, RowSet, Words
from reports.definition import ReportDefinition, TableDefinition
from reports.model import Amount, Cell, Chart, Column, Count, Day, Moment, Nothing, Place, Report, Share, Table, Text, Total
from reports.periods import Period
from reports.terms import Terms

Key = tuple[str, ...]
Values = Mapping[str, int | None]
# The key of a total where figures are compared with earlier ones.
TOTAL: Key = ("*",)
PREVIOUS, YEAR_BEFORE = "previous", "year_before"
_WIDTHS = {"amount": 20, "count": 12, "share": 12, "date": 12, "time": 20, "text": 30, "word": 26}
_NUMBERS = frozenset({"amount", "count", "share"})
_EARLIER_WORDS = {
    PREVIOUS: (Words(en="previous period", zh="上期"), Words(en="on previous", zh="环比")),
    YEAR_BEFORE: (Words(en="a year ago", zh="上年同期"), Words(en="on a year ago", zh="同比")),
}


@dataclass(frozen=True)
class Answer:
    """What the queries of one table said. Of a table of figures: ``figures`` by key, and those of the whole under ``total``; of one of
    rows: ``rows`` in its order. ``earlier``: for each comparison, figures as they were sealed then, by (key, figure)."""

    figures: Mapping[Key, Values] = field(default_factory=dict)
    total: Values = field(default_factory=dict)
    rows: Sequence[Sequence[Any]] = ()
    earlier: Mapping[str, Mapping[tuple[Key, str], int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Circumstances:
    """What a report says of itself besides its figures. ``days_covered``: custody dates of the period of which there are inputs."""

    bank_name: str
    currency: str
    days_covered: Sequence[date]
    seals: Sequence[Mapping[str, str | int]]
    terms: Terms
    party_names: Mapping[str, Words]


def build(
    definition: ReportDefinition,
    catalogue: Catalogue,
    period: Period,
    party: str,
    answers: Mapping[str, Answer],
    told: Circumstances,
) -> Report:
    """The report of ``period``; ``answers`` by the id of their table. Raises UsageError when a table has no answer, or nothing was sealed."""
    if not told.seals:
        raise UsageError(f"report {definition.id} of {period.name} has no sealed inputs")
    missing = sorted({table.id for table in definition.tables} - set(answers))
    if missing:
        raise UsageError(f"report {definition.id}: no answer for {', '.join(missing)}")
    builder = _Builder(definition, catalogue, told)
    seals = tuple(sorted((dict(seal) for seal in told.seals), key=lambda s: (s["custody_date"], s["step"], s["version"])))
    return Report(
        title=definition.title,
        version=definition.version,
        period=period,
        party=party,
        currency=told.currency,
        bank_name=told.bank_name,
        cover=_cover(definition, period, party, told),
        tables=tuple(builder.table(table, answers[table.id]) for table in definition.tables),
        meanings=builder.meanings(),
        inputs=_inputs(seals),
        seals=seals,
    )


@dataclass(frozen=True)
class _Builder:
    definition: ReportDefinition
    catalogue: Catalogue
    told: Circumstances

    def table(self, table: TableDefinition, answer: Answer) -> Table:
        if table.rows is not None:
            return self._of_rows(table, answer)
        return self._of_figures(table, answer) if table.by else self._of_the_whole(table, answer)

    def _of_rows(self, table: TableDefinition, answer: Answer) -> Table:
        assert table.rows is not None
        row_set = self.catalogue.row_set(table.rows)
        defined = [row_set.column(name) for name in table.columns]
        rows = tuple(tuple(self._cell(column, value) for column, value in zip(defined, row, strict=True)) for row in answer.rows)
        columns = tuple(
            Column(c.id, c.name, _WIDTHS[c.type], c.type in _NUMBERS, "sum" if table.total and c.type == "amount" else "none")
            for c in defined
        )
        total = _totals(columns, rows, {}) if table.total else None
        return Table(table.id, table.title, table.note, columns, rows, 1, total)

    def _of_figures(self, table: TableDefinition, answer: Answer) -> Table:
        """A row for each key, a column for each figure, with what it is compared with beside it."""
        by = self._by(table)
        figures = [self.catalogue.figure(name)[1] for name in table.figures]
        columns = [Column(c.id, c.name, _WIDTHS[c.type], c.type in _NUMBERS) for c in by]
        for figure in figures:
            total: Total = "none" if not table.total else "sum" if figure.is_additive else "own"
            columns += [Column(figure.id, figure.name, _WIDTHS[figure.unit], True, total), *_compared_columns(table, figure)]
        keys = sorted(answer.figures, key=lambda key: self._order(by, key))
        rows, places = [], []
        step = 1 + 2 * len(table.compare)
        for number, key in enumerate(keys):
            cells = [self._cell(column, value) for column, value in zip(by, key, strict=True)]
            for at, figure in enumerate(figures):
                value = answer.figures[key].get(figure.id)
                places.append(Place(number, len(by) + at * step, key, figure, value))
                cells += [_number(figure, value), *_compared(table, answer, key, figure, value)]
            rows.append(tuple(cells))
        totals = None
        if table.total and rows:
            own: dict[int, Cell] = {}
            for at, figure in enumerate(figures):
                value = answer.total.get(figure.id)
                compared = _compared(table, answer, TOTAL, figure, value)
                own |= dict(enumerate((_number(figure, value), *compared), start=len(by) + at * step))
            totals = _totals(tuple(columns), tuple(rows), own)
            places += [Place(None, len(by) + at * step, (), f, answer.total.get(f.id)) for at, f in enumerate(figures)]
        chart = None
        if table.chart is not None and rows:
            shown = tuple(len(by) + table.figures.index(name) * step for name in table.chart.figures)
            chart = Chart(table.chart.kind, table.chart.title, shown)
        return Table(table.id, table.title, table.note, tuple(columns), tuple(rows), len(by), totals, chart, tuple(places))

    def _of_the_whole(self, table: TableDefinition, answer: Answer) -> Table:
        """One figure below another: there is one row of them, and a page is longer than wide."""
        columns = [Column("", Words(en="Figure", zh="指标"), 30), Column("", Words(en="Value", zh="本期"), 20, True)]
        for against in table.compare:
            earlier, change = _EARLIER_WORDS[against]
            columns += [Column("", earlier, 20, True), Column("", change, 12, True)]
        columns.append(Column("", Words(en="Meaning", zh="口径"), 60))
        rows, places = [], []
        values = answer.figures.get((), {})
        for number, name in enumerate(table.figures):
            _, figure = self.catalogue.figure(name)
            value = values.get(name)
            places.append(Place(number, 1, (), figure, value))
            compared = _compared(table, answer, (), figure, value)
            rows.append((_text(figure.name), _number(figure, value), *compared, _text(figure.meaning)))
        return Table(table.id, table.title, table.note, tuple(columns), tuple(rows), 1, None, None, tuple(places))

    def meanings(self) -> Table:
        """What each column of the report means and where it comes from, once."""
        columns = (
            Column("", Words(en="Column", zh="指标"), 28),
            Column("", Words(en="Id", zh="代码"), 28),
            Column("", Words(en="Meaning", zh="口径"), 60),
            Column("", Words(en="Source", zh="来源"), 46),
        )
        rows = tuple(
            (_text(one.name), Text(one.id), _text(one.meaning), _text(one.source))
            for one in defined_columns(self.definition, self.catalogue)
        )
        return Table("meanings", Words(en="Meaning", zh="口径"), None, columns, rows)

    def _by(self, table: TableDefinition) -> list[ColumnDefinition]:
        row_set, _ = self.catalogue.figure(table.figures[0])
        return [row_set.column(name) for name in table.by or ()]

    def _order(self, by: Sequence[ColumnDefinition], key: Key) -> tuple[tuple[int, str], ...]:
        """In the order of the terms where a dimension has one, else of the values."""
        order = []
        for column, value in zip(by, key, strict=True):
            terms = list(self.told.terms.dimensions.get(column.dimension or "", ()))
            order.append((terms.index(value) if value in terms else len(terms), value))
        return tuple(order)

    def _cell(self, column: ColumnDefinition, value: Any) -> Cell:
        if value is None:
            return Nothing()
        match column.type:
            case "amount":
                return Amount(int(value))
            case "count":
                return Count(int(value))
            case "share":
                return Share(int(value))
            case "date":
                return Day(value if isinstance(value, date) else date.fromisoformat(str(value)))
            case "time":
                assert isinstance(value, datetime)
                return Moment(value)
            case "word":
                return self._word(column.dimension or "", str(value))
        return Text(str(value))

    def _word(self, dimension: str, value: str) -> Text:
        if dimension == "party":
            name = self.told.party_names.get(value)
            return Text(f"{value} {name.en}", f"{value} {name.zh}") if name else Text(value or "–")
        return _text(self.told.terms.words(dimension, value))


def ten_thousandths(part: int, whole: int) -> int:
    """``part`` of a ``whole`` that is not 0, in ten-thousandths, rounded half up."""
    return round_minor(Fraction(part * 10_000, whole), "half_up")


@dataclass(frozen=True)
class Defined:
    """A column that tables of a report show: its ``unit`` or type, what it means, and in which ``tables``."""

    id: str
    unit: str
    name: Words
    meaning: Words
    source: Words
    tables: tuple[str, ...]


def defined_columns(definition: ReportDefinition, catalogue: Catalogue) -> list[Defined]:
    """Each column of the report's tables once, in their order; what two row sets call by one name and mean differently, twice."""
    found: dict[tuple[str, Words, Words, Words], tuple[str, list[str]]] = {}

    def add(row_set: RowSet, column: ColumnDefinition | FigureDefinition, unit: str, table: TableDefinition) -> None:
        tables = found.setdefault((column.id, column.name, column.meaning, row_set.source), (unit, []))[1]
        if table.id not in tables:
            tables.append(table.id)

    for table in definition.tables:
        if table.rows is not None:
            row_set = catalogue.row_set(table.rows)
            for name in table.columns:
                add(row_set, row_set.column(name), row_set.column(name).type, table)
        for position, name in enumerate(table.figures):
            row_set, figure = catalogue.figure(name)
            # By what figures are told apart is said once for all of them.
            for by in (table.by or ()) if position == 0 else ():
                add(row_set, row_set.column(by), row_set.column(by).type, table)
            add(row_set, figure, figure.unit, table)
    return [Defined(i, unit, name, meaning, source, tuple(of)) for (i, name, meaning, source), (unit, of) in found.items()]


def _compared_columns(table: TableDefinition, figure: FigureDefinition) -> list[Column]:
    columns = []
    for against in table.compare:
        total: Total = "own" if table.total else "none"
        for words, width in zip(_EARLIER_WORDS[against], (_WIDTHS[figure.unit], 12), strict=True):
            name = Words(en=f"{figure.name.en}, {words.en}", zh=f"{figure.name.zh} {words.zh}")
            columns.append(Column("", name, width, True, total, follows=True, short=words))
    return columns


def _compared(table: TableDefinition, answer: Answer, key: Key, figure: FigureDefinition, value: int | None) -> list[Cell]:
    """For each comparison the figure as it was sealed then, and by what share it has changed; of shares the difference."""
    cells: list[Cell] = []
    for against in table.compare:
        before = answer.earlier.get(against, {}).get((key, figure.id))
        change: Cell = Nothing()
        if before is not None and value is not None:
            if figure.unit == "share":
                change = Share(value - before)
            elif before:
                change = Share(ten_thousandths(value - before, abs(before)))
        cells += [_number(figure, before), change]
    return cells


def _totals(columns: tuple[Column, ...], rows: tuple[tuple[Cell, ...], ...], own: Mapping[int, Cell]) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    for number, column in enumerate(columns):
        if column.total == "sum":
            cells.append(_sum([row[number] for row in rows]))
        elif column.total == "own":
            cells.append(own[number])
        else:
            cells.append(Text("Total", "合计") if number == 0 else Text(""))
    return tuple(cells)


def _sum(cells: Sequence[Cell]) -> Cell:
    if all(isinstance(cell, Count | Nothing) for cell in cells) and any(isinstance(cell, Count) for cell in cells):
        return Count(sum(cell.number for cell in cells if isinstance(cell, Count)))
    return Amount(sum(cell.minor for cell in cells if isinstance(cell, Amount)))


def _number(figure: FigureDefinition, value: int | None) -> Cell:
    if value is None:
        return Nothing()
    match figure.unit:
        case "amount":
            return Amount(value)
        case "count":
            return Count(value)
        case "share":
            return Share(value)


def _text(words: Words) -> Text:
    return Text(words.en, words.zh)


def _cover(definition: ReportDefinition, period: Period, party: str, told: Circumstances) -> tuple[tuple[Words, Text], ...]:
    days = sorted(day for day in told.days_covered if period.first <= day <= period.last)
    whole = (period.last - period.first).days + 1
    covered = f"{len(days)} / {whole}" + (f" ({days[0]} … {days[-1]})" if days else "")
    lines = [
        (Words(en="Custodian bank", zh="存管银行"), Text(told.bank_name)),
        (Words(en="Period", zh="报告期"), Text(f"{period.name} ({period.first} … {period.last})")),
        (Words(en="Days covered by the inputs", zh="输入数据覆盖天数"), Text(covered)),
        (Words(en="Currency and unit", zh="币种与单位"), Text(f"{told.currency}, yuan", f"{told.currency}，元")),
        (Words(en="For", zh="报送对象"), _text(definition.audience)),
        (Words(en="Basis", zh="依据"), _text(definition.basis)),
        (Words(en="Definition and version", zh="口径与版本"), Text(f"{definition.id} v{definition.version}")),
    ]
    if party:
        name = told.party_names.get(party, Words(en=party, zh=party))
        lines.insert(1, (Words(en="Platform", zh="平台"), Text(f"{party} {name.en}", f"{party} {name.zh}")))
    return tuple(lines)


def _inputs(seals: Iterable[Mapping[str, str | int]]) -> Table:
    columns = (
        Column("", Words(en="Custody date", zh="账务日期"), 14),
        Column("", Words(en="Step", zh="步骤"), 14),
        Column("", Words(en="Version", zh="版本"), 10, True),
        Column("", Words(en="Digest of its manifest (SHA-256)", zh="清单摘要 SHA-256"), 68),
    )
    rows = tuple(
        (
            Day(date.fromisoformat(str(seal["custody_date"]))),
            Text(str(seal["step"])),
            Count(int(seal["version"])),
            Text(str(seal["manifest_digest"])),
        )
        for seal in seals
    )
    return Table("inputs", Words(en="Sealed inputs", zh="输入封签"), None, columns, rows)
