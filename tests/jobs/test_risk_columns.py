"""Loans assessed by columns, held to the plain rules loan by loan: the schedule, what is overdue, what comes, and the alerts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from custody.calendar import SettlementCalendar
from custody.cause_proofs import Rate
from custody.errors import UsageError
from custody.names import DayCount, RepaymentMethod
from custody.risk import LoanPosition, alerts_for, assess_loan
from jobs.risk.balances import fees_of
from jobs.risk.loans import COLUMNS, assess, terms_of
from jobs.risk.shortage import shortage

CALENDAR = SettlementCalendar()
_TEXT = ("platform", "loan_id", "borrower", "currency", "annual_rate", "method", "every", "day_count")
Loan = dict[str, Any]


def table(loans: list[Loan]) -> pa.Table:
    kinds = {name: pa.string() if name in _TEXT else pa.date32() if name == "disbursed_on" else pa.int64() for name in COLUMNS}
    return pa.table({name: pa.array([loan[name] for loan in loans], kind) for name, kind in kinds.items()})


def loan(number: int = 0, **said: Any) -> Loan:
    usual = {
        "platform": "P1", "loan_id": f"L{number:03d}", "borrower": f"P1.BORROWER.u{number % 3}", "currency": "CNY", "annual_rate": "0.12",
        "method": "interest_first", "periods": 3, "every": "month", "day_count": "30/360", "disbursed_on": date(2019, 11, 15),
        "funded_minor": 1_000_000, "principal_repaid_minor": 0, "interest_repaid_minor": 0,
    }  # fmt: skip
    return usual | said


def held_to_the_plain_rule(loans: list[Loan], as_of: date, last: date, available: int) -> None:
    found = assess(table(loans), as_of, last)
    order = sorted(loans, key=lambda one: (one["platform"], one["loan_id"]))
    positions = []
    for at, one in enumerate(order):
        repaid = one["principal_repaid_minor"], one["interest_repaid_minor"]
        risk = assess_loan(terms_of(one), *repaid, one["disbursed_on"], as_of)
        items = [item for item in risk.unpaid if item.due <= last]
        mine = found.positions(np.array([at]))[0].risk
        assert (mine, found.bucket[at].as_py()) == (type(risk)(**{**vars(risk), "unpaid": tuple(items)}), risk.bucket), one
        kept = found.item_loan == at
        told = zip(*(column[kept].tolist() for column in (found.item_number, found.item_due, found.item_owed)), strict=True)
        epoch = date(1970, 1, 1).toordinal()
        assert list(told) == [(item.number, item.due.toordinal() - epoch, item.owed_minor) for item in items]
        positions.append(LoanPosition(one["loan_id"], one["borrower"], risk))
    money = {one["borrower"]: available for one in loans}
    near = CALENDAR.add_business_days(as_of, 2)
    if near <= last:
        picked = dict(shortage(found, money, near).concerned())
        alerts = [a for p, of in picked.items() for a in alerts_for(p, of, money, CALENDAR, as_of, 2)]
        assert alerts == alerts_for("P1", positions, money, CALENDAR, as_of, 2)


_loan = st.fixed_dictionaries(
    {
        "annual_rate": st.sampled_from(["0", "0.08", "0.1", "0.12", "0.153", "0.2375", "0.123456789", "9.99"]),
        "method": st.sampled_from([str(method) for method in RepaymentMethod]),
        "periods": st.integers(1, 40),
        "every": st.sampled_from(["day", "month", "quarter"]),
        "day_count": st.sampled_from([str(count) for count in DayCount]),
        "disbursed_on": st.dates(date(2015, 6, 1), date(2020, 3, 1)) | st.sampled_from([date(2019, 8, 31), date(2020, 2, 29), date(2019, 1, 30)]),
        "funded_minor": st.integers(1, 50_000_000) | st.integers(1, 10**15),
        "principal_repaid_minor": st.integers(0, 2_000_000),
        "interest_repaid_minor": st.integers(0, 300_000),
    }
)  # fmt: skip


@given(st.lists(_loan, min_size=1, max_size=6), st.integers(0, 500), st.integers(0, 60), st.integers(0, 3_000_000))
def test_as_the_plain_rule_says(terms: list[Loan], after: int, ahead: int, available: int) -> None:
    loans = [loan(number, **said) for number, said in enumerate(terms)]
    as_of = max(one["disbursed_on"] for one in loans) + timedelta(after)
    held_to_the_plain_rule(loans, as_of, as_of + timedelta(ahead), available)


@example(date(2020, 1, 15), 10_000, 0)
@example(date(2020, 2, 15), 10_000, 1_000_000)
@given(st.dates(date(2019, 11, 15), date(2020, 9, 1)), st.integers(0, 40_000), st.integers(0, 1_000_000))
def test_each_day_of_one_loan(as_of: date, interest: int, principal: int) -> None:
    one = loan(principal_repaid_minor=principal, interest_repaid_minor=interest)
    held_to_the_plain_rule([one], as_of, as_of + timedelta(14), 6_000)


def test_what_has_no_disbursal_is_left_out_and_nothing_is_nothing() -> None:
    assert assess(table([]), date(2020, 1, 1), date(2020, 1, 9)).loans.num_rows == 0
    assert assess(table([loan(disbursed_on=None)]), date(2020, 1, 1), date(2020, 1, 9)).loans.num_rows == 0


@pytest.mark.parametrize(
    "wrong", [{"principal_repaid_minor": -1}, {"disbursed_on": date(2020, 5, 1)}, {"annual_rate": "12%"}, {"periods": 0}]
)
def test_what_the_plain_rule_refuses_is_refused(wrong: Loan) -> None:
    with pytest.raises(UsageError):
        assess(table([loan(), loan(1, **wrong)]), date(2020, 1, 1), date(2020, 1, 9))


@given(st.lists(st.integers(-100, 10**15), max_size=9), st.integers(0, 1_000_000), st.integers(0, 500))
def test_channels_fees_by_columns(amounts: list[int], millionths: int, least: int) -> None:
    rate = Rate("C", millionths, least, date(2020, 1, 1))
    expected = [rate.fee_of(minor) if minor > 0 else 0 for minor in amounts]
    assert fees_of(np.array(amounts, np.int64), millionths, least).tolist() == expected
