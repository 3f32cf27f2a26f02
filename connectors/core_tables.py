"""The bank core's own tables in the keyed store: flows and balances of the custody and own-funds accounts, and of e-accounts where the
core of a platform is in E_ACCOUNT form (custody.core_model).

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
# A posting on an e-account, with what the field's files say of it (ALEVE): ``flag`` CRFLAG, ``way`` and ``txn_type`` TRANSTYPE,
# ``balance_after_minor`` CURR_BAL, ``standing`` REVIND.
_E_FLOW = (
    "account", "core_date", "seq", "request_no", "leg", "way", "txn_type", "amount_minor", "flag", "currency", "balance_after_minor",
    "standing", "counterparty", "narrative", "booked_at",
)  # fmt: skip
_BALANCE = ("account", "core_date", "opening_minor", "closing_minor", "currency")
_VERSION, _E_VERSION = 1, 2


class CoreTables:
    """Implements custody.ports.CoreBank."""

    def __init__(self, store: KeyedStore) -> None:
        self._store = store

    def flows(self, core_date: date, salts: Iterable[int] = range(SALTS)) -> Iterator[Row]:
        """``salts``: a share of the rows; all shares together are the date. A row of an e-account has a ``balance_after_minor``."""
        return self._scan(CORE_FLOW, {_VERSION: _FLOW, _E_VERSION: _E_FLOW}, core_date, salts)

    def balances(self, core_date: date, salts: Iterable[int] = range(SALTS)) -> Iterator[Row]:
        return self._scan(CORE_BALANCE, {_VERSION: _BALANCE}, core_date, salts)

    def load(self, flows: Iterable[Mapping[str, Any]], balances: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
        """Write a day's flows and balances; writing them again is harmless. Returns how many of each."""
        wrote_flows = self._store.put_many(CORE_FLOW, (_packed_flow(row) for row in flows))
        wrote_balances = self._store.put_many(CORE_BALANCE, (_packed(row, _VERSION, _BALANCE, 0) for row in balances))
        return wrote_flows, wrote_balances

    def close(self) -> None:
        self._store.close()

    def _scan(self, table: str, versions: Mapping[int, tuple[str, ...]], core_date: date, salts: Iterable[int]) -> Iterator[Row]:
        for salt_no in salts:
            start, stop = core_date_range(salt_no, core_date)
            for _key, columns in self._store.scan(table, start, stop):
                version, fields = unpack(columns)
                if version not in versions:
                    known = ", ".join(map(str, versions))
                    raise SealBroken(f"a core record of {core_date} has version {version}; this reader knows {known}")
                row = dict(zip(versions[version], fields, strict=True))
                row["core_date"] = date.fromisoformat(row["core_date"])
                if "booked_at" in row:
                    row["booked_at"] = datetime.fromisoformat(row["booked_at"])
                yield row


def _packed_flow(row: Mapping[str, Any]) -> StoreRow:
    version, names = (_E_VERSION, _E_FLOW) if "balance_after_minor" in row else (_VERSION, _FLOW)
    return _packed(row, version, names, row["seq"])


def _packed(row: Mapping[str, Any], version: int, names: tuple[str, ...], sequence: int) -> StoreRow:
    core_date = date.fromisoformat(row["core_date"])
    key = core_key(salt(row["account"])[0], core_date, row["account"], sequence)
    return key, pack(version, [row[name] for name in names])
