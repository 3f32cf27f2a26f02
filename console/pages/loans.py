"""Loans: to find one, and its whole life; the figures are custody.services.loans'."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from connectors.bootstrap import Wiring
from console.loan_funds import funds_of
from console.loan_list import LoanList, loans_listed
from console.pages.asking import NotFound, Reader, UserDep, asked, show
from console.pages.export import Cell, csv_of, wants_file
from console.pages.links import Link, Links, loan_link, transaction_link
from console.pages.listing import Listing, listing, listing_of, query
from console.pages.plot import Plot, money_plot
from console.pages.words import LOAN_STATES, Words, term
from custody.funds_paths import CARD_MARK, LENDERS, is_card
from custody.loan_history import Assignment, ClaimLife, Payment, Tender
from custody.ports import Row
from custody.services.loans import LoanLife, loan_life

router = APIRouter()

# By which columns each column of the list is ordered.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "loan": ("platform", "loan_id"),
    "state": ("state", "platform", "loan_id"),
    "amount": ("amount_minor", "platform", "loan_id"),
    "left": ("left_minor", "platform", "loan_id"),
    "late": ("days_past_due", "platform", "loan_id"),
    "disbursed": ("disbursed_on", "platform", "loan_id"),
}
# As a file has them.
_EXPORTED: dict[str, Callable[[Row], Cell]] = {
    "platform": lambda row: row["platform"],
    "loan_id": lambda row: row["loan_id"],
    "state": lambda row: row["state"],
    "borrower": lambda row: row["borrower"],
    "disbursed_on": lambda row: row["disbursed_on"],
    "currency": lambda row: row["currency"],
    "amount": lambda row: (row["amount_minor"], row["currency"]),
    "principal_left": lambda row: (row["left_minor"], row["currency"]),
    "days_past_due": lambda row: row["days_past_due"],
}


@router.get("/loans", response_class=HTMLResponse)
def the_loans(request: Request, user: UserDep, platform: str = "", state: str = "", id: str = "") -> Response:
    """Loans by platform, state and part of the id."""
    with asked(user, "loan.view", "list of loans") as wiring:
        found = loans_listed(wiring, platform, state, id.strip()[:40])
        view = ListView(wiring, found, dict(request.query_params))
        if wants_file(request.query_params):
            return csv_of(wiring, user.get_name(), view.loans, _EXPORTED)
        return show(request, "loans.html", view=view)


@router.get("/loan", response_class=HTMLResponse)
def one_loan(request: Request, user: UserDep, platform: str = "", id: str = "") -> HTMLResponse:
    """The whole life of a loan."""
    with asked(user, "loan.view", f"{platform}/{id}"[:80]) as wiring:
        if wiring.ledger_reader.loan(platform, id) is None:
            raise NotFound(f"no loan {id[:40]!r} of platform {platform[:20]!r} / 无此标的")
        life = loan_life(wiring.ledger_reader, platform, id)
        return show(
            request, "loan.html", view=LoanView(wiring, life, dict(request.query_params)), funds=FundsView(wiring, life, user)
        )


class ListView:
    def __init__(self, wiring: Wiring, found: LoanList, params: Mapping[str, str]) -> None:
        self.on = found.on
        self.states = [term(state, "loan_state") for state in LOAN_STATES]
        self.platforms = found.platforms
        self.asked = {name: params.get(name, "") for name in ("platform", "state", "id")}
        self.loans: Listing[Row] = listing_of(found.page, found.total, _COLUMNS, params, "loans")
        self._links = Links(wiring)

    @property
    def rows(self) -> list[tuple[Row, Link, Link]]:
        """(loan, link to it, link to its borrower)"""
        return [
            (row, loan_link(row["platform"], row["loan_id"]), self._links.account(row["borrower"])) for row in self.loans.rows
        ]


class LoanView:
    """A LoanLife, with what the template asks."""

    def __init__(self, wiring: Wiring, life: LoanLife, params: Mapping[str, str]) -> None:
        self.life = life
        self._links = Links(wiring)
        asked = {"platform": life.platform, "id": life.loan_id} | dict(params)
        self.tenders: Listing[Tender] = listing(
            life.tenders,
            {"on": lambda t: (t.on, t.request_no), "amount": lambda t: t.amount_minor, "state": lambda t: t.state},
            asked,
            "loan",
            "tender_",
        )
        self.claims: Listing[ClaimLife] = listing(
            life.claims,
            {
                "claim": lambda c: c.claim_id,
                "left": lambda c: c.principal_minor,
                "original": lambda c: c.original_minor,
                "since": lambda c: c.since,
                "until": lambda c: c.until,
            },
            asked,
            "loan",
            "claim_",
        )
        self.assignments: Listing[Assignment] = listing(
            life.assignments,
            {"on": lambda a: (a.on, a.request_no), "principal": lambda a: a.principal_minor, "price": lambda a: a.price_minor},
            asked,
            "loan",
            "assignment_",
        )

    @property
    def title(self) -> str:
        return f"{self.life.platform} {self.life.loan_id}"

    @property
    def transactions(self) -> str:
        return query("transactions", {"platform": self.life.platform, "loan": self.life.loan_id})

    def account(self, account: str | None) -> Link:
        return self._links.account(account)

    def request(self, request_no: str) -> Link:
        return transaction_link(self.life.platform, request_no)

    def state(self, state: str) -> Words:
        return term(state, "loan_state")

    @property
    def terms(self) -> list[tuple[Words, Any]]:
        """(name, value): a Link, an amount (minor, currency), Words or text."""
        row = self.life.terms
        currency = row["currency"]
        every, chinese = term(row["every"], "every")
        minimum, penalty = row["minimum_minor"], row["penalty_rate"]
        return [
            (("borrower", "借款人"), self.account(row["borrower"])),
            (("amount", "标的金额"), (row["amount_minor"], currency)),
            (("funded", "实际放款"), (row["funded_minor"], currency)),
            (("disbursed on", "放款日"), str(row["disbursed_on"] or "–")),
            (("annual rate", "年利率"), percent(row["annual_rate"])),
            (("repayment", "还款方式"), term(row["method"], "method")),
            (("instalments", "期数"), (f"{row['periods']}, every {every}", f"{row['periods']} 期，每{chinese}一期")),
            (("day count", "计息基准"), row["day_count"]),
            (("penalty rate, per day", "日罚息率"), percent(penalty) if penalty else "–"),
            (("smallest amount to disburse", "最低放款额"), (minimum, currency) if minimum is not None else "–"),
            (("guarantor", "担保人"), self.account(row["guarantor"])),
            (("payee of the entrusted payment", "受托支付收款人"), self.account(row["payee"])),
            (("purpose", "用途"), row["purpose"]),
        ]

    @property
    def held_by(self) -> list[tuple[Words, int]]:
        return [(term(role, "role"), minor) for role, minor in self.life.outstanding.held_by_minor.items()]

    @property
    def owed(self) -> list[tuple[date, int]]:
        """Principal that the borrower owes from each date on, since the disbursal."""
        if self.life.disbursal is None:
            return []
        left = self.life.disbursal.gross_minor
        owed = {self.life.disbursal.on: left}
        for payment in sorted((p for p in self.life.payments if p.reduces_debt), key=lambda p: p.on):
            left -= payment.principal_minor
            owed[payment.on] = left
        return sorted(owed.items())

    @property
    def plot(self) -> Plot | None:
        return money_plot(self.owed, self.life.up_to)

    @property
    def compensations(self) -> list[Payment]:
        return [payment for payment in self.life.payments if not payment.reduces_debt]


class FundsView:
    """Where the loan's money went, place by place."""

    def __init__(self, wiring: Wiring, life: LoanLife, reader: Reader) -> None:
        self._links, self._platform, self._reader = Links(wiring), life.platform, reader
        self.funds = funds_of(wiring, life.platform, life.loan_id)

    @property
    def findings(self) -> list[tuple[Words, int, Link]]:
        """(words of the red line, amount, link to the case)"""
        figures = [(json.loads(row["evidence"])[0], row) for row in self.funds.findings]
        return [
            (
                (said["words_en"], said["words_zh"]),
                row["amount_minor"],
                Link(row["case_id"], query("case", {"id": row["case_id"]})),
            )
            for said, row in figures
        ]

    def place(self, node: str | None) -> Link:
        """An account; a card as its owner's."""
        if node is None or node == LENDERS:
            return Link("lenders 出借人")
        if is_card(node):
            owner = query("customer", {"id": node.partition(CARD_MARK)[2]})
            return Link("his card 其绑定卡", owner if self._reader.may("customer.view") else "")
        return self._links.account(node)

    def request(self, request_no: str | None) -> Link:
        return transaction_link(self._platform, request_no) if request_no else Link("–")

    def way(self, way: str) -> Words:
        return term(way, "way")


def percent(rate: str) -> str:
    """0.072 -> 7.2 %, without floating point."""
    whole, _, part = rate.partition(".")
    digits = (whole + part.ljust(2, "0")[:2]).lstrip("0") or "0"
    rest = part[2:].rstrip("0")
    return f"{digits}.{rest} %" if rest else f"{digits} %"
