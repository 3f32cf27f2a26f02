"""A loan as it lives: its terms, its tenders, who holds which share of it, and what its borrower still owes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fractions import Fraction

from custody.money import round_minor, split_largest_remainder
from custody.names import LoanState, Role
from simulator.movement import CURRENCY, Holder, Row
from simulator.schedule import due_date, schedule, year_fraction
from simulator.states import CLAIM, LOAN, TENDER, ClaimState, TenderState, WorldError


class Habit(StrEnum):
    """How the borrower pays, from his loan's troubled instalment on; before it everybody pays on the day."""

    PUNCTUAL = "PUNCTUAL"
    LATE = "LATE"  # some days late, with penalty
    PARTIAL = "PARTIAL"  # late: a part first, then the rest with penalty
    EARLY = "EARLY"  # all that is left, before it is due
    DEFAULT = "DEFAULT"  # nothing any more
    COMPENSATED_ONCE = "COMPENSATED_ONCE"  # the guarantor pays the instalment, and is paid back
    COMPENSATED = "COMPENSATED"  # the guarantor takes over the whole claim; the borrower then pays him
    COMPENSATED_LOST = "COMPENSATED_LOST"  # the same, and the borrower pays nothing any more


@dataclass(slots=True)
class Tender:
    """A lender's bid; ``bid_day`` counts from the day of publication, ``request_no`` is known once it is frozen. ``coupon_minor``
    is the part of the amount that the platform pays, ``released_minor`` what was given back to him of it."""

    lender: Holder
    amount_minor: int
    bid_day: int
    coupon_minor: int = 0
    request_no: str = ""
    released_minor: int = 0
    state: TenderState = TenderState.PLANNED

    @property
    def taken_minor(self) -> int:
        return self.amount_minor - self.released_minor

    def step(self, then: TenderState) -> None:
        self.state = TENDER.step(self.request_no, self.state, then)


@dataclass(slots=True)
class Claim:
    claim_id: str
    holder: Holder
    principal_minor: int
    state: ClaimState = ClaimState.HELD

    @property
    def is_lenders(self) -> bool:
        return self.holder[0] == Role.LENDER.value

    def take(self, principal_minor: int, emptied: ClaimState) -> None:
        """Less of it; ``emptied`` says what has become of it when nothing is left. Raises WorldError for more than is held."""
        self.principal_minor -= principal_minor
        if self.principal_minor < 0:
            raise WorldError(f"claim {self.claim_id} has {self.principal_minor} left")
        self.state = CLAIM.step(self.claim_id, self.state, ClaimState.HELD if self.principal_minor else emptied)


@dataclass(frozen=True, slots=True)
class Payment:
    """What is paid at once to all creditors, or a creditor's share of it, in its parts."""

    principal_minor: int
    interest_minor: int
    penalty_minor: int

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor + self.penalty_minor

    def as_parts(self) -> dict[str, int]:
        """Fields of a Movement."""
        return {
            "principal_minor": self.principal_minor,
            "interest_minor": self.interest_minor,
            "penalty_minor": self.penalty_minor,
        }


def split(payment: Payment, claims: Sequence[Claim]) -> list[tuple[Claim, Payment]]:
    """Each part by itself, pro rata to the claims' principal by largest remainder, ties by claim id; no share of nothing."""
    weights, keys = [claim.principal_minor for claim in claims], [claim.claim_id for claim in claims]
    parts = [
        split_largest_remainder(part, weights, keys)
        for part in (payment.principal_minor, payment.interest_minor, payment.penalty_minor)
    ]
    shares = [(claim, Payment(*own)) for claim, *own in zip(claims, *parts, strict=True)]
    return [(claim, share) for claim, share in shares if share.total_minor]


@dataclass(slots=True)
class Owed:
    """What is left of one instalment. ``to_guarantor``: he paid the lenders for it; ``penalty_minor`` is then what he paid them.

    Of a part that was paid late: ``overdue_days_minor`` is what was overdue, summed over the days up to ``part_on``, and
    ``part_penalty_minor`` the penalty that was paid with it.
    """

    due: date
    principal_minor: int
    interest_minor: int
    penalty_minor: int = 0
    to_guarantor: bool = False
    overdue_days_minor: int = 0
    part_on: date | None = None
    part_penalty_minor: int = 0

    @property
    def overdue_minor(self) -> int:
        return self.principal_minor + self.interest_minor

    def overdue_days_by(self, day: date) -> int:
        """What was overdue at the end of each day late, summed."""
        return self.overdue_days_minor + self.overdue_minor * max(0, (day - (self.part_on or self.due)).days)

    def pay_part(self, day: date, payment: Payment) -> None:
        """Less of it, and from now on a penalty on less."""
        self.overdue_days_minor, self.part_on = self.overdue_days_by(day), day
        self.principal_minor -= payment.principal_minor
        self.interest_minor -= payment.interest_minor
        self.part_penalty_minor += payment.penalty_minor


@dataclass(slots=True)
class Loan:
    """One loan's terms, its fate (chosen beforehand), and its life so far. Amounts are minor units.

    ``trouble`` is the number of the instalment at which the borrower's habit shows, ``lag`` how many days he then takes.
    ``paid`` counts instalments that are paid in full. ``raised_minor``: tenders taken and not released again. ``claims`` stand in order of their ids.
    """

    loan_id: str
    borrower: Holder
    amount_minor: int
    annual_rate: str
    method: str
    periods: int
    every: str
    day_count: str
    purpose: str
    minimum_minor: int | None
    penalty_rate: str | None
    guarantor: Holder | None
    payee: Holder | None
    publish_index: int
    bid_days: int
    settle_next_day: bool
    habit: Habit
    trouble: int
    lag: int
    tenders: list[Tender]
    state: LoanState = LoanState.BIDDING
    raised_minor: int = 0
    disbursed_on: date | None = None
    claims: list[Claim] = field(default_factory=list)
    owed: deque[Owed] = field(default_factory=deque)
    paid: int = 0
    in_trouble: bool = False
    has_recovered: bool = False

    @property
    def is_full(self) -> bool:
        return self.raised_minor == self.amount_minor

    @property
    def may_settle(self) -> bool:
        return self.raised_minor >= (self.minimum_minor or self.amount_minor)

    @property
    def last_bid_index(self) -> int:
        return self.publish_index + self.bid_days - 1

    @property
    def is_healthy(self) -> bool:
        """Whether it is being repaid as agreed."""
        return bool(self.owed) and self.state in (LoanState.DISBURSED, LoanState.REPAYING) and not self.in_trouble

    @property
    def lenders_claims(self) -> list[Claim]:
        return [claim for claim in self.claims if claim.is_lenders]

    def step(self, then: LoanState) -> None:
        self.state = LOAN.step(self.loan_id, self.state, then)

    def disburse(self, day: date) -> None:
        """What was raised is lent; tenders become claims."""
        self.step(LoanState.DISBURSED)
        self.disbursed_on = day
        rows = schedule(
            principal_minor=self.raised_minor,
            annual_rate=self.annual_rate,
            periods=self.periods,
            every=self.every,
            method=self.method,
            day_count=self.day_count,
            disbursed_on=day,
        )
        self.owed = deque(Owed(row.due, row.principal_minor, row.interest_minor) for row in rows)
        for tender in self.tenders:
            if tender.state is TenderState.FROZEN:
                tender.step(TenderState.SETTLED)
                self.claims.append(Claim(tender.request_no, tender.lender, tender.taken_minor))
        self.claims.sort(key=lambda claim: claim.claim_id)

    def due_by(self, day: date) -> list[Owed]:
        """Instalments that fell due by the day and are not paid, oldest first."""
        found = []
        for owed in self.owed:
            if owed.due > day:
                break
            found.append(owed)
        return found

    def penalty_on(self, owed: Owed, day: date) -> int:
        """Of what is overdue, for each day late, rounded half_even, less what was paid of it; a loan without a penalty rate asks
        none."""
        if self.penalty_rate is None:
            return 0
        whole = round_minor(owed.overdue_days_by(day) * Fraction(self.penalty_rate), "half_even")
        return whole - owed.part_penalty_minor

    def accrued_on(self, day: date, balance_minor: int) -> int:
        """Interest on the balance since the last due date by the day, which everything older is paid through."""
        assert self.disbursed_on is not None
        since, number = self.disbursed_on, 1
        # A bullet's interest runs over the whole term.
        while self.method != "bullet" and (due := due_date(self.disbursed_on, self.every, number)) <= day:
            since, number = due, number + 1
        return round_minor(balance_minor * Fraction(self.annual_rate) * year_fraction(self.day_count, since, day), "half_even")

    def mark(self, day: date) -> None:
        """State at the end of the day. A missed instalment shows as OVERDUE from the day after it was due."""
        then = LoanState.REPAYING if self.paid else LoanState.DISBURSED
        if not self.owed:
            then = LoanState.SETTLED
        elif self.owed[0].due < day:
            then = LoanState.OVERDUE
        if then is not self.state:
            self.step(then)

    def drop_empty_claims(self) -> None:
        self.claims = [claim for claim in self.claims if claim.principal_minor]

    def row(self) -> Row:
        return {
            "loan_id": self.loan_id,
            "borrower_user_no": self.borrower[1],
            "amount_minor": self.amount_minor,
            "currency": CURRENCY,
            "annual_rate": self.annual_rate,
            "method": self.method,
            "periods": self.periods,
            "every": self.every,
            "day_count": self.day_count,
            "minimum_minor": self.minimum_minor,
            "penalty_rate": self.penalty_rate,
            "guarantor_user_no": self.guarantor[1] if self.guarantor else None,
            "payee_user_no": self.payee[1] if self.payee else None,
            "purpose": self.purpose,
            "raised_minor": self.raised_minor,
            "state": self.state.value,
            "disbursed_on": self.disbursed_on,
        }
