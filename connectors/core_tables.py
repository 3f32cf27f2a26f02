"""The bank core's own tables in the keyed store: flows and balances of the custody and own-funds accounts.

The system only reads them; ``load`` is what a simulated core uses to write its day (custody deliver).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from custody.errors import SealBroken
from custody.ports import KeyedStore, Row, StoreRow
from schemas.store_keys import CORE_BALANCE, CORE_FLOW, SALTS, core_date_range, core_key, pack, salt, unpack

_FLOW = ("account", "core_date", "seq", "amount_minor", "currency", "core_ref", "counterparty", "narrative", "booked_at")
_BALANCE = ("account", "core_date", "opening_minor", "closing_minor", "currency")
_VERSION = 1


class CoreTables:
    """Implements custody.ports.CoreBank."""

    def __init__(self, store: KeyedStore) -> None:
        self._store = store

    def flows(self, core_date: date, salts: Iterable[int] = range(SALTS)) -> Iterator[Row]:
        """``salts``: a share of the rows; all shares together are the date."""
        return self._scan(CORE_FLOW, _FLOW, core_date, salts)

    def balances(self, core_date: date, salts: Iterable[int] = range(SALTS)) -> Iterator[Row]:
        return self._scan(CORE_BALANCE, _BALANCE, core_date, salts)

    def load(self, flows: Iterable[Mapping[str, Any]], balances: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
        """Write a day's flows and balances; writing them again is harmless. Returns how many of each."""
        wrote_flows = self._store.put_many(CORE_FLOW, (self._packed(row, _FLOW, row["seq"]) for row in flows))
        wrote_balances = self._store.put_many(CORE_BALANCE, (self._packed(row, _BALANCE, 0) for row in balances))
        return wrote_flows, wrote_balances

    def close(self) -> None:
        self._store.close()

    @staticmethod
    def _packed(row: Mapping[str, Any], names: tuple[str, ...], sequence: int) -> StoreRow:
        core_date = date.fromisoformat(row["core_date"])
        key = core_key(salt(row["account"])[0], core_date, row["account"], sequence)
        return key, pack(_VERSION, [row[name] for name in names])

    def _scan(self, table: str, names: tuple[str, ...], core_date: date, salts: Iterable[int]) -> Iterator[Row]:
        for salt_no in salts:
            start, stop = core_date_range(salt_no, core_date)
            for _key, columns in self._store.scan(table, start, stop):
                version, fields = unpack(columns)
                if version != _VERSION:
                    raise SealBroken(f"a core record of {core_date} has version {version}; this reader knows {_VERSION}")
                row = dict(zip(names, fields, strict=True))
                row["core_date"] = date.fromisoformat(row["core_date"])
                if "booked_at" in row:
                    row["booked_at"] = datetime.fromisoformat(row["booked_at"])
                yield row
