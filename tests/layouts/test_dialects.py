"""The dialects of interfaces.md: record lengths, golden files read and written back, and what must be refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from dialects_kit import CONTRACTS, DIALECTS, FILE_DATE, ROWS, landed, plain, read, sample

from custody.calendar import CHINA
from custody.names import TxnType
from schemas.envelope import open_envelope
from schemas.field_types import Value
from schemas.landing import from_canonical, to_canonical
from schemas.layout import all_layouts, layouts_named, load_layout
from schemas.layout_file import parse_file, write_file

# interfaces.md §2 and §4, in bytes.
LENGTHS = {
    "jixin_eve/1": 139,
    "jixin_eve/2": 139,
    "jixin_aleve/1": 371,
    "jixin_appzx/1": 433,
    "jixin_appzx/2": 433,
    "jixin_appzx/3": 433,
    "jixin_appzx_result/1": 364,
    "jixin_bidin/1": 416,
    "jixin_bidin_result/1": 473,
    "jixin_bid/1": 230,
    "jixin_bid/2": 230,
    "jixin_bid_result/1": 282,
    "jixin_fintran/1": 333,
    "jixin_fintran_result/1": 388,
    "unionpay_zm/1": 607,
}
_DIRECTION_OF_DIGIT = {"2": "OUT", "7": "IN", "4": "OUT", "9": "OUT", "5": "IN"}


def test_every_dialect_has_a_golden_file_and_every_length_is_the_fields_one() -> None:
    fixed = {layout.id: layout for layout in all_layouts().values() if layout.format == "fixed_width"}
    assert {layout_id: layout.record_length for layout_id, layout in fixed.items()} == LENGTHS
    for layout in fixed.values():
        widths = sum(field.width for field in layout.fields)
        assert widths + layout.filler * (len(layout.fields) - 1) == LENGTHS[layout.id]
    assert set(DIALECTS) == {*LENGTHS, "baofoo_fi/1", "baofoo_fo/1", "wechat_all/1"}


@pytest.mark.parametrize("layout_id", sorted(LENGTHS))
def test_the_golden_records_have_that_length(layout_id: str) -> None:
    layout = load_layout(layout_id)
    data = open_envelope(layout.envelope, sample(layout_id))
    if layout.record_end == "none":
        assert len(data) == ROWS * LENGTHS[layout_id]
    else:
        assert [len(line) for line in data.split(b"\n")] == [LENGTHS[layout_id]] * ROWS + [0]


@pytest.mark.parametrize("layout_id", DIALECTS)
def test_a_golden_file_is_read_whole_and_written_back_byte_for_byte(layout_id: str) -> None:
    layout = load_layout(layout_id)
    parsed = read(layout_id)
    assert (parsed.faults, parsed.file_faults) == ([], [])
    assert (parsed.rows_seen, len(parsed.rows)) == (ROWS, ROWS)
    written = write_file(layout, parsed.rows, layout.encodings[0], FILE_DATE)
    # A zip's own bytes depend on the compressor; what is in it does not.
    assert open_envelope(layout.envelope, written) == open_envelope(layout.envelope, sample(layout_id))


@pytest.mark.parametrize("layout_id", sorted(CONTRACTS))
def test_a_channel_dialect_lands_as_settlement_and_can_be_written_from_it(layout_id: str) -> None:
    layout = load_layout(layout_id)
    party, dialect = CONTRACTS[layout_id]
    rows = [to_canonical(layout, row, FILE_DATE, party, dialect) for row in read(layout_id).rows]
    assert [plain(row) for row in rows if isinstance(row, dict)] == landed(layout_id)
    canonical = [{k: v for k, v in row.items() if k != "line_no"} for row in rows if isinstance(row, dict)]
    sent = [from_canonical(layout, row, FILE_DATE, party, dialect, n) for n, row in enumerate(canonical, start=1)]
    parsed = parse_file(layout, "F", write_file(layout, sent, layout.encodings[0], FILE_DATE), layout.encodings[0], FILE_DATE)
    assert (parsed.faults, parsed.file_faults) == ([], [])
    again = [to_canonical(layout, row, FILE_DATE, party, dialect) for row in parsed.rows]
    assert [plain(row) for row in again if isinstance(row, dict)] == landed(layout_id)


def test_a_merchant_that_the_contract_does_not_name_is_a_fault() -> None:
    row = read("baofoo_fi/1").rows[0]
    found = to_canonical(load_layout("baofoo_fi/1"), row, FILE_DATE, "CH02", {"merchants": {"999999": "P001"}})
    assert isinstance(found, list)
    assert ("platform", "contract_lacks") in [(fault.field, fault.rule) for fault in found]


def test_december_rows_of_a_january_file_are_of_the_year_before() -> None:
    times = [row["cendt"] for row in read("jixin_eve/2").rows]
    assert times[0] == datetime(2019, 12, 31, 23, 59, 59, tzinfo=CHINA)
    assert times[2] == datetime(2020, 1, 1, 10, 15, 30, tzinfo=CHINA)


def test_the_mark_gives_the_amount_its_sign_and_its_direction() -> None:
    rows = read("jixin_aleve/1").rows
    for row in rows:
        assert (int(str(row["amount_minor"])) < 0) == (row["crflag"] == "C")
    # A reversed row may go the other way; any other that contradicts its type is rejected.
    assert [row["crflag"] for row in rows if row["revind"] == "1"] == ["D"]
    data = bytearray(sample("jixin_aleve/1"))
    data[43:44] = b"C"
    parsed = read("jixin_aleve/1", bytes(data))
    assert [(fault.line_no, fault.rule) for fault in parsed.faults] == [(1, "check_direction")]


def test_an_unknown_type_is_a_rejected_row() -> None:
    data = sample("jixin_aleve/1").replace(b"2616", b"2617", 1)
    parsed = read("jixin_aleve/1", data)
    assert [(fault.field, fault.rule) for fault in parsed.faults] == [("transtype", "codes")]
    assert len(parsed.rows) == ROWS - 1


def test_chinese_text_that_fills_its_bytes_shifts_nothing_behind_it() -> None:
    rows = read("jixin_aleve/1").rows
    assert rows[-1]["desline"] == "一二三四五六七八九十一二三四五六七八九十一"
    assert [row["curr_bal_minor"] for row in rows] == [n * 10**6 for n in range(ROWS)]
    # 䶮 takes four bytes in GB18030.
    assert rows[8]["desline"] == "充值－王䶮"


def test_the_host_types_are_one_list_and_go_where_their_first_digit_says() -> None:
    lists = [load_layout(layout_id).field("transtype") for layout_id in ("jixin_eve/1", "jixin_eve/2", "jixin_aleve/1")]
    assert lists[0].code_words == lists[1].code_words == lists[2].code_words
    for code, words in lists[0].code_words.items():
        assert words.direction == _DIRECTION_OF_DIGIT[code[0]]
        assert words.means is None or TxnType(words.means)
    assert {code for code, words in lists[0].code_words.items() if words.means is None} == {"7777", "7782"}


@pytest.mark.parametrize(
    ("sent", "declared"), [("jixin_eve/2", "jixin_eve/1"), ("jixin_appzx/3", "jixin_appzx/1"), ("jixin_appzx/1", "jixin_appzx/3")]
)
def test_same_name_and_length_but_another_inner_layout_is_not_told_by_the_file(sent: str, declared: str) -> None:
    one, other = load_layout(sent), load_layout(declared)
    assert one.file_name is not None
    assert {sent, declared} <= set(layouts_named(one.file_name.example))
    assert one.record_length == other.record_length
    parsed = parse_file(other, "F", sample(sent), other.encodings[0], FILE_DATE)
    assert parsed.rows_seen == ROWS
    assert parsed.rows != read(sent).rows


def test_a_record_of_bad_length_is_one_rejected_row_with_its_place() -> None:
    data = sample("jixin_fintran/1")
    start = 2 * 334
    parsed = read("jixin_fintran/1", data[: start + 100] + data[start + 101 :])
    assert [(f.line_no, f.rule, f.figures) for f in parsed.faults] == [
        (3, "record_length", {"found": 332, "expected": 333, "position": start + 1})
    ]
    assert len(parsed.rows) == ROWS - 1


def test_without_line_ends_what_does_not_divide_refuses_the_file() -> None:
    parsed = read("jixin_bid/2", sample("jixin_bid/2")[:-1])
    assert len(parsed.file_faults) == 1
    assert read("jixin_bid/2").rows == read("jixin_bid/1").rows


def test_a_summary_that_disagrees_refuses_the_file() -> None:
    data = sample("wechat_all/1")
    wrong = data.replace(b"\r\n`12,", b"\r\n`13,")
    assert wrong != data
    assert [fault.rule for fault in read("wechat_all/1", wrong).file_faults] == ["summary"]


def test_a_delimiter_in_free_text_never_shifts_a_field() -> None:
    # Where each cell begins with a mark the comma is text; where nothing marks it the row is rejected.
    data = sample("wechat_all/1").replace("`账户充值".encode(), "`账户,充值".encode(), 1)
    assert read("wechat_all/1", data).rows[0]["goods"] == "账户,充值"
    bare = replace(load_layout("baofoo_fo/1"), envelope=())
    inside = open_envelope(load_layout("baofoo_fo/1").envelope, sample("baofoo_fo/1")).replace(
        "李四光".encode(), "李|四光".encode()
    )
    parsed = parse_file(bare, "F", inside, "utf-8", FILE_DATE)
    assert [fault.rule for fault in parsed.faults] == ["columns"]
    assert len(parsed.rows) == ROWS - 1


def test_what_our_settlement_row_cannot_say_is_rejected_and_not_bent() -> None:
    """A WeChat refund that gives its fee back: channel_settlement/1 has no negative fee."""
    party, dialect = CONTRACTS["wechat_all/1"]
    refund = next(row for row in read("wechat_all/1").rows if row["trade_state"] == "REFUND")
    found = to_canonical(load_layout("wechat_all/1"), {**refund, "fee_minor": -1}, FILE_DATE, party, dialect)
    assert isinstance(found, list)
    assert [(fault.field, fault.rule) for fault in found] == [("fee", "min")]


def test_a_claim_that_is_not_of_the_dialect_cannot_be_written() -> None:
    party, dialect = CONTRACTS["unionpay_zm/1"]
    row = {column: value for column, value in _canonical("unionpay_zm/1").items() if column != "line_no"}
    with pytest.raises(ValueError, match="unionpay_zm/1"):
        from_canonical(load_layout("unionpay_zm/1"), {**row, "status": "FAIL"}, FILE_DATE, party, dialect, 1)


def _canonical(layout_id: str) -> dict[str, Value]:
    party, dialect = CONTRACTS[layout_id]
    row = to_canonical(load_layout(layout_id), read(layout_id).rows[0], FILE_DATE, party, dialect)
    assert isinstance(row, dict)
    return row
