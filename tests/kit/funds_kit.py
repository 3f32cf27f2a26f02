"""Random days of money between a few accounts, as the journal has them and as custody.funds_paths sees them."""

from __future__ import annotations

from datetime import date
from typing import Any

from custody.funds_paths import FROM_CARD, TO_CARD, Move, card_of
from custody.names import TxnType

T = TxnType
DAY = date(2020, 1, 1)
OUTSIDE = "P1:CORE_CASH"
# A lender, two borrowers, a payee, a guarantor; two accounts are one person's.
PERSON = {"P1.LENDER.u1": "c1", "P1.BORROWER.b1": "c2", "P1.BORROWER.b2": "c1", "P1.PAYEE.y1": "c3", "P1.GUARANTOR.g1": "c4"}
ACCOUNTS = sorted(PERSON)
# What kinds of move there are between which accounts; None: outside.
KINDS = [
    (T.RECHARGE, None, "any"), (T.RECHARGE, None, "any"), (T.TENDER_SETTLE, "P1.LENDER.u1", "P1.BORROWER.b1"), (T.TENDER_SETTLE, "P1.LENDER.u1", "P1.BORROWER.b2"),
    (T.ENTRUSTED_PAYMENT, "any", "P1.PAYEE.y1"), (T.WITHDRAW, "any", None), (T.WITHDRAW, "any", None), (T.REPAYMENT, "any", "P1.LENDER.u1"),
    (T.COMMISSION, "any", "P1:P_INCOME"), (T.ADJUSTMENT, "any", "any"), (T.WITHDRAW_RETURN, None, "any"), (T.LEGAL_DEDUCT, "any", OUTSIDE),
    (T.CREDIT_ASSIGNMENT, "any", "any"), (T.MARKETING, "P1:P_MARKETING", "any"),
    (T.TENDER_SETTLE, "P1:P_MARKETING", "P1.LENDER.u1"),
]  # fmt: skip
# (kind, payer if any, payee if any, amount, loan)
Draft = tuple[int, int, int, int, str]


def journal_of(drafts: list[Draft], held: dict[str, int], day: int) -> list[dict[str, Any]]:
    """What the ledger lets through: no account falls below zero. ``held`` follows."""
    rows: list[dict[str, Any]] = []
    for number, (kind, first, second, amount, loan) in enumerate(drafts, start=1):
        txn_type, payer, payee = KINDS[kind]
        payer = ACCOUNTS[first] if payer == "any" else payer
        payee = ACCOUNTS[second] if payee == "any" else payee
        if payer in held:
            amount = min(amount, held[payer])
        if amount == 0 or payer == payee:
            continue
        for account, change in ((payer, -amount), (payee, amount)):
            if account in held:
                held[account] += change
        rows.append(
            {
                "platform": "P1", "book": "CUSTODY", "entry_no": day * 1000 + number, "move_no": 1, "txn_type": str(txn_type),
                # Now and then two entries are one request's.
                "request_no": f"R{day}-{number // 2}", "loan_id": None if txn_type is T.RECHARGE else loan, "amount_minor": amount,
                "from_account": _part(payer), "to_account": _part(payee),
            }
        )  # fmt: skip
    return rows


def _part(account: str | None) -> str:
    return OUTSIDE if account is None else f"{account}:available" if account in PERSON else account


def move_of(row: dict[str, Any]) -> Move:
    payer, payee = (row[name].partition(":")[0] for name in ("from_account", "to_account"))
    source, target = (account if account in PERSON else None for account in (payer, payee))
    if row["txn_type"] in FROM_CARD and target:
        source = source or card_of("P1", PERSON[target])
    if row["txn_type"] in TO_CARD and source:
        target = target or card_of("P1", PERSON[source])
    numbers = row["entry_no"], row["move_no"]
    return Move(*numbers, row["txn_type"], row["request_no"], row["loan_id"], row["amount_minor"], source, target)
