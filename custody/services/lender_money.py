"""A lender's, or a compensator's, money through his loans, to the fen: what he gave, what came back, what he still holds.

Cash is told from the journal of his own account, shares from the claim register; for a loan that is named, each posting is told from
the loan's transactions besides, and the two must agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from custody.errors import UsageError
from custody.loan_history import ClaimEvent, LoanHistory, Tender
from custody.names import BreakKind, Role, TxnType, role_of
from custody.ports import LedgerReader, Row
from custody.services.loans import Check, history_of
from custody.services.statements import AVAILABLE, FROZEN, readable


@dataclass
class LoanMoney:
    """One loan. ``lent_minor`` is his own money, ``coupon_minor`` what the platform's coupon added; ``bought_minor`` and
    ``sold_minor`` are prices, ``compensated_minor`` what a guarantor paid him, ``advanced_minor`` what he paid as one himself;
    ``frozen_minor`` is tendered and not yet lent. ``claims_minor`` is the principal that he still holds."""

    loan_id: str
    tendered_minor: int = 0
    released_minor: int = 0
    frozen_minor: int = 0
    lent_minor: int = 0
    coupon_minor: int = 0
    bought_minor: int = 0
    sold_minor: int = 0
    repaid_minor: int = 0
    compensated_minor: int = 0
    advanced_minor: int = 0
    other_minor: int = 0
    original_minor: int = 0
    claims_minor: int = 0

    @property
    def out_minor(self) -> int:
        return self.lent_minor + self.bought_minor + self.advanced_minor

    @property
    def in_minor(self) -> int:
        return self.repaid_minor + self.compensated_minor + self.sold_minor


@dataclass(frozen=True)
class Step:
    """One posting of a claim of his; ``claim_id`` is the tender's number, the purchase's or the compensation's."""

    claim_id: str
    event: ClaimEvent


@dataclass(frozen=True)
class LoanDetail:
    """One named loan, posting by posting."""

    tenders: tuple[Tender, ...]
    steps: tuple[Step, ...]
    principal_back_minor: int
    interest_minor: int
    penalty_minor: int
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        return all(check.agree for check in self.checks)


@dataclass(frozen=True)
class HolderMoney:
    """``detail`` is there for a loan that was named."""

    holder: str
    up_to: date
    loans: tuple[LoanMoney, ...]
    detail: LoanDetail | None = field(default=None)


def money_of(reader: LedgerReader, holder: str, loan_id: str | None = None) -> HolderMoney:
    """All loans of a lender or guarantor by id, or the one named. Raises UsageError for an account or a loan that is not there."""
    up_to = readable(reader)
    account = reader.sub_account(holder)
    if account is None:
        raise UsageError(f"no sub-account {holder!r}; its form is PLATFORM.ROLE.USER_NO")
    if role_of(holder) not in (Role.LENDER, Role.GUARANTOR):
        raise UsageError(f"{holder} lends nothing; a borrower's loan is: custody loan show")
    found: dict[str, LoanMoney] = {}
    moves = [m for m in reader.movements(holder, account["opened_on"], up_to) if m["loan_id"] and loan_id in (None, m["loan_id"])]
    for move in moves:
        _add(found.setdefault(move["loan_id"], LoanMoney(move["loan_id"])), move)
    claims = [c for c in reader.claims_of_holder(holder) if loan_id in (None, c["loan_id"])]
    for claim in claims:
        money = found.setdefault(claim["loan_id"], LoanMoney(claim["loan_id"]))
        money.original_minor += claim["original_minor"]
        money.claims_minor += claim["principal_minor"]
    if loan_id is None:
        return HolderMoney(holder, up_to, tuple(found[name] for name in sorted(found)))
    # Which of several claims a repayment's leg was for is told only by the split over all lenders.
    own = _own_legs(reader, account["platform"], moves) if len(claims) < 2 else None
    history, _ = history_of(reader, account["platform"], loan_id, own)
    money = found.get(loan_id, LoanMoney(loan_id))
    return HolderMoney(holder, up_to, (money,), _detail(history, holder, money))


def _own_legs(reader: LedgerReader, platform: str, moves: Iterable[Row]) -> list[Row]:
    """The transactions that the moves came from, in order of processing."""
    entries = {move["entry_no"]: (move["request_no"], move["leg"]) for move in moves}
    legs = (row for entry_no, named in entries.items() for row in reader.leg(platform, *named) if row["entry_no"] == entry_no)
    return sorted(legs, key=lambda row: int(row["txn_no"]))


def _add(money: LoanMoney, move: Row) -> None:
    """One move of one part of the account."""
    kind, part, amount = move["txn_type"], move["part"], move["amount_minor"]
    if kind == TxnType.TENDER_FREEZE:
        if part == FROZEN:
            money.tendered_minor += amount
            money.frozen_minor += amount
    elif kind == TxnType.TENDER_CANCEL:
        if part == FROZEN:
            money.released_minor -= amount
            money.frozen_minor += amount
    elif kind == TxnType.TENDER_SETTLE:
        if part == FROZEN:
            money.lent_minor -= amount
            money.frozen_minor += amount
        elif amount > 0:
            # In and out again with the same entry: the coupon is his own for no longer than that.
            money.coupon_minor += amount
    elif kind == TxnType.CREDIT_ASSIGNMENT:
        money.bought_minor += max(-amount, 0)
        money.sold_minor += max(amount, 0)
    elif kind == TxnType.COMPENSATION:
        money.advanced_minor += max(-amount, 0)
        money.compensated_minor += max(amount, 0)
    elif kind in (TxnType.REPAYMENT, TxnType.COMPENSATION_REPAYMENT) and part == AVAILABLE:
        money.repaid_minor += amount
    else:
        money.other_minor += amount


def _detail(history: LoanHistory, holder: str, money: LoanMoney) -> LoanDetail:
    claims = [claim for claim in history.claims.values() if claim.holder == holder]
    steps = sorted(
        (Step(claim.claim_id, event) for claim in claims for event in claim.events),
        # A claim's events are in the order of their posting, and stay so.
        key=lambda s: (s.event.on, s.claim_id),
    )
    cash: dict[str, int] = defaultdict(int)
    for step in steps:
        cash[step.event.txn_type] += step.event.paid_minor
    got = [s.event for s in steps if s.event.principal_minor <= 0]
    back = cash[TxnType.REPAYMENT] + cash[TxnType.COMPENSATION_REPAYMENT]
    tenders = tuple(t for t in history.tenders.values() if t.lender == holder)
    checks = (
        Check(BreakKind.INV_05, ("repaid: journal = transactions", "还款：日记账 = 交易"), money.repaid_minor, back),
        Check(
            BreakKind.INV_05,
            ("compensated, less advanced: journal = transactions", "代偿：日记账 = 交易"),
            money.compensated_minor - money.advanced_minor,
            cash[TxnType.COMPENSATION],
        ),
        Check(
            BreakKind.INV_06,
            ("sold, less bought: journal = transactions", "转让：日记账 = 交易"),
            money.sold_minor - money.bought_minor,
            cash[TxnType.CREDIT_ASSIGNMENT],
        ),
        Check(
            BreakKind.INV_04,
            ("lent: journal = transactions", "出借：日记账 = 交易"),
            money.lent_minor,
            -cash[TxnType.TENDER_SETTLE],
        ),
        Check(
            BreakKind.INV_06,
            ("share: register = transactions", "份额：台账 = 交易"),
            money.claims_minor,
            sum(claim.principal_minor for claim in claims),
        ),
    )
    return LoanDetail(
        tenders, tuple(steps), -_sum(got, "principal_minor"), _sum(got, "interest_minor"), _sum(got, "penalty_minor"), checks
    )


def _sum(events: Iterable[ClaimEvent], name: str) -> int:
    return sum(getattr(event, name) for event in events)
