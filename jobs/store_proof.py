"""Does the keyed store hold what the lake says, no row more and none less? (custody store verify)

Each table is read once; count, sum and digest of what is found are held against what `project` sealed, less what
deletions removed. Where they differ, the rows of the dates that do are packed again from the lake, and two streams of sorted rows
name the keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice

from connectors.bootstrap import Wiring
from custody.errors import StopRun
from custody.ports import Row
from custody.services.outputs import Seal
from custody.texts import text
from jobs.projection.day import packed_day
from jobs.projection.packing import lanes_of
from jobs.projection.runs import Runs
from jobs.sealed_days import day_of, erased_owners, sealed_days, source_of, total_of
from schemas.store_keys import LEDGER_TABLES, PACKED, SALTS, WATERMARK, WATERMARK_KEY, date_of_row, owner_of_row, watermark
from schemas.store_proof import StoreSum
from schemas.store_records import RECORDS

_BLOCK_ROWS = 20_000
# Keys that are named of one table, salt and day; the others are counted.
_NAMED = 3
_AFTER_ALL_KEYS = b"\xff" * 32
_PLACES = tuple((table, salt) for table in LEDGER_TABLES for salt in range(SALTS))
_Place = tuple[str, int]
_Rows = Iterator[tuple[bytes, bytes]]


@dataclass(frozen=True)
class StoreFault:
    """One thing that differs. ``rule`` is one of custody.texts.RULES."""

    rule: str
    figures: dict[str, object]

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)"""
        return text(self.rule, self.figures)


@dataclass(frozen=True)
class _Suspect:
    """A table and salt whose figures are not the expected ones, and on which dates."""

    found: StoreSum
    expected: StoreSum
    dates: frozenset[date]


def store_faults(wiring: Wiring, only: date | None = None) -> Iterator[StoreFault]:
    """What differs in the ledger's projection: of all days up to the watermark, or of one. Raises SealBroken, RetryLater."""
    days = sealed_days(wiring)
    mark = watermark(wiring.keyed.get(WATERMARK, WATERMARK_KEY))
    if mark is None or mark not in days:
        if days:
            yield StoreFault("store_mark", {"mark": str(mark or "-"), "newest": str(max(days))})
        return
    if only is not None and (only not in days or only > mark):
        yield StoreFault("store_no_day", {"date": str(only), "mark": str(mark)})
        return
    expected = _expected(wiring, days[only or mark], only is None)
    chosen = {on: seal for on, seal in days.items() if on <= mark and only in (None, on)}
    suspects: dict[_Place, _Suspect] = {}
    for place, by_date in chain.from_iterable(_found(wiring, table).items() for table in LEDGER_TABLES):
        for on in sorted(on for on in by_date if on > mark):
            yield StoreFault("store_beyond", _figures(place, on) | {"rows": by_date[on].rows, "mark": str(mark)})
        kept = {on: proof for on, proof in by_date.items() if on <= mark and only in (None, on)}
        found = sum(kept.values(), StoreSum())
        if found != expected.get(place, StoreSum()):
            sealed = {on: _day_of(_receipts(wiring, seal), place) for on, seal in chosen.items()}
            dates = frozenset(on for on in kept.keys() | sealed.keys() if kept.get(on, StoreSum()) != sealed.get(on))
            suspects[place] = _Suspect(found, expected.get(place, StoreSum()), dates)
    yield from _located(wiring, chosen, suspects)


def _expected(wiring: Wiring, seal: Seal, whole: bool) -> dict[_Place, StoreSum]:
    """By table and salt: what the day added, or all that there is with it, less what deletions took out since. These are known
    for all days together: what they took of one day shows as missing, and is told apart by its owner."""
    receipts = _receipts(wiring, seal)
    if not whole:
        return {place: day_of(receipts[place]) for place in _PLACES}
    expected = {place: total_of(receipts[place]) for place in _PLACES}
    with wiring.register.transaction() as tx:
        for row in tx.find("removed_rows"):
            place = row["store_table"], row["salt"]
            expected[place] -= StoreSum.of_text(row["rows"], int(row["sum_minor"]), row["digest"])
    return expected


def _day_of(receipts: Mapping[_Place, Row], place: _Place) -> StoreSum:
    """A key that begins with no salt of ours was never sealed."""
    return day_of(receipts[place]) if place in receipts else StoreSum()


def _receipts(wiring: Wiring, seal: Seal) -> dict[_Place, Row]:
    return {(r["store_table"], r["salt"]): r for r in wiring.lake.rows(seal.path, "projected")}


def _found(wiring: Wiring, table: str) -> dict[_Place, dict[date, StoreSum]]:
    """The figures of what the store holds of one table, by salt and by the dates in its keys; each salt is there."""
    spec, sha256 = RECORDS[table], hashlib.sha256
    found: dict[_Place, dict[date, StoreSum]] = {(table, salt): {} for salt in range(SALTS)}
    source = wiring.keyed.scan(table, b"", _AFTER_ALL_KEYS)
    while block := list(islice(source, _BLOCK_ROWS)):
        hashes: dict[tuple[int, date], list[bytes]] = {}
        amounts: dict[tuple[int, date], int] = {}
        for key, columns in block:
            at, cell = (key[0], _date(table, key)), _cell(columns)
            # As schemas.store_proof.row_digest has it.
            hashes.setdefault(at, []).append(sha256(b"%d:%b%b" % (len(key), key, cell)).digest())
            try:
                amounts[at] = amounts.get(at, 0) + spec.amount_of(columns)
            except StopRun:
                # It cannot be read: its digest is not the sealed one either.
                amounts[at] = amounts.get(at, 0)
        for (salt, on), of_date in hashes.items():
            by_date = found.setdefault((table, salt), {})
            added = StoreSum(len(of_date), amounts[salt, on], lanes_of(of_date))
            by_date[on] = by_date.get(on, StoreSum()) + added
    return found


def _date(table: str, key: bytes) -> date:
    try:
        return date_of_row(table, key)
    except ValueError:
        # A key that nobody of us makes is of no day that was ever sealed.
        return date.min


def _cell(columns: Mapping[bytes, bytes]) -> bytes:
    """What is proved of a row: its one cell; of a row with other columns, which nobody of us writes, all of them."""
    return columns[PACKED] if set(columns) == {PACKED} else repr(sorted(columns.items())).encode()


def _bounds(salt: int) -> tuple[bytes, bytes]:
    return bytes([salt]), bytes([salt + 1]) if salt < 255 else _AFTER_ALL_KEYS


def _located(wiring: Wiring, days: Mapping[date, Seal], suspects: Mapping[_Place, _Suspect]) -> Iterator[StoreFault]:
    """The rows that differ, of each suspect table and salt, date by date."""
    erased = erased_owners(wiring) if suspects else frozenset()
    told: set[_Place] = set()
    for on in sorted({on for suspect in suspects.values() for on in suspect.dates}):
        places = [place for place, suspect in suspects.items() if on in suspect.dates]
        with closing(packed_day(wiring, source_of(wiring, days[on])) if on in days else Runs()) as runs:
            for place in places:
                for fault in _differing(wiring, runs, place, on, erased):
                    told.add(place)
                    yield fault
    for place, suspect in suspects.items():
        if place not in told and not (erased and suspect.found.rows < suspect.expected.rows):
            figures = {"found": suspect.found.rows, "expected": suspect.expected.rows}
            minor = {"found_minor": suspect.found.sum_minor, "expected_minor": suspect.expected.sum_minor}
            yield StoreFault("store_figures", {"table": place[0], "salt": place[1], **figures, **minor})


def _differing(wiring: Wiring, runs: Runs, place: _Place, on: date, erased: frozenset[str]) -> Iterator[StoreFault]:
    table, salt = place
    store = ((key, _cell(columns)) for key, columns in wiring.keyed.scan(table, *_bounds(salt)) if _date(table, key) == on)
    differing: dict[str, list[bytes]] = {}
    for rule, key in _unequal(runs.pairs(table, salt), store):
        if rule != "store_missing" or owner_of_row(key) not in erased:
            differing.setdefault(rule, []).append(key)
    for rule, keys in sorted(differing.items()):
        shown = [" | ".join(part.decode(errors="backslashreplace") for part in key[1:].split(b"\0")) for key in keys[:_NAMED]]
        yield StoreFault(rule, _figures(place, on) | {"rows": len(keys), "keys": "; ".join(shown)})


def _figures(place: _Place, on: date) -> dict[str, object]:
    return {"table": place[0], "salt": place[1], "date": str(on)}


def _unequal(lake: _Rows, store: _Rows) -> Iterator[tuple[str, bytes]]:
    """The keys that two sorted streams do not both have with the same cell, and how they differ."""
    ours, theirs = next(lake, None), next(store, None)
    while ours is not None or theirs is not None:
        if ours is not None and (theirs is None or ours[0] < theirs[0]):
            yield "store_missing", ours[0]
            ours = next(lake, None)
        elif theirs is not None and (ours is None or theirs[0] < ours[0]):
            yield "store_extra", theirs[0]
            theirs = next(store, None)
        elif ours is not None and theirs is not None:
            if ours[1] != theirs[1]:
                yield "store_differs", ours[0]
            ours, theirs = next(lake, None), next(store, None)
