"""A form about a platform's customers: the layout of its CUSTOMER file, without the exchange around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from custody.findings import RowFault
from schemas.layout import load_layout
from schemas.layout_file import parse_file

_LAYOUT = load_layout("platform_customer/1")
_NAME = "form"


def judge_form(data: bytes) -> tuple[list[dict[str, Any]], list[RowFault]]:
    """(good rows, faults): each fault with its line, field, masked value and rule; a fault of the whole is of line 0."""
    parsed = parse_file(_LAYOUT, _NAME, data, "utf-8", None)
    whole = [RowFault(0, _NAME, "", fault.rule, fault.figures) for fault in parsed.file_faults]
    return [dict(row) for row in parsed.rows], whole + parsed.faults


def form_of(values: Mapping[str, str], event_time: str) -> bytes:
    """One row as a file of the layout."""
    names = [f.name for f in _LAYOUT.fields]
    cells = [{**values, "event_time": event_time}.get(name, "") for name in names]
    return "\n".join([_LAYOUT.delimiter.join(names), _LAYOUT.delimiter.join(cells), ""]).encode()
