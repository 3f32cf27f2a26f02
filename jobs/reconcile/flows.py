"""Flow relations: what is clean is matched by numbers, the core judges the rest.

Of each item the lake has a print of all that may be compared (connectors.item_index). Of the pairs whose prints are one (nearly all
rows) only totals come out, never rows. Of what is left the engine reads the rows, and custody.matching gives each key its verdict.
Nothing is paired by an arbitrary row number.

Keys are told apart by 64-bit hashes first. A hash that stands twice on a side, or that was matched on an earlier day, is set aside
with all its rows. Of the others each stands for one row of a side at most, so that a hash names the same rows to the matching and to
the reading of the rest, whatever keys a platform has made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from connectors.lake import arrow_schema
from custody.matching import Bucket, Relation
from jobs.reconcile.day import Day
from jobs.reconcile.key_history import hits_of, key_hash_sql, matched_before
from jobs.reconcile.numbers import blocks, in_order
from jobs.reconcile.prints import Part, Prints, read_prints, read_rows, rows_at_most
from jobs.reconcile.relations import view_of
from jobs.reconcile.totals import ROW_HASH, Place, Totals, totals_by, totals_of_hashes
from jobs.reconcile.views import Books, column_view, left_over_of
from schemas.tables import TABLES
from schemas.xxhash64 import Hashes, xxhash64

# Rows of one side that are matched at a time: memory follows this, not the day.
PART_ROWS = 6_000_000
_Key = TypeVar("_Key", bound=tuple[str, ...])
_ITEM = ", ".join(f"i.{name}" for name in TABLES["open_items"].names)


@dataclass(frozen=True)
class _Counted:
    """Of a side: its items as they were read before anything was joined, and the pairs that agree in everything."""

    seen: dict[tuple[str, str], Totals]
    clean: dict[Place, Totals]


@dataclass
class FlowMatches:
    """``rest``: all items but clean pairs', as ITEM_COLUMNS and with their key's hash; ``left``: these, counted. ``final``: by relation the
    hashes, ascending, of the clean pairs' keys that must never match again. ``before``: the rest's keys that were matched on an earlier day.
    Whoever asks for ``seen`` or ``clean`` waits until they are counted."""

    rest: pa.Table
    left: dict[tuple[str, str], Totals] = field(default_factory=dict)
    final: dict[str, Hashes] = field(default_factory=dict)
    before: set[tuple[str, str]] = field(default_factory=set)
    counting: list[Future[_Counted]] = field(default_factory=list)

    @property
    def seen(self) -> dict[tuple[str, str], Totals]:
        """All items of a side, as they were read before anything was joined."""
        return self._counted.seen

    @property
    def clean(self) -> dict[Place, Totals]:
        """Of the pairs that agree in everything."""
        return self._counted.clean

    @cached_property
    def _counted(self) -> _Counted:
        whole = _Counted({}, {})
        for counted in self.counting:
            _add_all(whole.seen, counted.result().seen)
            _add_all(whole.clean, counted.result().clean)
        return whole


def match_flows(day: Day, spark: SparkSession, books: Books, part_rows: int = PART_ROWS) -> FlowMatches:
    """Match the items of the books side against side, so many rows of a side at a time.

    A pair is clean when each side has exactly one row with the key, the key is not null and was never matched before, and no column
    that the relation's rules may compare differs. What a rule would excuse, or does not ask, is left to the core; pairs that end a
    break of yesterday too, so that their rows can be named.
    """
    matches = FlowMatches(_no_items())
    rest = [matches.rest]
    # What the engine reads next does not wait for sums of clean pairs, nor does the judging of what it reads.
    counter = ThreadPoolExecutor(2)
    # What one relation does on one core, another's engine queries fill up.
    with ThreadPoolExecutor(2) as at_once:
        each = at_once.map(lambda relation: _match_relation(day, spark, books, relation, part_rows, counter), day.relations)
        for found in each:
            rest.append(found.rest)
            matches.counting += found.counting
            matches.left |= found.left
            matches.final |= found.final
            matches.before |= found.before
    counter.shutdown(wait=False)
    matches.rest = pa.concat_tables(rest)
    return matches


def _match_relation(
    day: Day, spark: SparkSession, books: Books, relation: Relation, part_rows: int, counter: ThreadPoolExecutor
) -> FlowMatches:
    matches = FlowMatches(_no_items())
    others = {side: books.beside_sealed(spark, relation.name, side) for side in (relation.left, relation.right)}
    broken = _broken(day, relation)
    left_over, final, null_keys = [], [], False
    for part in _parts(day, relation, others, part_rows):
        # A part's numbers make room before the next one's are read.
        wait(matches.counting)
        found = _match_part(day, spark, relation, part, others, broken, books.released, matches, counter)
        left_over.append(found.left_over)
        final.append(found.final)
        null_keys |= found.null_keys
    matches.final[relation.name] = np.concatenate(final)
    matches.rest = _rest(day, spark, books, relation, np.unique(np.concatenate(left_over)), null_keys)
    for side in (relation.left, relation.right):
        of_side = matches.rest.filter(pc.equal(matches.rest["side"], side))
        matches.left[relation.name, side] = totals_of_hashes(of_side["row_hash"].to_numpy())
    return matches


def _parts(day: Day, relation: Relation, others: Mapping[str, Sequence[pa.Table]], part_rows: int) -> list[Part]:
    many = max(rows_at_most(day, relation.name, side, of_side) for side, of_side in others.items())
    parts = max(1, -(-many // part_rows))
    bounds = [(number << 64) // parts - (1 << 63) for number in range(1, parts)]
    return [Part(*ends) for ends in zip([None, *bounds], [*bounds, None], strict=True)]


@dataclass(frozen=True)
class _PartMatches:
    """Hashes of the keys that are not clean, and of those that are and must never match again; whether there are rows without a key."""

    left_over: Hashes
    final: Hashes
    null_keys: bool


def _match_part(
    day: Day,
    spark: SparkSession,
    relation: Relation,
    part: Part,
    others: Mapping[str, Sequence[pa.Table]],
    broken: Hashes,
    released: frozenset[tuple[str, str]],
    into: FlowMatches,
    counter: ThreadPoolExecutor,
) -> _PartMatches:
    def read(side: str) -> _Ordered:
        prints = read_prints(day, relation.name, side, others[side], part)
        keys, places = in_order(prints.key)
        # In order they are all that is asked for: so much memory less.
        return _Ordered(side, replace(prints, key=np.empty(0, np.int64)), keys, places)

    with ThreadPoolExecutor(2) as both:
        left, right = both.map(read, (relation.left, relation.right))
    repeated = np.concatenate([side.keys[1:][side.keys[1:] == side.keys[:-1]] for side in (left, right)])
    before = _before(day, spark, relation, [left.keys, right.keys], released)
    into.before |= {(relation.name, key) for key in before}
    aside = np.unique(np.concatenate([repeated, *before.values(), broken]))
    pairs = _pairs(left, right, aside)
    for side, rows in ((left, pairs.left), (right, pairs.right)):
        of = _Taken.of(rows, side.prints.rows)
        into.counting.append(counter.submit(_count, day, relation.name, side.name, others[side.name], part, of))
    return _PartMatches(np.unique(pairs.not_clean), pairs.final, left.prints.keyless or right.prints.keyless)


@dataclass(frozen=True)
class _Taken:
    """Of a side's items the rows of clean pairs. ``twice``: their places in order, where some row is among them twice and so must count
    twice, whoever took it."""

    named: NDArray[np.bool_]
    twice: NDArray[np.int64] | None

    @classmethod
    def of(cls, rows: NDArray[np.int64], among: int) -> _Taken:
        named = np.zeros(among, np.bool_)
        named[rows] = True
        return cls(named, None if np.count_nonzero(named) == len(rows) else np.sort(rows))

    def here(self, first: int, end: int) -> NDArray[np.int64]:
        """Those from ``first`` up to ``end``, counted from it."""
        if self.twice is None:
            return np.flatnonzero(self.named[first:end])
        found: NDArray[np.int64] = self.twice[slice(*np.searchsorted(self.twice, (first, end)))] - first
        return found


def _count(day: Day, relation: str, side: str, others: Sequence[pa.Table], part: Part, clean: _Taken) -> _Counted:
    seen, by_place, done = Totals(), dict[Place, Totals](), 0
    for rows in read_rows(day, relation, side, others, part):
        seen = seen.plus(totals_of_hashes(rows.row)).plus(totals_of_hashes(rows.without_key))
        here = clean.here(done, done + len(rows.row))
        done += len(rows.row)
        counted = totals_by(rows.place, len(rows.places), rows.row, rows.minor, here)
        for place, totals in zip(rows.places, counted, strict=True):
            if totals.rows:
                _add_all(by_place, {(relation, side, *place): totals})
    return _Counted({(relation, side): seen}, by_place)


@dataclass(frozen=True)
class _Ordered:
    """A side in the order of its keys' hashes: these, and the place of each in ``prints``."""

    name: str
    prints: Prints
    keys: Hashes
    places: NDArray[np.int64]


@dataclass(frozen=True)
class _Pairs:
    """Places of the clean pairs' rows in each side's arrays, in the order of their hashes; of these the hashes that must never match
    again; hashes of all other keys."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    final: Hashes
    not_clean: Hashes


def _pairs(left: _Ordered, right: _Ordered, aside: Hashes) -> _Pairs:
    """The keys that stand on each side and whose rows are alike, but those with a hash that is set ``aside`` (ascending), of which each
    that stands twice on a side is one. Found block by block: what is worked on stays in the processor's cache."""
    most = min(len(left.keys), len(right.keys))
    mine, theirs, final = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    rest: list[Hashes] = []
    # Pairs so far, and those that must never match again; of the right side all up to ``done`` is dealt with.
    many = stay = done = 0
    for some in blocks(len(left.keys)):
        keys = left.keys[some]
        end = int(np.searchsorted(right.keys, keys[-1], "right"))
        others, of_others = right.keys[done:end], right.places[done:end]
        at = np.searchsorted(others, keys)
        meets = np.flatnonzero(others[np.minimum(at, len(others) - 1)] == keys) if len(others) else np.empty(0, np.int64)
        a, b = left.places[some][meets], of_others[at[meets]]
        alike = ~_among(keys[meets], aside)
        for name in ("print_high", "print_low", "beside"):
            of_left, of_right = getattr(left.prints, name), getattr(right.prints, name)
            if len(of_left):
                alike &= of_left[a] == of_right[b]
        clean = slice(many, many + int(np.count_nonzero(alike)))
        mine[clean], theirs[clean] = a[alike], b[alike]
        here = meets[alike]
        stays = keys[here][left.prints.final[mine[clean]]]
        final[stay : stay + len(stays)] = stays
        rest += [np.delete(keys, here), np.delete(others, at[here])]
        many, stay, done = clean.stop, stay + len(stays), end
    rest.append(right.keys[done:])
    return _Pairs(mine[:many], theirs[:many], final[:stay], np.concatenate(rest))


def _among(keys: Hashes, some: Hashes) -> NDArray[np.bool_]:
    """Which of the keys are in ``some``; both ascending."""
    # One more from where one of them begins, one less from where it ends.
    steps = np.zeros(len(keys) + 1, np.int64)
    if len(keys):
        here = some[np.searchsorted(some, keys[0]) : np.searchsorted(some, keys[-1], "right")]
        np.add.at(steps, np.searchsorted(keys, here, "left"), 1)
        np.add.at(steps, np.searchsorted(keys, here, "right"), -1)
    found: NDArray[np.bool_] = np.cumsum(steps[:-1]) > 0
    return found


def _before(
    day: Day, spark: SparkSession, relation: Relation, hashes: Sequence[Hashes], released: frozenset[tuple[str, str]]
) -> dict[str, Hashes]:
    """Today's keys that were matched on an earlier day, each with its hash. ``hashes``: of each side, ascending."""
    hits = hits_of(day, relation.name, hashes)
    if not hits:
        return {}
    view = f"seen_before_{relation.name.lower()}"
    column_view(spark, view, "h", pa.array(np.unique(np.concatenate(list(hits.values())))))
    key_hash = key_hash_sql("i.match_key")
    sides = [
        f"""
        select i.match_key, {key_hash} as key_hash from {view_of(relation.name, side)} i
        left semi join {view} s on s.h = {key_hash} where i.match_key is not null
        """
        for side in (relation.left, relation.right)
    ]
    found = spark.sql(" union ".join(sides)).toArrow()
    keys = dict(zip(found["match_key"].to_pylist(), found["key_hash"].to_pylist(), strict=True))
    before = matched_before(day, spark, relation.name, hits, keys)
    return {key: np.array([keys[key]], np.int64) for key in sorted(before) if (relation.name, key) not in released}


def _broken(day: Day, relation: Relation) -> Hashes:
    """Hashes of the keys that were a break yesterday."""
    matches = day.context.table("reconcile", "matches", on=day.yesterday)
    if matches is None:
        return np.empty(0, np.int64)
    mine = matches.filter(pc.and_(pc.equal(matches["relation"], relation.name), pc.equal(matches["bucket"], str(Bucket.BREAK))))
    return xxhash64(mine["match_key"].drop_null())


def _rest(day: Day, spark: SparkSession, books: Books, relation: Relation, left_over: Hashes, null_keys: bool) -> pa.Table:
    if not len(left_over) and not null_keys:
        return _no_items()
    column_view(spark, left_over_of(relation.name), "h", pa.array(left_over))
    key_hash = key_hash_sql("i.match_key")
    columns = f"{_ITEM}, {key_hash} as key_hash, {ROW_HASH.format('i')} as row_hash"
    queries = []
    for side in (relation.left, relation.right):
        view = books.left_over_view(day, spark, relation.name, side, null_keys)
        queries.append(
            f"select {columns} from {view} i left semi join {left_over_of(relation.name)} s on s.h = {key_hash} "
            "where i.match_key is not null"
        )
        if null_keys:
            queries.append(f"select {columns} from {view} i where i.match_key is null")
    found = spark.sql(" union all ".join(queries)).toArrow()
    # Engines differ in what they say may be null.
    return found.cast(_no_items().schema)


def _no_items() -> pa.Table:
    fields = [pa.field(field.name, field.type) for field in arrow_schema(TABLES["open_items"])]
    return pa.schema([*fields, pa.field("key_hash", pa.int64()), pa.field("row_hash", pa.int64())]).empty_table()


def _add_all(into: dict[_Key, Totals], more: Mapping[_Key, Totals]) -> None:
    for key, totals in more.items():
        into[key] = into.get(key, Totals()).plus(totals)
