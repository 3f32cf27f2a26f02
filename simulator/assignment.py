"""Lenders who sell what they hold of a loan, or a part of it, to another lender. The sum of shares stays."""

from __future__ import annotations

from datetime import datetime

from custody.names import MandateScope, TxnType
from simulator import hours
from simulator.loans import Claim, Loan
from simulator.mandates import Mandates
from simulator.movement import P_INCOME, YUAN, Holder
from simulator.states import ClaimState
from simulator.today import Today

_LENDERS_A_SALE = 100
_TRIES = 8
_LEAST_MINOR = 200 * YUAN
_PRICES_PER_CENT = (97, 98, 99, 100, 100, 101)
_FEE_PER_MILLE = 2


class Assignments:
    def __init__(self, mandates: Mandates) -> None:
        self._mandates = mandates
        self._running: list[Loan] = []
        self._sales = 0

    def run(self, today: Today, disbursed: list[Loan]) -> None:
        """``disbursed``: today's, of which shares may be sold from tomorrow on."""
        lenders = today.people.lenders
        sales = 1 + len(lenders) // _LENDERS_A_SALE + (today.index == 1) if len(lenders) > 1 else 0
        # One after the other: what is bought in one sale may be sold in the next.
        for when in sorted(today.time(hours.ASSIGNMENTS) for _ in range(sales)):
            found = self._find(today)
            if found is not None:
                self._sell(today, when, *found)
        self._running.extend(disbursed)

    def _find(self, today: Today) -> tuple[Loan, Claim] | None:
        for _ in range(_TRIES):
            if not self._running:
                return None
            k = today.below(0, len(self._running))
            loan = self._running[k]
            if not loan.owed:
                self._running[k] = self._running[-1]
                self._running.pop()
            elif loan.is_healthy and loan.owed[0].due > today.day:
                claim = today.one_of(loan.claims)
                if claim.is_lenders and claim.principal_minor >= _LEAST_MINOR:
                    return loan, claim
        return None

    def _sell(self, today: Today, when: datetime, loan: Loan, claim: Claim) -> None:
        """By turns a part and the whole. The buyer pays a price near the principal; the seller pays the platform's fee."""
        seller, buyer = claim.holder, self._buyer(today, claim.holder)
        share = claim.principal_minor
        if self._sales % 2 == 0:
            share = share * today.below(20, 80) // 100
        self._sales += 1
        price = share * today.one_of(_PRICES_PER_CENT) // 100
        today.fund(buyer, price, hours.EVENING_MONEY)
        move = today.move(
            TxnType.CREDIT_ASSIGNMENT,
            price,
            when,
            payer=buyer,
            payee=seller,
            loan_id=loan.loan_id,
            principal_minor=share,
            related_request_no=claim.claim_id,
            **self._mandates.use(today, buyer, MandateScope.AUTO_ASSIGN, price),
        )
        claim.take(share, ClaimState.SOLD)
        loan.drop_empty_claims()
        loan.claims.append(Claim(move.request_no, buyer, share))
        fee, when = max(1, price * _FEE_PER_MILLE // 1000), today.time(hours.ASSIGNMENT_FEES)
        today.move(TxnType.COMMISSION, fee, when, payer=seller, payee=P_INCOME, loan_id=loan.loan_id)

    def _buyer(self, today: Today, seller: Holder) -> Holder:
        """Every third buys by his mandate, if anybody has one."""
        able = self._mandates.holders(MandateScope.AUTO_ASSIGN)
        lenders = able if self._sales % 3 == 1 and able and able != [seller] else today.people.lenders
        while (buyer := today.one_of(lenders)) == seller:
            pass
        return buyer
