"""Writing our own delimited files a column at a time: the same bytes as ``write_file``, several times as fast.

The reference formats cell by cell and asks each cell its type; here each column is formatted by one function that its
field's type chooses, over some thousand rows at once. What that function does not know, and a row that the reference would
refuse, is left to the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from custody.calendar import CHINA
from custody.money import format_amount
from schemas.field_types import Value
from schemas.layout import Layout
from schemas.layout_file import control_totals, write_file

_ROWS_AT_ONCE = 5_000

Format = Callable[[Value], str]


class Written(NamedTuple):
    """A file's bytes, how many rows stand in it, and its control totals in yuan text by field."""

    data: bytes
    rows: int
    totals: dict[str, str]


def write_columns(layout: Layout, rows: Iterable[Mapping[str, Value]], encoding: str, custody_date: date) -> Written:
    """Rows (by landed column name) to the file's bytes, with what its seal says of them.

    Raises ValueError, as ``write_file`` does, when a cell holds the delimiter or a line end.
    """
    if not layout.is_plain or len(layout.fields) < 2:
        known = list(rows)
        return Written(write_file(layout, known, encoding, custody_date), len(known), control_totals(layout, known))
    cells = itemgetter(*(field.column for field in layout.fields))
    total_places = [[field.name for field in layout.fields].index(name) for name in layout.totals]
    sums, count = [0] * len(total_places), 0
    text = [layout.header]
    waiting = iter(rows)
    while part := list(islice(waiting, _ROWS_AT_ONCE)):
        columns = list(zip(*map(cells, part), strict=True))
        shown = [
            _FORMATS.get(field.type, _texts)(values, field.format) for field, values in zip(layout.fields, columns, strict=True)
        ]
        lines = "\n".join(map(layout.delimiter.join, zip(*shown, strict=True)))
        if "\r" in lines or lines.count("\n") != len(part) - 1 or lines.count(layout.delimiter) != len(part) * (len(columns) - 1):
            lines = _by_reference(layout, part, custody_date)
        text.append(lines)
        count += len(part)
        sums = [total + sum(columns[place]) for total, place in zip(sums, total_places, strict=True)]  # type: ignore[arg-type]
    text.append("")
    totals = {name: format_amount(minor) for name, minor in zip(layout.totals, sums, strict=True)}
    return Written("\n".join(text).encode(encoding), count, totals)


def _by_reference(layout: Layout, rows: list[Mapping[str, Value]], custody_date: date) -> str:
    """The rows' lines, or ValueError: some cell holds what may not stand in one."""
    return write_file(layout, rows, "utf-8", custody_date).decode().partition("\n")[2].removesuffix("\n")


def _texts(values: Sequence[Any], other: Format) -> list[str]:
    return [value if type(value) is str else other(value) for value in values]


def _numbers(values: Sequence[Any], other: Format) -> list[str]:
    return [str(value) if type(value) is int else other(value) for value in values]


def _amounts(values: Sequence[Any], other: Format) -> list[str]:
    """Yuan with two decimals, as custody.money.format_amount writes CNY."""
    return [
        f"{value // 100}.{value % 100:02d}" if type(value) is int and value >= 0 else "" if value is None else other(value)
        for value in values
    ]


def _dates(values: Sequence[Any], other: Format) -> list[str]:
    return [value.isoformat() if type(value) is date else other(value) for value in values]


def _times(values: Sequence[Any], other: Format) -> list[str]:
    """The legs of a request share their time and stand together: a text is made once for each time in turn."""
    texts: list[str] = []
    last, text = None, other(None)
    for value in values:
        if value is not last:
            last = value
            is_ours = type(value) is datetime and value.tzinfo is CHINA
            text = value.isoformat()[:19] if is_ours else other(value)
        texts.append(text)
    return texts


_FORMATS: dict[str, Callable[[Sequence[Any], Format], list[str]]] = {
    "integer": _numbers,
    "amount": _amounts,
    "date": _dates,
    "time": _times,
}
