"""Lines written by whole columns of Arrow are those of the reference, cell for cell, and what that refuses is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.arrow_writer import lines_of
from schemas.layout import load_layout
from schemas.layout_file import write_file

LAYOUT = load_layout("bank_statement/1")
ON = date(2020, 1, 2)
_TYPES = {"integer": pa.int64(), "amount": pa.int64(), "date": pa.date32(), "time": pa.timestamp("us", "UTC")}
_SCHEMA = pa.schema([(f.column, _TYPES.get(f.type, pa.string())) for f in LAYOUT.fields])
_MINOR = st.integers(-(10**15), 10**15)
_TIMES = st.integers(0, 4 * 10**15).map(lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros))
_CELLS: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(0, 10**15) | st.none(),
    "amount": _MINOR,
    "date": st.dates(date(1900, 1, 1), date(2200, 1, 1)),
    "time": _TIMES | st.none(),
}
_TEXT = st.text("abcABC019_-.中文", max_size=12) | st.none()
ROW = st.fixed_dictionaries({f.column: _CELLS.get(f.type, _TEXT) for f in LAYOUT.fields})


@given(st.lists(ROW, max_size=6))
def test_the_lines_are_those_of_the_reference(rows: list[dict[str, Any]]) -> None:
    reference = write_file(LAYOUT, rows, "utf-8", ON)
    table = pa.Table.from_pylist(rows, _SCHEMA)
    assert f"{LAYOUT.header}\n".encode() + lines_of(LAYOUT, table, ON) == reference
    # As a piece of a table comes: a slice, in several chunks.
    twice = pa.concat_tables([table, table]).slice(len(rows))
    assert lines_of(LAYOUT, twice, ON) == lines_of(LAYOUT, table, ON)


@pytest.mark.parametrize("text", ["a,b", "a\nb"])
def test_a_cell_that_would_part_the_line_is_refused(text: str) -> None:
    row = dict.fromkeys((f.column for f in LAYOUT.fields), None) | {"loan_id": text, "value_date": ON}
    row |= {f.column: 0 for f in LAYOUT.fields if f.type in ("integer", "amount")}
    with pytest.raises(ValueError, match="cannot stand in a file"):
        lines_of(LAYOUT, pa.Table.from_pylist([row], _SCHEMA), ON)
