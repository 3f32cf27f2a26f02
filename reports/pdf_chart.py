"""A bar or line chart drawn on a page: the lengths are proportions of whole numbers, and each bar carries its figure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from fpdf import FPDF
from fpdf.enums import XPos, YPos

# (name, values, the values as words)
Series = tuple[str, Sequence[int], Sequence[str]]
_COLOURS = ((56, 108, 176), (231, 138, 49), (102, 166, 99), (153, 112, 171))
_BAR_MM, _GAP_MM, _LINE_MM = 3.6, 1.6, 52


def draw_chart(page: FPDF, kind: Literal["bar", "line"], title: str, labels: Sequence[str], series: Sequence[Series]) -> None:
    """At the page's position, or on the next page where there is no room; below it the position goes on."""
    height = len(labels) * (len(series) * _BAR_MM + _GAP_MM) if kind == "bar" else _LINE_MM
    if height > page.eph - 30:
        return  # more bars than a page holds compare nothing; the table above has the figures
    if page.get_y() + height + 20 > page.h - page.b_margin:
        page.add_page()
    page.set_font_size(9)
    page.cell(0, 6, title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    _legend(page, series)
    top = page.get_y() + 1
    if kind == "bar":
        _bars(page, labels, series, top)
    else:
        _lines(page, labels, series, top)
    page.set_y(top + height + 4)
    page.set_draw_color(190)


def _legend(page: FPDF, series: Sequence[Series]) -> None:
    page.set_font_size(7)
    if len(series) > 1:
        for number, (name, _, _) in enumerate(series):
            page.set_fill_color(*_COLOURS[number % len(_COLOURS)])
            page.rect(page.get_x() + 1, page.get_y() + 1.2, 2.6, 2.6, style="F")
            page.set_x(page.get_x() + 5)
            page.cell(page.get_string_width(name) + 6, 5, name)
        page.ln(5)


def _bars(page: FPDF, labels: Sequence[str], series: Sequence[Series], top: float) -> None:
    left = page.l_margin + 58
    room = page.epw - 58 - 40
    most = max((abs(value) for _, values, _ in series for value in values), default=0) or 1
    y = top
    for row, label in enumerate(labels):
        page.set_xy(page.l_margin, y)
        page.cell(56, len(series) * _BAR_MM, _shortened(page, label, 54), align="R")
        for number, (_, values, words) in enumerate(series):
            page.set_fill_color(*_COLOURS[number % len(_COLOURS)])
            length = max(0.2, room * abs(values[row]) / most)
            page.rect(left, y + 0.3, length, _BAR_MM - 0.6, style="F")
            page.set_xy(left + length + 1, y)
            page.cell(38, _BAR_MM, words[row])
            y += _BAR_MM
        y += _GAP_MM


def _lines(page: FPDF, labels: Sequence[str], series: Sequence[Series], top: float) -> None:
    left, room, bottom = page.l_margin + 32, page.epw - 40, top + _LINE_MM - 8
    values = [value for _, own, _ in series for value in own]
    # From nought, so that a small change does not look like a large one.
    low, high = min(0, *values), max(0, *values)
    span = (high - low) or 1
    page.set_draw_color(150)
    page.line(left, top, left, bottom)
    page.line(left, bottom, left + room, bottom)
    words = {value: said for _, own, shown in series for value, said in zip(own, shown, strict=True)}
    for value in sorted({max(values), min(values)}):
        page.set_xy(page.l_margin, bottom - (bottom - top) * (value - low) / span - 2)
        page.cell(31, 4, words.get(value, ""), align="R")
    step = room / max(1, len(labels) - 1)
    for number, (_, own, _) in enumerate(series):
        page.set_draw_color(*_COLOURS[number % len(_COLOURS)])
        page.set_line_width(0.5)
        points = [(left + at * step, bottom - (bottom - top) * (value - low) / span) for at, value in enumerate(own)]
        for (x1, y1), (x2, y2) in pairwise(points):
            page.line(x1, y1, x2, y2)
        page.set_line_width(0.2)
    every = max(1, len(labels) // 8)
    for at in range(0, len(labels), every):
        page.set_xy(left + at * step - 10, bottom + 1)
        page.cell(20, 4, labels[at], align="C")


def _shortened(page: FPDF, text: str, room: float) -> str:
    while len(text) > 1 and page.get_string_width(text) > room:
        text = text[:-2] + "…" if text.endswith("…") else text[:-1] + "…"
    return text
