"""The forecast of the day of shortage, against a borrower's balance used up item by item."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.risk.loans import Assessed
from jobs.risk.shortage import shortage

DAY = date(2020, 1, 6)
_DAY = (DAY - date(1970, 1, 1)).days
# (platform, loan: its first letter is its borrower, number, days after DAY, owed)
Item = tuple[str, str, int, int, int]


def owed_by(items: list[Item]) -> Assessed:
    """Loans of which nothing is known but these instalments."""
    items = sorted(items)
    names = sorted({(platform, loan) for platform, loan, *_ in items})
    size = len(names)
    loans = pa.table(
        {
            "platform": pa.array([platform for platform, _ in names], pa.string()),
            "loan_id": pa.array([loan for _, loan in names], pa.string()),
            "borrower": pa.array([f"{platform}.{loan[0]}" for platform, loan in names], pa.string()),
            "currency": pa.array(["CNY"] * size, pa.string()),
        }
    )
    nothing = np.zeros(size, np.int64)
    place = np.array([names.index((platform, loan)) for platform, loan, *_ in items], np.int64)
    number, due, owed = (np.array([item[at] for item in items], np.int64) for at in (2, 3, 4))
    order = np.lexsort((number, place))
    return Assessed(
        loans, *([nothing] * 7), item_loan=place[order], item_number=number[order], item_due=due[order] + _DAY,
        item_owed=owed[order], as_of=DAY,
    )  # fmt: skip


def test_one_balance_for_two_loans_and_the_day_on_which_it_is_used_up() -> None:
    found = shortage(
        owed_by([("P1", "a1", 3, -4, 50), ("P1", "a1", 4, 2, 100), ("P1", "a2", 1, 1, 60), ("P1", "b1", 1, 9, 10)]),
        {"P1.a": 130, "P1.b": 0},
        DAY + timedelta(1),
    )
    people, by_day = found.forecast(DAY + timedelta(5))
    assert people == [
        {"platform": "P1", "borrower": "P1.a", "currency": "CNY", "available_minor": 130, "short_on": DAY + timedelta(2), "loan_id": "a1",
         "short_minor": 80}
    ]  # fmt: skip
    assert [(row["due"], row["due_minor"], row["short_minor"], row["items_short"]) for row in by_day] == [
        (DAY + timedelta(1), 60, 0, 0),
        (DAY + timedelta(2), 100, 80, 1),
    ]
    # Up to the next day nothing is lacking.
    assert found.short_of_loan.tolist() == [0, 0, 0]


def test_nothing_owed_and_a_balance_that_nobody_knows() -> None:
    assert shortage(owed_by([]), {}, DAY).forecast(DAY) == ([], [])
    late = owed_by([("P1", "a1", 1, 30, 5)])
    assert shortage(late, {"P1.a": 0}, DAY).forecast(DAY + timedelta(5)) == ([], [])
    with pytest.raises(KeyError):
        shortage(late, {}, DAY)


_owed = st.lists(
    st.tuples(st.sampled_from(["P1", "P2"]), st.sampled_from(["a1", "a2", "b1", "c1"]), st.integers(1, 4), st.integers(-4, 8), st.integers(1, 99)),
    max_size=24, unique_by=lambda item: item[:3],
)  # fmt: skip
_money = st.lists(st.integers(-20, 400), min_size=6, max_size=6)


@given(_owed, _money)
def test_as_if_each_item_were_paid_in_turn(owed: list[Item], money: list[int]) -> None:
    names = [f"{platform}.{person}" for platform in ("P1", "P2") for person in "abc"]
    available, last = dict(zip(names, money, strict=True)), DAY + timedelta(5)
    left = {name: max(minor, 0) for name, minor in available.items()}
    short: dict[str, int] = defaultdict(int)
    days: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    first: dict[str, date] = {}
    near: dict[tuple[str, str], int] = defaultdict(int)
    for platform, loan, _, after, minor in sorted(owed, key=lambda i: (i[3], i[1], i[2])):
        due, name = DAY + timedelta(after), f"{platform}.{loan[0]}"
        if due > last:
            continue
        paid = min(left[name], minor)
        left[name] -= paid
        if due >= DAY:
            days[platform, due][0] += minor
            days[platform, due][1] += minor - paid
            near[platform, loan] += minor - paid if due <= DAY + timedelta(3) else 0
            if paid < minor:
                short[name] += minor - paid
                first.setdefault(name, due)
    found = shortage(owed_by(owed), available, DAY + timedelta(3))
    people, by_day = found.forecast(last)
    assert {row["borrower"]: (row["short_minor"], row["short_on"]) for row in people} == {n: (short[n], first[n]) for n in short}
    assert {(row["platform"], row["due"]): [row["due_minor"], row["short_minor"]] for row in by_day} == dict(days)
    loans = found.loans.loans.select(["platform", "loan_id"]).to_pylist()
    lacking = {(r["platform"], r["loan_id"]): n for r, n in zip(loans, found.short_of_loan.tolist(), strict=True) if n}
    assert lacking == {loan: minor for loan, minor in near.items() if minor}
