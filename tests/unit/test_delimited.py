"""Delimited files: what is read, what is a fault, and where each row and each fen is counted."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from layout_kit import TITLE, declare, field

from custody.findings import RowFault
from schemas.delimited import MAX_LINE_BYTES
from schemas.layout import Layout, load_layout
from schemas.layout_file import ParsedFile, control_totals, parse_file, write_file

CLAIM = load_layout("platform_claim/1")
TXN = load_layout("platform_txn/1")
CUSTOMER = load_layout("platform_customer/1")
DAY = date(2019, 12, 30)
NAME = "P001_CLAIM_20191230_01_v1.csv"
HEADER = CLAIM.header
ROWS = ["T1,L1,LENDER,u1,100.00,CNY", "T2,L1,LENDER,u2,200.50,CNY", "T3,L2,LENDER,u1,0.00,CNY"]


def parse(lines: list[str], layout: Layout = CLAIM, encoding: str = "utf-8", **seal: Any) -> ParsedFile:
    data = "".join(f"{line}\n" for line in lines).encode(encoding)
    return parse_file(layout, NAME, data, encoding, DAY, **seal)


def rules(faults: list[RowFault]) -> list[tuple[int, str, str]]:
    return [(f.line_no, f.field, f.rule) for f in faults]


def accounted(parsed: ParsedFile) -> bool:
    """Every row is landed or rejected, and so is every fen that could be read (domain.md §4.10)."""
    landed = {line for row in parsed.rows if isinstance(line := row["line_no"], int)}
    rejected = set(parsed.rejected_lines)
    if len(landed) + len(rejected) != parsed.rows_seen or landed & rejected:
        return False
    if {f.line_no for f in parsed.faults} != rejected:
        return False
    for name, total in parsed.totals_minor.items():
        mine = sum(int(str(row[f"{name}_minor"])) for row in parsed.rows)
        if mine + parsed.rejected_totals_minor[name] != total:
            return False
    return True


def test_a_good_file() -> None:
    parsed = parse([HEADER, *ROWS], expected_rows=3, expected_totals={"principal": "300.50"})
    assert (parsed.faults, parsed.file_faults, parsed.rejected_lines) == ([], [], {})
    assert parsed.rows[1] == {
        "claim_id": "T2", "loan_id": "L1", "holder_role": "LENDER", "holder_user_no": "u2", "principal_minor": 20050,
        "currency": "CNY", "line_no": 3,
    }  # fmt: skip
    assert parsed.totals_minor == {"principal": 30050}
    assert accounted(parsed)


def test_a_file_without_rows() -> None:
    parsed = parse([HEADER], expected_rows=0, expected_totals={"principal": "0.00"})
    assert (parsed.rows, parsed.file_faults, parsed.rows_seen) == ([], [], 0)


@pytest.mark.parametrize("header", ["", "claim_id", HEADER.upper(), HEADER + ",x", "\ufeff\ufeff" + HEADER, ROWS[0]])
def test_another_header_stops_the_file(header: str) -> None:
    parsed = parse([header, *ROWS])
    assert [f.rule for f in parsed.file_faults] == ["header"]
    assert (parsed.rows, parsed.rows_seen) == ([], 0)


def test_nothing_at_all_is_a_file_fault() -> None:
    parsed = parse_file(CLAIM, NAME, b"", "utf-8", DAY)
    assert [f.rule for f in parsed.file_faults] == ["header"]


def test_one_byte_order_mark_is_taken() -> None:
    assert parse(["\ufeff" + HEADER, *ROWS]).file_faults == []


def test_a_line_that_is_cut_off_shows() -> None:
    data = "\n".join([HEADER, *ROWS]).encode()
    parsed = parse_file(CLAIM, NAME, data[:-2], "utf-8", DAY)
    assert [f.rule for f in parsed.file_faults] == ["truncated"]
    assert rules(parsed.faults) == [(4, "currency", "codes")]


def test_a_bad_row_is_rejected_whole_and_the_others_stand() -> None:
    parsed = parse([HEADER, ROWS[0], "T2,L 1,LENDER,u2,2x,CNY", ROWS[2]])
    assert rules(parsed.faults) == [(3, "loan_id", "pattern"), (3, "principal", "amount")]
    assert [row["claim_id"] for row in parsed.rows] == ["T1", "T3"]
    assert parsed.rejected_lines == {3: "T2,L 1,LENDER,u2,2x,CNY"}
    assert parsed.rejected_keys == {3: "claim_id=T2"}
    assert not parsed.totals_complete
    assert accounted(parsed)


def test_a_rejected_row_whose_amount_can_be_read_counts_in_the_totals() -> None:
    parsed = parse([HEADER, ROWS[0], "T2,,LENDER,u2,200.50,CNY"], expected_totals={"principal": "300.50"})
    assert parsed.rejected_totals_minor == {"principal": 20050}
    assert parsed.file_faults == []
    assert accounted(parsed)


@pytest.mark.parametrize("line", ["", "T2,L1,LENDER,u2,200.50", "T2,L1,LENDER,u2,200.50,CNY,", "T2;L1;LENDER;u2;200.50;CNY"])
def test_a_row_of_other_width_is_a_fault_and_never_shifted(line: str) -> None:
    parsed = parse([HEADER, line])
    assert rules(parsed.faults) == [(2, "", "columns")]
    assert not parsed.totals_complete
    assert accounted(parsed)


def test_a_repeated_key_is_rejected_and_still_accounted_for() -> None:
    parsed = parse([HEADER, ROWS[0], ROWS[0], ROWS[1]], expected_rows=3, expected_totals={"principal": "400.50"})
    assert rules(parsed.faults) == [(3, "claim_id", "duplicate_key")]
    assert parsed.faults[0].figures == {"key": "T1", "first_line": 2}
    assert parsed.rejected_keys == {3: "claim_id=T1"}
    assert parsed.rejected_totals_minor == {"principal": 10000}
    assert parsed.file_faults == []
    assert accounted(parsed)


def test_a_repeated_key_of_a_reconciled_layout_is_left_for_reconciliation() -> None:
    cells = {f.name: "" for f in TXN.fields} | {
        "request_no": "R1", "leg": "1", "txn_type": "RECHARGE", "amount": "1.00", "currency": "CNY", "status": "SUCCESS",
        "event_time": "2019-12-30T10:00:00",
    }  # fmt: skip
    line = ",".join(cells.values())
    parsed = parse([TXN.header, line, line], TXN)
    assert (len(parsed.rows), parsed.faults) == (2, [])


def test_a_bad_byte_is_a_fault_with_its_place_and_never_replaced() -> None:
    data = f"{HEADER}\n{ROWS[0]}\n".encode() + b"T2,L1,LENDER,u\xff2,1.00,CNY\n"
    parsed = parse_file(CLAIM, NAME, data, "utf-8", DAY)
    assert rules(parsed.faults)[0] == (3, "", "bad_byte")
    assert parsed.faults[0].figures == {"position": 15, "encoding": "utf-8"}
    assert len(parsed.rows) == 1
    assert accounted(parsed)


def test_gb18030_bytes_that_look_like_a_delimiter_are_no_delimiter() -> None:
    # The second byte of these characters is 0x7C, 0x5C or 0x40: pipes, backslashes and at signs in ASCII.
    name = "".join(b.decode("gb18030") for b in (b"\x81\x7c", b"\x81\x5c", b"\x81\x40"))
    row = f"u1,LENDER,OPEN,PERSON,ID,11010519491231002X,{name},13812345678,,2019-12-30T10:00:00"
    parsed = parse([CUSTOMER.header, row], CUSTOMER, "gb18030")
    assert parsed.faults == []
    assert parsed.rows[0]["name"] == name


def test_a_file_in_the_other_encoding_is_not_guessed() -> None:
    row = "u1,LENDER,OPEN,PERSON,ID,11010519491231002X,张三,13812345678,,2019-12-30T10:00:00"
    data = f"{CUSTOMER.header}\n{row}\n".encode("gb18030")
    assert next(f.rule for f in parse_file(CUSTOMER, NAME, data, "utf-8", DAY).faults) == "bad_byte"


def test_a_line_too_long_is_refused_unread() -> None:
    parsed = parse([HEADER, "T1,L1,LENDER,u1,1.00," + "C" * MAX_LINE_BYTES])
    assert rules(parsed.faults) == [(2, "", "line_too_long")]
    assert len(parsed.rejected_lines[2]) <= 2000
    assert accounted(parsed)


def test_the_seals_rows_and_totals_are_compared() -> None:
    parsed = parse([HEADER, *ROWS], expected_rows=4, expected_totals={"principal": "300.51"})
    assert [(f.rule, f.figures) for f in parsed.file_faults] == [
        ("row_count", {"found": 3, "expected": 4}),
        ("control_total", {"field": "principal", "found": "300.50", "expected": "300.51"}),
    ]
    (fault,) = parse([HEADER, *ROWS], expected_totals={}).file_faults
    assert (fault.rule, fault.figures["expected"]) == ("control_total", "-")


def test_totals_that_cannot_be_read_are_not_compared() -> None:
    parsed = parse([HEADER, "T1,L1,LENDER,u1,x,CNY"], expected_rows=1, expected_totals={"principal": "5.00"})
    assert parsed.file_faults == []
    assert [f.rule for f in parsed.faults] == ["amount"]


def test_what_is_kept_of_a_rejected_row_is_masked() -> None:
    row = "u1,LENDER,OPEN,PERSON,ID,110105194912310021,张三丰真人,13812345678,4111111111111111,2019-12-30T10:00:00"
    parsed = parse([CUSTOMER.header, row, row + ",more"], CUSTOMER)
    kept = " ".join(
        [*parsed.rejected_lines.values(), *(f.value for f in parsed.faults), *(str(f.figures) for f in parsed.faults)]
    )
    for secret in ("110105194912310021", "张三丰真人", "13812345678", "4111111111111111"):
        assert secret not in kept
    assert parsed.rejected_lines[3].endswith(",****")


def test_a_personal_value_in_another_column_is_masked_too() -> None:
    row = "13812345678/x,张三丰真人,OPEN,PERSON,ID,11010519491231002X,张三,13812345678,,4111111111111111"
    parsed = parse([CUSTOMER.header, row], CUSTOMER)
    kept = " ".join([*parsed.rejected_lines.values(), *(f.value for f in parsed.faults)])
    for secret in ("13812345678", "张三丰真人", "4111111111111111"):
        assert secret not in kept


def test_writing_refuses_what_reading_would_misread() -> None:
    row: dict[str, Any] = {
        "claim_id": "T1", "loan_id": "L,1", "holder_role": "LENDER", "holder_user_no": "u", "principal_minor": 1, "currency": "CNY",
    }  # fmt: skip
    with pytest.raises(ValueError, match="cannot stand"):
        write_file(CLAIM, [row], "utf-8", DAY)
    with pytest.raises(ValueError, match="cannot stand"):
        write_file(CLAIM, [row | {"loan_id": "L\n1"}], "utf-8", DAY)


def test_control_totals_are_sums_in_yuan() -> None:
    rows: list[dict[str, Any]] = [{"principal_minor": 10}, {"principal_minor": 295}]
    assert control_totals(CLAIM, rows) == {"principal": "3.05"}


def rows(layout: Layout, text: str) -> list[tuple[object, ...]]:
    parsed = parse_file(layout, NAME, text.encode(), "utf-8", DAY)
    assert (parsed.faults, parsed.file_faults) == ([], [])
    return [tuple(v for k, v in row.items() if k != "line_no") for row in parsed.rows]


def faults(layout: Layout, text: str) -> list[str]:
    parsed = parse_file(layout, NAME, text.encode(), "utf-8", DAY)
    assert len(parsed.rows) + len(parsed.rejected_lines) == parsed.rows_seen
    return [f.rule for f in parsed.file_faults] + [f.rule for f in parsed.faults]


def test_columns_are_bound_by_the_headers_names(tmp_path: Path) -> None:
    layout = declare(
        tmp_path, field("a", heading="甲", required=True), field("b", heading="乙"), field("c", optional_column=True),
        header="by_name", extra_columns=["old"],
    )  # fmt: skip
    assert rows(layout, "甲,乙,c\n1,2,3\n") == [("1", "2", "3")]
    assert rows(layout, "乙,old,甲\n2,x,1\n") == [("1", "2", None)]
    assert faults(layout, "乙,甲\n2,1,3\n") == ["columns"]
    parsed = parse_file(layout, NAME, "乙,new,乙\n2,x,1\n".encode(), "utf-8", DAY)
    assert [(f.rule, f.figures) for f in parsed.file_faults] == [
        ("header_columns", {"unknown": "new", "missing": "甲", "repeated": "乙"})
    ]


def test_an_unknown_heading_of_a_personal_file_is_not_shown(tmp_path: Path) -> None:
    layout = declare(tmp_path, field("name", personal=True), header="by_name")
    parsed = parse_file(layout, NAME, "张三丰真人\n".encode(), "utf-8", DAY)
    assert parsed.file_faults[0].figures["unknown"] == "1"


@pytest.mark.parametrize(
    ("line", "cells"),
    [('a,b', ("a", "b")), ('"a,x","b ""c"""', ("a,x", 'b "c"')), ('"",b', (None, "b")), ('a,""""', ("a", '"'))],
)  # fmt: skip
def test_quotes_are_doubled(tmp_path: Path, line: str, cells: tuple[str | None, ...]) -> None:
    layout = declare(tmp_path, field("a"), field("b"), quoting="doubled")
    assert rows(layout, line + "\n") == [cells]
    row = dict(zip(("a", "b"), cells, strict=True))
    assert rows(layout, write_file(layout, [row], "utf-8", DAY).decode()) == [cells]


@pytest.mark.parametrize("line", ['"a,b', 'a"b,c', '"a"x,b', 'a,"b"c', '"a', '"a\nb",c'])
def test_quotes_that_do_not_hold_are_a_rejected_row(tmp_path: Path, line: str) -> None:
    layout = declare(tmp_path, field("a"), field("b"), quoting="doubled")
    assert set(faults(layout, line + "\n")) == {"quotes"}


def test_a_prefix_parts_cells_so_that_free_text_shifts_nothing(tmp_path: Path) -> None:
    layout = declare(
        tmp_path, field("a"), field("b"), field("c"), cell_prefix="`", record_end="crlf", bom=True, encodings=["utf-8"]
    )
    assert rows(layout, "\ufeff`1,`x,y,`\r\n") == [("1", "x,y", None)]
    assert faults(layout, "`1,x,`y\r\n1,`x,`y\r\n") == ["columns", "cell_prefix"]
    written = write_file(layout, [{"a": "1", "b": "x,y", "c": None}], "utf-8", DAY)
    assert written == "\ufeff`1,`x,y,`\r\n".encode()
    with pytest.raises(ValueError, match="cannot stand"):
        write_file(layout, [{"a": "1", "b": "x,`y", "c": None}], "utf-8", DAY)


def summed(folder: Path, at: str) -> Layout:
    told = [
        {"name": "n", "type": "integer", "required": True, "title": TITLE, "heading": "笔数", "rows": True},
        {
            "name": "ins",
            "type": "amount",
            "required": True,
            "min": "0.00",
            "title": TITLE,
            "sum_of": "amount",
            "where": {"way": ["IN"]},
        },
        {"name": "when", "type": "date", "required": False, "title": TITLE, "example": "2019-12-30"},
    ]
    way = field("way", "enum", codes=["IN", "OUT"], required=True)
    return declare(folder, way, field("amount", "amount", required=True), header=True, summary={"at": at, "fields": told})


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_summary_is_compared_with_the_rows(tmp_path: Path, at: str) -> None:
    layout = summed(tmp_path, at)

    def sent(summary: str, *lines: str) -> str:
        told, body = ["笔数,ins,when", summary], ["way,amount", *lines]
        return "".join(f"{line}\n" for line in ([*told, *body] if at == "before" else [*body, *told]))

    good = sent("2,1.50,2019-12-30", "IN,1.50", "OUT,7.00")
    assert rows(layout, good) == [("IN", 150), ("OUT", 700)]
    written = [{"way": "IN", "amount_minor": 150}, {"way": "OUT", "amount_minor": 700}]
    assert write_file(layout, written, "utf-8", DAY).decode() == good
    parsed = parse_file(layout, NAME, sent("3,1.51,", "IN,1.50", "OUT,7.00").encode(), "utf-8", DAY)
    assert [(f.rule, f.figures) for f in parsed.file_faults] == [
        ("summary", {"field": "n", "said": "3", "found": "2"}),
        ("summary", {"field": "ins", "said": "1.51", "found": "1.50"}),
    ]
    assert faults(layout, sent("1,9.00,", "IN,x")) == ["amount"]  # what cannot be read cannot be compared
    assert faults(layout, sent("1,0.00,", "OUT,x")) == ["amount"]
    assert faults(layout, sent("x,0.00,")) == ["summary_unreadable"]
    assert faults(layout, sent("0,0.00").replace("ins", "outs")) == ["summary_header"]
    assert faults(layout, sent("0,0.00")) == ["summary_unreadable"]
    assert faults(layout, "") == ["summary_header"]
