"""Customers of a world, what its files say of them, and a search of every byte of an instance for somebody's data."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened

from custody.errors import RetryLater
from custody.personal import INDEXED
from custody.ports import KeyedStore, StoreRow
from custody.services import customer_desk
from custody.services.customers import find_customers
from schemas.exchange import sha256_hex

DAYS = [GO_LIVE + timedelta(days=n) for n in range(4)]


@dataclass(frozen=True)
class Market:
    """One platform's world of four days; ``home`` ran the first two. ``leaver`` closed his account on the second; ``stayer``, who has
    money and a loan, changed his phone then: the rows are those that say so."""

    world: Path
    home: Path
    leaver: dict[str, str]
    stayer: dict[str, str]

    @property
    def values(self) -> list[str]:
        """The leaver's data."""
        return [self.leaver[name] for name in ("id_no", "phone", "card_no", "name")]


def make_market(folder: Path) -> Market:
    world = make_world(folder / "world", [], seed=7, platforms=1, channels=1)
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        for on in DAYS[:2]:
            instance.deliver(world, on)
            instance.run_day(on)
    (leaver,) = [row for row in customer_rows(world, DAYS[1]) if row["action"] == "CLOSE"]
    (stayer,) = [row for row in customer_rows(world, DAYS[1]) if row["action"] == "CHANGE" and row["role"] == "BORROWER"]
    return Market(world, home, leaver, stayer)


def deliver_with(instance: Instance, world: Path, on: date, more: Sequence[dict[str, str]]) -> None:
    """The date's files, the platform's CUSTOMER file with some rows more."""
    folder = world / on.isoformat() / "P001"
    (path,) = folder.glob("*_CUSTOMER_*.csv")
    names = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    data = path.read_bytes() + "".join(",".join(row[name] for name in names) + "\n" for row in more).encode()
    for file in folder.iterdir():
        instance.drop.put("P001", file.name, _resealed(file, path.name, data))
    assert instance.deliver(world, on, without=["P001"]).counts().keys() == {"ACCEPTED"}


def _resealed(path: Path, name: str, data: bytes) -> bytes:
    """A file as it is sent where one of its set was changed: the seal says what that one is now."""
    if path.name == name:
        return data
    if "_SEAL_" not in path.name:
        return path.read_bytes()
    seal = json.loads(path.read_bytes())
    for file in seal["files"]:
        if file["name"] == name:
            file |= {"bytes": len(data), "rows": data.count(b"\n") - 1, "sha256": sha256_hex(data)}
    return json.dumps(seal).encode()


def customer_rows(world: Path, on: date) -> list[dict[str, str]]:
    """The lines of the date's CUSTOMER files, each with its ``party``."""
    rows = []
    for path in sorted((world / on.isoformat()).glob("P*/*_CUSTOMER_*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows += [{**row, "party": path.parent.name} for row in csv.DictReader(file)]
    return rows


def id_of(instance: Instance, query: str) -> str:
    """The one customer whom somebody of the desk finds so."""
    (found,) = find_customers(instance.wiring.customer_ports, "maker", query)
    return found.customer_id


def approve(instance: Instance, proposal: str | None) -> None:
    assert proposal is not None
    customer_desk.decide(instance.wiring.customer_ports, "checker", proposal, True, "seen")


def places_of(instance: Instance, values: Iterable[str]) -> set[str]:
    """Where in an instance any of the values stands, in clear or as an index digest: names of lake tables, stores and files; of the
    archive the files' own names."""
    wiring = instance.wiring
    clear = [value.encode() for value in values]
    digests = [wiring.secrets.index_digest(field, value).encode() for field in INDEXED for value in values]
    home = wiring.settings.home
    found = {name for name, data in _lake(home) if _has(data, clear + digests)}
    for path in home.rglob("*"):
        # Freed pages of the keyed store may still have a digest; its rows are looked at below.
        wanted = clear if path.name == "data.mdb" else clear + digests
        if path.is_file() and path.suffix not in (".parquet", ".enc") and _has(path.read_bytes(), wanted):
            found.add(str(path.relative_to(home)))
    for table, rows in instance.keyed_rows().items():
        if _has(repr(rows).encode() + b"".join(cell for _, columns in rows for cell in columns.values()), clear + digests):
            found.add(f"keyed store {table}")
    names = {row["archive_ref"]: row["file_name"] for table in ("file", "outbound") for row in instance.find(table)}
    found |= {str(name) for ref, name in names.items() if ref is not None and _has(wiring.archive.read(ref), clear)}
    sent = (data for files in instance.drop.sent.values() for data in files.values())
    return found | {"sent" for data in sent if _has(data, clear)}


def _lake(home: Path) -> Iterator[tuple[str, bytes]]:
    for path in (home / "lake").rglob("*.parquet"):
        yield str(path.relative_to(home)), repr(pq.read_table(path).to_pylist()).encode()


def _has(data: bytes, values: Iterable[bytes]) -> bool:
    return any(value in data for value in values)


class BreakingStore:
    """A keyed store whose connection goes at the write with this number, which is not done any more; 0: never."""

    def __init__(self, store: KeyedStore, at: int) -> None:
        self._store, self._at, self.writes = store, at, 0

    def _write(self) -> None:
        self.writes += 1
        if self.writes == self._at:
            raise RetryLater("the store is away")

    def put_many(self, table: str, rows: Iterable[StoreRow], fence: int | None = None) -> int:
        self._write()
        return self._store.put_many(table, rows, fence)

    def delete_many(self, table: str, keys: Iterable[bytes], fence: int | None = None) -> int:
        self._write()
        return self._store.delete_many(table, keys, fence)

    def get(self, table: str, key: bytes) -> dict[bytes, bytes] | None:
        return self._store.get(table, key)

    def get_many(self, table: str, keys: Iterable[bytes]) -> Iterator[StoreRow]:
        return self._store.get_many(table, keys)

    def scan(self, table: str, start: bytes, stop: bytes) -> Iterator[StoreRow]:
        return self._store.scan(table, start, stop)

    def close(self) -> None:
        self._store.close()
