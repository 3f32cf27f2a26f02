"""A day's risk of many platforms: every loan's schedule, what is overdue and what comes, borrowers' shortage and its forecast, overdue ratios,
concentration, moves between buckets, and platforms' own money ahead (``risk``); against DuckDB SQL by hand that computes the same tables from
the same Parquet.

Ours runs the step and writes with digests of its rows; DuckDB only writes Parquet. Each platform has 2,000 sub-accounts and 40 loans of all
four methods. Of level instalments DuckDB's first figure is a double, which decimal rounding forgives at these amounts. Rows are sub-accounts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.committed import commit, cut_off, lay, new_instance
from bench.harness import Run

ROWS = 1_000_000
_BEFORE, _ON = date(2020, 1, 2), date(2020, 1, 3)
_ACCOUNTS, _BORROWERS, _LOANS = 2_000, 20, 40
_RECEIVABLES, _HOLDS, _LEGS = 40, 12, 400
_PART_PLATFORMS = 125
_METHODS = ("equal_instalment", "equal_principal", "interest_first", "bullet")
_TERMS = {
    "valid_from": "2019-01-01", "valid_to": None, "currency": "CNY", "rounding": "half_even", "vat_rate": "0.06", "charged": "monthly",
    "charge_business_day": 1, "per_mille_year": "1.5", "day_count": "actual/365",
}  # fmt: skip
_RATE = {"channel_fee_rate": "0.0025", "channel_fee_min_minor": 100}
Rows = dict[str, Any]


def prepare(folder: Path, rows: int) -> int:
    """An instance whose second day is reconciled, as the steps lay it: in parts, platform by platform."""
    platforms = max(1, rows // _ACCOUNTS)
    with new_instance(folder / "home", _BEFORE) as wiring:
        commit(wiring, _ON, "cut_off", lambda writer: _cut_off(writer, platforms))
        commit(wiring, _ON, "land", lambda writer: writer.declare("land_confirmation"))
        commit(wiring, _ON, "extract", lambda writer: _whole(writer, "core_balance", _core, platforms))
        commit(wiring, _ON, "reconcile", lambda writer: _whole(writer, "breaks", _disputes, platforms))
        commit(wiring, _BEFORE, "reconcile", lambda writer: writer.declare("breaks"))
        commit(wiring, _BEFORE, "fees", lambda writer: _whole(writer, "fee_accruals", _accruals, platforms))
        commit(wiring, _BEFORE, "risk", lambda writer: _risk_before(writer, platforms))
        commit(wiring, _ON, "post", lambda writer: _posted(writer, platforms))
    return platforms * _ACCOUNTS


def _name(platform: int) -> str:
    return f"P{platform:05d}"


def _cut_off(writer: Any, platforms: int) -> None:
    contracts = (
        (name, {"fee_contract": _TERMS, "layouts": {}, "related_parties": [_related(name)]})
        for name in map(_name, range(platforms))
    )
    channel = {"kind": "CHANNEL", "status": "LIVE", "contract": _RATE}
    cut_off(writer, contracts, True, {"kind": "party", "id": "C1", "payload": json.dumps(channel)})


def _whole(writer: Any, table: str, columns: Callable[[range], Rows], platforms: int) -> None:
    lay(writer, table, columns(range(platforms)), _ON)


def _posted(writer: Any, platforms: int) -> None:
    made = (("balances", _balances), ("holds", _holds), ("loans", _loans), ("receivables", _receivables), ("under_way", _under_way), ("unsettled", _lots), ("ledger_txn", _legs), ("sub_accounts", _accounts))  # fmt: skip
    for first in range(0, platforms, _PART_PLATFORMS):
        of_part = range(first, min(first + _PART_PLATFORMS, platforms))
        for table, columns in made:
            lay(writer, table, columns(of_part), _ON)


def _each(platforms: range, count: int) -> Iterator[tuple[str, int]]:
    return ((_name(p), n) for p in platforms for n in range(count))


def _numbers(platforms: range, count: int, least: int, most: int, salt: int = 0) -> Any:
    return np.random.default_rng((platforms.start, salt)).integers(least, most, count * len(platforms))


def _user(platform: str, number: int) -> str:
    return f"{platform}.{'BORROWER' if number < _BORROWERS else 'LENDER'}.U{number:06d}"


def _users(platforms: range) -> tuple[pa.Array, pa.Array]:
    """(platform, sub-account) of every customer: by columns, there are a hundred for each loan."""
    names = pa.array([_name(p) for p in platforms])
    of = names.take(pa.array(np.repeat(np.arange(len(platforms)), _ACCOUNTS)))
    tails = pa.array([_user("", n) for n in range(_ACCOUNTS)])
    return of, pc.binary_join_element_wise(of, tails.take(pa.array(np.tile(np.arange(_ACCOUNTS), len(platforms)))), "")


_OWN = (
    ("BANK", "FEE_DUE", -260_000), ("CUSTODY", "CHANNEL_PAYABLE/C1", 900_000), ("CUSTODY", "CHANNEL_RECEIVABLE/C1", -9_000_000),
    ("CUSTODY", "CORE_CASH", -4_900_000_000), ("CUSTODY", "FEE_RECEIVABLE", -30_000), ("CUSTODY", "P_ADVANCE", 400_000),
    ("CUSTODY", "P_INCOME", 700_000), ("CUSTODY", "SUSPENSE", 5_000), ("OWN", "OWN_CASH", -310_000),
)  # fmt: skip


def _balances(platforms: range) -> Rows:
    of, users = _users(platforms)
    own = [(_name(p), book, f"{_name(p)}:{account}", minor) for p in platforms for book, account, minor in _OWN]
    twice = pa.array(np.repeat(np.arange(len(users)), 2))
    parts = pa.array([":available", ":frozen"]).take(pa.array(np.tile([0, 1], len(users))))
    customers = pa.array(_numbers(platforms, 2 * _ACCOUNTS, 0, 2_500_000))
    books = pa.repeat("CUSTODY", len(parts))
    return {
        "platform": pa.concat_arrays([of.take(twice), pa.array([row[0] for row in own])]),
        "book": pa.concat_arrays([books, pa.array([row[1] for row in own])]),
        "account": pa.concat_arrays(
            [pc.binary_join_element_wise(users.take(twice), parts, ""), pa.array([row[2] for row in own])]
        ),
        "closing_minor": pa.concat_arrays([customers, pa.array([row[3] for row in own])]),
        "currency": pa.repeat("CNY", len(parts) + len(own)),
    }


def _holds(platforms: range) -> Rows:
    holds = list(_each(platforms, _HOLDS))
    return {
        "platform": [p for p, _ in holds],
        "hold_id": [f"H{n:02d}" for _, n in holds],
        "account": [_user(p, n if n < 4 else 100 + n) for p, n in holds],
        "kind": ["REPAY" if n < 4 else "WITHDRAW" for _, n in holds],
        "amount_minor": _numbers(platforms, _HOLDS, 1_000, 90_000, 1),
    }


def _begun(number: int) -> date:
    return date(2018, 1 + number % 12, 1 + number % 28) + timedelta(365 * (number % 2))


def _loans(platforms: range) -> Rows:
    loans = list(_each(platforms, _LOANS))
    numbers = [n + 7 * int(p[1:]) for p, n in loans]
    funded = _numbers(platforms, _LOANS, 1_000_000, 90_000_000, 2)
    periods = np.array([(3, 6, 12, 24, 36)[n % 5] for n in numbers])
    begun = [_begun(n) for n in numbers]
    passed = np.array([12 * (_ON.year - on.year) + _ON.month - on.month - (on.day > _ON.day) for on in begun])
    # One loan of 25 paid half of what it should have, and no interest; what has run its term is settled.
    is_late = np.array([n % 25 == 0 for n in numbers])
    should = funded * np.minimum(passed, periods) // periods
    repaid = np.where(is_late, should // 2, should)
    interest = np.where(is_late, 0, funded * passed // 80)
    return {
        "platform": [p for p, _ in loans],
        "loan_id": [f"{p}L{n:03d}" for p, n in loans],
        "borrower": [_user(p, n % _BORROWERS) for p, n in loans],
        "currency": ["CNY"] * len(loans),
        "annual_rate": [f"0.{6 + n % 9:02d}5" for n in numbers],
        "method": [_METHODS[n % 4] for _, n in loans],
        "periods": periods,
        "every": ["month"] * len(loans),
        "day_count": ["30/360"] * len(loans),
        "disbursed_on": begun,
        "funded_minor": funded,
        "principal_repaid_minor": repaid,
        "interest_repaid_minor": interest,
    }


def _receivables(platforms: range) -> Rows:
    items = list(_each(platforms, _RECEIVABLES))
    of = [("CHANNEL_RECEIVABLE/C1" if n < 34 else "CHANNEL_PAYABLE/C1" if n < 39 else "FEE_RECEIVABLE") for _, n in items]
    return {
        "platform": [p for p, _ in items],
        "account": [f"{p}:{account}" for (p, _), account in zip(items, of, strict=True)],
        "item": [f"R{n:03d}|1" for _, n in items],
        "opened_on": [_ON] * len(items),
        "settle_date": [(_BEFORE, date(2020, 1, 6), date(2020, 1, 6), date(2020, 1, 7))[n % 4 if n else 0] for _, n in items],
        "amount_minor": _numbers(platforms, _RECEIVABLES, 100, 500_000, 4),
    }


def _under_way(platforms: range) -> Rows:
    rows = list(_each(platforms, 4))
    return {
        "platform": [p for p, _ in rows],
        "request_no": [f"W{n}" for _, n in rows],
        "leg": [1] * len(rows),
        "txn_type": ["WITHDRAW" if n < 3 else "PLATFORM_WITHDRAW" for _, n in rows],
        "account": [_user(p, 104 + n) if n < 3 else f"{p}:P_INCOME" for p, n in rows],
        "amount_minor": [1_000 + n for _, n in rows],
        "status": [("UNKNOWN", "REMITTING", "ACCEPTED", "REMITTING")[n] for _, n in rows],
    }


def _lots(platforms: range) -> Rows:
    rows = list(_each(platforms, 3))
    return {
        "platform": [p for p, _ in rows],
        "account": [_user(p, 104) if n < 2 else f"{p}:P_ADVANCE" for p, n in rows],
        "hold_id": ["H04" if n < 2 else "" for _, n in rows],
        "channel": ["C1"] * len(rows),
        "settle_date": [(date(2020, 1, 6), _ON, date(2020, 1, 7))[n] for _, n in rows],
        "amount_minor": [700 + n for _, n in rows],
    }


def _legs(platforms: range) -> Rows:
    legs = [(_name(p), n) for p in platforms for n in range(_LEGS)]
    types = ["RECHARGE", "WITHDRAW", "REPAYMENT", "TENDER_FREEZE"]
    # One request of 20 legs compensates for the second loan.
    return {
        "platform": [p for p, _ in legs],
        "txn_no": np.arange(len(legs)),
        "request_no": ["RC" if n < 20 else f"R{n}" for _, n in legs],
        "txn_type": ["COMPENSATION" if n < 20 else types[n % 4] for _, n in legs],
        "loan_id": [f"{p}L001" if n < 20 else None for p, n in legs],
        "from_account": [f"{p}.GUARANTOR.G1" for p, _ in legs],
        "currency": ["CNY"] * len(legs),
        "outcome": ["POSTED"] * len(legs),
        "amount_minor": [100 + n for _, n in legs],
        "value_date": [_ON] * len(legs),
    }


def _accounts(platforms: range) -> Rows:
    of, users = _users(platforms)
    tails = pa.array([f"{n:016x}" for n in range(_ACCOUNTS)]).take(pa.array(np.tile(np.arange(_ACCOUNTS), len(platforms))))
    # The first borrower of each platform is its related party.
    is_related = pa.array(np.tile(np.arange(_ACCOUNTS) == 0, len(platforms)))
    related = pc.binary_join_element_wise("related", of, "")
    ids = pc.if_else(is_related, related, pc.binary_join_element_wise(tails, of, ""))
    return {"platform": of, "sub_account": users, "customer_id": ids}


def _related(platform: str) -> str:
    return f"related{platform}"


def _core(platforms: range) -> Rows:
    names = [_name(p) for p in platforms]
    return {
        "account": [f"{p}:CUSTODY" for p in names], "core_date": [_ON] * len(names), "closing_minor": [4_900_000_000 - 3] * len(names),
        "currency": ["CNY"] * len(names),
    }  # fmt: skip


def _disputes(platforms: range) -> Rows:
    some = [_name(p) for p in platforms if p % 10 == 0]
    return {
        "case_id": [f"c{p}" for p in some], "platform": some, "subject": ["CHANNEL|C1|R005"] * len(some),
        "kind": ["MISSING_IN_CHANNEL"] * len(some),
    }  # fmt: skip


def _accruals(platforms: range) -> Rows:
    from custody.fees import FeeState

    state = FeeState(date(2020, 1, 1), date(2020, 1, 31), _BEFORE, "CNY", net_minor=20_000, vat_minor=1_200).as_text()
    return {"platform": [_name(p) for p in platforms], "state": [state] * len(platforms)}


def _risk_before(writer: Any, platforms: int) -> None:
    names = [_name(p) for p in range(platforms)]
    due = {
        "platform": names, "period": ["2019-12"] * platforms, "ends_on": [date(2019, 12, 31)] * platforms, "due_on": [_BEFORE] * platforms,
        "gross_minor": [250_000] * platforms, "left_minor": [250_000] * platforms, "state": ["FEE_NOTICED"] * platforms,
    }  # fmt: skip
    lay(writer, "fees_due", due, _ON)
    writer.declare("confirmations")
    loans = list(_each(range(platforms), _LOANS))
    buckets = ("0", "0", "0", "1-29", "90-179")
    before = {
        "platform": [p for p, _ in loans], "loan_id": [f"{p}L{n:03d}" for p, n in loans], "bucket": [buckets[n % 5] for _, n in loans],
        "outstanding_minor": [5] * len(loans), "paid_minor": [7] * len(loans),
    }  # fmt: skip
    lay(writer, "loan_risk", before, _ON)


def ours(folder: Path) -> Run:
    from connectors.bootstrap import wire
    from jobs.risk.step import STEP
    from jobs.step import Step, StepContext, run_step

    seconds: dict[str, float] = {}

    def timed(context: StepContext) -> None:
        started = time.perf_counter()
        STEP.run(context)
        seconds["risk"] = time.perf_counter() - started

    wiring = wire(folder / "home")
    result = run_step(wiring, Step("risk", timed), _ON, "bench", f"run at {time.time_ns()}")
    tables = {name: wiring.lake.read(result.seal.path, name) for name in _ANSWERS}
    wiring.close()
    return Run(seconds, _answer(tables))


def duckdb_sql(folder: Path) -> Run:
    import duckdb

    from custody.calendar import SettlementCalendar

    calendar, ahead = SettlementCalendar(), [_ON]
    for _ in range(10):
        ahead.append(calendar.next_business_day(ahead[-1]))
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    lake = str(folder / "home/lake")
    days = ", ".join(f"(date '{on}')" for on in ahead)
    charged = calendar.add_business_days(date(2020, 1, 31), 1)
    terms = {"lake": lake, "days": days, "near": ahead[3], "last": ahead[-1], "next": ahead[1], "charged": charged}
    started = time.perf_counter()
    for statement in _SQL.format(**terms).split(";"):
        connection.execute(statement)
    for name in _ANSWERS:
        connection.execute(f"copy {name} to '{folder / name}.parquet' (format parquet)")
    seconds = {"risk": time.perf_counter() - started}
    return Run(seconds, _answer({name: connection.sql(f"from {name}").to_arrow_table() for name in _ANSWERS}))


# What both sides must agree on, row by row.
_ANSWERS = {
    "loan_risk": (
        "platform", "loan_id", "outstanding_minor", "due_so_far_minor", "paid_minor", "overdue_minor", "overdue_since", "days_past_due",
        "bucket", "next_due", "next_due_minor", "shortfall_minor",
    ),
    "borrowers_short": ("platform", "borrower", "available_minor", "short_on", "loan_id", "short_minor"),
    "shortage_forecast": ("platform", "due", "items", "items_short", "due_minor", "short_minor"),
    "portfolio": (
        "platform", "loans", "outstanding_minor", "overdue_minor", "overdue_loans", "overdue_over_90_minor", "overdue_over_90_loans",
        "largest_borrower", "largest_minor", "ten_largest_minor", "related_loans", "related_minor",
    ),
    "compensations": ("platform", "loan_id", "request_no", "borrower", "on_date", "amount_minor"),
    "bucket_moves": ("platform", "bucket_before", "bucket", "loans", "paid_minor", "overdue_minor"),
    "platform_funds": ("platform", "concern", "on_date", "have_minor", "need_minor", "short_minor"),
}  # fmt: skip

# Rates are 0.dd5: in thousandths. A month of 30/360 is a twelfth of a year, as all loans begin by the 28th.
_SQL = """
create macro half_even(n, d) as (n // d + case when 2 * (n % d) > d or (2 * (n % d) = d and (n // d) % 2 = 1) then 1 else 0 end);
create temp table bal as select platform, book, account, closing_minor from '{lake}/2020-01-03/post/*/*/balances/*.parquet';
create temp table terms as
  select row_number() over (order by platform, loan_id) as n, platform, loan_id, borrower, currency, method, periods, disbursed_on,
         funded_minor as p, principal_repaid_minor as repaid, principal_repaid_minor + interest_repaid_minor as paid,
         cast(substr(annual_rate, 3) as bigint) as rate,
         case method when 'equal_principal' then half_even(funded_minor, periods)
              when 'equal_instalment' then cast(round_even(
                funded_minor * (rate / 12000.0) * pow(1 + rate / 12000.0, periods) / (pow(1 + rate / 12000.0, periods) - 1), 0) as bigint)
              else 0 end as level
  from '{lake}/2020-01-03/post/*/*/loans/*.parquet' where disbursed_on is not null;
create temp table rows_of as
  with recursive told as (
    select n, 0::bigint as k, p as balance, 0::bigint as total, null::date as due from terms
    union all
    select t.n, told.k + 1,
           told.balance - x.principal, x.principal + x.interest,
           cast(t.disbursed_on + to_months(cast(case when t.method = 'bullet' then t.periods else told.k + 1 end as integer)) as date)
    from told join terms t using (n), lateral (
      select half_even(told.balance * t.rate * case when t.method = 'bullet' then t.periods else 1 end, 12000) as interest,
             told.k + 1 = t.periods or t.method = 'bullet' as is_last) i, lateral (
      select i.interest, case when i.is_last then told.balance
                              when t.method = 'equal_instalment' then least(greatest(t.level - i.interest, 0), told.balance)
                              else least(t.level, told.balance) end as principal) x
    where told.k < case when t.method = 'bullet' then 1 else t.periods end
  )
  select told.n, told.k, told.due, told.total,
         case when t.repaid >= t.p then 0
              else told.total - least(told.total, greatest(0, t.paid - (sum(told.total) over (partition by told.n order by told.k) - told.total))) end as owed
  from told join terms t using (n) where told.k > 0;
create temp table figures as
  select n, sum(total) filter (due <= date '2020-01-03') as due_so_far,
         coalesce(sum(owed) filter (due < date '2020-01-03'), 0) as overdue, min(due) filter (due < date '2020-01-03' and owed > 0) as since,
         min(due) filter (due >= date '2020-01-03' and owed > 0) as next_due, arg_min(owed, due) filter (due >= date '2020-01-03' and owed > 0) as next_owed
  from rows_of group by n;
create temp table money as
  select account, sum(minor) as minor from (
    select replace(account, ':available', '') as account, closing_minor as minor from bal where account like '%.BORROWER.%:available'
    union all select account, amount_minor from '{lake}/2020-01-03/post/*/*/holds/*.parquet' where kind = 'REPAY') group by account;
create temp table items as
  select t.platform, t.borrower, t.loan_id, t.currency, r.n, r.k, r.due, r.owed, greatest(m.minor, 0) as money, m.minor as available,
         sum(r.owed) over (partition by t.borrower order by r.due, t.loan_id, r.k) as upto
  from rows_of r join terms t using (n) join money m on m.account = t.borrower
  where r.owed > 0 and r.due <= date '{last}';
create temp table coming as select *, least(owed, greatest(upto - money, 0)) as short from items where due >= date '2020-01-03';
create temp table loan_risk as
  select t.platform, t.loan_id, t.borrower, t.currency, greatest(t.p - t.repaid, 0)::bigint as outstanding_minor,
         coalesce(f.due_so_far, 0)::bigint as due_so_far_minor, t.paid as paid_minor, f.overdue::bigint as overdue_minor, f.since as overdue_since,
         coalesce(date_diff('day', f.since, date '2020-01-03'), 0)::bigint as days_past_due,
         case when f.since is null then '0' when date_diff('day', f.since, date '2020-01-03') < 30 then '1-29'
              when date_diff('day', f.since, date '2020-01-03') < 60 then '30-59' when date_diff('day', f.since, date '2020-01-03') < 90 then '60-89'
              when date_diff('day', f.since, date '2020-01-03') < 180 then '90-179' else '180+' end as bucket,
         f.next_due, coalesce(f.next_owed, 0)::bigint as next_due_minor, coalesce(c.short, 0)::bigint as shortfall_minor
  from terms t join figures f using (n)
  left join (select n, sum(short) as short from coming where due <= date '{near}' group by n) c using (n);
create temp table borrowers_short as
  select any_value(platform) as platform, borrower, any_value(available)::bigint as available_minor, min(due) as short_on,
         arg_min(loan_id, (due, loan_id, k)) as loan_id, sum(short)::bigint as short_minor
  from coming where short > 0 group by borrower;
create temp table shortage_forecast as
  select platform, due, count(*)::bigint as items, count(*) filter (short > 0)::bigint as items_short, sum(owed)::bigint as due_minor, sum(short)::bigint as short_minor
  from coming group by platform, due;
create temp table related as
  select s.sub_account from '{lake}/2020-01-03/post/*/*/sub_accounts/*.parquet' s
  where s.customer_id = 'related' || s.platform;
create temp table portfolio as
  with live as (select * from loan_risk where outstanding_minor > 0),
  of_borrower as (select platform, borrower, sum(outstanding_minor) as minor from live group by 1, 2),
  ranked as (select *, row_number() over (partition by platform order by minor desc, borrower) as place from of_borrower),
  top as (select platform, max(borrower) filter (place = 1) as largest_borrower, max(minor) filter (place = 1)::bigint as largest_minor,
                 sum(minor) filter (place <= 10)::bigint as ten_largest_minor from ranked group by platform)
  select platform, count(*)::bigint as loans, sum(outstanding_minor)::bigint as outstanding_minor, sum(overdue_minor)::bigint as overdue_minor,
         count(*) filter (overdue_minor > 0)::bigint as overdue_loans,
         coalesce(sum(overdue_minor) filter (bucket in ('90-179', '180+')), 0)::bigint as overdue_over_90_minor,
         count(*) filter (overdue_minor > 0 and bucket in ('90-179', '180+'))::bigint as overdue_over_90_loans,
         count(*) filter (r.sub_account is not null)::bigint as related_loans,
         coalesce(sum(outstanding_minor) filter (r.sub_account is not null), 0)::bigint as related_minor,
         any_value(largest_borrower) as largest_borrower, any_value(largest_minor) as largest_minor, any_value(ten_largest_minor) as ten_largest_minor
  from live join top using (platform) left join related r on r.sub_account = live.borrower group by platform;
create temp table compensations as
  select l.platform, l.loan_id, l.request_no, any_value(t.borrower) as borrower, min(l.value_date) as on_date, sum(l.amount_minor)::bigint as amount_minor
  from '{lake}/2020-01-03/post/*/*/ledger_txn/*.parquet' l join terms t using (platform, loan_id)
  where l.txn_type = 'COMPENSATION' and l.outcome = 'POSTED' group by 1, 2, 3;
create temp table bucket_moves as
  with a as (select platform, loan_id, paid_minor, overdue_minor, case when outstanding_minor = 0 and overdue_minor = 0 then 'settled' else bucket end as bucket from loan_risk),
  b as (select platform, loan_id, paid_minor, overdue_minor, case when outstanding_minor = 0 and overdue_minor = 0 then 'settled' else bucket end as bucket
        from '{lake}/2020-01-02/risk/*/*/loan_risk/*.parquet')
  select a.platform, coalesce(b.bucket, 'new') as bucket_before, a.bucket, count(*)::bigint as loans,
         sum(a.paid_minor - coalesce(b.paid_minor, 0))::bigint as paid_minor, sum(a.overdue_minor)::bigint as overdue_minor
  from a left join b using (platform, loan_id)
  where coalesce(b.bucket, 'new') <> a.bucket or a.paid_minor <> coalesce(b.paid_minor, 0) group by 1, 2, 3;
create temp table disputed as
  select platform, split_part(subject, '|', 2) as channel, split_part(subject, '|', 3) as request from '{lake}/2020-01-03/reconcile/*/*/breaks/*.parquet'
  where subject like 'CHANNEL|%' and kind in ('MISSING_IN_CHANNEL', 'AMOUNT', 'STATUS', 'DIRECTION', 'CURRENCY', 'DUPLICATE');
create temp table open_items as select * from '{lake}/2020-01-03/post/*/*/receivables/*.parquet';
create temp table good as
  select o.platform, o.settle_date as due, sum(o.amount_minor) as minor, sum(greatest(half_even(o.amount_minor * 2500, 1000000), 100)) as fee
  from open_items o anti join disputed d on d.platform = o.platform and o.account = o.platform || ':CHANNEL_RECEIVABLE/' || d.channel
       and split_part(o.item, '|', 1) = d.request
  where o.account like '%:CHANNEL_RECEIVABLE/%' and o.settle_date > date '2020-01-03' group by 1, 2;
create temp table own as
  select platform,
         -sum(closing_minor) filter (account like '%:OWN_CASH') as own_cash, -sum(closing_minor) filter (account like '%:FEE_RECEIVABLE') as channel_fees,
         -sum(closing_minor) filter (account like '%:CORE_CASH') as cash, sum(closing_minor) filter (account like '%:SUSPENSE') as suspense,
         sum(closing_minor) filter (account like '%:P\\_%' escape '\\') as p_accounts, sum(closing_minor) filter (account like '%:P_ADVANCE') as advance,
         sum(closing_minor) filter (account like '%:P_INCOME') as income, -sum(closing_minor) filter (account like '%:FEE_DUE') as fee_due
  from bal where not contains(account, '.') group by platform;
create temp table customers as select platform, sum(closing_minor) as minor from bal where book = 'CUSTODY' and contains(account, '.') group by platform;
create temp table core as select split_part(account, ':', 1) as platform, closing_minor from '{lake}/2020-01-03/extract/*/*/core_balance/*.parquet' where account like '%:CUSTODY';
create temp table holds as
  select platform, sum(amount_minor) as minor from '{lake}/2020-01-03/post/*/*/holds/*.parquet' where kind = 'WITHDRAW' group by platform;
create temp table flying as
  select platform, sum(amount_minor) filter (txn_type = 'WITHDRAW') as told, sum(amount_minor) filter (txn_type <> 'WITHDRAW') as own
  from '{lake}/2020-01-03/post/*/*/under_way/*.parquet' where status in ('UNKNOWN', 'REMITTING', 'ACCEPTED') group by platform;
create temp table lots as
  select l.platform, l.settle_date as due, l.account like '%:P_ADVANCE' as is_advance, sum(l.amount_minor) as minor
  from '{lake}/2020-01-03/post/*/*/unsettled/*.parquet' l
  left join (select platform, hold_id from '{lake}/2020-01-03/post/*/*/holds/*.parquet' where kind = 'WITHDRAW') h using (platform, hold_id)
  where l.account like '%:P_ADVANCE' or h.hold_id is not null group by 1, 2, 3;
create temp table fees as
  select platform, fee_due, cast(a.state ->> 'net_minor' as bigint) + cast(a.state ->> 'vat_minor' as bigint) as newest
  from own join '{lake}/2020-01-02/fees/*/*/fee_accruals/*.parquet' a using (platform);
create temp table item as
  with cash as (select platform, least(cash, coalesce(closing_minor, cash)) as minor, own_cash, channel_fees, advance, income, p_accounts, suspense from own left join core using (platform)),
  kept as (select g.platform, g.due, g.fee, sum(g.fee) over (partition by g.platform order by g.due) as upto, greatest(0, c.own_cash - c.channel_fees) as able
           from good g join cash c using (platform))
  select platform, 'OWN_FUNDS' as concern, date '2020-01-03' as due, own_cash as have, channel_fees as need from cash
  union all select platform, 'OWN_FUNDS', due, 0, fee from good
  union all select platform, 'OWN_FUNDS', date '{charged}', 0, least(newest, fee_due) from fees
  union all select platform, 'OWN_FUNDS', date '2020-01-03', 0, fee_due - least(newest, fee_due) from fees
  union all select platform, concern, date '2020-01-03', minor, 0 from cash, (values ('COVER'), ('PAYOUT')) q(concern)
  union all select platform, 'COVER', date '2020-01-03', minor, 0 from good
  union all select platform, 'PAYOUT', due, minor, 0 from good
  union all select platform, 'COVER', date '2020-01-03', 0, p_accounts + suspense from cash
  union all select platform, 'COVER', date '2020-01-03', 0, minor from customers
  union all select platform, 'COVER', date '2020-01-03', 0, amount_minor from open_items where account like '%:CHANNEL_PAYABLE/%'
  union all select platform, 'PAYOUT', settle_date, 0, amount_minor from open_items where account like '%:CHANNEL_PAYABLE/%'
  union all select platform, 'COVER', due, 0, greatest(0, upto - able) - greatest(0, upto - fee - able) from kept
  union all select platform, 'PAYOUT', date '{next}', 0, greatest(minor, coalesce(told, 0)) + coalesce(own, 0) from holds left join flying using (platform)
  union all select platform, 'OWN_ACCOUNT', date '2020-01-03', income, own from flying join cash using (platform)
  union all select platform, 'ADVANCE', date '2020-01-03', minor, minor from holds
  union all select platform, 'ADVANCE', date '2020-01-03', -minor, 0 from lots where not is_advance and due > date '2020-01-03'
  union all select platform, 'ADVANCE', due, minor, 0 from lots where due > date '2020-01-03'
  union all select platform, 'ADVANCE', date '2020-01-03', advance, 0 from cash
  union all select platform, 'ADVANCE', date '2020-01-03', -minor, 0 from lots where is_advance;
create temp table platform_funds as
  select i.platform, i.concern, d.on_date, sum(i.have)::bigint as have_minor, sum(i.need)::bigint as need_minor,
         greatest(0, sum(i.need) - sum(i.have))::bigint as short_minor
  from item i join (values {days}) d(on_date) on i.due <= d.on_date group by 1, 2, 3
"""


def _answer(tables: dict[str, pa.Table]) -> dict[str, Any]:
    from connectors.table_digest import content_digest

    found: dict[str, Any] = {}
    for name, columns in _ANSWERS.items():
        table = tables[name].select(list(columns))
        kinds = {
            c: pa.date32() if c in _DATES else pa.int64() if pa.types.is_integer(table[c].type) else pa.string() for c in columns
        }
        found[name] = [table.num_rows, content_digest(table.cast(pa.schema(kinds.items())))]
    return found


_DATES = frozenset({"overdue_since", "next_due", "short_on", "due", "on_date"})
SIDES = {"ours": ours, "DuckDB SQL": duckdb_sql}
