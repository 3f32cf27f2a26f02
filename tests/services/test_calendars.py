"""The bank's own days: changed by two people, and then they win."""

from datetime import date

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.calendar import COVER_TO, ONE_DAY
from custody.calendar_table import DecidedDay, read_table, whole_year
from custody.errors import NotPermitted, UsageError
from custody.services.calendars import (
    CALENDAR_ENDS,
    HOLIDAY,
    WARN,
    effects,
    known_until,
    propose_days,
    settlement_calendar,
    watch_end,
)
from custody.services.four_eyes import approve, reject

NEW_YEAR = date(2020, 1, 1)


def propose_day(register: SqlRegister, clock: SteppingClock, actor: str, day: date, business_day: bool, reason: str) -> str:
    return propose_days(register, clock, actor, [DecidedDay(day, business_day, reason)], "note")


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


YEAR = COVER_TO.year + 1


def test_a_year_is_decided_by_one_table_and_then_the_calendar_reaches_its_end(
    register: SqlRegister, clock: SteppingClock
) -> None:
    named, faults = read_table(f"day,what,reason\n{YEAR}-01-01,holiday,元旦\n{YEAR}-01-03,business_day,调休\n")
    assert faults == []
    days, _ = whole_year(YEAR, named)
    assert len(days) in (365, 366)
    with register.transaction() as tx:
        assert known_until(settlement_calendar(tx)) == COVER_TO
        changed = {e.day.day for e in effects(tx, days)}
    assert date(YEAR, 1, 1) not in changed and date(YEAR, 1, 3) in changed
    number = propose_days(register, clock, "op1", days, "the State Council's notice")
    approve(register, clock, "sup1", HOLIDAY, number, "seen")
    with register.transaction() as tx:
        calendar = settlement_calendar(tx)
    assert known_until(calendar) == date(YEAR, 12, 31)
    for said in days:
        usual = said.day.weekday() < 5
        assert calendar.is_business_day(said.day) == {1: False, 3: True}.get(said.day.timetuple().tm_yday, usual)


def test_what_a_day_moves_is_said_before(register: SqlRegister) -> None:
    with register.transaction() as tx:
        (one,) = effects(tx, [DecidedDay(NEW_YEAR, True, "r"), DecidedDay(NEW_YEAR + ONE_DAY, True, "as it is")])
    assert (one.day.day, one.before, one.settles) == (NEW_YEAR, False, (date(2020, 1, 2), NEW_YEAR))


def test_a_day_that_is_cut_off_keeps_its_calendar(register: SqlRegister, clock: SteppingClock) -> None:
    number = propose_day(register, clock, "op1", NEW_YEAR, True, "r")
    with register.transaction() as tx:
        said = dict.fromkeys(
            ("run_digest", "inputs_digest", "manifest_digest", "path", "code_digest", "reason", "committed_at"), "x"
        )
        tx.insert("step_output", {"custody_date": NEW_YEAR, "step": "cut_off", "version": 1, "fence": 1, **said})
    with pytest.raises(UsageError, match="cut off already"):
        approve(register, clock, "sup1", HOLIDAY, number, "late")
    with pytest.raises(UsageError, match="cut off already"):
        propose_day(register, clock, "op1", NEW_YEAR, True, "r")
    assert propose_day(register, clock, "op1", NEW_YEAR + ONE_DAY, False, "r")


def test_what_is_decided_so_already_is_not_proposed_again(register: SqlRegister, clock: SteppingClock) -> None:
    approve(register, clock, "sup1", HOLIDAY, propose_day(register, clock, "op1", NEW_YEAR, True, "r"), "")
    with pytest.raises(UsageError, match="decided so already"):
        propose_day(register, clock, "op1", NEW_YEAR, True, "r")


@pytest.mark.parametrize(
    ("line", "field", "rule"),
    [
        ("2027-1-1,holiday,x", "day", "date"),
        ("1999-01-01,holiday,x", "day", "date"),
        ("2027-02-30,holiday,x", "day", "date"),
        ("2027-01-01,feast,x", "what", "codes"),
        ("2027-01-01,holiday,", "reason", "required"),
        ("2027-01-01,holiday,=1+1", "reason", "formula"),
        (f"2027-01-01,holiday,{'x' * 201}", "reason", "max_length"),
        ("2027-01-01,holiday", "", "columns"),
        ("2027-01-02,holiday,again", "day", "duplicate_key"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_decided(line: str, field: str, rule: str) -> None:
    days, (fault,) = read_table(f"day,what,reason\n2027-01-02,holiday,x\n\n{line}\n")
    assert days == []
    assert (fault.line_no, fault.field, fault.rule) == (4, field, rule)
    assert all(fault.words)


def test_a_table_without_heading_or_days_is_refused() -> None:
    assert [f.rule for f in read_table("2027-01-01,holiday,x\n")[1]] == ["codes"]
    assert [f.rule for f in read_table("day,what,reason\n")[1]] == ["required"]
    _, faults = whole_year(2028, [DecidedDay(date(2027, 1, 1), False, "x")])
    assert [f.rule for f in faults] == ["other_year"]


def test_the_end_of_the_calendar_is_an_alert_until_the_next_year_is_decided(register: SqlRegister, clock: SteppingClock) -> None:
    """Judged from the newest custody date; raised once, and over by itself."""

    def standing() -> list[tuple[str, str]]:
        with register.transaction() as tx:
            return [(row["subject"], row["state"]) for row in tx.find("alert", ("raised_on",), rule=CALENDAR_ENDS)]

    def begin(on: date) -> None:
        named = ("run_digest", "inputs_digest", "manifest_digest", "path", "code_digest", "reason", "committed_at")
        row = {"custody_date": on, "step": "cut_off", "version": 1, "fence": 1, **dict.fromkeys(named, "")}
        with register.transaction() as tx:
            tx.insert("step_output", row)

    assert watch_end(register) is None
    begin(COVER_TO - WARN)
    assert watch_end(register) is None and standing() == []
    begin(COVER_TO - WARN + ONE_DAY)
    assert watch_end(register) == watch_end(register) == COVER_TO
    assert standing() == [(str(COVER_TO), "OPEN")]
    number = propose_days(register, clock, "op1", whole_year(YEAR, [])[0], "note")
    assert watch_end(register) == COVER_TO
    approve(register, clock, "sup1", HOLIDAY, number, "")
    assert watch_end(register) is None and standing() == [(str(COVER_TO), "CLOSED")]
