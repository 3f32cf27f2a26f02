"""Transactions by any key, and one request with all that belongs to it (domain.md §3).

Who has a key (a request, a loan, an account) is answered by the keyed store in milliseconds; by platform, channel, type and date
the sealed days are read. Either way in one order, with every outcome: what was refused or waits is there with its file and line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from heapq import merge
from itertools import islice

from custody.errors import UsageError
from custody.names import platform_of
from custody.ports import LedgerReader, Row, SealedTransactions
from custody.services.statements import readable
from custody.transaction_query import TxnQuery, place, place_of

MOST = 1_000


@dataclass(frozen=True)
class TxnPage:
    """Some of the answer, in order of date, platform and number. ``next``: the cursor to go on after, None at the end; ``source``:
    "keyed" or "sealed"."""

    rows: tuple[Row, ...]
    next: str | None
    source: str


@dataclass(frozen=True)
class RequestView:
    """One request: ``legs`` are its attempts, ``entries`` the journal's moves of those that were posted, ``holds`` what of it is still
    frozen; ``related`` is the request that it settles, cancels, sells, returns or pays from, ``followed_by`` those that name it."""

    platform: str
    request_no: str
    up_to: date
    legs: tuple[Row, ...]
    entries: tuple[Row, ...]
    holds: tuple[Row, ...]
    related: tuple[Row, ...]
    followed_by: tuple[Row, ...]

    @property
    def core_refs(self) -> tuple[str, ...]:
        """What the core's flows must quote; none where the request moves nothing there."""
        return tuple(dict.fromkeys(e["core_ref"] for e in self.entries if e["core_ref"]))


def find_transactions(
    reader: LedgerReader,
    sealed: SealedTransactions,
    platforms: Sequence[str],
    query: TxnQuery,
    limit: int,
    after: str | None = None,
) -> TxnPage:
    """``platforms``: those onboarded, where a request or loan is asked for without its own. Raises UsageError for a query that can have
    no answer, a cursor that is none, or a limit outside 1 to 1,000."""
    query.check()
    if not 1 <= limit <= MOST:
        raise UsageError(f"from 1 to {MOST} transactions can be shown at once, not {limit}")
    start = place(after) if after else None
    found = _from_store(reader, platforms, query)
    source = "keyed"
    if found is None:
        found, source = sealed.find(query, start), "sealed"
    rows = list(islice((row for row in found if start is None or place_of(row) > start), limit + 1))
    more = len(rows) > limit
    return TxnPage(tuple(rows[:limit]), str(place_of(rows[limit - 1])) if more else None, source)


def show_transaction(reader: LedgerReader, sealed: SealedTransactions, platform: str, request_no: str) -> RequestView:
    """Raises UsageError for a request that the keyed store does not have."""
    up_to = readable(reader)
    legs = reader.transaction(platform, request_no)
    if not legs:
        raise UsageError(f"no request {request_no!r} of platform {platform!r} up to {up_to}")
    entries = sealed.moves(platform, [leg["entry_no"] for leg in legs if leg["entry_no"] is not None])
    accounts = list(dict.fromkeys(leg["from_account"] for leg in legs if leg["from_account"]))
    # A coupon's hold lies on the platform's account under the tender's name with a suffix.
    accounts += sorted({account for e in entries if (account := _frozen_of(e["to_account"])) and account not in accounts})
    holds = [h for a in accounts for h in reader.holds_of(a) if h["hold_id"].partition("#")[0] == request_no]
    named = dict.fromkeys(leg["related_request_no"] for leg in legs if leg["related_request_no"])
    related = [row for name in named for row in reader.transaction(platform, name)]
    followers = list(_followers(reader, platform, legs, up_to))
    return RequestView(platform, request_no, up_to, tuple(legs), tuple(entries), tuple(holds), tuple(related), tuple(followers))


def _from_store(reader: LedgerReader, platforms: Sequence[str], query: TxnQuery) -> Iterator[Row] | None:
    """The answer by whichever key the query has; None without one."""
    where = (query.platform,) if query.platform else tuple(platforms)
    found: Iterator[Row]
    if query.request_no is not None:
        rows = (row for platform in where for row in reader.transaction(platform, str(query.request_no)))
        found = iter(sorted(rows, key=place_of))
    elif query.loan_id is not None:
        found = merge(*(reader.loan_transactions(platform, query.loan_id) for platform in where), key=place_of)
    elif query.accounts:
        found = _of_account(reader, query)
    else:
        return None
    return (row for row in found if query.takes(place_of(row).on) and query.matches(row))


def _of_account(reader: LedgerReader, query: TxnQuery) -> Iterator[Row]:
    """By the account's journal, and beside it what moved nothing."""
    up_to = readable(reader)
    account = query.accounts[0]
    first, last = query.first or date(1900, 1, 1), min(query.last or up_to, up_to)
    if first > last:
        return iter(())
    posted = _posted(reader, account, first, last)
    return merge(posted, reader.unposted(account, first, last), key=place_of)


def _posted(reader: LedgerReader, account: str, first: date, last: date) -> Iterator[Row]:
    seen = None
    for move in reader.movements(account, first, last):
        if move["entry_no"] == seen:
            continue
        seen = move["entry_no"]
        yield from (
            row
            for row in reader.leg(platform_of(account), move["request_no"], move["leg"])
            if row["entry_no"] == move["entry_no"]
        )


def _followers(reader: LedgerReader, platform: str, legs: Sequence[Row], up_to: date) -> Iterator[Row]:
    """Transactions that name the request: among those of its loan, or of its account where it has none."""
    request_no, first = legs[0]["request_no"], min(place_of(leg).on for leg in legs)
    seen: set[int] = set()
    sources = [reader.loan_transactions(platform, loan) for loan in {leg["loan_id"] for leg in legs} if loan is not None]
    accounts = {leg[side] for leg in legs for side in ("from_account", "to_account")} - {None}
    if not sources or len(legs) == 1:
        sources += [_of_account(reader, TxnQuery(account=a, first=first, last=up_to)) for a in sorted(accounts)]
    for source in sources:
        for row in source:
            if row["related_request_no"] == request_no and row["txn_no"] not in seen:
                seen.add(row["txn_no"])
                yield row


def _frozen_of(ledger_account: str) -> str | None:
    """The platform's account whose frozen part this is."""
    account, _, part = ledger_account.rpartition(":")
    return account if part == "frozen" and "." not in account else None
