"""What became of a loan's tenders and claims, told again from its transactions in the order of their posting.

The claim register itself (custody.claims) is led through them once more, so that a history cannot follow other rules than the
postings did; what comes out at the end is compared with what the store keeps (custody.services.loans).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import Any, NamedTuple

from custody.allocation import Share, share_of_each
from custody.claims import ClaimRegister
from custody.instruction import Entry, Instruction
from custody.ledger_state import Claim, LedgerState, Loan
from custody.names import LoanState, Originator, TxnStatus, TxnType

Row = Mapping[str, Any]
POSTED = "POSTED"


@dataclass
class Tender:
    """A lender's bid; ``amount_minor`` with the platform's coupon. What is neither settled nor cancelled is still frozen."""

    request_no: str
    lender: str
    on: date
    amount_minor: int
    coupon_minor: int
    originator: str
    authorisation_id: str
    settled_minor: int = 0
    cancelled_minor: int = 0
    ended_on: date | None = None
    ended_by: str | None = None

    @property
    def frozen_minor(self) -> int:
        return self.amount_minor - self.settled_minor - self.cancelled_minor

    @property
    def state(self) -> str:
        """FROZEN while any of it is; SETTLED when any of it was lent, else CANCELLED."""
        if self.frozen_minor:
            return "FROZEN"
        return "SETTLED" if self.settled_minor else "CANCELLED"


class ClaimEvent(NamedTuple):
    """What one posting did to a claim. ``principal_minor``: by how much its principal rose or fell; ``paid_minor``: the cash that its
    holder got for it (below zero: gave), of which ``interest_minor`` and ``penalty_minor``."""

    on: date
    txn_type: str
    request_no: str
    leg: int
    principal_minor: int
    interest_minor: int
    penalty_minor: int
    paid_minor: int
    left_minor: int
    counterparty: str


@dataclass
class ClaimLife:
    """One claim: ``came_from`` are the claims that it was cut from by an assignment or a compensation, none for a tender's own."""

    claim_id: str
    holder: str
    came_from: list[str] = field(default_factory=list)
    original_minor: int = 0
    principal_minor: int = 0
    events: list[ClaimEvent] = field(default_factory=list)

    @property
    def since(self) -> date:
        return self.events[0].on

    @property
    def until(self) -> date | None:
        """The day on which nothing was left of it."""
        return None if self.principal_minor else self.events[-1].on


@dataclass(frozen=True)
class Payment:
    """A repayment, a compensation or what a compensator was repaid: all its legs. ``frozen_by``: the hold that it took."""

    on: date
    txn_type: str
    request_no: str
    payer: str
    creditors: int
    principal_minor: int
    interest_minor: int
    penalty_minor: int
    amount_minor: int
    frozen_by: str | None

    @property
    def reduces_debt(self) -> bool:
        """A compensation moves claims, it never reduces the debt (domain.md §4.5)."""
        return self.txn_type != TxnType.COMPENSATION


@dataclass(frozen=True)
class Assignment:
    on: date
    request_no: str
    seller: str
    buyer: str
    claim_id: str
    principal_minor: int
    price_minor: int


@dataclass(frozen=True)
class Transfer:
    """Money that left the loan's borrower otherwise: to the payee by his authority, or as a fee in its own row."""

    on: date
    txn_type: str
    request_no: str
    from_account: str
    to_account: str
    amount_minor: int


@dataclass(frozen=True)
class NotPosted:
    """An attempt that moved nothing, and that no later one made good."""

    on: date
    txn_type: str
    request_no: str
    leg: int
    status: str
    outcome: str
    amount_minor: int
    file_name: str
    line_no: int


_PAYMENTS = frozenset({TxnType.REPAYMENT, TxnType.COMPENSATION, TxnType.COMPENSATION_REPAYMENT})
_PASSING = frozenset({TxnType.COMPENSATION, TxnType.CREDIT_ASSIGNMENT})
_REPAYING = frozenset({TxnType.REPAYMENT, TxnType.COMPENSATION_REPAYMENT})
_TRANSFERS = frozenset({TxnType.ENTRUSTED_PAYMENT, TxnType.COMMISSION})


class LoanHistory:
    """``loan``: the row that the store keeps, for its terms. ``transactions``: every attempt that names it, in order of processing; or
    those of one holder, and then only what is his is told truly: his tenders, his claims."""

    def __init__(self, loan: Row, transactions: Iterable[Row]) -> None:
        start = Loan(**{name: loan[name] for name in Loan._fields})._replace(
            state=LoanState.BIDDING,
            disbursed_on=None,
            funded_minor=0,
            principal_repaid_minor=0,
            interest_repaid_minor=0,
        )
        self._state = LedgerState(loans={(start.platform, start.loan_id): start})
        self._register = ClaimRegister(self._state)
        self._key = (start.platform, start.loan_id)
        self.tenders: dict[str, Tender] = {}
        self.claims: dict[str, ClaimLife] = {}
        self.assignments: list[Assignment] = []
        self.transfers: list[Transfer] = []
        self.not_posted: list[NotPosted] = []
        self.transactions = 0
        self._of_holder: dict[str, list[str]] = defaultdict(list)
        self._payments: dict[tuple[str, date], list[Instruction]] = {}
        # Of a repayment request: the claims before its first leg, and our shares as each day's posting knew its legs.
        self._claims_before: dict[str, list[Claim]] = {}
        self._splits: dict[tuple[str, int], dict[int, Share | None]] = {}
        self._follow(list(transactions))

    @property
    def loan(self) -> Loan:
        """Terms, and what was funded and repaid, as the transactions make it."""
        return self._state.loans[self._key]

    @property
    def payments(self) -> list[Payment]:
        return [_payment(on, legs) for (_, on), legs in self._payments.items()]

    def _follow(self, rows: list[Row]) -> None:
        legs: dict[str, dict[int, tuple[int, Instruction]]] = defaultdict(dict)
        done = set()
        instructions = list(map(_instruction, rows))
        self.transactions = len(rows)
        for row, instruction in zip(rows, instructions, strict=True):
            if instruction.txn_type == TxnType.REPAYMENT and instruction.status == TxnStatus.SUCCESS:
                legs[instruction.request_no].setdefault(instruction.leg, (_day(row), instruction))
            if row["outcome"] == POSTED:
                done.add((instruction.request_no, instruction.leg))
        for row, instruction in zip(rows, instructions, strict=True):
            if row["outcome"] == POSTED:
                self._post(instruction, legs[instruction.request_no], _day(row))
            elif (row["request_no"], row["leg"]) not in done:
                named = ("txn_type", "request_no", "leg", "status", "outcome", "amount_minor", "file_name", "line_no")
                self.not_posted.append(NotPosted(on=row["value_date"], **{n: row[n] for n in named}))

    def _post(self, instruction: Instruction, legs: Mapping[int, tuple[int, Instruction]], day: int) -> None:
        kind, related = instruction.txn_type, str(instruction.related_request_no)
        if kind == TxnType.TENDER_FREEZE:
            self.tenders[instruction.request_no] = Tender(
                instruction.request_no,
                str(instruction.from_account),
                instruction.value_date,
                instruction.amount_minor,
                instruction.coupon_minor,
                str(instruction.originator),
                instruction.authorisation_id,
            )
        elif kind in (TxnType.TENDER_SETTLE, TxnType.TENDER_CANCEL) and related in self.tenders:
            tender = self.tenders[related]
            if kind == TxnType.TENDER_SETTLE:
                tender.settled_minor += instruction.amount_minor
            else:
                tender.cancelled_minor += instruction.amount_minor
            tender.ended_on, tender.ended_by = instruction.value_date, instruction.request_no
        elif kind in _PAYMENTS:
            self._payments.setdefault((instruction.request_no, instruction.value_date), []).append(instruction)
        elif kind in _TRANSFERS:
            accounts = (str(instruction.from_account), str(instruction.to_account))
            moved = (instruction.value_date, str(kind), instruction.request_no, *accounts, instruction.amount_minor)
            self.transfers.append(Transfer(*moved))
        elif kind == TxnType.CREDIT_ASSIGNMENT:
            self.assignments.append(
                Assignment(
                    instruction.value_date,
                    instruction.request_no,
                    str(instruction.to_account),
                    str(instruction.from_account),
                    related,
                    instruction.principal_minor,
                    instruction.amount_minor,
                )
            )
        self._change_claims(instruction, self._claim_of(instruction, legs, day))

    def _claim_of(self, instruction: Instruction, legs: Mapping[int, tuple[int, Instruction]], day: int) -> str | None:
        """The claim whose share a repayment's leg is, by the split that was made before its first leg, of the legs that had come."""
        if instruction.txn_type != TxnType.REPAYMENT:
            return None
        request = instruction.request_no
        if request not in self._claims_before:
            self._claims_before[request] = self._register.of_loan(*self._key)
        if (request, day) not in self._splits:
            known = [leg for came, leg in legs.values() if came <= day]
            self._splits[request, day] = share_of_each(self._claims_before[request], known)
        share = self._splits[request, day].get(instruction.leg)
        return share.claim_id if share else None

    def _change_claims(self, instruction: Instruction, claim_id: str | None) -> None:
        """Let the register do it, and tell what it did to each claim that it may touch."""
        if instruction.txn_type not in self._register.types:
            return
        names = self._touched(instruction, claim_id)
        if instruction.txn_type in _PASSING:
            self._know(instruction)
        before = {name: self._principal(name) for name in names}
        self._register.change(Entry(instruction, (), None), claim_id)
        changed = [name for name in names if self._principal(name) != before[name]]
        # What is paid beside principal belongs to the first: a repayment of interest alone changes no claim at all.
        for name in changed or names[:1]:
            self._tell(instruction, name, (self._principal(name) or 0) - (before[name] or 0), name == (changed or names)[0])

    def _know(self, instruction: Instruction) -> None:
        """The claim that passes, where it comes from somebody of whose transactions none were given."""
        key = (self._key[0], str(instruction.related_request_no))
        if key not in self._state.claims:
            self._state.claims[key] = Claim(
                *key,
                loan_id=self._key[1],
                holder=str(instruction.to_account),
                principal_minor=instruction.principal_minor,
                original_minor=instruction.principal_minor,
                currency=instruction.currency,
            )

    def _touched(self, instruction: Instruction, claim_id: str | None) -> list[str]:
        kind, related = instruction.txn_type, str(instruction.related_request_no)
        if kind == TxnType.TENDER_SETTLE:
            return [related]
        if kind in _PASSING:
            return [related, instruction.request_no]
        if kind in _REPAYING:
            held = self._of_holder[str(instruction.to_account)]
            if len(held) < 2:
                return held
            # As the register takes them: the named one first, then those of which something is left.
            return sorted(held, key=lambda name: (name != claim_id, not self._principal(name), name))
        return []

    def _tell(self, instruction: Instruction, claim_id: str, principal: int, first: bool) -> None:
        claim = self._state.claims.get((self._key[0], claim_id))
        if claim is None:
            return
        gives = claim.holder == instruction.from_account
        life = self.claims.get(claim_id)
        if life is None:
            life = self.claims[claim_id] = ClaimLife(claim_id, claim.holder)
            self._of_holder[claim.holder].append(claim_id)
        if instruction.txn_type in _PASSING and gives and instruction.related_request_no not in life.came_from:
            life.came_from.append(str(instruction.related_request_no))
        life.original_minor, life.principal_minor = claim.original_minor, claim.principal_minor
        beside = (instruction.interest_minor, instruction.penalty_minor) if first else (0, 0)
        if instruction.txn_type == TxnType.TENDER_SETTLE:
            paid = instruction.coupon_minor - instruction.amount_minor
        elif instruction.txn_type in _PASSING:
            paid = -instruction.amount_minor if gives else instruction.amount_minor
        else:
            paid = -principal + sum(beside)
        other = str(instruction.to_account if gives else instruction.from_account)
        event = (instruction.value_date, str(instruction.txn_type), instruction.request_no, instruction.leg, principal, *beside)
        life.events.append(ClaimEvent(*event, paid, claim.principal_minor, other))

    def _principal(self, claim_id: str) -> int | None:
        claim = self._state.claims.get((self._key[0], claim_id))
        return claim.principal_minor if claim else None


_READ: tuple[tuple[int, Mapping[str, Any]], ...] = tuple(
    (Instruction._fields.index(name), {str(member): member for member in kind})
    for name, kind in (("txn_type", TxnType), ("originator", Originator), ("status", TxnStatus))
)
_FIELDS = itemgetter(*Instruction._fields)


def _instruction(row: Row) -> Instruction:
    values = list(_FIELDS(row))
    for at, members in _READ:
        values[at] = members[values[at]]
    return Instruction._make(values)


def _payment(on: date, legs: list[Instruction]) -> Payment:
    first = legs[0]
    return Payment(
        on,
        str(first.txn_type),
        first.request_no,
        str(first.from_account),
        len({leg.to_account for leg in legs}),
        sum(leg.principal_minor for leg in legs),
        sum(leg.interest_minor for leg in legs),
        sum(leg.penalty_minor for leg in legs),
        sum(leg.amount_minor for leg in legs),
        first.related_request_no if first.txn_type != TxnType.COMPENSATION else None,
    )


def _day(row: Row) -> int:
    """The posting date of a transaction, as a number."""
    return int(row["txn_no"]) // 10**9
