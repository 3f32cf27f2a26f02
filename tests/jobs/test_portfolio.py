"""Overdue ratios, concentration and moves between buckets, held to the same by hand."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from custody.ports import Row
from custody.risk import BUCKETS
from jobs.risk.portfolio import NEW, SETTLED, bucket_moves, portfolio

_NAMES = ("platform", "loan_id", "borrower", "outstanding_minor", "overdue_minor", "bucket", "paid_minor")


def table(loans: list[tuple[str, str, str, int, int, str, int]]) -> pa.Table:
    columns = {name: [loan[at] for loan in loans] for at, name in enumerate(_NAMES)} | {"currency": ["CNY"] * len(loans)}
    text, number = pa.string(), pa.int64()
    return pa.table({name: pa.array(values, number if name.endswith("_minor") else text) for name, values in columns.items()})


def test_a_platform_by_hand() -> None:
    loans = [
        ("P1", "a", "x", 1000, 0, "0", 0), ("P1", "b", "y", 500, 200, "1-29", 0), ("P1", "c", "x", 300, 300, "90-179", 0),
        ("P1", "d", "z", 0, 0, "0", 700), *(("P1", f"e{n}", f"e{n}", 10, 0, "0", 0) for n in range(12)), ("P2", "a", "x", 7, 7, "180+", 0),
    ]  # fmt: skip
    first, second = portfolio(table(loans), frozenset({"y", "e3"}))
    assert first == {
        "platform": "P1", "currency": "CNY", "loans": 15, "outstanding_minor": 1920, "overdue_minor": 500, "overdue_loans": 2,
        "overdue_over_90_minor": 300, "overdue_over_90_loans": 1, "largest_borrower": "x", "largest_minor": 1300,
        "ten_largest_minor": 1300 + 500 + 80, "related_loans": 2, "related_minor": 510,
    }  # fmt: skip
    assert (second["platform"], second["overdue_minor"], second["largest_minor"]) == ("P2", 7, 7)
    assert portfolio(table([]), frozenset()) == []


def test_a_partial_payment_a_cure_a_new_loan_and_one_that_is_settled() -> None:
    before = table([("P1", "a", "x", 100, 60, "30-59", 0), ("P1", "b", "y", 100, 60, "1-29", 0), ("P1", "c", "z", 50, 50, "1-29", 10),
                    ("P1", "same", "z", 50, 50, "1-29", 10)])  # fmt: skip
    after = table([("P1", "a", "x", 100, 40, "30-59", 20), ("P1", "b", "y", 40, 0, "0", 60), ("P1", "c", "z", 0, 0, "0", 60),
                   ("P1", "same", "z", 50, 50, "1-29", 10), ("P1", "n", "n", 9, 0, "0", 0)])  # fmt: skip
    found = {(row["bucket_before"], row["bucket"]): (row["loans"], row["paid_minor"], row["overdue_before_minor"], row["overdue_minor"])
             for row in bucket_moves(before, after)}  # fmt: skip
    assert found == {
        ("30-59", "30-59"): (1, 20, 60, 40), ("1-29", "0"): (1, 60, 60, 0), ("1-29", SETTLED): (1, 50, 50, 0), (NEW, "0"): (1, 0, 0, 0),
    }  # fmt: skip
    assert [row["bucket_before"] for row in bucket_moves(None, after)] == [NEW] * 4


_loan = st.tuples(
    st.sampled_from(["P1", "P2"]), st.sampled_from("abcdefgh"), st.sampled_from("xyz"), st.integers(0, 50), st.integers(0, 20),
    st.sampled_from([name for _, name in BUCKETS]), st.integers(0, 30),
)  # fmt: skip
_loans = st.lists(_loan, max_size=14, unique_by=lambda loan: loan[:2])


@given(_loans, _loans)
def test_as_counted_loan_by_loan(
    before: list[tuple[str, str, str, int, int, str, int]], after: list[tuple[str, str, str, int, int, str, int]]
) -> None:
    def bucket(loan: tuple[str, str, str, int, int, str, int]) -> str:
        return SETTLED if loan[3] == loan[4] == 0 else loan[5]

    earlier = {loan[:2]: loan for loan in before}
    moves: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for loan in after:
        old = earlier.get(loan[:2])
        was, paid = (bucket(old), loan[6] - old[6]) if old else (NEW, loan[6])
        if was != bucket(loan) or paid:
            moves[loan[0], was, bucket(loan)][0] += 1
            moves[loan[0], was, bucket(loan)][1] += paid
    found: list[Row] = bucket_moves(table(before), table(after))
    assert {(r["platform"], r["bucket_before"], r["bucket"]): [r["loans"], r["paid_minor"]] for r in found} == dict(moves)
    for row in portfolio(table(after), frozenset()):
        mine = [loan for loan in after if loan[0] == row["platform"] and loan[3] > 0]
        assert (row["loans"], row["outstanding_minor"]) == (len(mine), sum(loan[3] for loan in mine))
        assert row["overdue_minor"] == sum(loan[4] for loan in mine)
