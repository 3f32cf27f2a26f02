"""Reports: by due date and state; one with its checks, files, seals, versions and differences; where a figure comes from. The regulator sees
what was released and nothing else."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import csv
import io
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from connectors.bootstrap import Wiring
from console.airflow.command import DONE, CustodyProcess
from console.pages.asking import NotFound, UserDep, asked, show
from console.pages.export import Cell, columns_of, csv_of, wants_file
from console.pages.listing import Listing, listing, query
from console.pages.render import amount
from console.pages.words import REPORT_CHECKS, REPORT_STATES, Words
from console.report_release import Difference, SealedDrafts, difference, due_reports, titles, today
from custody.errors import RetryLater, UsageError
from custody.masking import mask_user_numbers
from custody.permissions import permitted
from custody.ports import Row
from custody.release_checks import FigureValue, ReleaseFinding, explained
from custody.release_life import PUBLISHED, RELEASED, UNRELEASED
from custody.services.access import duties_of
from custody.services.releases import (
    RELEASE,
    ReportKey,
    all_versions,
    assess,
    deliveries_of,
    history,
    sealed_inputs,
    versions,
)
from custody.services.restated_reports import told_of
from reports.catalogue import ColumnDefinition, load_catalogue
from reports.definition import load_definition
from reports.terms import Terms, load_terms
from reports.xlsx import FIRST_ROW, sheet_title

router = APIRouter()
_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "csv": "text/csv; charset=utf-8", "pdf": "application/pdf",
    "json": "application/json", "zip": "application/zip",
}  # fmt: skip
# Of a table of rows so many are shown; its CSV file has all.
_MOST_LISTED = 200
# As a file has them.
_EXPORTED: dict[str, Callable[[dict[str, Any]], Cell]] = {
    "report": lambda row: row["report"],
    "name_en": lambda row: row["title"][0],
    "name_zh": lambda row: row["title"][1],
    **columns_of(("period", "party", "due_on", "state", "draft_no", "release_no")),
    "overdue": lambda row: "yes" if row["overdue"] else "no",
}
_NOTHING = "no such report / 无此报表"
_CELL = re.compile(r"[^\x00-\x1f]{1,60}")
# A trace asks the engine, in a process of its own: so many at a time, and so long at most.
_tracing = threading.BoundedSemaphore(2)
_LONGEST_TRACE_SECONDS = 60.0


@router.get("/reports", response_class=HTMLResponse)
def the_reports(request: Request, user: UserDep) -> Response:
    """Every report of every period that is over, the newest due date first."""
    with asked(user, "report.view", "list of reports") as wiring:
        view = ListView(wiring, user.get_name(), dict(request.query_params))
        if wants_file(request.query_params):
            return csv_of(wiring, user.get_name(), view.rows, _EXPORTED)
        return show(request, "reports.html", view=view)


@router.get("/report", response_class=HTMLResponse)
def one_report(request: Request, user: UserDep, id: str = "", draft: int = 0) -> HTMLResponse:
    """One report of a period: the version that is asked for, else the newest that the reader may see."""
    with asked(user, "report.view", id[:80]) as wiring:
        view = OneView(wiring, user.get_name(), id, draft)
        return show(request, "report.html", view=view)


@router.get("/report-file")
def a_file(user: UserDep, id: str = "", draft: int = 0, name: str = "") -> Response:
    """One of its files as it was sealed, or the package as it went out."""
    with asked(user, "report.view", id[:80]) as wiring:
        row, _ = _seen(wiring, user.get_name(), id, draft)
        if name == row["package_name"] and row["package_ref"]:
            data = wiring.archive.read(row["package_ref"])
        elif name in [*json.loads(row["files"]), row["seal_name"]]:
            data = SealedDrafts(wiring).file(row, name)
        else:
            raise NotFound(f"{name[:80]!r}: no such file / 无此文件")
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/report-cell", response_class=HTMLResponse)
def a_cell(
    request: Request, user: UserDep, id: str = "", draft: int = 0, cell: str = "", page: int = 1, row: int = 0
) -> HTMLResponse:
    """The rows behind a figure, and the files and lines behind them, as `custody report trace` says it."""
    with asked(user, "report.trace.view", id[:80]) as wiring:
        of, _ = _seen(wiring, user.get_name(), id, draft)
        drafts = SealedDrafts(wiring)
        figures = [one for one in drafts.figures(of) if one["cell"] == cell]
        figures += [{"cell": cell, "file_name": t.workbook} for t in listed_tables(of, drafts) if cell in t.cells]
    if not figures or not _CELL.fullmatch(cell):
        raise NotFound(f"{cell[:60]!r}: no such figure or row / 无此数字或明细")
    words = ["report", "trace", figures[0]["file_name"], cell, "--page", str(max(1, page)), "--json"]
    said = _traced([*words, "--row", str(row)] if row > 0 else words)
    view = CellView(of, figures[0], said, max(1, page))
    return show(request, "report_cell.html", view=view)


def _traced(words: list[str]) -> dict[str, Any]:
    if not _tracing.acquire(timeout=20):
        raise RetryLater("other figures are being traced / 正在溯源其他数字")
    try:
        told: list[str] = []
        process = CustodyProcess(words)
        too_long = threading.Event()

        def end() -> None:
            too_long.set()
            process.terminate()

        clock = threading.Timer(_LONGEST_TRACE_SECONDS, end)
        clock.start()
        try:
            done = process.run(told.append)
        finally:
            clock.cancel()
    finally:
        _tracing.release()
    if too_long.is_set() and done.result is None:
        said = f"the trace took longer than {_LONGEST_TRACE_SECONDS:.0f} s and was ended: ask for it by the command `custody report trace`"
        raise RetryLater(f"{said} / 溯源超时已终止，请用命令行查询")
    if done.exit_code != DONE or done.result is None:
        raise UsageError(told[-1] if told else done.last_line)
    return done.result


def address(subject: str, draft: int = 0) -> str:
    return query("report", {"id": subject, "draft": draft or ""})


def _key(text: str) -> ReportKey:
    try:
        return ReportKey.read(text[:120])
    except (ValueError, TypeError):
        raise NotFound(_NOTHING) from None


def _seen(wiring: Wiring, reader: str, text: str, draft: int) -> tuple[Row, bool]:
    """The version asked for, or the newest, of those that the reader may see; and whether he sees drafts. Raises NotFound."""
    with wiring.register.transaction() as tx:
        sees_drafts = permitted("report.draft.view", duties_of(tx, reader))
        rows = [row for row in versions(tx, _key(text)) if sees_drafts or row["state"] in PUBLISHED]
    found = [row for row in rows if draft in (0, row["draft_no"])]
    if not found:
        raise NotFound(_NOTHING)
    return found[-1], sees_drafts


class ListView:
    """``row.due_on`` is None where a report has no due date."""

    states = REPORT_STATES

    def __init__(self, wiring: Wiring, reader: str, params: Mapping[str, str]) -> None:
        self.today = today(wiring)
        self.asked = {name: params.get(name, "") for name in ("report", "period", "state")}
        with wiring.register.transaction() as tx:
            self.sees_drafts = permitted("report.draft.view", duties_of(tx, reader))
            newest: dict[ReportKey, Row] = {}
            for row in all_versions(tx):
                if self.sees_drafts or row["state"] in PUBLISHED:
                    newest[ReportKey.of(row)] = row
        due = {one.key: one for one in due_reports(wiring, self.today)}
        rows: list[dict[str, Any]] = []
        for key in {**newest, **(due if self.sees_drafts else {})}:
            one, latest = due.get(key), newest.get(key)
            released = bool(one and one.released) or (latest is not None and latest["state"] in RELEASED)
            due_on = one.due_on if one else None
            rows.append(
                {
                    "subject": key.subject, "report": key.report_id, "title": titles(key.report_id), "period": key.period,
                    "party": key.scope, "due_on": due_on, "state": latest["state"] if latest else "NOT_DRAFTED",
                    "draft_no": latest["draft_no"] if latest else None, "release_no": latest["release_no"] if latest else None,
                    "overdue": due_on is not None and due_on < self.today and not released, "drafted": latest is not None,
                    "for_each": latest is None and load_definition(key.report_id).scope == "platform",
                }
            )  # fmt: skip
        self.reports = sorted({row["report"] for row in rows})
        self.periods = sorted({row["period"] for row in rows}, reverse=True)
        self.overdue = sum(row["overdue"] for row in rows)
        found = [row for row in rows if all(value in ("", row[name]) for name, value in self.asked.items())]
        if not params.get("sort"):
            params = {**params, "sort": "due", "desc": "1"}
        self.rows: Listing[dict[str, Any]] = listing(
            found,
            {
                "report": lambda row: (row["report"], row["period"], row["party"]),
                "period": lambda row: row["period"],
                "party": lambda row: row["party"],
                "due": lambda row: row["due_on"] or date.min,
                "state": lambda row: row["state"],
                "release": lambda row: row["release_no"] or 0,
            },
            params,
            "reports",
        )

    def link(self, row: Mapping[str, Any]) -> str:
        return address(row["subject"])


class OneView:
    """``tables``: each with its figures by what tells them apart; ``checks`` are made now, of what nobody released yet."""

    states, checks_words = REPORT_STATES, REPORT_CHECKS

    def __init__(self, wiring: Wiring, reader: str, text: str, draft: int) -> None:
        self.reader, self.key = reader, _key(text)
        self.row, self.sees_drafts = _seen(wiring, reader, text, draft)
        drafts = SealedDrafts(wiring)
        with wiring.register.transaction() as tx:
            duties = duties_of(tx, reader)
            self.may_propose = permitted(RELEASE.propose_action, duties)
            self.may_approve = permitted(RELEASE.approve_action, duties)
            self.may_trace = permitted("report.trace.view", duties)
            rows = versions(tx, self.key)
            self.versions = [row for row in reversed(rows) if self.sees_drafts or row["state"] in PUBLISHED]
            self.is_newest = self.row["draft_no"] == rows[-1]["draft_no"]
            unreleased = self.sees_drafts and self.row["state"] in UNRELEASED and self.is_newest
            self.checks = assess(tx, self.row, drafts, wiring.settings.instance.go_live).findings if unreleased else []
            self.deliveries = deliveries_of(tx, self.row)
            self.restated = told_of(tx, self.row) if self.sees_drafts else []
            self.history = [one for one in reversed(history(tx, self.key)) if self.sees_drafts]
            found = tx.find("proposal", ("proposed_at",), kind=RELEASE.kind, subject=self.key.subject)
        self.proposals = list(reversed(found)) if self.sees_drafts else []
        self.was_checked = unreleased
        self.explanations: dict[str, str] = json.loads(self.row["explanations"])
        self.can_propose = unreleased and self.may_propose and self.row["state"] != "PROPOSED"
        self.stops = [one for one in self.checks if not one.explainable]
        self.difference: Difference | None = difference(wiring, self.row, drafts)
        self.files = sorted([(name, size, sha) for name, (size, sha) in json.loads(self.row["files"]).items()])
        self.inputs = sealed_inputs(self.row)
        self.title: Words = titles(self.row["report_id"])
        self.tables = _tables(self.row, drafts)
        self.listed = listed_tables(self.row, drafts)

    @property
    def subject(self) -> str:
        return self.key.subject

    def explained(self, finding: ReleaseFinding) -> str:
        """By the maker, in the proposal that stands."""
        return explained(finding, self.explanations)

    def shown(self, figure: Row) -> str:
        """Of report_figures, as people read it."""
        if figure["value"] is None:
            return "–"
        if figure["unit"] == "amount":
            return amount(figure["value"])
        return FigureValue(figure["unit"], figure["value"]).shown()

    def file_link(self, name: str) -> str:
        return query("report-file", {"id": self.subject, "draft": self.row["draft_no"], "name": name})

    def version_link(self, row: Row) -> str:
        return address(self.subject, row["draft_no"])

    def cell_link(self, cell: str) -> str:
        return query("report-cell", {"id": self.subject, "draft": self.row["draft_no"], "cell": cell})


def _tables(row: Row, drafts: SealedDrafts) -> list[dict[str, Any]]:
    """As the workbook has them: a line for each key, a column for each figure; of the whole one figure below another."""
    definition, catalogue = load_definition(row["report_id"]), load_catalogue()
    by_table: dict[str, list[Row]] = {}
    for one in drafts.figures(row):
        by_table.setdefault(one["table_id"], []).append(one)
    found, terms = [], load_terms()
    for table in definition.tables:
        if table.id not in by_table:
            continue
        figures = [(name, catalogue.figure(name)[1].name) for name in table.figures]
        of, _ = catalogue.figure(table.figures[0])
        by = [of.column(name) for name in table.by or ()]
        lines: dict[tuple[Words, ...], dict[str, Row]] = {}
        for one in by_table[table.id]:
            values = zip(by, json.loads(one["key"]), strict=not one["is_total"])
            key = (("Total", "合计"),) if one["is_total"] else tuple(_told(terms, column, value) for column, value in values)
            lines.setdefault(key, {})[one["figure"]] = one
        heads = [(column.name.en, column.name.zh) for column in by]
        found.append({"title": (table.title.en, table.title.zh), "by": heads, "figures": figures, "lines": lines})
    return found


def _told(terms: Terms, column: ColumnDefinition, value: str) -> Words:
    """A value in both languages where it is a word of the domain."""
    said = terms.words(column.dimension or "", value)
    return (said.en, said.zh if said.zh != said.en else "")


@dataclass(frozen=True)
class ListedTable:
    """A table of rows: the first of its sealed CSV file, each with its cell in the workbook, by which it is traced."""

    title: Words
    heads: list[Words]
    workbook: str
    cells: list[str]
    lines: list[list[str]]
    rows_in_all: int


def listed_tables(row: Row, drafts: SealedDrafts) -> list[ListedTable]:
    """Of a draft, in the order of its definition; numbers of users are masked."""
    definition, catalogue, found = load_definition(row["report_id"]), load_catalogue(), []
    names = json.loads(row["files"])
    book = next((name for name in names if name.endswith(".xlsx")), "")
    for table in definition.tables:
        name = book.removesuffix(".xlsx") + f"_{table.id}.csv"
        if table.rows is None or name not in names:
            continue
        columns = [catalogue.row_set(table.rows).column(one) for one in table.columns]
        lines = list(csv.reader(io.StringIO(drafts.file(row, name).decode("utf-8-sig"), newline="")))[1:]
        shown = [[mask_user_numbers(value) for value in line] for line in lines[:_MOST_LISTED]]
        cells = [f"{sheet_title(table.title)}!A{FIRST_ROW + number}" for number in range(1, len(shown) + 1)]
        heads = [(column.name.en, column.name.zh) for column in columns]
        found.append(ListedTable((table.title.en, table.title.zh), heads, book, cells, shown, len(lines)))
    return found


class CellView:
    """``said``: what `custody report trace` answered."""

    def __init__(self, row: Row, figure: Row, said: Mapping[str, Any], page: int) -> None:
        self.row, self.figure, self.said, self.page = row, figure, said, page
        self.subject = ReportKey.of(row).subject
        self.back = address(self.subject, row["draft_no"])
        self.one = said.get("row")

    def shown(self, value: int | None, unit: str) -> str:
        if value is None:
            return "–"
        return amount(value) if unit == "amount" else FigureValue(unit, value).shown()

    def link(self, page: int, row: int = 0) -> str:
        asked = {"id": self.subject, "draft": self.row["draft_no"], "cell": self.figure["cell"], "page": page, "row": row or ""}
        return query("report-cell", asked)
