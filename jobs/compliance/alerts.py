"""The alerts of a date's findings: each is raised once, ends by itself when its condition does, and comes back with it.

An alert goes where its rule's contract says, so what may not be told is not in it: of what only the bank may know the platform is not
named as the one that it is about, and of what is confidential it says nothing but that it waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

import pyarrow.compute as pc

from custody.compliance_rules import Disclosure
from custody.digest import canonical_json
from custody.names import FileType
from custody.ports import Row
from custody.services.alerts import alert_id_of
from jobs.compliance.columns import is_one_of
from jobs.compliance.day import ComplianceDay

_CONFIDENTIAL, _HOLD = "CONFIDENTIAL", "HOLD|"
# Conditions that last, and so end; all others are events, and stay until a person has dealt with them.
_CONDITIONS = (
    "limit_on_platform",
    "limit_on_all",
    "rate_cap",
    "term_splitting",
    "shared_contact",
    "shared_identity",
    "super_lender",
    "pooling",
    "new_for_old",
    "lender_is_related",
    "borrower_near_related",
    "borrower_near_guarantor",
    "fill_that_never_was",
)
_HELD = "watch_list"
LASTING = (*(rule.upper() for rule in _CONDITIONS), _CONFIDENTIAL)
_NOT_THERE = ("EXPECTED", "AWAITED")


def alert_rows(findings: Sequence[Row], on: date) -> list[Row]:
    """As custody.services.alerts.follow takes them. What is a list to be filed is one alert for each rule and date."""
    lists = Counter(row["rule"] for row in findings if _is_listed(row))
    alone = (_alert(row) for row in findings if not _is_listed(row))
    return [*alone, *(_secret(f"LIST|{on.isoformat()}|{rule}", "LOW", _WAITING_LIST) for rule in sorted(lists))]


def _is_listed(row: Row) -> bool:
    return bool(row["severity"] == "LOW" and row["disclosure"] == Disclosure.AML)


def _alert(row: Row) -> Row:
    if row["disclosure"] == Disclosure.AML:
        place = _HOLD if row["rule"] == _HELD else "FINDING|"
        return _secret(f"{place}{row['finding_id']}", row["severity"], _WAITING)
    subject, platform = row["subject"], row["platform"]
    if row["disclosure"] == Disclosure.BANK and platform:
        subject, platform = f"{platform}|{subject}", ""
    # What tells one from another is the finding: one person may be over the limit on two platforms.
    said = row["rule"].upper(), subject, row["severity"], (row["words_en"], row["words_zh"])
    return _row(*said, platform, row["finding_id"])


def _secret(subject: str, severity: str, words: tuple[str, str]) -> Row:
    return _row(_CONFIDENTIAL, subject, severity, words, "", "")


def _row(rule: str, subject: str, severity: str, words: tuple[str, str], platform: str, occurrence: str) -> Row:
    return {
        "alert_id": alert_id_of(rule, subject, occurrence),
        "rule": rule,
        "platform": platform,
        "subject": subject,
        "severity": severity,
        "figures": canonical_json({}),
        "words_en": words[0],
        "words_zh": words[1],
    }


_WAITING = (
    "a confidential finding waits for the risk officer: see the page Compliance",
    "有保密事项待风控岗处理：请查看“合规”页面",
)
_WAITING_LIST = (
    "a confidential list waits to be filed by the risk officer: see the page Compliance",
    "有保密清单待风控岗报送：请查看“合规”页面",
)


def unjudged(day: ComplianceDay) -> list[Row]:
    """What today's files do not tell: absence is judged only against what has come. A platform without its LOAN file says nothing of
    what is bidding there; without all instructions it is not known what was bid."""
    outcomes = day.context.rows("land", "file_outcomes")
    missing = [row for row in outcomes if row["outcome"] in _NOT_THERE]
    silent = sorted({r["party"] for r in missing if (r["file_type"], r["custody_date"]) == (FileType.LOAN, day.today)})
    rows = [(rule, platform, "") for platform in silent for rule in ("limit_on_platform", "fill_that_never_was")]
    if any(row["file_type"] == FileType.INSTRUCTION for row in missing):
        rows.append(("fill_that_never_was", "", ""))
    rows += [("limit_on_all", "", customer) for customer in _asking(day, silent)]
    return [{"rule": rule, "platform": platform, "subject": subject} for rule, platform, subject in rows]


def _asking(day: ComplianceDay, platforms: Sequence[str]) -> Iterator[str]:
    """Who has a loan there that was not lent: it may be bidding still."""
    if platforms:
        loans = day.loans.filter(pc.and_(is_one_of(day.loans["platform"], platforms), pc.equal(day.loans["funded_minor"], 0)))
        yield from sorted(set(loans["customer_id"].to_pylist()))


def could_tell(unjudged: Iterable[Row]) -> Callable[[Row], bool]:
    """Of a standing alert whether the date could tell that its condition has ended. What is confidential ends with its hold alone."""
    open_ = {(row["rule"].upper(), row["platform"], row["subject"]) for row in unjudged}

    def judged(alert: Row) -> bool:
        if alert["rule"] == _CONFIDENTIAL:
            return bool(alert["subject"].startswith(_HOLD))
        rule, subject = alert["rule"], alert["subject"]
        # Of what only the bank may know the platform stands in the subject.
        platform = alert["platform"] or subject.partition("|")[0]
        return not open_ & {(rule, "", ""), (rule, platform, ""), (rule, "", subject)}

    return judged
