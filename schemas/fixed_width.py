"""Fixed-width files: bytes into records and cells, and back. Widths count bytes of the encoding.

Cells are cut from the bytes and decoded one by one: cutting decoded text would shift every field behind a Chinese one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from custody.findings import FileFault, RowFault
from schemas.content import MAX_LINE_BYTES, Content, line_blocks
from schemas.field_types import Field
from schemas.layout import RECORD_ENDS, Layout
from schemas.records import BLOCK_BYTES, Cells, Record, Records, decoding_fault

_NUMBER = re.compile(r"(-?)0*([0-9].*)")


def split(layout: Layout, file_name: str, content: Content, encoding: str) -> Records:
    """The file's records. Without record ends, what does not divide into records refuses the file."""
    out = Records(cut=lambda record: cut(layout, encoding, record))
    if layout.record_end == "none":
        out.body = _of_one_length(content, layout.record_length, out)
        return out
    if layout.last_record_end == "required" and not _is_ended(content):
        out.file_faults.append(FileFault(file_name, "truncated"))
    out.body = _lines(content)
    return out


def _of_one_length(content: Content, length: int, out: Records) -> Iterator[Record]:
    number, rest = 0, b""
    for piece in content.pieces():
        out.bytes += len(piece)
        rest += piece
        for start in range(0, len(rest) - length + 1, length):
            number += 1
            yield number, (number - 1) * length + 1, rest[start : start + length]
        rest = rest[len(rest) - len(rest) % length :]
    out.unaligned_bytes = len(rest)


def _is_ended(content: Content) -> bool:
    last = b"\n"
    for piece in content.pieces():
        last = piece[-1:] or last
    return last == b"\n"


def _lines(content: Content) -> Iterator[Record]:
    # No byte of a GB18030 or UTF-8 character is a line feed, so a line's end cannot be inside one.
    number = 0
    for place, block in line_blocks(content.pieces(), BLOCK_BYTES):
        start = 0
        while start < len(block):
            end = block.find(b"\n", start)
            end = len(block) if end < 0 else end
            number += 1
            yield number, place + start + 1, block[start:end].removesuffix(b"\r")
            start = end + 1


def cut(layout: Layout, encoding: str, record: Record) -> Cells:
    """A record's cells without their padding. One of another length cannot be cut; what stands behind it is read on."""
    line_no, position, raw = record
    if len(raw) > MAX_LINE_BYTES:  # how long it really is was not kept
        return None, [RowFault(line_no, "", "", "line_too_long", {"limit": MAX_LINE_BYTES})]
    if len(raw) != layout.record_length:
        figures: dict[str, object] = {"found": len(raw), "expected": layout.record_length, "position": position}
        return None, [RowFault(line_no, "", "", "record_length", figures)]
    cells: list[str | None] = []
    faults: list[RowFault] = []
    # Where every byte is one character, which Python tells at once, the record is decoded in one go.
    text = raw.decode("ascii") if raw.isascii() else None
    at = 0
    for field in layout.fields:
        end = at + field.width
        try:
            cell = raw[at:end].decode(encoding, errors="strict") if text is None else text[at:end]
            cells.append(unpadded(field, cell))
        except UnicodeDecodeError as error:
            faults.append(decoding_fault(line_no, field.name, error, raw[at:end], at, encoding))
            cells.append(None)
        at = end + layout.filler
        if layout.filler and raw[end:at].strip(b" "):
            faults.append(RowFault(line_no, field.name, raw[end:at].hex(), "filler", {"position": end + 1}))
    return cells, faults


def join(layout: Layout, rows: Iterable[Sequence[str]], encoding: str) -> bytes:
    """The file's bytes from the cells of its rows. Raises ValueError for a cell that is too long or would be read otherwise."""
    end, filler = RECORD_ENDS[layout.record_end], b" " * layout.filler
    return b"".join(
        filler.join(padded(f, cell, encoding) for f, cell in zip(layout.fields, cells, strict=True)) + end for cells in rows
    )


def shown(layout: Layout, raw: bytes, encoding: str) -> str:
    """A rejected record as it may be kept outside the archive: its cells apart, masked where they may be personal."""
    if len(raw) != layout.record_length:
        return layout.shown(raw[:80].decode(encoding, errors="backslashreplace"))
    at, parts = 0, []
    for field in layout.fields:
        parts.append(layout.shown(raw[at : at + field.width].decode(encoding, errors="backslashreplace").strip(" ")))
        at += field.width + layout.filler
    return "|".join(parts)[:2000]


def unpadded(field: Field, cell: str) -> str:
    """A cell without its padding; a number that is not padded as declared stays as it is, for its type to refuse."""
    if field.padded_as == "spaces_right":
        return cell.rstrip(" ")
    if field.padded_as == "spaces_left":
        return cell.lstrip(" ")
    if cell.isdigit():
        return cell.lstrip("0") or "0"
    if not cell.strip(" "):
        return ""
    mark = 1 if field.sign is not None and field.sign.field is None else 0
    return cell[:mark] + _NUMBER.sub(r"\1\2", cell[mark:])


def padded(field: Field, cell: str, encoding: str) -> bytes:
    """A cell at its field's width. Raises ValueError where it does not fit, or would not be read back."""
    padding = field.padded_as
    if padding == "zeros_left" and cell:
        mark = 1 if (field.sign is not None and field.sign.field is None) or cell.startswith("-") else 0
        cell = cell[:mark] + cell[mark:].rjust(field.width - mark, "0")
    raw = cell.encode(encoding)
    raw = raw.rjust(field.width) if padding == "spaces_left" else raw.ljust(field.width)
    if len(raw) != field.width:
        raise ValueError(f"{field.name}: {cell!r} takes {len(cell.encode(encoding))} bytes, the field has {field.width}")
    if padding != "zeros_left" and unpadded(field, raw.decode(encoding)) != cell:
        raise ValueError(f"{field.name}: {cell!r} would be read without its spaces")
    return raw
