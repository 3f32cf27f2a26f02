"""Loans whose state, as a platform files it, hides a delay of the borrower or makes one up (side A against our own telling of the loan).

Columns say which loans are behind by their schedule as agreed (jobs.risk.loans), and of which more was paid than was due: what was paid early
covers later instalments there, while an early part of the principal leaves a rest that is due from the next date on. Where the file says
otherwise than the schedule, or calls a loan on time of which something was paid early, the loan is told anew from its payments
(custody.payment_parts), as far as they are valued on the date or before. A loan of which our books cannot tell what is owed is
not judged. What a guarantor paid is paid to the lenders and owed by the borrower still, so that such a loan may be called either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from custody.names import LoanState
from custody.payment_parts import Left, left_after, waits_since
from custody.ports import Row
from jobs.reconcile.day import Day
from jobs.reconcile.repayments import is_told, paid_to_lenders, terms_of
from jobs.risk.loans import COLUMNS, assess


class WrongDelay(NamedTuple):
    """``ours``: the state as it is with us; ``overdue_since``: where that is OVERDUE."""

    platform: str
    as_of: date
    loan_id: str
    ours: str
    overdue_since: date | None


class _Suspect(NamedTuple):
    platform: str
    as_of: date
    loan_id: str
    is_said: bool


def wrong_delays(day: Day, spark: SparkSession, repayments: pa.Table) -> list[WrongDelay]:
    """View land_loan holds the rows to compare; ``repayments`` is today's table."""
    states = ", ".join(f"'{state}'" for state in (LoanState.DISBURSED, LoanState.REPAYING, LoanState.OVERDUE))
    said = spark.sql(
        f"""
        select party as platform, custody_date as as_of, loan_id, concat(party, '|', loan_id) as key,
               state = '{LoanState.OVERDUE}' as is_said
        from land_loan where state in ({states})
        """
    ).toArrow()
    early = _early(repayments)
    suspects = [
        suspect
        for as_of in sorted(pc.unique(said["as_of"]).to_pylist())
        for suspect in _suspects(day, said.filter(pc.equal(said["as_of"], as_of)), as_of, early)
    ]
    return list(_judged(day, suspects, repayments)) if suspects else []


def _early(repayments: pa.Table) -> pa.Table:
    """The payments of more than was due, with the key of their loan."""
    paid, due = (
        pc.add(
            pc.add(repayments[f"{side}principal_minor"], repayments[f"{side}interest_minor"]), repayments[f"{side}penalty_minor"]
        )
        for side in ("", "due_")
    )
    found = repayments.filter(pc.greater(paid, due)).select(["platform", "loan_id", "paid_on"])
    return found.append_column("key", pc.binary_join_element_wise(found["platform"], found["loan_id"], "|"))


def _suspects(day: Day, said: pa.Table, as_of: date, early: pa.Table) -> Iterator[_Suspect]:
    """Of these rows of one date the loans that are behind by their schedule and are not said to be, or the other way round; and those not
    said to be of which something was paid ``early`` by then."""
    loans = day.context.table("post", "loans", on=as_of)
    if loans is None:
        return
    running = pc.and_(pc.is_valid(loans["disbursed_on"]), pc.not_equal(loans["state"], str(LoanState.SETTLED)))
    known = assess(loans.filter(running).select(list(COLUMNS)), as_of, as_of)
    at = pc.index_in(said["key"], pc.binary_join_element_wise(known.loans["platform"], known.loans["loan_id"], "|"))
    is_behind = pc.take(pa.array(known.overdue > 0), at)
    # What is not among them is not known to run: another rule speaks of it.
    ahead = early.filter(pc.less_equal(early["paid_on"], pa.scalar(as_of, pa.date32())))["key"]
    is_ahead = pc.is_in(said["key"], pc.unique(ahead))
    may_hide = pc.and_(pc.and_(is_ahead, pc.is_valid(at)), pc.invert(said["is_said"]))
    off = pc.or_(pc.fill_null(pc.xor(said["is_said"], is_behind), False), may_hide)
    for row in said.filter(off).to_pylist():
        yield _Suspect(row["platform"], as_of, row["loan_id"], row["is_said"])


def _judged(day: Day, suspects: Sequence[_Suspect], repayments: pa.Table) -> Iterator[WrongDelay]:
    keys = pa.array(sorted({f"{one.platform}|{one.loan_id}" for one in suspects}), pa.string())
    loans = {(loan["platform"], loan["loan_id"]): loan for loan in _of(day.context.table("post", "loans"), keys)}
    payments: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _of(repayments, keys):
        payments[row["platform"], row["loan_id"]].append(row)
    for one in sorted(suspects):
        loan = loans.get((one.platform, one.loan_id))
        if loan is None:
            continue
        paid = payments[one.platform, one.loan_id]
        made = [row for row in paid if row["paid_on"] <= one.as_of]
        left = _left(day, loan, paid, made, one.as_of)
        if left is None:
            continue
        since = waits_since(left, one.as_of)
        if (since is not None) != one.is_said:
            state = LoanState.OVERDUE if since else LoanState.REPAYING if made else LoanState.DISBURSED
            yield WrongDelay(one.platform, one.as_of, one.loan_id, str(state), since)


def _left(day: Day, loan: Row, payments: Sequence[Row], made: Sequence[Row], as_of: date) -> Left | None:
    """What lenders wait for after the payments that were ``made`` by the date; None where our books cannot tell."""
    terms = terms_of(loan, payments)
    if terms is None or not all(is_told(row) for row in made):
        return None
    return left_after(terms, paid_to_lenders(made), as_of, day.reference.repayment_order(loan["platform"]))


def _of(table: pa.Table | None, keys: pa.Array) -> Iterable[Row]:
    assert table is not None  # what is posted, and what is told of it, is there on every day
    mine = pc.is_in(pc.binary_join_element_wise(table["platform"], table["loan_id"], "|"), keys)
    rows: list[Row] = table.filter(mine).to_pylist()
    return rows
