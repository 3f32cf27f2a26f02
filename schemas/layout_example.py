"""Examples of a layout: a file and its seal that hold, and single cells that do not. The same on every call.

A field's declared ``example`` is taken; without one a valid cell follows from its type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from custody.calendar import CHINA
from custody.findings import RowFault
from schemas.exchange import ExchangeName, Seal, SealedFile, sha256_hex
from schemas.field_types import BadValue, Field, Value
from schemas.layout import Layout
from schemas.layout_file import control_totals, parse_file, write_file

EXAMPLE_DATE = date(2019, 12, 30)
_EXAMPLE_TIME = datetime(2019, 12, 30, 10, 15, 30, tzinfo=CHINA)
_EXAMPLE_PARTY = {"platform": "P001", "channel": "CH01", "gateway": "GW", "bank": "BANK"}


def example_file(layout: Layout, encoding: str) -> bytes:
    """Two rows that parse by the layout, of its examples: the second has another key. Inside its envelope, as it is sent."""
    return write_file(layout, example_rows(layout, encoding), encoding, EXAMPLE_DATE)


def example_seal(layout: Layout) -> bytes:
    """The seal of the example file."""
    encoding = layout.encodings[0]
    data = example_file(layout, encoding)
    rows = example_rows(layout, encoding)
    name = example_name(layout, layout.file_type)
    entry = SealedFile(
        name=str(name), layout=layout.id, encoding=encoding, bytes=len(data), rows=len(rows), sha256=sha256_hex(data),
        totals=control_totals(layout, rows), batches=1,
    )  # fmt: skip
    seal = Seal(party=name.party, custody_date=EXAMPLE_DATE.isoformat(), batch=1, version=1, files=[entry])
    return seal.to_bytes()


def example_name(layout: Layout, file_type: str) -> ExchangeName:
    """How such a file, or its seal, is named in the drop."""
    return ExchangeName(_EXAMPLE_PARTY[layout.sender], file_type, EXAMPLE_DATE, 1, 1)


def example_rows(layout: Layout, encoding: str) -> list[dict[str, Value]]:
    """The rows of the example file, by landed column."""
    full: dict[str, Value] = {}
    for field in layout.fields:
        if field.is_kept:
            given = field.required or field.example is not None
            full[field.column] = field.parse(example_cell(field), EXAMPLE_DATE) if given else None
    # An amount whose sign stands in a field of its own is read with it.
    for column, mark, sign in layout.signed_fields:
        amount = full[column]
        if isinstance(amount, int) and full[mark] == sign.minus:
            full[column] = -amount
    for column in layout.key_columns:
        rows = [full, {**full, column: _next(full[column])}]
        try:
            parsed = parse_file(layout, "", write_file(layout, rows, encoding, EXAMPLE_DATE), encoding, EXAMPLE_DATE)
        except ValueError:
            continue
        if not parsed.faults and not parsed.file_faults and len(parsed.rows) == 2:
            return rows
    return [full]


def example_cell(field: Field) -> str:
    """A valid cell of the field, the same on every call: the declared one, or one by type. Raises ValueError."""
    if field.example is not None:
        return field.example
    for candidate in _candidates(field):
        try:
            if field.parse(candidate, EXAMPLE_DATE) is not None:
                return candidate
        except BadValue:
            continue
    raise ValueError(f"field {field.name}: no example follows from its type; declare one")


def _candidates(field: Field) -> list[str]:
    if field.type == "enum":
        return list(field.codes)
    if field.type in ("date", "time"):
        return [field.format(EXAMPLE_DATE if field.type == "date" else _EXAMPLE_TIME, EXAMPLE_DATE)]
    if field.type == "amount":
        figure = "100000" if field.unit == "fen" else "1000.00"
        mark = field.sign.plus if field.sign is not None and field.sign.field is None else ""
        return [mark + figure, mark + (field.min or "0"), mark + (field.max or "0")]
    if field.type == "code":
        return ["R20191230000001", "u000123", "P001", *("1".zfill(length) for length in range(1, 41))]
    by_type = {
        "text": "示例",
        "integer": field.min or "1",
        "rate": "0.08" if field.decimals is None else str(8 * 10**field.decimals // 100),
        "clock": "10153042" if field.form == "hhmmsstt" else "101530",
        "identity": "11010519491231002X",
        "phone": "13812345678",
        "card": "6222020000000000018",
    }
    return [by_type[field.type]] if field.type in by_type else []


def _next(value: Value) -> Value:
    """The value that stands in the next row's key."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, datetime):
        return value + timedelta(seconds=1)
    if isinstance(value, date):
        # A file's rows are of its own date or of one before it.
        return value - timedelta(days=1)
    if value is None:
        return value
    return re.sub(r"[0-9]+(?=[^0-9]*$)", lambda digits: str(int(digits[0]) + 1).zfill(len(digits[0])), value)


def typical_faults(layout: Layout) -> list[RowFault]:
    """One bad cell for each kind of field that the layout has, with the rule it breaks."""
    found: dict[str, RowFault] = {}
    for field in layout.fields:
        for cell in _bad_cells(field):
            try:
                field.parse(cell, EXAMPLE_DATE)
            except BadValue as bad:
                found.setdefault(bad.rule, RowFault(2, field.name, layout.shown(cell), bad.rule, bad.figures))
    return list(found.values())


def _bad_cells(field: Field) -> list[str]:
    by_type: Mapping[str, str] = {
        "code": "A B", "text": "=1+1", "enum": "?", "integer": "1.5", "amount": "1,000.005", "rate": "8%", "date": "2019-02-30",
        "time": "2019-12-30 25:00", "clock": "256000", "identity": "110105194912310021", "phone": "1381234567", "card": "6222020000000000011",
    }  # fmt: skip
    return [*([""] if field.required else []), *([by_type[field.type]] if field.type in by_type else [])]
