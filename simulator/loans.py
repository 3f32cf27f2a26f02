"""The loans of one platform: their terms, who will tender what, how each one's life goes, and what they repay."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from random import Random

from custody.money import round_minor, split_largest_remainder
from custody.names import DayCount, LoanState, RepaymentMethod
from simulator.movement import CURRENCY, Holder, Row
from simulator.people import Person
from simulator.schedule import Instalment, schedule

YUAN = 100
MIN_TENDER_YUAN = 100  # a lender may put in as little as CNY 100 (domain.md §1)
PERSON_LIMIT_YUAN, COMPANY_LIMIT_YUAN = 200_000, 1_000_000  # borrowing limits on one platform (domain.md §8)
COMMISSION_RATE = Fraction(5, 1000)
FAILING_ONE_IN, MISSING_ONE_IN = 8, 6
_RATES = ("0.06", "0.072", "0.08", "0.095", "0.1", "0.12")
# 30/360 counts months, not days: no product repays by it each day.
_DAY_COUNTS = {
    False: [day_count.value for day_count in DayCount],
    True: [day_count.value for day_count in DayCount if day_count is not DayCount.THIRTY_360],
}
_PURPOSES = ("采购原材料", "门店装修", "购买设备", "流动资金周转", "支付货款", "种植养殖", "车辆维修", "教育培训")


@dataclass(slots=True)
class Tender:
    """A lender's bid; ``bid_day`` counts from the day of publication, ``request_no`` is known once it is frozen."""

    lender: Holder
    amount_minor: int
    bid_day: int
    request_no: str = ""


@dataclass(slots=True)
class Claim:
    claim_id: str
    holder: Holder
    principal_minor: int


@dataclass
class Loan:
    """One loan's terms, its fate (chosen beforehand), and its life so far. Amounts are minor units."""

    loan_id: str
    borrower: Holder
    amount_minor: int
    annual_rate: str
    method: str
    periods: int
    every: str
    day_count: str
    purpose: str
    publish_index: int
    bid_days: int
    settle_next_day: bool
    fails: bool
    missed_from: int | None
    tenders: list[Tender]
    disbursed_on: date | None = None
    cancelled: bool = False
    commission_paid: bool = False
    paid: int = 0
    instalments: list[Instalment] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    @property
    def frozen_tenders(self) -> list[Tender]:
        return [tender for tender in self.tenders if tender.request_no]

    @property
    def raised_minor(self) -> int:
        """Tenders taken and not released again."""
        return 0 if self.cancelled else sum(tender.amount_minor for tender in self.frozen_tenders)

    @property
    def is_full(self) -> bool:
        return self.raised_minor == self.amount_minor

    def is_bidding_over(self, day_index: int) -> bool:
        return day_index >= self.publish_index + self.bid_days

    def disburse(self, day: date) -> None:
        self.disbursed_on = day
        self.instalments = schedule(
            principal_minor=self.amount_minor,
            annual_rate=self.annual_rate,
            periods=self.periods,
            every=self.every,
            method=self.method,
            day_count=self.day_count,
            disbursed_on=day,
        )
        claims = [Claim(tender.request_no, tender.lender, tender.amount_minor) for tender in self.frozen_tenders]
        self.claims = sorted(claims, key=lambda claim: claim.claim_id)

    def due_on(self, day: date) -> Instalment | None:
        """The instalment that falls due on the day, if any."""
        return next((row for row in self.instalments if row.due == day), None)

    def is_in_default(self, day: date) -> bool:
        """Whether the instalment that the borrower will miss is due by the day; he pays nothing any more."""
        return self.missed_from is not None and bool(self.instalments) and self.instalments[self.missed_from - 1].due <= day

    def owes_commission(self, day: date) -> bool:
        """The platform's fee is taken from the day after disbursal: on the day itself it would be upfront deduction."""
        return self.disbursed_on is not None and day > self.disbursed_on and not self.commission_paid

    @property
    def commission_minor(self) -> int:
        return round_minor(self.amount_minor * COMMISSION_RATE, "half_even")

    def repay(self, row: Instalment) -> list[tuple[Claim, int, int]]:
        """(claim, its principal, its interest) for an instalment, and take the principal off the claims.

        Principal and interest are split apart by largest remainder over the claims' principal, ties by claim id.
        """
        weights = [claim.principal_minor for claim in self.claims]
        keys = [claim.claim_id for claim in self.claims]
        principals = split_largest_remainder(row.principal_minor, weights, keys)
        interests = split_largest_remainder(row.interest_minor, weights, keys)
        shares = list(zip(self.claims, principals, interests, strict=True))
        for claim, principal, _ in shares:
            claim.principal_minor -= principal
        self.claims = [claim for claim in self.claims if claim.principal_minor > 0]
        self.paid += 1
        return shares

    def state(self, day: date) -> LoanState:
        """State at the end of the day. A missed instalment shows as OVERDUE from the next day on."""
        if self.cancelled:
            return LoanState.MISCARRIED
        if self.disbursed_on is None:
            return LoanState.FULL if self.is_full else LoanState.BIDDING
        if self.paid == len(self.instalments):
            return LoanState.SETTLED
        if self.instalments[self.paid].due < day:
            return LoanState.OVERDUE
        return LoanState.REPAYING if self.paid else LoanState.DISBURSED

    def row(self, day: date) -> Row:
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
            "minimum_minor": None,
            "penalty_rate": None,
            "guarantor_user_no": None,
            "payee_user_no": None,
            "purpose": self.purpose,
            "raised_minor": self.raised_minor,
            "state": self.state(day).value,
            "disbursed_on": self.disbursed_on,
        }


def plan_loans(
    *, seed: int, platform: str, days: int, lenders: list[Holder], borrowers: list[tuple[Holder, Person]]
) -> list[Loan]:
    """One loan for each borrower. The first is bid by every lender, is daily, and goes well: no world lacks the usual case."""
    count = len(borrowers)
    return [
        _plan_loan(seed, platform, i, days * i * i // (count * count), lenders, holder, person)
        for i, (holder, person) in enumerate(borrowers)
    ]


def _plan_loan(
    seed: int, platform: str, i: int, publish_index: int, lenders: list[Holder], borrower: Holder, person: Person
) -> Loan:
    rng = Random(f"{seed}|loan|{platform}|{i}")
    daily = i % 3 != 2
    limit_yuan = COMPANY_LIMIT_YUAN if person.kind == "COMPANY" else PERSON_LIMIT_YUAN
    most = min(len(lenders), limit_yuan // MIN_TENDER_YUAN // 2)
    tenderers = rng.sample(lenders, most if i == 0 else rng.randint(1, max(1, most // 2)))
    least_yuan = max(10_000, -(-len(tenderers) * MIN_TENDER_YUAN * 3 // 2 // 1000) * 1000)
    amount_yuan = rng.randrange(least_yuan, min(limit_yuan, max(least_yuan * 2, 200_000)) + 1, 1000)
    fails = _is_chosen(seed, platform, "fails", i, FAILING_ONE_IN)
    raised_yuan = amount_yuan * rng.randint(30, 80) // 100 if fails else amount_yuan
    if fails:
        tenderers = tenderers[: max(1, raised_yuan // MIN_TENDER_YUAN // 2)]
    bid_days = 2 if i % 4 == 3 else 1
    tenders = [
        Tender(lender, yuan * YUAN, min(k * bid_days // len(tenderers), bid_days - 1))
        for k, (lender, yuan) in enumerate(zip(tenderers, _bids(rng, raised_yuan, len(tenderers)), strict=True))
    ]
    missing = not fails and _is_chosen(seed, platform, "misses", i, MISSING_ONE_IN)
    return Loan(
        loan_id=f"{platform}LN{i + 1:05d}",
        borrower=borrower,
        amount_minor=amount_yuan * YUAN,
        annual_rate=rng.choice(_RATES),
        method=RepaymentMethod.EQUAL_INSTALMENT.value if i == 0 else rng.choice([m.value for m in RepaymentMethod]),
        periods=rng.randint(2, 4) if daily else rng.choice((3, 6, 12, 24, 36)),
        every="day" if daily else "month",
        day_count=rng.choice(_DAY_COUNTS[daily]),
        purpose=rng.choice(_PURPOSES),
        publish_index=publish_index,
        bid_days=bid_days,
        settle_next_day=i % 4 == 1,
        fails=fails,
        missed_from=1 if missing else None,
        tenders=tenders,
    )


def _is_chosen(seed: int, platform: str, what: str, i: int, one_in: int) -> bool:
    """One loan of each block of ``one_in``, never the platform's first."""
    block, place = divmod(i, one_in)
    return place == Random(f"{seed}|{what}|{platform}|{block}").randrange(1, one_in)


def _bids(rng: Random, total_yuan: int, count: int) -> list[int]:
    """The total in ``count`` uneven bids of at least the minimum each."""
    spare = split_largest_remainder(
        total_yuan - count * MIN_TENDER_YUAN, [rng.randint(1, 20) for _ in range(count)], [f"{k:06d}" for k in range(count)]
    )
    return [MIN_TENDER_YUAN + extra for extra in spare]
