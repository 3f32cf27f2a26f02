"""The day on which a borrower's money will not cover what he owes: instalments due on the next business days against his balance, by
columns (domain.md §8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from custody.ports import Row
from custody.risk import LoanPosition
from jobs.risk.loans import Assessed, Bools, Ints, day_of

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass
class Shortage:
    """Unpaid instalments of all borrowers in the order in which his money covers them, and what each one lacks (``short``). ``at``: their
    places among those of ``loans``; ``coming``: due on or after the date. ``short_of_loan``: what each loan lacks in the near days."""

    loans: Assessed
    available: Mapping[str, int]
    at: Ints
    short: Ints
    coming: Bools
    short_of_loan: Ints

    def forecast(self, last: date) -> tuple[list[Row], list[Row]]:
        """(for each borrower who will be short: since which day and of how much; for each platform and day up to ``last``: what falls due
        and what of it is not covered).

        What is overdue is counted in neither (DAYS_PAST_DUE speaks of it).
        """
        due = self.loans.item_due[self.at]
        asked = self.coming & (due <= last.toordinal() - _EPOCH)
        people: dict[str, Row] = {}
        lacking = np.flatnonzero(asked & (self.short > 0))
        loans = self.loans.item_loan[self.at[lacking]]
        rows = self.loans.loans.select(["platform", "loan_id", "borrower", "currency"]).take(loans).to_pylist()
        for row, on, minor in zip(rows, due[lacking].tolist(), self.short[lacking].tolist(), strict=True):
            person = people.setdefault(
                row["borrower"],
                {**row, "available_minor": self.available[row["borrower"]], "short_on": day_of(on), "short_minor": 0},
            )
            person["short_minor"] += minor
        return list(people.values()), self._by_day(asked)

    def _by_day(self, asked: Bools) -> list[Row]:
        """Sums by platform, currency and day, in that order."""
        at = self.at[asked]
        if not len(at):
            return []
        coded = {name: self.loans.loans[name].combine_chunks().dictionary_encode() for name in ("platform", "currency")}
        platform, currency = (coded[name].indices.to_numpy()[self.loans.item_loan[at]] for name in coded)
        due, owed, short = self.loans.item_due[at], self.loans.item_owed[at], self.short[asked]
        order = np.lexsort((due, currency, platform))
        platform, currency, due, owed, short = (column[order] for column in (platform, currency, due, owed, short))
        same = (platform[1:] == platform[:-1]) & (currency[1:] == currency[:-1]) & (due[1:] == due[:-1])
        starts = np.flatnonzero(np.r_[True, ~same])
        sums = [np.add.reduceat(column, starts).tolist() for column in (owed, short, (short > 0).astype(np.int64))]
        sizes = np.diff(np.r_[starts, len(due)]).tolist()
        names, currencies = (coded[name].dictionary.to_pylist() for name in ("platform", "currency"))
        return [
            {"platform": names[platform[start]], "currency": currencies[currency[start]], "due": day_of(due[start]), "items": items,
             "items_short": count, "due_minor": total, "short_minor": lack}
            for start, items, total, lack, count in zip(starts.tolist(), sizes, *sums, strict=True)
        ]  # fmt: skip

    def concerned(self) -> Iterator[tuple[str, list[LoanPosition]]]:
        """By platform, all loans of borrowers of whom some loan is overdue, or short in the near days."""
        borrowers = self.loans.loans["borrower"].combine_chunks().dictionary_encode()
        of = borrowers.indices.to_numpy()
        picked = np.zeros(len(borrowers.dictionary), bool)
        picked[of[(self.loans.overdue > 0) | (self.short_of_loan > 0)]] = True
        chosen = np.flatnonzero(picked[of]) if len(of) else np.zeros(0, np.int64)
        found: dict[str, list[LoanPosition]] = defaultdict(list)
        platforms = self.loans.loans["platform"].take(chosen).to_pylist()
        for platform, position in zip(platforms, self.loans.positions(chosen), strict=True):
            found[platform].append(position)
        yield from sorted(found.items())


def shortage(loans: Assessed, available_minor: Mapping[str, int], near: date) -> Shortage:
    """A borrower's balance covers all his loans once, oldest instalment first, what is overdue before what comes. No money is assumed to
    come. ``near``: up to which day what a loan lacks is said of the loan. A borrower without a balance raises KeyError."""
    coded = loans.loans["borrower"].combine_chunks().dictionary_encode()
    names = coded.dictionary.to_pylist()
    of_loan = coded.indices.to_numpy()
    owing = np.unique(of_loan[loans.item_loan])
    money = np.zeros(len(names), np.int64)
    money[owing] = [max(available_minor[names[one]], 0) for one in owing.tolist()]
    of = of_loan[loans.item_loan]
    at = np.lexsort((loans.item_number, loans.item_loan, loans.item_due, of))
    of, due, owed = of[at], loans.item_due[at], loans.item_owed[at]
    starts = np.flatnonzero(np.r_[True, of[1:] != of[:-1]]) if len(of) else np.zeros(0, np.int64)
    # Running sums within each borrower: all that was owed before his first item is taken off.
    upto = np.cumsum(owed)
    before = np.repeat(upto[starts] - owed[starts], np.diff(np.r_[starts, len(of)]))
    short = np.minimum(owed, np.maximum(upto - before - money[of], 0))
    coming = due >= loans.as_of.toordinal() - _EPOCH
    of_near = coming & (due <= near.toordinal() - _EPOCH)
    short_of_loan = np.zeros(loans.loans.num_rows, np.int64)
    np.add.at(short_of_loan, loans.item_loan[at[of_near]], short[of_near])
    return Shortage(loans, available_minor, at, short, coming, short_of_loan)
