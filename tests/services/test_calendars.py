"""The bank's own days: changed by two people, and then they win."""

from datetime import date

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.errors import NotPermitted
from custody.services.calendars import HOLIDAY, propose_day, settlement_calendar
from custody.services.four_eyes import approve, reject

NEW_YEAR = date(2020, 1, 1)


def next_day(register: SqlRegister) -> date:
    with register.transaction() as tx:
        return settlement_calendar(tx).next_business_day(date(2019, 12, 31))


def test_a_decided_day_wins_over_the_public_table(register: SqlRegister, clock: SteppingClock) -> None:
    assert next_day(register) == date(2020, 1, 2)
    opened = propose_day(register, clock, "op1", NEW_YEAR, True, "clearing test")
    assert next_day(register) == date(2020, 1, 2)
    approve(register, clock, "sup1", HOLIDAY, opened, "")
    assert next_day(register) == NEW_YEAR


def test_a_later_decision_replaces_the_earlier_one(register: SqlRegister, clock: SteppingClock) -> None:
    for business_day in (True, False, True):
        number = propose_day(register, clock, "op1", NEW_YEAR, business_day, "r")
        approve(register, clock, "sup1", HOLIDAY, number, "")
    assert next_day(register) == NEW_YEAR
    with register.transaction() as tx:
        assert tx.find("holiday") == [{"day": NEW_YEAR, "business_day": True, "reason": "r"}]


def test_a_rejected_day_changes_nothing(register: SqlRegister, clock: SteppingClock) -> None:
    reject(register, clock, "sup1", HOLIDAY, propose_day(register, clock, "op1", NEW_YEAR, True, "r"), "")
    assert next_day(register) == date(2020, 1, 2)


def test_who_may_not(register: SqlRegister, clock: SteppingClock) -> None:
    with pytest.raises(NotPermitted):
        propose_day(register, clock, "risk1", NEW_YEAR, True, "r")
    number = propose_day(register, clock, "both", NEW_YEAR, True, "r")
    with pytest.raises(NotPermitted):
        approve(register, clock, "both", HOLIDAY, number, "")
    with pytest.raises(NotPermitted):
        approve(register, clock, "op1", HOLIDAY, number, "")
