"""One sub-account: its statement by month or day, what is frozen, and its owner's money loan by loan.

A link names the customer and a keyed digest of the account (console.pages.links), never a user's number.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from collections.abc import Mapping
from datetime import date, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from connectors.bootstrap import Wiring
from console.pages.asking import NotFound, UserDep, asked, date_of, show
from console.pages.links import Link, Links, loan_link, transaction_link
from console.pages.listing import Listing, listing, query
from console.pages.plot import Plot, money_plot
from custody.masking import mask_user_numbers
from custody.names import Role
from custody.ports import LedgerReader, Row
from custody.services.lender_money import LoanMoney, money_of
from custody.services.statements import Line, Statement, month_of, readable, statement

router = APIRouter()


@router.get("/account", response_class=HTMLResponse)
def one_account(request: Request, user: UserDep, customer: str = "", account: str = "", period: str = "") -> HTMLResponse:
    """``period``: YYYY-MM or YYYY-MM-DD; without it, the month of the last date that is in the keyed store."""
    with asked(user, "statement.view", f"{customer}/{account}"[:80]) as wiring:
        links, reader = Links(wiring), wiring.ledger_reader
        row = links.chosen(customer, account)
        if row is None:
            raise NotFound("the customer has no such account / 该客户无此子账户")
        up_to = readable(reader)
        day = date_of(period)
        first, last = (day, day) if day else month_of(period or f"{up_to:%Y-%m}")
        # A customer's day and month begin with his account.
        told = statement(reader, row["sub_account"], min(first, up_to), last)
        view = AccountView(
            wiring, row, told, day is not None, dict(request.query_params) | {"period": period or f"{up_to:%Y-%m}"}
        )
        return show(request, "account.html", view=view)


class AccountView:
    """A Statement and what belongs to the account, with what the template asks."""

    def __init__(self, wiring: Wiring, row: Row, told: Statement, one_day: bool, params: Mapping[str, str]) -> None:
        self.statement = told
        self.one_day = one_day
        self.platform: str = row["platform"]
        self.role: str = row["role"]
        self.opened_on: date = row["opened_on"]
        self.closed_on: date | None = row["closed_on"]
        self.name = mask_user_numbers(told.account)
        self.params = params
        self._links = Links(wiring)
        reader: LedgerReader = wiring.ledger_reader
        self.holds = reader.holds_of(told.account)
        self.lines: Listing[Line] = listing(told.lines, {"order": lambda line: line.entry_no}, params, "account")
        # Only who lends, or pays in a borrower's place, has money in loans.
        self.lends = self.role in (Role.LENDER, Role.GUARANTOR)
        money = money_of(reader, told.account).loans if self.lends else ()
        self.loans: Listing[LoanMoney] = listing(
            money,
            {
                "loan": lambda m: m.loan_id,
                "out": lambda m: m.out_minor,
                "in": lambda m: m.in_minor,
                "left": lambda m: m.claims_minor,
            },
            params,
            "account",
            "loan_",
        )

    @property
    def customer(self) -> str:
        return query("customer", {"id": self.params["customer"]})

    @property
    def period(self) -> str:
        return self.params["period"]

    @property
    def transactions(self) -> str:
        return query("transactions", {"customer": self.params["customer"], "account": self.params["account"]})

    @property
    def previous(self) -> str | None:
        before = self.statement.first - timedelta(days=1)
        return self._at(before) if before >= self.opened_on else None

    @property
    def next(self) -> str | None:
        first = self.statement.first
        after = first + timedelta(days=1) if self.one_day else (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        return self._at(after) if after <= self.statement.up_to else None

    def _at(self, on: date) -> str:
        kept = {name: self.params[name] for name in ("customer", "account")}
        return query("account", {**kept, "period": f"{on:%Y-%m-%d}" if self.one_day else f"{on:%Y-%m}"})

    def day(self, on: date) -> str:
        return query("account", {name: self.params[name] for name in ("customer", "account")} | {"period": on.isoformat()})

    def request(self, request_no: str) -> Link:
        return transaction_link(self.platform, request_no)

    def loan(self, loan_id: str | None) -> Link:
        return loan_link(self.platform, loan_id)

    def counterparty(self, line: Line) -> list[Link]:
        """Who stood on the other side; none for a move between the parts of this account."""
        others = [account for account in line.counterparty.split() if account.partition(":")[0] != self.statement.account]
        return [self._links.account(account) for account in others]

    @property
    def plot(self) -> Plot | None:
        """The balance at the end of each day on which it moved, from the opening of the first."""
        told = self.statement
        ends = {told.first - timedelta(days=1): told.opening.total_minor}
        ends |= {line.posting_date: line.balance_minor for line in told.lines}
        return None if self.one_day else money_plot(sorted(ends.items()), told.last)
