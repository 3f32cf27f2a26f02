"""What a platform publishes of itself at a month's end, from its own life: its loans, what their borrowers owe, who lends.

Nothing is drawn at random, so that a world's platforms live the same whether they publish or not. The bank's way to these figures
(custody.disclosure) is not asked: two ways to one truth must agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction

from custody.calendar import SettlementCalendar, month_end
from custody.money import round_minor
from custody.names import TxnType
from simulator.customers import Customers
from simulator.loans import Loan
from simulator.movement import CURRENCY, Holder, Movement, Published, Row
from simulator.parties import related_party
from simulator.people import Person

# Within so many business days after the month's end it must be sent.
DUE_BUSINESS_DAYS = 5
SHARE_UNIT = 10_000
_LARGEST = 10
_LONG_OVERDUE_DAYS = 90
_BUYS_A_CLAIM = (TxnType.TENDER_SETTLE, TxnType.CREDIT_ASSIGNMENT)
_Paper = tuple[str, str]


class MonthlyFigures:
    """Call ``day`` at the end of each custody date in order. ``number``: the platform's; platforms send by turns on the first business
    days of a month."""

    def __init__(self, platform: str, number: int, people: Customers, calendar: SettlementCalendar) -> None:
        self._people, self._calendar = people, calendar
        self._sends_on = 1 + (number - 1) % DUE_BUSINESS_DAYS
        self._related = _paper(related_party(platform))
        self._lenders_ever: set[_Paper] = set()
        self._compensated_minor = 0
        self._compensations: set[str] = set()

    def day(self, day: date, moves: Iterable[Movement], loans: Iterable[Loan]) -> Published | None:
        """``loans``: all that ever were. None but on a month's last date."""
        for move in moves:
            if move.txn_type in _BUYS_A_CLAIM and move.payer is not None:
                self._lenders_ever.add(self._who(move.payer))
            elif move.txn_type is TxnType.COMPENSATION:
                self._compensated_minor += move.amount_minor
                self._compensations.add(move.request_no)
        if day != month_end(day):
            return None
        return self._published(day, [loan for loan in loans if loan.disbursed_on is not None])

    def _published(self, as_of: date, loans: Sequence[Loan]) -> Published:
        owing = [(self._who(loan.borrower), balance) for loan in loans if (balance := _balance(loan))]
        balance = sum(minor for _, minor in owing)
        by_borrower: Counter[_Paper] = Counter()
        for who, minor in owing:
            by_borrower[who] += minor
        largest = sorted(by_borrower.values(), reverse=True)
        related = [minor for who, minor in owing if who == self._related]
        overdue, long_overdue = (_missed(loans, as_of, days) for days in (0, _LONG_OVERDUE_DAYS))
        row: Row = {
            "as_of": as_of,
            "lent_minor": sum(loan.raised_minor for loan in loans),
            "loans": len(loans),
            "balance_minor": balance,
            "balance_loans": len(owing),
            "interest_balance_minor": sum(o.interest_minor for loan in loans for o in loan.owed if not o.to_guarantor),
            "lenders_ever": len(self._lenders_ever),
            "lenders": len({self._who(claim.holder) for loan in loans for claim in loan.lenders_claims}),
            "borrowers_ever": len({self._who(loan.borrower) for loan in loans}),
            "borrowers": len(by_borrower),
            "ten_largest_share": share(sum(largest[:_LARGEST]), balance),
            "largest_share": share(sum(largest[:1]), balance),
            "related_balance_minor": sum(related),
            "related_loans": len(related),
            "overdue_minor": sum(overdue),
            "overdue_loans": len(overdue),
            "overdue_90_minor": sum(long_overdue),
            "overdue_90_loans": len(long_overdue),
            "compensated_minor": self._compensated_minor,
            "compensations": len(self._compensations),
            "overdue_share": share(sum(overdue), balance),
            "overdue_loans_share": share(len(overdue), len(owing)),
            "currency": CURRENCY,
        }
        return Published(row, self._calendar.add_business_days(as_of, self._sends_on))

    def _who(self, holder: Holder) -> _Paper:
        """A person is counted once, however many accounts he has."""
        return _paper(self._people.person[holder])


def share(part: int, whole: int) -> str:
    """As a fraction of four decimals, half up; of nothing it is 0."""
    units = round_minor(Fraction(part * SHARE_UNIT, whole), "half_up") if whole else 0
    return f"{units // SHARE_UNIT}.{units % SHARE_UNIT:04d}"


def _balance(loan: Loan) -> int:
    """A guarantor who paid holds the claim instead of the lender: the borrower still owes it."""
    return sum(claim.principal_minor for claim in loan.claims)


def _missed(loans: Iterable[Loan], as_of: date, days: int) -> list[int]:
    """Of each loan that has any: what lenders should have got more than so many days ago and did not, penalty left out."""
    missed = (sum(o.overdue_minor for o in loan.owed if not o.to_guarantor and (as_of - o.due).days > days) for loan in loans)
    return [minor for minor in missed if minor]


def _paper(person: Person) -> _Paper:
    return person.id_type, person.id_no
