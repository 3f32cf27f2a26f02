"""Matching by numbers: what is paired is what pairing by hand pairs, in any order and over any block's end; sums are exact."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.reconcile import numbers as columns_as_numbers
from jobs.reconcile.flows import _Ordered, _pairs
from jobs.reconcile.numbers import in_order
from jobs.reconcile.prints import Prints
from jobs.reconcile.totals import Totals, totals_by, totals_of_hashes

_LEAST, _MOST = -(2**63), 2**63 - 1
# Few keys, so that they repeat and meet; few prints, so that some pairs differ.
keys = st.sampled_from([_LEAST, -5, -1, 0, 1, 2, 3, 7, 11, _MOST])
items = st.lists(st.tuples(keys, st.sampled_from([0, 1]), st.sampled_from([0, 1]), st.sampled_from([5, 6])), max_size=14)
Items = list[tuple[int, int, int, int]]


def ordered(rows: Items, beside: bool) -> _Ordered:
    columns = np.array(rows, np.int64).reshape(-1, 4)
    nothing = np.empty(0, np.int64)
    prints = Prints(
        key=columns[:, 0].copy(),
        print_high=columns[:, 1].copy(),
        print_low=columns[:, 2].copy(),
        beside=columns[:, 3].copy() if beside else nothing,
        final=columns[:, 1] == 0,
        keyless=False,
    )
    places = np.argsort(prints.key)
    return _Ordered("A", prints, prints.key[places], places)


@given(left=items, right=items, aside=st.sets(keys), beside=st.booleans(), block=st.integers(1, 4))
def test_pairs_are_the_keys_that_stand_once_on_each_side_and_agree(
    left: Items, right: Items, aside: set[int], beside: bool, block: int
) -> None:
    repeated = {key for side in (left, right) for key, many in Counter(row[0] for row in side).items() if many > 1}
    set_aside = np.array(sorted(aside | repeated), np.int64)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(columns_as_numbers, "_BLOCK_ROWS", block)
        found = _pairs(ordered(left, beside), ordered(right, beside), set_aside)
    kept = 4 if beside else 3
    a, b = ({row[0]: (n, row[:kept]) for n, row in enumerate(side) if row[0] not in set_aside} for side in (left, right))
    clean = sorted(key for key in a.keys() & b.keys() if a[key][1] == b[key][1])
    assert found.left.tolist() == [a[key][0] for key in clean]
    assert found.right.tolist() == [b[key][0] for key in clean]
    assert found.final.tolist() == [key for key in clean if a[key][1][1] == 0]
    assert sorted(found.not_clean.tolist()) == sorted(row[0] for row in (*left, *right) if row[0] not in clean)


# Alike but for their last bits, some of them, and of both signs.
near = st.builds(lambda lead, last: lead * 2**20 + last, st.sampled_from([-(2**43), -1, 0, 1, 2**42]), st.integers(0, 40))


@given(hashes=st.lists(st.one_of(near, keys), max_size=60), few=st.sampled_from([0, 3, 1_000]))
def test_hashes_alike_in_their_leading_bits_are_in_order_too(hashes: list[int], few: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(columns_as_numbers, "_FEW", few)
        ordered, places = in_order(np.array(hashes, np.int64))
    assert sorted(places.tolist()) == list(range(len(hashes)))
    assert ordered.tolist() == sorted(hashes) == [hashes[place] for place in places.tolist()]


numbers = st.one_of(st.integers(_LEAST, _MOST), st.sampled_from([_LEAST, _MOST, -1, 0, 1]))


@given(rows=st.lists(st.tuples(st.integers(0, 3), numbers, numbers, st.integers(0, 2)), max_size=30), block=st.integers(1, 7))
def test_sums_by_place_are_exact(rows: list[tuple[int, int, int, int]], block: int) -> None:
    columns: list[Any] = [np.array([row[n] for row in rows], kind) for n, kind in enumerate((np.int32, np.int64, np.int64))]
    taken = np.array([n for n, row in enumerate(rows) for _ in range(row[3])], np.int64)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(columns_as_numbers, "_BLOCK_ROWS", block)
        found = totals_by(columns[0], 4, columns[1], columns[2], taken)
    for code, of_code in enumerate(found):
        mine = [row for row in rows if row[0] == code for _ in range(row[3])]
        unsigned = [row[1] % 2**64 for row in mine]
        high, low = sum(n >> 32 for n in unsigned), sum(n & 0xFFFFFFFF for n in unsigned)
        assert of_code == Totals(len(mine), sum(row[2] for row in mine), high, low)
    whole = totals_of_hashes(columns[1][taken])
    assert (whole.high, whole.low) == (sum(t.high for t in found), sum(t.low for t in found))
