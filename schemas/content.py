"""A file's bytes in pieces, and these in blocks of whole lines: what is in memory is a block, whatever the file's size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Nobody looks at more of a line.
MAX_LINE_BYTES = 16_384
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Content:
    """A file from its start, as often as it is asked for. Readers raise whatever ``pieces`` does."""

    pieces: Callable[[], Iterable[bytes]]

    @classmethod
    def of(cls, data: bytes) -> Content:
        return cls(lambda: (data[at : at + _PIECE_BYTES] for at in range(0, len(data), _PIECE_BYTES)))

    @classmethod
    def at(cls, path: Path) -> Content:
        return cls(lambda: _pieces_of(path))

    def head(self, most: int) -> bytes:
        """The first bytes, at least ``most`` of them where the file has so many."""
        found = b""
        for piece in self.pieces():
            found += piece
            if len(found) >= most:
                break
        return found

    def whole(self) -> bytes:
        return b"".join(self.pieces())


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def line_blocks(pieces: Iterable[bytes], block_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines, some ``block_bytes`` of them at a time, with the place of the first byte from 0; only the last may lack its end.

    A line that does not fit into a block stands in one of its own, and of what follows its first MAX_LINE_BYTES + 1 bytes much is left out.
    """
    text, start, left_out = b"", 0, 0
    for part in _parts(pieces, block_bytes):
        text += part
        while end := _end_of_block(text, left_out > 0):
            yield start, text[:end]
            start, text, left_out = start + end + left_out, text[end:], 0
        if len(text) > MAX_LINE_BYTES + 1:
            left_out += len(text) - MAX_LINE_BYTES - 1
            text = text[: MAX_LINE_BYTES + 1]
    if text:
        yield start, text


def _end_of_block(text: bytes, begins_with_long_line: bool) -> int:
    return (text.find(b"\n") if begins_with_long_line else text.rfind(b"\n")) + 1


def _parts(pieces: Iterable[bytes], wanted_bytes: int) -> Iterator[bytes]:
    """The same bytes, so many at a time or somewhat more."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        for at in range(0, len(piece), wanted_bytes):
            held.append(piece[at : at + wanted_bytes])
            size += len(held[-1])
            if size >= wanted_bytes:
                yield b"".join(held)
                held, size = [], 0
    yield b"".join(held)
