"""A report as CSV: the figures of all its tables, one a row; its tables of rows, each in a file of its own; the dictionary of both.

UTF-8 with a byte order mark, since a spreadsheet takes Chinese for another encoding without it. A text that a spreadsheet
would run as a formula gets an apostrophe before it; numbers are numbers, also negative ones.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from custody.calendar import CHINA
from custody.money import format_amount
from reports.build import defined_columns
from reports.catalogue import Catalogue
from reports.definition import ReportDefinition
from reports.model import Amount, Cell, Count, Day, Moment, Nothing, Place, Report, Share, Table, Text

DICTIONARY_HEADER = ("id", "tables", "unit", "name_en", "name_zh", "meaning_en", "meaning_zh", "source_en", "source_zh")

# The full-width forms too: a spreadsheet in a Chinese locale reads them as their ASCII twins.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def render_figures(report: Report, definition: ReportDefinition) -> bytes | None:
    """Every figure of the report: the table, the values by which it is told apart, its id and names, unit, value; None where there is none.

    Amounts are in major units of the currency that ``unit`` names, shares in per cent; a value that is not known is empty. A total has
    ``*`` for each value by which its table tells figures apart.
    """
    keys = [name for table in definition.tables for name in table.by or ()]
    keys = list(dict.fromkeys(keys))
    rows = []
    for table, defined in zip(report.tables, definition.tables, strict=True):
        for place in table.places:
            told = dict(zip(defined.by or (), place.key or ["*"] * len(defined.by or ()), strict=True))
            figure = place.figure
            texts = (
                report.period.name,
                report.party,
                table.id,
                *(told.get(key, "") for key in keys),
                figure.id,
                figure.name.en,
                figure.name.zh,
            )
            rows.append((*map(safe_text, texts), _unit(place, report.currency), _value(place, report.currency)))
    header = ("period", "party", "table", *keys, "figure_id", "name_en", "name_zh", "unit", "value")
    return csv_bytes(header, rows) if rows else None


def render_rows(report: Report, table: Table) -> bytes:
    """A table of rows; the header names its columns by their ids."""
    return csv_bytes([column.id for column in table.columns], ([_cell(c, report.currency) for c in row] for row in table.rows))


def render_dictionary(definition: ReportDefinition, catalogue: Catalogue) -> bytes:
    """What each column of the report's files means, in both languages, and in which tables."""
    rows = [
        (d.id, " ".join(d.tables), d.unit, d.name.en, d.name.zh, d.meaning.en, d.meaning.zh, d.source.en, d.source.zh)
        for d in defined_columns(definition, catalogue)
    ]
    return csv_bytes(DICTIONARY_HEADER, [tuple(map(safe_text, row)) for row in rows])


def safe_text(text: str) -> str:
    """The text as a spreadsheet will show it and not run it."""
    return "'" + text if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV file whose texts have been made safe."""
    return codecs.BOM_UTF8 + csv_lines([header]) + csv_lines(rows)


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """A piece of such a file."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8")


def _unit(place: Place, currency: str) -> str:
    return {"amount": currency, "count": "count", "share": "%"}[place.figure.unit]


def _value(place: Place, currency: str) -> str:
    if place.value is None:
        return ""
    match place.figure.unit:
        case "amount":
            return format_amount(place.value, currency)
        case "count":
            return str(place.value)
        case "share":
            return _percent(place.value)


def _cell(cell: Cell, currency: str) -> str:
    match cell:
        case Amount(minor):
            return format_amount(minor, currency)
        case Count(number):
            return str(number)
        case Share(ten_thousandths):
            return _percent(ten_thousandths)
        case Day(on):
            return on.isoformat()
        case Moment(at):
            return at.astimezone(CHINA).isoformat()
        case Nothing():
            return ""
        case Text():
            return safe_text(cell.en if cell.zh is None or cell.zh == cell.en else f"{cell.zh} {cell.en}")


def _percent(ten_thousandths: int) -> str:
    return str(Decimal(ten_thousandths).scaleb(-2))
