"""Findings of compliance: of a date by rule and platform, and one with its explanation and the rows behind it. What is confidential is
there for those alone who may see it; console.compliance_view decides."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from console.compliance_view import Explained, assessed_days, explained, findings_on, rules_sealed, sees_confidential
from console.hold_view import holds_of
from console.pages.asking import NotFound, UserDep, asked, date_of, show
from console.pages.listing import Listing, listing, query
from console.pages.words import COMPLIANCE_SOURCES, Words
from custody.case_words import SEVERITIES
from custody.compliance_rules import Disclosure
from custody.errors import UsageError
from custody.figure_words import figure_words, told_figures
from custody.masking import mask_user_numbers
from custody.match_rules import Rule, RuleSet
from custody.permissions import permitted
from custody.ports import Row
from custody.rule_forms import Unseen
from custody.rule_words import condition_words
from custody.services.access import duties_of
from custody.services.aml_filings import filing_no
from custody.services.aml_holds import AML_HOLD
from custody.watch_list import HOLD_WORDS, HoldState

router = APIRouter()
_WEIGHT = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


@router.get("/compliance", response_class=HTMLResponse)
def the_findings(request: Request, user: UserDep, wanted: Annotated[str, Query(alias="date")] = "") -> HTMLResponse:
    """One custody date; without a date, the newest that was assessed."""
    with asked(user, "compliance.view", "findings of compliance") as wiring:
        days = assessed_days(wiring)
        if not days:
            raise NotFound("compliance has not run on any date yet / 尚未运行合规监测")
        on = date_of(wanted) if wanted else days[-1]
        if on is None:
            raise UsageError(f"{wanted[:40]!r} is not a date YYYY-MM-DD / 日期无效")
        reader = user.get_name()
        found = findings_on(wiring, reader, on)
        is_whole = sees_confidential(wiring, reader)
        view = ComplianceView(on, days, found, rules_sealed(wiring, on), is_whole, dict(request.query_params))
        return show(request, "compliance.html", view=view)


@router.get("/finding", response_class=HTMLResponse)
def one_finding(
    request: Request, user: UserDep, finding: str = "", wanted: Annotated[str, Query(alias="date")] = ""
) -> HTMLResponse:
    """One finding, as it stood on a date or on the last one that has it."""
    with asked(user, "compliance.view", "finding of compliance") as wiring:
        try:
            found = explained(wiring, user.get_name(), finding, date_of(wanted) if wanted else None)
        except UsageError as why:
            raise NotFound(str(why)) from None
        holds = [] if found.finding["rule"] != "watch_list" else holds_of(wiring, user.get_name(), found.finding["subject"])
        with wiring.register.transaction() as tx:
            may_decide = permitted(AML_HOLD.propose_action, duties_of(tx, user.get_name()))
        return show(request, "finding.html", view=FindingView(found, holds, user.get_name(), may_decide))


class ComplianceView:
    """The findings of a date that the reader may see, with what the template asks."""

    def __init__(
        self, on: date, days: list[date], found: list[Row], rules: RuleSet, is_whole: bool, params: Mapping[str, str]
    ) -> None:
        self.on, self.days, self.is_whole = on, days, is_whole
        self.rule, self.platform = params.get("rule", ""), params.get("platform", "")
        self._rules = rules
        by_rule, by_platform = Counter(row["rule"] for row in found), Counter(row["platform"] for row in found)
        judged = sorted(rules.compliance().values(), key=lambda rule: rule.priority)
        shown = (r for r in judged if is_whole or r.says.disclosure is not Disclosure.AML)  # type: ignore[union-attr]
        self.rules: list[tuple[Rule, int]] = [(rule, by_rule[rule.rule_id]) for rule in shown]
        self.platforms = sorted(by_platform.items())
        self.unseen = [rule for rule in rules.rules if isinstance(rule.says, Unseen)]
        wanted = [row for row in found if self.rule in ("", row["rule"]) and self.platform in ("", row["platform"])]
        self.findings: Listing[Row] = listing(
            wanted,
            {
                "severity": lambda row: _WEIGHT.index(row["severity"]),
                "rule": lambda row: row["rule"],
                "platform": lambda row: row["platform"],
                "amount": lambda row: row["amount_minor"],
            },
            {"date": on.isoformat(), **params},
            "compliance",
        )

    def at(self, days: int) -> str | None:
        """The link to a neighbouring date that was assessed."""
        day = self.on + timedelta(days=days)
        return query("compliance", {"date": day, "rule": self.rule, "platform": self.platform}) if day in self.days else None

    def only(self, **wanted: str) -> str:
        return query("compliance", {"date": self.on, **wanted})

    def of(self, row: Row) -> str:
        return query("finding", {"finding": row["finding_id"], "date": self.on})

    def severity(self, row: Row) -> Words:
        return SEVERITIES[row["severity"]]

    def told(self, row: Row) -> Words:
        return Disclosure(row["disclosure"]).words

    def says(self, rule: Rule) -> Words:
        return condition_words(rule)


def _masked(figures: Iterable[tuple[Words, Words]]) -> list[tuple[Words, Words]]:
    return [(label, (mask_user_numbers(english), mask_user_numbers(chinese))) for label, (english, chinese) in figures]


class FindingView:
    """One finding, with what the template asks; accounts masked as everywhere."""

    def __init__(self, found: Explained, holds: list[Row], reader: str, may_decide: bool) -> None:
        self.reader, self.may_decide = reader, may_decide
        self.hold = next((row for row in holds if row["hold_id"] == found.finding["finding_id"]), None)
        self.on, self.finding, self.rule, self.terms = found.on, found.finding, found.rule, found.terms
        self.rows = [row | {"ref": mask_user_numbers(row["ref"])} for row in found.rows]
        self.asks, self.figures = figure_words(found.terms.figures), _masked(told_figures(found.figures))

    @property
    def back(self) -> str:
        return query("compliance", {"date": self.on})

    @property
    def customer(self) -> str | None:
        """The page of the customer whom a hit is about."""
        return query("customer", {"id": self.finding["subject"]}) if self.finding["rule"] == "watch_list" else None

    @property
    def filing(self) -> str | None:
        """The page of the filing in which it is reported."""
        if self.terms.disclosure is not Disclosure.AML:
            return None
        return query("filing", {"id": filing_no(self.finding["rule"], self.finding["finding_id"], self.on)})

    @property
    def severity(self) -> Words:
        return SEVERITIES[self.finding["severity"]]

    def hold_words(self, state: str) -> Words:
        return HOLD_WORDS[HoldState(state)]

    def outcome(self, proposal: Row) -> Words:
        return self.hold_words(json.loads(proposal["payload"])["outcome"])

    def source(self, row: Row) -> Words:
        return COMPLIANCE_SOURCES[row["source"]]

    def link(self, row: Row) -> str | None:
        """A loan's own page, where the row is one."""
        return query("loan", {"id": row["ref"], "platform": row["platform"]}) if row["source"] == "LOAN" else None
