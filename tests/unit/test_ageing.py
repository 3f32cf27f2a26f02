"""What waits too long, on the very day; 2020-01-01 is a holiday, the weekend 4 and 5 January too."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from custody.ageing import stale_holds, suspense_aged, unknown_too_long
from custody.calendar import SettlementCalendar
from custody.declared import BadDeclaration
from custody.match_rules import RuleBook, read_rule
from custody.upfront_fees import upfront_fees
from schemas.rule_book import shipped_rules

CALENDAR = SettlementCalendar()
AGES = RuleBook.of(shipped_rules()).ages
MONDAY = date(2019, 12, 30)


def hold(kind: str) -> dict[str, Any]:
    return {
        "platform": "P001", "hold_id": "h", "account": "P001.LENDER.u1", "kind": kind, "amount_minor": 5, "placed_on": MONDAY,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "last_good"),
    [
        # Tuesday, Thursday, Friday, Monday and Tuesday are the five business days.
        ("WITHDRAW", date(2020, 1, 6)),
        ("REPAY", date(2020, 1, 2)),
        # Twenty business days, of which 19 January (Sunday) is a swapped working day; the Spring Festival begins on the 24th and
        # was prolonged to 2 February in 2020: the 18th is 23 January, the twentieth 4 February.
        ("TENDER", date(2020, 2, 3)),
    ],
)
def test_a_hold_is_stale_at_the_end_of_its_last_day(kind: str, last_good: date) -> None:
    assert list(stale_holds([hold(kind)], last_good, CALENDAR, AGES)) == []
    (found,) = stale_holds([hold(kind)], date.fromordinal(last_good.toordinal() + 1), CALENDAR, AGES)
    assert (found.kind, found.subject, found.amount_minor) == ("STALE_FREEZE", "HOLD|h", 5)


def test_what_began_under_an_earlier_version_is_judged_by_it() -> None:
    (first,) = (rule for rule in shipped_rules() if rule.rule_id == "hold_age")
    shorter = read_rule(
        {**first.entry, "version": 2, "valid_from": "2019-12-31", "business_days": {"WITHDRAW": 1, "TENDER": 1, "REPAY": 1}},
        "test",
    )
    ages = RuleBook.of([*shipped_rules(), shorter]).ages
    later = {**hold("REPAY"), "placed_on": date(2019, 12, 31)}
    assert list(stale_holds([hold("REPAY")], date(2020, 1, 2), CALENDAR, ages)) == []
    (found,) = stale_holds([later], date(2020, 1, 2), CALENDAR, ages)
    assert found.figures["until"] == "2020-01-02"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"business_days": {"WITHDRAW": 5, "TENDER": 20}}, "REPAY"),
        ({"business_days": {"WITHDRAW": 5, "TENDER": 20, "REPAY": 251}}, "0 to 250"),
        ({"business_days": {"WITHDRAW": 5, "TENDER": 20, "REPAY": 3, "JUDICIAL": 1}}, "JUDICIAL"),
        ({"rule": "other_age"}, "nothing waits by this rule"),
        ({"withdrawn": True}, "nothing can be judged without"),
    ],
)
def test_a_limit_says_of_everything_that_waits_how_long(entry: dict[str, Any], why: str) -> None:
    (first,) = (rule for rule in shipped_rules() if rule.rule_id == "hold_age")
    with pytest.raises(BadDeclaration, match=why):
        read_rule({**first.entry, **entry}, "test")


def test_a_judicial_hold_stays_as_long_as_its_order() -> None:
    assert list(stale_holds([hold("JUDICIAL"), hold("AML")], date(2025, 1, 1), CALENDAR, AGES)) == []


@pytest.mark.parametrize(
    ("status", "last_good"), [("UNKNOWN", MONDAY), ("REMITTING", date(2020, 1, 2)), ("FAIL", date(2029, 1, 1))]
)
def test_a_withdrawals_end_is_proved_in_time(status: str, last_good: date) -> None:
    row = {
        "platform": "P001",
        "request_no": "w",
        "leg": 1,
        "channel": "CH01",
        "amount_minor": 7,
        "status": status,
        "since": MONDAY,
    }
    assert list(unknown_too_long([row], last_good, CALENDAR, AGES)) == []
    if status != "FAIL":
        (found,) = unknown_too_long([row], date.fromordinal(last_good.toordinal() + 1), CALENDAR, AGES)
        assert (found.kind, found.subject) == ("UNKNOWN_STATUS", "POSTING|w|1")


def test_a_receipt_is_cleared_by_its_due_date() -> None:
    receipt = {
        "platform": "P001", "request_no": "q", "received_on": MONDAY, "amount_minor": 9, "left_minor": 4, "due_on": date(2020, 1, 7),
    }  # fmt: skip
    assert list(suspense_aged([receipt], date(2020, 1, 6))) == []
    (found,) = suspense_aged([receipt], date(2020, 1, 7))
    assert (found.kind, found.subject, found.amount_minor) == ("SUSPENSE_AGED", "SUSPENSE|q", 4)


LOANS = [
    {"platform": "P001", "loan_id": "L1", "borrower": "P001.BORROWER.b1", "disbursed_on": MONDAY},
    {"platform": "P001", "loan_id": "L2", "borrower": "P001.BORROWER.b1", "disbursed_on": date(2019, 12, 2)},
    {"platform": "P001", "loan_id": "L3", "borrower": "P001.BORROWER.b2", "disbursed_on": None},
]


@pytest.mark.parametrize(
    ("change", "is_upfront"),
    [
        ({}, True),
        ({"loan_id": None}, True),
        ({"loan_id": "L2"}, False),
        ({"value_date": date(2019, 12, 31)}, False),
        ({"from_account": "P001.BORROWER.b2"}, False),
        ({"from_account": "P001.LENDER.u1"}, False),
        ({"platform": "P002"}, False),
        ({"txn_type": "REPAYMENT"}, True),
        ({"txn_type": "REPAYMENT", "loan_id": "L2"}, False),
        ({"txn_type": "ENTRUSTED_PAYMENT"}, False),
    ],
)
def test_a_fee_on_the_day_of_disbursal_is_upfront(change: dict[str, Any], is_upfront: bool) -> None:
    leg = {
        "platform": "P001", "request_no": "k", "leg": 1, "txn_type": "COMMISSION", "from_account": "P001.BORROWER.b1",
        "loan_id": "L1", "amount_minor": 3, "value_date": MONDAY,
    }  # fmt: skip
    found = list(upfront_fees([leg | change], LOANS))
    assert [(v.kind, v.subject, v.cause) for v in found] == [("UPFRONT_FEE", "POSTING|k|1", "upfront_fee")] * is_upfront


def test_before_the_notice_of_2017_nothing_was_upfront() -> None:
    day = date(2017, 11, 30)
    leg = {
        "platform": "P001", "request_no": "k", "leg": 1, "txn_type": "COMMISSION", "from_account": "P001.BORROWER.b1",
        "loan_id": "L1", "amount_minor": 3, "value_date": day,
    }  # fmt: skip
    loans = [LOANS[0] | {"disbursed_on": day}]
    assert list(upfront_fees([leg], loans)) == []
    assert (
        len(list(upfront_fees([leg | {"value_date": date(2017, 12, 1)}], [LOANS[0] | {"disbursed_on": date(2017, 12, 1)}]))) == 1
    )
