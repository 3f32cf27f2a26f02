"""Every channel's dialect carries a settlement row both ways: canonical -> dialect -> bytes -> dialect -> canonical."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from canonical_kit import canonical_file
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.landing import from_canonical
from schemas.layout import all_layouts, load_layout
from schemas.layout_file import write_file

EXAMPLES = settings().max_examples
DIALECTS = [
    (layout.id, encoding)
    for layout in all_layouts().values()
    if layout.lands is not None and layout.lands.layout == "channel_settlement/1"
    for encoding in layout.encodings
]


def merchants(layout_id: str) -> Mapping[str, Any]:
    """The contract of a channel with two platforms, merchants of the kind that the layout gives as its example."""
    layout = load_layout(layout_id)
    assert layout.lands is not None
    name = layout.lands.fields["platform"].of
    first = layout.field(str(name)).example
    assert first is not None
    return {layout.lands.fields["platform"].name: {first: "P001", first[:-1] + str((int(first[-1]) + 1) % 10): "P002"}}


@st.composite
def settlement_rows(draw: st.DrawFn, settle: date) -> dict[str, Any]:
    direction = draw(st.sampled_from(["IN", "OUT"]))
    gross = draw(st.integers(1, 10**10))
    fee = draw(st.integers(0, gross)) if direction == "IN" else 0
    platform = draw(st.sampled_from(["P001", "P002"]))
    return {
        "platform": platform,
        "request_no": draw(st.from_regex("[A-Za-z0-9]{1,30}", fullmatch=True)),
        "direction": direction,
        "gross_minor": gross,
        "fee_minor": fee,
        "net_minor": gross - fee,
        "currency": "CNY",
        "settlement_batch": f"CH01{platform}{settle:%Y%m%d}{direction[0]}",
        "trade_date": settle - timedelta(days=draw(st.integers(0, 10))),
        "settle_date": settle,
        "status": "SUCCESS",
    }


@pytest.mark.parametrize(("layout_id", "encoding"), DIALECTS)
@settings(max_examples=EXAMPLES // 4)
@given(data=st.data())
def test_settlement_rows_go_through_the_dialect_and_back(layout_id: str, encoding: str, data: st.DataObject) -> None:
    layout, contract = load_layout(layout_id), merchants(layout_id)
    # Around a new year's day, where rows without a year are of two years.
    settle = data.draw(st.dates(date(2019, 12, 25), date(2020, 1, 9)))
    rows = data.draw(st.lists(settlement_rows(settle), max_size=4))
    sent = [from_canonical(layout, row, settle, "CH01", contract, n) for n, row in enumerate(rows, start=1)]
    done = canonical_file(layout, write_file(layout, sent, encoding, settle), encoding, settle, "CH01", contract)
    assert (done.faults, done.file_faults) == ([], [])
    assert [{k: v for k, v in row.items() if k != "line_no"} for row in done.rows] == rows
    assert done.totals_minor["gross"] == sum(row["gross_minor"] for row in rows)
