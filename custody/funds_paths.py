"""The path of a loan's money, lot by lot (domain.md §1, module 5): where a disbursal went, hop by hop, and where it still lies.

**The attribution rule is first in, first out.** An account is one queue: what it had before the disbursal goes out first, then the
loan's money, then what came later; freezing sets nothing aside. A person's card is a queue too: what he withdraws enters it, what he
recharges under whatever role leaves it first. His other money is not known, so a card holds no more than what was withdrawn to it:
what lies behind the last of a loan's money is forgotten at the day's end, and a loan's money is after ``CARD_DAYS``.

``trace`` says it in the plainest way, a move at a time; jobs.reconcile.funds_queues computes the same for whole days, and a property
test holds the two together.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from custody.names import TxnType

# A path is followed so far; what goes on after that is counted as BEYOND.
MAX_HOPS = 12
# After so many days a card's money can no longer be told from its owner's other money.
CARD_DAYS = 30
# Where a path begins: the lenders, whose own money it was.
LENDERS = "LENDERS"


class Way(StrEnum):
    """What became of a loan's money on one leg of its path."""

    LENT = "LENT"
    PAID_ON = "PAID_ON"
    WITHDRAWN = "WITHDRAWN"
    CAME_BACK = "CAME_BACK"
    # The path ends with these.
    REPAID_OWN = "REPAID_OWN"
    REPAID_OTHER = "REPAID_OTHER"
    RELENT = "RELENT"
    CLAIM_BOUGHT = "CLAIM_BOUGHT"
    TO_PLATFORM = "TO_PLATFORM"
    ORDERED = "ORDERED"
    ELSEWHERE = "ELSEWHERE"
    SPENT = "SPENT"
    BEYOND = "BEYOND"


GOES_ON = frozenset({Way.PAID_ON, Way.WITHDRAWN, Way.CAME_BACK})
OF_ANOTHER = frozenset({Way.REPAID_OTHER, Way.RELENT, Way.CLAIM_BOUGHT})
# REPAID_OTHER is REPAID_OWN where a loan's own money repays it.
WAY_OF: dict[TxnType, Way] = {
    TxnType.ENTRUSTED_PAYMENT: Way.PAID_ON,
    TxnType.ADJUSTMENT: Way.PAID_ON,
    TxnType.WITHDRAW: Way.WITHDRAWN,
    TxnType.BACKROLL_RECHARGE: Way.WITHDRAWN,
    TxnType.RECHARGE: Way.CAME_BACK,
    TxnType.WITHDRAW_RETURN: Way.CAME_BACK,
    TxnType.TENDER_SETTLE: Way.RELENT,
    TxnType.CREDIT_ASSIGNMENT: Way.CLAIM_BOUGHT,
    TxnType.REPAYMENT: Way.REPAID_OTHER,
    TxnType.COMPENSATION: Way.REPAID_OTHER,
    TxnType.COMPENSATION_REPAYMENT: Way.REPAID_OTHER,
    TxnType.COMMISSION: Way.TO_PLATFORM,
    TxnType.REVERSAL: Way.TO_PLATFORM,
    TxnType.LEGAL_DEDUCT: Way.ORDERED,
}
# Money of these comes from the payer's card, or goes to it.
FROM_CARD = frozenset({TxnType.RECHARGE, TxnType.WITHDRAW_RETURN})
TO_CARD = frozenset({TxnType.WITHDRAW, TxnType.BACKROLL_RECHARGE})
# In the name of a card.
CARD_MARK = ".CARD."


class Move(NamedTuple):
    """A move of customers' money between two nodes: a sub-account, a card, or None for whatever is not followed."""

    entry_no: int
    move_no: int
    txn_type: str
    request_no: str
    loan_id: str | None
    amount_minor: int
    source: str | None
    target: str | None

    @property
    def lends(self) -> bool:
        """A coupon that comes to the lender in the entry that lends is his own money first."""
        return self.txn_type == TxnType.TENDER_SETTLE and self.source is not None


class Lot(NamedTuple):
    """A loan's money that lies on a node since a date. ``at_minor``: how much lies before it in the node's queue."""

    loan_id: str
    node: str
    hop: int
    since: date
    at_minor: int
    amount_minor: int

    @property
    def end_minor(self) -> int:
        return self.at_minor + self.amount_minor


class Leg(NamedTuple):
    """One leg of a loan's path: what one request took of it from one node. ``entry_no``: the first entry; 0 where none stands behind
    it. ``other_loan``: the loan that it repaid or that was lent anew, where that is another."""

    loan_id: str
    hop: int
    source: str
    entry_no: int
    way: Way
    request_no: str | None
    target: str | None
    other_loan: str | None
    amount_minor: int


class _Label(NamedTuple):
    loan_id: str
    hop: int
    since: date


Piece = tuple[int, "_Label | None"]


def card_of(platform: str, customer_id: str) -> str:
    """The node of whatever a person has outside, as far as one platform sees it."""
    return f"{platform}{CARD_MARK}{customer_id}"


def is_card(node: str) -> bool:
    return CARD_MARK in node


def way_of(txn_type: str, target: str | None, loan_id: str, move_loan: str | None) -> Way:
    """What a move is to a loan's money."""
    way = WAY_OF.get(TxnType(txn_type), Way.ELSEWHERE)
    if way in GOES_ON and target is None:
        return Way.ELSEWHERE
    return Way.REPAID_OWN if way is Way.REPAID_OTHER and move_loan == loan_id else way


def trace(moves: Iterable[Move], lots: Iterable[Lot], opening: Mapping[str, int], today: date) -> tuple[list[Leg], list[Lot]]:
    """A day's legs, and what lies where at its end. ``opening``: what each account held before; a card held what its lots say."""
    legs: list[Leg] = []
    queues = _queues(lots, opening, today, legs)
    for move in sorted(moves):
        taken: list[Piece] = [(move.amount_minor, None)]
        if move.source is not None:
            taken = _take(queues[move.source], move.amount_minor)
        _note(legs, move, taken)
        if move.target is not None:
            queues[move.target].extend(_arriving(move, taken, today))
    return _summed(legs), _lying(queues)


def _queues(lots: Iterable[Lot], opening: Mapping[str, int], today: date, legs: list[Leg]) -> dict[str, deque[Piece]]:
    by_node: dict[str, list[Lot]] = defaultdict(list)
    for lot in lots:
        by_node[lot.node].append(lot)
    queues: dict[str, deque[Piece]] = defaultdict(deque)
    for node in opening.keys() | by_node.keys():
        end = 0
        for lot in sorted(by_node[node], key=lambda one: one.at_minor):
            queues[node].append((lot.at_minor - end, None))
            label = _Label(lot.loan_id, lot.hop, lot.since)
            if is_card(node) and (today - lot.since).days > CARD_DAYS:
                legs.append(Leg(lot.loan_id, lot.hop, node, 0, Way.SPENT, None, None, None, lot.amount_minor))
                queues[node].append((lot.amount_minor, None))
            else:
                queues[node].append((lot.amount_minor, label))
            end = lot.end_minor
        queues[node].append((max(0, opening.get(node, 0) - end), None))
    return queues


def _take(queue: deque[Piece], amount: int) -> list[Piece]:
    """From the front; what the queue does not have is money that nobody knows."""
    taken: list[Piece] = []
    while amount and queue:
        have, label = queue.popleft()
        part = min(have, amount)
        if have > part:
            queue.appendleft((have - part, label))
        taken.append((part, label))
        amount -= part
    return [*taken, (amount, None)]


def _note(legs: list[Leg], move: Move, taken: list[Piece]) -> None:
    if move.loan_id and move.target and move.lends:
        lent = (Way.LENT, move.request_no, move.target, None, move.amount_minor)
        legs.append(Leg(move.loan_id, 0, LENDERS, move.entry_no, *lent))
    for amount, label in taken:
        if amount and label is not None:
            way = way_of(move.txn_type, move.target, label.loan_id, move.loan_id)
            goes_on = way in GOES_ON
            if goes_on and label.hop == MAX_HOPS:
                way = Way.BEYOND
            other = move.loan_id if way in OF_ANOTHER else None
            target = move.target if goes_on else None
            ended = (way, move.request_no, target, other, amount)
            legs.append(Leg(label.loan_id, label.hop, str(move.source), move.entry_no, *ended))


def _arriving(move: Move, taken: list[Piece], today: date) -> list[Piece]:
    if move.loan_id and move.lends:
        return [(move.amount_minor, _Label(move.loan_id, 1, today))]
    arriving: list[Piece] = []
    for amount, label in taken:
        goes_on = label is not None and way_of(move.txn_type, move.target, label.loan_id, move.loan_id) in GOES_ON
        on = _Label(label.loan_id, label.hop + 1, today) if label is not None and goes_on and label.hop < MAX_HOPS else None
        arriving.append((amount, on))
    return arriving


def _summed(legs: Iterable[Leg]) -> list[Leg]:
    sums: dict[Leg, int] = defaultdict(int)
    first: dict[Leg, int] = {}
    for leg in legs:
        of_request = leg._replace(entry_no=0, amount_minor=0)
        sums[of_request] += leg.amount_minor
        first.setdefault(of_request, leg.entry_no)
    summed = [leg._replace(entry_no=first[leg], amount_minor=amount) for leg, amount in sums.items()]
    return sorted(summed, key=lambda leg: (leg[:5], leg.request_no or ""))


def _lying(queues: Mapping[str, deque[Piece]]) -> list[Lot]:
    lots: list[Lot] = []
    for node, queue in queues.items():
        at = 0
        for amount, label in queue:
            if label is not None and amount:
                lot = Lot(label.loan_id, node, label.hop, label.since, at, amount)
                if lots and lots[-1]._replace(at_minor=at, amount_minor=amount) == lot and lots[-1].end_minor == at:
                    before = lots.pop()
                    lot = before._replace(amount_minor=before.amount_minor + amount)
                lots.append(lot)
            at += amount
    return sorted(lots)
