"""statement: the daily statement of every sub-account that moved, one line for each posting, from opening to closing (§9).

An engine job: the journal's two sides are unioned, ordered within their account and summed by a window, for as many platforms at a
time as fit into memory. What it says of an account is what custody.services.statements says from the keyed store, line by line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from connectors.engine import engine
from connectors.lake import Lake, Part, conform
from custody.names import Book
from jobs.step import Step, StepContext
from schemas.tables import TABLES

_TABLE = "statement_lines"
# Moves of whole platforms taken at a time; of a platform that has more, as many accounts as have about so many.
_AT_ONCE = 1_000_000


def _run(context: StepContext) -> None:
    post = context.seal("post")
    assert post is not None
    assert context.writer is not None
    lake = context.wiring.lake
    context.writer.declare(_TABLE)
    with engine(context.wiring.settings) as spark:
        for table in ("journal", "balances", "sub_accounts"):
            spark.read.parquet(lake.parquet(post.path, table)).createOrReplaceTempView(table)
        counted = spark.sql("select platform, count(*) as moves from journal group by platform order by platform").collect()
        moves = {row["platform"]: row["moves"] for row in counted}
        for first, last in platform_ranges(moves.items(), _AT_ONCE):
            # One that alone is more than fits is taken by shares of its accounts.
            shares = -(-moves[first] // _AT_ONCE) if first == last else 1
            for low, high in account_ranges(lake, post.path, first, shares):
                lines = spark.sql(statement_sql(context.custody_date, first, last, low, high)).toArrow()
                context.writer.part(Part.of(TABLES[_TABLE], conform(TABLES[_TABLE], lines)))


def platform_ranges(counted: Iterable[tuple[str, int]], at_once: int) -> Iterator[tuple[str, str]]:
    """First and last platform of each range, in order, with at most ``at_once`` moves unless it is one platform."""
    first, last, moves = "", "", 0
    for platform, more in counted:
        if first and moves + more > at_once:
            yield first, last
            first, moves = "", 0
        first, last, moves = first or platform, platform, moves + more
    if first:
        yield first, last


def account_ranges(lake: Lake, post: str, platform: str, shares: int) -> Iterator[tuple[str, str]]:
    """From which sub-account on, and before which, each share of a platform goes; "" where it has no bound."""
    bounds = [""]
    if shares > 1:
        within = {"platform": (platform, platform)}
        pieces = lake.pieces(post, "sub_accounts", within, ["platform", "sub_account"])
        mine = pa.chunked_array([p["sub_account"].filter(pc.equal(p["platform"], platform)).combine_chunks() for p in pieces])
        bounds += [mine[len(mine) * share // shares].as_py() for share in range(1, min(shares, len(mine)))]
    yield from pairwise([*bounds, ""])


def statement_sql(custody_date: date, first: str, last: str, low: str = "", high: str = "") -> str:
    """The lines of the platforms from ``first`` to ``last``; of their accounts those from ``low`` on, before ``high``."""
    bounds = [f" and sub_account {sign} '{bound}'" for sign, bound in ((">=", low), ("<", high)) if bound]
    return _LINES.format(book=Book.CUSTODY, day=custody_date.isoformat(), first=first, last=last, bounds="".join(bounds))


# Line 0 is the opening balance of the day. A freeze moves nothing out of the sub-account: it shows with amount 0 and moves the
# frozen part. A posting is one entry, however many moves it has.
_LINES = """
with sides as (
  select entry_no, from_account as part, -amount_minor as amount_minor, txn_type, request_no, leg, event_time, value_date, loan_id
  from journal where book = '{book}' and platform between '{first}' and '{last}'
  union all
  select entry_no, to_account, amount_minor, txn_type, request_no, leg, event_time, value_date, loan_id
  from journal where book = '{book}' and platform between '{first}' and '{last}'
),
accounts as (
  select sub_account, concat(sub_account, ':available') as available, concat(sub_account, ':frozen') as frozen
  from sub_accounts where platform between '{first}' and '{last}'{bounds}
),
entries as (
  select a.sub_account, s.entry_no, s.txn_type, s.request_no, s.leg, s.event_time, s.value_date, s.loan_id,
         sum(case when s.part = a.available then s.amount_minor else 0 end) as available_minor,
         sum(case when s.part = a.frozen then s.amount_minor else 0 end) as frozen_minor
  from sides s join accounts a on a.sub_account = substring_index(s.part, ':', 1)
  group by a.sub_account, s.entry_no, s.txn_type, s.request_no, s.leg, s.event_time, s.value_date, s.loan_id
),
openings as (
  select a.sub_account, max(b.currency) as currency,
         sum(case when b.account = a.available then b.opening_minor else 0 end) as available_minor,
         sum(case when b.account = a.frozen then b.opening_minor else 0 end) as frozen_minor
  from accounts a join balances b on a.sub_account = substring_index(b.account, ':', 1)
  where b.book = '{book}' and a.sub_account in (select sub_account from entries)
  group by a.sub_account
),
lines as (
  select e.*, o.currency, row_number() over (partition by e.sub_account order by e.entry_no) as line_no,
         o.available_minor + sum(e.available_minor) over (partition by e.sub_account order by e.entry_no
           rows between unbounded preceding and current row) as available_after,
         o.frozen_minor + sum(e.frozen_minor) over (partition by e.sub_account order by e.entry_no
           rows between unbounded preceding and current row) as frozen_after
  from entries e join openings o on o.sub_account = e.sub_account
)
select sub_account, cast(0 as bigint) as line_no, cast(null as bigint) as entry_no, 'OPENING' as txn_type,
       cast(null as string) as request_no, cast(null as bigint) as leg, cast(null as timestamp) as event_time,
       date '{day}' as value_date, cast(0 as bigint) as available_change_minor, cast(0 as bigint) as frozen_change_minor,
       cast(0 as bigint) as amount_minor, cast(available_minor as bigint) as available_minor,
       cast(frozen_minor as bigint) as frozen_minor, cast(available_minor + frozen_minor as bigint) as balance_minor, currency,
       cast(null as string) as loan_id
from openings
union all
select sub_account, cast(line_no as bigint), entry_no, txn_type, request_no, leg, event_time, value_date,
       cast(available_minor as bigint), cast(frozen_minor as bigint), cast(available_minor + frozen_minor as bigint),
       cast(available_after as bigint), cast(frozen_after as bigint), cast(available_after + frozen_after as bigint), currency,
       loan_id
from lines
"""

STEP = Step("statement", _run)
