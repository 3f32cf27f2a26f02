"""A posted and reconciled day of many platforms for the bench of compliance, made by one query for each table; and the day before, as
compliance sealed it: by which numbers borrowers are reached; the thirty days before, to which rules look back, each with what moved; and of
the last sixteen of them each its share of customers and when they last did anything.

Each platform has 2,000 sub-accounts, one in ten a borrower's with a loan of its own; a customer in a hundred is on two platforms. One
account in four brings money, one in forty takes some, one in eight lends, as many are repaid, a few sell claims. On each day before three
in twenty moved; one in ten never did. Their journals are empty: rows behind what was found are looked up in today's alone.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from bench.committed import commit, cut_off, lay, new_instance
from connectors.lake import StepWriter
from jobs.compliance.acts import TURNS, whose_turn

DAY = date(2020, 1, 2)
BEFORE = DAY - timedelta(days=1)
# As far as any rule looks back.
WINDOW_DAYS = 30
_GO_LIVE = DAY - timedelta(days=WINDOW_DAYS)
ACCOUNTS = 2_000
_PART_PLATFORMS = 250
_EMPTY_OF_LAND = ("land_customer", "decided_customers", "customer_aliases", "watched", "land_mandate", "land_legal_order")

# i: the account's number over all platforms, j: on its own.
_BASE = """
select i, i % 2000 as j, 'P' || lpad((i // 2000)::varchar, 5, '0') as platform, if(i % 2000 < 1800, 'LENDER', 'BORROWER') as role,
  'P' || lpad((i // 2000)::varchar, 5, '0') || '.' || if(i % 2000 < 1800, 'LENDER', 'BORROWER') || '.U' || lpad((i % 2000)::varchar, 6, '0') as sub_account,
  md5((if(i % 100 = 7 and i >= 2000, i - 2000, i))::varchar) as customer_id, if(i % 50 = 3, 'COMPANY', 'PERSON') as kind,
  if(i % 5000 = 0, 55000000, if(i % 20000 = 8, 45000000, 100 + i * 104729 % 3000000)) as came,
  platform || '.BORROWER.U' || lpad((1800 + i % 200)::varchar, 6, '0') as debtor
from range({first}, {last}) t(i) where {which}
"""
_TABLES = {
    "sub_accounts": """select sub_account, platform, role, 'U' || lpad(j::varchar, 6, '0') as user_no, customer_id, kind,
      date '2019-03-01' as opened_on, null::date as closed_on from base""",
    "balances": """select platform, 'CUSTODY' as book, sub_account || ':' || part as account, 'CNY' as currency,
      0 as opening_minor, 0 as in_minor, 0 as out_minor, if(part = 'available', i * 7919 % if(platform[-1:] = '3', 5000000, 500000), 0) as closing_minor
      from base, (values ('available'), ('frozen')) p(part)""",
    "loans": """select platform, 'L' || i as loan_id, sub_account as borrower, 5000000 + i * 7919 % 16000000 as amount_minor, 'CNY' as currency,
      '0.' || lpad(if(i % 2000 = 1801, 30, 8 + i % 17)::varchar, 2, '0') as annual_rate, 'bullet' as method, 12 as periods, 'month' as every, '30/360' as day_count,
      'use' || (i % 5) as purpose, 'REPAYING' as state, date '2020-01-02' - (1 + i % 300)::integer as disbursed_on,
      5000000 + i * 7919 % 16000000 as funded_minor, (5000000 + i * 7919 % 16000000) * (i % 10) // 20 as principal_repaid_minor,
      0 as interest_repaid_minor from base where role = 'BORROWER'""",
    "land_loan": """select platform as party, 'F' || platform as file_name, j as line_no, date '2020-01-02' as custody_date,
      'L' || i as loan_id, 'REPAYING' as state, 5000000 + i * 7919 % 16000000 + if(i % 50000 = 1801, 9000000, 0) as raised_minor
      from base where role = 'BORROWER'""",
    "journal": """select row_number() over (order by platform, i, txn_type) as entry_no, 1 as move_no, platform, 'CUSTODY' as book, from_account, to_account,
      amount_minor, 'CNY' as currency, txn_type, 'R' || i || txn_type as request_no, 1 as leg, loan_id, date '2020-01-02' as posting_date,
      date '2020-01-02' as value_date from (
        select platform, i, 'RECHARGE' as txn_type, platform || ':CHANNEL_RECEIVABLE/CH01' as from_account, sub_account || ':available' as to_account,
          came as amount_minor, null as loan_id from base where i % 4 = 0
        union all select platform, i, 'WITHDRAW', sub_account || ':frozen', platform || ':CHANNEL_PAYABLE/CH01',
          if(i % 10000 = 0, came, came // 3 + 1), null from base where i % 40 = 0
        union all select platform, i, 'TENDER_SETTLE', sub_account || ':frozen', debtor || ':available', 10000 + came // 10, 'L' || (i - j + 1800 + i % 200)
          from base where role = 'LENDER' and i % 8 = 1
        union all select platform, i, 'REPAYMENT', debtor || ':frozen', sub_account || ':available', 1000 + came // 50, 'L' || (i - j + 1800 + i % 200)
          from base where role = 'LENDER' and i % 8 = 2
        union all select platform, i, 'CREDIT_ASSIGNMENT', sub_account || ':available',
          platform || '.LENDER.U' || lpad((j // 90)::varchar, 6, '0') || ':available', 2000 + came // 100, 'L' || (i - j + 1800 + i % 200)
          from base where role = 'LENDER' and i % 90 = 3
      )""",
    # A few lend much and sell most of it.
    "account_days": """select platform, sub_account as account, date '{on}' as on_date, customer_id, kind, came as in_minor, 1 as in_count,
      0 as out_minor, 0 as out_count, if(i % 40000 = 5, 20000000, if(i % 3 = 0, came // 2, 0)) as lent_minor, lent_minor as spent_minor,
      if(i % 40000 = 5, 12000000, 0) as sold_minor, if(i % 40000 = 5, 3, 0) as sold_count, came as credit_minor, 1 as acts
      from base""",
    # Who moved since stands in account_days.
    "last_acts": """select customer_id, date '2020-01-01' - (16 + min(i) // 5000 * 37 % 184)::integer as last_on from base group by customer_id""",
    "contact_digests": """select platform, sub_account, field,
      md5(field || if(i % 100000 in (1800, 1801, 1802), i - i % 100000, i)::varchar) as digest, date '2019-03-01' as since, 'F' as file_name, 2 as line_no
      from base, (values ('card_no'), ('phone')) f(field) where role = 'BORROWER'""",
    "platform_days": """select platform, 1000000 as repaid_minor, if(platform[-2:] = '07', 400000, 100000) as repaid_by_new_minor from base where j = 0""",
}  # fmt: skip


def make_day(home: Path, rows: int) -> int:
    """A new instance; how many sub-accounts it has."""
    platforms = max(2, rows // ACCOUNTS)
    base = _BASE.format(first=0, last=platforms * ACCOUNTS, which="true")
    told = _quiet().sql(f"with base as ({base}) {_TABLES['last_acts']}").to_arrow_table()
    with new_instance(home, _GO_LIVE) as wiring:
        for on in (_GO_LIVE + timedelta(days=n) for n in range((DAY - _GO_LIVE).days)):
            commit(wiring, on, "post", lambda writer: writer.declare("journal"))
            commit(wiring, on, "reconcile", lambda writer: writer.declare("funds_paths"))
            commit(wiring, on, "compliance", lambda writer, on=on: _sealed(writer, platforms, told, on))
        contracts: list[tuple[str, dict[str, str]]] = [(f"P{n:05d}", {}) for n in range(platforms)]
        commit(wiring, DAY, "cut_off", lambda writer: cut_off(writer, contracts, True))
        commit(wiring, DAY, "land", lambda writer: _land(writer, platforms))
        commit(wiring, DAY, "post", lambda writer: _post(writer, platforms))
        commit(wiring, DAY, "reconcile", lambda writer: writer.declare("funds_paths"))
    return platforms * ACCOUNTS


def _sealed(writer: StepWriter, platforms: int, told: pa.Table, on: date) -> None:
    for table in ("contact_digests", "claims_sold", "last_acts"):
        writer.declare(table)
    _write(writer, platforms, "account_days", "platform_days", on=on)
    if on == BEFORE:
        _write(writer, platforms, "contact_digests")
    if on >= DAY - timedelta(days=TURNS):
        # By customers: one that stands on several platforms is in no platform's part.
        lay(writer, "last_acts", told.filter(whose_turn(on).holds(told["customer_id"])), DAY)


def _quiet() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set enable_progress_bar = false")
    return connection


def _land(writer: StepWriter, platforms: int) -> None:
    for table in (*_EMPTY_OF_LAND, "file_outcomes"):
        writer.declare(table)
    _write(writer, platforms, "land_loan")


def _post(writer: StepWriter, platforms: int) -> None:
    for table in ("holds", "positions"):
        writer.declare(table)
    _write(writer, platforms, "sub_accounts", "balances", "loans", "journal", "ledger_txn")


def _write(writer: StepWriter, platforms: int, *tables: str, on: date = DAY) -> None:
    """In parts of some platforms each; of every table the same ones. ``on``: of which day account_days are."""
    connection = _quiet()
    for first in range(0, platforms, _PART_PLATFORMS):
        last = min(first + _PART_PLATFORMS, platforms)
        for table in tables:
            query = _TABLES["journal" if table == "ledger_txn" else table].replace("{on}", str(on))
            which = f"(i // 7 + {(DAY - on).days}) % 6 = 0 and i % 10 <> 0" if table == "account_days" else "true"
            base = _BASE.format(first=first * ACCOUNTS, last=last * ACCOUNTS, which=which)
            found = connection.sql(f"with base as ({base}) {query}").to_arrow_table()
            if table in ("journal", "ledger_txn"):
                shift = pa.scalar(first * 10_000, pa.int64())
                found = _shifted(found, shift)
            lay(writer, table, found, DAY)


def _shifted(moves: pa.Table, shift: pa.Scalar[Any]) -> pa.Table:
    numbers = pc.add(pc.cast(moves["entry_no"], pa.int64()), shift)
    moves = moves.set_column(moves.schema.get_field_index("entry_no"), "entry_no", numbers)
    return moves.append_column("txn_no", numbers).append_column("outcome", pa.array(["POSTED"] * moves.num_rows))
