"""Reading and writing a party's file by its layout, whatever its format: strict decoding, typed cells, checked rows.

A bad row becomes faults with its line; it is never repaired, shifted or dropped. Faults of the whole file (header, record
length, summary, row count, control totals against the seal) are returned beside the rows, for the caller to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from custody.findings import FileFault, RowFault
from custody.masking import mask
from custody.money import MAX_MINOR, format_amount
from schemas import delimited, fixed_width
from schemas.envelope import BadEnvelope, close_envelope, open_envelope
from schemas.exchange import TOTAL
from schemas.field_types import BadValue, Value
from schemas.layout import Layout, Summary
from schemas.records import Record, Records

# So many rejected rows make the file itself unusable: a line end costs a sender one byte, its finding us a thousand.
MAX_REJECTED = 100_000


@dataclass
class ParsedFile:
    """``rows`` carry landed column names plus ``line_no``; ``rejected_lines`` maps a line number to its raw text, masked."""

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


def parse_file(
    layout: Layout,
    file_name: str,
    data: bytes,
    encoding: str,
    custody_date: date | None,
    expected_rows: int | None = None,
    expected_totals: Mapping[str, str] | None = None,
) -> ParsedFile:
    """Parse a whole file. ``custody_date`` is the file's, needed where ``layout.needs_date``. ``expected_*`` are what the
    seal says (totals in yuan text); None leaves them unchecked."""
    if layout.needs_date and custody_date is None:
        raise ValueError(f"a file of layout {layout.id} cannot be read without its custody date")
    out = ParsedFile(totals_minor=dict.fromkeys(layout.totals, 0), rejected_totals_minor=dict.fromkeys(layout.totals, 0))
    try:
        data = open_envelope(layout.envelope, data)
    except BadEnvelope as bad:
        out.file_faults.append(FileFault(file_name, bad.rule, bad.figures))
        return out
    records = _FORMATS[layout.format].split(layout, file_name, data, encoding)
    out.file_faults.extend(records.file_faults)
    if records.stopped:
        return out
    tally = _Tally(layout.summary) if layout.summary is not None else None
    keys = FirstLines(layout)
    first_bad = 0
    for record in records.body:
        line_no, position, raw = record
        out.rows_seen += 1
        row, faults = _read_row(layout, records, record, custody_date)
        _count_totals(layout, row, out)
        if tally is not None:
            tally.count(layout, row)
        if not faults and row is not None:
            faults = keys.faults(row, line_no)
        if faults or row is None:
            first_bad = first_bad or position
            out.faults.extend(faults)
            out.rejected_lines[line_no] = _FORMATS[layout.format].shown(layout, raw, encoding)
            if row is not None:
                count_rejected(layout, line_no, row, out)
            if has_too_many_rejected(file_name, out):
                return out
        else:
            row["line_no"] = line_no
            out.rows.append(row)
    if records.unaligned_bytes:
        figures = {"bytes": len(data), "length": layout.record_length, "rest": records.unaligned_bytes}
        position = first_bad or len(data) - records.unaligned_bytes + 1
        out.file_faults.append(FileFault(file_name, "record_alignment", {**figures, "position": position}))
    if tally is not None and records.summary is not None:
        out.file_faults.extend(tally.faults(layout, file_name, records.summary, encoding, custody_date))
    check_seal(layout, file_name, out, expected_rows, expected_totals)
    return out


def has_too_many_rejected(file_name: str, out: ParsedFile) -> bool:
    """Whether nothing more of the file needs to be read; it is then a fault of the file, of which these rows are the first."""
    if len(out.rejected_lines) < MAX_REJECTED:
        return False
    out.file_faults.append(FileFault(file_name, "too_many_rejected", {"limit": MAX_REJECTED}))
    return True


def write_file(layout: Layout, rows: Iterable[Mapping[str, Value]], encoding: str, custody_date: date | None) -> bytes:
    """Rows (by landed column name) to the file's bytes; parsing them gives the same rows back. Raises ValueError for what
    the layout cannot carry."""
    if layout.summary is not None:
        rows = list(rows)
    lines = (_cells(layout, row, custody_date) for row in rows)
    if layout.format == "fixed_width":
        data = fixed_width.join(layout, lines, encoding)
    else:
        summary = None if layout.summary is None else _summary_cells(layout, layout.summary, list(rows), custody_date)
        data = delimited.join(layout, lines, summary, encoding)
    return close_envelope(layout.envelope, data, custody_date)


def control_totals(layout: Layout, rows: Iterable[Mapping[str, Value]]) -> dict[str, str]:
    """The seal's control totals for these rows: field -> sum in yuan text."""
    sums = dict.fromkeys(layout.totals, 0)
    for row in rows:
        for name in layout.totals:
            value = row[layout.by_name[name].column]
            assert isinstance(value, int)
            sums[name] += value
    return {name: format_amount(minor) for name, minor in sums.items()}


class FirstLines:
    """Where each key of a file stood first."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lines: dict[tuple[Value, ...], int] | None = {} if layout.key and layout.rejects_repeated_key else None

    def faults(self, row: Mapping[str, Value], line_no: int) -> list[RowFault]:
        """A fault where the key stands already and the layout rejects that."""
        if self._lines is None:
            return []
        layout = self._layout
        key = tuple(row[column] for column in layout.key_columns)
        first = self._lines.setdefault(key, line_no)
        if first == line_no:
            return []
        shown = "|".join(_shown_key(layout, name, part) for name, part in zip(layout.key, key, strict=True))
        return [RowFault(line_no, layout.key[0], shown, "duplicate_key", {"key": shown, "first_line": first})]


def count_rejected(layout: Layout, line_no: int, row: Mapping[str, Value], out: ParsedFile) -> None:
    """What could be read of a rejected row: its totals and its key."""
    for name in layout.totals:
        value = row.get(layout.by_name[name].column)
        if isinstance(value, int):
            out.rejected_totals_minor[name] += value
    named = [(name, row.get(column)) for name, column in zip(layout.key, layout.key_columns, strict=True)]
    out.rejected_keys[line_no] = "|".join(
        f"{name}={_shown_key(layout, name, value)}" for name, value in named if value is not None
    )


def _shown_key(layout: Layout, name: str, value: Value) -> str:
    """A part of a key as a finding may show it."""
    return mask(str(value)) if layout.by_name[name].personal else str(value)


def _read_row(
    layout: Layout, records: Records, record: Record, file_date: date | None
) -> tuple[dict[str, Value] | None, list[RowFault]]:
    """A record's values by landed column, as far as they could be read (None: it could not be cut), and its faults."""
    line_no = record[0]
    cells, faults = records.cut(record)
    if cells is None:
        return None, faults
    row: dict[str, Value] = {}
    for field_, cell in zip(layout.fields, cells, strict=True):
        if cell is None:
            continue
        try:
            value = field_.parse(cell, file_date)
        except BadValue as bad:
            shown = layout.shown(cell)
            # Why it is no amount quotes the cell.
            figures = {**bad.figures, "why": shown} if layout.is_personal and "why" in bad.figures else bad.figures
            faults.append(RowFault(line_no, field_.name, shown, bad.rule, figures))
        else:
            if field_.is_kept:
                row[field_.column] = value
    for column, mark_column, sign in layout.signed_fields:
        value, mark = row.get(column), row.get(mark_column)
        if mark == sign.minus and isinstance(value, int):
            row[column] = -value
        elif mark not in (sign.plus, sign.minus):
            row.pop(column, None)
            if mark is not None:
                marks: dict[str, object] = {"plus": sign.plus, "minus": sign.minus}
                faults.append(RowFault(line_no, str(sign.field), layout.shown(str(mark)), "sign_mark", marks))
    if layout.checks and not faults:
        for check in layout.checks:
            broken = check.broken(row, file_date)
            if broken is not None:
                value = row.get(layout.by_name[check.place].column) if check.place in layout.by_name else None
                faults.append(RowFault(line_no, check.place, layout.shown(str(value or "")), broken.rule, broken.figures))
    return row, faults


def _count_totals(layout: Layout, row: Mapping[str, Value] | None, out: ParsedFile) -> None:
    if row is None:
        out.totals_complete = False
        return
    for name in layout.totals:
        value = row.get(layout.by_name[name].column)
        if isinstance(value, int):
            out.totals_minor[name] += value
        else:
            out.totals_complete = False


class _Tally:
    """What a summary line must say: numbers and sums over the rows, None once a row could not be read for it."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self.figures: list[int | None] = [0] * len(summary.fields)

    def count(self, layout: Layout, row: Mapping[str, Value] | None) -> None:
        for place, told in enumerate(self._summary.fields):
            so_far = self.figures[place]
            if so_far is None or not (told.rows or told.sum_of):
                continue
            adds = 1 if told.rows and not told.where else self._adds(layout, place, row)
            self.figures[place] = None if adds is None else so_far + adds

    def _adds(self, layout: Layout, place: int, row: Mapping[str, Value] | None) -> int | None:
        told = self._summary.fields[place]
        wanted = [layout.by_name[name] for name in (*told.where, *([told.sum_of] if told.sum_of else []))]
        if row is None or any(f.column not in row for f in wanted):
            return None
        if any(f.format(row[f.column]) not in told.where[f.name] for f in wanted if f.name in told.where):
            return 0
        if told.rows:
            return 1
        value = row[layout.by_name[str(told.sum_of)].column]
        return value if isinstance(value, int) else 0

    def faults(self, layout: Layout, file_name: str, line: Record, encoding: str, file_date: date | None) -> list[FileFault]:
        """What the summary line says against the rows."""
        fields = self._summary.fields
        cells, bad_line = delimited.cut(layout, encoding, line, len(fields))
        if cells is None or bad_line:
            return [FileFault(file_name, "summary_unreadable", {"field": "-"})]
        found = []
        for told, cell, expected in zip(fields, cells, self.figures, strict=True):
            try:
                value = told.field.parse(str(cell), file_date)
            except BadValue:
                found.append(FileFault(file_name, "summary_unreadable", {"field": told.field.name}))
                continue
            if (told.rows or told.sum_of) and expected is not None and value != expected:
                figures: dict[str, object] = {"field": told.field.name, "said": cell, "found": told.field.format(expected)}
                found.append(FileFault(file_name, "summary", figures))
        return found


def _cells(layout: Layout, row: Mapping[str, Value], file_date: date | None) -> list[str]:
    for column, mark_column, sign in layout.signed_fields:
        value = row[column]
        mark = sign.minus if isinstance(value, int) and value < 0 else sign.plus
        if value and row[mark_column] != mark:
            raise ValueError(f"{column} is {value} beside the mark {row[mark_column]!r}")
    return [f.format(row[f.column], file_date) if f.is_kept else f.blank or "" for f in layout.fields]


def _summary_cells(layout: Layout, summary: Summary, rows: Sequence[Mapping[str, Value]], file_date: date | None) -> list[str]:
    tally = _Tally(summary)
    for row in rows:
        tally.count(layout, row)
    return [
        told.field.format(figure, file_date) if told.rows or told.sum_of else told.field.example or ""
        for told, figure in zip(summary.fields, tally.figures, strict=True)
    ]


def check_seal(
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
        said = expected_totals.get(name, "")
        is_said = re.fullmatch(TOTAL, said) is not None
        if max(abs(out.totals_minor[name]), abs(int(said.replace(".", ""))) if is_said else 0) > MAX_MINOR:
            # So that sums over all files of a date fit into 64 bits.
            figures = {"field": name, "found": said or found, "limit": format_amount(MAX_MINOR)}
            out.file_faults.append(FileFault(file_name, "total_too_large", figures))
            continue
        # Where a row's amount could not be read the totals cannot be compared; that row's own faults stand instead.
        if not is_said or (out.totals_complete and said != found):
            figures = {"field": name, "found": found, "expected": said or "-"}
            out.file_faults.append(FileFault(file_name, "control_total", figures))


_FORMATS = {"delimited": delimited, "fixed_width": fixed_width}
