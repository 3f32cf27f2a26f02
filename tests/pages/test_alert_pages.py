"""The pages of alerts: the list as it is asked for, one with its history, messages and source, and each deed by whom it may."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from instance_kit import GO_LIVE, Instance, copy_of, opened
from pages_kit import Desk, read
from typer.testing import CliRunner

from console.cli import app as command_line
from custody.alert_words import COMPLIANCE_WORDS, RULE_WORDS
from custody.calendar import ONE_DAY
from custody.counting import counted
from custody.masking import mask_user_numbers
from custody.ports import Row
from custody.services.alert_messages import send_alerts
from custody.services.alerts import follow, put_alert
from schemas import rule_book
from schemas.rule_book import shipped_rules

HOSTILE = "<script>alert('x')</script>\"'&"
BORROWER = "P001.BORROWER.U001000001"


@pytest.fixture
def own_desk(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An instance that may be changed, with alerts of every severity, told once."""
    home = copy_of(desk.home, tmp_path / "copy")
    monkeypatch.setenv("CUSTODY_HOME", str(home))
    with opened(home) as instance:
        with instance.wiring.register.transaction() as tx:
            for number, level in enumerate(("LOW", "HIGH", "CRITICAL", "MEDIUM")):
                words = (f"{HOSTILE} of {BORROWER}", f"{BORROWER} 的 {HOSTILE}")
                put_alert(tx, "system", "FILE_MISSING", f"F{number}", GO_LIVE, words, level, "P001", "")
        tell(instance)
    desk.who = "maker"
    return Desk(desk.client, home, desk.who)


def test_the_list_can_be_asked_for_every_rule(desk: Desk) -> None:
    desk.who = "maker"
    offered = desk.get("alerts").text
    for rule in (*RULE_WORDS, *COMPLIANCE_WORDS):
        assert f'<option value="{rule}"' in offered, rule


def tell(instance: Instance) -> None:
    with instance.wiring.sending_alerts():
        send_alerts(instance.wiring.alert_ports, "system")


def alerts(desk: Desk, **wanted: object) -> list[Row]:
    with opened(desk.home) as instance:
        return instance.find("alert", **wanted)


def test_the_list_has_what_is_not_closed_the_gravest_first_and_masked(own_desk: Desk) -> None:
    answer = own_desk.get("alerts")
    shown = read(answer.text)
    rows = shown.tables[0][1:]
    standing = [row for row in alerts(own_desk) if row["state"] != "CLOSED"]
    assert answer.status_code == 200 and len(rows) == min(50, len(standing))
    order = ["critical", "high", "medium", "low"]
    levels = [order.index(row[1].split()[0]) for row in rows]
    assert levels == sorted(levels) and levels[0] == 0
    assert "U001000001" not in answer.text and "<script>alert" not in answer.text and "U00*****01" in answer.text
    assert {f"alert?id={row['alert_id']}" for row in alerts(own_desk, severity="CRITICAL")} <= set(shown.links)


def test_the_list_is_what_is_asked_for(own_desk: Desk) -> None:
    for asked in (
        {"severity": "HIGH"},
        {"rule": "FILE_MISSING"},
        {"platform": "P001"},
        {"duty": "operator"},
        {"state": "CLOSED"},
    ):
        (name,) = asked
        expected = [r for r in alerts(own_desk, **asked) if name == "state" or r["state"] != "CLOSED"]
        text = own_desk.get("alerts", **asked).text
        assert f">{counted(len(expected), 'alert')} " in text, asked
    for sort in ("severity", "raised", "rule", "platform", "due", "state", "nonsense"):
        for desc in ("", "1"):
            assert own_desk.get("alerts", sort=sort, desc=desc, page="9", rule="<b>").status_code == 200
    rows = read(own_desk.get("alerts", rule="FILE_MISSING", desc="1").text).tables[0][1:]
    assert rows[0][1].split()[0] == "low"


def test_one_alert_has_its_source_its_history_and_who_was_told(own_desk: Desk) -> None:
    (one,) = alerts(own_desk, subject="F2")
    answer = own_desk.get("alert", id=one["alert_id"])
    shown = read(answer.text)
    assert answer.status_code == 200 and "alert_files/1" in shown.text and "domain.md §5" in shown.text
    messages = next(table for table in shown.tables if table[0][0].startswith("message"))
    assert [row[2].split()[0] for row in messages[1:]].count("page") == 1 and len(messages) == 4
    assert "custody org contact" in shown.text  # nobody is named for that duty yet
    assert "U001000001" not in answer.text and "<script>alert" not in answer.text
    assert own_desk.get("alert", id="f" * 64).status_code == 404


def test_an_overdue_loan_shows_the_rows_behind_it_and_the_page_the_trend(own_desk: Desk) -> None:
    with opened(own_desk.home) as instance:
        loan = instance.lake_rows(GO_LIVE, "risk", "loan_risk")[0]
        words = {"words_en": f"{loan['loan_id']} is overdue, {loan['borrower']}", "words_zh": "逾期"}
        row = {"alert_id": "d" * 64, "rule": "DAYS_PAST_DUE", "platform": loan["platform"], "subject": loan["loan_id"], "severity": "HIGH",
               "figures": '{"currency": "CNY", "overdue_minor": 12345}', **words}  # fmt: skip
        with instance.wiring.register.transaction() as tx:
            follow(tx, "system", GO_LIVE, [row], [])
    found = alerts(own_desk, rule="DAYS_PAST_DUE")
    answer = own_desk.get("alert", id=found[0]["alert_id"])
    assert "loan_risk" in answer.text and "本行监测规则" in answer.text and "123.45" in answer.text
    said = CliRunner().invoke(command_line, ["alert", "explain", found[0]["alert_id"][:12]]).stdout
    assert "loan_risk" in said and found[0]["subject"] in said and mask_user_numbers(found[0]["words_en"]) in said
    assert read(own_desk.get("alerts").text).tables[-1][0][0].startswith("custody date")


def test_overdue_by_week_shows_each_seventh_date_back_from_the_newest(own_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    # Airflow is imported once the fixtures have given it a home.
    from console.pages import alerts as page

    asked: list[list[date]] = []
    begun = [GO_LIVE + n * ONE_DAY for n in range(400)]
    monkeypatch.setattr(page, "days_begun", lambda tx: begun)
    monkeypatch.setattr(page, "overdue_trend", lambda wiring, days, platform: asked.append(list(days)) or [])
    (href,) = (one for one in read(own_desk.get("alerts", platform="P001").text).links if "span=weeks" in one)
    assert href.startswith("alerts?platform=P001") and href.endswith("#overdue")
    assert "day by day" in own_desk.get("alerts", span="weeks").text
    assert asked == [begun[-30:], [begun[-1] - timedelta(days=7 * n) for n in reversed(range(52))]]


def test_platforms_and_the_days_ahead_are_those_of_the_newest_assessed_date(own_desk: Desk) -> None:
    with opened(own_desk.home) as instance:
        portfolio, ahead = (instance.lake_rows(GO_LIVE, "risk", table) for table in ("portfolio", "shortage_forecast"))
        loans = instance.lake_rows(GO_LIVE, "risk", "loan_risk")
    shown = read(own_desk.get("alerts").text)
    (table,) = [one for one in shown.tables if one[0][0].startswith("platform") and len(one[0]) == 10]
    assert [row[0] for row in table[1:]] == [row["platform"] for row in portfolio] and len(table) > 1
    assert sum(row["outstanding_minor"] for row in portfolio) == sum(row["outstanding_minor"] for row in loans)
    assert sum(row["loans"] for row in portfolio) == sum(row["outstanding_minor"] > 0 for row in loans)
    assert all(row[4].endswith("%") for row in table[1:])
    (days,) = [one for one in shown.tables if one[0][0].startswith("due")] or [[[]]]
    assert [row[0] for row in days[1:]] == sorted({row["due"].isoformat() for row in ahead})
    one = portfolio[0]["platform"]
    only = read(own_desk.get("alerts", platform=one).text)
    (table,) = [found for found in only.tables if found[0][0].startswith("platform") and len(found[0]) == 10]
    assert [row[0] for row in table[1:]] == [one]


def test_platforms_money_is_that_of_the_newest_assessed_date_the_soonest_short_first(own_desk: Desk) -> None:
    with opened(own_desk.home) as instance:
        days = instance.lake_rows(GO_LIVE, "risk", "platform_funds")
    lines = {
        (row["platform"], row["concern"]): max(d["short_minor"] for d in days if d["account"] == row["account"]) for row in days
    }
    shown = read(own_desk.get("alerts").text)
    (table,) = [one for one in shown.tables if one[0][0].startswith("platform") and len(one[0]) == 6]
    assert len(table) - 1 == len(lines) > 3 and {row[0] for row in table[1:]} == {platform for platform, _ in lines}
    assert [row[4][0] for row in table[1:]] == sorted((row[4][0] for row in table[1:]), key="▲✓".index)
    one = days[0]["platform"]
    text = own_desk.get("alerts", platform=one).text
    (table,) = [found for found in read(text).tables if found[0][0].startswith("platform") and len(found[0]) == 6]
    assert {row[0] for row in table[1:]} == {one}
    # A line of what is there and one of what is needed, with a mark for each day.
    marks = text.count('<circle class="against"')
    assert text.count('<polyline class="against"') == len(table) - 1 and marks == sum(day["platform"] == one for day in days)


def test_an_alert_of_a_platforms_money_shows_the_sums_behind_it(own_desk: Desk) -> None:
    with opened(own_desk.home) as instance:
        one = next(row for row in instance.lake_rows(GO_LIVE, "risk", "platform_funds") if row["concern"] == "COVER")
        row = {"alert_id": "c" * 64, "rule": "COVER_SHORT", "platform": one["platform"], "subject": one["account"], "severity": "HIGH",
               "figures": '{"currency": "CNY", "shortfall_minor": 12345}', "words_en": "short", "words_zh": "缺口"}  # fmt: skip
        with instance.wiring.register.transaction() as tx:
            follow(tx, "system", GO_LIVE, [row], [])
    text = own_desk.get("alert", id="c" * 64).text
    assert "platform_funds_items" in text and "CUSTOMERS" in text and "不变式 13" in text and "alert_platform_short/1" in text
    said = CliRunner().invoke(command_line, ["alert", "explain", "c" * 12]).stdout
    assert "platform_funds_items" in said and "RECEIVABLE" in said


def test_it_is_acknowledged_and_closed_with_a_reason(own_desk: Desk) -> None:
    (one,) = alerts(own_desk, subject="F1")
    to = {"id": one["alert_id"]}
    answer = own_desk.post("alert-acknowledge", **to, note="I call them")
    assert (answer.status_code, answer.headers["location"]) == (303, f"alert?id={one['alert_id']}#history")
    assert own_desk.post("alert-close", **to, note=" ").status_code == 400
    assert own_desk.post("alert-close", **to, note=f"{HOSTILE} settled").status_code == 303
    (after,) = alerts(own_desk, subject="F1")
    assert (after["state"], after["acknowledged_by"], after["closed_by"]) == ("CLOSED", "maker", "maker")
    text = own_desk.get("alert", **to).text
    assert "I call them" in text and "settled" in text and "<script>alert" not in text and 'action="alert-' not in text


def test_who_may_only_look_is_offered_nothing_and_may_do_nothing(own_desk: Desk, desk: Desk) -> None:
    (one,) = alerts(own_desk, subject="F3")
    desk.who = "auditor"
    assert 'action="alert-' not in own_desk.get("alert", id=one["alert_id"]).text
    for deed in ("acknowledge", "close"):
        assert own_desk.post(f"alert-{deed}", id=one["alert_id"], note="x").status_code == 403
    desk.who = "zhang"
    assert own_desk.get("alerts").status_code == own_desk.get("alert", id=one["alert_id"]).status_code == 403


def test_the_command_line_lists_shows_and_sends(own_desk: Desk) -> None:
    run = CliRunner()
    listed = run.invoke(command_line, ["alert", "list", "--rule", "FILE_MISSING", "--severity", "CRITICAL"])
    (one,) = alerts(own_desk, subject="F2")
    assert listed.exit_code == 0 and one["alert_id"][:12] in listed.stdout and "U001000001" not in listed.stdout
    shown = run.invoke(command_line, ["alert", "show", one["alert_id"][:12]])
    assert "raised 产生" in shown.stdout and "SENT" in shown.stdout and "QUEUED" in shown.stdout
    sent = run.invoke(command_line, ["alert", "send"])
    assert sent.exit_code in (0, 1) and "waiting" in sent.stdout
    assert run.invoke(command_line, ["alert", "messages", "--state", "NONSENSE"]).exit_code == 2
    closed = run.invoke(command_line, ["alert", "close", one["alert_id"][:12], "--as", "maker", "--note", "it came"])
    assert closed.exit_code == 0 and alerts(own_desk, subject="F2")[0]["closed_reason"] == "it came"


def test_a_changed_rule_of_alerts_is_tried_on_the_days_alerts(own_desk: Desk, tmp_path: Path) -> None:
    """No SMS for files any more: of what was raised on the day the trial names each SMS that would not go, and nothing else."""
    entry = next(dict(rule.entry) for rule in shipped_rules() if rule.rule_id == "alert_files")
    to = [route for route in entry["to"] if route["channels"] != ["SMS"]]
    path = tmp_path / "rules.yaml"
    rule = {**entry, "version": 2, "valid_from": date(2030, 1, 1), "to": to}
    path.write_text(yaml.safe_dump({"rules": [rule]}, allow_unicode=True), encoding="utf-8")
    asked = ["rules", "try", str(path), "--from", GO_LIVE.isoformat(), "--to", GO_LIVE.isoformat()]
    tried = CliRunner().invoke(command_line, [*asked, "--json"])
    assert tried.exit_code == 1, tried.output
    found = json.loads(tried.stdout)
    lines = [one for day in found["days"] for one in day["messages"]]
    assert lines and {(one["what"], one["channel"], one["recipient"]) for one in lines} == {("VANISHES", "SMS", "operator")}
    with opened(own_desk.home) as instance:
        raised = {row["alert_id"] for row in instance.find("alert", raised_on=GO_LIVE)}
        sms = {row["message_id"] for row in instance.find("alert_message", channel="SMS", recipient="operator")}
        told = [row for row in instance.find("alert_told") if row["message_id"] in sms and row["alert_id"] in raised]
    # A message may tell of several happenings; each is a line's.
    assert sum(one["count"] for one in lines) == len(told) > 1
    shown = CliRunner().invoke(command_line, asked)
    assert "would not be told" in shown.stdout and "不再通知" in shown.stdout
    rule["alerts"] = ["AML_*"]
    rule["to"] = [*to, {"whom": "PLATFORM", "channels": ["FILE"], "when": "DIGEST", "from": "LOW", "languages": ["zh"]}]
    path.write_text(yaml.safe_dump({"rules": [rule]}, allow_unicode=True), encoding="utf-8")
    assert CliRunner().invoke(command_line, asked).exit_code == 2


def test_a_broken_rule_file_is_told_as_such_and_not_as_a_missing_alert(desk: Desk, tmp_path: Path) -> None:
    """Its file, rule, field, and what to do: nobody asked for something wrong."""
    with opened(desk.home) as instance:
        alert = instance.find("alert")[0]
    folder = tmp_path / "rules"
    shutil.copytree(Path(rule_book.__file__).parent / "rules", folder)
    whole = (folder / "alerts.yaml").read_text(encoding="utf-8")
    (folder / "alerts.yaml").write_text(whole.replace("    version: 1\n", "    version: first\n", 1), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_book, "files", lambda _: tmp_path)
        shipped_rules.cache_clear()
        shown = desk.get("alert", id=alert["alert_id"])
    shipped_rules.cache_clear()
    assert shown.status_code == 500
    for said in ("until somebody puts this right", "alerts.yaml", "rule alert_", "version", "put the file back", "请恢复"):
        assert said in shown.text, shown.text
    assert desk.get("alert", id=alert["alert_id"]).status_code == 200
    assert desk.get("alert", id="none").status_code == 404
