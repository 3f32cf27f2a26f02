"""Writing a column at a time gives the reference writer's bytes, counts and totals, and refuses what it refuses."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.calendar import CHINA
from schemas.fast_writer import write_columns
from schemas.field_types import Field
from schemas.layout import Layout, all_layouts, load_layout
from schemas.layout_file import control_totals, write_file

PLAIN = sorted(layout.id for layout in all_layouts().values() if layout.is_plain)
DAY = date(2020, 1, 2)
_DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))
_ZONES = st.sampled_from((CHINA, UTC, timezone(timedelta(hours=-5))))
_TIMES = st.builds(datetime.combine, _DAYS, st.times(timezones=_ZONES))
_AMOUNTS = st.one_of(st.integers(-(10**15), 10**15), st.integers(-200, 200))
_WORDS = st.text(st.one_of(st.sampled_from("张王䶮·0A-"), st.characters(codec="gb18030", exclude_characters=",\n")), max_size=12)
_BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(10**17), 10**17),
    "amount": _AMOUNTS,
    # A fault may put a value of the wrong kind into a column: it is written all the same.
    "date": st.one_of(_DAYS, _TIMES, _WORDS),
    "time": st.one_of(_TIMES, _DAYS),
}


def _value(layout: Layout, field: Field) -> st.SearchStrategy[Any]:
    values = _BY_TYPE.get(field.type, _WORDS)
    return values if field.name in layout.totals else st.one_of(st.none(), values)


def _rows(layout: Layout) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries({f.column: _value(layout, f) for f in layout.fields}), max_size=6)


@given(st.data(), st.sampled_from(PLAIN), st.sampled_from(("utf-8", "gb18030")), st.integers(1, 3))
def test_it_writes_what_the_reference_writes(data: st.DataObject, layout_id: str, encoding: str, times: int) -> None:
    layout = load_layout(layout_id)
    rows = data.draw(_rows(layout)) * times
    try:
        expected = write_file(layout, rows, encoding, DAY)
    except ValueError:
        with pytest.raises(ValueError):
            write_columns(layout, iter(rows), encoding, DAY)
        return
    written = write_columns(layout, iter(rows), encoding, DAY)
    assert written.data == expected
    assert (written.rows, written.totals) == (len(rows), control_totals(layout, rows))


@pytest.mark.parametrize("intruder", [",", "\n", "a,b", "x\ny", "x\r"])
def test_a_cell_that_would_break_its_line_is_refused(intruder: str) -> None:
    layout = load_layout("channel_settlement/1")
    row = {field.column: "1" for field in layout.fields} | {name + "_minor": 1 for name in ("gross", "fee", "net")}
    assert write_columns(layout, [row], "utf-8", DAY).rows == 1
    for writer in (write_columns, write_file):
        with pytest.raises(ValueError, match="delimited"):
            writer(layout, [row, row | {"settlement_batch": intruder}], "utf-8", DAY)


def test_rows_beyond_one_part_keep_their_order() -> None:
    layout = load_layout("platform_balance/1")
    rows = [
        {"role": "LENDER", "user_no": f"U{n}", "available_minor": n, "frozen_minor": -n, "currency": "CNY"} for n in range(12_345)
    ]
    written = write_columns(layout, rows, "utf-8", DAY)
    assert written.data == write_file(layout, rows, "utf-8", DAY)


def test_a_foreign_layout_is_left_to_the_reference() -> None:
    layout = next(found for found in all_layouts().values() if not found.is_plain and found.needs_date is False)
    assert write_columns(layout, [], layout.encodings[0], DAY).data == write_file(layout, [], layout.encodings[0], DAY)
