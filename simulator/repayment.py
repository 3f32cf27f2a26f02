"""What borrowers pay, when they pay it, and who gets it. Loans are looked at only on days when something of them is due."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from custody.money import round_minor
from custody.names import MandateScope, TxnType
from simulator import hours
from simulator.compensation import Compensations, guarantor_of
from simulator.loans import Habit, Loan, Owed, Payment, split
from simulator.mandates import Mandates
from simulator.movement import P_INCOME, YUAN
from simulator.states import ClaimState, WorldError
from simulator.today import Today

COMMISSION_RATE = Fraction(5, 1000)
_STEP_MINOR = 100 * YUAN
_LATE = (Habit.LATE, Habit.PARTIAL)
_ONE_DAY = timedelta(days=1)


class Repayments:
    def __init__(self, mandates: Mandates, compensations: Compensations) -> None:
        self._mandates, self._compensations = mandates, compensations
        # By date: loans of which something may be paid, whose commission is due, whose state may change; each once, in order.
        self._turns: dict[date, dict[str, Loan]] = defaultdict(dict)
        self._commissions: dict[date, list[Loan]] = defaultdict(list)
        self._marks: dict[date, dict[str, Loan]] = defaultdict(dict)

    def begin(self, loan: Loan) -> None:
        """The loan was disbursed today. The platform's fee is due the day after: on the day itself it would be an upfront
        deduction."""
        assert loan.disbursed_on is not None
        self._commissions[loan.disbursed_on + _ONE_DAY].append(loan)
        self._expect_next(loan)
        if loan.habit is Habit.EARLY:
            self._look_at(loan, loan.disbursed_on + timedelta(days=loan.lag))

    def run(self, today: Today) -> None:
        for loan in self._commissions.pop(today.day, []):
            self._pay_commission(today, loan)
        for loan in self._turns.pop(today.day, {}).values():
            if loan.owed:
                self._turn(today, loan)
                self._marks[today.day][loan.loan_id] = loan

    def mark(self, today: Today) -> None:
        """At the end of the day: states of loans that were paid or have become overdue."""
        for loan in self._marks.pop(today.day, {}).values():
            loan.mark(today.day)

    def _look_at(self, loan: Loan, day: date) -> None:
        self._turns[day][loan.loan_id] = loan

    def _expect_next(self, loan: Loan) -> None:
        if loan.owed:
            self._look_at(loan, loan.owed[0].due)
            self._marks[loan.owed[0].due + _ONE_DAY][loan.loan_id] = loan

    def _pay_commission(self, today: Today, loan: Loan) -> None:
        amount = round_minor(loan.raised_minor * COMMISSION_RATE, "half_even")
        today.fund(loan.borrower, amount, hours.EVENING_MONEY, _STEP_MINOR)
        when = today.time(hours.COMMISSIONS)
        today.move(TxnType.COMMISSION, amount, when, payer=loan.borrower, payee=P_INCOME, loan_id=loan.loan_id)

    def _turn(self, today: Today, loan: Loan) -> None:
        """The borrower does today what he is like."""
        due = loan.due_by(today.day)
        if loan.habit is Habit.EARLY:
            assert loan.disbursed_on is not None
            if today.day >= loan.disbursed_on + timedelta(days=loan.lag):
                self._pay_off(today, loan, due)
                return
        if not loan.in_trouble and not loan.has_recovered and self._is_trouble(loan):
            self._miss(loan, due[0])
        elif loan.in_trouble:
            self._after_trouble(today, loan, due)
        elif due:
            self._pay_due(today, loan, due)

    @staticmethod
    def _is_trouble(loan: Loan) -> bool:
        return loan.habit not in (Habit.PUNCTUAL, Habit.EARLY) and loan.paid + 1 == loan.trouble

    def _miss(self, loan: Loan, missed: Owed) -> None:
        loan.in_trouble = True
        if loan.habit in _LATE:
            self._look_at(loan, missed.due + timedelta(days=loan.lag))
        if loan.habit is Habit.PARTIAL:
            self._look_at(loan, missed.due + _ONE_DAY)
        if loan.habit in (Habit.COMPENSATED, Habit.COMPENSATED_ONCE, Habit.COMPENSATED_LOST):
            self._compensations.plan(loan, missed.due + _ONE_DAY)
        if loan.habit in (Habit.COMPENSATED, Habit.COMPENSATED_ONCE):
            self._look_at(loan, missed.due + timedelta(days=loan.lag))

    def _after_trouble(self, today: Today, loan: Loan, due: list[Owed]) -> None:
        if loan.habit is Habit.PARTIAL and today.day < due[0].due + timedelta(days=loan.lag):
            self._pay_part(today, loan, due[0])
            return
        loan.in_trouble, loan.has_recovered = False, True
        self._pay_due(today, loan, due)

    def _pay_due(self, today: Today, loan: Loan, due: list[Owed]) -> None:
        """All that is due: to the guarantor what he has paid for the borrower, to the lenders the rest, with penalty if late."""
        for to_guarantor in (True, False):
            own = [owed for owed in due if owed.to_guarantor is to_guarantor]
            penalties = (owed.penalty_minor if to_guarantor else loan.penalty_on(owed, today.day) for owed in own)
            principal, interest = sum(owed.principal_minor for owed in own), sum(owed.interest_minor for owed in own)
            payment = Payment(principal, interest, sum(penalties))
            if payment.total_minor:
                self._pay(today, loan, payment, to_guarantor=to_guarantor)
        for _ in due:
            loan.owed.popleft()
        loan.paid += len(due)
        self._expect_next(loan)

    def _pay_part(self, today: Today, loan: Loan, owed: Owed) -> None:
        """Half of it: interest with penalty first, then principal (domain.md §3)."""
        amount = max(1, owed.overdue_minor // 2)
        interest = min(owed.interest_minor, amount)
        penalty = min(loan.penalty_on(owed, today.day), amount - interest)
        payment = Payment(amount - interest - penalty, interest, penalty)
        owed.pay_part(today.day, payment)
        self._pay(today, loan, payment, to_guarantor=False)

    def _pay_off(self, today: Today, loan: Loan, due: list[Owed]) -> None:
        """All that is left, with the interest up to today."""
        principal = sum(owed.principal_minor for owed in loan.owed)
        not_due = principal - sum(owed.principal_minor for owed in due)
        interest = sum(owed.interest_minor for owed in due) + loan.accrued_on(today.day, not_due)
        self._pay(today, loan, Payment(principal, interest, 0), to_guarantor=False)
        loan.paid += len(loan.owed)
        loan.owed.clear()

    def _pay(self, today: Today, loan: Loan, payment: Payment, *, to_guarantor: bool) -> None:
        amount = payment.total_minor
        today.fund(loan.borrower, amount, hours.EVENING_MONEY, _STEP_MINOR)
        by = self._mandates.use(today, loan.borrower, MandateScope.AUTO_REPAY, amount)
        when = today.time(hours.REPAY_FREEZES)
        freeze = today.move(TxnType.REPAY_FREEZE, amount, when, payer=loan.borrower, loan_id=loan.loan_id, **by).request_no
        request_no, when = today.next_request_no(), today.time(hours.REPAYMENTS)
        parts = {"payer": loan.borrower, "loan_id": loan.loan_id, "related_request_no": freeze}
        if to_guarantor:
            self._back_to_guarantor(today, loan, payment, when, {"request_no": request_no, **parts})
            return
        for leg, (claim, share) in enumerate(split(payment, loan.lenders_claims), start=1):
            today.move(
                TxnType.REPAYMENT,
                share.total_minor,
                when,
                request_no=request_no,
                leg=leg,
                payee=claim.holder,
                **share.as_parts(),
                **parts,
            )
            claim.take(share.principal_minor, ClaimState.REPAID)
        loan.drop_empty_claims()

    @staticmethod
    def _back_to_guarantor(today: Today, loan: Loan, payment: Payment, when: datetime, parts: dict[str, Any]) -> None:
        """What he holds of the loan sinks by the principal, in order of claim ids."""
        guarantor, left = guarantor_of(loan), payment.principal_minor
        today.move(TxnType.COMPENSATION_REPAYMENT, payment.total_minor, when, payee=guarantor, **payment.as_parts(), **parts)
        for claim in loan.claims:
            if claim.holder == guarantor:
                taken = min(left, claim.principal_minor)
                left -= taken
                claim.take(taken, ClaimState.REPAID)
        if left:
            raise WorldError(f"loan {loan.loan_id}: its guarantor is paid {left} more than he holds")
        loan.drop_empty_claims()
