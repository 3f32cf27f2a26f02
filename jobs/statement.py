"""statement: the daily statement of every sub-account, one line for each posting, from opening to closing (§9).

An engine job: the journal's two sides are unioned, ordered within their account and summed by a window.
"""

from __future__ import annotations

from connectors.engine import engine
from custody.names import Book
from jobs.step import Step, StepContext


def _run(context: StepContext) -> None:
    post = context.seal("post")
    assert post is not None
    lake = context.wiring.lake
    with engine(context.wiring.settings) as spark:
        spark.read.parquet(lake.parquet(post.path, "journal")).createOrReplaceTempView("journal")
        spark.read.parquet(lake.parquet(post.path, "balances")).createOrReplaceTempView("balances")
        spark.read.parquet(lake.parquet(post.path, "sub_accounts")).createOrReplaceTempView("sub_accounts")
        lines = spark.sql(_LINES.format(book=Book.CUSTODY)).toArrow()
    context.write("statement_lines", lines)


# Line 0 is the opening balance of the day; the running balance is available and frozen together, because a freeze
# moves nothing out of the sub-account. A move inside one account (available <-> frozen) shows with amount 0.
_LINES = """
with sides as (
  select entry_no, move_no, substring_index(from_account, ':', 1) as account, -amount_minor as amount_minor, txn_type,
         request_no, event_time, value_date, loan_id from journal where book = '{book}'
  union all
  select entry_no, move_no, substring_index(to_account, ':', 1), amount_minor, txn_type,
         request_no, event_time, value_date, loan_id from journal where book = '{book}'
),
entries as (
  select s.account, s.entry_no, s.txn_type, s.request_no, s.event_time, s.value_date, s.loan_id,
         sum(s.amount_minor) as amount_minor
  from sides s join sub_accounts a on a.sub_account = s.account
  group by s.account, s.entry_no, s.txn_type, s.request_no, s.event_time, s.value_date, s.loan_id
),
openings as (
  select a.sub_account as account, sum(b.opening_minor) as opening_minor, max(b.currency) as currency
  from sub_accounts a join balances b on substring_index(b.account, ':', 1) = a.sub_account
  group by a.sub_account
)
select o.account as sub_account, cast(0 as bigint) as line_no, cast(null as bigint) as entry_no, 'OPENING' as txn_type,
       cast(null as string) as request_no, cast(null as timestamp) as event_time,
       (select max(posting_date) from journal) as value_date, cast(0 as bigint) as amount_minor,
       cast(o.opening_minor as bigint) as balance_minor, o.currency, cast(null as string) as loan_id
from openings o join (select distinct account from entries) e on e.account = o.account
union all
select e.account, cast(row_number() over (partition by e.account order by e.entry_no) as bigint), e.entry_no, e.txn_type,
       e.request_no, e.event_time, e.value_date, cast(e.amount_minor as bigint),
       cast(o.opening_minor + sum(e.amount_minor) over (partition by e.account order by e.entry_no
            rows between unbounded preceding and current row) as bigint), o.currency, e.loan_id
from entries e join openings o on o.account = e.account
"""

STEP = Step("statement", _run)
