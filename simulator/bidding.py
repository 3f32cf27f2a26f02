"""From publication to disbursal: tenders, what is cut or released of them, and the loan's money on its way."""

from __future__ import annotations

from collections import defaultdict

from custody.names import LoanState, MandateScope, TxnType
from simulator import hours
from simulator.loans import Loan, Tender
from simulator.mandates import Mandates
from simulator.movement import YUAN, Holder
from simulator.states import TenderState
from simulator.today import Today

_SPARE_MINOR = 200 * YUAN
_SAVINGS_YUAN = (2_000, 20_000)
_AUTO_REPAY_ONE_IN = 3


class Bidding:
    """``open``: loans that are published and neither disbursed nor miscarried. ``published``: all that ever were."""

    def __init__(self, loans: list[Loan], mandates: Mandates) -> None:
        self._mandates = mandates
        self._publish: dict[int, list[tuple[int, Loan]]] = defaultdict(list)
        self._bids: dict[int, list[tuple[Loan, Tender]]] = defaultdict(list)
        self.open: list[Loan] = []
        self.published: list[Loan] = []
        for i, loan in enumerate(loans):
            self._publish[loan.publish_index].append((i, loan))
            for tender in loan.tenders:
                self._bids[loan.publish_index + tender.bid_day].append((loan, tender))

    def publish(self, today: Today) -> None:
        """Today's new loans; what their borrowers authorise."""
        for i, loan in self._publish.pop(today.index, []):
            self.open.append(loan)
            self.published.append(loan)
            if loan.payee is not None:
                self._mandates.grant(today, loan.borrower, MandateScope.ENTRUSTED, loan.amount_minor, loan.amount_minor)
            if i % _AUTO_REPAY_ONE_IN == 0:
                limit = 2 * loan.amount_minor
                self._mandates.grant(today, loan.borrower, MandateScope.AUTO_REPAY, limit, limit)

    def coupons_minor(self, today: Today) -> int:
        """What the platform must have ready for today's coupons."""
        return sum(tender.coupon_minor for _, tender in self._bids.get(today.index, []))

    def bring_money(self, today: Today) -> None:
        """Lenders bring what today's bids need beyond what they have; some bring more. Savers begin with savings."""
        need: dict[Holder, int] = defaultdict(int)
        for _, tender in self._bids.get(today.index, []):
            need[tender.lender] += tender.amount_minor - tender.coupon_minor
        savers = today.people.savers if today.index == 0 else []
        for saver in savers:
            need[saver] += today.below(*_SAVINGS_YUAN) * YUAN
        for holder, amount in need.items():
            short = amount - today.accounts.available(holder)
            if short > 0:
                spare = today.one_of((0, 0, _SPARE_MINOR, today.below(1, 100_000)))
                today.recharge(holder, short + spare, today.time(hours.RECHARGES))

    def take_tenders(self, today: Today) -> None:
        for loan, tender in self._bids.pop(today.index, []):
            paid = tender.amount_minor
            move = today.move(
                TxnType.TENDER_FREEZE,
                paid,
                today.time(hours.TENDERS),
                payer=tender.lender,
                loan_id=loan.loan_id,
                coupon_minor=tender.coupon_minor or None,
                **self._mandates.use(today, tender.lender, MandateScope.AUTO_TENDER, paid),
            )
            tender.request_no = move.request_no
            tender.step(TenderState.FROZEN)
            loan.raised_minor += paid

    def settle(self, today: Today) -> list[Loan]:
        """What becomes of loans whose bidding ends. Returns those that were disbursed."""
        disbursed, still_open = [], []
        for loan in self.open:
            if today.index >= loan.last_bid_index:
                self._cut(today, loan)
                if loan.is_full and loan.state is LoanState.BIDDING:
                    loan.step(LoanState.FULL)
            if loan.may_settle and today.index >= loan.last_bid_index + loan.settle_next_day:
                self._disburse(today, loan)
                disbursed.append(loan)
            elif not loan.may_settle and today.index > loan.last_bid_index:
                for tender in loan.tenders:
                    self._release(today, loan, tender, tender.taken_minor)
                loan.step(LoanState.MISCARRIED)
            else:
                still_open.append(loan)
        self.open = still_open
        return disbursed

    def _cut(self, today: Today, loan: Loan) -> None:
        """More was bid than asked for: the last tenders get it back, whole or in part."""
        for tender in reversed(loan.tenders):
            over = loan.raised_minor - loan.amount_minor
            if over <= 0:
                return
            self._release(today, loan, tender, min(over, tender.taken_minor))

    def _release(self, today: Today, loan: Loan, tender: Tender, amount_minor: int) -> None:
        today.move(
            TxnType.TENDER_CANCEL,
            amount_minor,
            today.time(hours.CANCELS),
            payee=tender.lender,
            loan_id=loan.loan_id,
            coupon_minor=tender.coupon_minor or None,
            related_request_no=tender.request_no,
        )
        tender.released_minor += amount_minor
        loan.raised_minor -= amount_minor
        tender.step(TenderState.FROZEN if tender.taken_minor else TenderState.RELEASED)

    def _disburse(self, today: Today, loan: Loan) -> None:
        """Gross to the borrower: one request, a leg for each tender; and on to his payee, if the loan names one."""
        request_no, when = today.next_request_no(), today.time(hours.DISBURSALS)
        frozen = [tender for tender in loan.tenders if tender.state is TenderState.FROZEN]
        for leg, tender in enumerate(frozen, start=1):
            today.move(
                TxnType.TENDER_SETTLE,
                tender.taken_minor,
                when,
                request_no=request_no,
                leg=leg,
                payer=tender.lender,
                payee=loan.borrower,
                loan_id=loan.loan_id,
                coupon_minor=tender.coupon_minor or None,
                related_request_no=tender.request_no,
            )
        loan.disburse(today.day)
        if loan.payee is not None:
            by_mandate = self._mandates.use(today, loan.borrower, MandateScope.ENTRUSTED, loan.raised_minor)
            when = today.time(hours.ENTRUSTED)
            to = {"payer": loan.borrower, "payee": loan.payee, "loan_id": loan.loan_id}
            today.move(TxnType.ENTRUSTED_PAYMENT, loan.raised_minor, when, **to, **by_mandate)
