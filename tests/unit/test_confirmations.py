"""Who confirms what he was told, who disputes it, who is silent for how long."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from custody.calendar import SettlementCalendar
from custody.confirmations import KEPT_DAYS, Result, Rule, alerts_of, standing
from custody.names import BreakKind
from custody.risk_alerts import Severity
from custody.verdict_words import KIND_WORDS, RULE_WORDS, why

CALENDAR = SettlementCalendar({})
# A Monday; the next Monday is 6 January, the 1st is a holiday.
DAY = date(2019, 12, 30)
RESULT = Result("P001", "P001_RECON_RESULT_20191230_01_v1.json", "a" * 64, DAY)


def line(
    verdict: str = "AGREED", row: str = "ALL", seal: str = "a" * 64, result: str = RESULT.name, no: int = 2
) -> dict[str, Any]:
    return {
        "party": "P001", "file_name": "P001_CONFIRMATION_20191231_50_v1.csv", "line_no": no, "result": result, "seal": seal, "row": row,
        "verdict": verdict, "remark": None,
    }  # fmt: skip


def test_a_result_is_awaited_until_it_is_confirmed() -> None:
    waiting = standing([], [RESULT], [], DAY, CALENDAR)
    assert [(r["state"], r["due_on"]) for r in waiting] == [("AWAITED", date(2019, 12, 31))]
    assert alerts_of(waiting, [], date(2019, 12, 31), CALENDAR) == []
    agreed = standing(waiting, [RESULT], [line()], date(2019, 12, 31), CALENDAR)
    assert [(r["state"], r["said_in"], r["said_on"]) for r in agreed] == [
        ("AGREED", "P001_CONFIRMATION_20191231_50_v1.csv:2", date(2019, 12, 31))
    ]
    assert standing(agreed, [RESULT], [], date(2020, 1, 1), CALENDAR) == agreed


def test_silence_is_an_alert_from_the_day_after_it_was_due_and_weighs_more_later() -> None:
    waiting = standing([], [RESULT], [], DAY, CALENDAR)
    first, graver = (alerts_of(waiting, [], day, CALENDAR) for day in (date(2020, 1, 1), date(2020, 1, 4)))
    assert [(a.rule, a.severity) for a in first] == [(Rule.UNCONFIRMED, Severity.MEDIUM)]
    assert [(a.rule, a.severity) for a in graver] == [(Rule.UNCONFIRMED, Severity.HIGH)]
    assert first[0].alert_id == graver[0].alert_id
    assert first[0].words[0].startswith("P001_RECON_RESULT_20191230_01_v1.json was to be confirmed by 2019-12-31")


def test_one_disputed_row_disputes_the_result_until_the_whole_is_agreed() -> None:
    own = "P001_TXN_20191230_01_v1.csv:17"
    disputed = standing([], [RESULT], [line("DISPUTED", own), line("DISPUTED", own.replace("17", "18"), no=3)], DAY, CALENDAR)
    assert [(r["state"], r["disputed_rows"]) for r in disputed] == [("DISPUTED", 2)]
    assert [a.rule for a in alerts_of(disputed, [], DAY, CALENDAR)] == [Rule.DISPUTED]
    # To agree with one row says nothing of the result.
    assert standing(disputed, [], [line("AGREED", own)], DAY, CALENDAR)[0]["state"] == "DISPUTED"
    assert standing(disputed, [], [line()], DAY, CALENDAR)[0]["state"] == "AGREED"


def test_what_was_read_in_another_version_confirms_nothing() -> None:
    for wrong in (line(seal="b" * 64), line(result="P001_RECON_RESULT_20191229_01_v1.json")):
        rows = standing([], [RESULT], [wrong], DAY, CALENDAR)
        assert rows[0]["state"] == "AWAITED"
        assert [a.rule for a in alerts_of(rows, [wrong], DAY, CALENDAR)] == [Rule.UNKNOWN]


def test_a_new_version_of_a_result_is_awaited_anew() -> None:
    agreed = standing([], [RESULT], [line()], DAY, CALENDAR)
    newer = Result("P001", RESULT.name.replace("v1", "v2"), "c" * 64, DAY)
    assert [(r["result"], r["state"]) for r in standing(agreed, [newer], [], DAY, CALENDAR)] == [(newer.name, "AWAITED")]


def test_what_is_agreed_is_forgotten_in_time_and_what_is_not_stays() -> None:
    later = DAY + timedelta(days=KEPT_DAYS)
    assert standing(standing([], [RESULT], [line()], DAY, CALENDAR), [], [], later, CALENDAR) == []
    assert len(standing(standing([], [RESULT], [], DAY, CALENDAR), [], [], later, CALENDAR)) == 1


def test_every_kind_of_break_has_words_in_both_languages() -> None:
    assert set(KIND_WORDS) == set(BreakKind)
    assert all(all(words) and words[0] != words[1] for words in (*KIND_WORDS.values(), *RULE_WORDS.values()))
    assert why(BreakKind.AMOUNT) == KIND_WORDS[BreakKind.AMOUNT] and why("late_file") == RULE_WORDS["late_file"]
