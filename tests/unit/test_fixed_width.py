"""Fixed-width files: bytes of the encoding, padding, fillers, record ends, and where a bad record stands."""

from datetime import date
from pathlib import Path

import pytest
from layout_kit import declare, field

from schemas.layout import Layout
from schemas.layout_file import ParsedFile, parse_file, write_file

DAY = date(2019, 12, 30)
FIELDS = (
    field("no", "code", pattern="[0-9]{4}", required=True, width=4),
    field("name", "text", width=8, personal=True),
    field("amount", "amount", unit="fen", min="0.00", negative=False, required=True, width=6),
)
GOOD = "0001张三    000100\n0002王小二  000250\n0003        000000\n".encode("gb18030")


@pytest.fixture
def plain(tmp_path: Path) -> Layout:
    return declare(tmp_path, *FIELDS, record_length=18, key=["no"], totals=["amount"])


@pytest.fixture
def endless(tmp_path: Path) -> Layout:
    return declare(tmp_path, *FIELDS, record_length=18, key=["no"], totals=["amount"], record_end="none")


def read(layout: Layout, data: bytes) -> ParsedFile:
    return parse_file(layout, "F", data, "gb18030", DAY)


def names(parsed: ParsedFile) -> list[object]:
    return [row["name"] for row in parsed.rows]


def test_fields_are_cut_from_bytes_and_not_from_characters(plain: Layout) -> None:
    parsed = read(plain, GOOD)
    assert (parsed.faults, parsed.file_faults, parsed.totals_minor) == ([], [], {"amount": 350})
    assert parsed.rows[1] == {"no": "0002", "name": "王小二", "amount_minor": 250, "line_no": 2}
    assert names(parsed) == ["张三", "王小二", None]
    assert write_file(plain, parsed.rows, "gb18030", DAY) == GOOD


def test_a_character_cut_in_two_is_a_fault_of_its_field_alone(plain: Layout) -> None:
    # Nine bytes of name: the last character's second byte stands where the amount begins.
    parsed = read(plain, b"0001" + "a王小二丁".encode("gb18030")[:8] + b"000100\n" + GOOD)
    assert [(f.line_no, f.field, f.rule, f.figures["position"]) for f in parsed.faults] == [(1, "name", "bad_byte", 12)]
    assert parsed.rejected_totals_minor == {"amount": 100}
    # 0001 of GOOD is no repetition: the first one was rejected.
    assert (len(parsed.rows), parsed.file_faults) == (3, [])


def test_a_record_of_bad_length_has_its_position_and_the_next_is_read(plain: Layout) -> None:
    lines = GOOD.splitlines(keepends=True)
    parsed = read(plain, lines[0] + lines[1][:-3] + b"\n" + lines[2])
    assert [(f.line_no, f.rule) for f in parsed.faults] == [(2, "record_length")]
    assert parsed.faults[0].figures == {"found": 16, "expected": 18, "position": 20}
    assert names(parsed) == ["张三", None]
    assert not parsed.totals_complete
    assert "王小二" not in parsed.rejected_lines[2]


@pytest.mark.parametrize(
    ("records", "rules"),
    [
        (b"1381234567800000001.00\n1381234567800000002.00\n", ["duplicate_key"]),
        (b"13812345678139.1234567\n", ["amount"]),  # an amount's fault says why, in words that quote the cell
        (b"138123456781391234567\n", ["record_length"]),
        (b"13812345678\xff391234567\xff\n", ["bad_byte"]),
    ],
)
def test_no_fault_shows_a_personal_value(tmp_path: Path, records: bytes, rules: list[str]) -> None:
    phone = field("phone", "phone", width=11, personal=True, required=True)
    layout = declare(tmp_path, phone, field("amount", "amount", width=11), record_length=22, key=["phone"])
    found = read(layout, records)
    assert [f.rule for f in found.faults] == rules
    kept = " ".join(
        [*found.rejected_lines.values(), *found.rejected_keys.values(), *(f"{f.value}{f.figures}" for f in found.faults)]
    )
    assert "13812345678" not in kept
    assert "1234567" not in kept


def test_an_empty_line_is_a_record_of_bad_length(plain: Layout) -> None:
    assert [(f.line_no, f.rule) for f in read(plain, GOOD + b"\n").faults] == [(4, "record_length")]


def test_crlf_is_taken_and_a_last_record_without_end_shows(plain: Layout, tmp_path: Path) -> None:
    assert names(read(plain, GOOD.replace(b"\n", b"\r\n"))) == ["张三", "王小二", None]
    assert [f.rule for f in read(plain, GOOD[:-1]).file_faults] == ["truncated"]
    optional = declare(tmp_path, *FIELDS, record_length=18, last_record_end="optional", record_end="crlf")
    assert read(optional, GOOD[:-1]).file_faults == []
    assert write_file(optional, read(optional, GOOD).rows, "gb18030", DAY) == GOOD.replace(b"\n", b"\r\n")


def test_records_without_ends_are_read(endless: Layout) -> None:
    data = GOOD.replace(b"\n", b"")
    parsed = read(endless, data)
    assert names(parsed) == ["张三", "王小二", None]
    assert write_file(endless, parsed.rows, "gb18030", DAY) == data


def test_records_without_ends_that_do_not_divide_refuse_the_file_with_the_place(endless: Layout) -> None:
    data = GOOD.replace(b"\n", b"")
    lost = data[:25] + data[26:]  # a byte of the second record
    assert [(f.rule, f.figures) for f in read(endless, lost).file_faults] == [
        ("record_alignment", {"bytes": 53, "length": 18, "rest": 17, "position": 19})
    ]
    cut_off = read(endless, data[:-1]).file_faults
    assert [f.figures["position"] for f in cut_off] == [37]


def test_filler_bytes_part_fields_and_hold_nothing(tmp_path: Path) -> None:
    layout = declare(tmp_path, *FIELDS, record_length=20, filler=1)
    good = b"0001 " + "张三    ".encode("gb18030") + b" 000100\n"
    parsed = read(layout, good)
    assert (names(parsed), parsed.faults) == (["张三"], [])
    assert write_file(layout, parsed.rows, "gb18030", DAY) == good
    assert [(f.field, f.rule, f.figures) for f in read(layout, b"0001x" + good[5:]).faults] == [("no", "filler", {"position": 5})]


@pytest.mark.parametrize(
    ("cell", "rule"),
    [(b"  100 ", "amount_fen"), (b"   100", "amount_fen"), (b"00-100", "amount_fen"), (b"0x0100", "amount_fen"), (b"      ", "required")],
)  # fmt: skip
def test_a_number_is_padded_as_declared(plain: Layout, cell: bytes, rule: str) -> None:
    assert [f.rule for f in read(plain, GOOD[:12] + cell + b"\n").faults] == [rule]


def test_other_paddings(tmp_path: Path) -> None:
    spaced = field("n", "integer", width=5, padding="spaces_left")
    right = field("t", width=5, padding="spaces_left")
    layout = declare(tmp_path, spaced, right, record_length=10)
    parsed = read(layout, b"   12   ab\n")
    assert parsed.rows == [{"n": 12, "t": "ab", "line_no": 1}]
    assert write_file(layout, parsed.rows, "gb18030", DAY) == b"   12   ab\n"


def test_reserved_bytes_do_not_land_but_must_decode(tmp_path: Path) -> None:
    layout = declare(tmp_path, field("a", width=2), field("rest", "reserved", width=4), record_length=6)
    parsed = read(layout, b"ab\xc4\xe3xy\n")
    assert parsed.rows == [{"a": "ab", "line_no": 1}]
    assert write_file(layout, parsed.rows, "gb18030", DAY) == b"ab    \n"
    assert [(f.field, f.rule) for f in read(layout, b"abxyz\xff\n").faults] == [("rest", "bad_byte")]
    assert [(f.field, f.rule) for f in read(layout, b"abx\x00yz\n").faults] == [("rest", "control_character")]


def test_writing_refuses_what_does_not_fit(plain: Layout) -> None:
    row = {"no": "0001", "name": "王小二丁某", "amount_minor": 1}
    with pytest.raises(ValueError, match="takes 10 bytes"):
        write_file(plain, [row], "gb18030", DAY)
    with pytest.raises(ValueError, match="takes 7 bytes"):
        write_file(plain, [row | {"name": "a", "amount_minor": 1_000_000}], "gb18030", DAY)
    with pytest.raises(ValueError, match="without its spaces"):
        write_file(plain, [row | {"name": "a "}], "gb18030", DAY)


def test_two_inner_layouts_of_one_length_are_told_apart_by_what_was_agreed(tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    first = declare(
        tmp_path,
        field("order", "code", pattern="R[0-9]{5}", width=6),
        field("day", "date", form="yyyymmdd", width=8),
        record_length=14,
    )
    other = declare(
        tmp_path / "v2",
        field("day", "date", form="yyyymmdd", width=8),
        field("order", "code", pattern="R[0-9]{5}", width=6),
        record_length=14,
        version=2,
    )
    data = b"R0000120191230\n"
    assert read(first, data).rows[0]["order"] == "R00001"
    assert [f.rule for f in read(other, data).faults] == ["form", "pattern"]
