"""One person at a time: found by any identifier, seen as of any date, masked (domain.md §1 module 3, §10)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from custody.customer_decisions import resolve
from custody.errors import UsageError
from custody.identity_numbers import is_card_number, is_identity_number, is_phone, is_uscc
from custody.names import Role, sub_account_id
from custody.personal import Said, latest, masked
from custody.ports import Row
from custody.services.access import check_permission
from custody.services.customer_ports import CustomerPorts, erased_on, merged_into, mergers

VIEW = "customer.view"
_CUSTOMER_ID = re.compile(r"C[0-9a-f]{24}")
_SUB_ACCOUNT = re.compile(rf"[A-Z][A-Z0-9]{{1,9}}\.({'|'.join(Role)})\.[A-Za-z0-9_-]{{1,40}}")
_USER = re.compile(r"([A-Z][A-Z0-9]{1,9})/([A-Za-z0-9_-]{1,40})")


@dataclass(frozen=True)
class AccountView:
    """A sub-account as it stood at the end of ``on``; ``moved_on``: the date since which its balance stands, None where it never
    moved."""

    sub_account: str
    platform: str
    role: str
    opened_on: date
    closed_on: date | None
    on: date
    available_minor: int
    frozen_minor: int
    unsettled_minor: int
    moved_on: date | None

    @property
    def is_open(self) -> bool:
        return self.closed_on is None or self.closed_on > self.on


@dataclass(frozen=True)
class CustomerView:
    """``personal``: by party, masked; empty for whom nothing is kept (any more)."""

    customer_id: str
    as_of: date | None
    personal: dict[str, dict[str, str]]
    said_on: dict[str, date]
    accounts: tuple[AccountView, ...]
    merged_into: str | None
    merged_from: tuple[str, ...]
    erased_up_to: date | None


@dataclass(frozen=True)
class CustomerSummary:
    customer_id: str
    names: tuple[str, ...]
    accounts: tuple[str, ...]


def find_customers(ports: CustomerPorts, actor: str, query: str) -> list[CustomerSummary]:
    """Whoever has this customer id, sub-account, PLATFORM/user number, identity number, phone or card: exactly.

    Raises NotPermitted, and UsageError for what is none of them (it is not repeated: it may be personal data).
    """
    check_permission(ports.register, actor, VIEW, "find")
    query = query.strip()
    ids = _ids_of(ports, query)
    with ports.register.transaction() as tx:
        aliases = mergers(tx)
    # A merger that is approved takes effect with the next day: until then the old id is still his own.
    found = {i if ports.ledger.accounts_of(i) or ports.persons.said(i) else resolve(aliases, i) for i in ids}
    return [summary(ports, customer_id) for customer_id in sorted(found) if _is_known(ports, customer_id)]


def summary(ports: CustomerPorts, customer_id: str) -> CustomerSummary:
    """A customer in one line, masked."""
    said = latest(ports.persons.said(customer_id)).values()
    names = sorted({masked(word.fields)["name"] for word in said})
    accounts = tuple(row["sub_account"] for row in ports.ledger.accounts_of(customer_id))
    return CustomerSummary(customer_id, tuple(names), accounts)


def _ids_of(ports: CustomerPorts, query: str) -> set[str]:
    if _CUSTOMER_ID.fullmatch(query):
        return {query}
    if _SUB_ACCOUNT.fullmatch(query):
        return _owners(ports, [query])
    user = _USER.fullmatch(query)
    if user:
        return _owners(ports, [sub_account_id(user[1], role, user[2]) for role in Role])
    found: set[str] = set()
    number, known = query.upper(), False
    for is_one, id_type in ((is_identity_number, "ID"), (is_uscc, "USCC")):
        if is_one(number):
            known = True
            found |= {ports.secrets.identity_digest(id_type, number), *ports.persons.find("id_no", number)}
    for is_one, name in ((is_phone, "phone"), (is_card_number, "card_no")):
        if is_one(number):
            known = True
            found |= set(ports.persons.find(name, number))
    if not known:
        raise UsageError(
            "that is no customer id, sub-account, PLATFORM/user number, identity number or credit code, mobile number or card number: "
            "check its digits / 不是客户号、子账户、平台/用户号、证件号、手机号或卡号"
        )
    return found


def _owners(ports: CustomerPorts, accounts: Iterable[str]) -> set[str]:
    return {row["customer_id"] for account in accounts if (row := ports.ledger.sub_account(account)) is not None}


def _is_known(ports: CustomerPorts, customer_id: str) -> bool:
    if ports.persons.said(customer_id) or ports.ledger.account_history(customer_id):
        return True
    with ports.register.transaction() as tx:
        return erased_on(tx, customer_id) is not None


def customer(ports: CustomerPorts, actor: str, customer_id: str, as_of: date | None = None) -> CustomerView:
    """A customer at the end of a date, or as the keyed store has him now. Raises NotPermitted; UsageError when there is none, or for
    a date that the store does not hold yet."""
    check_permission(ports.register, actor, VIEW, customer_id)
    return view_of(ports, customer_id, as_of)


def view_of(ports: CustomerPorts, customer_id: str, as_of: date | None = None) -> CustomerView:
    """As ``customer``, for services that have checked a permission of their own."""
    said = ports.persons.said(customer_id)
    states = ports.ledger.account_history(customer_id)
    with ports.register.transaction() as tx:
        aliases, erased = mergers(tx), erased_on(tx, customer_id)
    if not said and not states and erased is None and customer_id not in aliases:
        raise UsageError(f"no customer {customer_id!r}; see: custody customer find")
    on = as_of or ports.ledger.up_to()
    words = latest(said, as_of)
    return CustomerView(
        customer_id=customer_id,
        as_of=on,
        personal={party: masked(word.fields) for party, word in words.items()},
        said_on={party: word.on for party, word in words.items()},
        accounts=() if on is None else tuple(_account(ports, row, on) for row in held_at(states, customer_id, on)),
        merged_into=aliases.get(customer_id),
        merged_from=tuple(merged_into(aliases, customer_id)),
        erased_up_to=erased,
    )


def held_at(states: Iterable[Row], customer_id: str, on: date) -> list[Row]:
    """Of each sub-account its last state up to a date, where it was the customer's then."""
    last = {row["sub_account"]: row for row in states if row["as_of"] <= on}
    return [row for _, row in sorted(last.items()) if row["held_by"] == customer_id]


def _account(ports: CustomerPorts, row: Row, on: date) -> AccountView:
    balance = ports.ledger.balance_at(row["sub_account"], on)
    moved = balance["as_of"] if balance is not None and balance["currency"] is not None else None
    figures = balance or dict.fromkeys(("available_minor", "frozen_minor", "unsettled_minor"), 0)
    return AccountView(
        row["sub_account"],
        row["platform"],
        row["role"],
        row["opened_on"],
        row["closed_on"],
        on,
        figures["available_minor"],
        figures["frozen_minor"],
        figures["unsettled_minor"],
        moved,
    )


def words_of(ports: CustomerPorts, customer_id: str) -> list[Said]:
    """Everything that parties said of him; UsageError where nothing is kept."""
    said = ports.persons.said(customer_id)
    if not said:
        raise UsageError(f"of customer {customer_id!r} no personal data is kept; see: custody customer show")
    return said
