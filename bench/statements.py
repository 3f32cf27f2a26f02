"""All customers' daily statements of one platform in one job: the step that seals their lines, and the platform's STATEMENT file
(``statements``), against DuckDB SQL by hand that writes the same lines, byte for byte, to CSV from the same Parquet.

Ours digests each row and writes the lines twice (sealed Parquet and the file), the file encrypted into the archive;
DuckDB writes plain CSV. Rows are accounts; each has an opening and three
postings, four lines.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.committed import commit, cut_off, lay, new_instance
from bench.harness import Run

ROWS = 1_000_000
_ON = date(2020, 1, 2)
_PART = 250_000
_PLATFORM = "P00001"


def prepare(folder: Path, rows: int) -> None:
    """An instance whose first day is posted."""
    with new_instance(folder / "home", _ON) as wiring:
        contracts: list[tuple[str, dict[str, str]]] = [("P00000", {}), (_PLATFORM, {})]
        commit(wiring, _ON, "cut_off", lambda writer: cut_off(writer, contracts, False))
        commit(wiring, _ON, "post", lambda writer: _posted(writer, rows))


def _posted(writer: Any, accounts: int) -> None:
    for table, columns in (("balances", _balances), ("sub_accounts", _accounts), ("journal", _journal)):
        for first in range(0, accounts, _PART):
            lay(writer, table, columns(np.arange(first, min(first + _PART, accounts)), accounts), _ON)


def _names(numbers: Any) -> list[str]:
    return [f"{_PLATFORM}.LENDER.U{n:09d}" for n in numbers.tolist()]


def _accounts(numbers: Any, _: int) -> dict[str, Any]:
    names = _names(numbers)
    return {"sub_account": names, "platform": [_PLATFORM] * len(names), "opened_on": [date(2019, 6, 1)] * len(names)}


def _balances(numbers: Any, _: int) -> dict[str, Any]:
    owners = _names(numbers)
    size = 2 * len(owners)
    minor = np.random.default_rng(int(numbers[0])).integers(0, 5_000_000, size)
    return {
        "platform": [_PLATFORM] * size, "book": ["CUSTODY"] * size, "account": [f"{o}:{part}" for o in owners for part in ("available", "frozen")],
        "opening_minor": minor, "closing_minor": minor, "currency": ["CNY"] * size,
    }  # fmt: skip


def _journal(numbers: Any, accounts: int) -> dict[str, Any]:
    """A recharge, a tender frozen, and a part of it settled, of each account in a scattered order."""
    order = (numbers * 7_919 + 13) % accounts if accounts % 7_919 else numbers
    owners = _names(order)
    size = 3 * len(owners)
    entry = np.arange(3 * int(numbers[0]) + 1, 3 * int(numbers[0]) + 1 + size)
    amounts = np.random.default_rng(int(numbers[0]) + 1).integers(100, 900_000, size)
    moves = [
        (f"{_PLATFORM}:CHANNEL_CH01", f"{o}:available", "RECHARGE") if n == 0
        else (f"{o}:available", f"{o}:frozen", "TENDER_FREEZE") if n == 1
        else (f"{o}:frozen", f"{_PLATFORM}.BORROWER.B1:available", "TENDER_SETTLE")
        for o in owners for n in range(3)
    ]  # fmt: skip
    micros = 1_577_894_400_000_000 + entry * 1_000
    return {
        "entry_no": entry, "move_no": np.ones(size, np.int64), "platform": [_PLATFORM] * size, "book": ["CUSTODY"] * size,
        "from_account": [m[0] for m in moves], "to_account": [m[1] for m in moves], "txn_type": [m[2] for m in moves],
        "amount_minor": amounts, "currency": ["CNY"] * size, "request_no": [f"R{n:012d}" for n in entry.tolist()], "leg": np.ones(size, np.int64),
        "loan_id": [None if m[2] == "RECHARGE" else f"L{n % 5_000:06d}" for n, m in zip(entry.tolist(), moves, strict=True)],
        "event_time": pa.array(micros, pa.timestamp("us", "UTC")),
    }  # fmt: skip


def ours(folder: Path) -> Run:
    from connectors.bootstrap import wire
    from jobs.platform_statements import statement_files
    from jobs.statement import STEP
    from jobs.step import run_step

    wiring = wire(folder / "home")
    started = time.perf_counter()
    done = run_step(wiring, STEP, _ON, "bench", f"run at {time.time_ns()}")
    (file,) = statement_files(wiring, done.seal, [_PLATFORM])
    seconds = time.perf_counter() - started
    answer = _answer(wiring.archive.chunks(file.archive_ref))
    wiring.close()
    return Run({"statements": seconds}, answer)


def duckdb_sql(folder: Path) -> Run:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads = 2")
    connection.execute(f"set temp_directory = '{folder / 'duckdb'}'")
    lake = next((folder / "home").glob(f"lake/{_ON}/post/*/*"))
    connection.execute(_YUAN)
    started = time.perf_counter()
    connection.execute(f"copy ({_LINES.format(lake=lake)}) to '{folder / 'peer.csv'}' (header, delimiter ',', quote '')")
    seconds = time.perf_counter() - started
    with (folder / "peer.csv").open("rb") as file:
        answer = _answer(iter(lambda: file.read(1 << 20), b""))
    return Run({"statements": seconds}, answer)


def _answer(pieces: Iterator[bytes]) -> dict[str, Any]:
    whole, size, lines = hashlib.sha256(), 0, 0
    for piece in pieces:
        whole.update(piece)
        size += len(piece)
        lines += piece.count(b"\n")
    return {"sha256": whole.hexdigest(), "bytes": size, "lines": lines}


_YUAN = """
create macro yuan(minor) as case when minor < 0 then '-' else '' end || (abs(minor) // 100) || '.' || lpad((abs(minor) % 100)::varchar, 2, '0')
"""
_LINES = """
with sides as (
  select entry_no, from_account as part, -amount_minor as minor, txn_type, request_no, leg, event_time, value_date, loan_id
  from '{lake}/journal/*.parquet' where book = 'CUSTODY'
  union all
  select entry_no, to_account, amount_minor, txn_type, request_no, leg, event_time, value_date, loan_id
  from '{lake}/journal/*.parquet' where book = 'CUSTODY'
),
entries as (
  select a.sub_account, s.entry_no, s.txn_type, s.request_no, s.leg, s.event_time, s.value_date, s.loan_id,
         sum(case when ends_with(s.part, ':available') then s.minor else 0 end)::bigint as available,
         sum(case when ends_with(s.part, ':frozen') then s.minor else 0 end)::bigint as frozen
  from sides s join '{lake}/sub_accounts/*.parquet' a on a.sub_account = split_part(s.part, ':', 1) group by all
),
openings as (
  select split_part(account, ':', 1) as sub_account, max(currency) as currency,
         sum(case when ends_with(account, ':available') then opening_minor else 0 end)::bigint as available,
         sum(case when ends_with(account, ':frozen') then opening_minor else 0 end)::bigint as frozen
  from '{lake}/balances/*.parquet' where book = 'CUSTODY' group by 1
),
lines as (
  select e.*, o.currency, row_number() over w as line, o.available + sum(e.available) over w as available_after,
         o.frozen + sum(e.frozen) over w as frozen_after
  from entries e join openings o using (sub_account)
  window w as (partition by e.sub_account order by e.entry_no rows between unbounded preceding and current row)
),
whole as (
  select sub_account, 0 as line, null as entry_no, 'OPENING' as txn_type, null as request_no, null as leg, null as event_time,
         date '2020-01-02' as value_date, null as loan_id, 0 as available_change, 0 as frozen_change, available, frozen, currency
  from openings semi join entries using (sub_account)
  union all
  select sub_account, line, entry_no, txn_type, request_no, leg, event_time, value_date, loan_id, available, frozen,
         available_after, frozen_after, currency
  from lines
)
select split_part(sub_account, '.', 2) as role, split_part(sub_account, '.', 3) as user_no, line, entry_no, txn_type, request_no, leg,
       strftime(event_time::timestamp + interval 8 hours, '%Y-%m-%dT%H:%M:%S') as event_time, value_date, loan_id,
       yuan(available_change + frozen_change) as amount, yuan(available_change) as available_change, yuan(frozen_change) as frozen_change,
       yuan(available) as available, yuan(frozen) as frozen, yuan(available + frozen) as balance, currency
from whole order by sub_account, line
"""

SIDES = {"ours": ours, "DuckDB to CSV": duckdb_sql}
