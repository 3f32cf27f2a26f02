"""Findings of compliance for those who may see them: of a date as its step sealed it, or one with its rows; for command line and page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.bootstrap import Wiring
from custody.compliance_rules import Disclosure
from custody.errors import NotPermitted, UsageError
from custody.match_rules import Rule, RuleBook, RuleSet, read_rule
from custody.permissions import permitted
from custody.ports import Row
from custody.rule_forms import ComplianceTerms
from custody.services.access import check_permission, duties_of
from custody.services.outputs import Seal, latest_seal, newest_seals

STEP = "compliance"
_VIEW, _CONFIDENTIAL = "compliance.view", "compliance.confidential.view"


@dataclass(frozen=True)
class Explained:
    """One finding as a date's step sealed it. ``rows``: the first of ``finding["rows_in_all"]``."""

    on: date
    finding: Row
    figures: dict[str, Any]
    rule: Rule
    terms: ComplianceTerms
    rows: list[Row]


def sees_confidential(wiring: Wiring, actor: str) -> bool:
    with wiring.register.transaction() as tx:
        return permitted(_CONFIDENTIAL, duties_of(tx, actor))


def assessed_days(wiring: Wiring) -> list[date]:
    with wiring.register.transaction() as tx:
        return [seal.custody_date for seal in newest_seals(tx, STEP)]


def findings_on(wiring: Wiring, actor: str, on: date) -> list[Row]:
    """What of a date's findings the actor may see, the gravest first. Raises NotPermitted; UsageError where none were looked for."""
    check_permission(wiring.register, actor, _VIEW, on.isoformat())
    rows = wiring.lake.rows(_seal(wiring, on).path, "compliance_findings")
    if not sees_confidential(wiring, actor):
        rows = [row for row in rows if row["disclosure"] != Disclosure.AML]
    order = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
    return sorted(rows, key=lambda row: (order.index(row["severity"]), row["rule"], row["platform"], row["subject"]))


def explained(wiring: Wiring, actor: str, finding_id: str, on: date | None = None) -> Explained:
    """A finding as it stood on a date, or on the last one that has it. What the actor may not see is not there for him: that he
    asked is recorded all the same."""
    check_permission(wiring.register, actor, _VIEW, finding_id)
    for day in [on] if on is not None else reversed(assessed_days(wiring)):
        seal = _seal(wiring, day)
        row = next((r for r in wiring.lake.rows(seal.path, "compliance_findings") if r["finding_id"] == finding_id), None)
        if row is None:
            continue
        if row["disclosure"] == Disclosure.AML:
            try:
                check_permission(wiring.register, actor, _CONFIDENTIAL, finding_id)
            except NotPermitted:
                break
        rule = next(r for r in rules_sealed(wiring, day).rules if r.rule_id == row["rule"])
        assert isinstance(rule.says, ComplianceTerms)
        behind = [r for r in wiring.lake.rows(seal.path, "compliance_rows") if r["finding_id"] == finding_id]
        return Explained(day, row, json.loads(row["figures"]), rule, rule.says, behind)
    raise UsageError(f"no finding {finding_id[:40]!r}; see: custody compliance list --date D / 无此合规发现")


def rules_sealed(wiring: Wiring, on: date) -> RuleSet:
    """The rules in force on a date, as its cut-off sealed them."""
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, on, "cut_off")
    assert seal is not None  # a date that was assessed is cut off
    rows = [row for row in wiring.lake.rows(seal.path, "reference") if row["kind"] == "rule"]
    return RuleBook.of(read_rule(json.loads(row["payload"]), f"the cut-off of {on}") for row in rows).rules_on(on)


def _seal(wiring: Wiring, on: date) -> Seal:
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, on, STEP)
    if seal is None:
        raise UsageError(f"compliance of {on} has not run: custody compliance --date {on} / 该账务日尚未运行合规监测")
    return seal
