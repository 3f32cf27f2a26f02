"""compliance: limits, red lines and suspicious patterns of a reconciled day, with the rows behind each, and the alerts that follow
(domain.md §8)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from custody.compliance import Finding
from custody.digest import canonical_json
from custody.ports import Row
from custody.rule_forms import ComplianceTerms
from custody.services.access import SYSTEM
from custody.services.alerts import follow
from custody.services.outputs import Seal
from jobs.compliance.acts import told_anew, told_before
from jobs.compliance.alerts import LASTING, alert_rows, could_tell, unjudged
from jobs.compliance.borrowers import borrowers
from jobs.compliance.contacts import contact_digests, with_persons
from jobs.compliance.day import ComplianceDay
from jobs.compliance.evidence import rows_behind
from jobs.compliance.filings import filing_rows
from jobs.compliance.money import money
from jobs.compliance.platforms import long_lenders, platform_days, platforms
from jobs.compliance.watched import watch_hits
from jobs.compliance.weeks import Weeks
from jobs.filings import due_by, warn_of_due
from jobs.step import Step, StepContext


def _run(context: StepContext) -> None:
    assess(ComplianceDay.of(context))


def assess(day: ComplianceDay) -> None:
    """Write all tables of a day."""
    context = day.context
    digests = contact_digests(day)
    with ThreadPoolExecutor(1) as beside:
        of_weeks = beside.submit(_of_weeks, day)
        contacts = with_persons(digests, day.of_interest)
        repaid = platform_days(day)
        findings = [*watch_hits(day), *borrowers(day, contacts), *platforms(day, contacts, repaid)]
        context.write("contact_digests", digests)
        moved, last = of_weeks.result()
    findings += moved
    behind = rows_behind(day, findings)
    context.write("compliance_findings", [_row(day, finding, behind[finding.finding_id][1]) for finding in findings])
    rows = [
        {**row, "finding_id": finding_id, "row_no": number}
        for finding_id, (some, _) in behind.items()
        for number, row in enumerate(some, start=1)
    ]
    context.write("compliance_rows", rows)
    context.write("filing_rows", filing_rows(day, findings))
    context.write("compliance_unjudged", unjudged(day))
    context.write("last_acts", last)
    context.write("claims_sold", day.walked.sold)
    context.write("platform_days", repaid)


def _of_weeks(day: ComplianceDay) -> tuple[list[Finding], pa.Table]:
    """What is found by what moved over weeks, and table last_acts."""
    weeks, found = Weeks(day), list[Finding]()
    for among, window in weeks.windows():
        found += [*money(day, among, window), *long_lenders(day, among, window)]
    return found, told_anew(told_before(day.context), weeks.acted)


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
    """The register's alerts follow what this date found."""
    lake = context.wiring.lake
    findings, unjudged = lake.rows(seal.path, "compliance_findings"), lake.rows(seal.path, "compliance_unjudged")
    due = due_by(context.wiring, seal.custody_date)
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        follow(tx, SYSTEM, seal.custody_date, alert_rows(findings, seal.custody_date), LASTING, could_tell(unjudged))
        warn_of_due(tx, due, seal.custody_date)


STEP = Step("compliance", _run, _publish)
