"""Writing our own delimited files by whole columns of Arrow: the lines of ``write_columns``, without a Python object for each cell.

What these columns do not know (other forms, other encodings, a text that holds a delimiter) is left to that function.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from custody.calendar import CHINA
from schemas.fast_writer import write_columns
from schemas.layout import Layout

_CHINA_MICROS = int(CHINA.utcoffset(None).total_seconds()) * 1_000_000
# Digits of a 64-bit integer.
_DIGITS = 19
_ENCODING = "utf-8"


def lines_of(layout: Layout, table: pa.Table, custody_date: date) -> bytes:
    """The lines of these rows (by landed column name) in UTF-8, each with its line end and without the header.

    Raises ValueError, as ``write_file`` does, when a cell holds the delimiter or a line end.
    """
    if not table.num_rows:
        return b""
    if not _is_known(layout) or any(_holds_what_parts(layout, table[f.column]) for f in layout.fields if f.type not in _WRITTEN):
        whole = write_columns(layout, table.to_pylist(), _ENCODING, custody_date).data
        return whole[len(layout.header.encode()) + 1 :]
    parts = []
    for batch in table.combine_chunks().to_batches():
        cells: list[Any] = []
        for field in layout.fields:
            text = _WRITTEN.get(field.type, _text)(batch.column(field.column)).fill_null("")
            cells += [text, layout.delimiter]
        cells[-1] = "\n"
        lines = pc.binary_join_element_wise(*cells, "")
        _, offsets, data = lines.buffers()
        ends = memoryview(offsets).cast("i")
        parts.append(memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]] if data is not None else b"")
    return b"".join(parts)


def _is_known(layout: Layout) -> bool:
    return layout.is_plain and len(layout.fields) > 1 and all(f.type not in ("clock", "rate") for f in layout.fields)


def _holds_what_parts(layout: Layout, column: pa.ChunkedArray) -> bool:
    return any(pc.any(pc.match_substring(column, mark)).as_py() for mark in (layout.delimiter, "\n", "\r"))


def _text(column: pa.Array) -> pa.Array:
    return column.cast(pa.string())


def _amount(column: pa.Array) -> pa.Array:
    """Minor units of CNY as yuan: the same digits, two of them behind the point."""
    whole = column.cast(pa.decimal128(_DIGITS, 0))
    yuan = pa.Array.from_buffers(pa.decimal128(_DIGITS, 2), len(whole), whole.buffers(), offset=whole.offset)
    return yuan.cast(pa.string())


def _time(column: pa.Array) -> pa.Array:
    """UTC+8, whole seconds."""
    here = pc.add(column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()), _CHINA_MICROS).cast(pa.timestamp("us"))
    return pc.replace_substring(here.cast(pa.timestamp("s"), safe=False).cast(pa.string()), " ", "T", max_replacements=1)


_WRITTEN: dict[str, Callable[[pa.Array], pa.Array]] = {"integer": _text, "amount": _amount, "date": _text, "time": _time}
