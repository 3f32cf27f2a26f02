"""A report as an XLSX workbook: the same report gives the same bytes, and no cell runs as a formula but our own totals."""

from __future__ import annotations

import io
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_range

from custody.errors import UsageError
from custody.money import MINOR_DIGITS
from reports.model import Amount, Cell, Chart, Count, Report, Sheet, Text

# A viewer takes a workbook's numbers for binary floats. Any decimal of at most 15 significant digits survives the way into
# a double and back (IEEE 754), and 15 are also what a spreadsheet shows. The bound 2^53 would hold for whole fen, but not
# for yuan: 90071992547409.91 reads back as ...9.9. So we refuse from 10^15 minor units on (ten trillion yuan), rather than
# print a neighbour's amount. We ourselves write the exact decimal and never a float: xlsxwriter spells a float with 16
# digits, by which 783.56 would stand in the file as 783.5599999999999.
MAX_EXACT_MINOR = 10**15 - 1

_TOTAL = "Total 合计"


def render(report: Report) -> bytes:
    """The workbook's bytes. Dates inside it are the report's last day, never the clock. Raises UsageError for a number
    too large to stay exact, and for a text longer than a cell takes."""
    out = io.BytesIO()
    # in_memory: parts written through files would carry the machine's time zone in the archive.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(out, options)
    book.set_properties(
        {
            "title": f"{report.definition.title.en} {report.definition.title.zh} {report.period}",
            "author": report.bank_name,
            "created": datetime.combine(report.as_of, time()),
        }
    )
    formats = _Formats(book, report.currency)
    for sheet in report.sheets:
        _render_sheet(book, sheet, formats)
    book.close()
    return out.getvalue()


class _Formats:
    """The workbook's cell formats. ``quote_prefix`` keeps text a text also when a person edits the cell."""

    def __init__(self, book: Any, currency: str) -> None:
        digits = MINOR_DIGITS[currency]
        amount = "#,##0" + ("." + "0" * digits if digits else "")
        self.minor_per_major = 10**digits
        self.text = book.add_format({"quote_prefix": True, "valign": "top", "text_wrap": True})
        self.label = book.add_format({"quote_prefix": True, "bold": True})
        self.plain = book.add_format({"quote_prefix": True})
        self.header = book.add_format(
            {"quote_prefix": True, "bold": True, "text_wrap": True, "valign": "vcenter", "bg_color": "#DCE6F1", "border": 1}
        )
        self.count = book.add_format({"num_format": "#,##0", "valign": "top"})
        self.amount = book.add_format({"num_format": amount, "valign": "top"})
        self.total_text = book.add_format({"quote_prefix": True, "bold": True, "top": 1})
        self.total_count = book.add_format({"num_format": "#,##0", "bold": True, "top": 1})
        self.total_amount = book.add_format({"num_format": amount, "bold": True, "top": 1})


def _render_sheet(book: Any, sheet: Sheet, formats: _Formats) -> None:
    page = book.add_worksheet(sheet.name)
    for row, cells in enumerate(sheet.preface):
        for column, cell in enumerate(cells):
            _write(page, row, column, cell, formats, text_format=formats.label if column == 0 else formats.plain)
    header = len(sheet.preface) + 1
    for column, titles in enumerate(sheet.columns):
        page.set_column(column, column, titles.width)
        _write(page, header, column, Text(titles.name_en), formats, text_format=formats.header)
        _write(page, header + 1, column, Text(titles.name_zh), formats, text_format=formats.header)
    page.set_row(header, 32)
    page.set_row(header + 1, 32)
    first = header + 2
    for offset, cells in enumerate(sheet.rows):
        for column, cell in enumerate(cells):
            _write(page, first + offset, column, cell, formats)
    if any(column.total for column in sheet.columns) and sheet.rows:
        _write_totals(page, sheet, first, formats)
    if sheet.frozen:
        page.freeze_panes(first, 2)
    page.repeat_rows(header, header + 1)
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    page.set_footer("&L&A&R&P / &N")
    if sheet.chart is not None:
        _add_chart(book, page, sheet, sheet.chart, first)


def _write_totals(page: Any, sheet: Sheet, first: int, formats: _Formats) -> None:
    """Sums as formulas, each with our exact sum as its cached value, for viewers that do not calculate."""
    row, last = first + len(sheet.rows), first + len(sheet.rows) - 1
    for column, titles in enumerate(sheet.columns):
        if not titles.total:
            label = Text(_TOTAL if column == 0 else "")
            _write(page, row, column, label, formats, text_format=formats.total_text)
            continue
        is_amount = isinstance(sheet.rows[0][column], Amount)
        total = sheet.total(column)
        value = _major(total, formats.minor_per_major) if is_amount else _exact(total)
        number_format = formats.total_amount if is_amount else formats.total_count
        _done(page.write_formula(row, column, f"=SUM({xl_range(first, column, last, column)})", number_format, value))


def _write(page: Any, row: int, column: int, cell: Cell, formats: _Formats, text_format: Any = None) -> None:
    match cell:
        case Text(text):
            _done(page.write_string(row, column, text, text_format or formats.text))
        case Count(number):
            _done(page.write_number(row, column, _exact(number), formats.count))
        case Amount(minor):
            _done(page.write_number(row, column, _major(minor, formats.minor_per_major), formats.amount))


def _exact(number: int) -> int:
    if abs(number) > MAX_EXACT_MINOR:
        raise UsageError(f"{number} is too large for a workbook to hold exactly")
    return number


def _major(minor: int, minor_per_major: int) -> Decimal:
    return Decimal(_exact(minor)) / minor_per_major


def _done(code: int) -> None:
    """xlsxwriter says by a negative number, not an exception, that it left a cell out."""
    if code < 0:
        raise UsageError(f"a cell of the report does not fit a workbook (xlsxwriter code {code})")


def _add_chart(book: Any, page: Any, sheet: Sheet, chart: Chart, first: int) -> None:
    last = first + len(sheet.rows) - 1
    drawn = book.add_chart({"type": "bar"})
    # References only: a chart takes a text that starts with "=" for a formula.
    drawn.add_series(
        {
            "categories": [sheet.name, first, chart.label_column, last, chart.label_column],
            "values": [sheet.name, first, chart.value_column, last, chart.value_column],
            "gap": 60,
        }
    )
    drawn.set_title({"name": chart.title, "name_font": {"size": 12}})
    drawn.set_legend({"none": True})
    drawn.set_y_axis({"reverse": True})
    drawn.set_x_axis({"num_format": "#,##0", "label_position": "high"})
    drawn.set_size({"width": 760, "height": 120 + 26 * len(sheet.rows)})
    page.insert_chart(first - 2, len(sheet.columns) + 1, drawn)
