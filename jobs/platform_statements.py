"""Each platform's STATEMENT of a date (domain.md §5, §9): a line for each posting to its customers' sub-accounts, from opening to closing,
written into the archive piece by piece as the step ``statement`` sealed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.names import FileType
from custody.services.outputs import Seal
from schemas.arrow_writer import lines_of
from schemas.exchange import ExchangeName
from schemas.layout import load_layout

LAYOUT = "bank_statement/1"
_TABLE = "statement_lines"


class StatementFile(NamedTuple):
    platform: str
    name: str
    sha256: str
    archive_ref: str


def statement_files(wiring: Wiring, sealed: Seal, platforms: Iterable[str]) -> list[StatementFile]:
    """The file of each platform, archived; one of whose accounts none moved has the header alone. Its version is the step's. Raises
    SealBroken."""
    names = {
        platform: str(ExchangeName(platform, FileType.STATEMENT, sealed.custody_date, 1, sealed.version))
        for platform in platforms
    }
    written = {}
    # The table lies in the order of accounts, so a platform's lines stand together.
    lines = _by_platform(wiring.lake.pieces(sealed.path, _TABLE, {}))
    for platform, pieces in groupby(lines, key=lambda piece: piece[0]):
        if platform in names:
            text = _text((rows for _, rows in pieces), sealed)
            written[platform] = wiring.archive.keep_pieces(names[platform], text)
    for platform in names.keys() - written.keys():
        written[platform] = wiring.archive.keep_pieces(names[platform], _text((), sealed))
    return [StatementFile(platform, names[platform], *kept) for platform, kept in sorted(written.items())]


def _by_platform(pieces: Iterable[pa.Table]) -> Iterator[tuple[str, pa.Table]]:
    for piece in pieces:
        parts = pc.extract_regex(piece["sub_account"], r"^(?P<platform>[^.]+)\.(?P<role>[^.]+)\.(?P<user_no>.+)$")
        platform, role, user_no = (pc.struct_field(parts, n) for n in range(3))
        named = piece.append_column("role", role).append_column("user_no", user_no).append_column("line", piece["line_no"])
        for one in pc.unique(platform).to_pylist():
            yield one, named.filter(pc.equal(platform, one))


def _text(pieces: Iterable[pa.Table], sealed: Seal) -> Iterator[bytes]:
    layout = load_layout(LAYOUT)
    yield f"{layout.header}\n".encode()
    for piece in pieces:
        yield lines_of(layout, piece, sealed.custody_date)
