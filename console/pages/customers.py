"""Customers: found by what identifies them, one seen as of any date, masked; the answers are custody.services.customers'.

What is searched for is personal data: it is posted, and the answer's address names the customer by his id, which is a keyed digest.
Personal data in clear is the answer to one posted form with a reason, which the service records first; no address leads to it.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import json
from collections.abc import Mapping
from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.bootstrap import Wiring
from console.hold_view import holds_of
from console.pages.asking import FormDep, UserDep, asked, date_of, show, wired
from console.pages.links import Link, Links, loan_link, transaction_link
from console.pages.listing import Listing, listing, query
from console.pages.words import Words, term
from custody.customer_decisions import DELETE
from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.names import sub_account_id
from custody.permissions import permitted
from custody.ports import Row
from custody.services.access import duties_of
from custody.services.customer_history import HistoryEvent, history, proposals_about
from custody.services.customer_papers import reveal
from custody.services.customers import AccountView, CustomerSummary, CustomerView, customer, find_customers
from custody.watch_list import HOLD_WORDS, HoldState

router = APIRouter()

_DEEDS = ("reveal", "propose", "approve")

FIELDS: dict[str, Words] = {
    "name": ("name", "姓名"),
    "id_type": ("kind of paper", "证件类型"),
    "id_no": ("paper's number", "证件号码"),
    "phone": ("mobile number", "手机号"),
    "card_no": ("bank card", "银行卡号"),
}


@router.get("/customers", response_class=HTMLResponse)
def search_form(request: Request, user: UserDep) -> HTMLResponse:
    with asked(user, "customer.view", "page of the customers"):
        return show(request, "customers.html", found=None, trouble="")


@router.post("/customers", response_class=HTMLResponse)
def search(request: Request, user: UserDep, form: FormDep) -> Response:
    """Straight to the customer where there is one only."""
    with wired(user) as wiring:
        try:
            found = find_customers(wiring.customer_ports, user.get_name(), form.get("wanted", ""))
        except UsageError as error:
            answer = show(request, "customers.html", found=None, trouble=str(error))
            answer.status_code = 400
            return answer
        if len(found) == 1:
            return RedirectResponse(address(found[0].customer_id), 303)
        return show(request, "customers.html", found=[Found(one) for one in found], trouble="")


@router.get("/customer", response_class=HTMLResponse)
def one_customer(request: Request, user: UserDep, id: str = "", as_of: str = "") -> HTMLResponse:
    """As the keyed store has him, or at the end of a date."""
    on = date_of(as_of) if as_of else None
    if as_of and on is None:
        raise UsageError(f"{as_of[:40]!r} is not a date YYYY-MM-DD / 日期格式应为 YYYY-MM-DD")
    with wired(user) as wiring:
        view = _view(wiring, user.get_name(), id, on, request.query_params)
        return show(request, "customer.html", view=view, clear=None, trouble=[])


@router.post("/reveal", response_class=HTMLResponse)
def in_clear(request: Request, user: UserDep, form: FormDep) -> HTMLResponse:
    """The customer's page with his data in clear, this once: like every page it is kept in no cache, and asking again is recorded again."""
    customer_id = form.get("id", "")
    with wired(user) as wiring:
        clear = reveal(wiring.customer_ports, user.get_name(), customer_id, form.get("reason", ""))
        view = _view(wiring, user.get_name(), customer_id, None, {"id": customer_id})
        return show(request, "customer.html", view=view, clear=clear, trouble=[])


def customer_page(request: Request, wiring: Wiring, actor: str, customer_id: str, trouble: list[str]) -> HTMLResponse:
    """The page as it is now, with what was wrong with a form."""
    view = _view(wiring, actor, customer_id, None, {"id": customer_id})
    return show(request, "customer.html", view=view, clear=None, trouble=trouble)


def address(customer_id: str) -> str:
    return query("customer", {"id": customer_id})


def _view(wiring: Wiring, actor: str, customer_id: str, on: date | None, params: Mapping[str, str]) -> "View":
    found = customer(wiring.customer_ports, actor, customer_id, on)
    events = history(wiring.customer_ports, actor, customer_id)
    with wiring.register.transaction() as tx:
        about = proposals_about(tx, customer_id)
        duties = duties_of(tx, actor)
    may = {deed: permitted(f"customer.{deed}", duties) for deed in _DEEDS}
    return View(wiring, actor, found, on, events, about, params, may)


class Found:
    """One line of the answer to a search."""

    def __init__(self, found: CustomerSummary) -> None:
        self.customer_id = found.customer_id
        self.href = address(found.customer_id)
        self.names = ", ".join(found.names) or "–"
        self.accounts = [mask_user_numbers(account) for account in found.accounts]


class View:
    """A CustomerView with its history, and what the template asks."""

    def __init__(
        self,
        wiring: Wiring,
        reader: str,
        found: CustomerView,
        on: date | None,
        events: list[HistoryEvent],
        about: list[Row],
        params: Mapping[str, str],
        may: Mapping[str, bool],
    ) -> None:
        self.reader = reader
        self.may = may
        self.customer = found
        self.on = on
        self.fields = FIELDS
        self.waiting = [row for row in about if row["state"] == "PROPOSED"]
        self._links = Links(wiring)
        ledger = wiring.ledger_reader
        self.history: Listing[HistoryEvent] = listing(
            sorted(events, key=lambda event: event.on, reverse=True),
            {"order": lambda event: -event.on.toordinal()},
            params,
            "customer",
            "history_",
        )
        # What is frozen and what is held are known as of the newest date only.
        self.stops = [] if on else holds_of(wiring, reader, found.customer_id)
        accounts = [] if on else [account.sub_account for account in found.accounts]
        self.holds = [(self.account(account), hold) for account in accounts for hold in ledger.holds_of(account)]
        self.claims = [row for account in accounts for row in ledger.claims_of_holder(account) if row["principal_minor"]]

    def account(self, sub_account: str) -> Link:
        return self._links.account(sub_account)

    def stop_words(self, stop: Row) -> Words:
        return HOLD_WORDS[HoldState(stop["state"])]

    def role(self, account: AccountView) -> Words:
        return term(account.role, "role")

    def loan(self, sub_account: str, loan_id: str | None) -> Link:
        return loan_link(sub_account.partition(".")[0], loan_id)

    def request(self, sub_account: str, request_no: str) -> Link:
        return transaction_link(sub_account.partition(".")[0], request_no)

    def other(self, customer_id: str) -> Link:
        return Link(customer_id, address(customer_id))

    def shown(self, text: str) -> str:
        return mask_user_numbers(text)

    @property
    def open_accounts(self) -> list[tuple[str, str]]:
        """(name, reference in links)"""
        found = [account.sub_account for account in self.customer.accounts if account.is_open]
        return [(mask_user_numbers(account), self._links.ref(account)) for account in found]

    def deletes(self, proposal: Row) -> bool:
        return bool(proposal["kind"] == DELETE)

    def what(self, proposal: Row) -> str:
        """What is proposed, as far as the proposal says it: never the personal data themselves."""
        payload = json.loads(proposal["payload"])
        if "into" in payload:
            return f"{proposal['subject']} → {payload['into']}"
        rows = [row for row in payload.get("rows", ()) if row["customer_id"] == self.customer.customer_id]
        account = (sub_account_id(payload["platform"], row["role"], row["user_no"]) for row in rows)
        return "; ".join(f"{row['action']} {name}: {', '.join(row['changes'])}" for row, name in zip(rows, account, strict=True))

    @property
    def totals(self) -> dict[str, int]:
        names = ("available_minor", "unsettled_minor", "frozen_minor")
        return {name: sum(getattr(account, name) for account in self.customer.accounts) for name in names}

    @property
    def positions(self) -> list[tuple[str, int, int]]:
        """(platform, claims, principal) of what is still held."""
        found: dict[str, tuple[int, int]] = {}
        for row in self.claims:
            count, principal = found.get(row["platform"], (0, 0))
            found[row["platform"]] = count + 1, principal + row["principal_minor"]
        return [(platform, *figures) for platform, figures in sorted(found.items())]
