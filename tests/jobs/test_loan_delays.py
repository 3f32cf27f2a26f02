"""Which loans are called on time or overdue against what our own books tell, on a date whose books are written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from connectors.lake import Lake, table_of
from connectors.lake_files import lake_files
from custody.calendar import CHINA, SettlementCalendar
from custody.ports import Row
from custody.repayment import USUAL_ORDER
from custody.services.outputs import Seal
from custody.steps import StepRef
from jobs.reconcile.day import Day
from jobs.reconcile.loan_delays import wrong_delays
from jobs.reconcile.repayments import tell_loan
from jobs.reference import Reference
from jobs.step import StepContext
from schemas.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

START, FEB, MAR, APR, MAY, AUG = (date(2020, month, 15) for month in (1, 2, 3, 4, 5, 8))
# 100.00 of principal each month, with 12.00 of interest in the first and 1.00 less in each that follows.
LOAN: Row = {
    "platform": "P1", "borrower": "P1.BORROWER.b", "amount_minor": 120_000, "currency": "CNY", "annual_rate": "0.12",
    "method": "equal_principal", "periods": 12, "every": "month", "day_count": "30/360", "minimum_minor": None,
    "penalty_rate": "0.0005", "guarantor": None, "payee": None, "purpose": "x", "state": "REPAYING", "disbursed_on": START,
    "funded_minor": 120_000,
}  # fmt: skip
Paid = tuple[date, int, int]
FIRST, SECOND = (FEB, 10_000, 1_200), (MAR, 10_000, 1_100)
# With the second instalment half of what is left: 50.00 a month and 5.00 of interest are due from the third on.
HALF = (MAR, 60_000, 1_100)


def told(loan_id: str, paid: Sequence[Paid], today: date) -> tuple[Row, list[Row]]:
    """Our snapshot of the loan, and its payments as reconciliation tells them."""
    loan = LOAN | {"loan_id": loan_id}
    loan |= {
        "principal_repaid_minor": sum(principal for _, principal, _ in paid),
        "interest_repaid_minor": sum(interest for _, _, interest in paid),
    }
    new = [
        {
            "platform": "P1", "loan_id": loan_id, "request_no": f"{loan_id}{on:%m%d}", "txn_type": "REPAYMENT", "paid_on": on,
            "paid_at": datetime(on.year, on.month, on.day, 18, tzinfo=CHINA), "legs": 1, "amount_minor": principal + interest,
            "principal_minor": principal, "interest_minor": interest, "penalty_minor": 0, "waiting": 0, "refused": False,
        }
        for on, principal, interest in paid
    ]  # fmt: skip
    return loan, tell_loan(today, USUAL_ORDER, loan, (), new)


def found(
    folder: Path, spark: SparkSession, today: date, said: dict[str, tuple[str, Sequence[Paid]]]
) -> list[tuple[str, str, Any]]:
    """(loan, state with us, overdue since) of the states that are wrong; ``said``: by loan what the file calls it and what was paid."""
    loans, payments = zip(*(told(loan_id, paid, today) for loan_id, (_, paid) in said.items()), strict=True)
    lake = Lake(lake_files("lake", folder))
    writer = lake.attempt(today, "post", "ab" * 32, 1)
    writer.table("loans", list(loans))
    seal = Seal(today, "post", 1, writer.finish().digest, lake.relative(today, "post", "ab" * 32, 1))
    wiring: Any = SimpleNamespace(lake=lake)
    lease: Any = None
    context = StepContext(wiring, today, {StepRef(today, "post"): seal}, lease)
    parties: dict[str, dict[str, Any]] = {"P1": {"kind": "PLATFORM", "status": "LIVE", "contract": {}}}
    reference = Reference(today, "B", 3, SettlementCalendar(), parties, {}, (), ())
    day = Day(context, reference, [], frozenset(), [], frozenset())
    landed = [("P1", today, loan_id, state) for loan_id, (state, _) in said.items()]
    shape = "party string, custody_date date, loan_id string, state string"
    spark.createDataFrame(landed, shape).createOrReplaceTempView("land_loan")
    repayments = table_of(TABLES["repayments"], [row for rows in payments for row in rows])
    return [(one.loan_id, one.ours, one.overdue_since) for one in wrong_delays(day, spark, repayments)]


def test_a_loan_is_called_on_time_or_overdue_as_its_lenders_wait(spark: SparkSession, tmp_path: Path) -> None:
    said: dict[str, tuple[str, Sequence[Paid]]] = {
        "hidden": ("REPAYING", [FIRST, SECOND]),
        "told": ("OVERDUE", [FIRST, SECOND]),
        "made_up": ("OVERDUE", [FIRST, SECOND, (APR, 10_000, 1_000)]),
        "never_paid": ("DISBURSED", []),
        "paid_ahead": ("REPAYING", [FIRST, (MAR, 20_000, 2_100)]),
    }
    wrong = found(tmp_path, spark, APR + timedelta(days=1), said)
    assert wrong == [("hidden", "OVERDUE", APR), ("made_up", "REPAYING", None), ("never_paid", "OVERDUE", FEB)]
    before_due = found(tmp_path / "early", spark, FEB, {"new": ("OVERDUE", []), "due_today": ("DISBURSED", [])})
    assert before_due == [("new", "DISBURSED", None)]


# By the schedule as agreed the 723.00 that were paid cover all that is due until July.
@pytest.mark.parametrize("due", [APR, MAY, AUG], ids=lambda due: f"{due:%b}")
def test_a_delay_after_an_early_part_of_the_principal_is_no_less_one(due: date, spark: SparkSession, tmp_path: Path) -> None:
    """On the date on which the next instalment is due as on the day after it."""
    months = [date(2020, month, 15) for month in range(4, due.month + 1)]
    kept = [FIRST, HALF, *((on, 5_000, 500 - 50 * number) for number, on in enumerate(months))]
    said: dict[str, tuple[str, Sequence[Paid]]] = {
        "hidden": ("REPAYING", [FIRST, HALF]),
        "kept": ("REPAYING", kept),
        "told": ("OVERDUE", [FIRST, HALF]),
    }
    next_day = due + timedelta(days=1)
    on_time, late = [("told", "REPAYING", None)], [("hidden", "OVERDUE", APR)]
    assert found(tmp_path / "due", spark, due, said) == (on_time if due == APR else late)
    assert found(tmp_path / "after", spark, next_day, said) == late
