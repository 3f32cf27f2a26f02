"""The forecast of the day of shortage, against a borrower's balance used up item by item."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.shortage import UnpaidItems, forecast

DAY = date(2020, 1, 6)
Item = tuple[str, str, int, int, int]  # platform, loan, number, days from DAY, owed


def items_of(owed: list[Item]) -> UnpaidItems:
    items = UnpaidItems()
    for platform, loan, number, days, minor in owed:
        columns = (platform, f"{platform}.{loan[0]}", loan, number, "CNY", (DAY + timedelta(days)).toordinal(), minor)
        for name, value in zip(vars(items), columns, strict=True):
            getattr(items, name).append(value)
    return items


def test_a_balance_covers_all_loans_of_a_borrower_once_the_oldest_first() -> None:
    owed = [
        ("P1", "a1", 1, -3, 50),
        ("P1", "a1", 2, 1, 100),
        ("P1", "a2", 1, 2, 100),
        ("P1", "a2", 2, 9, 100),
        ("P1", "b1", 1, 2, 70),
    ]
    people, days = forecast(items_of(owed), {"P1.a": 180, "P1.b": 70}, DAY, DAY + timedelta(5))
    # 50 overdue and 100 are covered; of the next 100 only 30 are left.
    assert people == [
        {"platform": "P1", "borrower": "P1.a", "currency": "CNY", "available_minor": 180, "short_on": DAY + timedelta(2), "loan_id": "a2",
         "short_minor": 70}
    ]  # fmt: skip
    assert [(d["due"], d["items"], d["items_short"], d["due_minor"], d["short_minor"]) for d in days] == [
        (DAY + timedelta(1), 1, 0, 100, 0), (DAY + timedelta(2), 2, 1, 170, 70),
    ]  # fmt: skip


def test_nothing_owed_and_a_balance_that_nobody_knows() -> None:
    assert forecast(UnpaidItems(), {}, DAY, DAY) == ([], [])
    late = items_of([("P1", "a1", 1, 30, 5)])
    assert forecast(late, {"P1.a": 0}, DAY, DAY + timedelta(5)) == ([], [])
    with pytest.raises(KeyError):
        forecast(late, {}, DAY, DAY)


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
    for platform, loan, _, after, minor in sorted(owed, key=lambda i: (i[3], i[1], i[2])):
        due, name = DAY + timedelta(after), f"{platform}.{loan[0]}"
        if due > last:
            continue
        paid = min(left[name], minor)
        left[name] -= paid
        if due >= DAY:
            days[platform, due][0] += minor
            days[platform, due][1] += minor - paid
            if paid < minor:
                short[name] += minor - paid
                first.setdefault(name, due)
    people, by_day = forecast(items_of(owed), available, DAY, last)
    assert {row["borrower"]: (row["short_minor"], row["short_on"]) for row in people} == {n: (short[n], first[n]) for n in short}
    assert {(row["platform"], row["due"]): [row["due_minor"], row["short_minor"]] for row in by_day} == dict(days)
