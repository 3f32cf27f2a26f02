"""One platform's life, a custody date at a time. Each kind of event has its own hours, so that cause precedes effect.

Hours (UTC+8): 07 openings, 08 own money and recharges, 09:30 channels settle, 10 tenders, 13 cancellations,
14 disbursals, 15-16 withdrawals, 17-18 repayments, 20 bonuses, 23:40 late recharges.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from custody.calendar import SettlementCalendar, at
from custody.names import Role, TxnType
from simulator.accounts import Accounts, Unsettled
from simulator.loans import YUAN, Loan, Tender, plan_loans
from simulator.movement import BANK_ONLY, CURRENCY, P_INCOME, P_MARKETING, Holder, Movement, PlatformDay, Row
from simulator.people import Person
from simulator.settlement import batches, fee_minor

OWN_FLOOR_MINOR, OWN_STEP_MINOR = 100_000 * YUAN, 500_000 * YUAN
MARKETING_FLOOR_MINOR, MARKETING_STEP_MINOR = 10_000 * YUAN, 50_000 * YUAN
HUNDRED_YUAN = 100 * YUAN


class PlatformWorld:
    """Call ``run_day`` for each custody date in order; each call returns all that is true of the platform that day."""

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
    ) -> None:
        self.seed, self.platform, self.number, self.days, self.channels = seed, platform, number, days, channels
        self.accounts = Accounts(platform, SettlementCalendar())
        # User numbers differ between platforms, since business keys of findings do not name the platform.
        self.lenders = {(Role.LENDER.value, f"U{number:03d}{i + 1:06d}"): person for i, person in enumerate(lenders)}
        self.borrowers = {(Role.BORROWER.value, f"B{number:03d}{i + 1:06d}"): person for i, person in enumerate(borrowers)}
        self.loans = plan_loans(
            seed=seed, platform=platform, days=days, lenders=list(self.lenders), borrowers=list(self.borrowers.items())
        )
        self._late_for_tomorrow: list[Movement] = []
        self._overnight: list[tuple[Holder, int, str]] = []

    def run_day(self, day: date, index: int) -> PlatformDay:
        self._day, self._index, self._count = day, index, 0
        self._rng = Random(f"{self.seed}|day|{self.platform}|{day.isoformat()}")
        self._moves: list[Movement] = []
        self._settlements: dict[str, list[Row]] = {channel: [] for channel in self.channels}
        self.accounts.start_day()
        customers = self._open_customers() if index == 0 else []
        bids = [(loan, tender) for loan in self.loans for tender in loan.tenders if loan.publish_index + tender.bid_day == index]
        self._own_money()
        self._recharge_for(bids)
        self._settle_channels()
        self._finish_overnight_withdrawals()
        for loan, tender in bids:
            self._tender(loan, tender)
        for loan in self.loans:
            self._cancel_or_disburse(loan)
        self._withdraw()
        for loan in self.loans:
            self._repay(loan)
        self._bonuses()
        late = self._late_recharges()
        return self._picture(customers, late)

    def _picture(self, customers: list[Row], late: list[Movement]) -> PlatformDay:
        """The day as its files show it; movements in ``late`` fall into the platform's next file, for its clock is behind."""
        moves = sorted(self._moves, key=lambda movement: movement.order)
        filed = [m for m in moves if m.txn_type not in BANK_ONLY and m not in late]
        txn = self._late_for_tomorrow + filed
        self._late_for_tomorrow = late
        claims: list[Row] = [
            {
                "claim_id": claim.claim_id,
                "loan_id": loan.loan_id,
                "holder_role": claim.holder[0],
                "holder_user_no": claim.holder[1],
                "principal_minor": claim.principal_minor,
                "currency": CURRENCY,
            }
            for loan in self.loans
            for claim in loan.claims
        ]
        return PlatformDay(
            platform=self.platform,
            customers=customers,
            loans=[loan.row(self._day) for loan in self.loans if loan.publish_index <= self._index],
            txn=txn,
            claims=sorted(claims, key=lambda row: str(row["claim_id"])),
            balances=self.accounts.rows(),
            instructions=moves,
            settlements=self._settlements,
            core_flows=sorted(self.accounts.flows, key=lambda flow: (flow.booked_at, flow.core_ref, flow.account)),
            core_balances=self.accounts.core_balances(),
        )

    def _open_customers(self) -> list[Row]:
        rows: list[Row] = []
        for holder, person in (self.lenders | self.borrowers).items():
            self.accounts.open(holder)
            rows.append(
                {
                    "user_no": holder[1],
                    "role": holder[0],
                    "action": "OPEN",
                    "kind": person.kind,
                    "id_type": person.id_type,
                    "id_no": person.id_no,
                    "name": person.name,
                    "phone": person.phone,
                    "card_no": person.card_no,
                    "event_time": self._time("07:00", "07:40"),
                }
            )
        return rows

    def _own_money(self) -> None:
        """The platform keeps enough of its own for today's channel fees and for bonuses."""
        due = self._due_today()
        topup = MARKETING_STEP_MINOR if self.accounts.holders[P_MARKETING].available_minor < MARKETING_FLOOR_MINOR else 0
        need = topup + OWN_FLOOR_MINOR + sum(fee_minor(item.direction, item.gross_minor) for item in due)
        short = need - self.accounts.own_minor
        if short > 0:
            amount = -(-short // OWN_STEP_MINOR) * OWN_STEP_MINOR
            self._move(TxnType.OWN_FUNDS_MOVEMENT, amount, self._time("08:00", "08:04"), direction="IN")
        if topup:
            self._move(TxnType.PLATFORM_RECHARGE, topup, self._time("08:05", "08:09"), payee=P_MARKETING)

    def _recharge_for(self, bids: list[tuple[Loan, Tender]]) -> None:
        """Lenders bring what today's bids need beyond what they have; some bring more."""
        need: dict[Holder, int] = {}
        for _, tender in bids:
            need[tender.lender] = need.get(tender.lender, 0) + tender.amount_minor
        for holder, amount in need.items():
            short = amount - self.accounts.holders[holder].available_minor
            if short > 0:
                spare = self._rng.choice((0, 0, 200 * YUAN, self._rng.randrange(1, 100_000)))
                self._recharge(holder, short + spare, self._time("08:10", "09:20"))

    def _settle_channels(self) -> None:
        due = self._due_today()
        self.accounts.unsettled = [item for item in self.accounts.unsettled if item.settle_date != self._day]
        when = at(self._day, time(9, 30))
        for batch in batches(self.platform, due, self._day):
            self._settlements[batch.channel].extend(batch.rows)
            same = {"channel": batch.channel, "settlement_batch": batch.batch_id}
            self._move(
                TxnType.CHANNEL_SETTLEMENT,
                batch.gross_minor,
                when,
                request_no=f"S{batch.batch_id}",
                direction=batch.direction,
                fee_minor=batch.fee_minor,
                **same,
            )
            if batch.fee_minor:
                topup_at = when + timedelta(seconds=5)
                self._move(TxnType.CHANNEL_FEE_TOPUP, batch.fee_minor, topup_at, request_no=f"T{batch.batch_id}", **same)
            when += timedelta(seconds=10)

    def _due_today(self) -> list[Unsettled]:
        return [item for item in self.accounts.unsettled if item.settle_date == self._day]

    def _finish_overnight_withdrawals(self) -> None:
        for holder, amount, freeze in self._overnight:
            self._pay_out(holder, amount, freeze, self._time("09:50", "09:58"))
        self._overnight = []

    def _tender(self, loan: Loan, tender: Tender) -> None:
        when = self._time("10:05", "11:50")
        move = self._move(TxnType.TENDER_FREEZE, tender.amount_minor, when, payer=tender.lender, loan_id=loan.loan_id)
        tender.request_no = move.request_no

    def _cancel_or_disburse(self, loan: Loan) -> None:
        if loan.disbursed_on is not None or loan.cancelled or loan.publish_index > self._index:
            return
        if loan.is_full:
            ready = loan.publish_index + loan.bid_days - 1 + (1 if loan.settle_next_day else 0)
            if self._index >= ready:
                self._disburse(loan)
        elif loan.is_bidding_over(self._index):
            for tender in loan.frozen_tenders:
                self._move(
                    TxnType.TENDER_CANCEL,
                    tender.amount_minor,
                    self._time("13:00", "13:30"),
                    payee=tender.lender,
                    loan_id=loan.loan_id,
                    related_request_no=tender.request_no,
                )
            loan.cancelled = True

    def _disburse(self, loan: Loan) -> None:
        """Gross to the borrower: one request, a leg for each tender."""
        request_no, when = self._next_request_no(), self._time("14:00", "14:30")
        for leg, tender in enumerate(loan.frozen_tenders, start=1):
            self._move(
                TxnType.TENDER_SETTLE,
                tender.amount_minor,
                when,
                request_no=request_no,
                leg=leg,
                payer=tender.lender,
                payee=loan.borrower,
                loan_id=loan.loan_id,
                related_request_no=tender.request_no,
            )
        loan.disburse(self._day)

    def _withdraw(self) -> None:
        """Only money whose cash had settled before today is withdrawn."""
        clear = [h for h, a in self.accounts.holders.items() if a.available_minor >= HUNDRED_YUAN and a.clear_on < self._day]
        borrowers = [holder for holder in clear if holder in self.borrowers and self._rng.random() < 0.8]
        lenders = [holder for holder in clear if holder in self.lenders]
        for holder in borrowers + self._rng.sample(lenders, min(len(lenders), 1 + len(self.lenders) // 20)):
            available = self.accounts.holders[holder].available_minor
            amount = available * self._rng.choice((50, 80, 100)) // 100
            freeze = self._move(TxnType.WITHDRAW_FREEZE, amount, self._time("15:00", "15:40"), payer=holder).request_no
            fate = self._rng.randrange(10)
            when = self._time("15:45", "16:30")
            if fate == 0:
                self._move(TxnType.WITHDRAW_CANCEL, amount, when, payee=holder, related_request_no=freeze)
            elif fate == 1:
                self._overnight.append((holder, amount, freeze))
            else:
                self._pay_out(holder, amount, freeze, when)

    def _pay_out(self, holder: Holder, amount: int, freeze: str, when: datetime) -> None:
        channel = self._rng.choice(self.channels)
        self._move(TxnType.WITHDRAW, amount, when, payer=holder, related_request_no=freeze, channel=channel)

    def _repay(self, loan: Loan) -> None:
        if loan.is_in_default(self._day):
            return
        row = loan.due_on(self._day)
        commission = loan.commission_minor if loan.owes_commission(self._day) else 0
        short = commission + (row.amount_minor if row else 0) - self.accounts.holders[loan.borrower].available_minor
        if short > 0:
            self._recharge(loan.borrower, -(-short // HUNDRED_YUAN) * HUNDRED_YUAN, self._time("17:00", "17:30"))
        if commission:
            when = self._time("17:40", "17:55")
            self._move(TxnType.COMMISSION, commission, when, payer=loan.borrower, payee=P_INCOME, loan_id=loan.loan_id)
            loan.commission_paid = True
        if row is None:
            return
        when = self._time("18:00", "18:20")
        freeze = self._move(TxnType.REPAY_FREEZE, row.amount_minor, when, payer=loan.borrower, loan_id=loan.loan_id)
        request_no, when = self._next_request_no(), self._time("18:30", "18:50")
        # A share of nothing is no movement; it cannot arise while bids are at least CNY 100 and rates above 4%.
        shares = [share for share in loan.repay(row) if share[1] + share[2] > 0]
        for leg, (claim, principal, interest) in enumerate(shares, start=1):
            self._move(
                TxnType.REPAYMENT,
                principal + interest,
                when,
                request_no=request_no,
                leg=leg,
                payer=loan.borrower,
                payee=claim.holder,
                loan_id=loan.loan_id,
                principal_minor=principal,
                interest_minor=interest,
                penalty_minor=0,
                related_request_no=freeze.request_no,
            )

    def _bonuses(self) -> None:
        for holder in self._rng.sample(list(self.lenders), min(len(self.lenders), self._rng.randint(1, 3))):
            amount = self._rng.randrange(500, 5_001, 100)
            self._move(TxnType.MARKETING, amount, self._time("20:00", "20:30"), payer=P_MARKETING, payee=holder)

    def _late_recharges(self) -> list[Movement]:
        """Recharges just before midnight. Returns those that the platform, its clock behind, will file under tomorrow."""
        holders = self._rng.sample(list(self.lenders), min(len(self.lenders), self._rng.randint(1, 3)))
        for holder in holders[1:]:
            self._recharge(holder, self._rng.randrange(10_000, 500_000), self._time("23:40", "23:59"))
        last = self._recharge(holders[0], self._rng.randrange(10_000, 500_000), self._time("23:50", "23:59"))
        is_late = (self._index + self.number) % 2 == 1 and self._index < self.days - 1
        return [last] if is_late else []

    def _recharge(self, holder: Holder, amount: int, when: datetime) -> Movement:
        return self._move(TxnType.RECHARGE, amount, when, payee=holder, channel=self._rng.choice(self.channels))

    def _move(self, txn_type: TxnType, amount: int, when: datetime, *, request_no: str = "", **parts: Any) -> Movement:
        movement = Movement(
            platform=self.platform,
            request_no=request_no or self._next_request_no(),
            txn_type=txn_type,
            amount_minor=amount,
            event_time=when,
            **parts,
        )
        self.accounts.apply(movement)
        self._moves.append(movement)
        return movement

    def _next_request_no(self) -> str:
        self._count += 1
        return f"{self.platform}{self._day:%Y%m%d}{self._count:07d}"

    def _time(self, earliest: str, before: str) -> datetime:
        first, last = (at(self._day, time.fromisoformat(clock)) for clock in (earliest, before))
        return first + timedelta(seconds=self._rng.randrange(int((last - first).total_seconds())))
