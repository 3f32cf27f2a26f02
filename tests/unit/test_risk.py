"""Overdue, short borrowers and alerts, on one loan whose schedule is known by hand."""

from datetime import date, timedelta
from fractions import Fraction

import pytest

from custody.calendar import SettlementCalendar
from custody.errors import UsageError
from custody.names import DayCount, RepaymentMethod
from custody.risk import (
    RULES,
    LoanPosition,
    LoanRisk,
    LoanTerms,
    OverdueRatio,
    Severity,
    alert_id,
    alerts_for,
    assess_loan,
    bucket_of,
    underfunding,
)

# 10000.00 at 1% a month, interest first, from 2019-11-15: 100.00 on 12-15 and 01-15, 10100.00 on 02-15.
TERMS = LoanTerms(1_000_000, "CNY", "0.12", 3, "month", RepaymentMethod.INTEREST_FIRST, DayCount.THIRTY_360, rounding="half_even")
CALENDAR = SettlementCalendar()
FRIDAY = date(2020, 1, 10)


def risk(as_of: date, principal_repaid: int = 0, interest_repaid: int = 0) -> LoanRisk:
    return assess_loan(TERMS, principal_repaid, interest_repaid, date(2019, 11, 15), as_of)


def test_unpaid_on_its_due_date_is_not_past_due_until_the_next_day() -> None:
    on_the_day = risk(date(2019, 12, 15))
    assert (on_the_day.due_so_far_minor, on_the_day.overdue_minor, on_the_day.days_past_due) == (10_000, 0, 0)
    assert (on_the_day.next_due, on_the_day.next_due_minor, on_the_day.bucket) == (date(2019, 12, 15), 10_000, "0")
    next_day = risk(date(2019, 12, 16))
    assert (next_day.due_so_far_minor, next_day.overdue_minor, next_day.days_past_due) == (10_000, 10_000, 1)
    assert (next_day.overdue_since, next_day.bucket) == (date(2019, 12, 15), "1-29")
    assert (next_day.next_due, next_day.next_due_minor) == (date(2020, 1, 15), 10_000)


def test_payments_cover_the_oldest_instalment_first() -> None:
    partial = risk(date(2020, 1, 16), interest_repaid=6_000)
    assert (partial.overdue_minor, partial.days_past_due, partial.bucket) == (14_000, 32, "30-59")
    caught_up = risk(date(2020, 1, 16), interest_repaid=10_000)
    assert (caught_up.overdue_minor, caught_up.days_past_due) == (10_000, 1)
    ahead = risk(date(2020, 1, 10), interest_repaid=13_000)
    assert (ahead.overdue_minor, ahead.next_due, ahead.next_due_minor) == (0, date(2020, 1, 15), 7_000)


def test_before_the_first_due_date_and_after_the_last() -> None:
    fresh = risk(date(2019, 11, 15))
    assert (fresh.due_so_far_minor, fresh.next_due, len(fresh.unpaid)) == (0, date(2019, 12, 15), 3)
    repaid = risk(date(2020, 2, 16), 1_000_000, 30_000)
    assert (repaid.overdue_minor, repaid.next_due, repaid.unpaid, repaid.outstanding_principal_minor) == (0, None, (), 0)
    repaid_early = risk(date(2020, 3, 1), 1_000_000, 12_000)
    assert (repaid_early.overdue_minor, repaid_early.unpaid, repaid_early.paid_minor) == (0, (), 1_012_000)
    never = risk(date(2020, 8, 14))
    assert (never.overdue_minor, never.next_due, never.bucket) == (1_030_000, None, "180+")


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        *[(0, "0"), (1, "1-29"), (29, "1-29"), (30, "30-59"), (59, "30-59"), (60, "60-89"), (89, "60-89")],
        *[(90, "90-179"), (179, "90-179"), (180, "180+"), (5000, "180+")],
    ],
)
def test_buckets(days: int, bucket: str) -> None:
    assert bucket_of(days) == bucket


def test_what_cannot_be_assessed() -> None:
    with pytest.raises(UsageError):
        risk(date(2019, 11, 14))
    with pytest.raises(UsageError):
        risk(date(2019, 12, 1), interest_repaid=-1)


def test_underfunding_looks_over_business_days() -> None:
    paid_so_far = risk(FRIDAY, interest_repaid=10_000)
    # Business days after Friday 10: 13, 14, 15; the instalment is due on the 15th.
    assert underfunding(paid_so_far, 6_000, CALENDAR, FRIDAY, 3) == 4_000
    assert underfunding(paid_so_far, 10_000, CALENDAR, FRIDAY, 3) == 0
    assert underfunding(paid_so_far, 0, CALENDAR, FRIDAY, 2) == 0
    # The 15th itself is still looked at on the 15th, at the end of which the instalment is unpaid.
    assert underfunding(risk(date(2020, 1, 15), interest_repaid=10_000), 0, CALENDAR, date(2020, 1, 15), 1) == 10_000


def test_what_is_overdue_takes_the_balance_first() -> None:
    # 10000 overdue from December, 12000 available: 2000 are left for January's 10000.
    assert underfunding(risk(FRIDAY), 12_000, CALENDAR, FRIDAY, 3) == 8_000
    assert underfunding(risk(FRIDAY), 0, CALENDAR, FRIDAY, 3) == 10_000


def test_alerts_keep_their_identity_while_the_condition_lasts() -> None:
    seen = set()
    for offset in range(6):  # 10 to 15 January: the instalment stays unfunded up to its day
        as_of = FRIDAY + timedelta(days=offset)
        position = LoanPosition("L1", "P001.BORROWER.b1", risk(as_of, interest_repaid=10_000))
        (alert,) = alerts_for("P001", [position], {"P001.BORROWER.b1": 1_000}, CALENDAR, as_of, 3)
        assert (alert.rule, alert.subject) == ("BORROWER_SHORT", "L1")
        assert alert.severity == (Severity.HIGH if as_of >= date(2020, 1, 14) else Severity.MEDIUM)
        seen.add(alert.alert_id)
    assert seen == {alert_id("BORROWER_SHORT", "P001", "L1", date(2020, 1, 15))}


def test_days_past_due_escalates_in_place() -> None:
    severities = []
    ids = set()
    for as_of in (date(2019, 12, 16), date(2020, 1, 14), date(2020, 3, 14)):
        position = LoanPosition("L1", "P001.BORROWER.b1", risk(as_of))
        found = alerts_for("P001", [position], {"P001.BORROWER.b1": 0}, CALENDAR, as_of, 1)
        (alert,) = [a for a in found if a.rule == "DAYS_PAST_DUE"]
        severities.append(alert.severity)
        ids.add(alert.alert_id)
    assert severities == [Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL]
    assert len(ids) == 1


def test_one_balance_is_not_counted_for_two_loans() -> None:
    paid = risk(FRIDAY, interest_repaid=10_000)
    positions = [LoanPosition("L2", "b", paid), LoanPosition("L1", "b", paid)]
    found = alerts_for("P001", positions, {"b": 15_000}, CALENDAR, FRIDAY, 3)
    assert [(a.subject, a.figures["shortfall_minor"], a.figures["owed_minor"]) for a in found] == [("L2", 5_000, 10_000)]
    assert found == alerts_for("P001", positions[::-1], {"b": 15_000}, CALENDAR, FRIDAY, 3)


def test_an_unknown_balance_is_not_nought() -> None:
    with pytest.raises(KeyError):
        alerts_for("P001", [LoanPosition("L1", "b", risk(FRIDAY))], {}, CALENDAR, FRIDAY, 3)


def test_words_and_citations_in_both_languages() -> None:
    positions = [LoanPosition("L1", "P001.BORROWER.b1", risk(FRIDAY))]
    short, past_due = alerts_for("P001", positions, {"P001.BORROWER.b1": 12_000}, CALENDAR, FRIDAY, 3)
    assert short.words[0] == "Loan L1: 100.00 CNY is due on 2020-01-15, the account P001.BORROWER.b1 is short of 80.00"
    assert past_due.words == (
        "Loan L1: 100.00 CNY overdue since 2019-12-15, 26 days past due (bucket 1-29)",
        "标的 L1：自 2019-12-15 起逾期 100.00 CNY，逾期 26 天（1-29 天档）",
    )
    assert all(all(rule.citation) and all(rule.words) for rule in RULES.values())


def test_a_rule_does_not_count_before_its_date() -> None:
    long_ago = assess_loan(TERMS, 0, 0, date(2014, 1, 15), date(2014, 6, 1))
    assert alerts_for("P001", [LoanPosition("L1", "b", long_ago)], {"b": 0}, CALENDAR, date(2014, 6, 1), 3) == []


def test_overdue_ratios_are_exact_and_none_where_there_is_no_balance() -> None:
    ratio = OverdueRatio(10_000, 2_000_000, 1, 2)
    assert (ratio.by_amount, ratio.by_count) == (Fraction(1, 200), Fraction(1, 2))
    nothing = OverdueRatio(0, 0, 0, 0)
    assert (nothing.by_amount, nothing.by_count) == (None, None)
