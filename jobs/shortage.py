"""The day on which a borrower's money will not cover what he owes: instalments due on the next business days against his balance, by
columns (domain.md §8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import numpy as np

from custody.ports import Row
from custody.risk import LoanPosition


@dataclass
class UnpaidItems:
    """Unpaid instalments, a list for each column; amounts in minor units."""

    platform: list[str] = field(default_factory=list)
    borrower: list[str] = field(default_factory=list)
    loan_id: list[str] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    currency: list[str] = field(default_factory=list)
    due: list[int] = field(default_factory=list)
    owed_minor: list[int] = field(default_factory=list)

    def add(self, platform: str, position: LoanPosition) -> None:
        """What a loan's borrower still owes."""
        for item in position.risk.unpaid:
            self.platform.append(platform)
            self.borrower.append(position.borrower)
            self.loan_id.append(position.loan_id)
            self.number.append(item.number)
            self.currency.append(position.risk.currency)
            self.due.append(item.due.toordinal())
            self.owed_minor.append(item.owed_minor)


def forecast(items: UnpaidItems, available_minor: Mapping[str, int], as_of: date, last: date) -> tuple[list[Row], list[Row]]:
    """(for each borrower who will be short: since which day and of how much; for each platform and day of ``as_of`` to ``last``: what
    falls due and what of it is not covered), both up to ``last``.

    A borrower's balance covers all his loans once, oldest instalment first, what is overdue before what comes; what is overdue is
    counted in neither (DAYS_PAST_DUE speaks of it). No money is assumed to come. A borrower without a balance raises KeyError.
    """
    if not items.due:
        return [], []
    due, owed = np.array(items.due, np.int64), np.array(items.owed_minor, np.int64)
    borrowers, of = np.unique(np.array(items.borrower), return_inverse=True)
    money = np.array([max(available_minor[name], 0) for name in borrowers.tolist()], np.int64)
    order = np.lexsort((np.array(items.number), np.array(items.loan_id), due, of))
    order = order[due[order] <= last.toordinal()]
    due, owed, of = due[order], owed[order], of[order]
    starts = np.flatnonzero(np.r_[True, of[1:] != of[:-1]]) if len(of) else np.zeros(0, np.int64)
    # Running sums within each borrower: all that was owed to him before his first item is taken off.
    upto = np.cumsum(owed)
    before = np.repeat(upto[starts] - owed[starts], np.diff(np.r_[starts, len(of)]))
    upto = upto - before
    short = np.minimum(owed, np.maximum(upto - money[of], 0))
    coming = due >= as_of.toordinal()
    at = order.tolist()
    lacking = np.flatnonzero(coming & (short > 0)).tolist()
    people: dict[str, Row] = {}
    for k in lacking:
        i = at[k]
        row = people.setdefault(
            items.borrower[i],
            {"platform": items.platform[i], "borrower": items.borrower[i], "currency": items.currency[i],
             "available_minor": available_minor[items.borrower[i]], "short_on": date.fromordinal(int(due[k])),
             "loan_id": items.loan_id[i], "short_minor": 0},
        )  # fmt: skip
        row["short_minor"] += int(short[k])
    return list(people.values()), _by_day(items, np.flatnonzero(coming).tolist(), at, due, owed, short)


def _by_day(
    items: UnpaidItems, coming: list[int], at: list[int], due: np.ndarray, owed: np.ndarray, short: np.ndarray
) -> list[Row]:  # type: ignore[type-arg]
    """Sums by platform, currency and day, in that order."""
    if not coming:
        return []
    places = np.array([f"{items.platform[at[k]]}|{items.currency[at[k]]}" for k in coming])
    names, of = np.unique(places, return_inverse=True)
    days = due[coming]
    order = np.lexsort((days, of))
    of, days = of[order], days[order]
    owed, short = owed[coming][order], short[coming][order]
    starts = [0, *(np.flatnonzero((of[1:] != of[:-1]) | (days[1:] != days[:-1])) + 1).tolist(), len(of)]
    rows = []
    for first, end in pairwise(starts):
        platform, currency = names[of[first]].split("|")
        rows.append(
            {"platform": platform, "currency": currency, "due": date.fromordinal(int(days[first])), "items": end - first,
             "items_short": int(np.count_nonzero(short[first:end])), "due_minor": int(owed[first:end].sum()),
             "short_minor": int(short[first:end].sum())}
        )  # fmt: skip
    return rows
