"""A small plot as figures for inline SVG: no library, no script, and a table of the same figures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

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


def _round_up(figure: int) -> int:
    """To 2, 4 or 10 times a power of ten, so that half of it is a whole number too."""
    power = 1
    while True:
        for step in (2, 4, 10):
            if figure <= step * power:
                return step * power
        power *= 10
