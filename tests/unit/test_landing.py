"""A dialect's rows as canonical rows and back: expressions, what the contract lacks, and what a dialect cannot carry."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from canonical_kit import canonical_file
from layout_kit import declare, field

from schemas.landing import canonical_layout, from_canonical, to_canonical
from schemas.layout import Layout, load_layout
from schemas.layout_file import parse_file, write_file

DAY = date(2020, 1, 3)
DIALECT = {"merchants": {"8001": "P001", "8002": "P002"}}
FIELDS = (
    field("merchant", "code", required=True), field("order", "code"), field("refund", "code"),
    field("kind", "enum", required=True, codes={
        "BUY": {"en": "buy", "zh": "消费", "means": "IN"}, "BACK": {"en": "refund", "zh": "退货", "means": "OUT"},
        "ODD": {"en": "unknown to us", "zh": "其他"},
    }),
    field("amount", "amount", required=True), field("fee", "amount", required=True, example="0.00"),
    field("made", "time", required=True, form="yyyymmddhhmmss"), field("note", example="备注"), field("left", "amount"),
)  # fmt: skip
LANDS: dict[str, Any] = {
    "layout": "channel_settlement/1",
    "fields": {
        "platform": {"contract": "merchants", "of": "merchant"},
        "request_no": {"choose": "kind", "cases": {"BUY": {"copy": "order"}, "*": {"copy": "refund"}}},
        "direction": {"means": "kind"},
        "gross": {"absolute": "amount"},
        "fee": {"copy": "fee"},
        "net": {"choose": "kind", "cases": {"BUY": {"sum": ["amount", "-fee"]}, "*": {"negated": "amount"}}},
        "currency": {"constant": "CNY"},
        "settlement_batch": {"template": "{party}{platform}{settle_date:%Y%m%d}{direction:.1}"},
        "trade_date": {"date_of": "made"},
        "settle_date": {"custody_date": True},
        "status": {"map": "kind", "to": {"BUY": "SUCCESS", "BACK": "SUCCESS"}},
    },
    "write": {
        "amount": {"choose": "direction", "cases": {"IN": {"copy": "gross"}, "OUT": {"negated": "gross"}}},
        "made": {"time_of": "trade_date", "at": "12:00:00"},
        "left": {"constant": "0.10"},
    },
}
IN = "8001,R1,,BUY,100.00,0.38,20200102235959,x,\n"
OUT = "8002,,B1,BACK,-50.00,0.00,20200103000000,,\n"


@pytest.fixture
def dialect(tmp_path: Path) -> Layout:
    return declare(tmp_path, *FIELDS, lands=LANDS)


def landed(layout: Layout, text: str, contract: dict[str, Any] = DIALECT) -> Any:
    parsed = parse_file(layout, "F", text.encode(), "utf-8", DAY)
    assert (parsed.faults, parsed.file_faults) == ([], [])
    return canonical_file(layout, text.encode(), "utf-8", DAY, "CH01", contract)


def test_rows_become_settlement_rows(dialect: Layout) -> None:
    done = landed(dialect, IN + OUT)
    assert canonical_layout(dialect) is load_layout("channel_settlement/1")
    assert done.faults == []
    assert done.rows == [
        {
            "platform": "P001", "request_no": "R1", "direction": "IN", "gross_minor": 10000, "fee_minor": 38, "net_minor": 9962,
            "currency": "CNY", "settlement_batch": "CH01P00120200103I", "trade_date": date(2020, 1, 2),
            "settle_date": DAY, "status": "SUCCESS", "line_no": 1,
        },
        {
            "platform": "P002", "request_no": "B1", "direction": "OUT", "gross_minor": 5000, "fee_minor": 0, "net_minor": 5000,
            "currency": "CNY", "settlement_batch": "CH01P00220200103O", "trade_date": DAY,
            "settle_date": DAY, "status": "SUCCESS", "line_no": 2,
        },
    ]  # fmt: skip
    assert done.totals_minor == {"gross": 15000, "fee": 38, "net": 14962}


@pytest.mark.parametrize(
    ("line", "contract", "faults"),
    [
        (IN.replace("8001", "8009"), DIALECT, [("platform", "contract_lacks")]),
        (IN, {}, [("platform", "contract_lacks")]),
        (IN.replace("BUY", "ODD"), DIALECT, [("direction", "required"), ("net", "min"), ("request_no", "required"), ("status", "not_mapped")]),
        (IN.replace("R1", "R 1"), DIALECT, [("request_no", "pattern")]),
        (IN.replace("0.38", "100.38"), DIALECT, [("net", "min")]),
        (IN.replace("R1,", ","), DIALECT, [("request_no", "required")]),
    ],
)  # fmt: skip
def test_what_cannot_become_one_is_rejected_with_its_field(
    dialect: Layout, line: str, contract: dict[str, Any], faults: list[tuple[str, str]]
) -> None:
    done = landed(dialect, OUT.replace("8002", "8001") + line, contract)
    found = [(f.field, f.rule) for f in done.faults if f.line_no == 2]
    assert sorted(found) == faults
    assert len(done.rows) + len(done.rejected_lines) == done.rows_seen == 2
    assert not done.totals_complete
    assert all(all(f.words) for f in done.faults)


def test_a_file_of_our_own_lands_as_it_stands() -> None:
    layout = load_layout("channel_settlement/1")
    assert canonical_layout(layout) is layout
    with pytest.raises(ValueError, match="as it stands"):
        to_canonical(layout, {}, DAY, "CH01", {})


def test_canonical_rows_are_written_in_the_dialect_and_read_back(dialect: Layout) -> None:
    rows = [{k: v for k, v in row.items() if k != "line_no"} for row in landed(dialect, IN + OUT).rows]
    back = [from_canonical(dialect, row, DAY, "CH01", DIALECT, n) for n, row in enumerate(rows, start=1)]
    assert [(row["note"], row["left_minor"]) for row in back] == [("备注", 10), ("备注", 10)]
    written = write_file(dialect, back, "utf-8", DAY).decode()
    assert written == ("8001,R1,,BUY,100.00,0.38,20200102120000,备注,0.10\n8002,,B1,BACK,-50.00,0.00,20200103120000,备注,0.10\n")
    assert [{k: v for k, v in row.items() if k != "line_no"} for row in landed(dialect, written).rows] == rows


@pytest.mark.parametrize(
    "change",
    [
        {"platform": "P009"}, {"status": "FAIL"}, {"settlement_batch": "OTHER"}, {"net_minor": 9961},
        {"settle_date": date(2020, 1, 4)}, {"direction": "OUT"},
    ],
)  # fmt: skip
def test_a_row_that_the_dialect_cannot_say_is_not_written(dialect: Layout, change: dict[str, Any]) -> None:
    row = {k: v for k, v in landed(dialect, IN).rows[0].items() if k != "line_no"}
    assert from_canonical(dialect, row, DAY, "CH01", DIALECT, 1)
    with pytest.raises(ValueError, match="cannot carry|no code for"):
        from_canonical(dialect, row | change, DAY, "CH01", DIALECT, 1)
