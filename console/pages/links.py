"""Links to accounts that name no person: an account's id carries his number at the platform, and an address stays in
histories and logs. So a link names the customer and a keyed digest of the account."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.bootstrap import Wiring
from console.pages.listing import query
from custody.masking import mask_user_numbers
from custody.ports import Row


@dataclass(frozen=True)
class Link:
    """``href`` is "" where there is nothing to go to."""

    text: str
    href: str = ""


class Links:
    """Each account is looked up once for a page."""

    def __init__(self, wiring: Wiring) -> None:
        self._reader = wiring.ledger_reader
        self._secrets = wiring.secrets
        self._known: dict[str, Row | None] = {}

    def ref(self, sub_account: str) -> str:
        return self._secrets.identity_digest("ACCOUNT", sub_account)

    def account(self, account: str | None) -> Link:
        """To the statement of a customer's account; the ledger's other accounts are named only."""
        if account is None:
            return Link("–")
        own, _, _ = account.partition(":")
        row = self._row(own) if "." in own else None
        text = mask_user_numbers(account)
        if row is None:
            return Link(text)
        return Link(text, query("account", {"customer": row["customer_id"], "account": self.ref(own)}))

    def customer_of(self, sub_account: str) -> str | None:
        row = self._row(sub_account)
        return None if row is None else str(row["customer_id"])

    def chosen(self, customer_id: str, ref: str) -> Row | None:
        """The customer's account that a link means."""
        for row in self._reader.accounts_of(customer_id):
            if self.ref(row["sub_account"]) == ref:
                return row
        return None

    def _row(self, sub_account: str) -> Row | None:
        if sub_account not in self._known:
            self._known[sub_account] = self._reader.sub_account(sub_account)
        return self._known[sub_account]


def loan_link(platform: str, loan_id: str | None) -> Link:
    return Link(loan_id, query("loan", {"platform": platform, "id": loan_id})) if loan_id else Link("–")


def transaction_link(platform: str, request_no: str) -> Link:
    return Link(request_no, query("transaction", {"platform": platform, "no": request_no}))
