"""What is written is read back, in both encodings; and no byte that anyone sends makes the parser fail."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.calendar import CHINA
from custody.identity_numbers import id_check_digit, luhn_check_digit, uscc_check_digit
from custody.money import parse_amount
from schemas.delimited import ParsedFile, control_totals, parse_delimited, write_delimited
from schemas.layout import Field, Layout, Value, all_layouts, load_layout

LAYOUTS = sorted(all_layouts())
ENCODINGS = ["utf-8", "gb18030"]
DAYS = st.dates(date(1950, 1, 1), date(2099, 12, 31))
_DIGITS = "0123456789"
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def _texts(longest: int) -> st.SearchStrategy[str]:
    letters = st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters=",")
    words = st.text(st.one_of(st.sampled_from("张王李赵·公司"), letters), min_size=1, max_size=longest)
    return words.filter(lambda s: s.isprintable() and s[0] not in "=+-@＝＋－＠")


@st.composite
def _identities(draw: st.DrawFn) -> str:
    if draw(st.booleans()):
        first17 = f"{draw(st.integers(110000, 659999))}{draw(DAYS):%Y%m%d}{draw(st.integers(0, 999)):03d}"
        return first17 + id_check_digit(first17)
    body = draw(st.text(_USCC, min_size=17, max_size=17))
    return body + uscc_check_digit(body)


@st.composite
def _cards(draw: st.DrawFn) -> str:
    body = draw(st.sampled_from("123456789")) + draw(st.text(_DIGITS, min_size=11, max_size=17))
    return body + luhn_check_digit(body)


def _amounts(field: Field) -> st.SearchStrategy[int]:
    return st.integers(parse_amount(field.min) if field.min else -(10**12), parse_amount(field.max) if field.max else 10**13)


def _rate_text(millionths: int) -> str:
    return f"{millionths // 10**6}.{millionths % 10**6:06d}".rstrip("0").rstrip(".")


_VALUES: dict[str, Callable[[Field], st.SearchStrategy[Any]]] = {
    "code": lambda f: st.from_regex(str(f.pattern), fullmatch=True),
    "text": lambda f: _texts(int(str(f.max))),
    "enum": lambda f: st.sampled_from(f.codes),
    "integer": lambda f: st.integers(int(f.min or -(10**17)), int(f.max or 10**17)),
    "amount": _amounts,
    "rate": lambda f: st.integers(0, int(Decimal(f.max or 9) * 10**6)).map(_rate_text),
    "date": lambda f: DAYS,
    "time": lambda f: st.integers(0, 4 * 10**9).map(lambda s: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=s)),
    "identity": lambda f: _identities(),
    "phone": lambda f: st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    "card": lambda f: _cards(),
}


def _rows(layout: Layout) -> st.SearchStrategy[list[dict[str, Value]]]:
    cells = {f.column: _VALUES[f.type](f) if f.required else st.one_of(st.none(), _VALUES[f.type](f)) for f in layout.fields}
    key = [layout.field(name).column for name in layout.key]
    return st.lists(st.fixed_dictionaries(cells), max_size=4, unique_by=lambda row: tuple(row[name] for name in key))


FILES = {layout_id: _rows(load_layout(layout_id)) for layout_id in LAYOUTS}


def _accounted(parsed: ParsedFile) -> None:
    landed = [row["line_no"] for row in parsed.rows]
    assert len(landed) + len(parsed.rejected_lines) == parsed.rows_seen
    assert {f.line_no for f in parsed.faults} == set(parsed.rejected_lines)
    for words in [f.words for f in parsed.faults] + [f.words for f in parsed.file_faults]:
        assert all(words)
    for name, total in parsed.totals_minor.items():
        assert sum(int(str(row[f"{name}_minor"])) for row in parsed.rows) + parsed.rejected_totals_minor[name] == total


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("layout_id", LAYOUTS)
@settings(max_examples=40)
@given(data=st.data())
def test_rows_written_are_read_back(layout_id: str, encoding: str, data: st.DataObject) -> None:
    layout = load_layout(layout_id)
    rows = data.draw(FILES[layout_id])
    written = write_delimited(layout, rows, encoding)
    parsed = parse_delimited(layout, "F.csv", written, encoding, len(rows), control_totals(layout, rows))
    assert (parsed.faults, parsed.file_faults) == ([], [])
    assert [{k: v for k, v in row.items() if k != "line_no"} for row in parsed.rows] == rows
    assert [row["line_no"] for row in parsed.rows] == list(range(2, len(rows) + 2))
    for row in parsed.rows:
        for value in row.values():
            assert not isinstance(value, datetime) or value.utcoffset() == CHINA.utcoffset(None)
    assert write_delimited(layout, parsed.rows, encoding) == written


def sample(layout_id: str, encoding: str) -> bytes:
    """One fixed good file of a layout: a row whose cells are all filled."""
    known = {
        "code": "R1", "text": "张三丰", "integer": 1, "amount": 1234, "rate": "0.085", "date": date(2019, 12, 30),
        "time": datetime(2019, 12, 30, 10, 0, tzinfo=CHINA), "identity": "11010519491231002X", "phone": "13812345678",
        "card": "4111111111111111",
    }  # fmt: skip
    layout = load_layout(layout_id)
    row: dict[str, Any] = {f.column: f.codes[0] if f.codes else known[f.type] for f in layout.fields}
    second = {f.column: "R2" if f.type == "code" and f.name in layout.key else row[f.column] for f in layout.fields}
    return write_delimited(layout, [row, second], encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(
    layout_id=st.sampled_from(LAYOUTS),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.one_of(st.none(), st.integers(0, 10**6)),
)
def test_flipped_bytes_are_faults_and_never_an_exception(
    layout_id: str, encoding: str, flips: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(sample(layout_id, encoding))
    for place, byte in flips:
        data[place % len(data)] = byte
    sent = bytes(data[: cut % len(data)] if cut is not None else data)
    layout = load_layout(layout_id)
    _accounted(parse_delimited(layout, "F.csv", sent, encoding, 2, dict.fromkeys(layout.totals, "24.68")))


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(layout_id=st.sampled_from(LAYOUTS), body=st.binary(max_size=300))
def test_any_bytes_below_the_header_are_rows_or_faults(layout_id: str, encoding: str, body: bytes) -> None:
    layout = load_layout(layout_id)
    parsed = parse_delimited(layout, "F.csv", layout.header.encode() + b"\n" + body, encoding)
    _accounted(parsed)
    assert parsed.rows_seen == body.count(b"\n") + (not body.endswith(b"\n") and body != b"")
