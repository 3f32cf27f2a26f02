"""A day made by hand on which something of each sort is found: a limit, a shared number, a lie, a large value."""

from __future__ import annotations

from datetime import date, timedelta

from hand_made import Day

from custody.names import TxnType
from custody.steps import STEPS

FIRST = date(2019, 12, 30)
SECOND = FIRST + timedelta(days=1)
UNTIL = STEPS[: STEPS.index("compliance") + 1]
YUAN = 100
BANK, BORROWER = ("LENDER", "U1"), ("BORROWER", "B1")
TERMS = {
    "amount_minor": 300_000 * YUAN, "annual_rate": "0.1", "method": "bullet", "periods": 1, "every": "month", "day_count": "30/360",
    "purpose": "trade",
}  # fmt: skip


def first_day() -> Day:
    """Three persons with one phone borrow; the first asks for more than a person may, the second's loan is called full without a bid.
    A lender brings 600,000 on the first day."""
    day = Day(FIRST)
    day.opens(*BANK, 1)
    for number in (1, 2, 3):
        day.opens("BORROWER", f"B{number}", 100 + number)
        day.rows["CUSTOMER"][-1]["phone"] = "13800000000"
    day.loan(loan_id="L1", borrower_user_no="B1", raised_minor=0, state="BIDDING", **TERMS)
    day.loan(
        loan_id="L2",
        borrower_user_no="B2",
        raised_minor=100_000 * YUAN,
        state="FULL",
        **(TERMS | {"amount_minor": 100_000 * YUAN}),
    )
    for number in (1, 2):
        day.sends(TxnType.RECHARGE, f"R{number}", 300_000 * YUAN, payee=BANK)
    return day
