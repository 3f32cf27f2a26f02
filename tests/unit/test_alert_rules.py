"""Rules of alerts: read strictly, dated, and never such that suspicion of money laundering is disclosed."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime
from typing import Any

import pytest

from custody.alert_rules import AlertRules, Channel, Mode, Whom, contract_faults, contract_terms, is_disclosed_never
from custody.calendar import CHINA, SettlementCalendar
from custody.declared import BadDeclaration
from custody.errors import UsageError
from custody.match_rules import RuleBook, read_rule
from schemas.rule_book import shipped_rules

ON = date(2019, 12, 30)
CALENDAR = SettlementCalendar()


def entry(rule: str) -> dict[str, Any]:
    return deepcopy(dict(next(one for one in shipped_rules() if one.rule_id == rule).entry))


def rules() -> AlertRules:
    return RuleBook.of(shipped_rules()).rules_on(ON).alerts


@pytest.mark.parametrize(
    ("rule", "change", "why"),
    [
        ("alert_aml", {"to": [{"whom": "PLATFORM", "channels": ["FILE"], "when": "DIGEST", "from": "LOW", "languages": ["zh"]}]}, "PAGE"),
        ("alert_secrecy", {"never": ["PLATFORM"]}, "take away none"),
        ("alert_secrecy", {"alerts": ["BORROWER_SHORT"]}, "take away none"),
        ("alert_secrecy", {"withdrawn": True}, "cannot be withdrawn"),
        ("alert_other", {"valid_to": "2020-01-01"}, "has no valid_to"),
        ("alert_files", {"turns": []}, "turns lists nothing"),
        ("alert_files", {"turns": ["auditor"]}, "turns lists auditor"),
        ("alert_files", {"minutes": {"LOW": 1, "MEDIUM": 1, "HIGH": 1}}, "'CRITICAL' is missing"),
        ("alert_files", {"minutes": {"LOW": 0, "MEDIUM": 1, "HIGH": 1, "CRITICAL": 1}}, "from 1 to"),
        ("alert_files", {"reopen_days": 0}, "from 1 to 366"),
        ("alert_files", {"alerts": ["file missing"]}, "write names such as"),
        ("alert_files", {"to": []}, "somebody of the bank must see"),
        ("alert_quiet_nights", {"from": "25:00"}, "HH:MM"),
        ("alert_quiet_nights", {"channels": ["PAGE"]}, "write some of MAIL, SMS"),
        ("alert_digest", {"days": "SUNDAYS"}, "not one of"),
    ],
)  # fmt: skip
def test_what_a_rule_may_not_say(rule: str, change: dict[str, Any], why: str) -> None:
    with pytest.raises(BadDeclaration, match=why):
        read_rule(entry(rule) | change, "f.yaml")


@pytest.mark.parametrize("alerts", [["AML_*"], ["AML_SUSPICIOUS"], ["A*"], ["CONF*"], ["FILE_MISSING", "CONFIDENTIAL"]])
@pytest.mark.parametrize("whom", ["PLATFORM", "CUSTOMER"])
def test_no_rule_can_disclose_suspicion(alerts: list[str], whom: str) -> None:
    route = {"whom": whom, "channels": ["SMS"], "when": "IMMEDIATE", "from": "LOW", "languages": ["zh"]}
    route |= {"contact": "COMPLIANCE"} if whom == "PLATFORM" else {}
    said = entry("alert_aml") | {"alerts": alerts}
    said["to"] = [*said["to"], route]
    with pytest.raises(BadDeclaration, match="must not learn"):
        read_rule(said, "f.yaml")


def test_suspicion_is_secret_though_no_rule_named_it() -> None:
    secrecy = rules().secrecy
    assert is_disclosed_never("AML_ANYTHING", Whom.CUSTOMER, secrecy) and is_disclosed_never(
        "CONFIDENTIAL", Whom.PLATFORM, secrecy
    )
    assert not is_disclosed_never("AML_X", Whom.REGULATOR, secrecy) and not is_disclosed_never(
        "FILE_MISSING", Whom.PLATFORM, secrecy
    )


def test_the_first_rule_that_names_an_alert_holds() -> None:
    assert rules().for_alert("FILE_MISSING")[0] == "alert_files/1"
    assert rules().for_alert("NEVER_HEARD_OF")[0] == "alert_other/1"


@pytest.mark.parametrize(
    ("moment", "severity", "channel", "mode", "expected"),
    [
        ("2019-12-30 10:00", "LOW", Channel.SMS, Mode.IMMEDIATE, "2019-12-30 10:00"),
        ("2019-12-30 21:59", "HIGH", Channel.SMS, Mode.IMMEDIATE, "2019-12-30 21:59"),
        ("2019-12-30 22:00", "HIGH", Channel.SMS, Mode.IMMEDIATE, "2019-12-31 07:30"),
        ("2019-12-31 07:29", "HIGH", Channel.MAIL, Mode.IMMEDIATE, "2019-12-31 07:30"),
        ("2019-12-31 07:30", "HIGH", Channel.MAIL, Mode.IMMEDIATE, "2019-12-31 07:30"),
        ("2019-12-30 23:00", "CRITICAL", Channel.SMS, Mode.IMMEDIATE, "2019-12-30 23:00"),
        ("2019-12-30 23:00", "LOW", Channel.FILE, Mode.IMMEDIATE, "2019-12-30 23:00"),
        # New Year's Day is a holiday: what is not high waits for the second, and there for the end of the night.
        ("2019-12-31 23:00", "MEDIUM", Channel.MAIL, Mode.IMMEDIATE, "2020-01-02 07:30"),
        ("2020-01-01 12:00", "HIGH", Channel.MAIL, Mode.IMMEDIATE, "2020-01-01 12:00"),
        # Spring festival 2020, with the working Sunday of the 19th of January before it.
        ("2020-01-18 12:00", "MEDIUM", Channel.MAIL, Mode.IMMEDIATE, "2020-01-19 07:30"),
        ("2020-01-24 12:00", "MEDIUM", Channel.MAIL, Mode.IMMEDIATE, "2020-02-03 07:30"),
        ("2019-12-30 07:59", "LOW", Channel.MAIL, Mode.DIGEST, "2019-12-30 08:00"),
        ("2019-12-30 08:00", "LOW", Channel.MAIL, Mode.DIGEST, "2019-12-31 08:00"),
        ("2019-12-31 08:01", "LOW", Channel.MAIL, Mode.DIGEST, "2020-01-02 08:00"),
    ],
)
def test_when_a_message_may_go(moment: str, severity: str, channel: Channel, mode: Mode, expected: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=CHINA)
    assert f"{rules().not_before(channel, mode, severity, now, CALENDAR):%Y-%m-%d %H:%M}" == expected


@pytest.mark.parametrize(
    ("term", "fault"),
    [
        ([], "must be an object"), ({"to": ["PLATFORM"], "by": 1}, "must be an object"), ({"languages": ["zh"]}, "must be an object"),
        ({"to": []}, "to must list"), ({"to": ["DUTY"]}, "to must list"), ({"to": ["PLATFORM"], "languages": ["fr"]}, "languages must list"),
    ],
)  # fmt: skip
def test_what_a_contract_may_not_say(term: object, fault: str) -> None:
    (said,) = contract_faults({"alerts": term})
    assert fault in said


def test_a_contract_that_says_nothing_names_nobody() -> None:
    assert contract_faults({}) == [] and contract_terms({}) == (frozenset(), ())
    named = {"alerts": {"to": ["PLATFORM", "CUSTOMER"], "languages": ["en"]}}
    assert contract_faults(named) == [] and contract_terms(named) == (frozenset({"PLATFORM", "CUSTOMER"}), ("en",))


def test_a_date_without_these_rules_is_refused_with_words() -> None:
    kept = [rule for rule in shipped_rules() if rule.rule_id != "alert_digest"]
    with pytest.raises(UsageError, match="exactly one rule of form digest"):
        _ = RuleBook.of(kept).rules_on(ON).alerts
