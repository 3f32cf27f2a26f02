"""Flow relations: the engine matches what is clean, the core judges the rest.

The engine joins the two sides of a relation and decides on the real columns which pairs agree in everything (nearly all rows): of
these it returns totals, never rows. Only what is left comes to Python, where custody.matching gives each key its verdict. Nothing
is paired by an arbitrary row number.

Keys are told apart by 64-bit hashes first. A hash that stands twice on a side, or that was matched on an earlier day, is set aside
with all its rows. Of the others each stands for one row of a side at most, so that a hash names the same rows to the join and to
the reading of the rest, whatever keys a platform has made up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from connectors.lake import arrow_schema
from custody.matching import Bucket, Relation
from custody.names import UNDER_WAY
from jobs.reconcile.day import Day
from jobs.reconcile.engine_rules import clean_pair_sql, compared_columns
from jobs.reconcile.key_history import Hashes, hits_of, key_hash_sql, matched_before, without
from jobs.reconcile.relations import LANDED_SIDES, SIDE_TABLES, view_of
from jobs.reconcile.totals import ROW_HASH, Place, Totals, sums_sql, totals_of, totals_of_hashes
from jobs.reconcile.views import column_view
from schemas.tables import TABLES

# Rows of one side that the engine joins at a time: its memory follows this, not the day.
PART_ROWS = 6_000_000
_Key = TypeVar("_Key", bound=tuple[str, ...])
_ITEM = ", ".join(f"i.{name}" for name in TABLES["open_items"].names)


@dataclass
class FlowMatches:
    """``clean``: of the pairs that agree in everything. ``rest``: all other items, as ITEM_COLUMNS and with their key's hash. ``seen``: all items of a side, as
    they were read before anything was joined; ``left``: the rest of them, counted the same way. ``final``: by relation the
    hashes, ascending, of the clean pairs' keys that must never match again. ``before``: the rest's keys that were matched on an earlier day."""

    rest: pa.Table
    clean: dict[Place, Totals] = field(default_factory=dict)
    seen: dict[tuple[str, str], Totals] = field(default_factory=dict)
    left: dict[tuple[str, str], Totals] = field(default_factory=dict)
    final: dict[str, Hashes] = field(default_factory=dict)
    before: set[tuple[str, str]] = field(default_factory=set)


def match_flows(day: Day, spark: SparkSession, released: Collection[tuple[str, str]], part_rows: int = PART_ROWS) -> FlowMatches:
    """Match the views of relations.view_of side against side, so many rows of a side at a time. ``released``: (relation, key) of
    what restated files set free today.

    A pair is clean when each side has exactly one row with the key, the key is not null and was never matched before, its dates are
    one, and no pair rule is broken (for a relation that nets: the amounts agree). Pairs that end a break of yesterday are left to the
    core too, so that their rows can be named.
    """
    matches = FlowMatches(_no_items())
    rest = [matches.rest]
    for relation in day.relations:
        broken = _broken(day, spark, relation)
        left_over, final, null_keys = [], [], False
        for part in _parts(day, relation, part_rows):
            found = _match_part(day, spark, relation, part, broken, frozenset(released), matches)
            left_over.append(found.left_over)
            final.append(found.final)
            null_keys |= found.null_keys
        matches.final[relation.name] = np.concatenate(final)
        mine = _rest(spark, relation, np.unique(np.concatenate(left_over)), null_keys)
        for side in (relation.left, relation.right):
            of_side = mine.filter(pc.equal(mine["side"], side))
            matches.left[relation.name, side] = totals_of_hashes(of_side["row_hash"].to_numpy())
        rest.append(mine)
    matches.rest = pa.concat_tables(rest)
    return matches


def _parts(day: Day, relation: Relation, part_rows: int) -> list[_Part]:
    """Of the day's new rows; what was carried in is little beside them."""
    many = max(_sealed_rows(day, step, table) for step, table in SIDE_TABLES[relation.name])
    parts = max(1, -(-many // part_rows))
    bounds = [(number << 64) // parts - (1 << 63) for number in range(1, parts)]
    return [_Part(*ends) for ends in zip([None, *bounds], [*bounds, None], strict=True)]


def _sealed_rows(day: Day, step: str, table: str) -> int:
    seal = day.context.seal(step)
    assert seal is not None
    rows: int = day.context.wiring.lake.manifest(seal.path).tables[table]["rows"]
    return rows


@dataclass(frozen=True)
class _Part:
    """The keys whose hash is at least ``first`` and less than ``end``. So parts follow each other in the order of their hashes."""

    first: int | None
    end: int | None

    def holds(self, key_hash: str) -> str:
        low = [] if self.first is None else [f"{key_hash} >= {self.first}"]
        high = [] if self.end is None else [f"{key_hash} < {self.end}"]
        return " and ".join(low + high) or "true"


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
    part: _Part,
    broken: Hashes,
    released: frozenset[tuple[str, str]],
    into: FlowMatches,
) -> _PartMatches:
    hashes = {side: _hashes(spark, relation.name, side, part) for side in (relation.left, relation.right)}
    keyed = {side: np.sort(found.key) for side, found in hashes.items()}
    for side, found in hashes.items():
        _add(into.seen, (relation.name, side), totals_of_hashes(found.row))
    repeated = np.concatenate([found[1:][found[1:] == found[:-1]] for found in keyed.values()])
    before = _before(day, spark, relation, list(keyed.values()), released)
    into.before |= {(relation.name, key) for key in before}
    aside = np.unique(np.concatenate([repeated, *before.values(), broken]))
    left_over = np.unique(np.concatenate([aside, _join(spark, relation, part, aside, into)]))
    final = hashes[relation.left].final
    final.sort()
    return _PartMatches(left_over, without(final, left_over), any(found.null_keys for found in hashes.values()))


def _before(
    day: Day, spark: SparkSession, relation: Relation, hashes: Sequence[Hashes], released: frozenset[tuple[str, str]]
) -> dict[str, Hashes]:
    """Today's keys that were matched on an earlier day, each with its hash. ``hashes``: of each side, ascending."""
    hits = hits_of(day, relation.name, hashes)
    if not hits:
        return {}
    column_view(spark, "seen_before", "h", pa.array(np.unique(np.concatenate(list(hits.values())))))
    key_hash = key_hash_sql("i.match_key")
    sides = [
        f"""
        select i.match_key, {key_hash} as key_hash from {view_of(relation.name, side)} i
        left semi join seen_before s on s.h = {key_hash} where i.match_key is not null
        """
        for side in (relation.left, relation.right)
    ]
    found = spark.sql(" union ".join(sides)).toArrow()
    keys = dict(zip(found["match_key"].to_pylist(), found["key_hash"].to_pylist(), strict=True))
    before = matched_before(day, spark, relation.name, hits, keys)
    return {key: np.array([keys[key]], np.int64) for key in sorted(before) if (relation.name, key) not in released}


def _broken(day: Day, spark: SparkSession, relation: Relation) -> Hashes:
    """Hashes of the keys that were a break yesterday."""
    matches = day.context.table("reconcile", "matches", on=day.yesterday)
    if matches is None:
        return np.empty(0, np.int64)
    mine = matches.filter(pc.and_(pc.equal(matches["relation"], relation.name), pc.equal(matches["bucket"], str(Bucket.BREAK))))
    column_view(spark, "broken_keys", "match_key", mine["match_key"].drop_null())
    hashes: Hashes = spark.sql(f"select {key_hash_sql('match_key')} as h from broken_keys").toArrow()["h"].to_numpy()
    return hashes


@dataclass(frozen=True)
class _Hashes:
    """Of a side's rows: the hashes of their keys where they have one, their own, and those of the keys whose row's status is final."""

    key: Hashes
    row: Hashes
    final: Hashes
    null_keys: bool


def _hashes(spark: SparkSession, relation: str, side: str, part: _Part) -> _Hashes:
    """What has no key is of the first part."""
    under_way = ", ".join(f"'{status}'" for status in sorted(UNDER_WAY))
    without_key = "true" if part.first is None else "false"
    found = spark.sql(
        f"""
        select key_hash, row_hash, final from (
          select if(i.match_key is null, null, {key_hash_sql("i.match_key")}) as key_hash, {ROW_HASH.format("i")} as row_hash,
                 coalesce(i.status, '') not in ({under_way}) as final
          from {view_of(relation, side)} i
        ) where if(key_hash is null, {without_key}, {part.holds("key_hash")})
        """
    ).toArrow()
    keyed = found.filter(found["key_hash"].is_valid()) if found["key_hash"].null_count else found
    key: Hashes = keyed["key_hash"].to_numpy()
    return _Hashes(key, found["row_hash"].to_numpy(), key[keyed["final"].to_numpy()], keyed.num_rows < found.num_rows)


def _join(spark: SparkSession, relation: Relation, part: _Part, aside: Hashes, into: FlowMatches) -> Hashes:
    """Counts the clean pairs; returns the hashes of the keys that are on one side only, or whose pair differs in anything.

    What is counted of a row is reckoned before the join, so that it carries nothing but what is compared."""
    column_view(spark, "set_aside", "h", pa.array(aside))
    anti = "left anti join set_aside s on s.h = i.key_hash" if len(aside) else ""
    compared = ", ".join(f"i.{name}" for name in compared_columns(relation))
    sides = []
    for side in (relation.left, relation.right):
        file_name = "substring_index(i.row_ref, ':', 1)" if (relation.name, side) in LANDED_SIDES else "''"
        sides.append(
            f"""
            (select i.* from (
               select {key_hash_sql("i.match_key")} as key_hash, {ROW_HASH.format("i")} as row_hash, i.match_key, i.platform,
                      {file_name} as file_name, {compared}
               from {view_of(relation.name, side)} i where i.match_key is not null
             ) i {anti} where {part.holds("i.key_hash")})
            """
        )
    found = spark.sql(
        f"""
        select coalesce(l.platform, r.platform) as platform, l.file_name as l_file, r.file_name as r_file,
               if({clean_pair_sql(relation, "l", "r")}, null, coalesce(l.key_hash, r.key_hash)) as not_clean,
               {sums_sql("l.row_hash", "l.amount_minor", "l")}, {sums_sql("r.row_hash", "r.amount_minor", "r")}
        from {sides[0]} l full outer join {sides[1]} r on l.key_hash = r.key_hash and l.match_key = r.match_key
        group by 1, 2, 3, 4
        """
    ).toArrow()
    is_clean = found["not_clean"].is_null()
    for row in found.filter(is_clean).to_pylist():
        for prefix, side in (("l", relation.left), ("r", relation.right)):
            _add(into.clean, (relation.name, side, row["platform"], row[f"{prefix}_file"]), totals_of(row, prefix))
    not_clean: Hashes = found["not_clean"].drop_null().to_numpy()
    return not_clean


def _rest(spark: SparkSession, relation: Relation, left_over: Hashes, null_keys: bool) -> pa.Table:
    if not len(left_over) and not null_keys:
        return _no_items()
    column_view(spark, "left_over", "h", pa.array(left_over))
    key_hash = key_hash_sql("i.match_key")
    columns = f"{_ITEM}, {key_hash} as key_hash, {ROW_HASH.format('i')} as row_hash"
    queries = []
    for side in (relation.left, relation.right):
        view = view_of(relation.name, side)
        queries.append(
            f"select {columns} from {view} i left semi join left_over s on s.h = {key_hash} where i.match_key is not null"
        )
        if null_keys:
            queries.append(f"select {columns} from {view} i where i.match_key is null")
    found = spark.sql(" union all ".join(queries)).toArrow()
    # Engines differ in what they say may be null.
    return found.cast(_no_items().schema)


def _no_items() -> pa.Table:
    fields = [pa.field(field.name, field.type) for field in arrow_schema(TABLES["open_items"])]
    return pa.schema([*fields, pa.field("key_hash", pa.int64()), pa.field("row_hash", pa.int64())]).empty_table()


def _add(into: dict[_Key, Totals], key: _Key, more: Totals) -> None:
    into[key] = into.get(key, Totals()).plus(more)
