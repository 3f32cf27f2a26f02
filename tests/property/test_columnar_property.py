"""The columnar reader says exactly what the row-wise one says, of good files and of files damaged in any way."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date, datetime
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.calendar import CHINA
from schemas.columnar import FileReader, is_columnar, prove_together, proved_file
from schemas.content import Content
from schemas.layout import Field, Layout, all_layouts, load_layout
from schemas.layout_file import control_totals, parse_file, write_file

# What parties send each day is read by columns: a layout that came to use more of the language would be read row by row.
OURS = {
    "platform_customer/1", "platform_loan/1", "platform_txn/1", "platform_claim/1", "platform_balance/1", "channel_settlement/1",
    "gateway_instruction/1", "gateway_mandate/1", "gateway_legal_order/1", "platform_confirmation/1", "platform_disclosure/1",
}  # fmt: skip
PLAIN = sorted(name for name, layout in all_layouts().items() if layout.is_plain)
# The profile's number, shared out: there are many layouts, and `make soak` raises it.
EXAMPLES = settings().max_examples
_DAY = date(2019, 12, 30)
# Cells that sit on an edge of some rule, or look like a value and are none.
_ODD = (
    "", " ", "0", "-0", "00", "01", "-1", "+1", "1 ", "1.", ".5", "0.5", "00.50", "-0.00", "1.2.3", "1..2", "12-3", "--1", "-",
    "1.5", "12", "0.001", "1e3", "1000000000000000", "10000000000000.00", "9999999999999.99", "10000000000000.01",
    "999999999999999", "999999999999999999", "9999999999999999999", "999999", "1000000", "１２", "0.085", "0.0850", "1.0",
    "0000-01-01", "0001-01-01", "2019-02-29", "2020-02-29", "1900-02-29", "2019-13-01", "2019-12-00", "2019-1-1", "9999-12-31",
    "0001-01-01T00:00:00", "0000-01-01T00:00:00", "2019-12-30T24:00:00", "2019-12-30T23:60:00", "2019-12-30 10:00:00",
    "2019-12-30T10:00:00Z", "2019-12-3０", "R1", "CNY", "cny", "PLATFORM", "a,b", '"', '"x"', "\ufeff", "\u00ad", "\u2028",
    "\x00", "\x7f", "\x85", "\r", "\t", "=1", "＝1", "张三", "𠀀", "€", "é", "x" * 41, "x" * 51, "x" * 17000, "张" * 9000,
    "11010519491231002X", "110105194912310021", "13812345678", "4111111111111111", "4111111111111112", "91350100M000100Y43",
)  # fmt: skip


def _good(layout: Layout, rows: int, seed: int) -> list[dict[str, Any]]:
    """Good rows with keys of their own, some of them repeated, optional cells blank now and then."""
    draw = Random(seed)
    found = []
    for number in range(rows):
        known = {
            "text": draw.choice(["张三丰", "é𠀀", "Li"]), "integer": draw.choice([1, 7, 12]),
            "amount": draw.choice([0, 1, 99, 100, 123456789]) + 1, "rate": draw.choice(["0.0085", "0.01", "0.0005"]),
            "date": draw.choice([_DAY, date(2020, 2, 29)]), "time": datetime(2019, 12, draw.randint(1, 31), 10, number % 60, tzinfo=CHINA),
            "identity": "11010519491231002X", "phone": "13812345678", "card": "4111111111111111",
        }  # fmt: skip
        row: dict[str, Any] = {}
        for f in layout.fields:
            code = _code(f, draw.choice([number, number, 3])) if f.type == "code" and not f.codes else None
            value = draw.choice(f.codes) if f.codes else code or known[f.type]
            row[f.column] = value if f.required or draw.random() < 0.7 else None
        found.append(row)
    return found


def _code(field: Field, number: int) -> str:
    """R1, R2 ... where the pattern takes such; else the layout's example, numbered at its end where that can be."""
    if field.pattern is None or re.fullmatch(field.pattern, f"R{number}"):
        return f"R{number}"
    assert field.example is not None
    numbered = re.sub("[0-9]+$", str(number + 1), field.example)
    return numbered if re.fullmatch(field.pattern, numbered) else field.example


@st.composite
def _files(draw: st.DrawFn, layout: Layout, encoding: str) -> tuple[bytes, int, dict[str, str]]:
    """A file, damaged in cells, lines and bytes, with what its seal says."""
    rows = _good(layout, draw(st.integers(0, 12)), draw(st.integers(0, 99)))
    rows += draw(st.lists(st.sampled_from(rows), max_size=2)) if rows else []
    sealed = len(rows) + draw(st.sampled_from([0, 0, 0, 1])), control_totals(layout, rows)
    lines = [line.split(layout.delimiter) for line in write_file(layout, rows, encoding, _DAY).decode(encoding).split("\n")[:-1]]
    for _ in range(draw(st.integers(0, 4))):
        line = draw(st.sampled_from(lines))
        line[draw(st.integers(0, len(line) - 1))] = draw(st.sampled_from(_ODD))
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    texts = [layout.delimiter.join(line) for line in lines]
    for odd in draw(
        st.lists(
            st.sampled_from(["", ",", "x", "\r", "\ufeff", "," * len(layout.fields), "," * (len(layout.fields) - 1)]), max_size=2
        )
    ):
        texts.insert(draw(st.integers(0, len(texts))), odd)
    data = bytearray("".join(text + end for text in texts).encode(encoding, errors="ignore"))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=3)):
        if data:
            data[place % len(data)] = byte
    if draw(st.booleans()) and draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    bom = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    return bom + bytes(data), *sealed


def _same(layout: Layout, data: bytes, encoding: str, rows: int | None, totals: dict[str, str] | None, **how: int) -> None:
    expected = parse_file(layout, "F.csv", data, encoding, _DAY, rows, totals)
    reader = FileReader(layout, "F.csv", Content.of(data), encoding, _DAY, rows, totals, row_wise_bytes=0, **how)
    found = [row for batch in reader.batches() for row in _rows(batch)]
    assert found == [_utc(row) for row in expected.rows]
    rest = asdict(reader.rest)
    wanted = asdict(expected)
    assert rest.pop("rows") == []
    del wanted["rows"]
    assert rest == wanted


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    times = [f.name for f in batch.schema if pa.types.is_timestamp(f.type)]
    columns = {n: batch[n].cast(pa.int64()).to_pylist() if n in times else batch[n].to_pylist() for n in batch.schema.names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _utc(row: dict[str, Any]) -> dict[str, Any]:
    """Times as microseconds: the first hours of the year 1 in China lie before what Python can show in UTC."""
    return {n: pa.scalar(v, pa.timestamp("us", tz="UTC")).value if isinstance(v, datetime) else v for n, v in row.items()}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("layout_id", PLAIN)
@settings(max_examples=EXAMPLES // 2)
@given(data=st.data())
def test_damaged_files_read_alike(layout_id: str, encoding: str, data: st.DataObject) -> None:
    layout = load_layout(layout_id)
    sent, rows, totals = data.draw(_files(layout, encoding))
    how = {"block_bytes": data.draw(st.sampled_from([1, 40, 200, 1 << 20])), "threads": data.draw(st.sampled_from([1, 3]))}
    _same(layout, sent, encoding, rows, totals, **how)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@given(layout_id=st.sampled_from(PLAIN), body=st.binary(max_size=300), block=st.sampled_from([10, 1 << 20]))
def test_any_bytes_below_the_header_read_alike(layout_id: str, encoding: str, body: bytes, block: int) -> None:
    layout = load_layout(layout_id)
    _same(layout, layout.header.encode() + b"\n" + body, encoding, None, None, block_bytes=block)


@pytest.mark.parametrize("layout_id", PLAIN)
def test_each_odd_cell_in_each_field_reads_alike(layout_id: str) -> None:
    """Every edge in every column, most of them in one file, so that whole columns are judged beside a good neighbour."""
    layout = load_layout(layout_id)
    good = write_file(layout, _good(layout, 1, 1), "utf-8", _DAY).decode().split("\n")[1].split(",")
    lines = [layout.header]
    for place in range(len(good)):
        for odd in _ODD:
            lines += [",".join([*good[:place], odd, *good[place + 1 :]]), ",".join(good)]
    for encoding in layout.encodings:
        _same(layout, ("\n".join(lines) + "\n").encode(encoding), encoding, None, None)
        _same(layout, ("\n".join(lines) + "\n").encode(encoding), encoding, len(lines), None, block_bytes=5_000)


def test_our_own_layouts_are_read_by_columns() -> None:
    assert set(PLAIN) >= OURS
    assert all(is_columnar(load_layout(name)) for name in OURS)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("layout_id", PLAIN)
@settings(max_examples=EXAMPLES // 4)
@given(data=st.data())
def test_files_proved_together_read_as_each_does_by_itself(layout_id: str, encoding: str, data: st.DataObject) -> None:
    layout = load_layout(layout_id)
    files = data.draw(st.lists(_files(layout, encoding), max_size=4))
    good = write_file(layout, _distinct(layout, 3), encoding, _DAY), 3, control_totals(layout, _distinct(layout, 3))
    files.insert(data.draw(st.integers(0, len(files))), good)
    proved = prove_together(layout, encoding, [sent for sent, _, _ in files])
    assert len(proved) == len(files)
    for (sent, rows, totals), batch in zip(files, proved, strict=True):
        expected = parse_file(layout, "F.csv", sent, encoding, _DAY, rows, totals)
        if batch is None:
            # A layout whose key can be written in two ways goes to the row-wise reader whole.
            assert sent != good[0] or not is_columnar(layout)
            continue
        assert _rows(batch) == [_utc(row) for row in expected.rows]
        assert asdict(proved_file(layout, "F.csv", batch, rows, totals)) == {**asdict(expected), "rows": []}


def _distinct(layout: Layout, rows: int) -> list[dict[str, Any]]:
    """Good rows, each key once."""
    by_key = {tuple(row[column] for column in layout.key_columns): row for row in _good(layout, 20 * rows, 1)}
    return list(by_key.values())[:rows]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines the reference is asked about at each call; the first is about the heading alone."""
    import schemas.columnar as columnar

    counts: list[int] = []

    def counting(layout: Layout, file_name: str, data: bytes, *more: Any) -> Any:
        counts.append(data.count(b"\n") - 1)
        return parse_file(layout, file_name, data, *more)

    monkeypatch.setattr(columnar, "parse_file", counting)
    return counts


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("layout_id", sorted(OURS))
def test_good_rows_are_all_proved(layout_id: str, encoding: str, asked: list[int]) -> None:
    layout = load_layout(layout_id)
    rows = _distinct(layout, 100)
    data = write_file(layout, rows, encoding, _DAY)
    for sent in (data, data.replace(b"\n", b"\r\n")):
        reader = FileReader(layout, "F.csv", Content.of(sent), encoding, _DAY, row_wise_bytes=0)
        assert sum(batch.num_rows for batch in reader.batches()) == len(rows)
    assert asked == [0, 0]


def test_a_fault_in_one_line_costs_only_that_line_the_slow_way(asked: list[int]) -> None:
    layout = load_layout("platform_txn/1")
    lines = write_file(layout, _good(layout, 500, 1), "utf-8", _DAY).split(b"\n")
    lines[100] = lines[100].replace(b"CNY", b"XXX")
    reader = FileReader(layout, "F.csv", Content.of(b"\n".join(lines)), "utf-8", _DAY, row_wise_bytes=0)
    assert sum(batch.num_rows for batch in reader.batches()) == 499
    assert [f.line_no for f in reader.rest.faults] == [101]
    assert asked == [0, 1]
