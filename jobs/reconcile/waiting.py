"""Rows that only wait, found by whole columns: of a day's rest they can be nearly all (what a channel will settle tomorrow, the
counterparts of a file that is late).

The rules are judge_group's of custody.matching for a key that stands for one row; a property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def split_waiting(
    rest: pa.Table,
    as_of: date,
    files_missing: Collection[str],
    matched_before: Collection[tuple[str, str]],
    waiting_keys: Collection[str],
) -> tuple[pa.Table, pa.Table]:
    """(rows that wait, with the ``rule`` by which they do; all others). A row waits only alone: nothing else has its key."""
    keys = pc.binary_join_element_wise(rest["relation"], rest["match_key"], "|")
    before = pa.array([f"{relation}|{key}" for relation, key in sorted(matched_before)], pa.string())
    today = pa.scalar(as_of, pa.date32())
    # Within the cut-off window a counterpart may stand in files of other dates too: the few rows there are left to the core.
    alone = pc.and_(pc.and_(_once(keys), pc.invert(pc.is_in(keys, before))), pc.invert(rest["in_window"]))
    late = pc.is_in(rest["counterpart_file"], pa.array(sorted(files_missing), pa.string()))
    not_due = pc.fill_null(pc.greater(rest["expected_on"], today), False)
    posting = pc.is_in(rest["match_key"], pa.array(sorted(waiting_keys), pa.string()))
    rule = pa.nulls(rest.num_rows, pa.string())
    # The first of judge_group's reasons is the one that stands: set last.
    for applies, name in (
        (not_due, "not_due"),
        (late, "late_file"),
        (posting, "instruction_waiting"),
    ):
        rule = pc.if_else(applies, name, rule)
    rule = pc.if_else(alone, rule, pa.scalar(None, pa.string()))
    waits = rest.append_column("rule", rule).filter(pc.is_valid(rule))
    return waits, rest.filter(pc.is_null(rule))


def _once(keys: pa.ChunkedArray) -> pa.Array:
    """Whether a row's key stands for no other; a null key does for nothing."""
    codes = pc.fill_null(keys.combine_chunks().dictionary_encode().indices, -1).to_numpy()
    counts = np.bincount(codes + 1, minlength=2)
    counts[0] = 0
    return pa.array(counts[codes + 1] == 1)
