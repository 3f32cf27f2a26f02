"""Transactions: found by what is known of them, and one request with all that belongs to it; the answers are
custody.services.transactions'.

An account that is typed in is personal (it holds a user's number), so the form is posted and answered by an address that names the
customer and a keyed digest of the account; every other filter stands in the address as it is.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from collections.abc import Callable, Iterator, Mapping, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.bootstrap import Wiring
from console.pages.asking import FormDep, NotFound, UserDep, asked, date_of, show
from console.pages.export import Cell, columns_of, csv_of_pieces, wants_file
from console.pages.links import Link, Links, loan_link, transaction_link
from console.pages.listing import ROWS_AT_ONCE, ROWS_ON_A_PAGE, Listing, listing, query
from console.pages.render import when
from console.pages.words import OUTCOMES, STATUSES, term
from custody.errors import UsageError
from custody.names import PartyKind
from custody.ports import Row
from custody.services.organisations import parties
from custody.services.transactions import RequestView, TxnPage, find_transactions, show_transaction
from custody.transaction_query import TxnQuery, place_of
from custody.txn_words import TXN_TYPES

router = APIRouter()

# Filters that stand in the address. ``customer`` and ``account`` mean a sub-account, ``ledger`` an account that is nobody's.
_FILTERS = (
    "platform",
    "type",
    "status",
    "outcome",
    "channel",
    "loan",
    "request",
    "first",
    "last",
    "customer",
    "account",
    "ledger",
)
# As a file has them.
_EXPORTED: dict[str, Callable[[Row], Cell]] = {
    "custody_date": lambda row: place_of(row).on,
    **columns_of(("platform", "txn_type", "request_no", "leg", "from_account", "to_account", "loan_id", "currency")),
    "amount": lambda row: (row["amount_minor"], row["currency"]),
    "fee": lambda row: (row["fee_minor"], row["currency"]) if row["fee_minor"] is not None else None,
    **columns_of(("status", "outcome", "channel")),
    "event_time": lambda row: when(row["event_time"]),
    **columns_of(("file_name", "line_no")),
}


@router.get("/transactions", response_class=HTMLResponse)
def the_transactions(request: Request, user: UserDep) -> Response:
    """Without any filter only the form: nobody means all transactions there ever were."""
    params = request.query_params
    with asked(user, "transaction.view", "list of transactions") as wiring:
        chosen = {name: params[name].strip() for name in _FILTERS if params.get(name, "").strip()}
        with wiring.register.transaction() as tx:
            known = [(p.party, p.kind) for p in parties(tx)]
        platforms = [party for party, kind in known if kind == PartyKind.PLATFORM]
        channels = [party for party, kind in known if kind == PartyKind.CHANNEL]
        account = _account(wiring, chosen)
        found = None
        if chosen:
            asked_for = _query(chosen, account)

            def part(limit: int, after: str | None) -> TxnPage:
                return find_transactions(wiring.ledger_reader, wiring.sealed_transactions, platforms, asked_for, limit, after)

            if wants_file(params):
                return csv_of_pieces(wiring, user.get_name(), "transactions", chosen, _pieces(part), _EXPORTED)
            found = part(ROWS_ON_A_PAGE, params.get("after") or None)
        view = ListView(Links(wiring), found, chosen, account, platforms, channels)
        return show(request, "transactions.html", view=view)


def _pieces(part: Callable[[int, str | None], TxnPage]) -> Iterator[Sequence[Row]]:
    """All of them, from place to place."""
    after = None
    while True:
        found = part(ROWS_AT_ONCE, after)
        yield found.rows
        if found.next is None:
            return
        after = found.next


@router.post("/transactions", response_class=RedirectResponse)
def to_the_transactions(user: UserDep, form: FormDep) -> RedirectResponse:
    """The form's answer is an address that names no person."""
    with asked(user, "transaction.view", "list of transactions") as wiring:
        chosen = {name: form[name] for name in _FILTERS if form.get(name)}
        typed = form.get("typed_account", "")
        if typed:
            links = Links(wiring)
            customer = links.customer_of(typed)
            for name in ("customer", "account", "ledger"):
                chosen.pop(name, None)
            if customer is not None:
                chosen |= {"customer": customer, "account": links.ref(typed)}
            elif "." in typed:
                raise NotFound("there is no such sub-account; its form is PLATFORM.ROLE.USER_NO / 无此子账户")
            else:
                chosen["ledger"] = typed
    return RedirectResponse(query("transactions", chosen), 303)


@router.get("/transaction", response_class=HTMLResponse)
def one_transaction(request: Request, user: UserDep, platform: str = "", no: str = "") -> HTMLResponse:
    """One request: its legs with each attempt, and the entries that they made."""
    with asked(user, "transaction.view", f"{platform}/{no}"[:80]) as wiring:
        if not wiring.ledger_reader.transaction(platform, no):
            raise NotFound(f"no request {no[:40]!r} of platform {platform[:20]!r} / 无此流水")
        told = show_transaction(wiring.ledger_reader, wiring.sealed_transactions, platform, no)
        return show(request, "transaction.html", view=OneView(Links(wiring), told, dict(request.query_params)))


def _account(wiring: Wiring, chosen: Mapping[str, str]) -> str | None:
    if "customer" not in chosen and "account" not in chosen:
        return chosen.get("ledger")
    row = Links(wiring).chosen(chosen.get("customer", ""), chosen.get("account", ""))
    if row is None:
        raise NotFound("the customer has no such account / 该客户无此子账户")
    return str(row["sub_account"])


def _query(chosen: Mapping[str, str], account: str | None) -> TxnQuery:
    dates = {}
    for name in ("first", "last"):
        if name in chosen:
            dates[name] = date_of(chosen[name])
            if dates[name] is None:
                raise UsageError(f"{chosen[name][:40]!r} is not a date YYYY-MM-DD / 日期格式应为 YYYY-MM-DD")
    return TxnQuery(
        platform=chosen.get("platform"),
        request_no=chosen.get("request"),
        loan_id=chosen.get("loan"),
        account=account,
        channel=chosen.get("channel"),
        txn_type=chosen.get("type"),
        status=chosen.get("status"),
        outcome=chosen.get("outcome"),
        first=dates.get("first"),
        last=dates.get("last"),
    )


class _Leg:
    """A leg's row with what the tables of both pages ask."""

    def __init__(self, links: Links, row: Row) -> None:
        self.row = row
        self.on = place_of(row).on
        self.request = transaction_link(row["platform"], row["request_no"])
        self.from_account: Link = links.account(row["from_account"])
        self.to_account: Link = links.account(row["to_account"])
        self.loan: Link = loan_link(row["platform"], row["loan_id"])


class ListView:
    """A TxnPage, or None before anything was asked."""

    def __init__(
        self,
        links: Links,
        found: TxnPage | None,
        chosen: Mapping[str, str],
        account: str | None,
        platforms: list[str],
        channels: list[str],
    ) -> None:
        self.found = found
        self.asked = {name: chosen.get(name, "") for name in _FILTERS}
        self.account = links.account(account) if account else None
        self.legs = [_Leg(links, row) for row in found.rows] if found else []
        self.choices = {
            "platform": [(party, "") for party in platforms],
            "type": [term(name, "txn_type") for name in TXN_TYPES],
            "status": [term(name, "status") for name in STATUSES],
            "outcome": [term(name, "outcome") for name in OUTCOMES],
            "channel": [(party, "") for party in channels],
        }
        said = {name: value for name, value in chosen.items() if value}
        self.without_account = query(
            "transactions", {n: v for n, v in said.items() if n not in ("customer", "account", "ledger")}
        )
        self.start = query("transactions", said)
        self.next = query("transactions", {**said, "after": found.next}) if found and found.next else None
        self.as_file = query("transactions", {**said, "export": "csv"})


class OneView:
    """A RequestView with its links; a request may have thousands of legs, and a tender thousands that follow it."""

    def __init__(self, links: Links, told: RequestView, params: Mapping[str, str]) -> None:
        self.told = told
        self._links = links
        in_order = {"order": place_of}
        self.legs: Listing[Row] = listing(
            told.legs, {"order": lambda row: (row["leg"], row["txn_no"])}, params, "transaction", "leg_"
        )
        self.related: Listing[Row] = listing(told.related, in_order, params, "transaction", "related_")
        self.followers: Listing[Row] = listing(told.followed_by, in_order, params, "transaction", "follower_")
        self.entries: Listing[Row] = listing(
            told.entries, {"order": lambda move: (move["entry_no"], move["move_no"])}, params, "transaction", "entry_"
        )

    @property
    def legs_shown(self) -> list[_Leg]:
        return [_Leg(self._links, row) for row in self.legs.rows]

    @property
    def related_shown(self) -> list[_Leg]:
        return [_Leg(self._links, row) for row in self.related.rows]

    @property
    def followers_shown(self) -> list[_Leg]:
        return [_Leg(self._links, row) for row in self.followers.rows]

    def account(self, account: str) -> Link:
        return self._links.account(account)
