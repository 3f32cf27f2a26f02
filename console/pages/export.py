"""A list as a CSV file: the rows that the reader's filters choose, in his order, as the page shows them (masked), no text that a spreadsheet
would run; who took it stands in the audit trail.

The file is written piece by piece to the disk before its first byte is sent: memory does not grow with it, what is wrong is told by a
page and not by half a file, and the audit event that says how many rows left stands before they leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from tempfile import SpooledTemporaryFile
from typing import IO, TypeVar

from fastapi.responses import Response, StreamingResponse
from starlette.background import BackgroundTask

from connectors.bootstrap import Wiring
from console.pages.listing import MOST_EXPORTED, Listing
from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.money import format_amount
from reports.csv_file import csv_bytes, csv_lines, safe_text

T = TypeVar("T")
# Text, a number, a date, or minor units with their currency.
Cell = str | int | date | tuple[int, str] | None
# A file up to this size never reaches the disk; it is sent in parts of the second size.
_IN_MEMORY, _PART = 1 << 20, 1 << 16


def wants_file(params: Mapping[str, str]) -> bool:
    return params.get("export") == "csv"


def csv_of(wiring: Wiring, reader: str, listing: Listing[T], columns: Mapping[str, Callable[[T], Cell]]) -> Response:
    """Raises UsageError for more rows than a file takes."""
    _refuse_more(listing.total)
    return csv_of_pieces(wiring, reader, listing.link, listing.asked, listing.every(), columns)


def csv_of_pieces(
    wiring: Wiring,
    reader: str,
    page: str,
    chosen: Mapping[str, str],
    pieces: Iterable[Sequence[T]],
    columns: Mapping[str, Callable[[T], Cell]],
) -> Response:
    """The same of a list that nobody counts; ``chosen``: its filters."""
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(SpooledTemporaryFile(_IN_MEMORY))
        file.write(csv_bytes(list(columns), ()))
        rows = 0
        for piece in pieces:
            rows += len(piece)
            _refuse_more(rows)
            file.write(csv_lines([_text(cell(row)) for cell in columns.values()] for row in piece))
        with wiring.register.transaction() as tx:
            asked = {name: value for name, value in chosen.items() if value and name != "export"}
            tx.audit(reader, "list.export", page, {"rows": rows, "asked": asked})
        file.seek(0)
        stack.pop_all()
    headers = {"Content-Disposition": f'attachment; filename="{page}.csv"'}
    return StreamingResponse(
        _parts(file), headers=headers, media_type="text/csv; charset=utf-8", background=BackgroundTask(file.close)
    )


def _refuse_more(rows: int) -> None:
    if rows > MOST_EXPORTED:
        raise UsageError(
            f"{rows:,} rows or more: a file takes {MOST_EXPORTED:,}; narrow the filters / 行数超过导出上限，请缩小筛选范围"
        )


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    while part := file.read(_PART):
        yield part


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, tuple):
        return format_amount(*cell)
    return safe_text(mask_user_numbers(cell)) if isinstance(cell, str) else str(cell)


def columns_of(names: Sequence[str]) -> dict[str, Callable[[Mapping[str, Cell]], Cell]]:
    """Columns of rows that are shown as they are."""
    return {name: lambda row, name=name: row[name] for name in names}  # type: ignore[misc]
