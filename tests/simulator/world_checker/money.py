"""INV_01, INV_02, INV_03, INV_13, CORE_FLOW: books replayed from both sides against balances and the core."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date

from world_reader import Row

from world_checker.books import Books
from world_checker.view import P_ACCOUNTS, SUSPENSE, Holder, Platform, Violation, in_order


def violations(platform: Platform) -> Iterator[Violation]:
    settled: dict[str, list[str]] = defaultdict(list)
    for rows in platform.settlements.values():
        for row in rows:
            settled[row["settlement_batch"]].append(row["request_no"])
    claimed: dict[date, list[Row]] = defaultdict(list)
    for rows in platform.txn.values():
        for row in rows:
            # The bank's own columns are not the platform's to know.
            claimed[row["event_time"].date()].append(row | {"direction": None, "settlement_batch": None, "fee_minor": None})
    books, shadow = Books(), Books()
    for day in platform.dates:
        books.flows.clear()
        for row in platform.instructions[day]:
            books.post(row, settled)
        for row in in_order(claimed[day]):
            shadow.post(row, settled)
        for rule, words in books.troubles:
            yield platform.says(rule, day, words)
        books.troubles.clear()
        yield from _balances(platform, day, books, "INSTRUCTION")
        yield from _balances(platform, day, shadow, "TXN")
        yield from _holds(platform, day, books)
        yield from _core(platform, day, books)
    yield from _chain(platform)


def _filed(platform: Platform, day: date) -> dict[Holder, tuple[int, int]]:
    return {(r["role"], r["user_no"]): (r["available_minor"], r["frozen_minor"]) for r in platform.balances[day]}


def _balances(platform: Platform, day: date, books: Books, side: str) -> Iterator[Violation]:
    filed = _filed(platform, day)
    for holder in sorted((filed.keys() | books.available.keys() | books.frozen.keys()) - {SUSPENSE}):
        own, stated = (books.available[holder], books.frozen[holder]), filed.get(holder, (0, 0))
        if own != stated:
            yield platform.says("INV_02", day, f"{holder[1]} holds {own} by the {side} files, {stated} by BALANCE")
    for name in ("P_MARKETING", "P_INCOME"):
        if ("PLATFORM", name) not in filed:
            yield platform.says("INV_02", day, f"BALANCE has no {name}")
    for role, user_no in filed:
        if role == "PLATFORM" and user_no not in P_ACCOUNTS:
            yield platform.says("INV_02", day, f"BALANCE has an account {user_no}")


def _holds(platform: Platform, day: date, books: Books) -> Iterator[Violation]:
    open_holds: Counter[Holder] = Counter()
    for holder, held in books.holds.values():
        open_holds[holder] += held
    for holder, (_, frozen) in _filed(platform, day).items():
        if frozen != open_holds[holder]:
            yield platform.says("INV_03", day, f"{holder[1]}: {frozen} frozen, open holds are {open_holds[holder]}")


def _core(platform: Platform, day: date, books: Books) -> Iterator[Violation]:
    closing = {row["account"].partition(":")[2]: row["closing_minor"] for row in platform.core_balances[day]}
    for account, ours in (("CUSTODY", books.cash), ("OWN", books.own)):
        if closing.get(account) != ours:
            yield platform.says("INV_01", day, f"the core's {account} closes with {closing.get(account)}, the books with {ours}")
    owed = books.available[SUSPENSE] + sum(books.payable.values()) + sum(map(sum, _filed(platform, day).values()))
    assets = books.cash + books.fee_receivable + sum(books.receivable.values())
    if assets != owed:
        yield platform.says("INV_01", day, f"cash and receivables are {assets}, what customers and others hold is {owed}")
    if books.fee_receivable:
        yield platform.says("INV_13", day, f"channel fees of {books.fee_receivable} are not made good the same day")
    expected = Counter((account, amount, ref, when.isoformat()) for account, amount, ref, when in books.flows)
    shown = Counter(
        (row["account"].partition(":")[2], row["amount_minor"], row["core_ref"], row["booked_at"]) for row in platform.flows[day]
    )
    for flow in sorted((expected - shown) + (shown - expected)):
        yield platform.says("CORE_FLOW", day, f"{flow} is {'not ' if flow in expected else ''}at the core")


def _chain(platform: Platform) -> Iterator[Violation]:
    """The core's own balances follow from its flows and from each other; so do its numbers and times."""
    closing: dict[str, int] = defaultdict(int)
    refs: set[tuple[str, str]] = set()
    for day in platform.dates:
        moved: dict[str, int] = defaultdict(int)
        number: dict[str, int] = defaultdict(int)
        last: dict[str, str] = defaultdict(str)
        for flow in platform.flows[day]:
            account, ref = flow["account"], (flow["account"], flow["core_ref"])
            moved[account] += flow["amount_minor"]
            number[account] += 1
            sound = flow["custody_date"] == flow["booked_at"][:10] == day.isoformat() and last[account] <= flow["booked_at"]
            if ref in refs or flow["seq"] != number[account] or not sound or flow["currency"] != "CNY":
                yield platform.says("CORE_FLOW", day, f"{ref}: its number, time or reference is not in order")
            refs.add(ref)
            last[account] = flow["booked_at"]
        accounts = [row["account"] for row in platform.core_balances[day]]
        if sorted(accounts) != [f"{platform.name}:CUSTODY", f"{platform.name}:OWN"]:
            yield platform.says("INV_02", day, f"the core shows the accounts {accounts}")
        for row in platform.core_balances[day]:
            account = row["account"]
            wanted = (closing[account], closing[account] + moved[account])
            if (row["opening_minor"], row["closing_minor"]) != wanted:
                stated = (row["opening_minor"], row["closing_minor"])
                yield platform.says("INV_02", day, f"{account} opens and closes with {stated}; its flows say {wanted}")
            closing[account] = row["closing_minor"]
