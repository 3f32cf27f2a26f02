"""One platform's life: the order of a custody date. What happens stands in a module for each kind of story."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from operator import attrgetter, itemgetter

from custody.calendar import SettlementCalendar
from simulator import hours
from simulator.accounts import Accounts
from simulator.assignment import Assignments
from simulator.bank_interest import BankInterest
from simulator.behaviours import Behaviours
from simulator.bidding import Bidding
from simulator.channel_day import due_today, settle_channels
from simulator.compensation import Compensations
from simulator.custody_fee import CustodyFees
from simulator.customers import Customers
from simulator.e_accounts import EAccounts
from simulator.legal import LegalOrders
from simulator.loan_plans import plan_loans
from simulator.loans import Loan
from simulator.mandates import Mandates
from simulator.marketing import Marketing
from simulator.monthly_figures import MonthlyFigures
from simulator.movement import CURRENCY, Movement, PlatformDay, Row
from simulator.own_money import bring_own_money, take_own_money
from simulator.people import Person
from simulator.repayment import Repayments
from simulator.suspense import SuspenseReceipts
from simulator.today import Today
from simulator.withdrawals import Withdrawals

_ORDER = attrgetter("event_time", "request_no", "leg")
_RECHARGE_MINOR = (10_000, 500_000)


class PlatformWorld:
    """Call ``run_day`` for each custody date in order; each call returns all that is true of the platform that day.

    ``movements_a_day``: so many are made at least, by further recharges; None: only what the stories make.
    ``has_e_accounts``: the core's form; ``publishes``: its figures of each month. Neither changes anything of the life.
    ``changes_on``: when it pays custody fees by other terms.
    ``behaviours``: made from the platform's people and what its loans come to; None: nobody misbehaves.
    """

    def __init__(
        self,
        *,
        seed: int,
        platform: str,
        number: int,
        days: int,
        channels: list[str],
        lenders: list[Person],
        borrowers: list[Person],
        movements_a_day: int | None = None,
        has_e_accounts: bool = False,
        publishes: bool = False,
        changes_on: date | None = None,
        behaviours: Callable[[Customers, int], Behaviours] | None = None,
    ) -> None:
        self.seed, self.platform, self.number, self.days, self.channels = seed, platform, number, days, channels
        self.movements_a_day = movements_a_day
        self.accounts = Accounts(platform, SettlementCalendar())
        self.people = Customers(seed, platform, number, lenders, borrowers)
        self.mandates = Mandates()
        loans = plan_loans(seed=seed, platform=platform, days=days, people=self.people)
        planned = sum(loan.amount_minor for loan in loans)
        self.behaviours = behaviours(self.people, planned) if behaviours is not None else None
        loans += self.behaviours.loans if self.behaviours is not None else []
        self.bidding = Bidding(loans, self.mandates)
        self.compensations = Compensations()
        self.repayments = Repayments(self.mandates, self.compensations)
        self.assignments = Assignments(self.mandates)
        self.withdrawals, self.suspense, self.orders = Withdrawals(), SuspenseReceipts(), LegalOrders()
        self.marketing, self.interest, self.fees = Marketing(), BankInterest(), CustodyFees(changes_on)
        self._late_for_tomorrow: list[Movement] = []
        self._e_accounts = EAccounts(self.accounts) if has_e_accounts else None
        self._figures = MonthlyFigures(platform, number, self.people, SettlementCalendar()) if publishes else None

    def run_day(self, day: date, index: int) -> PlatformDay:
        today = Today(
            seed=self.seed,
            accounts=self.accounts,
            people=self.people,
            channels=self.channels,
            day=day,
            index=index,
            days=self.days,
        )
        self.accounts.start_day(day)
        self._morning(today)
        disbursed = self._bids(today)
        self._afternoon(today)
        self._evening(today, disbursed)
        late = self._late_recharges(today)
        self._recharge_up_to(today, self.movements_a_day or 0)
        return self._picture(today, late)

    def _morning(self, today: Today) -> None:
        self.people.open(today)
        if today.index == 0:
            self.mandates.begin(today)
        self.bidding.publish(today)
        batches = due_today(today)
        fees_minor = sum(batch.fee_minor for batch in batches) + self.fees.due(today)[0]
        bring_own_money(today, self.bidding.coupons_minor(today), fees_minor)
        for guest in self.people.guests:
            today.recharge(guest, today.below(*_RECHARGE_MINOR), today.time(hours.RECHARGES))
        self.bidding.bring_money(today)
        self._behave("morning", today)
        self.withdrawals.mistaken_recharge(today)
        settle_channels(today, batches)
        self.interest.credit(today)
        self.withdrawals.hear_last_words(today)
        self.fees.collect(today)

    def _bids(self, today: Today) -> list[Loan]:
        """Returns the loans that were disbursed."""
        self.bidding.take_tenders(today)
        self.suspense.receive(today)
        disbursed = self.bidding.settle(today)
        for loan in disbursed:
            self.repayments.begin(loan)
            self.withdrawals.expect(loan.payee or loan.borrower)
        return disbursed

    def _afternoon(self, today: Today) -> None:
        self.withdrawals.run(today)
        self._behave("afternoon", today)
        self.orders.run(today)
        self.withdrawals.bring_back(today)
        self.withdrawals.refund(today)
        self.suspense.clear_up(today)
        take_own_money(today)

    def _evening(self, today: Today, disbursed: list[Loan]) -> None:
        self.repayments.run(today)
        self.compensations.run(today)
        self.assignments.run(today, disbursed)
        self._behave("evening", today)
        self.marketing.give_bonuses(today)
        self.marketing.put_right(today)
        self.people.change(today)
        self.mandates.revoke_some(today)
        self.people.close(today)
        self.repayments.mark(today)

    def _behave(self, part: str, today: Today) -> None:
        if self.behaviours is not None:
            self.behaviours.do(part, today)

    def _late_recharges(self, today: Today) -> list[Movement]:
        """Recharges just before midnight. Returns those that the platform, its clock behind, will file under tomorrow."""
        holders = today.a_few(self.people.lenders)
        for holder in holders[1:]:
            today.recharge(holder, today.below(*_RECHARGE_MINOR), today.time(hours.LATE))
        last = today.recharge(holders[0], today.below(*_RECHARGE_MINOR), today.time(hours.LAST))
        is_late = (today.index + self.number) % 2 == 1 and today.index < self.days - 1
        return [last] if is_late else []

    def _recharge_up_to(self, today: Today, movements: int) -> None:
        """Lenders bring money all day, until so many movements stand. Money that comes earlier breaks nothing that follows."""
        for _ in range(movements - len(today.moves)):
            holder = today.one_of(self.people.lenders)
            today.recharge(holder, today.below(*_RECHARGE_MINOR), today.time(hours.ALL_DAY))

    def _picture(self, today: Today, late: list[Movement]) -> PlatformDay:
        """The day as its files show it; movements in ``late`` fall into the platform's next file."""
        moves = sorted(today.moves, key=_ORDER)
        txn = self._late_for_tomorrow + [move for move in moves if move.is_platforms and move not in late]
        self._late_for_tomorrow = late
        self.interest.end_of_day(today)
        self.fees.end_of_day(today)
        e_flows, e_balances = self._e_accounts.day(moves) if self._e_accounts is not None else ([], [])
        published = self._figures.day(today.day, moves, self.bidding.published) if self._figures is not None else None
        return PlatformDay(
            platform=self.platform,
            customers=today.customers,
            loans=[loan.row() for loan in self.bidding.published] + (self.behaviours.lies(today) if self.behaviours else []),
            txn=txn,
            claims=self._claims(),
            balances=self.accounts.rows(),
            instructions=moves,
            settlements=today.settlements,
            core_flows=sorted(self.accounts.flows, key=lambda flow: (flow.booked_at, flow.core_ref, flow.account)),
            core_balances=self.accounts.core_balances(),
            mandates=today.mandates,
            legal_orders=today.legal_orders,
            e_flows=e_flows,
            e_balances=e_balances,
            published=published,
            fee_by_first_terms_minor=self.fees.due_by_first_terms(today),
        )

    def _claims(self) -> list[Row]:
        claims: list[Row] = [
            {
                "claim_id": claim.claim_id,
                "loan_id": loan.loan_id,
                "holder_role": claim.holder[0],
                "holder_user_no": claim.holder[1],
                "principal_minor": claim.principal_minor,
                "currency": CURRENCY,
            }
            for loan in self.bidding.published
            for claim in loan.claims
        ]
        return sorted(claims, key=itemgetter("claim_id"))
