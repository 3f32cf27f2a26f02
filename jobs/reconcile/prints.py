"""One side of a flow relation as numbers (connectors.item_index): what is matched by, read without its rows' cells.

Rows that are new today have their numbers in the lake. Of others, few beside them, the numbers are reckoned here: what was carried
in, what a restated file set free, and the rows of e-accounts, of which a posting's ends are made one row each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    """Items of a side, a number each. ``beside``: what is compared beside the print, nothing where that is all; ``final``: whether the
    status is one that stays; ``place``: which of ``places`` (platform, file) it stands in. ``without_key``: the row hashes of the items
    that have no key, which stand in none of the others."""

    key: Hashes
    row: Hashes
    print_high: Hashes
    print_low: Hashes
    minor: Hashes
    beside: Hashes
    final: NDArray[np.bool_]
    place: NDArray[np.int32]
    places: Sequence[tuple[str, str]]
    without_key: Hashes


_KINDS: Mapping[str, type] = dict.fromkeys((*NUMBERS, "beside"), np.int64) | {"final": np.bool_, "place": np.int32}


def read_prints(day: Day, relation: str, side: str, others: Sequence[pa.Table], part: Part) -> Prints:
    """``others``: items as ITEM_COLUMNS that are not among the day's sealed rows of the side. What has no key is of the first part."""
    places: dict[tuple[str, str], int] = {}
    without_key: list[Hashes] = []
    # As much room as there can be rows; what is never written takes none.
    names = [name for name in _KINDS if name != "beside" or relation in BESIDE_THE_PRINT]
    room = rows_at_most(day, relation, side, others)
    held: dict[str, NDArray[Any]] = {name: np.empty(room, _KINDS[name]) for name in names}
    rows = 0
    for numbers in _numbers(day, relation, side, others, places):
        kept: NDArray[np.bool_] | None = None
        if numbers["key"].null_count:
            keyless = numbers["key"].is_null().to_numpy(zero_copy_only=False)
            if part.first is None:
                without_key.append(_array(numbers["row"])[keyless])
            kept = ~keyless
        here = part.holds(_array(numbers["key"].fill_null(0)))
        if here is not None:
            kept = here if kept is None else kept & here
        more = len(numbers["key"]) if kept is None else int(np.count_nonzero(kept))
        for name in names:
            values = _array(numbers[name])
            held[name][rows : rows + more] = values if kept is None else values[kept]
        rows += more
    whole = {name: values[:rows] for name, values in held.items()}
    return Prints(
        **{"beside": np.empty(0, np.int64)} | whole,
        places=list(places),
        without_key=np.concatenate([np.empty(0, np.int64), *without_key]),
    )


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


def _numbers(
    day: Day, relation: str, side: str, others: Sequence[pa.Table], places: dict[tuple[str, str], int]
) -> Iterator[_Numbers]:
    if (sealed := SEALED_SIDES.get((relation, side))) is not None:
        yield from _sealed(day, relation, sealed, places)
    for items in others:
        if items.num_rows:
            found = numbers_of(relation, items.select(["row_ref", "match_key", *printed(relation)]))
            landed = sealed is not None and sealed.landed
            file = pc.list_element(pc.split_pattern(items["row_ref"], ":"), 0) if landed else None
            yield {
                **{name: found[name].combine_chunks() for name in NUMBERS},
                "beside": items[BESIDE_THE_PRINT[relation]].fill_null(_NO_FEE) if relation in BESIDE_THE_PRINT else None,
                "final": _final(items["status"]),
                "place": _placed(items["platform"], file, places),
            }


def _sealed(day: Day, relation: str, side: SealedSide, places: dict[tuple[str, str], int]) -> Iterator[_Numbers]:
    lake, seal = day.context.wiring.lake, day.context.seal(side.step)
    assert seal is not None
    columns = {name: column(relation, name) for name in NUMBERS}
    more = {side.platform} | ({"file_name"} if side.landed else set()) | ({"status"} if side.status else set())
    if relation in BESIDE_THE_PRINT:
        more |= {"fee_minor"} if side.landed else {"channel", "txn_type"}
    for part in lake.parts(seal.path, side.table):
        rows = lake.index(seal.path, side.table, part, [*columns.values(), *sorted(more)])
        # What is no item of the relation has no row hash.
        if rows[columns["row"]].null_count:
            rows = rows.filter(rows[columns["row"]].is_valid())
        if not rows.num_rows:
            continue
        beside = None
        if relation in BESIDE_THE_PRINT and side.landed:
            beside = rows["fee_minor"].fill_null(_NO_FEE)
        elif relation in BESIDE_THE_PRINT:
            beside = expected_fees(rows, _array(rows[columns["minor"]]), day.reference.channel_rates())
        yield {
            **{name: rows[of].combine_chunks() for name, of in columns.items()},
            "beside": beside,
            "final": _final(rows["status"]) if side.status else np.ones(rows.num_rows, np.bool_),
            "place": _placed(rows[side.platform], rows["file_name"] if side.landed else None, places),
        }


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


def _placed(platform: pa.ChunkedArray, file: pa.ChunkedArray | None, places: dict[tuple[str, str], int]) -> NDArray[np.int32]:
    """Numbers in ``places``, which grows by what is new."""
    names, codes = coded(platform)
    files, file_codes = ([""], np.zeros(1, np.int32)) if file is None else coded(file)
    pairs = codes if file is None else codes.astype(np.int64) * len(files) + file_codes
    numbers = np.zeros(len(names) * len(files), np.int32)
    for pair in np.flatnonzero(np.bincount(pairs, minlength=len(numbers))).tolist():
        place = str(names[pair // len(files)]).partition(":")[0], str(files[pair % len(files)])
        numbers[pair] = places.setdefault(place, len(places))
    found: NDArray[np.int32] = numbers[pairs]
    return found
