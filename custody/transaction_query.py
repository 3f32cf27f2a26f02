"""What is asked of transactions, and where one stands among all: the order of date, platform and number, which never changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from custody.errors import UsageError
from custody.names import Role, TxnStatus, TxnType, role_of

OUTCOMES = ("POSTED", "REPEATED", "WAITING", "REFUSED", "NO_POSTING")
_CURSOR = re.compile(r"([A-Z0-9]{2,10})\.([0-9]{17})", re.ASCII)


@dataclass(frozen=True)
class TxnQuery:
    """Every field that is filled must hold. ``lender``, ``borrower`` and ``account`` are accounts on either side of a leg; ``first``
    and ``last`` are custody dates on which it was processed."""

    platform: str | None = None
    request_no: str | None = None
    loan_id: str | None = None
    lender: str | None = None
    borrower: str | None = None
    account: str | None = None
    channel: str | None = None
    txn_type: str | None = None
    status: str | None = None
    outcome: str | None = None
    first: date | None = None
    last: date | None = None

    def check(self) -> None:
        """Raises UsageError for what can be no answer's."""
        for value, known, word in (
            (self.txn_type, tuple(TxnType), "type"),
            (self.status, tuple(TxnStatus), "status"),
            (self.outcome, OUTCOMES, "outcome"),
        ):
            if value is not None and value not in known:
                raise UsageError(f"the {word} is one of {', '.join(known)}, not {value!r}")
        for account, role in ((self.lender, Role.LENDER), (self.borrower, Role.BORROWER)):
            if account is not None and (account.count(".") != 2 or role_of(account) != role):
                raise UsageError(f"{account!r} is no {role}'s sub-account: PLATFORM.{role}.USER_NO")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise UsageError(f"the dates go from {self.first} back to {self.last}")

    @property
    def equal(self) -> dict[str, str]:
        """Columns that must have one value."""
        names = ("platform", "request_no", "loan_id", "channel", "txn_type", "status", "outcome")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def accounts(self) -> tuple[str, ...]:
        """Each must stand on one side of the leg."""
        return tuple(dict.fromkeys(a for a in (self.account, self.lender, self.borrower) if a is not None))

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Whether a transaction is one that was asked for, its date apart."""
        sides = (row["from_account"], row["to_account"])
        return all(row[name] == value for name, value in self.equal.items()) and all(a in sides for a in self.accounts)

    def takes(self, on: date) -> bool:
        """Whether a date lies within those that were asked for."""
        return (self.first is None or self.first <= on) and (self.last is None or on <= self.last)


class Place(NamedTuple):
    """Where a transaction stands; later ones compare greater."""

    on: date
    platform: str
    txn_no: int

    def __str__(self) -> str:
        return f"{self.platform}.{self.txn_no:017d}"


def place_of(row: Mapping[str, Any]) -> Place:
    """The place of a transaction; its number begins with its date."""
    return Place(_date(row["txn_no"]), row["platform"], row["txn_no"])


def place(text: str) -> Place:
    """The place that a cursor names. Raises UsageError for text that is none."""
    found = _CURSOR.fullmatch(text)
    try:
        if found is not None:
            return Place(_date(int(found[2])), found[1], int(found[2]))
    except ValueError:
        pass
    raise UsageError(f"{text!r} is no place to go on after; an answer's `next` is one")


def _date(txn_no: int) -> date:
    day = txn_no // 10**9
    return date(day // 10_000, day // 100 % 100, day % 100)
