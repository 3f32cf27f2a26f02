"""A lake in each of its places, and what a test does to it behind its back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from hdfs_native import Client, WriteOptions

from cluster.hdfs import Hdfs
from connectors.lake import Lake, Manifest
from connectors.lake_files import lake_files

DAY = date(2019, 12, 30)
NOON = datetime(2019, 12, 30, 12, 2, 3, 4, tzinfo=UTC)
_NUMBERS = count(1)


class Place(Protocol):
    """``location`` is what ``stores.lake`` names; paths are relative to the lake's root."""

    location: str

    def put(self, path: str, data: bytes) -> None: ...
    def get(self, path: str) -> bytes: ...
    def remove(self, path: str) -> None: ...


class Folder:
    def __init__(self, location: str, folder: Path) -> None:
        self.location = location
        self._folder = folder

    def put(self, path: str, data: bytes) -> None:
        file = self._folder / path
        file.unlink(missing_ok=True)
        file.write_bytes(data)

    def get(self, path: str) -> bytes:
        return (self._folder / path).read_bytes()

    def remove(self, path: str) -> None:
        (self._folder / path).unlink()


class HdfsFolder:
    def __init__(self, server: Hdfs) -> None:
        # A space and Chinese characters: nothing between us and the engines may encode them.
        self._root = f"/lake 存管 {next(_NUMBERS)}"
        self.location = f"{server.url}{self._root}"
        self._client = Client(server.url)

    def put(self, path: str, data: bytes) -> None:
        writer = self._client.create(f"{self._root}/{path}", WriteOptions(overwrite=True))
        writer.write(data)
        writer.close()

    def get(self, path: str) -> bytes:
        return self._client.read(f"{self._root}/{path}").read()

    def remove(self, path: str) -> None:
        assert self._client.delete(f"{self._root}/{path}")


def lake_at(place: Place, home: Path) -> Lake:
    return Lake(lake_files(place.location, home))


def flows(rows: int) -> list[dict[str, Any]]:
    return [
        {
            "account": f"P{n % 3:03d}:CUSTODY", "core_date": DAY, "seq": n, "extracted_for": DAY, "amount_minor": n - 5,
            "currency": "CNY", "core_ref": f"S{n}", "counterparty": "中", "narrative": "", "booked_at": NOON + timedelta(microseconds=n),
        }
        for n in range(rows)
    ]  # fmt: skip


def write(lake: Lake, rows: list[dict[str, Any]], fence: int = 1, note: bytes = b"note\n") -> tuple[str, Manifest]:
    """An attempt of three files, finished; (its folder, its manifest)."""
    writer = lake.attempt(DAY, "extract", "ab" * 32, fence)
    writer.table("core_flow", rows)
    writer.table("core_balance", [])
    writer.file("note.txt", note)
    return lake.relative(DAY, "extract", "ab" * 32, fence), writer.finish()
