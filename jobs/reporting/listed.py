"""From a row that a report lists back to where it comes from: the row of the row set, read again from the sealed tables that the report's seal
cites, must say what the sealed CSV file says."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from custody.errors import SealBroken, UsageError
from custody.money import format_amount
from custody.ports import Row
from reports.catalogue import ColumnDefinition, RowSet, load_catalogue
from reports.csv_file import safe_text
from reports.definition import ReportDefinition, TableDefinition, load_definition
from reports.naming import ReportName
from reports.xlsx import FIRST_ROW, sheet_title

if TYPE_CHECKING:
    from connectors.bootstrap import Wiring

_CURRENCY = "CNY"
_CELL = re.compile(r"[A-Za-z]{0,3}([1-9][0-9]{0,6})", re.ASCII)


@dataclass(frozen=True)
class Listed:
    """A row that a draft lists. ``number``: from 1 in its table; ``line``: what the sealed CSV file says of it, by column."""

    draft: Row
    table: TableDefinition
    row_set: RowSet
    number: int
    line: Mapping[str, str]

    def query(self, rows: str) -> str:
        """Of ``rows``, the row set's query, this one."""
        scope = f"platform = '{self.draft['scope']}'" if self.draft["scope"] else ""
        where = " and ".join(f"({condition})" for condition in (self.table.where, scope) if condition)
        order = ", ".join(f"{name} nulls first" for name in dict.fromkeys([*self.table.order, *self.row_set.place]))
        return f"select * from ({rows}) r {f'where {where}' if where else ''} order by {order} limit 1 offset {self.number - 1}"

    def check(self, row: Mapping[str, Any]) -> None:
        """Raises SealBroken where the sealed row does not say what the file lists."""
        for name in self.table.columns:
            said = _said(self.row_set.column(name), row[name])
            if said is not None and said != self.line[name]:
                raise SealBroken(f"row {self.number} of {self.table.id} says {name} {self.line[name]!r}, the sealed row {said!r}")


def find_listed(wiring: Wiring, draft: Row, name: str, cell: str) -> Listed | None:
    """The row that a cell of a workbook (``Sheet!B5``) or a line of a table's CSV file stands in; None where it stands in no table of rows.
    Raises UsageError for a row that is not there."""
    definition = load_definition(draft["report_id"])
    is_csv = name.endswith(".csv")
    table = _of_file(definition, name) if is_csv else _of_sheet(definition, cell.rpartition("!")[0])
    if table is None or table.rows is None:
        return None
    place = _CELL.fullmatch(cell.rpartition("!")[2])
    number = int(place[1]) - (1 if is_csv else FIRST_ROW) if place else 0
    of = ReportName(draft["report_id"], draft["period"], draft["scope"], definition.version)
    version = re.search(r"_v([0-9]+)[._]", name)
    if version is not None:
        of = ReportName(of.report, of.period, of.party, int(version[1]))
    text = wiring.lake.file(draft["path"], of.file(f"_{table.id}.csv")).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    if not 1 <= number <= len(lines):
        first = 2 if is_csv else FIRST_ROW + 1
        raise UsageError(
            f"{cell!r} is no row of {table.id}: its rows are {first} to {first + len(lines) - 1}"
            if lines
            else f"{table.id} has no rows"
        )
    return Listed(draft, table, load_catalogue().row_set(table.rows), number, lines[number - 1])


def _of_file(definition: ReportDefinition, name: str) -> TableDefinition | None:
    stem = PurePath(name).stem
    return next((t for t in definition.tables if t.rows is not None and re.search(rf"_v[0-9]+_{t.id}$", stem)), None)


def _of_sheet(definition: ReportDefinition, sheet: str) -> TableDefinition | None:
    found = [table for table in definition.tables if sheet and sheet in sheet_title(table.title)]
    return found[0] if len(found) == 1 else None


def _said(column: ColumnDefinition, value: Any) -> str | None:
    """As the CSV file says it; None of what is said in words or as a time."""
    if value is None:
        return ""
    match column.type:
        case "amount":
            return format_amount(int(value), _CURRENCY)
        case "count":
            return str(value)
        case "date":
            return value.isoformat() if isinstance(value, date) else str(value)
        case "text":
            return safe_text(str(value))
    return None
