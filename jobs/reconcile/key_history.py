"""Keys that have matched once must never match again: what earlier days sealed of them, and which of today's are among them.

A day seals, for each flow relation, the sorted 64-bit hashes of its matched keys as files of eight octets a key. Today's hashes are
looked for in them; where one is found, that day's items themselves say whether it is the same key: two keys may have one hash,
and whoever makes two such keys must gain nothing by it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from jobs.reconcile.day import Day
from jobs.reconcile.views import column_view, new_items, new_rows
from jobs.step import StepContext
from schemas.xxhash64 import Hashes, xxhash64

_FOLDER = "matched_keys"
# Read by hand or by another engine: little-endian, signed, ascending.
_FORM = "<i8"
# The numbers of a relation's files.
_CLEAN, _JUDGED = 0, 999


def key_hash_sql(key: str) -> str:
    """The 64-bit hash of a column that holds a key. Both engines reckon the same."""
    return f"xxhash64({key})"


def write_matched(context: StepContext, clean: Mapping[str, Hashes], judged: Mapping[str, Sequence[int]]) -> None:
    """Seal the day's matched keys by relation. ``clean``: ascending; ``judged``: of what was not clean but matched."""
    assert context.writer is not None
    files = {(relation, _CLEAN): hashes for relation, hashes in clean.items()}
    files |= {(relation, _JUDGED): np.array(sorted(hashes), np.int64) for relation, hashes in judged.items()}
    for (relation, number), hashes in sorted(files.items()):
        if len(hashes):
            context.writer.file(f"{_FOLDER}-{relation.lower()}-{number:03d}.i64", hashes.astype(_FORM, copy=False).tobytes())


def hits_of(day: Day, relation: str, hashes: Sequence[Hashes]) -> dict[date, Hashes]:
    """By earlier date: those of ``hashes`` (arrays, each ascending) that it sealed as matched. They are not made one array first: a day
    has millions, an earlier one has few of them."""
    lake, found = day.context.wiring.lake, {}
    for seal in day.context.seals_of("reconcile"):
        names = sorted(n for n in lake.manifest(seal.path).files if n.startswith(f"{_FOLDER}-{relation.lower()}-"))
        theirs = [np.frombuffer(lake.file(seal.path, name), _FORM) for name in names]
        common = np.unique(np.concatenate([np.empty(0, np.int64), *(_common(ours, some) for ours in hashes for some in theirs)]))
        if len(common):
            found[seal.custody_date] = common
    return found


def _common(ours: Hashes, theirs: Hashes) -> Hashes:
    """The values that two ascending arrays share: the shorter is looked for in the longer, neighbours in neighbouring places."""
    few, many = (ours, theirs) if len(ours) <= len(theirs) else (theirs, ours)
    if not len(few):
        return few
    at = np.minimum(np.searchsorted(many, few), len(many) - 1)
    shared: Hashes = few[many[at] == few]
    return shared


def matched_before(
    day: Day, spark: SparkSession, relation: str, hits: Mapping[date, Hashes], keys: Collection[str]
) -> frozenset[str]:
    """Of ``keys``, which have one of the hashes, those that are themselves behind ``hits``: they stood on a side of the relation on
    that day, were open no more at its end, and no restated file has released them since."""
    found: dict[str, date] = {}
    # Beside today's views, which others may be asking; relations are matched at the same time.
    of = f"_then_{relation.lower()}"
    for on, hashes in hits.items():
        column_view(spark, f"hits{of}", "h", pa.array(hashes))
        new_rows(day, spark, on, of)
        stood = _open_keys(day, relation, on - timedelta(days=1))
        for (name, _side), items in new_items(day, spark, of).items():
            if name == relation:
                items.createOrReplaceTempView(f"stood{of}")
                key_hash = key_hash_sql("match_key")
                query = f"select distinct match_key from stood{of} left semi join hits{of} h on h.h = {key_hash}"
                stood |= set(spark.sql(query).toArrow()["match_key"].to_pylist())
        found |= dict.fromkeys((stood - _open_keys(day, relation, on)).intersection(keys), on)
    released = _released(day, relation) if found else {}
    return frozenset(key for key, on in found.items() if on >= released.get(key, on))


def _released(day: Day, relation: str) -> dict[str, date]:
    """By key the last earlier day on which a restated file released it. What today's release, it meets as an item of its own."""
    found: dict[str, date] = {}
    for seal in day.context.seals_of("reconcile"):
        for row in day.context.rows("reconcile", "released_keys", on=seal.custody_date):
            if row["relation"] == relation:
                found[row["match_key"]] = seal.custody_date
    return found


def matched_among(day: Day, spark: SparkSession, relation: str, keys: Collection[str]) -> frozenset[str]:
    """Of these keys those that were matched on an earlier day."""
    if not keys:
        return frozenset()
    hashes = np.unique(xxhash64(pa.array(sorted(keys))))
    return matched_before(day, spark, relation, hits_of(day, relation, [hashes]), keys)


def _open_keys(day: Day, relation: str, on: date) -> set[str]:
    """The keys of the items that a day left open."""
    items = day.context.table("reconcile", "open_items", on=on)
    if items is None:
        return set()
    return set(items.filter(pc.equal(items["relation"], relation))["match_key"].to_pylist())
