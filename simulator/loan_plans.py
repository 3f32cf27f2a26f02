"""What loans a platform will have: terms, bids and fates, all chosen beforehand.

The first few are examples, one for each kind of story, published on the first day: no world of some size lacks a kind. The
others are drawn, and published over the world's days.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from custody.money import split_largest_remainder
from custody.names import DayCount, RepaymentMethod
from simulator.customers import Customers
from simulator.loans import Habit, Loan, Tender
from simulator.movement import YUAN, Holder

MIN_TENDER_YUAN = 100  # a lender may put in as little as CNY 100 (domain.md §1)
PERSON_LIMIT_YUAN, COMPANY_LIMIT_YUAN = 200_000, 1_000_000  # borrowing limits on one platform (domain.md §8)
FAILING_ONE_IN = 8
_OVERSUBSCRIBED_ONE_IN, _AT_MINIMUM_ONE_IN, _ENTRUSTED_ONE_IN, _COUPON_ONE_IN = 6, 6, 8, 6
_EXAMPLES_TENDERERS = 10
_LOANS_A_GUARANTOR, _LOANS_A_PAYEE = 8, 5
_COUPONS_YUAN = (5, 10, 20, 50)
_RATES = ("0.06", "0.072", "0.08", "0.095", "0.1", "0.12")
_PENALTY_RATES = ("0.0003", "0.0005", "0.001")
_DAY_COUNTS = [day_count.value for day_count in DayCount]
# 30/360 counts months, not days: no product repays by it each day.
_DAILY_DAY_COUNTS = [day_count.value for day_count in DayCount if day_count is not DayCount.THIRTY_360]
_METHODS = [method.value for method in RepaymentMethod]
_PERIODS = {"day": (2, 3, 4, 7, 10), "month": (3, 6, 12, 24, 36), "quarter": (2, 4, 8)}
_EXAMPLES_PERIODS = _PERIODS | {"day": (2, 3, 4)}
_PURPOSES = ("采购原材料", "门店装修", "购买设备", "流动资金周转", "支付货款", "种植养殖", "车辆维修", "教育培训")
_HABITS = (
    *[Habit.PUNCTUAL] * 12,
    *[Habit.LATE] * 3,
    *[Habit.PARTIAL] * 2,
    *[Habit.EARLY] * 3,
    *[Habit.DEFAULT] * 2,
    Habit.COMPENSATED_ONCE,
    Habit.COMPENSATED,
    Habit.COMPENSATED_LOST,
)
_BY_GUARANTOR = (Habit.COMPENSATED_ONCE, Habit.COMPENSATED, Habit.COMPENSATED_LOST)


@dataclass(frozen=True, slots=True)
class _Example:
    every: str
    habit: Habit
    method: str | None = None
    by_all: bool = False
    raising: str = "full"
    entrusted: bool = False


@dataclass(frozen=True, slots=True)
class _Fate:
    """``raising``: full, over (more is bid than asked for), minimum (less is, and enough) or failing."""

    every: str
    habit: Habit
    method: str
    raising: str
    entrusted: bool
    with_coupon: bool
    day_count: str


@dataclass(frozen=True, slots=True)
class _Parties:
    """Who has to do with a loan; ``limit_yuan`` is what its borrower may owe."""

    borrower: Holder
    limit_yuan: int
    tenderers: list[Holder]
    guarantor: Holder | None
    payee: Holder | None


_EQUAL_INSTALMENT, _EQUAL_PRINCIPAL = RepaymentMethod.EQUAL_INSTALMENT.value, RepaymentMethod.EQUAL_PRINCIPAL.value
_EXAMPLES = (
    _Example("day", Habit.PUNCTUAL, _EQUAL_INSTALMENT, by_all=True),
    _Example("day", Habit.PARTIAL, _EQUAL_INSTALMENT, raising="over"),
    _Example("quarter", Habit.PUNCTUAL, raising="minimum", entrusted=True),
    _Example("day", Habit.COMPENSATED_ONCE, _EQUAL_PRINCIPAL),
    _Example("day", Habit.COMPENSATED, RepaymentMethod.INTEREST_FIRST.value),
    _Example("month", Habit.PUNCTUAL, raising="failing"),
    _Example("month", Habit.EARLY),
    _Example("day", Habit.DEFAULT, RepaymentMethod.BULLET.value),
)


def plan_loans(*, seed: int, platform: str, days: int, people: Customers) -> list[Loan]:
    """One loan for each borrower. The first is bid by every lender and goes well: no world lacks the usual case."""
    count = len(people.borrowers)
    guarantors = [people.guarantor() for _ in range(1 + count // _LOANS_A_GUARANTOR)] if count > 1 else []
    payees = [people.payee() for _ in range(1 + count // _LOANS_A_PAYEE)] if count > 1 else []
    made = []
    for i, borrower in enumerate(people.borrowers):
        rng, is_example = Random(f"{seed}|loan|{platform}|{i}"), i < len(_EXAMPLES)
        fate = _example(rng, i) if is_example else _drawn(rng)
        guarantor = rng.choice(guarantors) if guarantors and (fate.habit in _BY_GUARANTOR or rng.randrange(4) == 0) else None
        payee = rng.choice(payees) if payees and fate.entrusted else None
        publish_index = 0 if is_example else days * i * i // (count * count)
        limit_yuan = COMPANY_LIMIT_YUAN if people.person[borrower].kind == "COMPANY" else PERSON_LIMIT_YUAN
        tenderers = _tenderers(rng, people.lenders, limit_yuan, is_example=is_example, by_all=is_example and _EXAMPLES[i].by_all)
        loan_id, parties = f"{platform}LN{i + 1:05d}", _Parties(borrower, limit_yuan, tenderers, guarantor, payee)
        made.append(_loan(rng, loan_id, parties, fate, publish_index, is_drawn=not is_example))
    return made


def _example(rng: Random, i: int) -> _Fate:
    """Day counts go round, so that each occurs among the examples."""
    example = _EXAMPLES[i]
    day_counts = _DAILY_DAY_COUNTS if example.every == "day" else _DAY_COUNTS
    return _Fate(
        every=example.every,
        habit=example.habit,
        method=example.method or rng.choice(_METHODS),
        raising=example.raising,
        entrusted=example.entrusted,
        with_coupon=example.raising != "over",
        day_count=day_counts[(i - 2) % len(day_counts)],
    )


def _drawn(rng: Random) -> _Fate:
    habit = rng.choice(_HABITS)
    raising = "full"
    if rng.randrange(FAILING_ONE_IN) == 0:
        raising = "failing"
    elif rng.randrange(_OVERSUBSCRIBED_ONE_IN) == 0:
        raising = "over"
    elif rng.randrange(_AT_MINIMUM_ONE_IN) == 0:
        raising = "minimum"
    # What a guarantor pays of an instalment must have principal in it, to become his claim.
    methods = _METHODS[:2] if habit is Habit.COMPENSATED_ONCE else _METHODS
    every = rng.choice(("day", "day", "month", "month", "quarter"))
    return _Fate(
        every=every,
        habit=habit,
        method=rng.choice(methods),
        raising=raising,
        entrusted=rng.randrange(_ENTRUSTED_ONE_IN) == 0,
        with_coupon=raising != "over",
        day_count=rng.choice(_DAILY_DAY_COUNTS if every == "day" else _DAY_COUNTS),
    )


def _tenderers(rng: Random, lenders: list[Holder], limit_yuan: int, *, is_example: bool, by_all: bool) -> list[Holder]:
    most = min(len(lenders), limit_yuan // MIN_TENDER_YUAN // 2)
    if by_all:
        return rng.sample(lenders, most)
    if is_example:
        return rng.sample(lenders, max(1, min(most // 4, _EXAMPLES_TENDERERS)))
    return rng.sample(lenders, rng.randint(1, max(1, most // 2)))


def _loan(rng: Random, loan_id: str, parties: _Parties, fate: _Fate, publish_index: int, *, is_drawn: bool) -> Loan:
    limit_yuan, tenderers = parties.limit_yuan, parties.tenderers
    least_yuan = max(10_000, -(-len(tenderers) * MIN_TENDER_YUAN * 3 // 2 // 1000) * 1000)
    amount_yuan = rng.randrange(least_yuan, min(limit_yuan, max(least_yuan * 2, 200_000)) + 1, 1000)
    bid_yuan, minimum_yuan = _bid_for(rng, fate.raising, amount_yuan)
    tenderers = tenderers[: max(1, bid_yuan // MIN_TENDER_YUAN // 2)]
    # Somebody bids on the last day, and nobody once the loan is full.
    takes_longer = is_drawn and fate.raising != "over" and len(tenderers) > 1 and rng.randrange(4) == 0
    bid_days = 2 if takes_longer else 1
    tenders = [
        Tender(lender, yuan * YUAN, min(k * bid_days // len(tenderers), bid_days - 1))
        for k, (lender, yuan) in enumerate(zip(tenderers, _bids(rng, bid_yuan, len(tenderers)), strict=True))
    ]
    if fate.with_coupon:
        _give_coupons(rng, tenders)
    periods = rng.choice((_PERIODS if is_drawn else _EXAMPLES_PERIODS)[fate.every])
    lag = rng.randint(2, 9) if is_drawn else 2
    if fate.every == "day" and fate.habit is Habit.EARLY:
        lag = 1
    return Loan(
        loan_id=loan_id,
        borrower=parties.borrower,
        amount_minor=amount_yuan * YUAN,
        annual_rate=rng.choice(_RATES),
        method=fate.method,
        periods=periods,
        every=fate.every,
        day_count=fate.day_count,
        purpose=rng.choice(_PURPOSES),
        minimum_minor=None if minimum_yuan is None else minimum_yuan * YUAN,
        penalty_rate=rng.choice(_PENALTY_RATES) if fate.habit is not Habit.PUNCTUAL or rng.randrange(2) else None,
        guarantor=parties.guarantor,
        payee=parties.payee,
        publish_index=publish_index,
        bid_days=bid_days,
        settle_next_day=is_drawn and rng.randrange(4) == 0,
        habit=fate.habit,
        trouble=rng.randint(1, periods) if is_drawn and fate.method != RepaymentMethod.BULLET.value else 1,
        lag=lag,
        tenders=tenders,
    )


def _bid_for(rng: Random, raising: str, amount_yuan: int) -> tuple[int, int | None]:
    """(what all lenders together bid, the loan's stated minimum), in yuan."""
    if raising == "failing":
        return amount_yuan * rng.randint(30, 60) // 100, None if rng.randrange(2) else amount_yuan * 7 // 10
    if raising == "over":
        return amount_yuan * rng.randint(105, 130) // 100, None
    if raising == "minimum":
        return amount_yuan * rng.randint(80, 95) // 100, amount_yuan * rng.randint(60, 80) // 100
    return amount_yuan, None


def _bids(rng: Random, total_yuan: int, count: int) -> list[int]:
    """The total in ``count`` uneven bids of at least the minimum each."""
    spare = split_largest_remainder(
        total_yuan - count * MIN_TENDER_YUAN, [rng.randint(1, 20) for _ in range(count)], [f"{k:06d}" for k in range(count)]
    )
    return [MIN_TENDER_YUAN + extra for extra in spare]


def _give_coupons(rng: Random, tenders: list[Tender]) -> None:
    """The first tender has one, and some others."""
    for k, tender in enumerate(tenders):
        if k == 0 or rng.random() < 1 / _COUPON_ONE_IN:
            tender.coupon_minor = rng.choice(_COUPONS_YUAN) * YUAN
