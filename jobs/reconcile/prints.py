"""One side of a flow relation as numbers (connectors.item_index): what is matched by, read without its rows' cells.

Rows that are new today have their numbers in the lake. Of others, few beside them, the numbers are reckoned here: what was carried
in, what a restated file set free, and the rows of e-accounts, of which a posting's ends are made one row each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.item_index import BESIDE_THE_PRINT, NUMBERS, column, numbers_of, printed
from custody.cause_proofs import Rate
from custody.names import UNDER_WAY, TxnType
from jobs.reconcile.day import Day
from jobs.reconcile.numbers import coded, looked_up
from schemas.xxhash64 import Hashes

# No fee is this much: where there is none.
_NO_FEE = np.iinfo(np.int64).min
_MILLION = 1_000_000


@dataclass(frozen=True)
class SealedSide:
    """Where a side's new rows lie: the step and table, and the column that names the platform, or begins with it. ``landed``: they came
    in a party's file."""

    step: str
    table: str
    platform: str
    landed: bool = False
    status: bool = True


SEALED_SIDES = {
    ("AB_TXN", "A"): SealedSide("land", "land_txn", "party", landed=True),
    ("AB_TXN", "B"): SealedSide("post", "ledger_txn", "platform"),
    ("BC_CHANNEL", "B"): SealedSide("post", "ledger_txn", "platform"),
    ("BC_CHANNEL", "C"): SealedSide("land", "land_settlement", "platform", landed=True),
    ("BC_CORE", "B"): SealedSide("post", "journal", "platform", status=False),
    ("BC_CORE", "C"): SealedSide("extract", "core_flow", "account", status=False),
}


@dataclass(frozen=True)
class Part:
    """The keys whose hash is at least ``first`` and less than ``end``. So parts follow each other in the order of their hashes."""

    first: int | None
    end: int | None

    def holds(self, keys: Hashes) -> NDArray[np.bool_] | None:
        """Which of the hashes are of the part; None: all."""
        low = None if self.first is None else keys >= self.first
        high = None if self.end is None else keys < self.end
        return high if low is None else low if high is None else low & high


@dataclass(frozen=True)
class Prints:
    """Items of a side, a number each: what pairs are found by. ``beside``: what is compared beside the print, nothing where that is all;
    ``final``: whether the status is one that stays. ``keyless``: whether there are items without a key, which stand in none of these."""

    key: Hashes
    print_high: Hashes
    print_low: Hashes
    beside: Hashes
    final: NDArray[np.bool_]
    keyless: bool

    @property
    def rows(self) -> int:
        return len(self.final)


_PAIRED: Mapping[str, type] = dict.fromkeys(("key", "print_high", "print_low", "beside"), np.int64) | {"final": np.bool_}


def read_prints(day: Day, relation: str, side: str, others: Sequence[pa.Table], part: Part) -> Prints:
    """``others``: items as ITEM_COLUMNS that are not among the day's sealed rows of the side. What has no key is of the first part."""
    # As much room as there can be rows; what is never written takes none.
    names = [name for name in _PAIRED if name != "beside" or relation in BESIDE_THE_PRINT]
    room = rows_at_most(day, relation, side, others)
    held: dict[str, NDArray[Any]] = {name: np.empty(room, _PAIRED[name]) for name in names}
    rows, keyless = 0, False
    for numbers in _numbers(day, relation, side, others, names):
        kept, without_key = _of_part(numbers, part)
        keyless |= without_key is not None
        more = len(numbers["key"]) if kept is None else int(np.count_nonzero(kept))
        for name in names:
            values = _array(numbers[name])
            held[name][rows : rows + more] = values if kept is None else values[kept]
        rows += more
    whole = {name: values[:rows] for name, values in held.items()}
    return Prints(**{"beside": np.empty(0, np.int64)} | whole, keyless=keyless)


@dataclass(frozen=True)
class Rows:
    """Some of the same items, in the same order: what is counted of them. ``place``: which of ``places`` (platform, file) each stands in;
    ``without_key``: the row hashes of items that have no key, which stand in none of the others."""

    row: Hashes
    minor: Hashes
    place: NDArray[np.int32]
    places: Sequence[tuple[str, str]]
    without_key: Hashes


def read_rows(day: Day, relation: str, side: str, others: Sequence[pa.Table], part: Part) -> Iterator[Rows]:
    """All items that ``read_prints`` reads, a piece at a time: they are read twice, since fresh memory for them costs more."""
    for numbers in _numbers(day, relation, side, others, ("row", "minor", "place")):
        kept, without_key = _of_part(numbers, part)
        row, minor, place = (_array(numbers[name]) for name in ("row", "minor", "place"))
        none = np.empty(0, np.int64) if without_key is None else row[without_key]
        if kept is not None:
            row, minor, place = row[kept], minor[kept], place[kept]
        yield Rows(row, minor, place, numbers["places"], none)


def _of_part(numbers: _Numbers, part: Part) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
    """Which items have a key that is of the part, None: all; and which have none, where the part has those, None: none."""
    kept = without_key = None
    if numbers["key"].null_count:
        keyless = numbers["key"].is_null().to_numpy(zero_copy_only=False)
        without_key = keyless if part.first is None else None
        kept = ~keyless
    here = part.holds(_array(numbers["key"].fill_null(0)))
    if here is not None:
        kept = here if kept is None else kept & here
    return kept, without_key


_Numbers = dict[str, Any]


def _array(values: pa.Array | NDArray[Any]) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    found: NDArray[Any] = values.fill_null(0).to_numpy() if values.null_count else values.to_numpy()
    return found


def rows_at_most(day: Day, relation: str, side: str, others: Sequence[pa.Table]) -> int:
    """How many rows the side's items are in all, where each row of its table is one."""
    rows: int = sum(items.num_rows for items in others)
    if (sealed := SEALED_SIDES.get((relation, side))) is not None:
        seal = day.context.seal(sealed.step)
        assert seal is not None
        rows += day.context.wiring.lake.manifest(seal.path).tables[sealed.table]["rows"]
    return rows


def _numbers(day: Day, relation: str, side: str, others: Sequence[pa.Table], names: Collection[str]) -> Iterator[_Numbers]:
    """The key, and what else is asked for; with the place of each also the ``places``."""
    if (sealed := SEALED_SIDES.get((relation, side))) is not None:
        yield from _sealed(day, relation, sealed, names)
    for items in others:
        if items.num_rows:
            found = numbers_of(relation, items.select(["row_ref", "match_key", *printed(relation)]))
            numbers: _Numbers = {name: found[name].combine_chunks() for name in NUMBERS}
            if "beside" in names:
                numbers["beside"] = items[BESIDE_THE_PRINT[relation]].fill_null(_NO_FEE)
            if "final" in names:
                numbers["final"] = _final(items["status"])
            if "place" in names:
                landed = sealed is not None and sealed.landed
                file = pc.list_element(pc.split_pattern(items["row_ref"], ":"), 0) if landed else None
                numbers["place"], numbers["places"] = _placed(items["platform"], file)
            yield numbers


def _sealed(day: Day, relation: str, side: SealedSide, names: Collection[str]) -> Iterator[_Numbers]:
    lake, seal = day.context.wiring.lake, day.context.seal(side.step)
    assert seal is not None
    columns = {name: column(relation, name) for name in NUMBERS if name in names or name in ("key", "row")}
    more: set[str] = set()
    if "place" in names:
        more |= {side.platform} | ({"file_name"} if side.landed else set())
    if "final" in names and side.status:
        more |= {"status"}
    if "beside" in names:
        columns |= {"minor": column(relation, "minor")}
        more |= {"fee_minor"} if side.landed else {"channel", "txn_type"}
    for part in lake.parts(seal.path, side.table):
        rows = lake.index(seal.path, side.table, part, [*columns.values(), *sorted(more)])
        # What is no item of the relation has no row hash.
        if rows[columns["row"]].null_count:
            rows = rows.filter(rows[columns["row"]].is_valid())
        if not rows.num_rows:
            continue
        numbers: _Numbers = {name: rows[of].combine_chunks() for name, of in columns.items()}
        if "beside" in names:
            numbers["beside"] = (
                rows["fee_minor"].fill_null(_NO_FEE)
                if side.landed
                else expected_fees(rows, _array(numbers["minor"]), day.reference.channel_rates())
            )
        if "final" in names:
            numbers["final"] = _final(rows["status"]) if side.status else np.ones(rows.num_rows, np.bool_)
        if "place" in names:
            numbers["place"], numbers["places"] = _placed(rows[side.platform], rows["file_name"] if side.landed else None)
        yield numbers


def expected_fees(rows: pa.Table, gross: NDArray[np.int64], rates: Sequence[Rate]) -> NDArray[np.int64]:
    """What each channel's contract asks, whole minor units, half_even: as jobs.reconcile.relations. Only what customers pay in bears a
    fee; none is known of a channel without a contract."""
    names, channels = coded(rows["channel"])
    fees = np.zeros(rows.num_rows, np.int64)
    types, type_codes = coded(rows["txn_type"])
    pays_in = looked_up([name == TxnType.RECHARGE for name in types], type_codes)
    of = {rate.channel: rate for rate in rates}
    for code, name in enumerate(names):
        here = pays_in & (channels == code)
        rate = of.get(str(name))
        if rate is None:
            fees[here] = _NO_FEE
            continue
        whole, rest = np.divmod(gross[here] * rate.millionths, _MILLION)
        up = (2 * rest > _MILLION) | ((2 * rest == _MILLION) & (whole % 2 == 1))
        fees[here] = np.maximum(whole + up, rate.least_minor)
    return fees


def _final(status: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Whether the status is one that stays."""
    names, codes = coded(status)
    return looked_up([name not in UNDER_WAY for name in names], codes)


def _placed(platform: pa.ChunkedArray, file: pa.ChunkedArray | None) -> tuple[NDArray[np.int32], list[tuple[str, str]]]:
    """Of each row which (platform, file) it stands in, and these; accounts of one platform are places apart that bear one name."""
    names, codes = coded(platform)
    files, file_codes = ([""], np.zeros(1, np.int32)) if file is None else coded(file)
    pairs = codes if file is None else codes.astype(np.int64) * len(files) + file_codes
    there = np.flatnonzero(np.bincount(pairs, minlength=len(names) * len(files)))
    numbers = np.zeros(len(names) * len(files), np.int32)
    numbers[there] = np.arange(len(there))
    places = [(str(names[pair // len(files)]).partition(":")[0], str(files[pair % len(files)])) for pair in there.tolist()]
    return numbers[pairs], places
