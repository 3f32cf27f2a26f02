"""Rows as the detectors of compliance take them, and the shipped rules' figures."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from custody.compliance import Finding
from schemas.rule_book import book_with, shipped_rules

DAY = date(2020, 3, 10)
RULES = book_with([]).rules_on(DAY).compliance()


def figures(rule_id: str, version: int | None = None) -> Any:
    """Those in force on DAY, or those of a version."""
    if version is None:
        return RULES[rule_id].says.figures  # type: ignore[union-attr]
    (found,) = (rule for rule in shipped_rules() if (rule.rule_id, rule.version) == (rule_id, version))
    return found.says.figures  # type: ignore[union-attr]


def before(days: int) -> date:
    return DAY - timedelta(days=days)


def loan(loan_id: str, minor: int, **said: Any) -> dict[str, Any]:
    usual = {"platform": "P001", "customer_id": "C1", "kind": "PERSON", "annual_rate": "0.1", "since": before(1)}
    return usual | {"loan_id": loan_id, "minor": minor} | said


def account_day(days_ago: int = 0, **said: Any) -> dict[str, Any]:
    """What moved on one lender's account; posted on the day itself unless it is said otherwise."""
    usual: dict[str, Any] = dict.fromkeys(
        ("in_minor", "in_count", "out_minor", "out_count", "lent_minor", "spent_minor", "sold_minor", "sold_count"), 0
    )
    usual |= {"platform": "P001", "customer_id": "C1", "kind": "PERSON", "account": "P001.LENDER.U1", "acts": 1}
    row = usual | {"on": before(days_ago), "posted_on": before(days_ago)} | said
    return {"credit_minor": row["in_minor"], **row}


def told(findings: Any) -> list[tuple[str, str, str, int]]:
    return [(f.rule_id, f.platform, f.subject, f.amount_minor) for f in findings if isinstance(f, Finding) and f.words]
