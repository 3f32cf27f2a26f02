"""A small plot as figures for inline SVG: no library, no script, and a table of the same figures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH, HEIGHT = 480, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 12, 24


@dataclass(frozen=True)
class Plot:
    """One line. ``points``: SVG coordinates "x,y x,y"; ``marks``: (x, y, figure, date) of each day that has a figure."""

    points: str
    marks: list[tuple[float, float, int, str]]
    # (y, figure) of the horizontal lines; (x, date) of the first and the last day.
    grid: list[tuple[float, int]]
    ends: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    # A second line on the same scale, and its marks.
    against: str = ""
    against_marks: tuple[tuple[float, float, int, str], ...] = ()


def trend_plot(figures: Sequence[tuple[date, int | None]]) -> Plot | None:
    """A figure for each date in order, None where there is none. None for fewer than two: one point shows no trend."""
    known = [figure for _, figure in figures if figure is not None]
    if len(known) < 2:
        return None
    top = _round_up(max(known))

    def place(at: int) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * at / (len(figures) - 1), 1)

    def height(figure: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * figure / top, 1)

    marks = [(place(at), height(n), n, on.isoformat()) for at, (on, n) in enumerate(figures) if n is not None]
    return Plot(
        points=" ".join(f"{x},{y}" for x, y, _, _ in marks),
        marks=marks,
        grid=[(height(figure), figure) for figure in (0, top // 2, top)],
        ends=[(place(at), figures[at][0].isoformat()) for at in (0, len(figures) - 1)],
    )


# Wide, and with room for sums of money at its left.
_MONEY_WIDTH, _MONEY_LEFT = 720, 104


def money_plot(figures: Sequence[tuple[date, int]], last: date, against: Sequence[tuple[date, int]] = ()) -> Plot | None:
    """A sum of money that stands from each date to the next and up to ``last``: a line of steps over the calendar. Dates rise. ``against``:
    a second one on the same dates and scale.

    None for fewer than two days: one point shows no trend.
    """
    if not figures or figures[0][0] >= last:
        return None
    first = figures[0][0]
    days = (last - first).days
    top = _round_up(max(1, *(figure for _, figure in (*figures, *against))))
    right = _MONEY_WIDTH - _RIGHT

    def place(on: date) -> float:
        return round(_MONEY_LEFT + (right - _MONEY_LEFT) * (on - first).days / days, 1)

    def height(figure: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * figure / top, 1)

    def steps(of: Sequence[tuple[date, int]]) -> str:
        corners: list[tuple[float, float]] = []
        for (on, figure), (until, _) in zip(of, [*of[1:], (last, 0)], strict=True):
            corners += [(place(on), height(figure)), (place(until), height(figure))]
        return " ".join(f"{x},{y}" for x, y in corners)

    def marks(of: Sequence[tuple[date, int]]) -> list[tuple[float, float, int, str]]:
        return [(place(on), height(figure), figure, on.isoformat()) for on, figure in of]

    return Plot(
        points=steps(figures),
        marks=marks(figures),
        against=steps(against) if against else "",
        against_marks=tuple(marks(against)),
        grid=[(height(figure), figure) for figure in (0, top // 2, top)],
        ends=[(place(first), first.isoformat()), (place(last), last.isoformat())],
        width=_MONEY_WIDTH,
        left=_MONEY_LEFT,
        right=right,
    )


@dataclass(frozen=True)
class RatePoint:
    """Recall and precision, as text of four decimals, at one value of a rule's figure; ``operating``: the rule's own."""

    value: int
    recall: str
    precision: str
    operating: bool


# Blue and red as on the pages; recall is drawn through, precision dashed, so that neither needs its colour.
_RATES = (("recall", "recall 召回率", "#1f5fae", ""), ("precision", "precision 精确率", "#b3261e", ' stroke-dasharray="6 4"'))


def rates_svg(title: str, points: Sequence[RatePoint]) -> str:
    """A picture of its own, as a file: both rates over the values in order, evenly spaced, with the operating point marked."""
    width, height, left, top, bottom = 560, 240, 52, 34, 54
    step = (width - left - 24) / max(1, len(points) - 1)

    def place(at: int) -> float:
        return round(left + step * at, 1)

    def level(rate: str) -> float:
        return round(height - bottom - (height - top - bottom) * float(rate), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/><text x="{left}" y="18" font-size="13">{escape(title)}</text>',
    ]
    for rate in ("0", "0.5", "1"):
        y = level(rate)
        parts.append(f'<line x1="{left}" x2="{width - 24}" y1="{y}" y2="{y}" stroke="#d0d0d0"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{float(rate):.0%}</text>')
    for at, point in enumerate(points):
        x = place(at)
        if point.operating:
            parts.append(f'<line x1="{x}" x2="{x}" y1="{level("1")}" y2="{level("0")}" stroke="#555555" stroke-dasharray="2 3"/>')
        weight = ' font-weight="bold"' if point.operating else ""
        parts.append(f'<text x="{x}" y="{height - bottom + 16}" text-anchor="middle"{weight}>{point.value}</text>')
    for number, (name, words, colour, dashes) in enumerate(_RATES):
        rates = [getattr(point, name) for point in points]
        line = " ".join(f"{place(at)},{level(rate)}" for at, rate in enumerate(rates))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts += [
            f'<circle cx="{place(at)}" cy="{level(rate)}" r="3.5" fill="{colour}"><title>{points[at].value}: {rate}</title></circle>'
            for at, rate in enumerate(rates)
        ]
        x = left + 170 * number
        parts.append(
            f'<line x1="{x}" x2="{x + 26}" y1="{height - 14}" y2="{height - 14}" stroke="{colour}" stroke-width="2"{dashes}/>'
        )
        parts.append(f'<text x="{x + 32}" y="{height - 10}">{words}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _round_up(figure: int) -> int:
    """To 2, 4 or 10 times a power of ten, so that half of it is a whole number too."""
    power = 1
    while True:
        for step in (2, 4, 10):
            if figure <= step * power:
                return step * power
        power *= 10
