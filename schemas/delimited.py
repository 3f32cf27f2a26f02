"""Delimited files: lines into cells and back. A line whose cells do not fit the header is a fault, never a shifted row."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

from custody.findings import FileFault, RowFault
from custody.masking import visible
from schemas.content import MAX_LINE_BYTES, Content, line_blocks
from schemas.layout import RECORD_ENDS, Layout
from schemas.records import BLOCK_BYTES, Cells, Record, Records, decoding_fault

_BOM = "\ufeff"


def split(layout: Layout, file_name: str, content: Content, encoding: str) -> Records:
    """The file's lines, its header judged, its summary apart."""
    out = Records()
    lines = _Lines(content, _BOM.encode(encoding) if encoding != "gbk" else b"")
    if not lines.last_is_ended and layout.last_record_end == "required":
        out.file_faults.append(FileFault(file_name, "truncated"))
    first, last = 0, len(lines)
    if layout.summary is not None:
        at = 0 if layout.summary.at == "before" else last - 2
        found = _heading(lines, at, encoding) if at >= 0 else ""
        if len(lines) < 2 or found != layout.delimiter.join(f.field.heading or f.field.name for f in layout.summary.fields):
            return _stop(out, file_name, "summary_header", {"found": _shown_heading(layout, found)})
        out.summary = (at + 2, 0, lines.line(at + 1))
        first, last = (2, last) if layout.summary.at == "before" else (0, at)
    places: list[int | None] | None = None
    width = len(layout.fields)
    if layout.header_rule != "none":
        header = _heading(lines, first, encoding) if first < last else ""
        if layout.header_rule == "exact":
            if header != layout.header:
                return _stop(out, file_name, "header", {"found": _shown_heading(layout, header)})
        else:
            names = _cells_of(layout, header, "") or []
            wrong = _wrong_columns(layout, names)
            if wrong:
                return _stop(out, file_name, "header_columns", wrong)
            places, width = [names.index(h) if h in names else None for h in layout.headings], len(names)
        first += 1
    out.body = ((number, 0, line) for number, line in lines.numbered(first, last))
    out.cut = lambda record: cut(layout, encoding, record, width, places)
    return out


class _Lines:
    """The lines of a file, looked through once for how many they are; each is cut when it is asked for, and of one that is too long only
    enough to see that it is."""

    def __init__(self, content: Content, mark: bytes) -> None:
        self._content, self._mark = content, mark
        self._count, self.last_is_ended = 0, True
        # A summary stands before the header and the rows, or behind them.
        self._first: list[bytes] = []
        self._last: deque[bytes] = deque(maxlen=2)
        for _, block in line_blocks(content.pieces(), BLOCK_BYTES):
            self.last_is_ended = block.endswith(b"\n")
            lines = block.count(b"\n") + (not self.last_is_ended)
            if len(self._first) < 3:
                self._first += block.split(b"\n", 3)[: min(lines, 3)]
            self._last.extend(block.removesuffix(b"\n").rsplit(b"\n", 2)[-2:])
            self._count += lines

    def __len__(self) -> int:
        return self._count

    def line(self, number: int) -> bytes:
        """By its number from 0: one of the first three, or of the last two."""
        if number < len(self._first):
            return self._cut(number, self._first[number])
        return self._cut(number, self._last[number - self._count])

    def numbered(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Lines ``first`` to before ``last``, with their number from 1."""
        number = 0
        for _, block in line_blocks(self._content.pieces(), BLOCK_BYTES):
            at = 0
            while at < len(block):
                end = block.find(b"\n", at)
                end = len(block) if end < 0 else end
                number += 1
                if first < number <= last:
                    yield number, self._cut(number - 1, block[at:end])
                at = end + 1

    def _cut(self, number: int, line: bytes) -> bytes:
        return (line.removeprefix(self._mark) if number == 0 else line)[: MAX_LINE_BYTES + 1]


def cut(layout: Layout, encoding: str, record: Record, width: int, places: Sequence[int | None] | None = None) -> Cells:
    """A line's cells in the order of the layout's fields; ``places`` says where each one's column is (None: as they stand)."""
    line_no, _, raw = record
    if len(raw) > MAX_LINE_BYTES:
        return None, [RowFault(line_no, "", "", "line_too_long", {"limit": MAX_LINE_BYTES})]
    if raw.endswith(b"\r"):
        raw = raw[:-1]
    faults: list[RowFault] = []
    try:
        text = raw.decode(encoding, errors="strict")
    except UnicodeDecodeError as error:
        faults.append(decoding_fault(line_no, "", error, raw, 0, encoding))
        text = raw.decode(encoding, errors="backslashreplace")
    if layout.quoting == "none" and not layout.cell_prefix:
        cells = text.split(layout.delimiter)
    else:
        found = _cells_of(layout, text, layout.cell_prefix)
        if found is None:
            rule = "cell_prefix" if layout.cell_prefix else "quotes"
            return None, [*faults, RowFault(line_no, "", "", rule, {"prefix": layout.cell_prefix})]
        cells = found
    if len(cells) != width:
        return None, [*faults, RowFault(line_no, "", f"{len(cells)}", "columns", {"found": len(cells), "expected": width})]
    if places is None:
        return cells, faults  # type: ignore[return-value]  # a list of text is one of optional text to whoever only reads it
    return ["" if place is None else cells[place] for place in places], faults


def join(layout: Layout, rows: Iterable[Sequence[str]], summary: Sequence[str] | None, encoding: str) -> bytes:
    """The file's bytes from the cells of its rows and of its summary line. Raises ValueError for a cell that cannot stand."""
    lines = [] if layout.header_rule == "none" else [_line(layout, layout.headings, "")]
    lines += [_line(layout, cells, layout.cell_prefix) for cells in rows]
    if layout.summary is not None and summary is not None:
        headings = [f.field.heading or f.field.name for f in layout.summary.fields]
        both = [layout.delimiter.join(headings), _line(layout, summary, layout.cell_prefix)]
        lines = [*both, *lines] if layout.summary.at == "before" else [*lines, *both]
    end = RECORD_ENDS[layout.record_end].decode()
    return ((_BOM if layout.bom else "") + "".join(line + end for line in lines)).encode(encoding)


def shown(layout: Layout, raw: bytes, encoding: str) -> str:
    """A rejected line as it may be kept outside the archive: masked where it may be personal, length bounded."""
    text = raw[:MAX_LINE_BYTES].decode(encoding, errors="backslashreplace").removesuffix("\r")
    return layout.delimiter.join(layout.shown(cell) for cell in text.split(layout.delimiter))[:2000]


def _cells_of(layout: Layout, text: str, prefix: str) -> list[str] | None:
    """The cells of one line; None where its quotes or prefixes do not hold."""
    if prefix:
        # The prefix parts cells together with the delimiter, so a delimiter inside a text shifts nothing.
        return text.removeprefix(prefix).split(layout.delimiter + prefix) if text.startswith(prefix) else None
    return text.split(layout.delimiter) if layout.quoting == "none" else _unquoted(text, layout.delimiter)


def _unquoted(text: str, delimiter: str) -> list[str] | None:
    """RFC 4180's cells of one line; None where a quote is not closed, or stands inside or behind a cell where it may not."""
    cells: list[str] = []
    at = 0
    while True:
        if text.startswith('"', at):
            parts = []
            at += 1
            while True:
                end = text.find('"', at)
                if end < 0:
                    return None
                parts.append(text[at:end])
                at = end + 1
                if not text.startswith('"', at):
                    break
                parts.append('"')
                at += 1
            cells.append("".join(parts))
            if at == len(text):
                return cells
            if text[at] != delimiter:
                return None
            at += 1
        else:
            end = text.find(delimiter, at)
            cell = text[at:] if end < 0 else text[at:end]
            if '"' in cell:
                return None
            cells.append(cell)
            if end < 0:
                return cells
            at = end + 1


def _line(layout: Layout, cells: Sequence[str], prefix: str) -> str:
    parting = layout.delimiter + prefix
    written = []
    for cell in cells:
        bare = layout.quoting == "none" or not (layout.delimiter in cell or '"' in cell)
        if "\n" in cell or (layout.quoting == "none" and parting in cell) or cell.endswith("\r"):
            raise ValueError(f"{cell!r} cannot stand in a file delimited by {parting!r}")
        quoted = cell.replace('"', '""')
        written.append(prefix + cell if bare else f'"{quoted}"')
    return layout.delimiter.join(written)


def _heading(lines: _Lines, at: int, encoding: str) -> str:
    return lines.line(at).decode(encoding, errors="backslashreplace").removesuffix("\r") if at < len(lines) else ""


def _shown_heading(layout: Layout, header: str) -> str:
    # A missing header line is somebody's data: where that may be personal, only its shape is shown.
    return f"{header.count(layout.delimiter) + 1} columns" if layout.is_personal else visible(header, 120)


def _wrong_columns(layout: Layout, names: Sequence[str]) -> dict[str, object]:
    """What is wrong with the columns of a header that is bound by name; empty where nothing is."""
    known = {*layout.headings, *layout.extra_columns}
    unknown = [name for name in names if name not in known]
    missing = [f.heading or f.name for f in layout.fields if not f.optional_column and (f.heading or f.name) not in names]
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if not (unknown or missing or repeated):
        return {}
    told = f"{len(unknown)}" if layout.is_personal else visible(", ".join(unknown), 120)
    return {"unknown": told or "-", "missing": ", ".join(missing) or "-", "repeated": visible(", ".join(repeated), 120) or "-"}


def _stop(out: Records, file_name: str, rule: str, figures: dict[str, object]) -> Records:
    out.file_faults.append(FileFault(file_name, rule, figures))
    out.stopped = True
    return out
