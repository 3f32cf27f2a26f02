"""Figures of batches: the same however the rows are divided and ordered, and equal to what a person counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.batch_statistics import AMOUNT, ROWS, measure
from jobs.distinct_keys import key_hashes
from schemas.expectations import BatchSuite

SUITE = BatchSuite("TXN", ("request_no", "leg"), "txn_type", "amount_minor", "event_time", ("loan_id", "channel"), (), ())
DAY = date(2020, 1, 6)
START = datetime(2020, 1, 6, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("party", pa.string()), ("custody_date", pa.date32()), ("request_no", pa.string()), ("leg", pa.int64()),
        ("txn_type", pa.string()), ("amount_minor", pa.int64()), ("event_time", pa.timestamp("us", tz="UTC")),
        ("loan_id", pa.string()), ("channel", pa.string()),
    ]
)  # fmt: skip

rows = st.lists(
    st.fixed_dictionaries(
        {
            "party": st.sampled_from(["P1", "P10", "P2"]),
            "custody_date": st.sampled_from([DAY, DAY - timedelta(days=1)]),
            "request_no": st.sampled_from(["R1", "R11", "R1\x1e", "甲"]),
            "leg": st.integers(1, 12),
            "txn_type": st.sampled_from(["RECHARGE", "WITHDRAW"]),
            "amount_minor": st.integers(0, 10**12),
            "event_time": st.integers(-100_000, 100_000).map(lambda s: START + timedelta(seconds=s)),
            "loan_id": st.none() | st.just("L1"),
            "channel": st.none() | st.just("CH01"),
        }
    ),
    max_size=60,
)


@given(rows, st.randoms(use_true_random=False), st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_division_and_order_gives_the_figures_that_a_person_counts(
    found: list[dict[str, Any]], draw: Any, cuts: list[int]
) -> None:
    shuffled = list(found)
    draw.shuffle(shuffled)
    edges = [0, *sorted(min(cut, len(found)) for cut in cuts), len(found)]
    parts = [pa.RecordBatch.from_pylist(shuffled[first:last], schema=SCHEMA) for first, last in pairwise(edges)]
    assert measure(SUITE, parts) == _counted(found)


def _counted(found: list[dict[str, Any]]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    figures: dict[Any, Any] = {}
    classes: dict[Any, Any] = {}
    by_batch: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        by_batch[row["party"], "TXN", row["custody_date"]].append(row)
    for batch, of in by_batch.items():
        amounts, times = [r["amount_minor"] for r in of], [r["event_time"] for r in of]
        figures[batch] = {
            "rows": len(of), "keys": len({(r["request_no"], r["leg"]) for r in of}),
            "amount_min_minor": min(amounts), "amount_max_minor": max(amounts), "first_event": min(times), "last_event": max(times),
        }  # fmt: skip
        classes[batch] = {}
        for name in {r["txn_type"] for r in of}:
            of_class = [r for r in of if r["txn_type"] == name]
            counted = Counter({ROWS: len(of_class), AMOUNT: sum(r["amount_minor"] for r in of_class)})
            counted.update({f"absent:{c}": sum(r[c] is None for r in of_class) for c in SUITE.optional})
            classes[batch][name] = Counter({measure: value for measure, value in counted.items() if value})
    return figures, classes


keys = st.tuples(st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), max_size=20), st.integers(0, 10**9))


@given(st.lists(keys, min_size=2, max_size=40))
@settings(max_examples=100, deadline=None)
def test_hashes_are_equal_just_where_keys_are(found: list[tuple[str, int]]) -> None:
    hashes = key_hashes(pa.table({"a": [a for a, _ in found], "b": [b for _, b in found]})).tolist()
    assert len(set(hashes)) == len(set(found))
    assert [hashes[found.index(key)] for key in found] == hashes
