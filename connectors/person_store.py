"""Customers' personal data in the keyed store: one row for each customer, and an index over it by keyed digests.

``customer``: the customer's wrapped key, and sealed under it a column for each party and custody date, and what is proposed.
``person_index``: digest of (field, value) | customer id, for every party's last word. The index follows from the customer's row;
its rows are written first, so that what a crash left half done is done again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice

from custody.digest import canonical_json
from custody.personal import Said, keys_of
from custody.ports import KeyedStore, Secrets, StoreRow
from schemas.store_keys import CUSTOMER, PERSON_INDEX, owner_key, owner_range

_AT_ONCE = 5_000
_KEY = b"key"
_PERSONAL = b"personal:"
_PENDING = b"pending:"
# An index row says by its key all there is to say; a store wants a column.
_INDEXED = {b"i": b"1"}


class KeyedPersonStore:
    """Implements custody.ports.PersonStore."""

    def __init__(self, keyed: KeyedStore, secrets: Secrets) -> None:
        self._keyed, self._secrets = keyed, secrets

    def said(self, customer_id: str) -> list[Said]:
        return self._opened(customer_id, self._row(customer_id))

    def find(self, field: str, value: str) -> list[str]:
        digest = self._secrets.index_digest(field, value)
        found = [key.rpartition(b"\0")[2].decode() for key, _ in self._keyed.scan(PERSON_INDEX, *owner_range(digest))]
        # A row that a crash left behind finds nobody.
        return sorted(customer for customer in found if (field, value.upper()) in _upper(keys_of(self.said(customer))))

    def keep(self, words: Iterable[tuple[str, Said]], fence: int) -> None:
        source = iter(words)
        while batch := list(islice(source, _AT_ONCE)):
            by_customer: dict[str, list[Said]] = defaultdict(list)
            for customer_id, word in batch:
                by_customer[customer_id].append(word)
            rows = dict(self._keyed.get_many(CUSTOMER, [owner_key(customer) for customer in by_customer]))
            after = {c: self._with(c, rows.get(owner_key(c), {}), said) for c, said in by_customer.items()}
            self._replace({c: rows.get(owner_key(c), {}) for c in by_customer}, after, fence)

    def pend(self, customer_id: str, reference: str, fields: Mapping[str, str | None], fence: int) -> None:
        columns = self._keyed_row(customer_id, self._row(customer_id))
        sealed = self._seal(customer_id, columns, canonical_json(dict(fields)))
        self._keyed.put_many(CUSTOMER, [(owner_key(customer_id), {**columns, _PENDING + reference.encode(): sealed})], fence)

    def pending(self, customer_id: str, reference: str) -> Mapping[str, str | None] | None:
        columns = self._row(customer_id)
        sealed = columns.get(_PENDING + reference.encode())
        if sealed is None:
            return None
        found: dict[str, str | None] = json.loads(self._open(customer_id, columns, sealed))
        return found

    def drop_pending(self, customer_id: str, reference: str, fence: int) -> None:
        columns = self._row(customer_id)
        if columns.pop(_PENDING + reference.encode(), None) is None:
            return
        key = owner_key(customer_id)
        if set(columns) == {_KEY}:
            self._keyed.delete_many(CUSTOMER, [key], fence)
        else:
            self._keyed.put_many(CUSTOMER, [(key, columns)], fence)

    def move(self, old: str, new: str, fence: int) -> None:
        columns = self._row(old)
        if not columns:
            return
        there = self._row(new)
        taken = {(s.party, s.on) for s in self._opened(new, there)}
        words = [s for s in self._opened(old, columns) if (s.party, s.on) not in taken]
        self._replace({new: there}, {new: self._with(new, there, words)}, fence)
        self.destroy(old, fence)

    def rows(self, customer_id: str) -> dict[str, list[StoreRow]]:
        columns = self._row(customer_id)
        keys = self._index_keys(customer_id, columns)
        return {
            CUSTOMER: [(owner_key(customer_id), columns)] if columns else [],
            PERSON_INDEX: sorted(self._keyed.get_many(PERSON_INDEX, sorted(keys))),
        }

    def destroy(self, customer_id: str, fence: int) -> None:
        # The index first: it is found through the row.
        self._keyed.delete_many(PERSON_INDEX, sorted(self._index_keys(customer_id, self._row(customer_id))), fence)
        self._keyed.delete_many(CUSTOMER, [owner_key(customer_id)], fence)

    def _row(self, customer_id: str) -> dict[bytes, bytes]:
        return dict(self._keyed.get(CUSTOMER, owner_key(customer_id)) or {})

    def _replace(self, before: Mapping[str, dict[bytes, bytes]], after: Mapping[str, dict[bytes, bytes]], fence: int) -> None:
        old = {key for customer, columns in before.items() for key in self._index_keys(customer, columns)}
        new = {key for customer, columns in after.items() for key in self._index_keys(customer, columns)}
        self._keyed.put_many(PERSON_INDEX, ((key, _INDEXED) for key in sorted(new - old)), fence)
        self._keyed.delete_many(PERSON_INDEX, sorted(old - new), fence)
        self._keyed.put_many(CUSTOMER, sorted((owner_key(customer), columns) for customer, columns in after.items()), fence)

    def _index_keys(self, customer_id: str, columns: Mapping[bytes, bytes]) -> set[bytes]:
        found = keys_of(self._opened(customer_id, columns))
        return {owner_key(self._secrets.index_digest(field, value), customer_id) for field, value in found}

    def _with(self, customer_id: str, columns: Mapping[bytes, bytes], words: Iterable[Said]) -> dict[bytes, bytes]:
        """The row with these words, each in its column; a column of that party and date keeps its sources."""
        row = self._keyed_row(customer_id, columns)
        for word in words:
            name = _PERSONAL + f"{word.party}:{word.on:%Y%m%d}".encode()
            before = [json.loads(self._open(customer_id, row, row[name]))["sources"]] if name in row else []
            sources = sorted({*word.sources, *(source for sources in before for source in sources)})
            row[name] = self._seal(customer_id, row, canonical_json({"fields": dict(word.fields), "sources": sources}))
        return row

    def _opened(self, customer_id: str, columns: Mapping[bytes, bytes]) -> list[Said]:
        return sorted(self._words(customer_id, columns), key=lambda s: (s.party, s.on))

    def _words(self, customer_id: str, columns: Mapping[bytes, bytes]) -> Iterator[Said]:
        for name, sealed in columns.items():
            if name.startswith(_PERSONAL):
                party, _, on = name.removeprefix(_PERSONAL).decode().partition(":")
                body = json.loads(self._open(customer_id, columns, sealed))
                day = date(int(on[:4]), int(on[4:6]), int(on[6:]))
                yield Said(party, day, body["fields"], tuple(body["sources"]))

    def _keyed_row(self, customer_id: str, columns: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        return dict(columns) if _KEY in columns else {**columns, _KEY: self._secrets.new_data_key()[1]}

    def _seal(self, customer_id: str, columns: Mapping[bytes, bytes], body: str) -> bytes:
        return self._secrets.seal(self._secrets.unwrap(columns[_KEY]), body.encode(), customer_id.encode())

    def _open(self, customer_id: str, columns: Mapping[bytes, bytes], sealed: bytes) -> bytes:
        return self._secrets.open(self._secrets.unwrap(columns[_KEY]), sealed, customer_id.encode())


def _upper(keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(field, value.upper()) for field, value in keys}
