"""Does the platform agree with what it was told? Each RECON_RESULT is awaited until the platform confirms it, and who is
silent is asked (domain.md §6; guideline 2017 no. 21, art. 12: reconcile every day with the platform).

A confirmation names the result and the seal that the result states, so that nobody confirms what he has not read. The last
row speaks; a row that disputes a row of the platform's own disputes the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from custody.calendar import SettlementCalendar
from custody.digest import digest_of_json
from custody.risk_alerts import Severity

# Ours: a platform has until the end of the next bank business day; from the third it weighs more.
DUE_BUSINESS_DAYS = 1
GRAVE_BUSINESS_DAYS = 3
# Answers are looked for as long as this; what is unanswered then stays an alert.
KEPT_DAYS = 62
WHOLE = "ALL"
Row = Mapping[str, Any]


class State(StrEnum):
    AWAITED = "AWAITED"
    AGREED = "AGREED"
    DISPUTED = "DISPUTED"


class Rule(StrEnum):
    UNCONFIRMED = "RESULT_UNCONFIRMED"
    DISPUTED = "RESULT_DISPUTED"
    # What is confirmed was never sent, or was read in another version.
    UNKNOWN = "RESULT_UNKNOWN"


@dataclass(frozen=True)
class Result:
    """One that was made for a platform: its file's name, the seal it states, the custody date it is about."""

    platform: str
    name: str
    seal: str
    result_date: date


def standing(before: Iterable[Row], results: Iterable[Result], said: Sequence[Row], today: date,
             calendar: SettlementCalendar) -> list[dict[str, Any]]:  # fmt: skip
    """How each platform's newest result of each date stands at the end of ``today``, as rows of the table ``confirmations``.

    ``before``: yesterday's. ``said``: the confirmation rows that landed today, in the order in which they are to count.
    Raises CalendarUnknown where the bank's calendar does not reach.
    """
    known = {(row["platform"], row["result_date"]): dict(row) for row in before}
    for result in results:
        key = result.platform, result.result_date
        if key in known and known[key]["seal"] == result.seal and known[key]["result"] == result.name:
            continue
        # Another version is another thing to confirm.
        known[key] = {
            "platform": result.platform,
            "result_date": result.result_date,
            "result": result.name,
            "seal": result.seal,
            "due_on": calendar.add_business_days(result.result_date, DUE_BUSINESS_DAYS),
            "state": str(State.AWAITED),
            "said_in": None,
            "said_on": None,
            "disputed_rows": 0,
            "remark": None,
        }
    by_name = {(row["platform"], row["result"]): row for row in known.values()}
    for line in said:
        row = by_name.get((line["party"], line["result"]))
        if row is None or row["seal"] != line["seal"]:
            continue  # alerts_of says so
        if line["row"] == WHOLE:
            row["state"], row["disputed_rows"] = line["verdict"], 0
        elif line["verdict"] == State.DISPUTED:
            row["state"], row["disputed_rows"] = str(State.DISPUTED), row["disputed_rows"] + 1
        row["said_in"], row["said_on"], row["remark"] = f"{line['file_name']}:{line['line_no']}", today, line["remark"]
    oldest = today - timedelta(days=KEPT_DAYS)
    return [known[key] for key in sorted(known) if key[1] > oldest or known[key]["state"] != State.AGREED]


@dataclass(frozen=True)
class ConfirmationAlert:
    """As custody.risk.Alert: what is said of it in both languages follows from rule and figures."""

    rule: Rule
    platform: str
    subject: str
    severity: Severity
    figures: dict[str, str | int]

    @property
    def alert_id(self) -> str:
        """The same as long as the condition lasts, so that it is raised once."""
        return digest_of_json([self.rule, self.platform, self.subject])

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)"""
        english, chinese = _WORDS[self.rule]
        return english.format(**self.figures), chinese.format(**self.figures)


_WORDS = {
    Rule.UNCONFIRMED: (
        "{result} was to be confirmed by {due_on} and is not: ask the platform whether it got it",
        "{result} 应于 {due_on} 前确认，至今未收到平台确认：请向平台核实是否收到",
    ),
    Rule.DISPUTED: (
        "the platform disputes {result} in {row}, {disputed_rows} rows of its own by name: go through its cases with the platform",
        "平台在 {row} 对 {result} 提出异议（逐笔异议 {disputed_rows} 笔）：请与平台逐项核对差错",
    ),
    Rule.UNKNOWN: (
        "{row} answers {result} with the seal {seal}, which is not what was sent: the platform read another version, or none",
        "{row} 所确认的 {result}（封存摘要 {seal}）与本行发送的不一致：平台读取的不是现行版本",
    ),
}


def alerts_of(rows: Iterable[Row], said: Iterable[Row], today: date, calendar: SettlementCalendar) -> list[ConfirmationAlert]:
    """Who is silent beyond the due time, who disputes, and who confirms what he was not sent.

    ``rows``: of ``standing``; ``said``: today's confirmation rows."""
    rows = list(rows)
    seals = {(row["platform"], row["result"]): row["seal"] for row in rows}
    alerts = [_alert_of(row, today, calendar) for row in rows if _is_late(row, today) or row["state"] == State.DISPUTED]
    for line in said:
        if seals.get((line["party"], line["result"])) != line["seal"]:
            where = f"{line['file_name']}:{line['line_no']}"
            figures = {"result": line["result"], "row": where, "seal": line["seal"]}
            alerts.append(ConfirmationAlert(Rule.UNKNOWN, line["party"], f"CONFIRMATION|{where}", Severity.HIGH, figures))
    return alerts


def _is_late(row: Row, today: date) -> bool:
    return row["state"] == State.AWAITED and bool(today > row["due_on"])


def _alert_of(row: Row, today: date, calendar: SettlementCalendar) -> ConfirmationAlert:
    subject = f"RESULT|{row['result']}"
    if row["state"] == State.DISPUTED:
        figures = {"result": row["result"], "row": row["said_in"], "disputed_rows": row["disputed_rows"]}
        return ConfirmationAlert(Rule.DISPUTED, row["platform"], subject, Severity.HIGH, figures)
    grave = today > calendar.add_business_days(row["result_date"], GRAVE_BUSINESS_DAYS)
    figures = {"result": row["result"], "due_on": row["due_on"].isoformat()}
    severity = Severity.HIGH if grave else Severity.MEDIUM
    return ConfirmationAlert(Rule.UNCONFIRMED, row["platform"], subject, severity, figures)
