"""A report as an XLSX workbook: the same report gives the same bytes, and no cell runs as a formula but our own totals."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from decimal import Decimal
from itertools import takewhile
from math import ceil
from typing import Any

import xlsxwriter
from xlsxwriter.utility import quote_sheetname, xl_range, xl_rowcol_to_cell

from custody.calendar import CHINA
from custody.errors import UsageError
from custody.money import MINOR_DIGITS
from reports.catalogue import Words
from reports.model import Amount, Cell, Chart, Count, Day, Moment, Nothing, Place, Report, Share, Table, Text

# A viewer takes a workbook's numbers for binary floats. Any decimal of at most 15 significant digits survives the way into
# a double and back (IEEE 754), and 15 are also what a spreadsheet shows. The bound 2^53 would hold for whole fen, but not
# for yuan: 90071992547409.91 reads back as ...9.9. So we refuse from 10^15 minor units on (ten trillion yuan), rather than
# print a neighbour's amount. We ourselves write the exact decimal and never a float: xlsxwriter spells a float with 16
# digits, by which 783.56 would stand in the file as 783.5599999999999.
MAX_EXACT_MINOR = 10**15 - 1

# Above each table: its title, its note in each language, the headings.
_HEADINGS_ROW = 3
FIRST_ROW = _HEADINGS_ROW + 1
_LONGEST_SHEET_NAME = 31
# A sheet holds more, but nobody reads it there: longer tables are cut here, and say so; the CSV file has all.
MOST_ROWS = 100_000
_NONE = Words(en="None", zh="无")
# A line of text in points, and how many characters of a column's width stand on an A4 page across at full size. A table that is
# somewhat wider is printed smaller, down to where it can still be read; one that is wider yet on several pages beside each other.
_LINE, _MOST_HEIGHT = 15, 400
_PAGE_CHARACTERS, _LEAST_SCALE = 130, 65
_PAGE_POINTS = 470
# ... in whatever font a program sets Excel's own.
_SURELY_FITS = 104
_POINTS_PER_PIXEL = 0.75
_CUT = Words(en="Only the first rows; all of them stand in the CSV file", zh="仅列前若干行，全部明细见 CSV 文件")


def render(report: Report) -> bytes:
    """The workbook's bytes. Dates inside it are the report's last day, never the clock. Raises UsageError for a number
    too large to stay exact, and for a text longer than a cell takes."""
    out = io.BytesIO()
    # in_memory: parts written through files would carry the machine's time zone in the archive.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(out, options)
    title = report.title
    book.set_properties(
        {
            "title": f"{title.zh} {title.en} {report.period.name}",
            "author": report.bank_name,
            "created": datetime.combine(report.period.last, time()),
        }
    )
    formats = _Formats(book, report.currency)
    _cover(book, report, formats)
    for table in report.all_tables:
        _sheet(book, table, formats)
    book.close()
    return out.getvalue()


def sheet_name(table: Table) -> str:
    """In both languages where that is short enough for a sheet."""
    return sheet_title(table.title)


def sheet_title(title: Words) -> str:
    """The name of the sheet of a table of that title."""
    both = _both(title)
    return both if len(both) <= _LONGEST_SHEET_NAME else title.zh[:_LONGEST_SHEET_NAME]


def address(table: Table, place: Place) -> str:
    """The cell in which a figure stands, such as ``分平台 By platform!C5``."""
    row = len(_shown(table)) if place.row is None else place.row
    return f"{sheet_name(table)}!{xl_rowcol_to_cell(FIRST_ROW + row, place.column)}"


class _Formats:
    """The workbook's cell formats. ``quote_prefix`` keeps text a text also when a person edits the cell."""

    def __init__(self, book: Any, currency: str) -> None:
        digits = MINOR_DIGITS[currency]
        self.amount_format = "#,##0" + ("." + "0" * digits if digits else "")
        self.minor_per_major: int = 10**digits
        text = {"quote_prefix": True, "valign": "top", "text_wrap": True}
        self.text = book.add_format({**text, "align": "left", "indent": 1})
        self.title = book.add_format({"quote_prefix": True, "bold": True, "font_size": 14})
        self.big_title = book.add_format({"quote_prefix": True, "bold": True, "font_size": 18})
        self.note = book.add_format({"quote_prefix": True, "italic": True, "font_color": "#555555"})
        self.label = book.add_format({**text, "bold": True})
        heading = {"quote_prefix": True, "bold": True, "text_wrap": True, "valign": "vcenter", "bg_color": "#DCE6F1", "border": 1}
        self.heading = book.add_format({**heading, "indent": 1})
        self.number_heading = book.add_format({**heading, "align": "right"})
        numbers = {Amount: self.amount_format, Count: "#,##0", Share: "0.00%", Day: "yyyy-mm-dd", Moment: "yyyy-mm-dd hh:mm:ss"}
        # A date stands apart from what is at its right.
        middle = {kind: {"align": "center"} if kind in (Day, Moment) else {} for kind in numbers}
        self.of = {kind: book.add_format({"num_format": n, "valign": "top", **middle[kind]}) for kind, n in numbers.items()}
        self.of[Nothing] = book.add_format({"quote_prefix": True, "valign": "top", "align": "right", "font_color": "#888888"})
        total = {"bold": True, "top": 1, "bg_color": "#F2F2F2"}
        self.total = {kind: book.add_format({"num_format": shown, **total}) for kind, shown in numbers.items()}
        self.total[Text] = book.add_format({"quote_prefix": True, "align": "left", "indent": 1, **total})
        self.total[Nothing] = book.add_format({"quote_prefix": True, "align": "right", **total})


_COVER_LABELS, _COVER_WIDTH = 44, 24


def _cover(book: Any, report: Report, formats: _Formats) -> None:
    page = book.add_worksheet("封面 Cover")
    title = report.title
    _done(page.write_string(0, 0, f"{title.zh}  {title.en}", formats.big_title))
    page.set_row(0, 30)
    row = 2
    right = sum(c.width for c in report.inputs.columns[1:4]) if report.inputs is not None else 3 * _COVER_WIDTH
    for label, value in report.cover:
        _done(page.write_string(row, 0, _both(label), formats.label))
        _done(page.merge_range(row, 1, row, 3, _both(value), formats.text))
        _fit(page, row, ((_both(label), _COVER_LABELS), (_both(value), right)))
        row += 1
    if report.inputs is not None:
        row += 1
        _done(page.write_string(row, 0, _both(report.inputs.title), formats.title))
        _headings(page, report.inputs, row + 1, formats)
        for offset, cells in enumerate(report.inputs.rows):
            for column, cell in enumerate(cells):
                _write(page, row + 2 + offset, column, cell, formats)
    # The left column holds the cover's labels too.
    page.set_column(0, 0, _COVER_LABELS)
    if report.inputs is None:
        page.set_column(1, 3, _COVER_WIDTH)
    _print_as(page, _COVER_LABELS + right)


def _sheet(book: Any, table: Table, formats: _Formats) -> None:
    page = book.add_worksheet(sheet_name(table))
    _done(page.write_string(0, 0, _both(table.title), formats.title))
    rows = _shown(table)
    notes = [*([table.note] if table.note else []), *([_CUT] if len(rows) < len(table.rows) else [])]
    # A line for each language: a longer one would run off the paper.
    for row, said in enumerate(([note.zh for note in notes], [note.en for note in notes]), start=1):
        if notes:
            _done(page.write_string(row, 0, "  ".join(said), formats.note))
    heading = _headings(page, table, _HEADINGS_ROW, formats)
    points = float(_LINE * _HEADINGS_ROW) + heading
    for offset, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            _write(page, FIRST_ROW + offset, column, cell, formats)
        texts = ((_both(cell), c.width - 1) for c, cell in zip(table.columns, cells, strict=True) if isinstance(cell, Text))
        points += _fit(page, FIRST_ROW + offset, texts)
    if not rows:
        _done(page.write_string(FIRST_ROW, 0, _both(_NONE), formats.text))
    if table.total is not None and rows:
        _total(page, table, formats)
        points += _LINE
    page.freeze_panes(FIRST_ROW, table.keys)
    if rows:
        page.autofilter(_HEADINGS_ROW, 0, FIRST_ROW + len(rows) - 1, len(table.columns) - 1)
    page.repeat_rows(_HEADINGS_ROW)
    scale = _print_as(page, sum(c.width for c in table.columns))
    breaks = list(_breaks(table))
    if breaks:
        page.set_v_pagebreaks(breaks)
        page.repeat_columns(0, max(table.keys, 1) - 1)
    if table.chart is not None:
        # What stands in columns that are repeated would be, too.
        _chart(book, page, table, table.chart, table.keys if breaks else 0, points, _PAGE_POINTS * 100 / scale)


def _shown(table: Table) -> tuple[tuple[Cell, ...], ...]:
    return table.rows[:MOST_ROWS]


def _headings(page: Any, table: Table, row: int, formats: _Formats) -> float:
    """Returns their height in points."""
    for number, column in enumerate(table.columns):
        page.set_column(number, number, column.width)
        shown = formats.number_heading if column.is_number else formats.heading
        _done(page.write_string(row, number, f"{column.name.zh}\n{column.name.en}", shown))
    # Bold letters are wider.
    texts = [(f"{column.name.zh}\n{column.name.en}", 0.9 * (column.width - 1)) for column in table.columns]
    return _fit(page, row, texts, least_lines=3)


def _fit(page: Any, row: int, texts: Iterable[tuple[str, float]], least_lines: int = 1) -> float:
    """Makes a row as high as its longest text needs, each in its characters of width: not every program does so by itself. Returns points."""
    lines = max([least_lines, *(_lines(text, room) for text, room in texts)])
    height = min(_LINE * lines, _MOST_HEIGHT)
    if lines > 1:
        page.set_row(row, height)
    return float(height)


def _lines(text: str, room: float) -> int:
    """Widths are those of digits: letters are narrower, a Chinese character takes more than two. Where words end a line some room is left."""
    lines = 0
    for line in text.split("\n"):
        chinese = len(line.encode("gb18030")) - len(line)
        taken = 2.1 * chinese + 0.86 * (len(line) - chinese)
        lines += 1 if taken <= room else ceil(1.06 * taken / room)
    return lines


def _print_as(page: Any, characters: float) -> int:
    """A4 across, no wider than a page unless it could not be read then; returns the scale in per cent, about."""
    page.set_landscape()
    page.set_paper(9)
    page.set_margins(bottom=0.95)
    page.set_footer("&L&A&R&P / &N")
    # Narrow ones are not fitted: Excel heeds a break before a chart only in these.
    scale = min(100, int(100 * _PAGE_CHARACTERS / characters))
    if scale < _LEAST_SCALE:
        page.set_print_scale(_LEAST_SCALE)
    elif characters > _SURELY_FITS:
        page.fit_to_pages(1, 0)
    return max(scale, _LEAST_SCALE)


def _breaks(table: Table) -> Iterator[int]:
    """Before which columns a page ends, so that those of a page can be read; what is compared with a figure stays beside it."""
    most = _PAGE_CHARACTERS * 100 / _LEAST_SCALE
    if sum(column.width for column in table.columns) <= most:
        return
    keys = sum(column.width for column in table.columns[: table.keys])
    taken, at = float(keys), table.keys
    while at < len(table.columns):
        behind = sum(1 for _ in takewhile(lambda column: column.follows, table.columns[at + 1 :]))
        wanted = sum(column.width for column in table.columns[at : at + 1 + behind])
        if taken > keys and taken + wanted > most:
            yield at
            taken = keys
        taken += wanted
        at += 1 + behind


def _total(page: Any, table: Table, formats: _Formats) -> None:
    """Sums as formulas, each with our exact sum as its cached value, for viewers that do not calculate."""
    assert table.total is not None
    row, last = FIRST_ROW + len(_shown(table)), FIRST_ROW + len(_shown(table)) - 1
    for number, (column, cell) in enumerate(zip(table.columns, table.total, strict=True)):
        # Of rows that were cut the sum is not that of those shown.
        if column.total == "sum" and len(_shown(table)) == len(table.rows):
            formula = f"=SUM({xl_range(FIRST_ROW, number, last, number)})"
            _done(page.write_formula(row, number, formula, formats.total[type(cell)], _value(cell, formats)))
        else:
            _write(page, row, number, cell, formats, total=True)


def _write(page: Any, row: int, column: int, cell: Cell, formats: _Formats, total: bool = False) -> None:
    shown = formats.total[type(cell)] if total else formats.of.get(type(cell), formats.text)
    match cell:
        case Text():
            _done(page.write_string(row, column, _both(cell), shown))
        case Nothing():
            _done(page.write_string(row, column, "–", shown))
        case Day(on):
            _done(page.write_datetime(row, column, datetime.combine(on, time()), shown))
        case Moment(at):
            _done(page.write_datetime(row, column, at.astimezone(CHINA).replace(tzinfo=None), shown))
        case _:
            _done(page.write_number(row, column, _value(cell, formats), shown))


def _value(cell: Cell, formats: _Formats) -> int | Decimal:
    match cell:
        case Count(number):
            return _exact(number)
        case Amount(minor):
            return Decimal(_exact(minor)) / Decimal(formats.minor_per_major)
        case Share(ten_thousandths):
            return Decimal(_exact(ten_thousandths)) / 10_000
    raise TypeError(f"{cell} is no number")


def _both(words: Words | Text) -> str:
    """In Chinese and English, where it is said in both."""
    return f"{words.zh} {words.en}" if words.zh is not None and words.zh != words.en else words.en


def _exact(number: int) -> int:
    if abs(number) > MAX_EXACT_MINOR:
        raise UsageError(f"{number} is too large for a workbook to hold exactly")
    return number


def _done(code: int | None) -> None:
    """xlsxwriter says by a negative number, not an exception, that it left a cell out."""
    if code is not None and code < 0:
        raise UsageError(f"a cell of the report does not fit a workbook (xlsxwriter code {code})")


def _chart(book: Any, page: Any, table: Table, chart: Chart, at: int, above: float, on_page: float) -> None:
    """``at``: the column; ``above``: points that the table takes; ``on_page``: that a printed page has."""
    first, last = FIRST_ROW, FIRST_ROW + len(_shown(table)) - 1
    drawn = book.add_chart({"type": "bar" if chart.kind == "bar" else "line"})
    name = sheet_name(table)
    for column in chart.columns:
        # References only: a chart takes a text that starts with "=" for a formula.
        drawn.add_series(
            {
                "name": f"={quote_sheetname(name)}!{xl_rowcol_to_cell(_HEADINGS_ROW, column, row_abs=True, col_abs=True)}",
                "categories": [name, first, 0, last, 0],
                "values": [name, first, column, last, column],
                **({"gap": 60} if chart.kind == "bar" else {"marker": {"type": "circle", "size": 4}}),
            }
        )
    drawn.set_title({"name": f"{chart.title.zh} {chart.title.en}", "name_font": {"size": 12}})
    drawn.set_legend({"none": True} if len(chart.columns) == 1 else {"position": "bottom"})
    if chart.kind == "bar":
        drawn.set_y_axis({"reverse": True, "interval_unit": 1})
        drawn.set_x_axis({"num_format": "#,##0", "label_position": "high"})
        bars = len(_shown(table)) * len(chart.columns)
        # On one page as long as its bars can be told apart there.
        one_page = int((on_page - 6 * _LINE) / _POINTS_PER_PIXEL)
        height = min(140 + 26 * bars, max(one_page, 140 + 12 * bars))
    else:
        drawn.set_y_axis({"num_format": "#,##0"})
        drawn.set_x_axis({"num_format": "yyyy-mm-dd", "text_axis": True})
        height = 320
    drawn.set_size({"width": 760, "height": height})
    # Below the table, where it hides no figure whatever the number of columns; when printed not half of it on a page.
    row = last + (3 if table.total is not None else 2)
    page.insert_chart(row, at, drawn)
    if above % on_page + 2 * _LINE + height * _POINTS_PER_PIXEL > on_page:
        page.set_h_pagebreaks([row])
