"""A report as PDF, in one language: an A4 document that embeds the glyphs of its font (reports.font). The same report gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from itertools import takewhile
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TableCellFillMode, XPos, YPos
from fpdf.fonts import FontFace

from custody.calendar import CHINA
from custody.money import format_amount
from reports.catalogue import Words
from reports.definition import Language
from reports.model import Amount, Cell, Chart, Column, Count, Day, Moment, Nothing, Report, Share, Table, Text
from reports.pdf_chart import draw_chart

# A printed list of more rows is read by nobody: the rest stands in the CSV file, and the document says so.
MOST_ROWS = 400
_FONT = "NotoSansSC"
_BODY, _SMALL = 8.5, 7
_MARGIN = 12
_HEAD_FILL, _TOTAL_FILL, _STRIPE = (220, 230, 241), (242, 242, 242), (250, 250, 250)
# Millimetres that a character of a column's width takes at the size of a table's text.
_MM_PER_CHARACTER = 1.62
_LEAST_MM = 15
_PADDING_MM = 1.6

_NONE = Words(en="None", zh="无")
_CUT = Words(
    en="The first {shown} of {all} rows; all of them stand in the CSV file",
    zh="共 {all} 行，此处列前 {shown} 行，全部见 CSV 文件",
)


def render(report: Report, language: Language, font: Path) -> bytes:
    """The document's bytes, set in a font that has what ``texts`` names; dates inside it are the report's last day, never the clock."""
    paper = _Paper(report, language, font)
    paper.add_page()
    paper.cover()
    for table in report.all_tables:
        paper.table_of(table)
    if report.inputs is not None:
        paper.table_of(report.inputs, small=True)
    return bytes(paper.output())


def texts(report: Report) -> Iterator[str]:
    """All that the document may have to say, in both languages."""
    title = report.title
    yield report.bank_name + report.period.name + report.party + "–…·"
    for words in (title, _NONE, _CUT, *(label for label, _ in report.cover)):
        yield words.en + words.zh
    for table in (*report.all_tables, *([report.inputs] if report.inputs else [])):
        heads = [words for c in table.columns for words in (c.name, c.short) if words is not None]
        for words in (table.title, *([table.note] if table.note else []), *heads):
            yield words.en + words.zh
        if table.chart is not None:
            yield table.chart.title.en + table.chart.title.zh
        for cell in (cell for cells in (*table.rows, table.total or ()) for cell in cells):
            if isinstance(cell, Text):
                yield cell.en + (cell.zh or "")
    for _, value in report.cover:
        yield value.en + (value.zh or "")


class _Paper(FPDF):
    def __init__(self, report: Report, language: Language, font: Path) -> None:
        super().__init__(orientation="landscape", format="A4")
        self._report, self._language = report, language
        self.set_margin(_MARGIN)
        self.set_auto_page_break(True, margin=14)
        self.add_font(_FONT, "", font)
        title = report.title
        self.set_title(f"{self.say(title)} {report.period.name}")
        self.set_author(report.bank_name)
        self.set_lang("zh-CN" if language == "zh" else "en")
        self.set_creation_date(datetime.combine(report.period.last, time(), tzinfo=UTC))
        self.set_font(_FONT, size=_BODY)

    def say(self, words: Words | Text) -> str:
        return words.zh if self._language == "zh" and words.zh is not None else words.en

    def footer(self) -> None:
        self.set_y(-11)
        self.set_font(_FONT, size=_SMALL)
        self.set_text_color(90)
        report = self._report
        party = f" · {report.party}" if report.party else ""
        left = f"{report.bank_name} · {self.say(report.title)} · {report.period.name}{party} · v{report.version}"
        width = self.epw / 2
        self.cell(width, 5, left)
        self.cell(width, 5, f"{self.page_no()} / {{nb}}", align="R")
        self.set_text_color(0)

    def cover(self) -> None:
        self.set_font(_FONT, size=20)
        self.cell(0, 12, self.say(self._report.title), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_draw_color(60, 100, 150)
        self.line(self.l_margin, self.get_y(), self.l_margin + self.epw, self.get_y())
        self.set_draw_color(170)
        self.ln(3)
        self.set_font(_FONT, size=_BODY)
        for label, value in self._report.cover:
            self.set_text_color(90)
            self.cell(52, 6, self.say(label))
            self.set_text_color(0)
            self.multi_cell(0, 6, self.say(value), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def table_of(self, table: Table, small: bool = False) -> None:
        self._heading(table)
        rows = table.rows[:MOST_ROWS]
        if not rows:
            self.cell(0, 6, self.say(_NONE), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            return
        self.set_font(_FONT, size=_SMALL if small else _BODY)
        for chosen, widths in _pages(table, self.epw, [self._least(column) for column in table.columns]):
            self._grid(table, rows, chosen, widths, _SMALL if small else _BODY)
            self.ln(2)
        if table.chart is not None:
            self._chart(table, table.chart, rows)

    def _head(self, column: Column) -> str:
        return self.say(column.short or column.name)

    def _least(self, column: Column) -> float:
        """Millimetres in which no word of the heading is broken; Chinese may be broken anywhere."""
        words = [word for word in self._head(column).split() if word.isascii()]
        return max([_LEAST_MM, *(self.get_string_width(word) + 2 * _PADDING_MM + 0.6 for word in words)])

    def _heading(self, table: Table) -> None:
        # A heading alone at the foot of a page heads nothing.
        if self.get_y() > self.eph - 25:
            self.add_page()
        self.ln(2)
        self.set_font(_FONT, size=12)
        self.cell(0, 8, self.say(table.title), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_font(_FONT, size=_SMALL)
        notes = [self.say(table.note)] if table.note else []
        if len(table.rows) > MOST_ROWS:
            notes.append(self.say(_CUT).format(shown=MOST_ROWS, all=len(table.rows)))
        for note in notes:
            self.set_text_color(90)
            self.multi_cell(0, 4.5, note, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self.set_text_color(0)
        self.set_font(_FONT, size=_BODY)

    def _grid(
        self, table: Table, rows: Sequence[Sequence[Cell]], chosen: Sequence[int], widths: Sequence[float], size: float
    ) -> None:
        self.set_draw_color(190)
        # A chart before it leaves its own colour behind.
        self.set_fill_color(*_STRIPE)
        aligned = tuple("RIGHT" if table.columns[number].is_number else "LEFT" for number in chosen)
        with self.table(
            width=min(sum(widths), self.epw),
            col_widths=tuple(widths),
            align="LEFT",
            text_align=aligned,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(fill_color=_HEAD_FILL),
            line_height=size * 0.55,
            padding=(0.8, _PADDING_MM),
            cell_fill_color=_STRIPE,
            cell_fill_mode=TableCellFillMode.EVEN_ROWS,
        ) as grid:
            heading = grid.row()
            for number in chosen:
                heading.cell(self._head(table.columns[number]))
            for cells in rows:
                row = grid.row()
                for number in chosen:
                    row.cell(self._shown(cells[number]))
            if table.total is not None and len(rows) == len(table.rows):
                row = grid.row()
                for number in chosen:
                    row.cell(self._shown(table.total[number]), style=FontFace(fill_color=_TOTAL_FILL))

    def _shown(self, cell: Cell) -> str:
        match cell:
            case Text():
                return self.say(cell)
            case Count(number):
                return f"{number:,}"
            case Amount(minor):
                return _grouped(format_amount(minor, self._report.currency))
            case Share(ten_thousandths):
                sign = "-" if ten_thousandths < 0 else ""
                return f"{sign}{abs(ten_thousandths) // 100}.{abs(ten_thousandths) % 100:02}%"
            case Day(on):
                return on.isoformat()
            case Moment(at):
                return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"
            case Nothing():
                return "–"

    def _chart(self, table: Table, chart: Chart, rows: Sequence[Sequence[Cell]]) -> None:
        labels = [self._shown(row[0]) for row in rows]
        series = [
            (self.say(table.columns[c].name), [_height(row[c]) for row in rows], [self._shown(row[c]) for row in rows])
            for c in chart.columns
        ]
        draw_chart(self, chart.kind, self.say(chart.title), labels, series)


def _pages(table: Table, room: float, least: Sequence[float]) -> Iterator[tuple[list[int], list[float]]]:
    """The columns of a table by as many grids as it takes, each with the keys at its left, and their widths in millimetres, ``least`` of which
    each column keeps where there is room."""
    wanted = zip(table.columns, least, strict=True)
    natural = [max(narrowest, column.width * _MM_PER_CHARACTER) for column, narrowest in wanted]
    keys = list(range(table.keys))
    left = list(range(table.keys, len(table.columns)))
    if sum(natural) <= room * 1.35:
        # Nearly fits, or leaves little: all of it is a little narrower or wider.
        stretched = room / sum(natural) if sum(natural) > room * 0.6 else 1.0
        widths = [max(narrowest, width * stretched) for width, narrowest in zip(natural, least, strict=True)]
        over, spare = sum(widths) - room, sum(widths) - sum(least)
        if over > 0 and spare > over:
            widths = [width - over * (width - narrowest) / spare for width, narrowest in zip(widths, least, strict=True)]
        yield list(range(len(natural))), widths
        return
    key_room = sum(natural[k] for k in keys)
    while left:
        chosen: list[int] = []
        while left:
            # What is compared with a figure stays beside it.
            together = 1 + sum(1 for _ in takewhile(lambda c: table.columns[c].follows, left[1:]))
            if chosen and key_room + sum(natural[c] for c in (*chosen, *left[:together])) > room:
                break
            chosen += left[:together]
            del left[:together]
        widths = [natural[c] for c in (*keys, *chosen)]
        yield [*keys, *chosen], [width * min(1.0, room / sum(widths)) for width in widths]


def _height(cell: Cell) -> int:
    match cell:
        case Amount(number) | Count(number) | Share(number):
            return number
    return 0


def _grouped(amount: str) -> str:
    """12345.60 as 12,345.60."""
    whole, dot, decimals = amount.partition(".")
    return f"{int(whole):,}{dot}{decimals}" if whole not in ("-0",) else f"-0{dot}{decimals}"
