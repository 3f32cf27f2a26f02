"""Customers' personal data in the keyed store: one row for each customer, and an index over it by keyed digests.

``customer``: the customer's wrapped key, and sealed under it a column for each party and custody date, and what is proposed.
``person_index``: digest of (field, value) | customer id, for every party's last word. The index follows from the customer's row;
its rows are written first, so that what a crash left half done is done again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice

from custody.digest import canonical_json
from custody.errors import SealBroken
from custody.personal import Said, keys_of
from custody.ports import KeyedStore, Secrets, StoreRow
from schemas.store_keys import CUSTOMER, PERSON_INDEX, owner_key, owner_of_row, owner_range

_AT_ONCE = 5_000
_KEY = b"key"
_PERSONAL = b"personal:"
_PENDING = b"pending:"
# An index row says by its key all there is to say; a store wants a column.
_INDEXED = {b"i": b"1"}


@dataclass(frozen=True)
class _Person:
    """A customer's row, opened: ``key`` is None for whom there is none yet."""

    customer_id: str
    columns: Mapping[bytes, bytes]
    key: bytes | None
    words: tuple[Said, ...]


class KeyedPersonStore:
    """Implements custody.ports.PersonStore."""

    def __init__(self, keyed: KeyedStore, secrets: Secrets) -> None:
        self._keyed, self._secrets = keyed, secrets

    def said(self, customer_id: str) -> list[Said]:
        return list(self._person(customer_id).words)

    def find(self, field: str, value: str) -> list[str]:
        digest = self._secrets.index_digest(field, value)
        found = [key.rpartition(b"\0")[2].decode() for key, _ in self._keyed.scan(PERSON_INDEX, *owner_range(digest))]
        # A row that a crash left behind finds nobody.
        wanted = (field, value.upper())
        return sorted(c for c in found if wanted in {(name, said.upper()) for name, said in keys_of(self.said(c))})

    def keep(self, words: Iterable[tuple[str, Said]], fence: int) -> None:
        source = iter(words)
        while batch := list(islice(source, _AT_ONCE)):
            by_customer: dict[str, list[Said]] = defaultdict(list)
            for customer_id, word in batch:
                by_customer[customer_id].append(word)
            rows = dict(self._keyed.get_many(CUSTOMER, [owner_key(customer) for customer in by_customer]))
            before = [self._opened(customer, rows.get(owner_key(customer), {})) for customer in by_customer]
            self._replace([(person, self._with(person, by_customer[person.customer_id])) for person in before], fence)

    def pend(self, customer_id: str, reference: str, fields: Mapping[str, str | None], fence: int) -> None:
        person = self._with(self._person(customer_id), ())
        sealed = self._seal(person, canonical_json(dict(fields)))
        row = {**person.columns, _PENDING + reference.encode(): sealed}
        self._keyed.put_many(CUSTOMER, [(owner_key(customer_id), row)], fence)

    def pending(self, customer_id: str, reference: str) -> Mapping[str, str | None] | None:
        person = self._person(customer_id)
        sealed = person.columns.get(_PENDING + reference.encode())
        if sealed is None:
            return None
        found: dict[str, str | None] = json.loads(self._open(person.customer_id, person.key, sealed))
        return found

    def drop_pending(self, customer_id: str, reference: str, fence: int) -> None:
        columns = dict(self._person(customer_id).columns)
        if columns.pop(_PENDING + reference.encode(), None) is None:
            return
        key = owner_key(customer_id)
        if set(columns) == {_KEY}:
            self._keyed.delete_many(CUSTOMER, [key], fence)
        else:
            self._keyed.put_many(CUSTOMER, [(key, columns)], fence)

    def move(self, old: str, new: str, fence: int) -> None:
        person, there = self._person(old), self._person(new)
        if not person.columns:
            return
        taken = {(s.party, s.on) for s in there.words}
        self._replace([(there, self._with(there, [s for s in person.words if (s.party, s.on) not in taken]))], fence)
        self.destroy(old, fence)

    def rows(self, customer_id: str) -> dict[str, list[StoreRow]]:
        person = self._person(customer_id)
        return {
            CUSTOMER: [(owner_key(customer_id), dict(person.columns))] if person.columns else [],
            PERSON_INDEX: sorted(self._keyed.get_many(PERSON_INDEX, sorted(self._index_keys(person)))),
        }

    def destroy(self, customer_id: str, fence: int) -> None:
        # The index first: it is found through the row.
        self._keyed.delete_many(PERSON_INDEX, sorted(self._index_keys(self._person(customer_id))), fence)
        self._keyed.delete_many(CUSTOMER, [owner_key(customer_id)], fence)

    def damaged(self, named: Iterable[str] = ()) -> Iterator[str]:
        """What of all customers does not open under its own key, and of those ``named`` who is not kept at all, in words that name the customer."""
        missing = set(named)
        for key, columns in self._keyed.scan(CUSTOMER, b"", b"\xff" * 80):
            customer_id = owner_of_row(key)
            missing.discard(customer_id)
            try:
                person = self._opened(customer_id, columns)
                for name, sealed in columns.items():
                    if name.startswith(_PENDING):
                        self._open(customer_id, person.key, sealed)
            except (SealBroken, ValueError, LookupError) as error:
                yield f"customer {customer_id}: what is kept of him does not open: {error}"
        for customer_id in sorted(missing):
            yield f"customer {customer_id}: he has sub-accounts, was not erased, and nothing is kept of him"

    def _person(self, customer_id: str) -> _Person:
        return self._opened(customer_id, self._keyed.get(CUSTOMER, owner_key(customer_id)) or {})

    def _opened(self, customer_id: str, columns: Mapping[bytes, bytes]) -> _Person:
        key = self._secrets.unwrap(columns[_KEY]) if _KEY in columns else None
        words = sorted(self._words(customer_id, key, columns), key=lambda s: (s.party, s.on))
        return _Person(customer_id, columns, key, tuple(words))

    def _words(self, customer_id: str, key: bytes | None, columns: Mapping[bytes, bytes]) -> Iterator[Said]:
        for name, sealed in columns.items():
            if name.startswith(_PERSONAL):
                party, _, on = name.removeprefix(_PERSONAL).decode().partition(":")
                body = json.loads(self._open(customer_id, key, sealed))
                day = date(int(on[:4]), int(on[4:6]), int(on[6:]))
                yield Said(party, day, body["fields"], tuple(body["sources"]))

    def _with(self, person: _Person, words: Iterable[Said]) -> _Person:
        """With a key, and with these words, each in its column; a word in the place of another keeps its sources."""
        columns, key = dict(person.columns), person.key
        if key is None:
            key, columns[_KEY] = self._secrets.new_data_key()
        said = {(s.party, s.on): s for s in person.words}
        for word in words:
            before = said.get((word.party, word.on))
            sources = sorted({*word.sources, *(before.sources if before is not None else ())})
            said[word.party, word.on] = word = replace(word, sources=tuple(sources))
            name = _PERSONAL + f"{word.party}:{word.on:%Y%m%d}".encode()
            body = canonical_json({"fields": dict(word.fields), "sources": sources})
            columns[name] = self._secrets.seal(key, body.encode(), person.customer_id.encode())
        return _Person(person.customer_id, columns, key, tuple(said[place] for place in sorted(said)))

    def _replace(self, changes: Sequence[tuple[_Person, _Person]], fence: int) -> None:
        """(before, after) of each customer. Rows of the index first, new ones before old ones go."""
        old = {key for before, _ in changes for key in self._index_keys(before)}
        new = {key for _, after in changes for key in self._index_keys(after)}
        self._keyed.put_many(PERSON_INDEX, ((key, _INDEXED) for key in sorted(new - old)), fence)
        self._keyed.delete_many(PERSON_INDEX, sorted(old - new), fence)
        rows = sorted((owner_key(after.customer_id), dict(after.columns)) for _, after in changes)
        self._keyed.put_many(CUSTOMER, rows, fence)

    def _index_keys(self, person: _Person) -> set[bytes]:
        digest = self._secrets.index_digest
        return {owner_key(digest(field, value), person.customer_id) for field, value in keys_of(person.words)}

    def _seal(self, person: _Person, body: str) -> bytes:
        assert person.key is not None
        return self._secrets.seal(person.key, body.encode(), person.customer_id.encode())

    def _open(self, customer_id: str, key: bytes | None, sealed: bytes) -> bytes:
        if key is None:
            raise SealBroken(f"customer {customer_id} has sealed data and no key")
        return self._secrets.open(key, sealed, customer_id.encode())
