"""Guarantors who pay lenders for a borrower: one instalment, or the whole claim. Claims pass to them; the debt stays."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from custody.money import split_largest_remainder
from custody.names import TxnType
from simulator import hours
from simulator.loans import Claim, Habit, Loan, Owed, Payment, split
from simulator.movement import Holder
from simulator.states import ClaimState, WorldError
from simulator.today import Today


class Compensations:
    def __init__(self) -> None:
        self._due: dict[date, list[Loan]] = defaultdict(list)

    def plan(self, loan: Loan, day: date) -> None:
        self._due[day].append(loan)

    def run(self, today: Today) -> None:
        for loan in self._due.pop(today.day, []):
            if loan.habit is Habit.COMPENSATED_ONCE:
                self._once(today, loan, loan.owed[0])
            else:
                self._wholly(today, loan)

    def _once(self, today: Today, loan: Loan, owed: Owed) -> None:
        owed.penalty_minor = loan.penalty_on(owed, today.day)
        owed.to_guarantor = True
        payment = Payment(owed.principal_minor, owed.interest_minor, owed.penalty_minor)
        self._pay(today, loan, split(payment, loan.lenders_claims))

    def _wholly(self, today: Today, loan: Loan) -> None:
        """All principal, with interest and penalty of what is overdue: from now on the borrower owes it to the guarantor."""
        due, claims = loan.due_by(today.day), loan.lenders_claims
        for owed in loan.owed:
            owed.to_guarantor = True
        for owed in due:
            owed.penalty_minor = loan.penalty_on(owed, today.day)
        weights, keys = [claim.principal_minor for claim in claims], [claim.claim_id for claim in claims]
        interests = split_largest_remainder(sum(owed.interest_minor for owed in due), weights, keys)
        penalties = split_largest_remainder(sum(owed.penalty_minor for owed in due), weights, keys)
        self._pay(today, loan, [(c, Payment(*parts)) for c, *parts in zip(claims, weights, interests, penalties, strict=True)])

    def _pay(self, today: Today, loan: Loan, shares: list[tuple[Claim, Payment]]) -> None:
        guarantor = guarantor_of(loan)
        today.fund(guarantor, sum(share.total_minor for _, share in shares), hours.EVENING_MONEY)
        request_no, when = today.next_request_no(), today.time(hours.COMPENSATIONS)
        for leg, (claim, share) in enumerate(shares, start=1):
            today.move(
                TxnType.COMPENSATION,
                share.total_minor,
                when,
                request_no=request_no,
                leg=leg,
                payer=guarantor,
                payee=claim.holder,
                loan_id=loan.loan_id,
                **share.as_parts(),
                related_request_no=claim.claim_id,
            )
            claim.take(share.principal_minor, ClaimState.COMPENSATED)
        passed = sum(share.principal_minor for _, share in shares)
        loan.drop_empty_claims()
        loan.claims.append(Claim(request_no, guarantor, passed))


def guarantor_of(loan: Loan) -> Holder:
    if loan.guarantor is None:
        raise WorldError(f"loan {loan.loan_id} has no guarantor")
    return loan.guarantor
