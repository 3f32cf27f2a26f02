"""Cases: the list as the desk wants it, one with its sides side by side, and what comes again.

A case's id is a digest, so that its address names nobody; user numbers in subjects and evidence are masked.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from connectors.bootstrap import Wiring
from console.case_view import CaseView, cell, line_words, suggestions_for, view_case
from console.pages.asking import NotFound, UserDep, asked, date_of, show
from console.pages.export import Cell, columns_of, csv_of, wants_file
from console.pages.links import Link, Links, loan_link, transaction_link
from console.pages.listing import Listing, listing_by_place, query, rows_of
from console.pages.plot import Plot, trend_plot
from custody.calendar import dates
from custody.case_evidence import Line
from custody.case_patterns import Patterns, accounts_of, patterns_of
from custody.case_words import REMEDIES, SEVERITIES, SIDES, STATES, Words, kind_words
from custody.causes import CAUSES
from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.permissions import permitted
from custody.ports import Row
from custody.posting_rules import COUPON_HOLD
from custody.services.access import duties_of
from custody.services.case_desk import (
    ORDERS,
    CaseFilter,
    age_days,
    columns_wanted,
    count_cases,
    find_cases,
    is_overdue,
    next_case,
    standing_on,
)
from custody.services.cases import LONGEST_NOTE
from custody.verdict_words import KIND_WORDS

router = APIRouter()

_FILTERS = ("platform", "state", "kind", "severity", "owner", "cause", "overdue")
_DEEDS = ("assign", "comment", "propose", "adjust", "approve", "reopen")
# A plot shows so many days; a table beside it has all of them.
_PLOTTED_DAYS = 60
# By which columns each column of the list is ordered.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "urgency": ORDERS["urgency"],
    "severity": ("severity", "case_id"),
    "kind": ("kind", "case_id"),
    "platform": ("platform", "case_id"),
    "due": ("due_on", "case_id"),
    "opened": ("opened_on", "case_id"),
    "owner": ("owner", "case_id"),
    "amount": ("amount_minor", "case_id"),
}
# As a file has them.
_EXPORTED: dict[str, Callable[[Row], Cell]] = {
    **columns_of(("case_id", "severity", "state", "kind", "platform", "subject", "opened_on", "due_on", "owner")),
    "amount": lambda row: (row["amount_minor"], "CNY"),
}


@router.get("/cases", response_class=HTMLResponse)
def the_cases(request: Request, user: UserDep) -> Response:
    """Open cases, the most urgent first, unless the filters say otherwise."""
    with asked(user, "case.view", "list of cases") as wiring:
        view = ListView(wiring, dict(request.query_params))
        if wants_file(request.query_params):
            return csv_of(wiring, user.get_name(), view.cases, {**_EXPORTED, "days": view.age})
        return show(request, "cases.html", view=view)


@router.get("/case", response_class=HTMLResponse)
def one_case(request: Request, user: UserDep, id: str = "") -> HTMLResponse:
    """What each side says, the probable cause, and all that happened."""
    with asked(user, "case.view", id[:40]) as wiring:
        return show(request, "case.html", view=OneView(wiring, user.get_name(), id))


@router.get("/case-patterns", response_class=HTMLResponse)
def what_comes_again(request: Request, user: UserDep, platform: str = "", since: str = "") -> HTMLResponse:
    """Kinds, causes, accounts and days, by platform."""
    first = date_of(since) if since else None
    if since and first is None:
        raise UsageError(f"{since[:40]!r} is not a date YYYY-MM-DD / 日期格式应为 YYYY-MM-DD")
    with asked(user, "case.view", "patterns of cases") as wiring:
        return show(request, "case_patterns.html", view=PatternsView(wiring, platform, first))


# Fields of evidence that name an account.
_ACCOUNTS = frozenset({"from_account", "to_account", "holder", "account", "borrower", "guarantor", "payee"})


def accounts_named(links: Links, row: Row) -> dict[str, str]:
    """What a form may say -> the account: a customer's that the case names, by a digest, and the platform's own two."""
    own = {account: account for account in (f"{row['platform']}:P_MARKETING", f"{row['platform']}:SUSPENSE")}
    return {links.ref(account): account for account in accounts_of(row)} | own


def address(case_id: str) -> str:
    return query("case", {"id": case_id})


class ListView:
    def __init__(self, wiring: Wiring, params: Mapping[str, str]) -> None:
        self.asked = {name: params.get(name, "") for name in _FILTERS}
        # The link without parameters is the desk's: open cases. "ALL" says both states.
        state = self.asked["state"] or "OPEN"
        self.asked["state"] = state
        wanted = CaseFilter(
            platform=self.asked["platform"],
            state="" if state == "ALL" else state,
            kind=self.asked["kind"],
            severity=self.asked["severity"],
            owner=self.asked["owner"],
            cause=self.asked["cause"],
            overdue=self.asked["overdue"] == "1",
        )
        with wiring.register.transaction() as tx:
            self.on = standing_on(tx)
            self.counts = count_cases(tx, wanted)
            self.platforms = sorted(row["party"] for row in tx.find("party"))
            self.people = sorted(row["person_id"] for row in tx.find("person") if row["active"])
        self.kinds, self.severities, self.states, self.causes = KIND_WORDS, SEVERITIES, STATES, CAUSES
        equals = columns_wanted(wanted, self.on)
        # No case has no id.
        fetch = rows_of(wiring.register, "recon_case", **({"case_id": ""} if equals is None else equals))
        self.cases: Listing[Row] = listing_by_place(fetch, self.counts.cases, _COLUMNS, params, "cases")

    def link(self, row: Row) -> Link:
        return Link(row["case_id"][:10], address(row["case_id"]))

    def age(self, row: Row) -> int:
        return age_days(row, self.on)

    def late(self, row: Row) -> bool:
        return is_overdue(row, self.on)

    def kind(self, row: Row) -> Words:
        return row["kind"], kind_words(row["kind"])[1]

    def subject(self, row: Row) -> str:
        return mask_user_numbers(row["subject"])


class OneView:
    """A CaseView with links, and what its reader may do."""

    def __init__(self, wiring: Wiring, reader: str, case_id: str) -> None:
        self.reader = reader
        with wiring.register.transaction() as tx:
            if tx.get("recon_case", case_id=case_id) is None:
                raise NotFound(f"no case {case_id[:40]!r} / 无此案件")
            self.case: CaseView = view_case(tx, case_id)
            duties = duties_of(tx, reader)
            self.people = [row for row in tx.find("person", ("person_id",)) if row["active"]]
            found = next_case(find_cases(tx, CaseFilter(platform=self.case.row["platform"])), reader, case_id)
        self.row = self.case.row
        self.may = {deed: permitted(f"case.{deed}", duties) for deed in _DEEDS}
        self.next = Link(found["case_id"][:10], address(found["case_id"])) if found else None
        self.sides, self.severity, self.state = SIDES, SEVERITIES[self.row["severity"]], STATES[self.row["state"]]
        self.kind, self.longest = kind_words(self.row["kind"]), LONGEST_NOTE
        self.suggestions = suggestions_for(wiring, self.row)
        self._links = Links(wiring)
        named = accounts_named(self._links, self.row)
        self.accounts = [(value, mask_user_numbers(account)) for value, account in named.items()]

    @property
    def follows(self) -> list[Link]:
        return [Link(other[:10], address(other)) for other in self.case.follows]

    def field(self, line: Line) -> Words:
        return line_words(line)

    def shown(self, line: Line, value: Any) -> Link:
        """A cell; accounts and loans lead to their pages."""
        text = cell(line.field, value)
        if value is not None and line.field in _ACCOUNTS:
            return self._links.account(str(value))
        if value is not None and line.field == "loan_id":
            return loan_link(self.row["platform"], str(value))
        return Link(text)

    def place(self, text: str | None) -> str:
        return mask_user_numbers(text or "–")

    def remedy(self, proposal: Row) -> Words:
        return REMEDIES[proposal["kind"]]

    @property
    def request(self) -> Link | None:
        """The request that the case is about, where its subject names one."""
        word, *names = self.row["subject"].split("|")
        if word in ("TXN", "POSTING"):
            return transaction_link(self.row["platform"], names[0])
        if word == "EFLOW" and len(names) > 2:
            return transaction_link(self.row["platform"], names[1].removesuffix(COUPON_HOLD))
        return transaction_link(self.row["platform"], names[1]) if word == "CHANNEL" else None


class PatternsView:
    def __init__(self, wiring: Wiring, platform: str, since: date | None) -> None:
        self.platform, self.since = platform, since
        with wiring.register.transaction() as tx:
            self.on = standing_on(tx)
            found = find_cases(tx, CaseFilter(platform=platform, state=""))
            self.platforms = sorted(row["party"] for row in tx.find("party"))
        self.patterns: Patterns = patterns_of(found, since)
        self.cases = sum(tally.cases for tally in self.patterns.kinds)

    def kind(self, name: str) -> Words:
        return name, kind_words(name)[1]

    def cause(self, name: str) -> Words:
        return name, CAUSES.get(name, ("", ""))[1]

    def listed(self, platform: str, **wanted: str) -> str:
        return query("cases", {"platform": platform, "state": "ALL", **wanted})

    def account(self, name: str) -> str:
        return mask_user_numbers(name)

    @property
    def plot(self) -> Plot | None:
        """Cases opened on each day up to the last that was reconciled, none included."""
        days = self.patterns.days
        if not days or self.on is None:
            return None
        opened = {day.on: day.cases for day in days}
        every = list(dates(days[0].on, (self.on - days[0].on).days + 1))[-_PLOTTED_DAYS:]
        return trend_plot([(on, opened.get(on, 0)) for on in every])
