"""compliance: limits, red lines and suspicious patterns of a reconciled day, with the rows behind each, and the alerts that follow
(domain.md §8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from custody.compliance import Finding
from custody.compliance_rules import Disclosure
from custody.digest import canonical_json
from custody.ports import RegisterTx, Row
from custody.rule_forms import ComplianceTerms
from custody.services.access import SYSTEM
from custody.services.alerts import put_alert
from custody.services.outputs import Seal
from jobs.compliance.borrowers import borrowers
from jobs.compliance.contacts import contact_digests, with_persons
from jobs.compliance.day import ComplianceDay
from jobs.compliance.evidence import rows_behind
from jobs.compliance.money import last_acts, money
from jobs.compliance.platforms import platform_days, platforms
from jobs.compliance.watched import watch_hits
from jobs.step import Step, StepContext


def _run(context: StepContext) -> None:
    day = ComplianceDay.of(context)
    digests = contact_digests(day)
    contacts = with_persons(digests, day.accounts)
    acted, repaid = day.of_yesterday("last_acts"), platform_days(day)
    findings = [*watch_hits(day), *borrowers(day, contacts), *money(day, acted), *platforms(day, contacts, repaid)]
    behind = rows_behind(day, findings)
    context.write("compliance_findings", [_row(day, finding, behind[finding.finding_id][1]) for finding in findings])
    rows = [
        {**row, "finding_id": finding_id, "row_no": number}
        for finding_id, (some, _) in behind.items()
        for number, row in enumerate(some, start=1)
    ]
    context.write("compliance_rows", rows)
    context.write("account_days", day.moved)
    context.write("last_acts", last_acts(acted, day.moved))
    context.write("contact_digests", digests)
    context.write("platform_days", repaid)


def _row(day: ComplianceDay, finding: Finding, rows_in_all: int) -> Row:
    rule = day.rules[finding.rule_id]
    assert isinstance(rule.says, ComplianceTerms)
    english, chinese = finding.words
    return {
        "finding_id": finding.finding_id,
        "rule": rule.rule_id,
        "version": rule.version,
        "platform": finding.platform,
        "subject": finding.subject,
        "occurrence": finding.occurrence,
        "severity": rule.says.severity,
        "disclosure": str(rule.says.disclosure),
        "amount_minor": finding.amount_minor,
        "figures": canonical_json(dict(finding.figures)),
        "words_en": english,
        "words_zh": chinese,
        "rows_in_all": rows_in_all,
    }


def _publish(context: StepContext, seal: Seal) -> None:
    """Raise each finding once: while it lasts its alert only ages.

    An alert goes where its rule's contract says, so what may not be told is not in it: of what only the bank may know the platform
    is not named as the one that it is about, and of what is confidential it says nothing but that it waits.
    """
    findings = context.wiring.lake.rows(seal.path, "compliance_findings")
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        for row in findings:
            if not (row["severity"] == "LOW" and row["disclosure"] == Disclosure.AML):
                _raise(tx, row, seal)
        _raise_many(tx, findings, seal)


def _raise(tx: RegisterTx, row: Mapping[str, str], seal: Seal) -> None:
    if row["disclosure"] == Disclosure.AML:
        subject = f"FINDING|{row['finding_id']}"
        put_alert(tx, SYSTEM, "CONFIDENTIAL", subject, seal.custody_date, _CONFIDENTIAL, row["severity"], "", "")
        return
    words = row["words_en"], row["words_zh"]
    subject, platform = row["subject"], row["platform"]
    if row["disclosure"] == Disclosure.BANK and platform:
        subject, platform = f"{platform}|{subject}", ""
    # What tells one from another is the finding: one person may be over the limit on two platforms.
    put_alert(tx, SYSTEM, row["rule"].upper(), subject, seal.custody_date, words, row["severity"], platform, row["finding_id"])


def _raise_many(tx: RegisterTx, findings: list[Row], seal: Seal) -> None:
    """What is a list to be filed, not an event: one alert for each rule and date."""
    lists = Counter(row["rule"] for row in findings if row["severity"] == "LOW" and row["disclosure"] == Disclosure.AML)
    for rule in sorted(lists):
        on = seal.custody_date
        put_alert(tx, SYSTEM, "CONFIDENTIAL", f"LIST|{on.isoformat()}|{rule}", on, _CONFIDENTIAL_LIST, "LOW", "", "")


_CONFIDENTIAL = (
    "a confidential finding waits for the risk officer: see the page Compliance",
    "有保密事项待风控岗处理：请查看“合规”页面",
)
_CONFIDENTIAL_LIST = (
    "a confidential list waits to be filed by the risk officer: see the page Compliance",
    "有保密清单待风控岗报送：请查看“合规”页面",
)

STEP = Step("compliance", _run, _publish)
