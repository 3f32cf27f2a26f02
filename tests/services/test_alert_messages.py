"""Who is told of an alert, by what and when: by rule, severity, contract and hour; in both languages, masked; and what is passed on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from alert_kit import PHONES, AlertDesk
from gateway_kit import SetClock

from connectors.register import SqlRegister
from custody.calendar import CHINA
from custody.errors import NotPermitted
from custody.ports import Row
from custody.services.alert_messages import messages, send_alerts
from custody.services.alerts import acknowledge, close, end_alert, follow, put_alert

# A Monday; the first of January is a holiday.
DAY = date(2019, 12, 30)
MORNING = datetime(2019, 12, 30, 10, 0, tzinfo=CHINA)
BORROWER = "P001.BORROWER.U001000001"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(MORNING)


@pytest.fixture
def desk(register: SqlRegister, clock: SetClock, tmp_path: Path) -> Iterator[AlertDesk]:
    desk = AlertDesk(register, clock, tmp_path / "desk")
    desk.name_everybody()
    desk.party("P001")
    yield desk


def put(desk: AlertDesk, rule: str = "FILE_MISSING", severity: str = "HIGH", subject: str = "F1", platform: str = "P001") -> str:
    with desk.register.transaction() as tx:
        words = (f"{subject} is missing, see {BORROWER}", f"{subject} 缺失，见 {BORROWER}")
        return put_alert(tx, "system", rule, subject, DAY, words, severity, platform, "1")


def short(desk: AlertDesk, severity: str = "HIGH", on: date = DAY) -> str:
    """A borrower who lacks money for his instalment."""
    row: Row = {
        "alert_id": "b" * 64, "rule": "BORROWER_SHORT", "platform": "P001", "subject": "LN1", "severity": severity,
        "figures": json.dumps({"borrower": BORROWER}), "words_en": f"the account {BORROWER} is short of 5.00",
        "words_zh": f"账户 {BORROWER} 尚缺 5.00",
    }  # fmt: skip
    with desk.register.transaction() as tx:
        follow(tx, "system", on, [row], ["BORROWER_SHORT"])
    return str(row["alert_id"])


def told(desk: AlertDesk, **equals: object) -> set[tuple[str, str, str, str]]:
    return {(row["whom"], row["recipient"], row["channel"], row["mode"]) for row in desk.messages(**equals)}


def test_the_rule_says_who_is_told_and_by_what(desk: AlertDesk) -> None:
    put(desk)
    done = desk.send()
    assert (done.sent, done.failed, done.waiting, done.unreachable, done.away) == (2, 0, 0, 0, {})
    assert told(desk, state="SENT") == {
        ("DUTY", "operator", "PAGE", "IMMEDIATE"), ("DUTY", "operator", "MAIL", "IMMEDIATE"), ("DUTY", "operator", "SMS", "IMMEDIATE"),
    }  # fmt: skip
    again = desk.send()
    assert (again.sent, again.queued) == (0, 0)
    (sms,) = [json.loads(p.read_text(encoding="utf-8")) for p in (desk.folder / "sms").iterdir()]
    assert sms["address"] == PHONES["operator"] and "缺失" in sms["text"] and "missing" not in sms["text"]


def test_what_weighs_less_takes_a_smaller_road(desk: AlertDesk) -> None:
    put(desk, severity="MEDIUM")
    desk.send()
    assert {row["channel"] for row in desk.messages()} == {"PAGE", "MAIL"}


def test_words_are_in_both_languages_and_name_nobody(desk: AlertDesk) -> None:
    put(desk)
    desk.send()
    (mail,) = desk.messages(channel="MAIL")
    assert "is missing" in mail["body"] and "缺失" in mail["body"] and "示范银行" in mail["subject"]
    for row in desk.messages():
        said = json.dumps(row, ensure_ascii=False)
        assert "U001000001" not in said and PHONES["operator"] not in said and "operator@bank.test" not in said
    assert mail["address"] == "o***@bank.test"
    assert "U00*****01" in mail["body"]


def test_quiet_hours_hold_back_all_but_what_is_critical(desk: AlertDesk, clock: SetClock) -> None:
    clock.to(2019, 12, 30, 23, 10)
    put(desk)
    critical = put(desk, severity="CRITICAL", subject="F2")
    done = desk.send()
    acknowledge(desk.register, "op1", critical)
    assert (done.sent, done.waiting) == (2, 2)
    assert {row["severity"] for row in desk.messages(state="QUEUED")} == {"HIGH"}
    clock.to(2019, 12, 31, 7, 29)
    assert desk.send().sent == 0
    clock.to(2019, 12, 31, 7, 30)
    assert (desk.send().sent, desk.messages(state="QUEUED")) == (2, [])


def test_on_a_holiday_waits_what_is_not_high(desk: AlertDesk, clock: SetClock) -> None:
    clock.to(2020, 1, 1, 12)
    put(desk, severity="MEDIUM")
    put(desk, severity="HIGH", subject="F2")
    assert (desk.send().sent, {row["not_before"][:16] for row in desk.messages(state="QUEUED")}) == (2, {"2020-01-02T07:30"})


def test_a_digest_tells_all_in_one_message_on_the_next_business_morning(desk: AlertDesk, clock: SetClock) -> None:
    clock.to(2019, 12, 31, 9)
    for number in range(5):
        put(desk, rule="RESULT_UNCONFIRMED", severity="MEDIUM", subject=f"R{number}")
        desk.send()
    (mail,) = desk.messages(channel="MAIL")
    # The first of January is a holiday.
    assert (mail["state"], mail["not_before"][:16]) == ("QUEUED", "2020-01-02T08:00")
    clock.to(2020, 1, 2, 8)
    assert desk.send().sent == 1
    (mail,) = desk.messages(channel="MAIL")
    assert all(f"R{number} is missing" in mail["body"] for number in range(5)) and "5 alerts" in mail["subject"]
    put(desk, rule="RESULT_UNCONFIRMED", severity="MEDIUM", subject="R9")
    desk.send()
    assert [row["state"] for row in desk.messages(channel="MAIL")] == ["SENT", "QUEUED"]


def test_outside_the_bank_only_whom_the_contract_names(desk: AlertDesk, clock: SetClock) -> None:
    desk.phones[BORROWER] = "13900000001"
    short(desk)
    desk.send()
    assert {row["whom"] for row in desk.messages()} == {"DUTY"}


def test_platform_customer_and_regulator_by_contract(desk: AlertDesk, clock: SetClock) -> None:
    desk.phones[BORROWER] = "13900000001"
    desk.party("P001", alerts={"to": ["PLATFORM", "CUSTOMER", "REGULATOR"], "languages": ["en"]})
    short(desk)
    put(desk, rule="DAYS_PAST_DUE", severity="CRITICAL", subject="LN2")
    desk.send()
    outside = {entry for entry in told(desk) if entry[0] != "DUTY"}
    assert outside == {
        ("PLATFORM", "P001", "FILE", "DIGEST"), ("CUSTOMER", BORROWER, "SMS", "IMMEDIATE"), ("REGULATOR", "REGULATOR", "MAIL", "DIGEST"),
    }  # fmt: skip
    (sms,) = [json.loads(p.read_text(encoding="utf-8")) for p in (desk.folder / "sms").iterdir()]
    assert (sms["address"], sms["text"]) == ("13900000001", "the account P001.BORROWER.U00*****01 is short of 5.00")
    clock.to(2019, 12, 31, 8)
    desk.send()
    (file,) = desk.messages(channel="FILE")
    (queued,) = desk.rows("outbound")
    assert (file["state"], file["proof"], queued["party"]) == ("SENT", queued["file_name"], "P001")
    said = json.loads(desk.archive.kept[queued["sha256"]])
    assert [alert["rule"] for alert in said["alerts"]] == ["BORROWER_SHORT", "DAYS_PAST_DUE"]
    assert "U001000001" not in json.dumps(said) and said["alerts"][0]["words_zh"]


@pytest.mark.parametrize("rule", ["AML_LARGE_VALUE", "AML_WATCH_LIST", "CONFIDENTIAL"])
def test_suspicion_of_money_laundering_is_told_to_nobody_outside(desk: AlertDesk, rule: str) -> None:
    desk.phones[BORROWER] = "13900000001"
    desk.party("P001", alerts={"to": ["PLATFORM", "CUSTOMER", "REGULATOR"]})
    put(desk, rule=rule, severity="CRITICAL")
    desk.send()
    assert told(desk) == {("DUTY", "risk_officer", "PAGE", "IMMEDIATE"), ("DUTY", "risk_officer", "MAIL", "IMMEDIATE")}


def test_what_nobody_answers_is_passed_on_to_the_next(desk: AlertDesk, clock: SetClock) -> None:
    number = put(desk)
    desk.send()
    assert desk.alert()["duty"] == "operator" and desk.alert()["answer_by"][:16] == "2019-12-30T11:00"
    clock.to(2019, 12, 30, 10, 59)
    assert desk.send().passed_on == 0
    clock.to(2019, 12, 30, 11)
    assert desk.send().passed_on == 1
    assert (desk.alert()["duty"], desk.events(number)) == ("supervisor", ["RAISED", "PASSED_ON"])
    assert ("DUTY", "supervisor", "SMS", "IMMEDIATE") in told(desk, state="SENT")
    clock.to(2019, 12, 30, 15)
    # The last one's turn: nobody is left, and it stays his.
    assert desk.send().passed_on == 0
    assert (desk.alert()["duty"], desk.alert()["answer_by"], desk.alert()["state"]) == ("supervisor", None, "OPEN")


def test_whoever_is_told_in_the_morning_has_his_time_from_then(desk: AlertDesk, clock: SetClock) -> None:
    clock.to(2019, 12, 30, 23)
    put(desk)
    desk.send()
    assert desk.alert()["answer_by"][:16] == "2019-12-31T08:30"


def test_what_is_answered_is_not_passed_on_until_it_was_left_too_long(desk: AlertDesk, clock: SetClock) -> None:
    number = put(desk)
    desk.send()
    acknowledge(desk.register, "op1", number)
    desk.send()
    clock.forward(days=1, hours=23)
    assert (desk.send().passed_on, desk.alert()["state"]) == (0, "ACKNOWLEDGED")
    clock.forward(hours=1)
    assert (desk.send().passed_on, desk.alert()["state"]) == (1, "OPEN")
    assert desk.events(number) == ["RAISED", "ACKNOWLEDGED", "REOPENED"]
    assert desk.alert()["duty"] == "operator"


def test_closed_by_a_person_and_found_for_days_it_is_open_again(desk: AlertDesk, clock: SetClock) -> None:
    number = short(desk)
    desk.send()
    close(desk.register, "risk1", number, "he has paid in cash")
    for days, state in ((1, "CLOSED"), (2, "CLOSED"), (3, "OPEN")):
        short(desk, on=DAY + timedelta(days))
        clock.forward(days=1)
        desk.send()
        assert (desk.alert()["state"], days) == (state, days)
    assert desk.events(number) == ["RAISED", "CLOSED", "REOPENED"] and desk.alert()["closed_by"] is None


def test_whoever_was_told_is_told_of_the_end_and_nobody_else(desk: AlertDesk, clock: SetClock) -> None:
    number = put(desk)
    desk.send()
    clock.forward(minutes=10)
    with desk.register.transaction() as tx:
        end_alert(tx, "system", tx.moment(), number, ("it came after all", "已补报"))
    desk.send()
    assert len(desk.messages(channel="SMS")) == len(desk.messages(channel="MAIL")) == 2
    (_, mail) = desk.messages(channel="MAIL")
    assert "it came after all" in mail["body"] and "已补报" in mail["body"] and "acknowledge" not in mail["body"]
    with desk.register.transaction() as tx:
        assert len(messages(tx, number)) == 6


def test_nobody_to_call_is_a_finding_and_the_message_waits_for_him(desk: AlertDesk, clock: SetClock) -> None:
    with desk.register.transaction() as tx:
        tx.delete("party_contact", party="BANK", role="OPERATOR")
    put(desk)
    done = desk.send()
    assert (done.unreachable, done.sent, done.away) == (2, 0, {})
    assert all("org contact" in row["last_reason"] for row in desk.messages(state="QUEUED"))
    desk.contact("BANK", "OPERATOR", "13800001234", "new@bank.test")
    clock.forward(minutes=2)
    assert (desk.send().sent, desk.messages(state="QUEUED")) == (2, [])


def test_what_is_never_taken_is_given_up_and_the_page_says_so_once(desk: AlertDesk, clock: SetClock) -> None:
    with desk.register.transaction() as tx:
        tx.delete("party_contact", party="BANK", role="OPERATOR")
    put(desk, severity="MEDIUM")
    desk.send()
    clock.forward(hours=121)
    assert desk.send().failed == 1
    given_up = desk.alert(rule="ALERT_UNDELIVERED")
    assert "DUTY" in given_up["subject"] and "放弃" in given_up["words_zh"]
    desk.send()
    assert {row["channel"] for row in desk.messages(state="SENT")} == {"PAGE"}


def test_who_may_not_send(desk: AlertDesk) -> None:
    put(desk)
    with pytest.raises(NotPermitted):
        send_alerts(desk.ports, "audit1")
    assert desk.messages() == []
