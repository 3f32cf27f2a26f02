"""How each platform's loans stand and how they moved since the day before: overdue ratios, concentration, moves between buckets, by
columns (domain.md §8)."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from custody.ports import Row

_TEN = 10
_LONG = ("90-179", "180+")
# What a loan is in when it was not there the day before, and when nothing of it is owed any more.
NEW, SETTLED = "new", "settled"


def portfolio(loans: pa.Table, related: frozenset[str]) -> list[Row]:
    """For each platform and currency, from table ``loan_risk`` of one date: loans with a balance, what of them is overdue and over 90
    days, what the largest and the ten largest borrowers owe, and what those owe who are ``related`` (sub-accounts) to the platform. A ratio
    is left to its reader: amounts are exact, a quotient is not.

    A borrower is one sub-account: the same person under two of them is two here.
    """
    live = loans.filter(pc.greater(loans["outstanding_minor"], 0))
    overdue = pc.greater(live["overdue_minor"], 0)
    long = pc.is_in(live["bucket"], pa.array(_LONG))
    is_related = pc.is_in(live["borrower"], pa.array(sorted(related), pa.string()))
    columns = {
        "platform": live["platform"],
        "currency": live["currency"],
        "outstanding_minor": live["outstanding_minor"],
        "overdue_minor": live["overdue_minor"],
        "overdue_loans": pc.cast(overdue, pa.int64()),
        "overdue_over_90_minor": pc.if_else(long, live["overdue_minor"], 0),
        "overdue_over_90_loans": pc.cast(pc.and_(overdue, long), pa.int64()),
        "related_loans": pc.cast(is_related, pa.int64()),
        "related_minor": pc.if_else(is_related, live["outstanding_minor"], 0),
    }
    key = ["platform", "currency"]
    sums = (
        pa.table(columns)
        .group_by(key)
        .aggregate([(n, "sum") for n in columns if n not in key] + [("outstanding_minor", "count")])
    )
    of_borrower = live.group_by([*key, "borrower"]).aggregate([("outstanding_minor", "sum")])
    order = [
        ("platform", "ascending"),
        ("currency", "ascending"),
        ("outstanding_minor_sum", "descending"),
        ("borrower", "ascending"),
    ]
    largest: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for one in _first_of_each(of_borrower.sort_by(order), key, _TEN).to_pylist():
        largest[one["platform"], one["currency"]].append(one)
    rows = []
    for row in sums.sort_by([(name, "ascending") for name in key]).to_pylist():
        place = row["platform"], row["currency"]
        top = largest[place]
        rows.append(
            {
                "platform": row["platform"],
                "currency": row["currency"],
                "loans": row["outstanding_minor_count"],
                **{name: row[f"{name}_sum"] for name in columns if name not in key},
                "largest_borrower": top[0]["borrower"],
                "largest_minor": top[0]["outstanding_minor_sum"],
                "ten_largest_minor": sum(one["outstanding_minor_sum"] for one in top),
            }
        )
    return rows


def _first_of_each(ordered: pa.Table, key: list[str], count: int) -> pa.Table:
    """The first rows of each group of an ordered table."""
    if not ordered.num_rows:
        return ordered
    starts = np.zeros(ordered.num_rows, bool)
    starts[0] = True
    for name in key:
        codes = ordered[name].combine_chunks().dictionary_encode().indices.to_numpy()
        starts[1:] |= codes[1:] != codes[:-1]
    places = np.arange(ordered.num_rows)
    rank = places - np.maximum.accumulate(np.where(starts, places, 0))
    return ordered.filter(pa.array(rank < count))


def bucket_moves(before: pa.Table | None, loans: pa.Table) -> list[Row]:
    """How many loans moved from one bucket of days past due to another since the day before, by platform; ``paid_minor``: what was paid on
    them meanwhile, so that a partial payment shows though nothing moved. A cure is a move to "0" or to settled.

    Loans that stay where they were and were paid nothing are not listed.
    """
    columns = ["platform", "loan_id", "bucket", "paid_minor", "outstanding_minor", "overdue_minor"]
    after = _with_settled(loans.select(columns))
    earlier = _with_settled((before if before is not None else loans.slice(0, 0)).select(columns)).select(
        ["platform", "loan_id", "bucket", "paid_minor", "overdue_minor"]
    )
    earlier = earlier.rename_columns(["platform", "loan_id", "bucket_before", "paid_before", "overdue_before"])
    both = after.join(earlier, ["platform", "loan_id"], join_type="left outer")
    was = pc.fill_null(both["bucket_before"], NEW)
    paid = pc.subtract(both["paid_minor"], pc.fill_null(both["paid_before"], 0))
    moved = pa.table(
        {
            "platform": both["platform"], "bucket_before": was, "bucket": both["bucket"], "paid_minor": paid,
            "overdue_minor": both["overdue_minor"], "overdue_before_minor": pc.fill_null(both["overdue_before"], 0),
        }
    )  # fmt: skip
    moved = moved.filter(pc.or_(pc.not_equal(moved["bucket_before"], moved["bucket"]), pc.not_equal(moved["paid_minor"], 0)))
    key = ["platform", "bucket_before", "bucket"]
    amounts = ["paid_minor", "overdue_before_minor", "overdue_minor"]
    sums = moved.group_by(key).aggregate([(name, "sum") for name in amounts] + [("platform", "count")])
    ordered = sums.sort_by([(name, "ascending") for name in key]).to_pylist()
    return [
        {**{name: row[name] for name in key}, "loans": row["platform_count"], **{name: row[f"{name}_sum"] for name in amounts}}
        for row in ordered
    ]


def _with_settled(loans: pa.Table) -> pa.Table:
    settled = pc.and_(pc.equal(loans["outstanding_minor"], 0), pc.equal(loans["overdue_minor"], 0))
    at = loans.schema.get_field_index("bucket")
    return loans.set_column(at, "bucket", pc.if_else(settled, SETTLED, loans["bucket"]))
