"""What is written is read back, by every layout and in each of its encodings; and no byte that anyone sends makes the
reader fail, lose a row, or read one field's bytes as another's."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_rows import FILE_DATE, bare, rows_of, without_checks

from custody.calendar import CHINA
from schemas.layout import Layout, all_layouts, load_layout
from schemas.layout_file import FirstLines, ParsedFile, control_totals, parse_file, write_file

# The profile's number, shared out: there are many layouts, and `make soak` raises it.
EXAMPLES = settings().max_examples
LAYOUTS = sorted(all_layouts())
EACH = [(layout_id, encoding) for layout_id in LAYOUTS for encoding in load_layout(layout_id).encodings]
FIXED = [(layout_id, encoding) for layout_id, encoding in EACH if load_layout(layout_id).format == "fixed_width"]
ENDED = [each for each in FIXED if load_layout(each[0]).record_end != "none"]


def read(layout: Layout, data: bytes, encoding: str) -> ParsedFile:
    return parse_file(layout, "F", data, encoding, FILE_DATE)


def values(parsed: ParsedFile) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k != "line_no"} for row in parsed.rows]


def accounted(layout: Layout, parsed: ParsedFile) -> None:
    """Every row that was seen is landed or rejected, and so is every fen that could be read (domain.md §4.10)."""
    landed = {row["line_no"] for row in parsed.rows}
    assert len(landed) + len(parsed.rejected_lines) == parsed.rows_seen
    assert {f.line_no for f in parsed.faults} == set(parsed.rejected_lines)
    for words in [f.words for f in parsed.faults] + [f.words for f in parsed.file_faults]:
        assert all(words)
    for name, total in parsed.totals_minor.items():
        column = layout.field(name).column
        assert sum(int(str(row[column])) for row in parsed.rows) + parsed.rejected_totals_minor[name] == total


@pytest.mark.parametrize(("layout_id", "encoding"), EACH)
@settings(max_examples=EXAMPLES // 8)
@given(data=st.data())
def test_rows_written_are_read_back(layout_id: str, encoding: str, data: st.DataObject) -> None:
    layout = without_checks(load_layout(layout_id))
    rows = data.draw(rows_of(layout, encoding))
    written = write_file(layout, rows, encoding, FILE_DATE)
    parsed = parse_file(layout, "F", written, encoding, FILE_DATE, len(rows), control_totals(layout, rows))
    assert (parsed.faults, parsed.file_faults) == ([], [])
    assert values(parsed) == rows
    for row in parsed.rows:
        for value in row.values():
            assert not isinstance(value, datetime) or value.utcoffset() == CHINA.utcoffset(None)
    assert write_file(layout, parsed.rows, encoding, FILE_DATE) == written


@pytest.mark.parametrize(("layout_id", "encoding"), EACH)
@settings(max_examples=EXAMPLES // 20)
@given(data=st.data())
def test_damaged_bytes_are_faults_and_never_an_exception(layout_id: str, encoding: str, data: st.DataObject) -> None:
    layout = bare(load_layout(layout_id))
    sent = bytearray(write_file(layout, data.draw(rows_of(layout, encoding, min_size=2)), encoding, FILE_DATE))
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4)):
        sent[place % len(sent)] = byte
    cut = data.draw(st.one_of(st.none(), st.integers(0, 10**6)))
    accounted(layout, read(layout, bytes(sent[: cut % len(sent)] if cut is not None else sent), encoding))


@given(each=st.sampled_from(EACH), body=st.binary(max_size=700))
def test_any_bytes_at_all_are_rows_or_faults(each: tuple[str, str], body: bytes) -> None:
    layout = load_layout(each[0])
    accounted(layout, read(layout, body, each[1]))
    head = b"" if layout.header_rule == "none" else layout.header.encode(each[1]) + b"\n"
    parsed = read(bare(layout), head + body, each[1])
    accounted(layout, parsed)
    if layout.header_rule != "none" and layout.summary is None:
        assert parsed.rows_seen == body.count(b"\n") + (not body.endswith(b"\n") and body != b"")


@pytest.mark.parametrize(("layout_id", "encoding"), FIXED)
@settings(max_examples=EXAMPLES // 20)
@given(data=st.data())
def test_damage_in_one_field_touches_no_other(layout_id: str, encoding: str, data: st.DataObject) -> None:
    layout = bare(load_layout(layout_id))
    row = data.draw(rows_of(layout, encoding, min_size=1))[0]
    record = bytearray(write_file(layout, [row], encoding, FILE_DATE))
    which = data.draw(st.sampled_from([n for n, f in enumerate(layout.fields) if f.is_kept]))
    field = layout.fields[which]
    start = sum(f.width + layout.filler for f in layout.fields[:which])
    # Half a Chinese character and whole ones, digits, spaces; a line feed would be another record.
    garbage = st.sampled_from([b"\xd5", b"\xc5\xf3", b"\x81\x30\x84", b"7", b" ", b"\xff", b"A"])
    record[start : start + field.width] = b"".join(data.draw(st.lists(garbage, min_size=field.width, max_size=field.width)))[
        : field.width
    ]
    parsed = read(layout, bytes(record), encoding)
    marked = {amount for amount, mark, _ in layout.signed_fields if mark == field.column}
    if parsed.rows:
        changed = {column for column, value in values(parsed)[0].items() if value != row[column]}
        assert changed <= {field.column} | marked
    else:
        assert {f.field for f in parsed.faults} <= {field.name}


@pytest.mark.parametrize(("layout_id", "encoding"), ENDED)
@settings(max_examples=EXAMPLES // 20)
@given(data=st.data())
def test_reading_goes_on_behind_a_record_of_bad_length(layout_id: str, encoding: str, data: st.DataObject) -> None:
    layout = bare(load_layout(layout_id))
    rows = data.draw(rows_of(layout, encoding, min_size=3))
    records = write_file(layout, rows, encoding, FILE_DATE).split(b"\n")
    place = data.draw(st.integers(0, layout.record_length - 1))
    end = b"\r" if layout.record_end == "crlf" else b""
    records[1] = records[1][:place] + records[1][place + 1 :] if data.draw(st.booleans()) else b"x" + records[1].removesuffix(end)
    parsed = read(layout, b"\n".join(records), encoding)
    assert [(f.line_no, f.rule) for f in parsed.faults] == [(2, "record_length")]
    assert parsed.faults[0].figures["position"] == len(records[0]) + 2
    assert values(parsed) == [rows[0], *rows[2:]]


@given(blocks=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=9))
def test_where_a_key_stood_first_is_known_over_all_blocks(blocks: list[list[str]]) -> None:
    layout = load_layout("platform_claim/1")
    keys = FirstLines(layout)
    known: dict[str, int] = {}
    line_no = 2
    for block in blocks:
        rows = [(line_no + place, {"claim_id": key}) for place, key in enumerate(block)]
        line_no += len(block)
        wanted = {n: known[row["claim_id"]] for n, row in rows if known.setdefault(row["claim_id"], n) != n}
        assert {n: fault.figures["first_line"] for n, fault in keys.faults(rows).items()} == wanted
