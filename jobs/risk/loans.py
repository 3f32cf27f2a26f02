"""Loans at the end of a custody date, by columns: what fell due, what of it was paid, what comes next.

The schedule and what it means that something is paid are those of custody.schedule and custody.risk.assess_loan, told once more over whole
columns, period by period; tests/jobs/test_risk_columns.py holds the two together. What whole numbers of 64 bits might not hold goes to
the plain rule, loan by loan.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from custody.money import MAX_MINOR, Rounding
from custody.names import DayCount, RepaymentMethod
from custody.ports import Row
from custody.risk import BUCKETS, LoanPosition, LoanRisk, LoanTerms, Unpaid, assess_loan
from custody.schedule import MAX_PERIODS

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
COLUMNS = (
    "platform",
    "loan_id",
    "borrower",
    "currency",
    "annual_rate",
    "method",
    "periods",
    "every",
    "day_count",
    "disbursed_on",
    "funded_minor",
    "principal_repaid_minor",
    "interest_repaid_minor",
)
ROUNDING: Rounding = "half_even"
_RATE = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,10})?", re.ASCII)
_MONTHS = {"day": 0, "month": 1, "quarter": 3}
# What a year has of the units in which each day count counts: of actual/actual days of ordinary years weigh 366, of leap years 365.
_YEAR = {
    DayCount.THIRTY_360: 360,
    DayCount.ACTUAL_360: 360,
    DayCount.ACTUAL_365: 365,
    DayCount.ACTUAL_ACTUAL: 365 * 366,
}
_MOST = 2**62
_EPOCH = date(1970, 1, 1).toordinal()
# The day of what there is none of.
NEVER = np.iinfo(np.int64).max


@dataclass
class Assessed:
    """Loans in the order of (platform, loan_id), and a figure for each; days are numpy's (since 1970). ``item_*``: unpaid instalments due up to
    the last day asked for, of the loan at that place."""

    loans: pa.Table
    outstanding: Ints
    due_so_far: Ints
    paid: Ints
    overdue: Ints
    overdue_since: Ints
    next_due: Ints
    next_due_minor: Ints
    item_loan: Ints
    item_number: Ints
    item_due: Ints
    item_owed: Ints
    as_of: date

    @property
    def days_past_due(self) -> Ints:
        """0 where nothing is overdue."""
        return np.where(self.overdue > 0, _day(self.as_of) - np.where(self.overdue > 0, self.overdue_since, 0), 0)

    @property
    def bucket(self) -> pa.Array:
        """The bucket of days past due, by name."""
        names = pa.array([name for _, name in BUCKETS], pa.string())
        firsts = np.array([first for first, _ in BUCKETS])
        return names.take(pa.array(np.searchsorted(firsts, self.days_past_due, side="right") - 1))

    def positions(self, chosen: Ints) -> list[LoanPosition]:
        """Some loans as the plain rules know them, each with those of its unpaid instalments that are known here, oldest first."""
        firsts = np.searchsorted(self.item_loan, chosen).tolist()
        ends = np.searchsorted(self.item_loan, chosen, side="right").tolist()
        numbers, dues, owed = self.item_number, self.item_due, self.item_owed
        rows = self.loans.select(["loan_id", "borrower", "currency"]).take(chosen).to_pylist()
        figures = (
            self.outstanding,
            self.due_so_far,
            self.paid,
            self.overdue,
            self.overdue_since,
            self.days_past_due,
            self.next_due,
        )
        columns = [column[chosen].tolist() for column in (*figures, self.next_due_minor)]
        buckets = self.bucket.take(pa.array(chosen)).to_pylist()
        found = []
        for row, bucket, first, end, of in zip(rows, buckets, firsts, ends, zip(*columns, strict=True), strict=True):
            outstanding, due_so_far, paid, overdue, since, days, next_due, next_minor = of
            unpaid = tuple(Unpaid(int(numbers[n]), day_of(dues[n]), int(owed[n])) for n in range(first, end))
            risk = LoanRisk(
                as_of=self.as_of,
                currency=row["currency"],
                outstanding_principal_minor=outstanding,
                due_so_far_minor=due_so_far,
                paid_minor=paid,
                overdue_minor=overdue,
                overdue_since=None if since == NEVER else day_of(since),
                days_past_due=days,
                bucket=bucket,
                next_due=None if next_due == NEVER else day_of(next_due),
                next_due_minor=next_minor,
                unpaid=unpaid,
            )
            found.append(LoanPosition(row["loan_id"], row["borrower"], risk))
        return found


def assess(loans: pa.Table, as_of: date, last: date) -> Assessed:
    """Every disbursed loan of table ``loans`` at the end of ``as_of``, with its unpaid instalments due up to ``last``. Raises UsageError as
    assess_loan does."""
    loans = loans.filter(pc.is_valid(loans["disbursed_on"])).combine_chunks()
    if loans.num_rows > 1:
        loans = loans.sort_by([("platform", "ascending"), ("loan_id", "ascending")])
    work = _Work(loans, as_of, last)
    for key in work.groups():
        work.run(*key)
    work.by_hand()
    return work.done()


def _day(on: date) -> int:
    return on.toordinal() - _EPOCH


def day_of(day: Any) -> date:
    """The date of a day counted since 1970."""
    return date.fromordinal(int(day) + _EPOCH)


def _ints(column: Any) -> Ints:
    found: Ints = column.to_numpy().astype(np.int64)
    return found


class _Work:
    def __init__(self, loans: pa.Table, as_of: date, last: date) -> None:
        size = loans.num_rows
        self._loans, self._as_of, self._last = loans, as_of, last
        self._today, self._end = _day(as_of), _day(last)
        self.principal = _ints(loans["funded_minor"])
        self.repaid = _ints(loans["principal_repaid_minor"])
        self.paid = self.repaid + _ints(loans["interest_repaid_minor"])
        self.start = loans["disbursed_on"].cast(pa.int32()).to_numpy().astype(np.int64)
        self.periods = _ints(loans["periods"])
        self.top, self.bottom = self._rates()
        self.due_so_far, self.overdue, self.next_minor = (np.zeros(size, np.int64) for _ in range(3))
        self.since, self.next_due = (np.full(size, NEVER, np.int64) for _ in range(2))
        self._items: list[tuple[Ints, Ints, Ints, Ints]] = []
        sound = (self.repaid >= 0) & (self.paid >= self.repaid) & (self.start <= self._today) & (self.bottom > 0)
        sound &= (self.periods >= 1) & (self.periods <= MAX_PERIODS) & (self.principal > 0) & (self.principal <= MAX_MINOR)
        # Until the year 9000: what passes the last date of the calendar is refused by the plain rule.
        sound &= self.start + self.periods * 93 < 2_500_000
        self._sound = sound

    def _rates(self) -> tuple[Ints, Ints]:
        """Numerator and denominator of each loan's rate; (0, 0) of what is no rate."""
        coded = self._loans["annual_rate"].combine_chunks().dictionary_encode()
        found = []
        for text in coded.dictionary.to_pylist():
            rate = Fraction(text) if text is not None and _RATE.fullmatch(text) else None
            found.append((0, 0) if rate is None else (rate.numerator, rate.denominator))
        table = np.array(found or [(0, 0)], np.int64)
        codes = coded.indices.to_numpy()
        return table[codes, 0], table[codes, 1]

    def groups(self) -> list[tuple[str, str, str]]:
        """(every, method, day count) that occur among loans that columns can tell."""
        self._codes = {name: self._loans[name].combine_chunks().dictionary_encode() for name in ("every", "method", "day_count")}
        every, method, count = (self._codes[name].dictionary.to_pylist() for name in ("every", "method", "day_count"))
        known = [
            (e, m, c)
            for e in every for m in method for c in count
            if e in _MONTHS and m in list(RepaymentMethod) and c in list(DayCount)
        ]  # fmt: skip
        self._left = np.ones(self._loans.num_rows, bool)
        return known

    def _of_group(self, every: str, method: str, day_count: str) -> Ints:
        picked = self._sound & self._left
        for name, word in (("every", every), ("method", method), ("day_count", day_count)):
            picked &= self._codes[name].indices.to_numpy() == self._codes[name].dictionary.to_pylist().index(word)
        # The greatest product that any row can come to: balance times rate times the days of the longest period.
        longest = {"day": 1, "month": 34, "quarter": 96}[every] * (self.periods if method == RepaymentMethod.BULLET else 1)
        weight = longest * (366 if day_count == DayCount.ACTUAL_ACTUAL else 1) + 1
        size = self.principal.astype(float) * self.top * weight
        picked &= (size < _MOST / 2) & (self.bottom.astype(float) * _YEAR[DayCount(day_count)] < _MOST / 2)
        return np.flatnonzero(picked)

    def run(self, every: str, method: str, day_count: str) -> None:
        """Tell the loans of one kind, period by period; those of which nothing more is asked drop out."""
        at = self._of_group(every, method, day_count)
        self._left[at] = False
        if not len(at):
            return
        count, months = DayCount(day_count), _MONTHS[every]
        balance, left, since = self.principal[at].copy(), self.paid[at].copy(), self.start[at].copy()
        is_settled = self.repaid[at] >= self.principal[at]
        level = self._levels(at, months, method, count)
        number = 0
        while len(at):
            number = number + 1
            is_last = number == self.periods[at] if method != RepaymentMethod.BULLET else np.ones(len(at), bool)
            passed = np.full(len(at), number) if method != RepaymentMethod.BULLET else self.periods[at]
            due = _due(self.start[at], passed, months)
            interest = _interest(balance, self.top[at], self.bottom[at], _year_parts(count, since, due), _YEAR[count])
            early = (
                np.clip(level - interest, 0, balance)
                if method == RepaymentMethod.EQUAL_INSTALMENT
                else np.minimum(level, balance)
            )
            principal = np.where(is_last, balance, early)
            balance = balance - principal
            total = principal + interest
            covered = np.where(is_settled, total, np.minimum(left, total))
            left = left - np.where(is_settled, np.minimum(left, total), covered)
            owed = total - covered
            self._note(at, number, due, total, owed)
            more = ~is_last & ((due <= self._end) | (self.next_due[at] == NEVER)) & ~(is_settled & (due >= self._today))
            at, balance, left, is_settled, level = at[more], balance[more], left[more], is_settled[more], level[more]
            since = due[more]

    def _note(self, at: Ints, number: int, due: Ints, total: Ints, owed: Ints) -> None:
        self.due_so_far[at] += np.where(due <= self._today, total, 0)
        is_owed, late = owed > 0, due < self._today
        over = is_owed & late
        self.overdue[at] += np.where(over, owed, 0)
        self.since[at] = np.where(over, np.minimum(self.since[at], due), self.since[at])
        first = is_owed & ~late & (self.next_due[at] == NEVER)
        self.next_due[at] = np.where(first, due, self.next_due[at])
        self.next_minor[at] = np.where(first, owed, self.next_minor[at])
        kept = is_owed & (due <= self._end)
        self._items.append((at[kept], np.full(int(kept.sum()), number, np.int64), due[kept], owed[kept]))

    def _levels(self, at: Ints, months: int, method: str, count: DayCount) -> Ints:
        if method == RepaymentMethod.EQUAL_PRINCIPAL:
            return _half_even(self.principal[at], self.periods[at])
        if method != RepaymentMethod.EQUAL_INSTALMENT:
            return np.zeros(len(at), np.int64)
        # Loans of one rate and term that begin on days after which every month counts 30 days have one factor; else of one day.
        day = self.start[at].astype("M8[D]")
        day_of_month = (day - day.astype("M8[M]")).astype(np.int64) + 1
        is_even = (count == DayCount.THIRTY_360) & (months > 0) & (day_of_month <= 28)
        key = np.stack([self.top[at], self.bottom[at], self.periods[at], np.where(is_even, NEVER, self.start[at])])
        _, first, of = np.unique(key, axis=1, return_index=True, return_inverse=True)
        factors = [self._factor(int(at[one]), months, count) for one in first]
        found = [
            _rounded(minor * factors[which][0], factors[which][1])
            for minor, which in zip(self.principal[at].tolist(), of.ravel().tolist(), strict=True)
        ]
        return np.array(found, np.int64)

    def _factor(self, at: int, months: int, count: DayCount) -> tuple[int, int]:
        """A level instalment is principal times the first over the second (domain.md §3), in whole numbers over one denominator."""
        numbers = np.arange(0, self.periods[at] + 1)
        dues = _due(np.full(len(numbers), self.start[at]), numbers, months)
        common = int(self.bottom[at]) * _YEAR[count]
        grown, payments, scale = 1, 0, 1
        for part in _year_parts(count, dues[:-1], dues[1:]).tolist():
            factor = common + int(self.top[at]) * part
            scale *= common
            grown *= factor
            payments = payments * factor + scale
        return grown, payments

    def by_hand(self) -> None:
        """What columns cannot tell, by the plain rule; what it refuses is refused."""
        for at in np.flatnonzero(self._left).tolist():
            row = self._loans.slice(at, 1).to_pylist()[0]
            risk = assess_loan(
                terms_of(row), row["principal_repaid_minor"], row["interest_repaid_minor"], row["disbursed_on"], self._as_of
            )
            self.due_so_far[at], self.overdue[at], self.next_minor[at] = (
                risk.due_so_far_minor,
                risk.overdue_minor,
                risk.next_due_minor,
            )
            self.since[at] = NEVER if risk.overdue_since is None else _day(risk.overdue_since)
            self.next_due[at] = NEVER if risk.next_due is None else _day(risk.next_due)
            items = [one for one in risk.unpaid if one.due <= self._last]
            columns = ([at] * len(items), [i.number for i in items], [_day(i.due) for i in items], [i.owed_minor for i in items])
            self._items.append(tuple(np.array(column, np.int64) for column in columns))  # type: ignore[arg-type]

    def done(self) -> Assessed:
        loan, number, due, owed = (np.concatenate([part[n] for part in self._items] or [np.zeros(0, np.int64)]) for n in range(4))
        order = np.lexsort((number, loan))
        return Assessed(
            self._loans, np.maximum(self.principal - self.repaid, 0), self.due_so_far, self.paid, self.overdue, self.since,
            self.next_due, self.next_minor, loan[order], number[order], due[order], owed[order], self._as_of,
        )  # fmt: skip


def terms_of(loan: Row) -> LoanTerms:
    """Of a row of table ``loans``."""
    return LoanTerms(
        principal_minor=loan["funded_minor"],
        currency=loan["currency"],
        annual_rate=loan["annual_rate"],
        periods=loan["periods"],
        every=loan["every"],
        method=loan["method"],
        day_count=loan["day_count"],
        rounding=ROUNDING,
    )


def _rounded(top: int, bottom: int) -> int:
    whole, rest = divmod(top, bottom)
    return whole + (2 * rest > bottom or (2 * rest == bottom and whole % 2 == 1))


def _half_even(top: Ints, bottom: Ints) -> Ints:
    whole, rest = np.divmod(top, bottom)
    found: Ints = whole + ((2 * rest > bottom) | ((2 * rest == bottom) & (whole % 2 == 1)))
    return found


def _interest(balance: Ints, top: Ints, bottom: Ints, parts: Ints, year: int) -> Ints:
    return _half_even(balance * top * parts, bottom * year)


def _due(start: Ints, number: Ints, months: int) -> Ints:
    """The due date of a period, counted from the start itself: months that are too short fall on their last day."""
    if not months:
        return start + number
    day = start.astype("M8[D]")
    month = day.astype("M8[M]")
    day_of_month = (day - month.astype("M8[D]")).astype(np.int64)
    then = month + (number * months)
    length = ((then + 1).astype("M8[D]") - then.astype("M8[D]")).astype(np.int64)
    found: Ints = then.astype("M8[D]").astype(np.int64) + np.minimum(day_of_month, length - 1)
    return found


def _year_parts(count: DayCount, since: Ints, until: Ints) -> Ints:
    """What lies between two days, in the units of which _YEAR says how many a year has (custody.schedule.year_fraction)."""
    if count in (DayCount.ACTUAL_360, DayCount.ACTUAL_365):
        return until - since
    if count == DayCount.THIRTY_360:
        (year1, month1, day1), (year2, month2, day2) = _parted(since), _parted(until)
        first = np.minimum(day1, 30)
        last = np.where(first == 30, np.minimum(day2, 30), day2)
        return 360 * (year2 - year1) + 30 * (month2 - month1) + last - first
    leap = _leap_days(until) - _leap_days(since)
    parts: Ints = (until - since - leap) * 366 + leap * 365
    return parts


def _parted(day: Ints) -> tuple[Ints, Ints, Ints]:
    on = day.astype("M8[D]")
    month = on.astype("M8[M]")
    months = month.astype(np.int64)
    return months // 12, months % 12, (on - month.astype("M8[D]")).astype(np.int64) + 1


def _leap_days(day: Ints) -> Ints:
    """How many days of leap years lie before a day, since 1970."""
    on = day.astype("M8[D]")
    year = on.astype("M8[Y]")
    number = year.astype(np.int64) + 1970
    before = number - 1
    leap_years = (before // 4 - before // 100 + before // 400) - (1969 // 4 - 1969 // 100 + 1969 // 400)
    is_leap = (number % 4 == 0) & ((number % 100 != 0) | (number % 400 == 0))
    found: Ints = leap_years * 366 + np.where(is_leap, (on - year.astype("M8[D]")).astype(np.int64), 0)
    return found
