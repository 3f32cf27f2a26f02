"""A list as a CSV file: the rows that the reader's filters choose, in his order, as the page shows them (masked), no text that a spreadsheet
would run; who took it stands in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TypeVar

from fastapi.responses import Response

from connectors.bootstrap import Wiring
from console.pages.listing import MOST_EXPORTED, Listing
from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.money import format_amount
from reports.csv_file import csv_bytes, safe_text

T = TypeVar("T")
# Text, a number, a date, or minor units with their currency.
Cell = str | int | date | tuple[int, str] | None


def wants_file(params: Mapping[str, str]) -> bool:
    return params.get("export") == "csv"


def csv_of(wiring: Wiring, reader: str, listing: Listing[T], columns: Mapping[str, Callable[[T], Cell]]) -> Response:
    """Raises UsageError for more rows than a file takes."""
    if listing.total > MOST_EXPORTED:
        raise UsageError(
            f"{listing.total:,} rows are more than a file takes ({MOST_EXPORTED:,}): narrow the filters / 行数超过导出上限，请缩小筛选范围"
        )
    rows = [[_text(cell(row)) for cell in columns.values()] for row in listing.every()]
    with wiring.register.transaction() as tx:
        asked = {name: value for name, value in listing.asked.items() if value and name != "export"}
        tx.audit(reader, "list.export", listing.link, {"rows": len(rows), "asked": asked})
    headers = {"Content-Disposition": f'attachment; filename="{listing.link}.csv"'}
    return Response(csv_bytes(list(columns), rows), media_type="text/csv; charset=utf-8", headers=headers)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, tuple):
        return format_amount(*cell)
    return safe_text(mask_user_numbers(cell)) if isinstance(cell, str) else str(cell)


def columns_of(names: Sequence[str]) -> dict[str, Callable[[Mapping[str, Cell]], Cell]]:
    """Columns of rows that are shown as they are."""
    return {name: lambda row, name=name: row[name] for name in names}  # type: ignore[misc]
