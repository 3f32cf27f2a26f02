"""How long the law keeps what: dated rules as data, each with its citation (domain.md §1, §10). The longest term that applies counts.

A rule names from what its years run: the end of the relationship (the last sub-account closed), or of a loan contract (settled or
miscarried). Lawyers change the table, not the code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

From = Literal["relationship", "loan_contract"]


@dataclass(frozen=True)
class RetentionRule:
    """In force from ``valid_from`` to ``valid_to`` (None: until further notice), whenever what it is about ended."""

    rule: str
    runs_from: From
    years: int
    valid_from: date
    valid_to: date | None
    law_en: str
    law_zh: str

    def is_in_force(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


RULES = (
    RetentionRule(
        "custody_guideline_12",
        "loan_contract",
        5,
        date(2017, 2, 22),
        None,
        "Guideline on custody of online lending funds (CBRC 2017 no. 21), art. 12: five years after the loan contract ends",
        "《网络借贷资金存管业务指引》（银监办发〔2017〕21号）第十二条：借贷合同到期后五年以上",
    ),
    RetentionRule(
        "aml_law_2006_19",
        "relationship",
        5,
        date(2007, 1, 1),
        date(2024, 12, 31),
        "Anti-Money Laundering Law (2006), art. 19: five years after the relationship ends",
        "《反洗钱法》（2006年）第十九条：业务关系结束后五年",
    ),
    RetentionRule(
        "aml_law_2024_34",
        "relationship",
        10,
        date(2025, 1, 1),
        None,
        "Anti-Money Laundering Law (revised 2024), art. 34: ten years after the relationship ends",
        "《反洗钱法》（2024年修订）第三十四条：业务关系结束后十年",
    ),
)


@dataclass(frozen=True)
class Term:
    """``until``: the last date on which it has to be kept; None while what the rule runs from has not ended."""

    rule: RetentionRule
    until: date | None


def terms(on: date, ended: dict[From, date | None]) -> list[Term]:
    """The terms by the rules in force on a date; ``ended`` has an entry for each thing there is, None while it goes on."""
    return [
        Term(rule, years_after(end, rule.years) if (end := ended[rule.runs_from]) is not None else None)
        for rule in RULES
        if rule.runs_from in ended and rule.is_in_force(on)
    ]


def longest(found: Iterable[Term]) -> Term | None:
    """The term that ends last; one without an end before all."""
    return max(found, key=lambda t: t.until or date.max, default=None)


def years_after(day: date, years: int) -> date:
    """The same day so many years on; of 29 February, where there is none, 28 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
