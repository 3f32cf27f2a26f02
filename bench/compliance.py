"""A date's compliance of many platforms, from the posted day to findings with their rows and what tomorrow needs, against DuckDB SQL by hand
that finds the same by the same rules from the same Parquet.

Ours writes with digests of its rows as every step does; DuckDB only writes Parquet, and neither words nor rows behind. Rows are sub-accounts.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.compliance_day import BEFORE, DAY, WINDOW_DAYS, make_day
from bench.harness import Run
from jobs.compliance.acts import TURNS, whose_turn

ROWS = 1_000_000
_DAYS = """platform, account, on_date, customer_id, kind, in_minor, out_minor, lent_minor, spent_minor, sold_minor, sold_count,
  credit_minor, acts"""


def prepare(folder: Path, rows: int) -> int:
    return make_day(folder / "home", rows)


def ours(folder: Path) -> Run:
    from connectors.bootstrap import wire
    from jobs.compliance.step import STEP
    from jobs.step import Step, StepContext, run_step

    seconds: dict[str, float] = {}

    def timed(context: StepContext) -> None:
        started = time.perf_counter()
        STEP.run(context)
        seconds["compliance"] = time.perf_counter() - started

    wiring = wire(folder / "home")
    result = run_step(wiring, Step("compliance", timed), DAY, "bench", f"run at {time.time_ns()}")
    found = wiring.lake.read(result.seal.path, "compliance_findings", ["rule", "amount_minor"])
    days = wiring.lake.read(result.seal.path, "account_days", ["in_minor", "spent_minor", "credit_minor", "acts"])
    acted = wiring.lake.read(result.seal.path, "last_acts", ["last_on"])
    wiring.close()
    return Run(seconds, _answer(found, days, acted.num_rows))


def _answer(found: Any, days: Any, acted: int) -> dict[str, Any]:
    rules, minor = Counter(found["rule"].to_pylist()), Counter[str]()
    for rule, amount in zip(found["rule"].to_pylist(), found["amount_minor"].to_pylist(), strict=True):
        minor[rule] += int(amount)
    import pyarrow.compute as pc

    sums = {name: int(pc.sum(days[name]).as_py()) for name in days.column_names}
    return {
        "findings": dict(sorted(rules.items())),
        "minor": dict(sorted(minor.items())),
        "days": days.num_rows,
        **sums,
        "acted": acted,
    }


def duckdb_sql(folder: Path) -> Run:
    import duckdb

    connection = duckdb.connect()
    # What does not fit is spilled: the machine is not the peer's alone.
    connection.execute(
        f"set threads = 2; set enable_progress_bar = false; set preserve_insertion_order = false; set memory_limit = '5500MB'; set temp_directory = '{folder / 'spilled'}'"
    )
    lakes: dict[str, Any] = {name: next((folder / "home").glob(f"lake/{on}/{step}/*/*")) for name, on, step in (
        ("post", DAY, "post"), ("land", DAY, "land"), ("before", BEFORE, "compliance"), ("then", DAY - timedelta(days=TURNS), "compliance"),
    )}  # fmt: skip
    before = [
        (on := DAY - timedelta(days=n), next((folder / "home").glob(f"lake/{on}/compliance/*/*"))) for n in range(1, WINDOW_DAYS)
    ]
    lakes |= {
        "told": [f"{path}/last_acts/*.parquet" for on, path in before if on >= DAY - timedelta(days=TURNS)],
        "columns": _DAYS,
        "first": whose_turn(DAY).first,
        "behind": whose_turn(DAY).behind,
        "platform_days_before": [f"{path}/platform_days/*.parquet" for _, path in before],
        "days_before": " union all ".join(
            f"select {_DAYS}, date '{on}' as posted_on from '{path}/account_days/*.parquet'" for on, path in before
        ),
    }
    started = time.perf_counter()
    for name, query in _QUERIES.items():
        what = "view" if name in _VIEWS else "table"
        # One after another: together they would not go into memory.
        first, *more = query.format(**lakes).split("\n      union all ") if name == "findings" else [query.format(**lakes)]
        connection.execute(f"create temp {what} {name} as {first}")
        for part in more:
            connection.execute(f"insert into {name} {part}")
    for name in ("account_days", "last_acts", "contact_digests", "platform_days", "findings"):
        connection.execute(f"copy {name} to '{folder / name}.parquet' (format parquet)")
    seconds = {"compliance": time.perf_counter() - started}
    found = connection.sql("select rule, amount_minor::bigint as amount_minor from findings").to_arrow_table()
    days = connection.sql("select in_minor, spent_minor, credit_minor, acts from account_days").to_arrow_table()
    ((acted,),) = connection.sql("select count(*) from last_acts").fetchall()
    return Run(seconds, _answer(found, days, acted))


_QUERIES = {
    "accounts": "select sub_account, platform, role, customer_id, kind, opened_on from '{post}/sub_accounts/*.parquet' where closed_on is null",
    "moves": """select entry_no, platform, txn_type, amount_minor, value_date, loan_id,
      if(contains(from_account, '.'), regexp_replace(from_account, ':.*$', ''), null) as payer,
      if(contains(to_account, '.'), regexp_replace(to_account, ':.*$', ''), null) as payee from '{post}/journal/*.parquet'
      where txn_type not in ('WITHDRAW_FREEZE', 'WITHDRAW_CANCEL', 'TENDER_FREEZE', 'TENDER_CANCEL', 'REPAY_FREEZE', 'LEGAL_FREEZE', 'LEGAL_RELEASE')""",
    "account_days": """select any_value(a.platform) as platform, account, value_date as on_date, any_value(customer_id) as customer_id, any_value(a.kind) as kind,
      sum(in_minor)::bigint as in_minor, sum(in_count)::bigint as in_count, sum(out_minor)::bigint as out_minor, sum(out_count)::bigint as out_count,
      sum(lent_minor)::bigint as lent_minor, sum(spent_minor)::bigint as spent_minor, sum(sold_minor)::bigint as sold_minor, sum(sold_count)::bigint as sold_count,
      sum(credit_minor)::bigint as credit_minor, sum(acts)::bigint as acts from (
        select payee as account, value_date, if(txn_type = 'RECHARGE', amount_minor, 0) as in_minor, (txn_type = 'RECHARGE')::int as in_count, 0 as out_minor,
          0 as out_count, 0 as lent_minor, 0 as spent_minor, if(txn_type = 'CREDIT_ASSIGNMENT', amount_minor, 0) as sold_minor,
          (txn_type = 'CREDIT_ASSIGNMENT')::int as sold_count, amount_minor as credit_minor, (txn_type = 'RECHARGE')::int as acts
          from moves where payee is not null
        union all select payer, value_date, 0, 0, if(txn_type in ('WITHDRAW', 'BACKROLL_RECHARGE'), amount_minor, 0), (txn_type in ('WITHDRAW', 'BACKROLL_RECHARGE'))::int,
          if(txn_type = 'TENDER_SETTLE', amount_minor, 0), if(txn_type in ('RECHARGE', 'WITHDRAW', 'BACKROLL_RECHARGE'), 0, amount_minor), 0, 0, 0, 1
          from moves where payer is not null
      ) join accounts a on a.sub_account = account group by account, value_date""",
    # Of the window each rule reads the columns and days that it needs, of customers of whom something is posted today where it asks for that.
    "days": "select {columns}, date '2020-01-02' as posted_on from account_days union all {days_before}",
    "moving": "select distinct customer_id from account_days",
    # Of a sixteenth of the customers a day, as ours.
    "last_acts": """select customer_id, max(last_on) as last_on from (
      select customer_id, last_on from '{then}/last_acts/*.parquet' union all select customer_id, on_date from days where acts > 0)
      where customer_id >= '{first}' and customer_id < '{behind}' group by customer_id""",
    "woken": """select customer_id, greatest(sum(in_minor), sum(out_minor)) as minor from account_days group by customer_id having minor >= 5000000""",
    "contact_digests": "select c.* from '{before}/contact_digests/*.parquet' c semi join accounts using (sub_account)",
    "contacts": "select c.*, customer_id, role from contact_digests c join accounts a using (sub_account) where role = 'BORROWER'",
    "platform_days": """select platform, sum(amount_minor)::bigint as repaid_minor, 0 as repaid_by_new_minor from moves
      where txn_type in ('REPAYMENT', 'COMPENSATION', 'COMPENSATION_REPAYMENT') group by platform""",
    "loans": """select l.platform, loan_id, customer_id, kind, annual_rate::decimal(9, 6) * 10000 as rate_bp, disbursed_on, funded_minor,
      funded_minor - principal_repaid_minor as minor from '{post}/loans/*.parquet' l join accounts a on a.sub_account = borrower
      where funded_minor > principal_repaid_minor""",
    "per_customer": """select customer_id, bool_or(posted_on = date '2020-01-02' and out_minor > 0) as leaves_today,
      sum(in_minor) as came, sum(out_minor) as went, sum(spent_minor) as spent, sum(credit_minor) as got from days semi join moving using (customer_id)
      where on_date > date '2020-01-02' - 3 group by customer_id""",
    "customer_days": """select customer_id, on_date, if(bool_or(kind = 'COMPANY'), 200000000, 50000000) as threshold, sum(in_minor) as came, sum(out_minor) as went,
      bool_or(posted_on = date '2020-01-02') as is_new from days semi join moving using (customer_id)
      where on_date > date '2020-01-02' - 10 and (in_minor > 0 or out_minor > 0) group by customer_id, on_date""",
    "large": """select customer_id, on_date, if(bool_or(kind = 'COMPANY'), 200000000, 50000000) as threshold, sum(in_minor) as came, sum(out_minor) as went
      from days semi join (select distinct customer_id, on_date from account_days) using (customer_id, on_date) group by customer_id, on_date""",
    "idle": """select platform, sum(minor) as idle, count(*) as lenders from (
      select platform, regexp_replace(account, ':.*$', '') as owner, closing_minor from '{post}/balances/*.parquet'
        where contains(account, '.LENDER.') and account like '%:available' and closing_minor > 0) b
      left join (select account as owner, sum(if(posted_on > date '2020-01-02' - 10, credit_minor, 0)) as came, sum(lent_minor) as lent from days
        where lent_minor > 0 or posted_on > date '2020-01-02' - 10 group by account) d using (owner),
      lateral (select closing_minor - coalesce(came, 0) as minor) where coalesce(lent, 0) = 0 and minor > 0 group by platform""",
    "sold": """select m.platform, s.customer_id as seller, b.customer_id as buyer, loan_id, amount_minor from moves m
      join accounts s on s.sub_account = payee join accounts b on b.sub_account = payer where txn_type = 'CREDIT_ASSIGNMENT'""",
    "findings": """
      select 'limit_on_platform' as rule, (sum(minor) - if(bool_or(kind = 'COMPANY'), 100000000, 20000000))::hugeint as amount_minor
        from loans group by platform, customer_id having sum(minor) > if(bool_or(kind = 'COMPANY'), 100000000, 20000000)
      union all select 'limit_on_all', sum(minor) - if(bool_or(kind = 'COMPANY'), 500000000, 100000000)
        from loans group by customer_id having sum(minor) > if(bool_or(kind = 'COMPANY'), 500000000, 100000000)
      union all select 'rate_cap', minor from loans where rate_bp > 2400
      union all select 'shared_contact', 0 from contacts group by field, digest having count(distinct customer_id) >= if(field = 'card_no', 2, 3)
      union all select 'shared_identity', 0 from accounts where role = 'BORROWER' group by platform, customer_id having count(*) >= 2
      union all select 'large_value', came from large where came >= threshold
      union all select 'large_value', went from large where went >= threshold
      union all select 'structuring', sum(came) from customer_days where came >= threshold * 4 // 10 and came < threshold group by customer_id
        having count(*) >= 2 and bool_or(is_new) and sum(came) * 10000 >= any_value(threshold) * 17500::bigint
      union all select 'structuring', sum(went) from customer_days where went >= threshold * 4 // 10 and went < threshold group by customer_id
        having count(*) >= 2 and bool_or(is_new) and sum(went) * 10000 >= any_value(threshold) * 17500::bigint
      union all select 'fast_in_out', least(went - (got - came), came - spent) from per_customer
        where leaves_today and came >= 5000000 and least(went - (got - came), came - spent) * 10000 >= came * 8000
      union all select 'dormant_active', minor from woken join (
        select customer_id, max(last_on) as last_on from (
          select customer_id, last_on from read_parquet({told})
          union all select customer_id, on_date from days where acts > 0 and posted_on < date '2020-01-02') semi join woken using (customer_id) group by customer_id)
        using (customer_id) where date '2020-01-02' - last_on >= 90
      union all select 'super_lender', sum(sold_minor) from days where lent_minor > 0 or sold_minor > 0 group by platform, customer_id
        having sum(lent_minor) >= 20000000 and sum(sold_minor) * 10000 >= sum(lent_minor) * 5000 and sum(sold_count) >= 10
      union all select 'super_lender', sum(amount_minor) from sold join (
          select s.platform, s.seller, s.loan_id from sold s join loans l using (platform, loan_id) where disbursed_on > date '2020-01-02' - 30
            group by 1, 2, 3 having count(distinct buyer) > 1 and sum(amount_minor) * 10000 >= any_value(funded_minor) * 5000) using (platform, seller, loan_id)
        group by platform, seller having count(distinct buyer) >= 3 and sum(amount_minor) >= 3000000
      union all select 'packaged_assignment', if(many >= 5000000, many, few) from (
        select platform, seller, sum(minor) as total, sum(if(loans >= 10, minor, 0)) as many, sum(if(loans >= 5, minor, 0)) as few from (
          select platform, seller, buyer, sum(amount_minor) as minor, count(distinct loan_id) as loans from sold group by 1, 2, 3)
          group by platform, seller) where many >= 5000000 or (few >= 2000000 and few * 10000 >= total * 8000)
      union all select 'pooling', idle from idle left join (select platform, sum(minor) as lent from loans group by platform) l using (platform)
        where idle * 10000 >= coalesce(lent, 0) * 1000 and lenders >= 5
      union all select 'new_for_old', sum(by_new) from (
        select platform, repaid_minor as repaid, repaid_by_new_minor as by_new from platform_days
        union all select platform, repaid_minor, repaid_by_new_minor from read_parquet({platform_days_before})) group by platform
        having sum(by_new) >= 1000000 and sum(by_new) * 10000 >= sum(repaid) * 1000
      union all select 'fill_that_never_was', raised_minor - l.funded_minor from '{land}/land_loan/*.parquet' c
        join '{post}/loans/*.parquet' l on l.platform = c.party and l.loan_id = c.loan_id where raised_minor - l.funded_minor >= 10000
    """,
}  # fmt: skip

_VIEWS = ("days",)

SIDES = {"ours": ours, "DuckDB SQL": duckdb_sql}
