"""The page of rules: every version as the book has it on a date, and each proposal with what its trial showed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from instance_kit import GO_LIVE, copy_of, opened
from pages_kit import Desk, read

from console.pages.listing import ROWS_ON_A_PAGE
from custody.digest import digest_of_json
from custody.match_rules import read_rule
from custody.services.rules import propose_rule, rules_with_state
from schemas.rule_book import shipped_rules

HOSTILE = "<script>alert('x')</script>\"'&"
CHANGE = {"what": "VANISHES", "before": "TIMING", "after": "", "count": 3, "amount_minor": 12345, "examples": []}

# Of a rule of alerts (custody.services.alert_trial).
TOLD = {
    "what": "WHEN", "count": 2, "whom": "DUTY", "recipient": "SUPERVISOR", "channel": "SMS", "rule": "FILE_MISSING", "event": "RAISED",
}  # fmt: skip


def test_every_version_stands_with_owner_and_source(desk: Desk) -> None:
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        _, known = rules_with_state(tx, shipped_rules(), GO_LIVE)
    pages = [
        read(desk.get("rules", date=GO_LIVE.isoformat(), page=str(n)).text) for n in range(1, len(known) // ROWS_ON_A_PAGE + 2)
    ]
    rows = {row[0]: row for shown in pages for row in shown.tables[-1][1:]}
    assert set(rows) == {rule.id for rule, _ in known}
    words = {"IN_FORCE": "in force 生效", "TO_COME": "to come 待生效", "PAST": "past 已失效"}
    assert {state for _, state in known} == set(words)
    for rule, state in known:
        row = rows[rule.id]
        assert words[state] in row[1] and row[4] == rule.owner and row[6] == rule.basis
        assert rule.words_en in row[5] and rule.words_zh in row[5]


def test_before_its_first_day_a_rule_is_to_come(desk: Desk) -> None:
    shown = read(desk.get("rules", date="2015-06-01", sort="state", desc="1").text)
    assert {row[1] for row in shown.tables[-1][1:]} == {"to come 待生效", "in force 生效"}


@pytest.fixture
def proposed(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """An instance with one proposed rule, and the proposal's number."""
    home = copy_of(desk.home, tmp_path / "home")
    (first,) = (rule for rule in shipped_rules() if rule.rule_id == "cut_off_window")
    rule = read_rule({**first.entry, "version": 2, "valid_from": date(2031, 1, 1).isoformat(), "minutes": 60}, "test")
    days = [{"date": GO_LIVE.isoformat(), "platform": "P001", "breaks": [CHANGE], "rows": [], "messages": [TOLD]}]
    body = {"rules": [{"id": rule.id, "digest": rule.digest}], "from": str(GO_LIVE), "to": str(GO_LIVE), "days": days}
    trial = {**body, "differs": True, "digest": digest_of_json(body)}
    with opened(home) as instance:
        register, clock = instance.wiring.register, instance.wiring.clock
        number = propose_rule(register, clock, "maker", shipped_rules(), rule, trial, HOSTILE)
    monkeypatch.setenv("CUSTODY_HOME", str(home))
    who = desk.who
    yield home, number
    desk.who = who


def test_a_proposal_shows_its_trial_and_runs_no_script(desk: Desk, proposed: tuple[Path, str]) -> None:
    _, number = proposed
    answer = desk.get("rules").text
    row, below = read(answer).tables[0][1:]
    assert row[:5] == [number, "cut_off_window/2", "2031-01-01", "maker", HOSTILE]
    assert "3 breaks would vanish / 不再出现: TIMING → –, 123.45" in row[5]
    assert "2 × DUTY SUPERVISOR SMS: FILE_MISSING RAISED would be told at another time / 通知时间改变" in row[5]
    assert HOSTILE not in answer
    assert "Another person decides" in below[0] and 'action="rule-decide"' not in answer


def test_another_person_decides_on_the_page(desk: Desk, proposed: tuple[Path, str]) -> None:
    home, number = proposed
    for who in ("auditor", "maker"):
        desk.who = who
        assert desk.post("rule-decide", proposal=number, answer="approve", note="mine").status_code == 403
    desk.who = "checker"
    assert 'action="rule-decide"' in desk.get("rules").text
    assert desk.post("rule-decide", proposal=number, answer="perhaps", note="x").status_code == 400
    answer = desk.post("rule-decide", proposal=number, answer="approve", note="a circular")
    assert (answer.status_code, answer.headers["location"]) == (303, "rules")
    again = desk.post("rule-decide", proposal=number, answer="reject", note="no")
    assert again.status_code == 400 and "is APPROVED already, by checker" in again.text
    shown = read(desk.get("rules", date="2031-01-01", sort="rule").text)
    assert len(shown.tables) == 1
    with opened(home) as instance:
        (row,) = instance.find("adopted_rule")
    assert (row["rule_id"], row["version"], row["proposal_id"]) == ("cut_off_window", 2, number)


def test_a_date_that_is_none_is_said_so(desk: Desk) -> None:
    assert desk.get("rules", date="tomorrow").status_code == 400
