"""Reading and writing a party's file by its layout, whatever its format: strict decoding, typed cells, checked rows.

A bad row becomes faults with its line; it is never repaired, shifted or dropped. Faults of the whole file (header, record
length, summary, row count, control totals against the seal) are returned beside the rows, for the caller to judge.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice

import numpy as np
import numpy.typing as npt

from custody.findings import FileFault, RowFault
from custody.masking import mask
from custody.money import MAX_MINOR, format_amount
from schemas import delimited, fixed_width
from schemas.content import Content
from schemas.envelope import BadEnvelope, close_envelope, open_envelope
from schemas.exchange import TOTAL
from schemas.field_types import BadValue, Value
from schemas.layout import Layout, Summary
from schemas.records import Record, Records

# So many rejected rows make the file itself unusable: a line end costs a sender one byte, its finding us a thousand.
MAX_REJECTED = 100_000
# So many records are read before their rows are handed on.
ROWS_AT_ONCE = 4_096


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
    rows_rejected: int = 0
    # Control totals over every row whose total fields could be read, rejected ones included.
    totals_minor: dict[str, int] = field(default_factory=dict)
    # The same over the rejected rows alone, so that landed + rejected = the file's trailer.
    rejected_totals_minor: dict[str, int] = field(default_factory=dict)
    totals_complete: bool = True

    def reject(self, line_no: int, faults: Iterable[RowFault], shown: str) -> None:
        self.faults.extend(faults)
        self.rejected_lines[line_no] = shown
        self.rows_rejected += 1

    def take_rejected(self) -> Rejected:
        """What is known of rejected rows, which is not here any longer: whoever reads a file block by block keeps no more than one
        block's. Their number and totals stay."""
        taken = Rejected(self.faults, self.rejected_lines, self.rejected_keys)
        self.faults, self.rejected_lines, self.rejected_keys = [], {}, {}
        return taken


@dataclass(frozen=True)
class Rejected:
    """Rejected rows, as ParsedFile has them."""

    faults: list[RowFault]
    lines: Mapping[int, str]
    keys: Mapping[int, str]


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
    reader = RowReader(layout, file_name, Content.of(data), encoding, custody_date, expected_rows, expected_totals)
    rows = [row for block in reader.blocks() for row in block]
    reader.rest.rows = rows
    return reader.rest


class RowReader:
    """One file, read once, record by record: ``blocks`` gives its good rows in the order of lines, ``rest`` all else, complete behind the
    last block. What was rejected so far may be taken out of it behind each block (which may have no rows).

    Arguments as for parse_file. What comes in an envelope is in memory while it is read, as much as its layout lets it be.
    """

    def __init__(
        self,
        layout: Layout,
        file_name: str,
        content: Content,
        encoding: str,
        custody_date: date | None,
        expected_rows: int | None = None,
        expected_totals: Mapping[str, str] | None = None,
    ) -> None:
        if layout.needs_date and custody_date is None:
            raise ValueError(f"a file of layout {layout.id} cannot be read without its custody date")
        self.rest = ParsedFile(
            totals_minor=dict.fromkeys(layout.totals, 0), rejected_totals_minor=dict.fromkeys(layout.totals, 0)
        )
        self._layout, self.file_name, self._content = layout, file_name, content
        self._encoding, self._date, self._expected = encoding, custody_date, (expected_rows, expected_totals)
        self._tally = _Tally(layout.summary) if layout.summary is not None else None
        self._keys = FirstLines(layout)
        # Where the first rejected record begins.
        self._first_bad = 0

    def blocks(self) -> Iterator[list[dict[str, Value]]]:
        layout, out, name = self._layout, self.rest, self.file_name
        content = self._content
        if layout.envelope:
            try:
                content = Content.of(open_envelope(layout.envelope, content.whole()))
            except BadEnvelope as bad:
                out.file_faults.append(FileFault(name, bad.rule, bad.figures))
                return
        records = _FORMATS[layout.format].split(layout, name, content, self._encoding)
        out.file_faults.extend(records.file_faults)
        if records.stopped:
            return
        body = iter(records.body)
        while some := list(islice(body, ROWS_AT_ONCE)):
            yield self._block(records, some)
            if has_too_many_rejected(name, out):
                return
        if records.unaligned_bytes:
            figures = {"bytes": records.bytes, "length": layout.record_length, "rest": records.unaligned_bytes}
            position = self._first_bad or records.bytes - records.unaligned_bytes + 1
            out.file_faults.append(FileFault(name, "record_alignment", {**figures, "position": position}))
        if self._tally is not None and records.summary is not None:
            out.file_faults.extend(self._tally.faults(layout, name, records.summary, self._encoding, self._date))
        check_seal(layout, name, out, *self._expected)

    def _block(self, records: Records, some: Sequence[Record]) -> list[dict[str, Value]]:
        """The good rows; no more than it takes to refuse the file is counted of the others."""
        layout, out = self._layout, self.rest
        read = [_read_row(layout, records, record, self._date) for record in some]
        repeats = self._keys.faults(
            [(record[0], row) for record, (row, faults) in zip(some, read, strict=True) if row is not None and not faults]
        )
        good = []
        for (line_no, position, raw), (row, faults) in zip(some, read, strict=True):
            out.rows_seen += 1
            _count_totals(layout, row, out)
            if self._tally is not None:
                self._tally.count(layout, row)
            if line_no in repeats:
                faults = [repeats[line_no]]
            if faults or row is None:
                self._first_bad = self._first_bad or position
                out.reject(line_no, faults, _FORMATS[layout.format].shown(layout, raw, self._encoding))
                if row is not None:
                    count_rejected(layout, line_no, row, out)
                if out.rows_rejected >= MAX_REJECTED:
                    break
            else:
                row["line_no"] = line_no
                good.append(row)
        return good


def has_too_many_rejected(file_name: str, out: ParsedFile) -> bool:
    """Whether nothing more of the file needs to be read; it is then a fault of the file, of which these rows are the first."""
    if out.rows_rejected < MAX_REJECTED:
        return False
    out.file_faults.append(too_many_rejected(file_name))
    return True


def too_many_rejected(file_name: str) -> FileFault:
    return FileFault(file_name, "too_many_rejected", {"limit": MAX_REJECTED})


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


_KEY_BYTES = 16
_Digests = npt.NDArray[np.bytes_]
_Lines = npt.NDArray[np.int64]


class FirstLines:
    """Where each key of a file stood first: 24 bytes for each, a digest of 128 bits and the line, in sorted runs of which each is
    longer than the next."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._runs: list[tuple[_Digests, _Lines]] = []

    def faults(self, rows: Sequence[tuple[int, Mapping[str, Value]]]) -> dict[int, RowFault]:
        """By line number: a fault where the key stands already and the layout rejects that. ``rows``, with their line numbers, stand behind
        all that were asked about before."""
        layout = self._layout
        if not rows or not layout.key or not layout.rejects_repeated_key:
            return {}
        keys = [tuple(row[column] for column in layout.key_columns) for _, row in rows]
        digests = np.array([_digest(key) for key in keys], f"S{_KEY_BYTES}")
        # In this block, then in the runs of those before: there each key stands once.
        own, first_places, which = np.unique(digests, return_index=True, return_inverse=True)
        lines = np.array([line_no for line_no, _ in rows], np.int64)
        firsts = lines[first_places]
        for run, run_lines in self._runs:
            at = np.minimum(np.searchsorted(run, own), len(run) - 1)
            stood = run[at] == own
            firsts[stood] = run_lines[at[stood]]
        is_new = firsts == lines[first_places]
        self._add(own[is_new], firsts[is_new])
        found = {}
        for place in np.flatnonzero(firsts[which] != lines).tolist():
            line_no, first = int(lines[place]), int(firsts[which[place]])
            shown = "|".join(_shown_key(layout, name, part) for name, part in zip(layout.key, keys[place], strict=True))
            found[line_no] = RowFault(line_no, layout.key[0], shown, "duplicate_key", {"key": shown, "first_line": first})
        return found

    def _add(self, digests: _Digests, lines: _Lines) -> None:
        while self._runs and len(self._runs[-1][0]) <= len(digests):
            run, run_lines = self._runs.pop()
            digests, lines = np.concatenate([run, digests]), np.concatenate([run_lines, lines])
            order = np.argsort(digests, kind="stable")
            digests, lines = digests[order], lines[order]
        if len(digests):
            self._runs.append((digests, lines))


def _digest(key: tuple[Value, ...]) -> bytes:
    return hashlib.blake2b(repr(key).encode("utf-8", errors="surrogatepass"), digest_size=_KEY_BYTES).digest()


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
