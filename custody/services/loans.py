"""A loan's whole life, and one lender's money through it, to the fen, from the keyed store (domain.md §3, §4.4-§4.6).

The life is told from the loan's transactions and compared with what the ledger keeps of it: each sum is there twice, and whether
the two agree is part of the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from custody.errors import UsageError
from custody.loan_history import Assignment, ClaimLife, LoanHistory, NotPosted, Payment, Tender, Transfer
from custody.loan_schedule import InstalmentState, StateSince, instalments_of, states_of
from custody.names import BreakKind, LoanState, TxnType
from custody.ports import LedgerReader, Row
from custody.services.statements import readable


@dataclass(frozen=True)
class Check:
    """Two figures that must be one; ``words`` say which, in English and Chinese. ``unit``: "minor" or "count"."""

    rule: str
    words: tuple[str, str]
    left: int
    right: int
    unit: str = "minor"

    @property
    def agree(self) -> bool:
        return self.left == self.right

    @property
    def difference(self) -> int:
        return self.left - self.right


class Holding(NamedTuple):
    """Who held which share from when to when; ``until`` None: he still does."""

    claim_id: str
    holder: str
    principal_minor: int
    since: date
    until: date | None


@dataclass(frozen=True)
class Disbursal:
    """What the borrower was paid in gross, and what became of it by his authority."""

    on: date
    gross_minor: int
    coupon_minor: int
    tenders: int
    entrusted: tuple[Transfer, ...]


@dataclass(frozen=True)
class Outstanding:
    """What the borrower owes at the end of the last date. ``held_by_minor``: the principal by role of whoever holds the claims."""

    principal_minor: int
    overdue_minor: int
    overdue_since: date | None
    days_past_due: int
    penalty_accrued_minor: int
    penalty_paid_minor: int
    next_due: date | None
    next_due_minor: int
    held_by_minor: dict[str, int]


@dataclass(frozen=True)
class LoanLife:
    """``terms`` is the ledger's own row; ``up_to`` the last date that it speaks of."""

    platform: str
    loan_id: str
    up_to: date
    terms: Row
    state: str
    states: tuple[StateSince, ...]
    tenders: tuple[Tender, ...]
    disbursal: Disbursal | None
    claims: tuple[ClaimLife, ...]
    holdings: tuple[Holding, ...]
    payments: tuple[Payment, ...]
    assignments: tuple[Assignment, ...]
    fees: tuple[Transfer, ...]
    instalments: tuple[InstalmentState, ...]
    outstanding: Outstanding
    checks: tuple[Check, ...]
    not_posted: tuple[NotPosted, ...]
    transactions: int

    @property
    def agrees(self) -> bool:
        return all(check.agree for check in self.checks)


def loan_life(reader: LedgerReader, platform: str, loan_id: str) -> LoanLife:
    """Raises UsageError for a loan that the keyed store does not have."""
    up_to = readable(reader)
    history, row = history_of(reader, platform, loan_id)
    payments, tenders = tuple(history.payments), tuple(history.tenders.values())
    claims = tuple(history.claims[claim_id] for claim_id in sorted(history.claims))
    instalments = instalments_of(history.loan, payments, up_to)
    states = states_of(history.loan, tenders, payments, up_to)
    return LoanLife(
        platform,
        loan_id,
        up_to,
        row,
        states[-1].state if states else LoanState.BIDDING,
        tuple(states),
        tenders,
        _disbursal(history),
        claims,
        tuple(holdings_of(claims)),
        payments,
        tuple(history.assignments),
        tuple(t for t in history.transfers if t.txn_type == TxnType.COMMISSION),
        tuple(instalments),
        _outstanding(history, claims, payments, instalments, up_to),
        tuple(_checks(history, row, payments, reader.claims_of_loan(platform, loan_id))),
        tuple(history.not_posted),
        history.transactions,
    )


def history_of(
    reader: LedgerReader, platform: str, loan_id: str, of_holder: Iterable[Row] | None = None
) -> tuple[LoanHistory, Row]:
    """The loan's history, or what it was to one holder by his transactions alone; and the loan's row. Raises UsageError for a loan that
    is not there."""
    row = reader.loan(platform, loan_id)
    if row is None:
        raise UsageError(f"no loan {loan_id!r} of platform {platform!r} in the keyed store")
    history = LoanHistory(row, reader.loan_transactions(platform, loan_id) if of_holder is None else of_holder)
    for tender in history.tenders.values():
        if tender.frozen_minor and not any(hold["hold_id"] == tender.request_no for hold in reader.holds_of(tender.lender)):
            # A cancellation need not name the loan, so that it is not among the loan's transactions.
            tender.cancelled_minor = tender.amount_minor - tender.settled_minor
    return history, row


def holdings_of(claims: Iterable[ClaimLife]) -> list[Holding]:
    """By claim, then by time: the principal that its holder had, from each change of it to the next."""
    found: list[Holding] = []
    for claim in claims:
        # What stood at the end of a day counts: several changes of one day are one.
        stood = {event.on: event.left_minor for event in claim.events}
        days = sorted(stood)
        for day, following in zip(days, [*days[1:], None], strict=True):
            if stood[day] and not (found and found[-1].claim_id == claim.claim_id and _goes_on(found, stood[day], following)):
                found.append(Holding(claim.claim_id, claim.holder, stood[day], day, following))
    return found


def _goes_on(found: list[Holding], principal: int, until: date | None) -> bool:
    """A day that paid interest alone: the holding before it goes on."""
    last = found[-1]
    if last.principal_minor != principal:
        return False
    found[-1] = Holding(last.claim_id, last.holder, principal, last.since, until)
    return True


def _disbursal(history: LoanHistory) -> Disbursal | None:
    loan = history.loan
    if loan.disbursed_on is None:
        return None
    settled = [t for t in history.tenders.values() if t.settled_minor]
    entrusted = tuple(t for t in history.transfers if t.txn_type == TxnType.ENTRUSTED_PAYMENT)
    return Disbursal(loan.disbursed_on, loan.funded_minor, sum(t.coupon_minor for t in settled), len(settled), entrusted)


def _outstanding(
    history: LoanHistory,
    claims: Sequence[ClaimLife],
    payments: Sequence[Payment],
    instalments: Sequence[InstalmentState],
    up_to: date,
) -> Outstanding:
    loan = history.loan
    overdue = [i for i in instalments if i.overdue_minor]
    coming = next((i for i in instalments if i.owed_minor and i.due >= up_to), None)
    held: dict[str, int] = defaultdict(int)
    for claim in claims:
        if claim.principal_minor:
            held[claim.holder.split(".")[1]] += claim.principal_minor
    return Outstanding(
        loan.funded_minor - loan.principal_repaid_minor,
        sum(i.overdue_minor for i in overdue),
        overdue[0].due if overdue else None,
        overdue[0].days_past_due if overdue else 0,
        sum(i.penalty_minor for i in instalments),
        sum(p.penalty_minor for p in payments if p.reduces_debt),
        coming.due if coming else None,
        coming.owed_minor if coming else 0,
        dict(sorted(held.items())),
    )


def _checks(history: LoanHistory, row: Row, payments: Sequence[Payment], kept: Sequence[Row]) -> list[Check]:
    loan = history.loan
    tenders = history.tenders.values()
    live = sum(c.principal_minor for c in history.claims.values())
    debt = loan.funded_minor - loan.principal_repaid_minor
    checks = [
        Check(
            BreakKind.INV_04,
            ("gross paid out = settled tenders with coupons", "放款总额 = 已放款投标与红包"),
            row["funded_minor"],
            sum(t.settled_minor for t in tenders),
        ),
        Check(
            BreakKind.INV_04,
            ("paid out beyond the loan's amount", "放款超出标的金额"),
            max(loan.funded_minor - loan.amount_minor, 0),
            0,
        ),
        Check(
            BreakKind.INV_05,
            ("paid = principal, interest and penalty of its creditors", "还款额 = 各债权人本息与罚息之和"),
            sum(p.amount_minor for p in payments),
            sum(p.principal_minor + p.interest_minor + p.penalty_minor for p in payments),
        ),
        Check(BreakKind.INV_05, ("debt = claims", "借款余额 = 债权合计"), debt, live),
        Check(
            BreakKind.INV_05,
            ("debt of the register = debt of the transactions", "台账借款余额 = 交易推算余额"),
            row["funded_minor"] - row["principal_repaid_minor"],
            debt,
        ),
        Check(
            BreakKind.INV_06,
            ("claims of the register = claims of the transactions", "台账债权 = 交易推算债权"),
            sum(c["principal_minor"] for c in kept),
            live,
        ),
    ]
    ours = {c.claim_id: (c.holder, c.principal_minor, c.original_minor) for c in history.claims.values()}
    theirs = {c["claim_id"]: (c["holder"], c["principal_minor"], c["original_minor"]) for c in kept}
    apart = sum(ours.get(name) != theirs.get(name) for name in ours.keys() | theirs.keys())
    checks.append(
        Check(BreakKind.INV_06, ("claims whose holder or share differs", "持有人或份额不一致的债权数"), apart, 0, "count")
    )
    return checks
