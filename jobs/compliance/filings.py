"""What of a date's confidential findings is to be filed, account by account, as it is sealed: whole, and by customer ids alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from custody.compliance import Finding, Source
from custody.compliance_rules import NEEDS, Disclosure
from custody.ports import Row
from jobs.compliance.day import ComplianceDay

_WAYS = {Source.MONEY_IN: "IN", Source.MONEY_OUT: "OUT", Source.ACCOUNT: "HELD"}
_LARGE = "large_value"


def filing_rows(day: ComplianceDay, findings: Sequence[Finding]) -> list[Row]:
    """Of every confidential finding: whether it is filed as suspicious people decide."""
    if _LARGE not in day.rules:
        return []
    due_on = day.reference.calendar.add_business_days(day.today, day.figures(_LARGE)["file_business_days"])
    secret = [one for one in findings if NEEDS[one.rule_id].disclosure is Disclosure.AML]
    owners = _owners(day, {behind.ref for one in secret for behind in one.behind})
    return [row for one in secret for row in _rows(one, owners, due_on, day.today)]


def _rows(finding: Finding, owners: dict[str, Row], due_on: date, today: date) -> Iterator[Row]:
    """A large value is of its calendar day, and due from it; what is suspicious is of the days on which it was posted."""
    said = finding.figures
    on, due = (date.fromisoformat(str(said[name])) for name in ("on", "due_on")) if finding.rule_id == _LARGE else (None, due_on)
    for number, behind in enumerate(finding.behind, start=1):
        owner = owners[behind.ref]
        yield {
            "finding_id": finding.finding_id,
            "row_no": number,
            "rule": finding.rule_id,
            "customer_id": owner["customer_id"],
            "customer_kind": owner["kind"],
            "platform": behind.platform,
            "account": behind.ref,
            "on_date": on or (today if behind.source is Source.ACCOUNT else behind.on),
            "way": _WAYS[behind.source],
            "amount_minor": behind.amount_minor,
            "due_on": due,
            "grounds": finding.words[1],
        }


def _owners(day: ComplianceDay, accounts: set[str]) -> dict[str, Row]:
    found = day.accounts_of("sub_account", accounts, ("sub_account", "customer_id", "kind"))
    return {row["sub_account"]: row for row in found.to_pylist()}
