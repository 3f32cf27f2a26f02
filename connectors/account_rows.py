"""A customer's rows in the tables of the ledger's projection: counted for a plan, removed when no law keeps them any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from custody.ports import KeyedStore, Row, StoreRow
from schemas.store_keys import (
    ACCOUNT_OF_CUSTOMER,
    BALANCE,
    CLAIM_BY_HOLDER,
    HOLD,
    JOURNAL,
    PACKED,
    SUB_ACCOUNT,
    UNPOSTED_BY_ACCOUNT,
    owner_range,
)
from schemas.store_proof import StoreSum
from schemas.store_records import RECORDS

# Transactions, loans and the claims of a loan belong to the contract, which has other parties.
_OF_ACCOUNT = (SUB_ACCOUNT, BALANCE, JOURNAL, UNPOSTED_BY_ACCOUNT, HOLD, CLAIM_BY_HOLDER)


class StoreAccountRows:
    """Implements custody.services.customer_ports.AccountRows."""

    def __init__(self, store: KeyedStore) -> None:
        self._store = store

    def of(self, customer_id: str, accounts: Sequence[str]) -> dict[str, list[StoreRow]]:
        found = {table: [row for a in accounts for row in self._store.scan(table, *owner_range(a))] for table in _OF_ACCOUNT}
        return {ACCOUNT_OF_CUSTOMER: list(self._store.scan(ACCOUNT_OF_CUSTOMER, *owner_range(customer_id))), **found}

    def sums(self, rows: Mapping[str, Sequence[StoreRow]]) -> list[Row]:
        found: dict[tuple[str, int], StoreSum] = {}
        for table, of_table in rows.items():
            spec = RECORDS[table]
            for key, columns in of_table:
                row = spec.unpack(columns)
                amount = sum(row[name] for name in spec.summed)
                place = (table, key[0])
                found[place] = found.get(place, StoreSum()) + StoreSum.of_row(key, columns[PACKED], amount)
        return [
            {"store_table": table, "salt": salt, "rows": s.rows, "sum_minor": str(s.sum_minor), "digest": s.digest}
            for (table, salt), s in sorted(found.items())
        ]

    def delete(self, rows: Mapping[str, Sequence[StoreRow]], fence: int) -> None:
        for table, of_table in rows.items():
            self._store.delete_many(table, [key for key, _ in of_table], fence)
