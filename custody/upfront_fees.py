"""No upfront deduction: what is taken from the borrower on the day of disbursal (domain.md §3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from custody.invariants import Row, Violation
from custody.names import BreakKind, TxnType

# Dated rule: the notice on "cash loans" (Interbank Notice on Regulating and Rectifying Cash Loans, 整治办函〔2017〕141号, of
# 2017-12-01, I.2 and II): no interest, commission, management fee or deposit is withheld from the principal.
VALID_FROM = date(2017, 12, 1)
# What takes money from a borrower, and the name under which it is kept.
TAKING = frozenset({TxnType.COMMISSION, TxnType.REPAYMENT})


def upfront_fees(posted: Iterable[Row], loans: Iterable[Row]) -> Iterator[Violation]:
    """UPFRONT_FEE: a COMMISSION by a borrower on the day on which his loan is disbursed, or principal or interest back the same
    day. ``posted``: posted legs, at least those of TAKING. A commission that names no loan is held against all of his."""
    disbursed: dict[tuple[str, str, date], set[str]] = {}
    for loan in loans:
        if loan["disbursed_on"] is not None:
            key = (loan["platform"], loan["borrower"], loan["disbursed_on"])
            disbursed.setdefault(key, set()).add(loan["loan_id"])
    for leg in posted:
        if leg["txn_type"] not in TAKING or leg["value_date"] < VALID_FROM:
            continue
        of_today = disbursed.get((leg["platform"], str(leg["from_account"]), leg["value_date"]), set())
        if leg["loan_id"] in of_today or (leg["loan_id"] is None and of_today):
            figures: dict[str, int | str] = {"loan": leg["loan_id"] or ",".join(sorted(of_today)), "txn_type": leg["txn_type"]}
            subject = f"POSTING|{leg['request_no']}|{leg['leg']}"
            yield Violation(BreakKind.UPFRONT_FEE, leg["platform"], "B", subject, leg["amount_minor"], figures, "upfront_fee")
