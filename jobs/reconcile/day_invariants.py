"""The invariants of domain.md §4, and what waits too long, on a day's snapshot and its movements."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from custody.ageing import stale_holds, suspense_aged, unknown_too_long
from custody.bank_interest import interest_as_owned
from custody.calendar import dates
from custody.core_chain import core_chain
from custody.invariants import (
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
    fees_add_up,
    itemised,
    loans_begin_whole,
    money_went_its_way,
    requirement_is_covered,
    settled_money_only,
    shares_stay_whole,
)
from custody.names import Book, BreakKind, PartyKind, TxnType
from custody.ports import Row
from custody.upfront_fees import TAKING, upfront_fees
from jobs.reconcile.breaks import Breaks, add_violation
from jobs.reference import Reference
from jobs.step import StepContext

# What the day's end is judged by: of a leg only these.
_LEG = (
    "platform",
    "request_no",
    "leg",
    "txn_type",
    "direction",
    "from_account",
    "loan_id",
    "related_request_no",
    "amount_minor",
    "value_date",
)


def paths_of_money(spark: SparkSession) -> list[Row]:
    """The day's journal (a view) by type and kinds of account: a customer's role, or the name of any other account."""
    kind = """if({0} like '%.%', substring_index(substring_index({0}, '.', 2), '.', -1),
                 substring_index(substring_index(substring_index({0}, ':', 2), ':', -1), '/', 1))"""
    found = spark.sql(
        f"""
        select platform, txn_type, {kind.format("from_account")} as payer, {kind.format("to_account")} as payee,
               cast(sum(amount_minor) as bigint) as amount_minor
        from journal group by 1, 2, 3, 4
        """
    )
    return sorted(found.toArrow().to_pylist(), key=lambda r: (r["platform"], r["txn_type"], r["payer"], r["payee"]))


def add_invariants(context: StepContext, breaks: Breaks, reference: Reference, missing: frozenset[str], paths: list[Row]) -> None:
    """Each violation is a break. ``missing``: ``party|type|date`` of files that have not come; ``paths``: of paths_of_money."""
    for violation in (*_of_balances(context, reference, missing), *_of_lives(context, reference, paths)):
        add_violation(breaks, violation)


def _of_balances(context: StepContext, reference: Reference, missing: frozenset[str]) -> Iterator[Violation]:
    yesterday = context.custody_date - timedelta(days=1)
    balances = context.rows("post", "balances")
    platforms = set(reference.of_kind(PartyKind.PLATFORM))
    core = [c for c in context.rows("extract", "core_balance") if c["account"].partition(":")[0] in platforms]
    holds, claims = context.rows("post", "holds"), context.rows("post", "claims")
    for violations in (
        core_balance_equal(balances, core),
        books_sum_to_zero(balances),
        balances_chain(balances, context.rows("post", "balances", on=yesterday)),
        signs_and_holds(balances, holds),
        debt_equals_claims(context.rows("post", "loans"), claims),
        closed_accounts_are_empty(context.rows("post", "sub_accounts"), balances, claims),
        *_core_chains(context),
        channel_fees_restored(balances) if reference.calendar.is_business_day(context.custody_date) else (),
    ):
        yield from violations


def _of_lives(context: StepContext, reference: Reference, paths: list[Row]) -> Iterator[Violation]:
    """How loans began, whose money went where, what is settled, what waits."""
    today, yesterday, calendar = context.custody_date, context.custody_date - timedelta(days=1), reference.calendar
    holds, loans, receivables = (context.rows("post", table) for table in ("holds", "loans", "receivables"))
    balances, suspense = context.rows("post", "balances"), context.rows("post", "suspense")
    begun = sorted({loan["loan_id"] for loan in loans if loan["disbursed_on"] == today})
    settled, taken, collected = _posted(context, begun)
    yield from itemised(balances, receivables, suspense)
    miscarried = context.rows("land", "land_loan")
    holds_before = context.rows("post", "holds", on=yesterday)
    yield from loans_begin_whole(loans, holds, holds_before, settled, miscarried, today, calendar)
    claims = context.rows("post", "claims"), context.rows("post", "claims", on=yesterday)
    yield from shares_stay_whole(*claims, loans, context.rows("post", "loans", on=yesterday))
    yield from money_went_its_way(paths)
    yield from fees_add_up(balances, collected, _accrued_this_month(context) if collected else {})
    yield from settled_money_only(balances, holds, context.rows("post", "unsettled"))
    yield from requirement_is_covered(receivables, today)
    yield from upfront_fees(taken, loans)
    yield from stale_holds(holds, today, calendar)
    yield from unknown_too_long(context.rows("post", "under_way"), today, calendar)
    yield from suspense_aged(suspense, today)
    yield from _of_interest(context)


def _of_interest(context: StepContext) -> Iterator[Violation]:
    """On the day of a credit: its shares against the balance-days of the accounts that are still open."""
    legs = context.table("post", "ledger_txn")
    days = context.table("fees", "balance_days", on=context.custody_date - timedelta(days=1))
    assert legs is not None
    interest = pc.and_(pc.equal(legs["txn_type"], str(TxnType.BANK_INTEREST)), pc.equal(legs["outcome"], "POSTED"))
    posted = legs.filter(interest).select([*_LEG, "to_account"]).to_pylist()
    if not posted or days is None:
        return
    accounts = context.table("post", "sub_accounts")
    assert accounts is not None
    today = pa.scalar(context.custody_date, pa.date32())
    closed = accounts.filter(pc.fill_null(pc.less(accounts["closed_on"], today), False))["sub_account"]
    still = days.filter(pc.invert(pc.is_in(days["account"], closed))).to_pylist()
    credits = [leg for leg in posted if leg["direction"] == "IN"]
    yield from interest_as_owned(credits, [leg for leg in posted if leg["direction"] == "OUT"], still)


def _posted(context: StepContext, begun: list[str]) -> tuple[list[Row], list[Row], list[Row]]:
    """The day's posted legs that settle tenders; that take money from a borrower, commissions and what is repaid of loans
    ``begun`` today; that collect custody fees. Of a day's millions only these become Python rows."""
    legs = context.table("post", "ledger_txn")
    assert legs is not None
    posted = legs.filter(pc.equal(legs["outcome"], "POSTED")).select(_LEG)
    kind = posted["txn_type"]
    of_begun = pc.is_in(posted["loan_id"], pa.array(begun, pa.string()))
    taking = pc.is_in(kind, pa.array(sorted(TAKING), pa.string()))
    taken = pc.and_(taking, pc.or_(pc.equal(kind, str(TxnType.COMMISSION)), of_begun))
    collected = pc.and_(pc.equal(kind, str(TxnType.CUSTODY_FEE)), pc.equal(posted["direction"], "OUT"))
    wanted = (pc.equal(kind, str(TxnType.TENDER_SETTLE)), taken, collected)
    settled, some, fees = (posted.filter(which).to_pylist() for which in wanted)
    return settled, some, fees


def _accrued_this_month(context: StepContext) -> dict[str, int]:
    """By platform: the custody fees of this month's days that are posted so far."""
    accrued: Counter[str] = Counter()
    first = context.custody_date.replace(day=1)
    for day in dates(first, (context.custody_date - first).days + 1):
        journal = context.table("post", "journal", on=day)
        if journal is None:
            continue
        due = pc.ends_with(journal["from_account"], ":FEE_DUE")
        for move in journal.filter(pc.and_(pc.equal(journal["book"], str(Book.BANK)), due)).to_pylist():
            if move["value_date"] >= first:
                accrued[move["platform"]] += move["amount_minor"]
    return dict(accrued)


def _core_chains(context: StepContext) -> Iterator[Iterator[Violation]]:
    """Of today, and of each date whose chain was broken when it was last looked at: a flow that reached the core's table late may
    explain it."""
    today, yesterday = context.custody_date, context.custody_date - timedelta(days=1)
    open_before = [
        b for b in context.rows("reconcile", "breaks", on=yesterday) if b["kind"] == BreakKind.BALANCE_CHAIN and "C" in b["sides"]
    ]
    broken = {date.fromisoformat(e["date"]) for b in open_before for e in json.loads(b["evidence"])}
    for on in sorted({today} | broken, reverse=True):
        flows: Counter[str] = Counter()
        for day in dates(on, (today - on).days + 1):
            extracted = context.table("extract", "core_flow", on=day)
            if extracted is not None:
                of_date = extracted.filter(pc.equal(extracted["core_date"], pa.scalar(on, pa.date32())))
                sums = of_date.group_by("account").aggregate([("amount_minor", "sum")]).to_pylist()
                flows.update({row["account"]: row["amount_minor_sum"] for row in sums})
        balances, before = (context.rows("extract", "core_balance", on=day) for day in (on, on - timedelta(days=1)))
        yield core_chain(on, balances, before, flows)
