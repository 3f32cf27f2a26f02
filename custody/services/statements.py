"""A sub-account's statement over any dates, and its balance at any date, from the keyed store (domain.md §9).

One line for each posting, available and frozen apart. Opening + movements = closing is proved against what the store keeps of the
balance itself, and each line's own balance against the running one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from custody.errors import UsageError
from custody.names import account_and_part
from custody.ports import LedgerReader, Row

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
# Of an account that never moved: no layout admits another.
_CURRENCY = "CNY"
AVAILABLE, FROZEN = "available", "frozen"


@dataclass(frozen=True)
class Balance:
    """``unsettled_minor`` is the part of ``available_minor`` whose cash has not reached the core (domain.md §2)."""

    available_minor: int
    frozen_minor: int
    unsettled_minor: int

    @property
    def total_minor(self) -> int:
        return self.available_minor + self.frozen_minor


@dataclass(frozen=True)
class BalanceAt:
    """The balance at the end of ``on``; ``moved_on``: the date since which it stands, None where it never moved. ``up_to`` is how
    far the store may be read."""

    account: str
    on: date
    moved_on: date | None
    up_to: date
    balance: Balance


@dataclass(frozen=True)
class Line:
    """One posting: what it did to each part, and what they hold after it."""

    entry_no: int
    posting_date: date
    value_date: date
    event_time: datetime
    txn_type: str
    request_no: str
    leg: int
    loan_id: str | None
    counterparty: str
    available_change_minor: int
    frozen_change_minor: int
    available_minor: int
    frozen_minor: int

    @property
    def change_minor(self) -> int:
        """What came in or went out: a freeze moves nothing out of the sub-account."""
        return self.available_change_minor + self.frozen_change_minor

    @property
    def balance_minor(self) -> int:
        return self.available_minor + self.frozen_minor


@dataclass(frozen=True)
class Statement:
    """From the opening of ``first`` to the close of ``last``, which is not beyond ``up_to``.

    ``differences``: what does not agree, in words; empty: opening + movements = closing, line by line.
    """

    account: str
    first: date
    last: date
    up_to: date
    currency: str
    opening: Balance
    lines: tuple[Line, ...]
    closing: Balance
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return not self.differences

    @property
    def in_minor(self) -> int:
        return sum(line.change_minor for line in self.lines if line.change_minor > 0)

    @property
    def out_minor(self) -> int:
        return -sum(line.change_minor for line in self.lines if line.change_minor < 0)


def month_of(text: str) -> tuple[date, date]:
    """First and last day of a month YYYY-MM. Raises UsageError."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is not a month YYYY-MM")
    first = date(int(found[1]), int(found[2]), 1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def balance_at(reader: LedgerReader, account: str, on: date) -> BalanceAt:
    """Raises UsageError for an account that does not exist, or a date beyond what the store holds."""
    up_to = readable(reader)
    _known(reader, account)
    row = reader.balance_at(account, on)
    return BalanceAt(account, on, row["as_of"] if row else None, up_to, _balance(row))


def statement(reader: LedgerReader, account: str, first: date, last: date) -> Statement:
    """The statement of the days ``first`` to ``last``, both in; of days that the store does not hold yet, nothing: ``last`` is then
    the last that it holds. Raises UsageError for an unknown account, and for a period that lies beyond the store wholly."""
    up_to = readable(reader)
    if first > last:
        raise UsageError(f"the statement would begin on {first} and end on {last}")
    if first > up_to:
        raise UsageError(f"the keyed store holds the days up to {up_to}; {first} is not among them")
    last = min(last, up_to)
    _known(reader, account)
    opening = _balance(reader.balance_at(account, first - timedelta(days=1)))
    kept = reader.balance_at(account, last)
    closing = _balance(kept)
    lines, differences = _lines(account, reader.movements(account, first, last), opening)
    found = lines[-1] if lines else None
    for part, reached, stands in (
        (AVAILABLE, found.available_minor if found else opening.available_minor, closing.available_minor),
        (FROZEN, found.frozen_minor if found else opening.frozen_minor, closing.frozen_minor),
    ):
        if reached != stands:
            differences.append(f"{part}: opening and movements make {reached}, the balance kept for {last} is {stands}")
    return Statement(
        account, first, last, up_to, (kept and kept["currency"]) or _CURRENCY, opening, tuple(lines), closing, tuple(differences)
    )


def readable(reader: LedgerReader) -> date:
    """The last date that may be read. Raises UsageError while there is none."""
    up_to = reader.up_to()
    if up_to is None:
        raise UsageError("no custody date is in the keyed store yet: run the day as far as project")
    return up_to


def _known(reader: LedgerReader, account: str) -> None:
    if "." in account and reader.sub_account(account) is None:
        raise UsageError(f"no sub-account {account!r}; its form is PLATFORM.ROLE.USER_NO")


def _balance(row: Row | None) -> Balance:
    if row is None:
        return Balance(0, 0, 0)
    return Balance(row["available_minor"], row["frozen_minor"], row["unsettled_minor"])


def _lines(account: str, moves: Iterable[Row], opening: Balance) -> tuple[list[Line], list[str]]:
    """The lines, and where a move's own balance is not the running one."""
    lines: list[Line] = []
    differences: list[str] = []
    running = {AVAILABLE: opening.available_minor, FROZEN: opening.frozen_minor}
    for entry_no, entry in groupby(moves, key=lambda move: int(move["entry_no"])):
        before = dict(running)
        parts = list(entry)
        for move in parts:
            running[move["part"]] += move["amount_minor"]
            if move["balance_minor"] is not None and move["balance_minor"] != running[move["part"]]:
                differences.append(
                    f"entry {entry_no}, {move['part']}: the journal says {move['balance_minor']}, the lines make {running[move['part']]}"
                )
        first = parts[0]
        lines.append(
            Line(
                entry_no,
                first["posting_date"],
                first["value_date"],
                first["event_time"],
                first["txn_type"],
                first["request_no"],
                first["leg"],
                first["loan_id"],
                " ".join(_others(account, parts)),
                running[AVAILABLE] - before[AVAILABLE],
                running[FROZEN] - before[FROZEN],
                running[AVAILABLE],
                running[FROZEN],
            )
        )
    return lines, differences


def _others(account: str, parts: list[Row]) -> Iterator[str]:
    """Who stood on the other side, each once, in the order of the moves; nobody for a freeze of one's own."""
    seen = {account}
    for move in parts:
        if move["counterparty"] is None:
            continue
        other, _ = account_and_part(move["counterparty"])
        if other not in seen:
            seen.add(other)
            yield other
