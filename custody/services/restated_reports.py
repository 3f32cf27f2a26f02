"""Reports of a period in which a file was restated after the period was over (domain.md §5, §9).

A closed day is never edited: what the newer version says is posted and compared on the day that took it, and stands in that day's reports.
So a report of the earlier period says what its days said, and whoever released it is told that the books know better since, and by how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.money import format_amount
from custody.ports import RegisterTx, Row
from custody.release_life import PUBLISHED, RELEASED, UNRELEASED
from custody.services.access import SYSTEM
from custody.services.alerts import put_alert
from custody.services.releases import ReportKey, all_versions, first_day

RULE = "REPORT_RESTATED"


@dataclass(frozen=True)
class Count:
    """Rows or legs, and their sum in minor units."""

    rows: int = 0
    minor: int = 0


@dataclass(frozen=True)
class Restated:
    """A file that was taken in another's place on ``taken_on``, and what that changed on that date: its legs that were posted, those of the earlier
    version that were taken back, and compared rows that were withdrawn. ``platforms``: whose reports it concerns, none for all."""

    file_name: str
    replaces: str
    custody_date: date
    taken_on: date
    platforms: frozenset[str]
    currency: str
    posted: Count
    taken_back: Count
    withdrawn: Count


def tell_restated(tx: RegisterTx, on: date, found: Iterable[Restated]) -> list[str]:
    """An alert for each restated file and each period of reports that it came too late for; returns the alerts' subjects. Raising it again
    changes nothing."""
    told: list[str] = []
    for restated in found:
        by_period: dict[str, list[Row]] = {}
        for row in _counting(tx, restated):
            by_period.setdefault(row["period"], []).append(row)
        for period, rows in sorted(by_period.items()):
            subject = f"{period}|{restated.file_name}"
            released = [row for row in rows if row["state"] in RELEASED]
            words = _english(restated, period, len(rows), len(released)), _chinese(restated, period, len(rows), len(released))
            platform = next(iter(restated.platforms)) if len(restated.platforms) == 1 else ""
            put_alert(tx, SYSTEM, RULE, subject, on, words, "HIGH" if released else "MEDIUM", platform, "")
            told.append(subject)
    return told


def told_of(tx: RegisterTx, row: Mapping[str, Any]) -> list[Row]:
    """The alerts that concern one version of a report, the oldest first: what became known of its period since."""
    scope = row["scope"]
    found = tx.find("alert", ("raised_on", "subject"), rule=RULE)
    of = [one for one in found if one["subject"].startswith(f"{row['period']}|")]
    return [one for one in of if not scope or one["platform"] in ("", scope)]


def _counting(tx: RegisterTx, restated: Restated) -> list[Row]:
    """The version that counts of each report whose period holds the file's date and was over when it was taken."""
    newest: dict[ReportKey, Row] = {}
    for row in all_versions(tx):
        concerned = not row["scope"] or not restated.platforms or row["scope"] in restated.platforms
        over = row["period_end"] < restated.taken_on
        if concerned and over and first_day(row["period"], row["period_end"]) <= restated.custody_date <= row["period_end"]:
            key = ReportKey.of(row)
            # A draft that waits does not hide what was released.
            if row["state"] in RELEASED or (row["state"] in UNRELEASED and newest.get(key, row)["state"] not in PUBLISHED):
                newest[key] = row
    return list(newest.values())


def _english(of: Restated, period: str, reports: int, released: int) -> str:
    return (
        f"{of.file_name} took the place of {of.replaces} on {of.taken_on}: {reports} reports of {period} ({released} released) say what the earlier "
        f"version said. Since then {of.taken_back.rows} legs of it were taken back ({_amount(of, of.taken_back)}), {of.posted.rows} posted "
        f"({_amount(of, of.posted)}), {of.withdrawn.rows} compared rows withdrawn ({_amount(of, of.withdrawn)}); the reports of {of.taken_on} show it"
    )


def _chinese(of: Restated, period: str, reports: int, released: int) -> str:
    return (
        f"{of.file_name} 已于 {of.taken_on} 取代 {of.replaces}：{period} 的 {reports} 份报表（已放行 {released} 份）仍按原版本编制。其后冲回 "
        f"{of.taken_back.rows} 笔（{_amount(of, of.taken_back)}），新记 {of.posted.rows} 笔（{_amount(of, of.posted)}），撤回对账行 "
        f"{of.withdrawn.rows} 行（{_amount(of, of.withdrawn)}），均反映在 {of.taken_on} 所属期报表中"
    )


def _amount(of: Restated, count: Count) -> str:
    return f"{format_amount(count.minor, of.currency)} {of.currency}"
