"""The table of payments on a loan: what each further day adds, corrects, or cannot judge."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from custody.begun_requests import BegunState
from custody.calendar import CHINA
from custody.ports import Row
from custody.repayment import USUAL_ORDER
from jobs.reconcile.breaks import Breaks, still_open
from jobs.reconcile.repayments import tell_loan

# As tests/unit/test_repayment.py: 400.00 each month with 12.00, 8.00, 4.00; 412.00 x 0.0005 is 0.206 of penalty a day.
START, FEB, MAR, APR = (date(2020, month, 15) for month in (1, 2, 3, 4))
LOAN: Row = {
    "platform": "P1", "loan_id": "L1", "funded_minor": 120_000, "annual_rate": "0.12", "periods": 3, "every": "month",
    "method": "equal_principal", "day_count": "30/360", "disbursed_on": START, "penalty_rate": "0.0005", "state": "REPAYING",
}  # fmt: skip


def paid(on: date, principal: int, interest: int, penalty: int = 0, **other: Any) -> Row:
    amount = principal + interest + penalty
    return {
        "platform": "P1", "loan_id": "L1", "request_no": f"R{on:%m%d}", "txn_type": "REPAYMENT", "paid_on": on,
        "paid_at": datetime(on.year, on.month, on.day, 18, tzinfo=CHINA), "legs": 1, "amount_minor": amount,
        "principal_minor": principal, "interest_minor": interest, "penalty_minor": penalty, "waiting": 0, "refused": False,
    } | other  # fmt: skip


class Loan:
    """A loan over days: each adds payments, and the snapshot follows what was posted."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def day(self, today: date, *new: Row, **snapshot: Any) -> dict[str, str]:
        """Verdicts by request."""
        repaid = [r for r in (*self.rows, *new) if r["txn_type"] != "COMPENSATION"]
        loan = LOAN | {f"{part}_repaid_minor": sum(r[f"{part}_minor"] for r in repaid) for part in ("principal", "interest")}
        self.rows = tell_loan(today, USUAL_ORDER, loan | snapshot, self.rows, new)
        return {row["request_no"]: row["verdict"] for row in self.rows}

    def told_on(self, request: str) -> date:
        return next(row["told_on"] for row in self.rows if row["request_no"] == request)


def test_payments_are_told_as_they_come_and_keep_the_day_of_their_word() -> None:
    loan = Loan()
    assert loan.day(FEB, paid(FEB, 40_000, 1_200)) == {"R0215": "AGREES"}
    assert loan.day(MAR, paid(MAR, 40_800, 0)) == {"R0215": "AGREES", "R0315": "DIFFERS"}
    assert (loan.told_on("R0215"), loan.told_on("R0315")) == (FEB, MAR)
    row = loan.rows[1]
    assert (row["our_principal_minor"], row["our_interest_minor"]) == (40_000, 800)
    # It is not found a second time when the next is paid, which by our parts is short by what the platform has called principal.
    assert loan.day(APR, paid(APR, 39_200, 400))["R0415"] == "AGREES"
    assert loan.told_on("R0315") == MAR


def test_a_payment_that_is_posted_late_takes_its_place_and_the_later_one_is_told_anew() -> None:
    loan = Loan()
    # The second instalment's payment alone looks like the first's, with ten cents too little interest.
    assert loan.day(MAR, paid(MAR, 40_000, 800)) == {"R0315": "DIFFERS"}
    later = MAR + timedelta(days=1)
    assert loan.day(later, paid(FEB, 40_000, 1_200)) == {"R0215": "AGREES", "R0315": "AGREES"}
    assert loan.told_on("R0315") == later


@pytest.mark.parametrize("waits_for", [1, 2])
def test_a_request_is_judged_when_its_last_leg_is_posted(waits_for: int) -> None:
    loan = Loan()
    assert loan.day(FEB, paid(FEB, 30_000, 900, waiting=waits_for)) == {"R0215": "OPEN"}
    # Nor is what is paid after it, since what it covered is not known.
    ahead = FEB + timedelta(days=1)
    assert loan.day(ahead, paid(ahead, 1, 1), paid(FEB, 0, 0, legs=0, waiting=1))["R0216"] == "OPEN"
    loan = Loan()
    loan.day(FEB, paid(FEB, 30_000, 900, waiting=1))
    last = paid(FEB, 10_000, 300, paid_at=datetime(2020, 2, 16, 9, tzinfo=CHINA))
    assert loan.day(ahead, last) == {"R0215": "AGREES"}
    assert (loan.rows[0]["legs"], loan.rows[0]["amount_minor"], loan.rows[0]["paid_on"]) == (2, 41_200, FEB)


def test_a_request_of_which_a_leg_was_refused_is_not_judged_and_what_follows_is() -> None:
    loan = Loan()
    assert loan.day(FEB, paid(FEB, 30_000, 900, refused=True)) == {"R0215": "REFUSED_LEG"}
    # Of the first instalment 103.00 of principal are left (12.00 of interest went first), which cost 103.00 x 0.0005 x 29 = 1.49.
    then = loan.day(MAR, paid(MAR, 10_300 + 40_000, 800, 149))
    assert then == {"R0215": "REFUSED_LEG", "R0315": "AGREES"}
    # A leg that is sent again later with another content and refused changes nothing of a payment that was judged.
    loan = Loan()
    loan.day(FEB, paid(FEB, 41_200, 0))
    assert loan.day(MAR, paid(FEB, 0, 0, legs=0, refused=True)) == {"R0215": "DIFFERS"}


def test_a_loan_whose_payments_are_not_all_here_is_not_judged() -> None:
    loan = Loan()
    unknown = {"principal_repaid_minor": 80_000, "interest_repaid_minor": 2_000}
    assert loan.day(MAR, paid(MAR, 40_000, 800), **unknown) == {"R0315": "NO_HISTORY"}
    assert Loan().day(FEB, paid(FEB, 40_000, 1_200), disbursed_on=None) == {"R0215": "NO_HISTORY"}
    # What was judged while the history was whole stays.
    loan = Loan()
    loan.day(FEB, paid(FEB, 41_200, 0))
    assert loan.day(MAR, paid(MAR, 40_000, 800), **unknown) == {"R0215": "DIFFERS", "R0315": "NO_HISTORY"}
    assert loan.told_on("R0215") == FEB


def test_what_a_compensator_is_repaid_is_not_judged_and_what_he_paid_is() -> None:
    loan = Loan()
    late = FEB + timedelta(days=1)
    assert loan.day(late, paid(late, 40_000, 1_200, 21, txn_type="COMPENSATION")) == {"R0216": "AGREES"}
    back = paid(MAR, 40_000, 1_200, 21, txn_type="COMPENSATION_REPAYMENT", request_no="BACK")
    assert loan.day(MAR, back, paid(MAR, 40_000, 800)) == {"R0216": "AGREES", "BACK": "COMPENSATOR", "R0315": "AGREES"}


def test_a_request_whose_legs_come_by_and_by_is_judged_once_it_is_whole_or_nothing_more_can_come() -> None:
    first = paid(FEB, 30_000, 900)
    said = [
        tell_loan(
            FEB,
            USUAL_ORDER,
            LOAN | {"principal_repaid_minor": 30_000, "interest_repaid_minor": 900},
            [],
            [first],
            {"R0215": state},
        )
        for state in BegunState
    ]
    assert {state: rows[0]["verdict"] for state, rows in zip(BegunState, said, strict=True)} == {
        BegunState.OPEN: "OPEN",
        BegunState.WHOLE: "DIFFERS",  # 12.00 of interest were due
        BegunState.REJECTED: "REFUSED_LEG",
    }


@pytest.mark.parametrize("subject", ["PARTS|L1|R1", "DISCLOSURE|2019-12-31|lenders"])
def test_a_difference_stays_until_something_else_is_said_of_it(subject: str) -> None:
    yesterday = Breaks(FEB)
    yesterday.add("P1", "B", subject, "ALLOCATION", 5, [{"side": "A", "row_ref": "x:1"}])
    for told, stays in ((frozenset(), True), (frozenset({("P1", subject)}), False), (frozenset({("P2", subject)}), True)):
        today = Breaks(MAR)
        still_open(yesterday.rows(), today, {}, frozenset(), told)
        assert [(row["subject"], row["as_of"]) for row in today.rows()] == ([(subject, MAR)] if stays else [])
