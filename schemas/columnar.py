"""Reading our own delimited files as Arrow batches: the engine proves what is clean, the reference explains the rest.

A file is cut into blocks at line ends, each block into columns by Arrow, and each column is judged as a whole. A line that
is not proved clean goes to the row-wise reader (schemas.layout_file), as does a file of any other layout; so rows, faults
and totals are the reference's, and only their speed is ours.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from custody.findings import FileFault
from custody.money import MAX_MINOR, parse_amount
from schemas import delimited
from schemas.content import MAX_LINE_BYTES, Content, line_blocks
from schemas.field_types import FIRST_YEAR, BadValue, Field, Value
from schemas.layout import Layout
from schemas.layout_file import (
    MAX_REJECTED,
    FirstLines,
    ParsedFile,
    RowReader,
    check_seal,
    count_rejected,
    has_too_many_rejected,
    parse_file,
)

BLOCK_BYTES = 8 << 20
# Below this a file's rows are read sooner one by one than its columns are looked at.
ROW_WISE_BYTES = 12_000
# So many lines that were not proved are read one by one before what is said of them may be taken.
_EXPLAINED_AT_ONCE = 4_096
_BOM = b"\xef\xbb\xbf"
_ARROW_TYPES = {"integer": pa.int64(), "amount": pa.int64(), "date": pa.date32(), "time": pa.timestamp("us", tz="UTC")}
# Where two different cells never have one value, a key's text tells as much as the key.
_ONE_TEXT_EACH = frozenset({"code", "text", "enum", "date", "time", "identity", "phone", "card"})

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def landed_schema(layout: Layout) -> pa.Schema:
    """The landed columns of a layout and ``line_no``, all of them nullable."""
    kept = [(f.column, _ARROW_TYPES.get(f.type, pa.string())) for f in layout.fields if f.is_kept]
    return pa.schema([*kept, ("line_no", pa.int64())])


def batch_of(layout: Layout, rows: Sequence[Mapping[str, Value]]) -> pa.RecordBatch:
    """Rows of the row-wise reader as one batch."""
    schema = landed_schema(layout)
    return pa.RecordBatch.from_arrays([pa.array([r[f.name] for r in rows], f.type) for f in schema], schema=schema)


class FileReader:
    """One file, read in blocks: ``batches`` gives its good rows in the order of lines, ``rest`` all else, complete behind the last batch
    and without rows. What was rejected so far may be taken out of it behind each batch (which may have no rows).

    ``custody_date`` and ``expected_*`` as for parse_file. ``threads`` look at blocks side by side; the result is the same. Beside the
    blocks eight octets are kept for each line of a layout that rejects repeated keys.
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
        *,
        threads: int = 1,
        block_bytes: int = BLOCK_BYTES,
        row_wise_bytes: int = ROW_WISE_BYTES,
    ) -> None:
        self.rest = ParsedFile()
        self._layout, self._file_name, self._encoding, self._date = layout, file_name, encoding, custody_date
        self._content = content
        self._expected = expected_rows, expected_totals
        self._threads, self._block_bytes, self._row_wise_bytes = threads, block_bytes, row_wise_bytes

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Raises ValueError where parse_file does."""
        if not is_columnar(self._layout) or len(self._content.head(self._row_wise_bytes + 1)) <= self._row_wise_bytes:
            reader = RowReader(self._layout, self._file_name, self._content, self._encoding, self._date, *self._expected)
            self.rest = reader.rest
            for rows in reader.blocks():
                yield batch_of(self._layout, rows)
            return
        blocks = self._blocks()
        heading = next(blocks)
        self.rest = parse_file(self._layout, self._file_name, heading, self._encoding, self._date)
        stopped = bool(self.rest.file_faults)
        if not stopped:
            yield from self._body(heading, blocks)
        for _ in blocks:  # only its end is asked for
            pass
        if not self._last_is_ended:
            self.rest.file_faults.insert(0, FileFault(self._file_name, "truncated"))
        if not stopped and self.rest.rows_rejected < MAX_REJECTED:
            check_seal(self._layout, self._file_name, self.rest, *self._expected)

    def _body(self, heading: bytes, blocks: Iterator[bytes]) -> Iterator[pa.RecordBatch]:
        repeated = self._repeated_keys()
        # Repeated keys are looked for over the whole file, not in the lines that one call happens to hold.
        explain = _Explain(
            replace(self._layout, rejects_repeated_key=False), self._file_name, heading, self._encoding, self._date
        )
        keys = FirstLines(self._layout)

        def judge(block: bytes) -> tuple[_Judged, bytes]:
            return _judge(self._layout, block, self._encoding, repeated), block

        line_no = 2
        for judged, block in _in_order(judge, blocks, self._threads):
            batch = self._counted(judged, line_no)
            good: list[dict[str, Value]] = []
            for rows in self._explained(explain, keys, judged.unproved, block, line_no):
                good += rows
                yield batch.slice(0, 0)
            if has_too_many_rejected(self._file_name, self.rest):
                return
            if good:
                both = pa.Table.from_batches([batch, batch_of(self._layout, good)])
                (batch,) = both.sort_by("line_no").combine_chunks().to_batches()
            self.rest.rows_seen += judged.lines
            line_no += judged.lines
            yield batch

    def _blocks(self) -> Iterator[bytes]:
        """The heading with its end, then the lines behind it."""
        self._last_is_ended = True
        heading = None
        for _, block in line_blocks(self._content.pieces(), self._block_bytes):
            self._last_is_ended = block.endswith(b"\n")
            if heading is None:
                heading, _, block = block.partition(b"\n")
                yield heading[: MAX_LINE_BYTES + 1] + b"\n"
            if block:
                yield block

    def _repeated_keys(self) -> Numbers | None:
        """Hashes of the keys that stand twice or more in the file, sorted; None where nothing looks at them."""
        if not (self._layout.key and self._layout.rejects_repeated_key):
            return None
        found = []
        for block in islice(self._blocks(), 1, None):
            cut = _cut(self._layout, block, self._encoding, self._layout.key)
            found.append(_key_hashes(self._layout, cut.table))
        return _repeated(found)

    def _counted(self, judged: _Judged, first_line: int) -> pa.RecordBatch:
        for name in self._layout.totals:
            total = pc.sum(judged.batch[self._layout.by_name[name].column]).as_py()
            self.rest.totals_minor[name] += total or 0
        numbers = pc.add(judged.batch["line_no"], first_line)
        return judged.batch.set_column(judged.batch.num_columns - 1, "line_no", numbers)

    def _explained(
        self, explain: _Explain, keys: FirstLines, places: Numbers, block: bytes, first_line: int
    ) -> Iterator[list[dict[str, Value]]]:
        """What the reference says of these lines of a block, some at a time: its good rows, all else is added to ``rest``; no more of them
        are looked at than it takes to refuse the file."""
        if not len(places):
            return
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _LINE_FEED)
        starts = np.concatenate([[0], ends + 1])
        at = 0
        while at < len(places) and self.rest.rows_rejected < MAX_REJECTED:
            some = places[at : at + min(_EXPLAINED_AT_ONCE, MAX_REJECTED - self.rest.rows_rejected)]
            at += len(some)
            lines = [block[starts[n] : ends[n] if n < len(ends) else len(block)] for n in some.tolist()]
            yield self._explained_part(explain, keys, (some + first_line).tolist(), lines)

    def _explained_part(
        self, explain: _Explain, keys: FirstLines, numbers: list[int], lines: Sequence[bytes]
    ) -> list[dict[str, Value]]:
        out = self.rest
        raw = dict(zip(numbers, lines, strict=True))
        found = explain(numbers, lines)
        for name in self._layout.totals:
            out.totals_minor[name] += found.totals_minor[name]
            out.rejected_totals_minor[name] += found.rejected_totals_minor[name]
        out.totals_complete &= found.totals_complete
        out.rejected_lines |= found.rejected_lines
        out.rejected_keys |= found.rejected_keys
        out.rows_rejected += found.rows_rejected
        repeats = keys.faults([(int(str(row["line_no"])), row) for row in found.rows])
        good = []
        for row in found.rows:
            line_no = int(str(row["line_no"]))
            if line_no in repeats:
                out.reject(line_no, [], delimited.shown(self._layout, raw[line_no], self._encoding))
                count_rejected(self._layout, line_no, row, out)
            else:
                good.append(row)
        out.faults += sorted([*found.faults, *repeats.values()], key=lambda fault: fault.line_no)
        return good


def _repeated(found: Sequence[Numbers]) -> Numbers:
    """The numbers that stand twice or more, sorted. One sixteenth of them is copied at a time."""
    again = [np.empty(0, np.int64)]
    for part in range(-8, 8):
        some = np.sort(np.concatenate([again[0], *(numbers[numbers >> 60 == part] for numbers in found)]))
        again.append(np.unique(some[1:][some[1:] == some[:-1]]))
    return np.concatenate(again)


def prove_together(layout: Layout, encoding: str, files: Sequence[bytes]) -> list[pa.RecordBatch | None]:
    """Small files of one layout looked at as if they were one: for each its rows where every line of it is proved clean, None
    where it is to be read by itself. A thousand files then cost little more than their bytes."""
    if not is_columnar(layout):
        return [None] * len(files)
    heading = f"{layout.header}\n".encode()
    bodies = [data[len(heading) :] if data.startswith(heading) and data.endswith(b"\n") else b"" for data in files]
    # The place of each file's first line, and behind the last one.
    firsts = np.concatenate([[0], np.cumsum([body.count(b"\n") for body in bodies])])
    judged = _judge(layout, b"".join(bodies), encoding, None)
    places = judged.batch["line_no"].to_numpy()
    owners = np.searchsorted(firsts, places, side="right") - 1
    odd = set((np.searchsorted(firsts, judged.unproved, side="right") - 1).tolist())
    if layout.key and layout.rejects_repeated_key:
        keys = pa.table([pa.array(owners), *(judged.batch[c] for c in layout.key_columns)], ["owner", *layout.key_columns])
        counted = keys.group_by(["owner", *layout.key_columns]).aggregate([([], "count_all")])
        odd |= set(counted.filter(pc.greater(counted["count_all"], 1))["owner"].to_pylist())
    rows = np.searchsorted(places, firsts)
    numbered = judged.batch.set_column(judged.batch.num_columns - 1, "line_no", pa.array(places - firsts[owners] + 2))
    return [
        None if number in odd or not body else numbered.slice(start, end - start)
        for number, (body, start, end) in enumerate(zip(bodies, rows.tolist(), rows[1:].tolist(), strict=False))
    ]


def proved_file(
    layout: Layout, file_name: str, batch: pa.RecordBatch, expected_rows: int | None, expected_totals: Mapping[str, str] | None
) -> ParsedFile:
    """What is to be said of a file of which every line was proved, beside its rows."""
    totals = {name: pc.sum(batch[layout.by_name[name].column]).as_py() or 0 for name in layout.totals}
    rest = ParsedFile(rows_seen=batch.num_rows, totals_minor=totals, rejected_totals_minor=dict.fromkeys(layout.totals, 0))
    check_seal(layout, file_name, rest, expected_rows, expected_totals)
    return rest


@dataclass(frozen=True)
class _Explain:
    """The reference's word on single lines."""

    layout: Layout
    file_name: str
    heading: bytes
    encoding: str
    custody_date: date | None

    def __call__(self, numbers: Sequence[int], lines: Sequence[bytes]) -> ParsedFile:
        data = self.heading + b"".join(line + b"\n" for line in lines)
        found = parse_file(self.layout, self.file_name, data, self.encoding, self.custody_date)
        # Its lines count from 2, behind the heading.
        for row in found.rows:
            row["line_no"] = numbers[int(str(row["line_no"])) - 2]
        return replace(
            found,
            faults=[replace(fault, line_no=numbers[fault.line_no - 2]) for fault in found.faults],
            rejected_lines={numbers[n - 2]: shown for n, shown in found.rejected_lines.items()},
            rejected_keys={numbers[n - 2]: key for n, key in found.rejected_keys.items()},
        )


@dataclass(frozen=True)
class _Judged:
    """One block: rows proved clean (``line_no`` counts from 0 in the block) and the places of all other lines."""

    batch: pa.RecordBatch
    unproved: Numbers
    lines: int


@dataclass(frozen=True)
class _Cut:
    """Columns of text of the lines that could be cut, their places in the block, and how many lines it has."""

    table: pa.Table
    places: Numbers
    lines: int


def is_columnar(layout: Layout) -> bool:
    """Whether files of the layout are read by columns; all others go to the row-wise reader whole."""
    keys_tell = all(layout.by_name[name].type in _ONE_TEXT_EACH for name in layout.key)
    return layout.is_plain and layout.delimiter.isascii() and (keys_tell or not layout.rejects_repeated_key)


def _in_order(work: Callable[[bytes], Any], blocks: Iterator[bytes], threads: int) -> Iterator[Any]:
    if threads == 1:
        yield from map(work, blocks)
        return
    with ThreadPoolExecutor(threads) as pool:
        under_way: deque[Future[Any]] = deque()
        for block in blocks:
            under_way.append(pool.submit(work, block))
            if len(under_way) > threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _judge(layout: Layout, block: bytes, encoding: str, repeated: Numbers | None) -> _Judged:
    cut = _cut(layout, block, encoding, [f.name for f in layout.fields])
    cells = [_Cells.of(cut.table[f.name]) for f in layout.fields]
    length = sum((c.lengths for c in cells), np.zeros(cut.table.num_rows, np.int64)) + len(cells)
    # In another encoding a character may take twice the bytes that it takes in UTF-8. A line of nothing is cut like one of
    # blank cells, and is none.
    clean = (length * (1 if encoding == "utf-8" else 2) < MAX_LINE_BYTES) & (length > len(cells))
    columns = []
    for field, column in zip(layout.fields, cells, strict=True):
        if field.required:
            clean &= column.filled
        values, good = _judge_column(field, column)
        clean &= good
        columns.append(values)
    if repeated is not None and len(repeated):
        hashes = _key_hashes(layout, cut.table)
        clean &= repeated[np.minimum(np.searchsorted(repeated, hashes), len(repeated) - 1)] != hashes
    batch = pa.RecordBatch.from_arrays([*columns, pa.array(cut.places)], schema=landed_schema(layout))
    if clean.all():
        unproved = np.setdiff1d(np.arange(cut.lines), cut.places, assume_unique=True) if len(cut.places) < cut.lines else _NONE
        return _Judged(batch, unproved, cut.lines)
    return _Judged(batch.filter(pa.array(clean)), np.setdiff1d(np.arange(cut.lines), cut.places[clean]), cut.lines)


_NONE: Numbers = np.empty(0, np.int64)


def _cut(layout: Layout, block: bytes, encoding: str, names: Sequence[str]) -> _Cut:
    """The columns ``names`` of a block."""
    text, kept, lines = _as_utf8(block, encoding)
    not_cut: list[int] = []

    def skip(row: Any) -> str:
        not_cut.append(row.number - 1)
        return "skip"

    headings = [f.name for f in layout.fields]
    reading = pa_csv.ReadOptions(column_names=headings, use_threads=False, block_size=len(text) + 1)
    parting = pa_csv.ParseOptions(
        delimiter=layout.delimiter, quote_char=False, ignore_empty_lines=False, invalid_row_handler=skip
    )
    as_text = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(headings, pa.string()),
        include_columns=list(names),
        strings_can_be_null=False,
        check_utf8=False,
    )
    if text:
        table = pa_csv.read_csv(pa.BufferReader(text), reading, parting, as_text)
    else:
        table = pa.table({name: pa.array([], pa.string()) for name in names})
    places = np.arange(table.num_rows + len(not_cut)) if kept is None else kept
    if not_cut:
        places = np.delete(places, not_cut)
    return _Cut(table, places, lines or table.num_rows + len(not_cut))


def _as_utf8(block: bytes, encoding: str) -> tuple[bytes, Numbers | None, int]:
    """The block's lines in UTF-8, ended by line feeds alone; where not all of them can be, those that can, their places, and
    how many there are in all."""
    returns = b"\r" in block
    if not returns or block.count(b"\r") == block.count(b"\r\n"):
        try:
            text = block.replace(b"\r\n", b"\n") if returns else block
            if not text.isascii():
                text = text.decode(encoding).encode()
            # Arrow would take a byte order mark away here, and here only.
            if not text.startswith(_BOM):
                return text, None, 0
        except UnicodeError:
            pass
    kept, places = [], []
    lines = block.removesuffix(b"\n").split(b"\n")
    for place, raw in enumerate(lines):
        line = raw.removesuffix(b"\r")
        try:
            text = line.decode(encoding).encode()
        except UnicodeError:
            continue
        if b"\r" not in text and not text.startswith(_BOM):
            kept.append(text + b"\n")
            places.append(place)
    return b"".join(kept), np.array(places, np.int64), len(lines)


def _key_hashes(layout: Layout, table: pa.Table) -> Numbers:
    """A hash of each row's key, drawn anew in each process: nobody can choose keys that meet in it."""
    parts = [table[name] for name in layout.key]
    # A delimiter stands in no cell.
    joined = pc.binary_join_element_wise(*parts, layout.delimiter) if len(parts) > 1 else parts[0]
    return np.fromiter(map(hash, joined.to_pylist()), np.int64, table.num_rows)


@dataclass(frozen=True)
class _Cells:
    """A column of text: its bytes, and where in them each cell ends (``offsets`` has one more than there are cells)."""

    text: pa.StringArray
    offsets: Numbers
    data: Bytes
    lengths: Numbers

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Cells:
        text = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], pa.string())])
        _, offsets, data = text.buffers()
        ends = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1].astype(np.int64)
        content = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data is not None else np.empty(0, np.uint8)
        ends = ends - ends[0]
        return cls(text, ends, content, np.diff(ends))

    @property
    def filled(self) -> Mask:
        return self.lengths > 0

    def without(self, bytes_: Mask) -> Mask:
        """The cells in which none of these bytes (a mask over ``data``) stands."""
        found = np.ones(len(self.lengths), bool)
        if bytes_.any():
            found[np.searchsorted(self.offsets, np.flatnonzero(bytes_), side="right") - 1] = False
        return found

    def byte(self, places: Numbers) -> Bytes:
        """The bytes at these places of ``data``; anything for a place that lies outside it."""
        return self.data[np.clip(places, 0, max(len(self.data) - 1, 0))] if len(self.data) else np.zeros(len(places), np.uint8)


def _judge_column(field: Field, cells: _Cells) -> tuple[pa.Array, Mask]:
    """The column's values, null where blank or not proved, and which cells are proved or blank. Whether a blank cell may be
    is not asked here."""
    judge = _JUDGES.get(field.type, _by_distinct)
    if field.type == "code" and _word(field.pattern) is None:
        judge = _by_distinct
    if not len(cells.data):
        return pa.nulls(len(cells.lengths), _ARROW_TYPES.get(field.type, pa.string())), np.ones(len(cells.lengths), bool)
    return judge(field, cells)


def _by_distinct(field: Field, cells: _Cells) -> tuple[pa.Array, Mask]:
    """Each different cell judged once, by the reference itself."""
    coded = cells.text.dictionary_encode()
    values: list[Value] = []
    good = np.ones(len(coded.dictionary), bool)
    for place, cell in enumerate(coded.dictionary.to_pylist()):
        try:
            values.append(field.parse(cell) if cell else None)
        except BadValue:
            values.append(None)
            good[place] = False
    indices = coded.indices.to_numpy()
    kind = _ARROW_TYPES.get(field.type, pa.string())
    return pa.array(values, kind).take(coded.indices), good[indices]


@cache
def _word(pattern: str | None) -> tuple[Mask, int, int] | None:
    """A pattern of one class of ASCII characters, ``[class]{m,n}``: which bytes it takes, m and n. None for any other."""
    found = re.fullmatch(r"(\[(?!\^)[A-Za-z0-9_.:/-]+\])\{([0-9]+),([0-9]+)\}", pattern or "")
    if found is None:
        return None
    taken = np.array([bool(re.fullmatch(found[1], chr(code))) for code in range(128)] + [False] * 128)
    return taken, int(found[2]), int(found[3])


def _code(field: Field, cells: _Cells) -> tuple[pa.Array, Mask]:
    word = _word(field.pattern)
    assert word is not None
    taken, shortest, longest = word
    good = cells.without(~taken[cells.data]) & (cells.lengths >= shortest) & (cells.lengths <= longest)
    return _nulled(cells.text, cells.filled), good | ~cells.filled


def _nulled(text: pa.StringArray, filled: Mask) -> pa.StringArray:
    """The same cells, null where they are not filled."""
    if filled.all():
        return text
    _, offsets, data = text.buffers()
    return pa.StringArray.from_buffers(len(text), offsets, data, _bits(filled), -1, text.offset)


def _bits(mask: Mask) -> pa.Buffer:
    return pa.py_buffer(np.packbits(mask, bitorder="little").tobytes())


_DIGITS = np.zeros(256, bool)
_DIGITS[ord("0") : ord("9") + 1] = True
_ZERO, _MINUS, _POINT, _LINE_FEED = b"0-.\n"


def _integer(field: Field, cells: _Cells) -> tuple[pa.Array, Mask]:
    numbers, good = _numbers(cells, 18, points=False)
    low, high = (None if bound is None else int(bound) for bound in (field.min, field.max))
    return _bounded(numbers, good, cells.filled, low, high)


def _amount(field: Field, cells: _Cells) -> tuple[pa.Array, Mask]:
    numbers, good = _numbers(cells, 15, points=True)
    low, high = (None if bound is None else parse_amount(bound) for bound in (field.min, field.max))
    return _bounded(numbers, good & (np.abs(numbers) <= MAX_MINOR), cells.filled, low, high)


def _bounded(numbers: Numbers, good: Mask, filled: Mask, low: int | None, high: int | None) -> tuple[pa.Array, Mask]:
    if low is not None:
        good = good & (numbers >= low)
    if high is not None:
        good = good & (numbers <= high)
    return pa.array(numbers, pa.int64(), mask=~(filled & good)), good | ~filled


def _numbers(cells: _Cells, most: int, *, points: bool) -> tuple[Numbers, Mask]:
    """Cells of ``-?(0|[1-9][0-9]*)``, at most ``most`` digits, with ``points`` at most two decimals behind a point and the
    number in hundredths. A number counts only where the cell is good."""
    first, ends, length = cells.offsets[:-1], cells.offsets[1:], cells.lengths
    negative = (cells.byte(first) == _MINUS) & (length > 1)
    two = one = np.zeros(len(length), bool)
    is_point = np.zeros(len(cells.data), bool)
    taken = _DIGITS[cells.data]
    if points:
        two = (length > 3) & (cells.byte(ends - 3) == _POINT)
        one = (length > 2) & (cells.byte(ends - 2) == _POINT) & ~two
        is_point[(ends - 3)[two]] = True
        is_point[(ends - 2)[one]] = True
    is_sign = np.zeros(len(cells.data), bool)
    is_sign[first[negative]] = True
    whole = length - negative - 3 * two - 2 * one
    good = cells.without(~(taken | is_point | is_sign)) & (whole >= 1) & (whole <= most)
    good &= (cells.byte(first + negative) != _ZERO) | (whole == 1)
    digits_only = _drop(cells, is_point, good)
    numbers = digits_only.cast(pa.int64()).fill_null(0).to_numpy()
    if points:
        numbers = np.where(two, numbers, np.where(one, numbers * 10, numbers * 100)) if not two.all() else numbers
    return numbers, good


def _drop(cells: _Cells, dropped: Mask, kept: Mask) -> pa.StringArray:
    """The cells without the bytes ``dropped``, null where a cell is not ``kept``."""
    data, offsets = cells.data, cells.offsets
    if dropped.any():
        before = np.concatenate([[0], np.cumsum(dropped)])
        data, offsets = data[~dropped], offsets - before[offsets]
    buffers = pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(np.ascontiguousarray(data))
    return pa.StringArray.from_buffers(len(kept), *buffers, _bits(kept))


def _date(field: Field, cells: _Cells) -> tuple[pa.Array, Mask]:
    seconds, good = _moments(cells, "0000-00-00")
    days = (seconds // 86_400).astype(np.int32)
    return pa.array(days, pa.int32(), mask=~(good & cells.filled)).cast(pa.date32()), good | ~cells.filled


def _time(field: Field, cells: _Cells) -> tuple[pa.Array, Mask]:
    seconds, good = _moments(cells, "0000-00-00T00:00:00")
    micros = (seconds - _CHINA_SECONDS) * 1_000_000
    return pa.array(micros, pa.int64(), mask=~(good & cells.filled)).cast(_ARROW_TYPES["time"]), good | ~cells.filled


_CHINA_SECONDS = 8 * 3600
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DAYS_BEFORE = np.concatenate([[0], np.cumsum(_MONTH_DAYS)[:12]])
_EPOCH_DAYS = date(1970, 1, 1).toordinal() - 1


def _moments(cells: _Cells, form: str) -> tuple[Numbers, Mask]:
    """Seconds since 1970-01-01T00:00:00 on the same clock, and which cells name a moment in this form (0 stands for digits)."""
    good = cells.lengths == len(form)
    rows = cells.data if good.all() else cells.data[np.repeat(good, cells.lengths)]
    letters = rows.reshape(-1, len(form))
    numbers = letters.astype(np.int64) - _ZERO
    exists = np.ones(len(letters), bool)
    for place, char in enumerate(form):
        exists &= _DIGITS[letters[:, place]] if char == "0" else letters[:, place] == ord(char)
    numbers[~exists] = 1

    def number(start: int, length: int = 2) -> Numbers:
        found = numbers[:, start]
        for place in range(start + 1, start + length):
            found = found * 10 + numbers[:, place]
        return found

    year, month, day = number(0, 4), number(5), number(8)
    exists &= (year >= FIRST_YEAR) & (month >= 1) & (month <= 12)
    month = np.where(exists, month, 1)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    exists &= (day >= 1) & (day <= _MONTH_DAYS[month] + (leap & (month == 2)))
    past = year - 1
    days = 365 * past + past // 4 - past // 100 + past // 400 + _DAYS_BEFORE[month] + (leap & (month > 2)) + day - 1
    seconds = (days - _EPOCH_DAYS) * 86_400
    if "T" in form:
        hour, minute, second = number(11), number(14), number(17)
        exists &= (hour < 24) & (minute < 60) & (second < 60)
        seconds = seconds + hour * 3600 + minute * 60 + second
    found = np.zeros(len(good), np.int64)
    found[good] = seconds
    proved = np.zeros(len(good), bool)
    proved[good] = exists
    return found, proved


_JUDGES: dict[str, Callable[[Field, _Cells], tuple[pa.Array, Mask]]] = {
    "code": _code,
    "integer": _integer,
    "amount": _amount,
    "date": _date,
    "time": _time,
}
