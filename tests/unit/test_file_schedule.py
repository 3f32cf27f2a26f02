"""Which files a contract promises of a date, and by when."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from custody.calendar import CHINA, ONE_DAY, SettlementCalendar
from custody.file_schedule import (
    USUAL,
    ExpectedFile,
    expected_on,
    in_words,
    is_due_with,
    moment,
    schedule_faults,
    terms_of,
)

CALENDAR = SettlementCalendar({})
# New Year's Day 2020 is a holiday; the 4th and 5th are a weekend.
TUESDAY, HOLIDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = (date(2019, 12, 31) + n * ONE_DAY for n in range(6))
THRICE = {
    "days": "every_day",
    "batches": [
        {"cut_off": "12:00", "due": "D 12:30"},
        {"cut_off": "18:00", "due": "D 18:30"},
        {"cut_off": "24:00", "due": "D+1 01:00"},
    ],
    "grace_minutes": 15,
}


def contract(schedule: dict[str, Any] | None = None, *types: str) -> dict[str, Any]:
    layouts = {name: ["x/1"] for name in types}
    said = {} if schedule is None else {"schedule": schedule}
    return {"file_types": [name for name in types if name != "DISCLOSURE"], "layouts": layouts, **said}


def promised(of: dict[str, Any], on: date, calendar: SettlementCalendar = CALENDAR) -> list[ExpectedFile]:
    return list(expected_on("P001", of, on, calendar))


def china(on: date, hours: int, minutes: int = 0) -> datetime:
    return datetime(on.year, on.month, on.day, tzinfo=CHINA) + timedelta(hours=hours, minutes=minutes)


def test_without_terms_of_its_own_a_type_is_due_once_each_date_holidays_too() -> None:
    for on in (TUESDAY, HOLIDAY, SUNDAY):
        assert [(f.file_type, f.batch, f.due_at, f.missing_from) for f in promised(contract(None, "TXN", "BALANCE"), on)] == [
            (name, 1, china(on, 25), china(on, 25, 30)) for name in ("TXN", "BALANCE")
        ]


def test_batches_through_the_day_each_have_their_cut_off_and_deadline() -> None:
    files = promised(contract({"TXN": THRICE}, "TXN"), HOLIDAY)
    assert [(f.batch, f.cut_off_at, f.due_at) for f in files] == [
        (1, china(HOLIDAY, 12), china(HOLIDAY, 12, 30)),
        (2, china(HOLIDAY, 18), china(HOLIDAY, 18, 30)),
        (3, china(HOLIDAY, 24), china(HOLIDAY, 25)),
    ]
    assert {f.missing_from - f.due_at for f in files} == {timedelta(minutes=15)}


def test_bank_business_days_follow_the_banks_own_calendar() -> None:
    terms = {"days": "business_days", "batches": [{"cut_off": "24:00", "due": "T+1 10:00"}], "grace_minutes": 0}
    of = contract({"CLAIM": terms}, "CLAIM")
    assert [on for on in (TUESDAY, HOLIDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY) if promised(of, on)] == [
        TUESDAY,
        THURSDAY,
        FRIDAY,
    ]
    # The bank works on the holiday: the file is due, and so is Tuesday's, a day sooner.
    works = SettlementCalendar({HOLIDAY: True})
    assert promised(of, HOLIDAY, works) and promised(of, TUESDAY, works)[0].due_at == china(HOLIDAY, 10)
    assert promised(of, TUESDAY)[0].due_at == china(THURSDAY, 10)


def test_a_channels_settlement_cycle_makes_a_weekend_due_on_the_business_day_after() -> None:
    terms = {"days": "every_day", "batches": [{"cut_off": "24:00", "due": "T+1 10:00"}], "grace_minutes": 60}
    of = contract({"SETTLEMENT": terms}, "SETTLEMENT")
    monday = SUNDAY + ONE_DAY
    assert [promised(of, on)[0].due_at for on in (FRIDAY, SATURDAY, SUNDAY)] == [china(monday, 10)] * 3
    # At no cut-off of these dates is it late; at Monday's it is.
    assert [is_due_with(of, "SETTLEMENT", FRIDAY, today, CALENDAR) for today in (FRIDAY, SATURDAY, SUNDAY, monday)] == [
        False, False, False, True,
    ]  # fmt: skip
    assert is_due_with(contract(None, "SETTLEMENT"), "SETTLEMENT", FRIDAY, FRIDAY, CALENDAR)


def test_what_is_published_of_a_month_is_due_within_five_business_days() -> None:
    of = contract(None, "TXN", "DISCLOSURE")
    assert [f.file_type for f in promised(of, THURSDAY)] == ["TXN"]
    (monthly,) = [f for f in promised(of, TUESDAY) if f.file_type == "DISCLOSURE"]
    assert monthly.due_at == china(date(2020, 1, 8), 24)
    assert [is_due_with(of, "DISCLOSURE", TUESDAY, date(2020, 1, day), CALENDAR) for day in (1, 7, 8)] == [False, False, True]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ([], "must be an object"),
        ({"LOAN": THRICE}, "LOAN, which the contract does not ask for"),
        ({"TXN": {"days": "every_day"}}, "must have days, batches and grace_minutes"),
        ({"TXN": {**THRICE, "days": "sometimes"}}, "days must be one of"),
        ({"TXN": {**THRICE, "days": "business_days"}}, "no custody date can be judged without it"),
        ({"DISCLOSURE": THRICE}, "days must be month_end"),
        ({"TXN": {**THRICE, "grace_minutes": -1}}, "grace_minutes"),
        ({"TXN": {**THRICE, "grace_minutes": True}}, "grace_minutes"),
        ({"TXN": {**THRICE, "batches": []}}, "1 to 99"),
        ({"TXN": {**THRICE, "batches": [{"cut_off": "12:00"}]}}, "cut_off and due"),
        ({"TXN": {**THRICE, "batches": [{"cut_off": "25:00", "due": "D 12:30"}]}}, "HH:MM"),
        ({"TXN": {**THRICE, "batches": [{"cut_off": "00:00", "due": "D 12:30"}]}}, "HH:MM"),
        ({"TXN": {**THRICE, "batches": [{"cut_off": "12:00", "due": "T 12:30"}]}}, "'T\\+1 10:00'"),
        ({"TXN": {**THRICE, "batches": [{"cut_off": "12:00", "due": "D+0 12:30"}]}}, "'T\\+1 10:00'"),
        ({"TXN": {**THRICE, "batches": [{"cut_off": "12:00", "due": "D 11:59"}]}}, "before its own cut-off"),
        ({"TXN": {**THRICE, "batches": THRICE["batches"][::-1]}}, "later than the one before"),
    ],
)
def test_what_no_contract_may_say_is_named(said: Any, fault: str) -> None:
    faults = schedule_faults(said, ["TXN", "DISCLOSURE"])
    with pytest.raises(ValueError, match=fault):
        raise ValueError("; ".join(faults))
    assert all(not one.startswith("schedule of TXN") or "TXN" in said for one in faults)


def test_what_a_contract_may_say_has_no_fault() -> None:
    assert schedule_faults({"TXN": THRICE}, ["TXN"]) == []
    assert in_words(terms_of(contract({"TXN": THRICE}, "TXN"), "TXN")) == (
        "every_day: 12:00 → D 12:30, 18:00 → D 18:30, 24:00 → D+1 01:00; +15 min"
    )
    assert terms_of(contract(None, "TXN"), "TXN") == USUAL
    assert moment("D 24:00", TUESDAY, CALENDAR) == china(HOLIDAY, 0)
