"""What a run has made and nobody has written yet: some of it in memory, the rest on disk.

On disk it is sealed under a key that no file holds: personal data may be among it, and a killed run leaves nothing that can be read.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar, cast

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.disk import room_for
from connectors.lake import Part
from custody.errors import SealBroken

_T = TypeVar("_T", Part, pa.Table)


@dataclass(frozen=True)
class _Place:
    start: int
    length: int


class Shelf:
    """The room of piles: ``memory_bytes`` of what they hold, then a file. Whoever receives it from another process takes the file over,
    whose name is gone then.

    ``folder``: for a file that may be sent so; without one it has no name.
    """

    def __init__(self, folder: Path | None, memory_bytes: int = 16 << 20) -> None:
        self._folder, self._free = folder, memory_bytes
        self._key = AESGCM.generate_key(256)
        self._file: BinaryIO | None = None
        self._name: str | None = None
        self._end = 0

    def put(self, item: Part | pa.Table) -> Part | pa.Table | _Place:
        """The item, or where it lies. Raises DiskFull."""
        size = item.nbytes if isinstance(item, pa.Table) else len(item.data) + len(item.hashes)
        if size <= self._free:
            self._free -= size
            return item
        place = self._end
        data = AESGCM(self._key).encrypt(_nonce(place), pickle.dumps(item, pickle.HIGHEST_PROTOCOL), None)
        with room_for("what is laid by until it is written", self._folder or Path(tempfile.gettempdir()), len(data)):
            file = self._file or self._made()
            file.seek(place)
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
        self._end += len(data)
        return _Place(place, len(data))

    def get(self, place: _Place) -> Any:
        """Raises SealBroken when the file was changed."""
        assert self._file is not None
        self._file.seek(place.start)
        try:
            plain = AESGCM(self._key).decrypt(_nonce(place.start), self._file.read(place.length), None)
        except InvalidTag as error:
            raise SealBroken("what this run laid by was changed meanwhile") from error
        return pickle.loads(plain)  # it opened, so it is what we wrote

    def _made(self) -> BinaryIO:
        # Unbuffered: a full disk is met where it is waited for.
        if self._folder is None:
            file = tempfile.TemporaryFile(prefix="custody-laid-by-", buffering=0)  # noqa: SIM115 (closed with us)
        else:
            number, self._name = tempfile.mkstemp(dir=self._folder)
            file = os.fdopen(number, "w+b", buffering=0)
        self._file = cast(BinaryIO, file)
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        if self._file is not None and self._name is None:
            raise ValueError("a file without a name cannot be sent to another process")
        return {**self.__dict__, "_file": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._name is not None:
            path = Path(self._name)
            self._file = cast(BinaryIO, path.open("r+b", buffering=0))
            path.unlink()


class Pile(Generic[_T]):
    """Things in the order in which they came, one of them in memory when it is looked at."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._places: list[_T | _Place] = []

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> _T:
        place = self._places[number]
        found: _T = self._shelf.get(place) if isinstance(place, _Place) else place
        return found

    def __iter__(self) -> Iterator[_T]:
        return (self[number] for number in range(len(self)))

    def append(self, item: _T) -> None:
        """Raises DiskFull."""
        self._places.append(cast("_T | _Place", self._shelf.put(item)))

    def extend(self, items: Iterable[_T]) -> None:
        for item in items:
            self.append(item)

    def take_away(self, start: int, end: int | None = None) -> None:
        del self._places[start:end]


def _nonce(place: int) -> bytes:
    # Each place is written once under a key.
    return place.to_bytes(12)
