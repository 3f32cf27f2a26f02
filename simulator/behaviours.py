"""What people and platforms do over weeks that no single row shows: off unless a world asks for it.

Platforms of odd number misbehave: the first boldly in everything, the others of each kind as far as chance has it; those of even number
are sound. On all of them innocents do what looks alike, on all but the first as far as chance has it, so that the mildest misdeed and the
wildest innocent can be alike: no rule tells all of them apart. Each deed is a true one: the money moves, the files agree. Its label
says what it is, of whom, how bold, and from when on it can be known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

from custody.money import MAX_MINOR
from custody.names import LoanState, RepaymentMethod, Role, TxnType
from simulator import hours
from simulator.customers import Customers
from simulator.loans import Claim, Habit, Loan, Tender
from simulator.movement import YUAN, Holder, Row
from simulator.parties import related_party
from simulator.people import Person, make_company, make_person
from simulator.states import ClaimState
from simulator.today import Today

Label = dict[str, Any]
_Deed = Callable[[Today], None]
_LARGE_YUAN = 500_000
_BULLET = RepaymentMethod.BULLET.value
# A person who borrows on every platform: enough of them, and he is over the limit on all.
_PLATFORMS_TOO_MANY, _ON_EACH_YUAN = 6, 190_000
_QUIET_DAYS = 92


class Behaviours:
    """``loans`` are to be published beside the platform's own; ``lies`` stand in its LOAN file and nowhere else."""

    def __init__(
        self, *, seed: int, platform: str, number: int, platforms: int, start: date, days: int, people: Customers, lent_minor: int
    ) -> None:
        self._rng = Random(f"{seed}|behaviours|{platform}")
        self._chance = Random(f"{seed}|innocents|{platform}")
        self._seed, self._platform, self._start, self._days, self._people = seed, platform, start, days, people
        self.loans: list[Loan] = []
        self.labels: list[Label] = []
        self._lies: list[tuple[int, Loan]] = []
        self._deeds: dict[str, dict[int, list[_Deed]]] = {part: defaultdict(list) for part in ("morning", "afternoon", "evening")}
        self._is_boldest = number == 1
        self._innocent()
        if platforms >= _PLATFORMS_TOO_MANY:
            self._limit_on_all(is_last=number == platforms)
        if number % 2 == 1:
            self._limits_and_rates()
            self._terms()
            self._phantoms()
            self._money()
            self._super_lender()
            self._packages()
            self._pooling(lent_minor)
            self._new_for_old()
            self._related()
            self._compensated()

    def do(self, part: str, today: Today) -> None:
        for deed in self._deeds[part].pop(today.index, ()):
            deed(today)

    def lies(self, today: Today) -> list[Row]:
        return [loan.row() for since, loan in self._lies if today.index >= since]

    # What is done.

    def _limits_and_rates(self) -> None:
        borrower, person = self._person(Role.BORROWER)
        for _ in range(3):
            self._loan(borrower, 80_000, 2, days=30)
        self._label("limit_on_platform", 2, person=person, bold={"yuan": 240_000})
        borrower, _ = self._person(Role.BORROWER)
        loan = self._loan(borrower, 30_000, 3, days=30, rate="0.36")
        self._label("rate_cap", 3, subject=loan.loan_id, bold={"rate": "0.36"})
        borrower, _ = self._person(Role.BORROWER)
        loan = self._make_loan(borrower, 50_000, 4, days=30)
        loan.raised_minor, loan.state = loan.amount_minor, LoanState.FULL
        self._lies.append((4, loan))
        self._label("fill_that_never_was", 4, subject=loan.loan_id, bold={"yuan": 50_000})

    def _limit_on_all(self, *, is_last: bool) -> None:
        person = make_person(Random(f"{self._seed}|behaviours|on all platforms"))
        self._loan(self._people.meet(Role.BORROWER, person), _ON_EACH_YUAN, 1, days=60)
        if is_last:
            self._label(
                "limit_on_all",
                1,
                person=person,
                platform="",
                bold={"yuan": _ON_EACH_YUAN * _PLATFORMS_TOO_MANY},
                also=("large_value",),
            )

    def _terms(self) -> None:
        """One need in short loans: two are no series yet."""
        borrower, _ = self._person(Role.BORROWER)
        count = self._degree(3, 2, 4)
        loans = [self._loan(borrower, 40_000, 1 + 5 * n, days=5, purpose="货款周转") for n in range(count)]
        # A longer series is known by its third.
        self._label(
            "term_splitting", 1 + 5 * (min(count, 3) - 1), subject=loans[0].loan_id, bold={"loans": count}, also=("new_for_old",)
        )

    def _phantoms(self) -> None:
        """Several borrowers with one card; one person under two numbers."""
        made = [make_person(self._rng) for _ in range(self._degree(3, 2, 6))]
        for person in made:
            self._people.meet(Role.BORROWER, replace(person, card_no=made[0].card_no))
        self._label("shared_contact", 0, contact=("card_no", made[0].card_no), bold={"borrowers": len(made)})
        twice = make_person(self._rng)
        for _ in range(2):
            self._people.meet(Role.BORROWER, twice)
        self._label("shared_identity", 0, person=twice, bold={"accounts": 2})

    def _money(self) -> None:
        lender, person = self._person(Role.LENDER)
        for _ in range(2):
            self._brings(lender, 300_000, 2)
        self._label("large_value", 2, person=person, platform="", way="IN", bold={"yuan": 600_000})
        self._takes(lender, 100, 9)
        self._label("large_value", 9, person=person, platform="", way="OUT", bold={"yuan": 600_000})
        lender, person = self._person(Role.LENDER)
        share, times = self._degree(92, 62, 98), self._degree(3, 2, 4)
        for n in range(times):
            self._brings(lender, _LARGE_YUAN * share // 100, 1 + 2 * n)
            self._takes(lender, 100, 1 + 2 * n + 5)
        bold = {"share_bp": share * 100, "times": times}
        last = 1 + 2 * (times - 1)
        also = ("structuring", "fast_in_out", "large_value")
        self._label("structuring", last, person=person, platform="", way="IN", bold=bold, also=also)
        lender, person = self._person(Role.LENDER)
        yuan, left = self._degree(120, 15, 150) * 1_000, self._degree(100, 85, 100)
        self._brings(lender, yuan, 5)
        self._takes(lender, left, 6)
        self._label("fast_in_out", 6, person=person, platform="", bold={"yuan": yuan, "left_per_cent": left})
        if self._days > _QUIET_DAYS + 1:
            lender, person = self._person(Role.LENDER)
            self._brings(lender, 1_000, 0)
            self._brings(lender, 80_000, _QUIET_DAYS)
            self._label("dormant_active", _QUIET_DAYS, person=person, platform="", bold={"days": _QUIET_DAYS})

    def _super_lender(self) -> None:
        """He lends alone, and sells to many from the third day on."""
        lender, person = self._person(Role.LENDER)
        loans = []
        for _ in range(2):
            borrower, _ = self._person(Role.BORROWER)
            loans.append(self._loan(borrower, 120_000, 2, days=60, by=[lender]))
        sales = self._degree(12, 5, 18)
        for n in range(sales):
            self._deeds["evening"][4 + n // 4].append(lambda today, n=n: _sells_a_tenth(today, loans[n % 2], lender))  # type: ignore[misc]
        self._label("super_lender", 4 + (max(10, sales) - 1) // 4, person=person, bold={"sales": sales})

    def _packages(self) -> None:
        """He lends alone to many, little to each, and passes it all on in one piece."""
        lender, person = self._person(Role.LENDER)
        buyer, _ = self._person(Role.LENDER)
        count, each = self._degree(12, 4, 20), self._degree(6, 4, 10) * 1_000
        loans = [self._loan(self._person(Role.BORROWER)[0], each, 3, days=60, by=[lender]) for _ in range(count)]
        for loan in loans:
            self._deeds["evening"][6].append(lambda today, loan=loan: _sells(today, loan, lender, buyer))  # type: ignore[misc]
        self._label("packaged_assignment", 6, person=person, bold={"loans": count, "yuan": count * each})

    def _pooling(self, lent_minor: int) -> None:
        """Lenders bring money early that nobody borrows: so much of what is lent."""
        per_cent = self._degree(160, 20, 200)
        each = min(390_000, lent_minor * per_cent // 100 // YUAN // 8)
        for _ in range(8):
            lender, _ = self._person(Role.LENDER)
            self._brings(lender, each, 1)
        self._label("pooling", 11, subject=self._platform, bold={"yuan": 8 * each, "of_lent_per_cent": per_cent})

    def _new_for_old(self) -> None:
        """Loans that are paid back by the next: of some borrowers, or of many."""
        chains = self._degree(6, 1, 8)
        for n in range(chains):
            borrower, _ = self._person(Role.BORROWER)
            self._loan(borrower, 90_000, 2 + n % 2, days=6, purpose="采购原材料")
            self._loan(borrower, 100_000, 8 + n % 2, days=30, purpose="扩大经营")
        self._label("new_for_old", 9, subject=self._platform, bold={"chains": chains})

    def _related(self) -> None:
        related = related_party(self._platform)
        guarantor, lender = self._people.meet(Role.GUARANTOR, related), self._people.meet(Role.LENDER, related)
        borrower, _ = self._person(Role.BORROWER)
        self._loan(borrower, 20_000, 3, days=30, by=[lender])
        self._label("lender_is_related", 3, person=related, bold={"yuan": 20_000})
        borrower, _ = self._person(Role.BORROWER)
        self._loan(borrower, 20_000, 1, days=3, guarantor=guarantor, habit=Habit.COMPENSATED_LOST)
        # What he pays lenders he takes over from them, and so holds.
        self._label("guarantee_by_related", 5, person=related, bold={"yuan": 20_000})
        near = replace(make_person(self._rng), phone=related.phone)
        self._people.meet(Role.BORROWER, near)
        self._label("borrower_near_related", 0, person=near, bold={})
        loan = self._loan(self._people.meet(Role.BORROWER, related), 20_000, 4, days=30)
        self._label("borrower_is_related", 4, subject=f"FUNDS|{loan.loan_id}|borrower_is_related", bold={"yuan": 20_000})

    def _compensated(self) -> None:
        """One pays a borrower's instalments again and again; one answers for himself, under another name."""
        guarantor = self._people.meet(Role.GUARANTOR, make_company(self._rng))
        borrower, _ = self._person(Role.BORROWER)
        times = self._degree(4, 2, 6)
        for n in range(times):
            days, purpose = 2 + n % 2, f"采购第{n + 1}批货物"
            self._loan(borrower, 8_000, 1 + n, days=days, guarantor=guarantor, habit=Habit.COMPENSATED_LOST, purpose=purpose)
        # The loan of day n falls due two or three days later, and is paid the day after; the third such payment tells.
        paid = sorted(1 + n + 2 + n % 2 + 1 for n in range(times))
        last = paid[min(3, times) - 1]
        self._label("repeated_compensation", last, subject=_sub_account(self._platform, borrower), bold={"times": times})
        near, person = self._person(Role.BORROWER)
        company = replace(make_company(self._rng), phone=person.phone)
        self._loan(near, 30_000, 2, days=30, guarantor=self._people.meet(Role.GUARANTOR, company))
        self._label("borrower_near_guarantor", 2, person=person, bold={"yuan": 30_000})

    def _innocent(self) -> None:
        """What looks alike and is not: a couple with one phone, somebody who thinks better of it, a saver with large sums, one who sells
        all that he has, one who sells to his family, one who needs a part of what he lent back, and a borrower who is helped once."""
        first, second = (make_person(self._rng) for _ in range(2))
        self._people.meet(Role.BORROWER, first)
        self._people.meet(Role.BORROWER, replace(second, phone=first.phone))
        lender, _ = self._person(Role.LENDER)
        self._brings(lender, self._by_chance(42, 10, 55) * 1_000, 7)
        self._takes(lender, 100, 8)
        lender, _ = self._person(Role.LENDER)
        share = self._by_chance(84, 30, 95)
        for day in (3, 8)[: self._by_chance(2, 1, 2)]:
            self._brings(lender, _LARGE_YUAN * share // 100, day)
            self._takes(lender, 100, day + 4)
        # Who leaves sells to whoever bids, one claim after the other; some of them to one who buys by a mandate.
        lender, _ = self._person(Role.LENDER)
        buyer, _ = self._person(Role.LENDER)
        loans = [self._loan(self._person(Role.BORROWER)[0], 6_000, 2, days=60, by=[lender]) for _ in range(11)]
        bids = self._by_chance(0, 0, 7)
        for n, loan in enumerate(loans):
            to = buyer if n < bids else None
            self._deeds["evening"][9].append(lambda today, loan=loan, to=to: _sells(today, loan, lender, to))  # type: ignore[misc]
        self._family()
        self._needs_money()
        guarantor = self._people.meet(Role.GUARANTOR, make_company(self._chance))
        self._loan(self._person(Role.BORROWER)[0], 8_000, 1, days=3, guarantor=guarantor, habit=Habit.COMPENSATED_LOST)
        self._borrows_again()

    def _borrows_again(self) -> None:
        """A shopkeeper who buys stock on credit, and some days after he has paid buys again, more or less than before. Whom he borrows
        from is drawn apart, so that all else is as it is without him."""
        borrower = self._people.meet(Role.BORROWER, make_person(self._chance))
        gap, per_cent = self._by_chance(5, 0, 5), self._by_chance(130, 60, 150)
        for yuan, index in ((20_000, 1), (200 * per_cent, 5 + gap)):
            by = self._chance.sample(self._people.lenders, min(4, len(self._people.lenders)))
            self._loan(borrower, yuan, index, days=4, purpose="店铺备货", by=by)

    def _family(self) -> None:
        """A few claims of one lender go to another whom he knows."""
        lender, _ = self._person(Role.LENDER)
        heir, _ = self._person(Role.LENDER)
        each = self._by_chance(5, 2, 6) * 1_000
        for _ in range(self._by_chance(3, 1, 5)):
            loan = self._loan(self._person(Role.BORROWER)[0], each, 2, days=60, by=[lender])
            self._deeds["evening"][7].append(lambda today, loan=loan: _sells(today, loan, lender, heir))  # type: ignore[misc]

    def _needs_money(self) -> None:
        """A great lender of one loan sells a part of it, and then another."""
        lender, _ = self._person(Role.LENDER)
        share, parts = self._by_chance(100, 30, 100), self._by_chance(2, 1, 3)
        other = self._rng.choice(self._people.lenders)
        borrower, _ = self._person(Role.BORROWER)
        loan = self._loan(borrower, 60_000, 3, days=60, by=[lender])
        if share < 100:
            own = 600 * share
            loan.tenders = [Tender(lender, own * YUAN, 0), Tender(other, (60_000 - own) * YUAN, 0)]
        for n in range(parts):
            self._deeds["evening"][6 + n].append(lambda today: _sells(today, loan, lender, None, 12_000 * YUAN))

    # How it is done.

    def _degree(self, bold: int, least: int, most: int) -> int:
        return bold if self._is_boldest else self._rng.randint(least, most)

    def _by_chance(self, usual: int, least: int, most: int) -> int:
        """How far an innocent goes."""
        return usual if self._is_boldest else self._chance.randint(least, most)

    def _person(self, role: Role) -> tuple[Holder, Person]:
        person = make_person(self._rng)
        return self._people.meet(role, person), person

    def _loan(self, borrower: Holder, yuan: int, index: int, **said: Any) -> Loan:
        loan = self._make_loan(borrower, yuan, index, **said)
        self.loans.append(loan)
        return loan

    def _make_loan(
        self,
        borrower: Holder,
        yuan: int,
        index: int,
        *,
        days: int,
        rate: str = "0.1",
        purpose: str = "流动资金周转",
        by: Sequence[Holder] = (),
        guarantor: Holder | None = None,
        habit: Habit = Habit.PUNCTUAL,
    ) -> Loan:
        """A loan that is bid and lent on the day of that index, repaid at once after so many days."""
        by = by or self._rng.sample(self._people.lenders, min(4, len(self._people.lenders)))
        each, rest = divmod(yuan, len(by))
        tenders = [Tender(lender, (each + (rest if n == 0 else 0)) * YUAN, 0) for n, lender in enumerate(by)]
        number = len(self.loans) + len(self._lies) + 1
        return Loan(
            loan_id=f"{self._platform}BH{number:03d}",
            borrower=borrower,
            amount_minor=yuan * YUAN,
            annual_rate=rate,
            method=_BULLET,
            periods=1 if days % 30 == 0 else days,
            every="month" if days % 30 == 0 else "day",
            day_count="actual/365",
            purpose=purpose,
            minimum_minor=None,
            penalty_rate=None,
            guarantor=guarantor,
            payee=None,
            publish_index=index,
            bid_days=1,
            settle_next_day=False,
            habit=habit,
            trouble=1,
            lag=2,
            tenders=tenders,
        )

    def _brings(self, lender: Holder, yuan: int, index: int) -> None:
        self._deeds["morning"][index].append(lambda today: _recharges(today, lender, yuan * YUAN))

    def _takes(self, lender: Holder, per_cent: int, index: int) -> None:
        self._deeds["afternoon"][index].append(lambda today: _withdraws(today, lender, per_cent))

    def _label(
        self,
        kind: str,
        index: int,
        *,
        bold: dict[str, Any],
        person: Person | None = None,
        subject: str | None = None,
        contact: tuple[str, str] | None = None,
        platform: str | None = None,
        way: str | None = None,
        also: Sequence[str] = (),
    ) -> None:
        """``bold``: how far it goes; ``also``: kinds that it may show as besides. One that the world is too short for has no label."""
        if index >= self._days:
            return
        self.labels.append(
            {
                "kind": kind,
                "platform": self._platform if platform is None else platform,
                "home": self._platform,
                "subject": subject,
                "person": None if person is None else {"id_type": person.id_type, "id_no": person.id_no},
                "contact": contact,
                "way": way,
                "bold": bold,
                "also": list(also),
                "known_by": (self._start + timedelta(days=index)).isoformat(),
            }
        )


def _sub_account(platform: str, holder: Holder) -> str:
    return f"{platform}.{holder[0]}.{holder[1]}"


def _recharges(today: Today, lender: Holder, amount_minor: int) -> None:
    today.recharge(lender, amount_minor, today.time(hours.RECHARGES))


def _withdraws(today: Today, lender: Holder, per_cent: int) -> None:
    amount = today.accounts.available(lender) * per_cent // 100
    if not amount:
        return
    freeze = today.move(TxnType.WITHDRAW_FREEZE, amount, today.time(hours.FREEZES), payer=lender).request_no
    when, channel = today.time(hours.PAYOUTS), today.any_channel()
    today.move(TxnType.WITHDRAW, amount, when, payer=lender, channel=channel, related_request_no=freeze)


def _sells_a_tenth(today: Today, loan: Loan, seller: Holder) -> None:
    """Of what he lent, to any lender."""
    _sells(today, loan, seller, None, loan.amount_minor // 10)


def _sells(today: Today, loan: Loan, seller: Holder, buyer: Holder | None, most_minor: int = MAX_MINOR) -> None:
    """Up to so much of what he lent, to the buyer or to any lender, at its principal."""
    claim = next((c for c in loan.claims if c.holder == seller), None)
    if claim is None:
        return
    share = min(claim.principal_minor, most_minor)
    buyer = buyer or today.one_of(today.people.lenders)
    today.fund(buyer, share, hours.EVENING_MONEY)
    move = today.move(
        TxnType.CREDIT_ASSIGNMENT,
        share,
        today.time(hours.ASSIGNMENTS),
        payer=buyer,
        payee=seller,
        loan_id=loan.loan_id,
        principal_minor=share,
        related_request_no=claim.claim_id,
    )
    claim.take(share, ClaimState.SOLD)
    loan.drop_empty_claims()
    loan.claims.append(Claim(move.request_no, buyer, share))
