"""Rules of alerts tried on past alerts: by the rules as they are the trial says what the sender did, and by changed ones what it would."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alert_kit import AlertDesk
from gateway_kit import SetClock

from connectors.register import SqlRegister
from custody.calendar import CHINA
from custody.match_rules import Rule, RuleBook, read_rule
from custody.services.alert_trial import is_of_alerts, try_alert_rules
from custody.services.alerts import acknowledge, close, follow, put_alert
from schemas.rule_book import shipped_rules

DAY = date(2019, 12, 30)
MORNING = datetime(2019, 12, 30, 10, 0, tzinfo=CHINA)
Line = tuple[str, str, str, str, str, str, int]


def changed(rule_id: str, **said: Any) -> Rule:
    """The next version of a shipped rule that says something else."""
    entry = next(dict(rule.entry) for rule in shipped_rules() if rule.rule_id == rule_id)
    return read_rule({**entry, "version": 2, "valid_from": date(2030, 1, 1), **said}, "the test")


@pytest.fixture
def clock() -> SetClock:
    return SetClock(MORNING)


@pytest.fixture
def desk(register: SqlRegister, clock: SetClock, tmp_path: Path) -> AlertDesk:
    """A missing file that nobody answered in time, then answered and closed; and a borrower who is short, graver the next day, then over."""
    desk = AlertDesk(register, clock, tmp_path / "desk")
    desk.name_everybody()
    desk.party("P001", alerts={"to": ["PLATFORM"]})
    with register.transaction() as tx:
        one = put_alert(tx, "system", "FILE_MISSING", "F1", DAY, ("missing", "缺失"), "HIGH", "P001", "1")
    live(desk, clock, 61)
    acknowledge(register, "op1", one, "seen")
    live(desk, clock, 30)
    close(register, "op1", one, "it came")
    live(desk, clock, 1)
    for on, severity in ((DAY, "MEDIUM"), (DAY + timedelta(1), "HIGH")):
        row = {
            "alert_id": "b" * 64, "rule": "BORROWER_SHORT", "platform": "P001", "subject": "L1", "severity": severity, "figures": "{}",
            "words_en": "short", "words_zh": "不足",
        }  # fmt: skip
        with register.transaction() as tx:
            follow(tx, "system", on, [row], ["BORROWER_SHORT"])
        live(desk, clock, 30)
    with register.transaction() as tx:
        follow(tx, "system", DAY + timedelta(2), [], ["BORROWER_SHORT"])
    desk.send()
    return desk


def live(desk: AlertDesk, clock: SetClock, minutes: int) -> None:
    """The sender looks at once, and when the time is over."""
    desk.send()
    clock.forward(minutes=minutes)
    desk.send()


def lines(desk: AlertDesk, *rules: Rule, book: RuleBook | None = None) -> list[Line]:
    with desk.register.transaction() as tx:
        found = try_alert_rules(tx, book or RuleBook.of(shipped_rules()), rules, DAY, DAY)
    assert all((day["date"], day["platform"], day["breaks"], day["rows"]) == (DAY.isoformat(), "P001", [], []) for day in found)
    names = ("what", "rule", "event", "whom", "recipient", "channel", "count")
    return [tuple(one[name] for name in names) for day in found for one in day["messages"]]


def test_the_rules_as_they_are_change_nothing(desk: AlertDesk) -> None:
    assert lines(desk, *(rule for rule in RuleBook.of(shipped_rules()).rules_on(DAY).rules if is_of_alerts(rule))) == []


def test_what_is_reckoned_by_the_rules_as_they_are_is_what_was_sent(desk: AlertDesk) -> None:
    """Against rules that tell nobody but the page, all that vanishes is each message by mail, SMS and file that the sender made."""
    page = [{"whom": "DUTY", "channels": ["PAGE"], "when": "IMMEDIATE", "from": "LOW", "languages": ["zh"]}]
    found = lines(desk, changed("alert_files", to=page), changed("alert_borrower_short", to=page))
    gone = sorted((whom, recipient, channel) for what, _, _, whom, recipient, channel, _ in found if what == "VANISHES")
    sent = {(row["whom"], row["recipient"] if row["whom"] == "DUTY" else "", row["channel"]) for row in desk.messages()}
    assert set(gone) == {one for one in sent if one[2] != "PAGE"} and ("PLATFORM", "", "FILE") in gone
    passed_on = [line for line in found if line[2] == "PASSED_ON" and line[0] == "VANISHES"]
    assert {(line[4], line[5]) for line in passed_on} == {("supervisor", "MAIL"), ("supervisor", "SMS")}


def test_more_time_to_answer_and_no_sms_below_critical(desk: AlertDesk) -> None:
    old = next(rule.entry for rule in shipped_rules() if rule.rule_id == "alert_files")
    to = [{**route, "from": "CRITICAL"} if route["channels"] == ["SMS"] else route for route in old["to"]]
    found = lines(desk, changed("alert_files", minutes={**old["minutes"], "HIGH": 180}, to=to))
    assert {line[0] for line in found} == {"VANISHES"} and {line[1] for line in found} == {"FILE_MISSING"}
    # Raised: the SMS; it was answered in time now, so nothing is passed on to the supervisor, who then need not hear that it is closed.
    assert {(line[2], line[4], line[5]) for line in found} == {
        ("RAISED", "operator", "SMS"), ("CLOSED", "operator", "SMS"),
        *((event, "supervisor", channel) for event in ("PASSED_ON", "CLOSED") for channel in ("PAGE", "MAIL", "SMS")),
    }  # fmt: skip


def test_another_hour_is_another_time_and_a_new_recipient_appears(desk: AlertDesk) -> None:
    (found,) = {line[:1] for line in lines(desk, changed("alert_digest", at="09:30"))}
    assert found == ("WHEN",)
    regulator = {
        "whom": "PLATFORM",
        "channels": ["MAIL"],
        "contact": "OPERATIONS",
        "when": "IMMEDIATE",
        "from": "HIGH",
        "languages": ["zh"],
    }
    old = next(rule.entry for rule in shipped_rules() if rule.rule_id == "alert_borrower_short")
    found_ = lines(desk, changed("alert_borrower_short", to=[*old["to"], regulator]))
    assert [line[:6] for line in found_] == [
        ("APPEARS", "BORROWER_SHORT", "ENDED", "PLATFORM", "", "MAIL"), ("APPEARS", "BORROWER_SHORT", "GRAVER", "PLATFORM", "", "MAIL"),
    ]  # fmt: skip
