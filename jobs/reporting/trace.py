"""From a figure of a report back to where it comes from: the sealed rows that it sums, and of each the files and lines behind it.

A figure is an aggregate over a row set; the rows behind it are the same query without the aggregate (reports.catalogue), over the very
versions of the sealed tables that the report's seal cites. What is behind a row follows from its ``place``: it names its file and line, or
the account, loan, claim, request, sub-account or case by which the movements or the evidence are found.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from connectors.engine import engine
from connectors.lease import Lease
from custody.errors import SealBroken, StopRun, UsageError
from custody.ports import RegisterTx, Row
from custody.services.outputs import Seal, newest_seals, seal_of
from custody.services.releases import ReportKey, sealed_inputs, versions
from custody.steps import StepRef
from jobs.reference import load_reference
from jobs.reporting.listed import Listed, find_listed
from jobs.reporting.made import made_tables
from jobs.reporting.sources import Sources
from jobs.step import StepContext
from reports.catalogue import Catalogue, FigureDefinition, RowSet, load_catalogue
from reports.definition import TableDefinition, load_definition
from reports.naming import parse_name
from reports.periods import parse_period
from schemas.exchange import sha256_hex

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from connectors.bootstrap import Wiring

_FIGURES = "report_figures"
# Of one row so many files and lines are shown with it; ``--row`` pages through all of them.
MOST_BEHIND_A_ROW = 5
# By what the movements behind a row are found, the first of these that it has; a claim's are those of its loan that its holder had a part in.
_KINDS = ("order_no", "account", "claim_id", "loan_id", "request_no", "sub_account")
_NAMED_BY = {"claim_id": "loan_id"}


@dataclass(frozen=True)
class Figure:
    """A figure of one draft: its row of report_figures, the draft's row, and what it is by definition."""

    draft: Row
    said: Row
    table: TableDefinition
    row_set: RowSet
    defined: FigureDefinition

    @property
    def key(self) -> dict[str, str]:
        """By column, the values that tell it apart; of a platform's own report its platform too."""
        told = {} if self.said["is_total"] else dict(zip(self.table.by or (), json.loads(self.said["key"]), strict=True))
        return {**({"platform": self.draft["scope"]} if self.draft["scope"] else {}), **told}


@dataclass(frozen=True)
class Behind:
    """A movement or a line behind a row. ``minor`` is None where it has no part of the row's amount that could be named."""

    file_name: str | None
    line_no: int | None
    sha256: str | None
    what: str
    minor: int | None


@dataclass(frozen=True)
class TracedRow:
    """``number``: from 1 in the order of the row set's place. ``contributes``: minor units, or 1 for a row that is counted, 0 for one of a
    person who was counted before."""

    number: int
    place: Mapping[str, Any]
    contributes: int
    sealed_in: str
    behind: list[Behind]
    behind_in_all: int


@dataclass
class Trace:
    """One page of the rows behind a figure. ``total``: over all of them, equal to the figure; of a share ``parts`` are the two figures that
    it is made of, and no rows."""

    figure: Figure
    total: int
    rows_in_all: int
    page: int
    size: int
    rows: list[TracedRow] = field(default_factory=list)
    parts: list[Trace] = field(default_factory=list)


# --- which figure


def find_figure(wiring: Wiring, file: str, cell: str) -> Figure:
    """``file``: a report's file on disk, or its name; ``cell``: of a workbook ``Sheet!C5`` (part of the sheet's name is enough), of a CSV file of
    figures the number of its line, the header being 1. Raises UsageError for what is no figure of a sealed draft."""
    draft, name = _draft_of(wiring, file)
    key = ReportKey.of(draft)
    rows = [
        row
        for row in wiring.lake.rows(draft["path"], _FIGURES)
        if (row["report"], row["period"], row["party"]) == (key.report_id, key.period, key.scope)
    ]
    found = _of_line(wiring, draft, name, cell, rows) if name.endswith(".csv") else _of_cell(cell, rows)
    return _figure(draft, found, load_catalogue())


def _draft_of(wiring: Wiring, file: str) -> tuple[Row, str]:
    """The newest draft that has that file, with the file's name."""
    path = Path(file)
    name = parse_name(path.name)
    if name is None:
        raise UsageError(f"{path.name!r} is not the name of a report's file")
    key = ReportKey(name.report, name.period, name.party)
    with wiring.register.transaction() as tx:
        known = [row for row in versions(tx, key) if path.name in json.loads(row["files"])]
    if path.is_file():
        sha256 = sha256_hex(path.read_bytes())
        known = [row for row in known if json.loads(row["files"])[path.name][1] == sha256]
        if not known:
            raise UsageError(f"{path.name} was not sealed with SHA-256 {sha256}: it was changed, or is not of this instance")
    if not known:
        raise UsageError(f"no draft of {key.subject} has a file {path.name!r}; see: custody report list --files")
    return known[-1], path.name


def _of_cell(cell: str, rows: Sequence[Row]) -> Row:
    sheet, _, place = cell.rpartition("!")
    found = [row for row in rows if (where := row["cell"].rpartition("!"))[2] == place.upper() and sheet in where[0]]
    if len(found) != 1:
        why = (
            "stands in several sheets: write Sheet!C5"
            if found
            else "is no figure of this report: texts and comparisons have no rows"
        )
        raise UsageError(f"cell {cell!r} {why}")
    return found[0]


def _of_line(wiring: Wiring, draft: Row, name: str, cell: str, rows: Sequence[Row]) -> Row:
    text = wiring.lake.file(draft["path"], name).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    number, _, column = cell.partition(":")
    if not number.isdecimal() or not 2 <= int(number) <= len(lines) + 1 or column not in ("", "value"):
        raise UsageError(f"{cell!r} is no figure of {name}: write the number of a line, 2 to {len(lines) + 1}")
    line = lines[int(number) - 2]
    if "figure_id" not in line:
        raise UsageError(f"{name} says what columns mean: it holds no figures")
    table = load_definition(draft["report_id"]).table(line["table"])
    told = [line[by] for by in table.by or ()]
    is_total = bool(told) and all(value == "*" for value in told)
    for row in rows:
        is_it = (row["table_id"], row["figure"], row["is_total"]) == (line["table"], line["figure_id"], is_total)
        if is_it and (is_total or _plain(json.loads(row["key"])) == _plain(told)):
            return row
    raise UsageError(f"line {cell} of {name} has no sealed figure")


def _plain(values: Sequence[str]) -> list[str]:
    """As a CSV file says them: with no apostrophe before what a spreadsheet would run."""
    return [value.removeprefix("'") for value in values]


def _figure(draft: Row, said: Row, catalogue: Catalogue) -> Figure:
    row_set, defined = catalogue.figure(said["figure"])
    return Figure(draft, said, load_definition(draft["report_id"]).table(said["table_id"]), row_set, defined)


def figures_of(wiring: Wiring, draft: Row) -> list[Figure]:
    """Every figure of a draft."""
    catalogue = load_catalogue()
    of = (draft["report_id"], draft["period"], draft["scope"])
    rows = wiring.lake.rows(draft["path"], _FIGURES)
    return [_figure(draft, row, catalogue) for row in rows if (row["report"], row["period"], row["party"]) == of]


# --- the rows behind it


@dataclass
class Tracer:
    """Traces figures of one draft; opened once for several of them."""

    wiring: Wiring
    draft: Row
    spark: SparkSession
    _sources: Sources | None = None
    _digests: dict[str, str] = field(default_factory=dict)
    _views: set[str] = field(default_factory=set)
    _breaks: dict[str, list[dict[str, Any]]] | None = None

    def trace(self, figure: Figure, page: int = 1, size: int = 50) -> Trace:
        """One page of the rows behind a figure. Raises SealBroken when all of them do not add up to it: then something was changed."""
        if figure.defined.share is not None:
            catalogue = load_catalogue()
            parts = [
                self._of(replace(figure, defined=catalogue.figure(name)[1]), page, size)
                for name in (figure.defined.share.of, figure.defined.share.over)
            ]
            value = figure.said["value"]
            return Trace(figure, value if value is not None else 0, 0, 1, size, [], parts)
        found = self._of(figure, page, size)
        if found.total != figure.said["value"]:
            raise SealBroken(
                f"{figure.said['cell']} says {figure.said['value']}, the sealed rows behind it come to {found.total}"
            )
        return found

    def _of(self, figure: Figure, page: int, size: int) -> Trace:
        rows, defined = self._query(figure), figure.defined
        contributes = defined.sum or "1"
        if (of := defined.distinct) is not None:
            # The first row of each counts; where nobody is named nobody is counted.
            first = f"row_number() over (partition by {of} order by {_order(figure)}) = 1"
            contributes = f"case when {of} is not null and {first} then 1 else 0 end"
        whole = f"select *, cast({contributes} as bigint) as contributes__ from ({rows}) w"
        (sums,) = self.sources.rows(
            f"select count(*) as n, coalesce(cast(sum(contributes__) as bigint), 0) as total from ({whole}) s"
        )
        page = max(1, min(page, -(-sums["n"] // size)))
        start = (page - 1) * size
        shown = self.sources.rows(f"select * from ({whole}) p order by {_order(figure)} limit {size} offset {start}")
        trace = Trace(figure, sums["total"], sums["n"], page, size)
        numbered = dict(enumerate(shown, start=start + 1))
        behind = self._behind(numbered, 1, MOST_BEHIND_A_ROW)
        for at, row in numbered.items():
            place = {name: row[name] for name in figure.row_set.place}
            trace.rows.append(TracedRow(at, place, row["contributes__"], self._sealed_in(figure.row_set, row), *behind[at]))
        return trace

    def behind_row(self, figure: Figure, number: int, page: int = 1, size: int = 50) -> TracedRow:
        """All that is behind one row, by its number, a page at a time. Raises UsageError where there is none of that number."""
        rows = self.sources.rows(f"select * from ({self._query(figure)}) p order by {_order(figure)} limit 1 offset {number - 1}")
        if not rows:
            raise UsageError(f"the figure has no row {number}")
        behind = self._behind({number: rows[0]}, page, size)[number]
        place = {name: rows[0][name] for name in figure.row_set.place}
        return TracedRow(number, place, 0, self._sealed_in(figure.row_set, rows[0]), *behind)

    def listed_row(self, listed: Listed, page: int = 1, size: int = 50) -> TracedRow:
        """What is behind a row that the report lists. Raises SealBroken when the sealed tables do not say the same."""
        rows = self.sources.rows(listed.query(self.sources.sql(listed.row_set)))
        if not rows:
            raise SealBroken(f"the sealed tables have no row {listed.number} of {listed.table.id}")
        listed.check(rows[0])
        behind = self._behind({listed.number: rows[0]}, page, size)[listed.number]
        place = {name: rows[0][name] for name in listed.row_set.place}
        return TracedRow(listed.number, place, 0, self._sealed_in(listed.row_set, rows[0]), *behind)

    @property
    def sources(self) -> Sources:
        if self._sources is None:
            context = _context_of(self.wiring, self.draft)
            period = parse_period(self.draft["period"])
            definition = load_definition(self.draft["report_id"])
            self._sources = Sources(
                context, self.spark, period, made_tables(context, load_reference(context), definition, period)
            )
        return self._sources

    def _query(self, figure: Figure) -> str:
        conditions = [f"({condition})" for condition in (figure.table.where, figure.defined.where) if condition]
        # What has no value is told apart by "".
        conditions += [f"coalesce(cast({column} as string), '') = {_literal(value)}" for column, value in figure.key.items()]
        where = f"where {' and '.join(conditions)}" if conditions else ""
        return f"select * from ({self.sources.sql(figure.row_set)}) r {where}"

    def _sealed_in(self, row_set: RowSet, row: Mapping[str, Any]) -> str:
        """Which sealed table the row stands in: the first that its row set reads."""
        name, use = next(iter(row_set.tables.items()))
        if use.step is None:
            of = sorted({f"{step} of {on}" for (on, step) in self.sources.used})
            return f"{name}, made of {', '.join(of[:3])}" + (f" … ({len(of)})" if len(of) > 3 else "")
        on = row["on_date"] if use.of == "days" else None
        seals = {seal.custody_date: seal for (_, step), seal in self.sources.used.items() if step == use.step}
        seal = seals.get(on) if on is not None else seals[max(seals)] if seals else None
        return (
            f"{name} of {seal.custody_date} {seal.step} v{seal.version} {seal.manifest_digest[:16]}" if seal is not None else name
        )

    # --- files and lines

    def _behind(self, rows: Mapping[int, Mapping[str, Any]], page: int, size: int) -> dict[int, tuple[list[Behind], int]]:
        """Of each row, by its number, a page of what is behind it, and how much there is. The engine is asked once for all rows of a kind:
        a question by row would read the ledger as often."""
        found: dict[int, tuple[list[Behind], int]] = {number: ([], 0) for number in rows}
        start = (page - 1) * size
        keys: dict[str, list[str]] = defaultdict(list)
        for number, row in rows.items():
            if row.get("file_name") is not None and row.get("line_no") is not None:
                found[number] = [self._line(row["file_name"], row["line_no"], "", row.get("amount_minor"))], 1
            elif row.get("case_id") is not None:
                evidence = self._evidence(str(row["case_id"]))
                found[number] = evidence[start : start + size], len(evidence)
            elif row.get("finding_id") is not None:
                seen = self._seen_by_compliance(str(row["finding_id"]))
                found[number] = seen[start : start + size], len(seen)
            elif (kind := next((kind for kind in _KINDS if row.get(kind) is not None), None)) is not None:
                keys[kind].append(f"({number}, {', '.join(_key_of(kind, row))})")
        for kind, values in keys.items():
            of = f"(select * from values {', '.join(values)} as v(n, platform, name, other, until))"
            ranked = (
                "select *, row_number() over (partition by n order by on_date, number, file_name, line_no, minor) as at__, "
                f"count(*) over (partition by n) as in_all__ from ({self._movements(kind, of)}) m"
            )
            bounds = f"at__ > {start} and at__ <= {start + size}"
            for move in self.sources.rows(f"select * from ({ranked}) r where {bounds} order by n, at__"):
                lines, _ = found[move["n"]]
                lines.append(self._line(move["file_name"], move["line_no"], move["what"], move["minor"]))
                found[move["n"]] = lines, move["in_all__"]
        return found

    def _movements(self, kind: str, keys: str) -> str:
        """What moved accounts, claims, loans or requests, or opened sub-accounts, on all dates up to the period's end."""
        if kind == "account":
            # A balance of a date in the period is what moved up to it.
            return (
                "select k.n, j.on_date, j.entry_no as number, t.file_name, t.line_no, "
                "concat(j.txn_type, ' ', j.request_no, '|', cast(j.leg as string)) as what, j.minor "
                f"from {keys} k join (select *, to_account as account, amount_minor as minor from {self._all('journal')} union all "
                f"select *, from_account, -amount_minor from {self._all('journal')}) j "
                "on j.platform = k.platform and j.account = k.name and (k.until is null or j.on_date <= k.until) "
                f"left join {self._all('ledger_txn')} t on t.platform = j.platform and t.entry_no = j.entry_no"
            )
        if kind == "order_no":
            return (
                "select k.n, l.on_date, cast(l.line_no as bigint) as number, l.file_name, l.line_no, l.action as what, l.amount_minor as minor "
                f"from {keys} k join {self._all('land_legal_order', 'land')} l on l.platform = k.platform and l.order_no = k.name and l.action = k.other"
            )
        if kind == "sub_account":
            return (
                "select k.n, l.custody_date as on_date, cast(l.line_no as bigint) as number, l.file_name, l.line_no, l.action as what, "
                f"cast(null as bigint) as minor from {keys} k join {self._all('land_customer', 'land')} l "
                "on l.party = k.platform and l.role = k.name and l.user_no = k.other"
            )
        legs = (
            "select k.n, t.on_date, t.txn_no as number, t.file_name, t.line_no, concat(t.txn_type, ' ', t.request_no, '|', cast(t.leg as string)) as what, "
            f"t.amount_minor as minor from {keys} k join {self._all('ledger_txn')} t on t.outcome = 'POSTED' and t.platform = k.platform"
        )
        if kind == "claim_id":
            return f"{legs} and t.loan_id = k.name where {_is_of('t.from_account', 'k.other')} or {_is_of('t.to_account', 'k.other')}"
        return f"{legs} and t.{kind} = k.name"

    def _evidence(self, case_id: str) -> list[Behind]:
        if self._breaks is None:
            seal = self.sources.context.seal("reconcile", self.sources.period.last)
            self._breaks = defaultdict(list)
            for row in self.wiring.lake.rows(seal.path, "breaks") if seal is not None else ():
                self._breaks[row["case_id"]] += json.loads(row["evidence"])
        found = []
        for one in self._breaks.get(case_id, ()):
            file_name, _, line = str(one.get("row_ref", "")).rpartition(":")
            where = one.get("row_ref") or "has no row / 无对应行"
            what, minor = f"side {one.get('side', '-')} {where}", one.get("amount_minor")
            known = line.isdecimal() and file_name.endswith(".csv")
            found.append(self._line(file_name if known else None, int(line) if known else None, what, minor))
        return found

    def _seen_by_compliance(self, finding_id: str) -> list[Behind]:
        """The rows that the finding keeps: the first of many."""
        rows = self.sources.context.table("compliance", "compliance_rows", on=self.sources.period.last)
        kept = rows.filter(pc.equal(rows["finding_id"], finding_id)).sort_by("row_no").to_pylist() if rows is not None else []
        return [
            self._line(one["file_name"], one["line_no"], f"{one['source']} {one['on_date']} {one['ref']}", one["amount_minor"])
            for one in kept
        ]

    def _line(self, file_name: str | None, line_no: int | None, what: str, minor: int | None) -> Behind:
        return Behind(file_name, line_no, self._digest(file_name) if file_name is not None else None, what, minor)

    def _digest(self, file_name: str) -> str | None:
        """Of the bytes that the archive holds under that name."""
        if file_name not in self._digests:
            with self.wiring.register.transaction() as tx:
                rows = tx.find("file", file_name=file_name)
            kept = [row for row in rows if row["archive_ref"] is not None and row["cut_off_date"] is not None] or rows
            self._digests[file_name] = kept[-1]["sha256"] if kept else ""
        return self._digests[file_name] or None

    def _all(self, table: str, step: str = "post") -> str:
        """A view of a step's table over all dates up to the period's end, with the date on which each row was sealed."""
        from pyspark.sql import functions as F

        view = f"{table}__all"
        if view not in self._views:
            with self.wiring.register.transaction() as tx:
                seals = [seal for seal in newest_seals(tx, step) if seal.custody_date <= self.sources.period.last]
            lake, frames = self.wiring.lake, []
            for seal in seals:
                if table in lake.manifest(seal.path).tables:
                    frame = self.spark.read.parquet(lake.parquet(seal.path, table))
                    frames.append(frame.withColumn("on_date", F.lit(seal.custody_date)))
            if not frames:
                raise StopRun(f"no date up to {self.sources.period.last} has sealed {table}")
            reduce(lambda one, other: one.unionByName(other), frames).createOrReplaceTempView(view)
            self._views.add(view)
        return view


def _key_of(kind: str, row: Mapping[str, Any]) -> list[str]:
    """A row's key as the engine reads it: its platform, its name, what else tells it apart, and the date up to which it counts."""
    named, on = row[_NAMED_BY.get(kind, kind)], row.get("on_date") if kind == "account" else None
    platform, other = row.get("platform"), {"claim_id": row.get("holder"), "order_no": row.get("action")}.get(kind)
    if kind == "sub_account":
        platform, named, other = str(named).split(".", 2)
    until = f"date '{on}'" if on is not None else "cast(null as date)"
    return [*("cast(null as string)" if text is None else _literal(str(text)) for text in (platform, named, other)), until]


def _is_of(column: str, account: str) -> str:
    """Whether a column names the account or a part of it."""
    return f"({column} = {account} or substring({column}, 1, length({account}) + 1) = concat({account}, ':'))"


def _order(figure: Figure) -> str:
    return ", ".join(f"{name} nulls first" for name in figure.row_set.place)


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _context_of(wiring: Wiring, draft: Row) -> StepContext:
    """As the report step had it: the versions that the draft's seal cites, whatever is newest now."""
    with wiring.register.transaction() as tx:
        inputs = {
            StepRef(one.custody_date, one.step): _seal(tx, one.custody_date, one.step, one.version)
            for one in sealed_inputs(draft)
        }
    return StepContext(wiring, draft["custody_date"], inputs, Lease("", "", 0))


def _seal(tx: RegisterTx, on: date, step: str, version: int) -> Seal:
    row = tx.get("step_output", custody_date=on, step=step, version=version)
    if row is None:
        raise SealBroken(f"the report cites {step} of {on} version {version}, which the register does not have")
    return seal_of(row)


def trace(wiring: Wiring, file: str, cell: str, page: int = 1, size: int = 50, row: int | None = None) -> Trace | TracedRow:
    """As `custody report trace` asks: a page of the rows behind a figure, or of what is behind one of them or behind a row that the report
    lists. Raises as find_figure, find_listed and Tracer do."""
    draft, name = _draft_of(wiring, file)
    listed = find_listed(wiring, draft, name, cell)
    if listed is not None:
        with engine(wiring.settings) as spark:
            return Tracer(wiring, draft, spark).listed_row(listed, page, size)
    figure = find_figure(wiring, file, cell)
    with engine(wiring.settings) as spark:
        tracer = Tracer(wiring, figure.draft, spark)
        return tracer.trace(figure, page, size) if row is None else tracer.behind_row(figure, row, page, size)
