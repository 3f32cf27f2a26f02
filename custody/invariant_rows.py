"""Which rows of a day's end each invariant of domain.md §4 looks at, and the invariants over them.

A rule that holds for each account or loan by itself finds the same on all rows as on the rows of those that break it. So the engine
may pick these (jobs/reconcile/suspects.py) and the rules stay written once: tests/jobs/test_invariants_on_engine.py gives both
all rows and the picked ones and asks for equal findings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from custody.ageing import Ages, stale_holds, suspense_aged, unknown_too_long
from custody.calendar import SettlementCalendar
from custody.invariants import (
    Row,
    Violation,
    balances_chain,
    books_sum_to_zero,
    channel_fees_restored,
    closed_accounts_are_empty,
    core_balance_equal,
    debt_equals_claims,
    signs_and_holds,
)
from custody.life_invariants import (
    itemised,
    loans_begin_whole,
    money_went_its_way,
    requirement_is_covered,
    settled_money_only,
    shares_stay_whole,
)
from custody.upfront_fees import upfront_fees

Rows = Sequence[Row]


@dataclass(frozen=True)
class AccountRows:
    """Of some accounts all that stands under them, today and yesterday; claims are those that they hold."""

    balances: Rows
    balances_before: Rows
    holds: Rows
    claims: Rows
    sub_accounts: Rows
    unsettled: Rows


@dataclass(frozen=True)
class LoanRows:
    """Of some loans all that stands under them, today and yesterday. ``told``: today's rows of LOAN files; ``settled``: posted legs
    that settled tenders, with ``holds_before`` of which."""

    loans: Rows
    loans_before: Rows
    claims: Rows
    claims_before: Rows
    holds: Rows
    told: Rows
    settled: Rows
    holds_before: Rows


@dataclass(frozen=True)
class DayRows:
    """``own``: balances that are no customer's; ``book_sums``: the balances of each platform's books, or their sums; ``items``:
    receivables, or their sums by account and whether they are past due; ``left``: unsettled money by which it left the bank.
    ``holds`` and ``under_way``: those that may be too old; ``taken``: posted legs that take money from a borrower, with
    ``lent``: loans disbursed on their days; ``paths``: the journal by type and kinds of account."""

    accounts: AccountRows
    loans: LoanRows
    own: Rows
    book_sums: Rows
    core: Rows
    items: Rows
    suspense: Rows
    left: Rows
    holds: Rows
    under_way: Rows
    taken: Rows
    lent: Rows
    paths: Rows


def violations(rows: DayRows, on: date, calendar: SettlementCalendar, ages: Ages) -> Iterator[Violation]:
    """INV_01 to INV_08, INV_12 to INV_14, and what waits too long, at the end of a date."""
    accounts, loans = rows.accounts, rows.loans
    yield from core_balance_equal(rows.own, rows.core)
    yield from books_sum_to_zero(rows.book_sums)
    yield from balances_chain(accounts.balances, accounts.balances_before)
    yield from signs_and_holds(accounts.balances, accounts.holds)
    yield from debt_equals_claims(loans.loans, loans.claims)
    yield from closed_accounts_are_empty(accounts.sub_accounts, accounts.balances, accounts.claims)
    if calendar.is_business_day(on):
        yield from channel_fees_restored(rows.own)
    yield from itemised(rows.own, rows.items, rows.suspense)
    yield from loans_begin_whole(loans.loans, loans.holds, loans.holds_before, loans.settled, loans.told, on, calendar, ages)
    yield from shares_stay_whole(loans.claims, loans.claims_before, loans.loans, loans.loans_before)
    yield from money_went_its_way(rows.paths)
    yield from settled_money_only(accounts.balances, accounts.holds, [*accounts.unsettled, *rows.left])
    yield from requirement_is_covered(rows.items, on)
    yield from upfront_fees(rows.taken, rows.lent)
    yield from stale_holds(rows.holds, on, calendar, ages)
    yield from unknown_too_long(rows.under_way, on, calendar, ages)
    yield from suspense_aged(rows.suspense, on)
