"""Reading and writing delimited files by their layout: strict decoding, one record a line, no quoting.

A bad row becomes faults with its line; it is never repaired, shifted or dropped. Faults of the whole file (header, row
count, control totals against the seal) are returned beside the rows, for the caller to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from custody.findings import FileFault, RowFault
from custody.money import format_amount
from schemas.layout import BadValue, Layout, Value

MAX_LINE_BYTES = 16_384


@dataclass
class ParsedFile:
    """``rows`` carry landed column names plus ``line_no``; ``rejected`` maps a line number to its faults and raw text."""

    rows: list[dict[str, Value]] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)
    file_faults: list[FileFault] = field(default_factory=list)
    rejected_lines: dict[int, str] = field(default_factory=dict)
    # The key of a rejected row as far as it could be read ("request_no=R1|leg=1"), so that its counterpart can name it.
    rejected_keys: dict[int, str] = field(default_factory=dict)
    rows_seen: int = 0
    # Control totals over every row whose total fields could be read, rejected ones included.
    totals_minor: dict[str, int] = field(default_factory=dict)
    # The same over the rejected rows alone, so that landed + rejected = the file's trailer.
    rejected_totals_minor: dict[str, int] = field(default_factory=dict)
    totals_complete: bool = True


def parse_delimited(
    layout: Layout,
    file_name: str,
    data: bytes,
    encoding: str,
    expected_rows: int | None = None,
    expected_totals: Mapping[str, str] | None = None,
) -> ParsedFile:
    """Parse a whole file. ``expected_*`` are what the seal says (totals in yuan text); None leaves them unchecked."""
    out = ParsedFile(totals_minor=dict.fromkeys(layout.totals, 0), rejected_totals_minor=dict.fromkeys(layout.totals, 0))
    lines = data.split(b"\n")
    if lines[-1] != b"":
        out.file_faults.append(FileFault(file_name, "truncated"))
    else:
        lines.pop()
    header = lines[0].decode(encoding, errors="backslashreplace").removeprefix("\ufeff").removesuffix("\r") if lines else ""
    if header != layout.header:
        # A missing header line is somebody's data: where that may be personal, only its shape is shown.
        shown = f"{header.count(layout.delimiter) + 1} columns" if layout.is_personal else header[:120]
        out.file_faults.append(FileFault(file_name, "header", {"found": shown}))
        return out
    first_line_of_key: dict[tuple[Value, ...], int] = {}
    for line_no, raw in enumerate(lines[1:], start=2):
        out.rows_seen += 1
        row, faults = _parse_line(layout, line_no, raw, encoding, out)
        if row is not None and not faults:
            key = tuple(row[layout.field(name).column] for name in layout.key)
            first = first_line_of_key.setdefault(key, line_no)
            if first != line_no and layout.rejects_repeated_key:
                shown = "|".join(str(part) for part in key)
                faults = [RowFault(line_no, layout.key[0], shown, "duplicate_key", {"key": shown, "first_line": first})]
        if faults or row is None:
            out.faults.extend(faults)
            out.rejected_lines[line_no] = _shown_line(layout, raw, encoding)
            if row is not None:
                _count_rejected(layout, line_no, row, out)
        else:
            row["line_no"] = line_no
            out.rows.append(row)
    _check_seal(layout, file_name, out, expected_rows, expected_totals)
    return out


def write_delimited(layout: Layout, rows: Iterable[Mapping[str, Value]], encoding: str) -> bytes:
    """Rows (by landed column name) to the file's bytes; parsing them gives the same rows back."""
    lines = [layout.header]
    for row in rows:
        cells = [f.format(row[f.column]) for f in layout.fields]
        for cell in cells:
            if layout.delimiter in cell or "\n" in cell:
                raise ValueError(f"{cell!r} cannot stand in a file delimited by {layout.delimiter!r}")
        lines.append(layout.delimiter.join(cells))
    return ("\n".join(lines) + "\n").encode(encoding)


def control_totals(layout: Layout, rows: Iterable[Mapping[str, Value]]) -> dict[str, str]:
    """The seal's control totals for these rows: field -> sum in yuan text."""
    sums = dict.fromkeys(layout.totals, 0)
    for row in rows:
        for name in layout.totals:
            value = row[layout.field(name).column]
            assert isinstance(value, int)
            sums[name] += value
    return {name: format_amount(minor) for name, minor in sums.items()}


def _parse_line(
    layout: Layout, line_no: int, raw: bytes, encoding: str, out: ParsedFile
) -> tuple[dict[str, Value] | None, list[RowFault]]:
    if len(raw) > MAX_LINE_BYTES:
        out.totals_complete = False
        return None, [RowFault(line_no, "", "", "line_too_long", {"limit": MAX_LINE_BYTES})]
    if raw.endswith(b"\r"):
        raw = raw[:-1]
    faults: list[RowFault] = []
    try:
        text = raw.decode(encoding, errors="strict")
    except UnicodeDecodeError as error:
        shown = raw[error.start : error.start + 1].hex()
        faults.append(RowFault(line_no, "", shown, "bad_byte", {"position": error.start + 1, "encoding": encoding}))
        text = raw.decode(encoding, errors="backslashreplace")
    cells = text.split(layout.delimiter)
    if len(cells) != len(layout.fields):
        out.totals_complete = False
        shown = f"{len(cells)}"
        faults.append(RowFault(line_no, "", shown, "columns", {"found": len(cells), "expected": len(layout.fields)}))
        return None, faults
    row: dict[str, Value] = {}
    for field_, cell in zip(layout.fields, cells, strict=True):
        try:
            row[field_.column] = field_.parse(cell)
        except BadValue as bad:
            faults.append(RowFault(line_no, field_.name, layout.shown(cell), bad.rule, bad.figures))
    for name in layout.totals:
        value = row.get(layout.field(name).column)
        if isinstance(value, int):
            out.totals_minor[name] += value
        else:
            out.totals_complete = False
    return row, faults


def _count_rejected(layout: Layout, line_no: int, row: Mapping[str, Value], out: ParsedFile) -> None:
    """What could be read of a rejected row: its totals and its key."""
    for name in layout.totals:
        value = row.get(layout.field(name).column)
        if isinstance(value, int):
            out.rejected_totals_minor[name] += value
    named = [(name, row.get(layout.field(name).column)) for name in layout.key]
    out.rejected_keys[line_no] = "|".join(f"{name}={value}" for name, value in named if value is not None)


def _shown_line(layout: Layout, raw: bytes, encoding: str) -> str:
    """The rejected line as it may be kept outside the archive: masked where it may be personal, length bounded."""
    text = raw[:MAX_LINE_BYTES].decode(encoding, errors="backslashreplace")
    cells = text.split(layout.delimiter)
    return layout.delimiter.join(layout.shown(cell) for cell in cells)[:2000]


def _check_seal(
    layout: Layout,
    file_name: str,
    out: ParsedFile,
    expected_rows: int | None,
    expected_totals: Mapping[str, str] | None,
) -> None:
    if expected_rows is not None and expected_rows != out.rows_seen:
        figures: dict[str, object] = {"found": out.rows_seen, "expected": expected_rows}
        out.file_faults.append(FileFault(file_name, "row_count", figures))
    if expected_totals is None:
        return
    for name in layout.totals:
        found = format_amount(out.totals_minor[name])
        # Where a row's amount could not be read the totals cannot be compared; that row's own faults stand instead.
        if out.totals_complete and expected_totals.get(name) != found:
            figures = {"field": name, "found": found, "expected": expected_totals.get(name, "nothing")}
            out.file_faults.append(FileFault(file_name, "control_total", figures))
