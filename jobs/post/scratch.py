"""Files of one run of the step that are no output: in a folder of the instance, gone when the step ends.

What a killed run left is removed by the next one; the day's lease keeps two runs apart.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from connectors.disk import room_for
from connectors.lake import Part, conform
from schemas.tables import TABLES

# What a folder takes, more or less: only said when there is no room for one.
_FOLDER_BYTES = 4096


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """An empty ``folder``, removed with what is in it. Raises DiskFull where it cannot be made."""
    shutil.rmtree(folder, ignore_errors=True)
    with room(folder, _FOLDER_BYTES):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def room(path: Path, wanted_bytes: int) -> AbstractContextManager[None]:
    """For writing a file of the run: raises DiskFull, which says what to do."""
    return room_for("what posting lays by meanwhile", path, wanted_bytes)


@dataclass(frozen=True)
class Spooled:
    """A part whose bytes wait in files until it is its turn to be written to the lake."""

    part: Part
    path: Path

    def read(self) -> Part:
        """The part; its files are gone then."""
        data, hashes = self.path.read_bytes(), self.path.with_suffix(".hashes").read_bytes()
        self.path.unlink()
        self.path.with_suffix(".hashes").unlink()
        return replace(self.part, data=data, hashes=hashes)


class Spool:
    """Makes the parts of a share of the work, and lays them by."""

    def __init__(self, folder: Path, name: str) -> None:
        self.parts: list[Spooled] = []
        self._folder, self._name = folder, name

    def write(self, table: str, rows: pa.Table) -> None:
        """The next part of a table, unless there are no rows."""
        if not rows.num_rows:
            return
        spec = TABLES[table]
        part = Part.of(spec, conform(spec, rows))
        path = self._folder / f"{self._name}-{len(self.parts)}.parquet"
        with room(path, len(part.data) + len(part.hashes)):
            path.write_bytes(part.data)
            path.with_suffix(".hashes").write_bytes(part.hashes)
        self.parts.append(Spooled(replace(part, data=b"", hashes=b""), path))
