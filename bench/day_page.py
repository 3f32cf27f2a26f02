"""The day's page with thousands of platforms and a year of days, and a page of a list of a million rows: the server's time for the whole
answer, against bare SQL for the figures alone.

The page opens the instance, asks who may see it, reads six sealed steps and a month of manifests, sorts every party and is written; its peer
counts the date's promised files by party and state, one query of the register. Lists show fifty rows and how many there are; their peers
ask the same of SQLite, or of DuckDB over the sealed Parquet.
"""

from __future__ import annotations

import os
import re
import sqlite3
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from bench.committed import commit
from bench.harness import Run

# Platforms.
ROWS = 5000
_LAST = date(2020, 12, 30)
_DAYS = 365
# Of each platform on the last date: sub-accounts, requests that channels owe, withdrawals under way, holds, loans; and alerts of all dates.
_ACCOUNTS, _RECEIVABLES, _UNDER_WAY, _HOLDS, _LOANS, _ALERTS = 200, 20, 4, 40, 200, 200
_TYPES = ("BALANCE", "CLAIM", "CUSTOMER", "LOAN", "TXN")
_FUNDS_DAYS = 6
# The twentieth page of a list begins here.
_FAR = 950
_ASKED = 7


def prepare(folder: Path, platforms: int) -> None:
    """An instance whose last day has all that the page reads."""
    from connectors.bootstrap import wire
    from console.airflow.command import CustodyProcess

    home = folder / "home"
    os.environ["CUSTODY_HOME"] = str(home.resolve())
    said: list[str] = []
    first = _LAST - timedelta(days=_DAYS - 1)
    init = ["init", "--bank", "Bench", "--go-live", first.isoformat(), "--sftp-port", "2022", "--json"]
    if CustodyProcess(init).run(said.append).exit_code != 0:
        raise RuntimeError(f"custody init: {said}")
    names = [f"P{number:04d}" for number in range(1, platforms + 1)]
    wiring = wire(home)
    try:
        _parties(wiring, names)
        _sealed(wiring, names)
    finally:
        wiring.close()
    _watermark(home)
    register = sqlite3.connect(home / "register.db")
    with register:
        _promises(register)
        _alerts(register)
    register.close()


def _watermark(home: Path) -> None:
    """The keyed store says that it holds the last date."""
    from connectors.bootstrap import wire
    from schemas.store_keys import WATERMARK, WATERMARK_KEY

    wiring = wire(home)
    try:
        wiring.keyed.put_many(WATERMARK, [(WATERMARK_KEY, {b"date": _LAST.isoformat().encode()})])
    finally:
        wiring.close()


def _parties(wiring: Any, names: list[str]) -> None:
    beginning = date(1900, 1, 1)
    contract = '{"core_model":"HUB","file_types":["TXN"]}'
    with wiring.register.transaction() as tx:
        tx.insert_all("party", [{"party": name, "kind": "PLATFORM", "name_en": name, "name_zh": name} for name in names])
        tx.insert_all("party_status", [{"party": name, "valid_from": beginning, "status": "LIVE"} for name in names])
        tx.insert_all("party_contract", [{"party": name, "valid_from": beginning, "contract": contract} for name in names])


def _sealed(wiring: Any, names: list[str]) -> None:
    """Every day is reconciled; of the last one all steps lie in the lake, of the others the breaks."""
    from custody.calendar import dates
    from custody.steps import STEPS

    for on in dates(_LAST - timedelta(days=_DAYS - 1), _DAYS - 1):
        commit(wiring, on, "cut_off", lambda writer: writer.table("accepted_files", []))
        commit(wiring, on, "reconcile", lambda writer, on=on: _reconciled(writer, names, on))
    tables: dict[str, Callable[[Any], None]] = {
        "land": lambda writer: writer.table("file_outcomes", _outcomes(names)),
        "validate": lambda writer: _validated(writer, names),
        "post": lambda writer: _posted(writer, names),
        "reconcile": lambda writer: _reconciled(writer, names, _LAST),
        "risk": lambda writer: _assessed(writer, names),
    }
    for step in STEPS:
        commit(wiring, _LAST, step, tables.get(step, lambda writer: writer.table("accepted_files", [])))


def _outcomes(names: list[str]) -> Any:
    rows = [(name, file_type) for name in names for file_type in _TYPES]
    figures = dict.fromkeys(
        ("batch", "rows", "rows_landed", "rows_rejected", "total_minor", "landed_minor", "rejected_minor"), [1] * len(rows)
    )
    words = {name: [None] * len(rows) for name in ("rule", "words_en", "words_zh", "batches")}
    return _table(
        "file_outcomes",
        party=[name for name, _ in rows],
        file_type=[file_type for _, file_type in rows],
        custody_date=[_LAST] * len(rows),
        file_name=[f"{name}_{file_type}_1" for name, file_type in rows],
        sha256=["0" * 64] * len(rows),
        outcome=["EXPECTED" if n % 997 == 0 else "LANDED" for n in range(len(rows))],
        figures=["{}"] * len(rows),
        **figures,
        **words,
    )


def _validated(writer: Any, names: list[str]) -> None:
    from schemas.tables import TABLES

    count = len(names) * len(_TYPES)
    known = {
        "party": [name for name in names for _ in _TYPES],
        "file_type": list(_TYPES) * len(names),
        "custody_date": [_LAST] * count,
        "business_day": [True] * count,
    }
    rest = {c.name: [1] * count for c in TABLES["batch_statistics"].columns if c.type == "int"}
    none = {c.name: [None] * count for c in TABLES["batch_statistics"].columns if c.name not in known | rest}
    writer.table("batch_statistics", _table("batch_statistics", **known, **rest, **none))
    wrong = [
        {
            "party": name, "file_type": "TXN", "custody_date": _LAST, "rule": "rows", "severity": "fail" if n % 5 == 0 else "warn",
            "measure": "rows", "observed": 1, "expected": "2", "words_en": "fewer rows than usual", "words_zh": "行数偏少",
        }
        for n, name in enumerate(names[::10])
    ]  # fmt: skip
    writer.table("batch_findings", wrong)


def _posted(writer: Any, names: list[str]) -> None:
    accounts = [f"{name}.LENDER.u{n:05d}:{part}" for name in names for n in range(_ACCOUNTS) for part in ("available", "frozen")]
    own = [f"{name}:{of}" for name in names for of in ("CHANNEL_RECEIVABLE/CH01", "CORE_CASH", "P_INCOME", "SUSPENSE")]
    every = sorted(accounts + own)
    amounts = dict.fromkeys(("opening_minor", "in_minor", "out_minor", "closing_minor"), [100] * len(every))
    platforms = [account[:5] for account in every]
    writer.table(
        "balances",
        _table(
            "balances", platform=platforms, book=["CUSTODY"] * len(every), account=every, currency=["CNY"] * len(every), **amounts
        ),
    )
    items = [(name, n) for name in names for n in range(_RECEIVABLES)]
    writer.table(
        "receivables",
        _table(
            "receivables",
            platform=[name for name, _ in items],
            account=[f"{name}:CHANNEL_RECEIVABLE/CH01" for name, _ in items],
            item=[f"R{n:05d}" for _, n in items],
            opened_on=[_LAST] * len(items),
            settle_date=[_LAST] * len(items),
            amount_minor=[-100] * len(items),
        ),
    )
    held = [(name, n) for name in names for n in range(_HOLDS)]
    writer.table(
        "holds",
        _table(
            "holds",
            platform=[name for name, _ in held],
            hold_id=[f"H{n:05d}" for _, n in held],
            account=[f"{name}.LENDER.u{n:05d}" for name, n in held],
            kind=["JUDICIAL" if number % 5000 == 0 else "TENDER" for number in range(len(held))],
            loan_id=[None] * len(held),
            amount_minor=[100] * len(held),
            placed_on=[_LAST] * len(held),
            mandate_id=[None] * len(held),
        ),
    )
    writer.table("legal_orders", [])
    writer.table("suspense", [])
    way = [(name, n) for name in names for n in range(_UNDER_WAY)]
    writer.table(
        "under_way",
        _table(
            "under_way",
            platform=[name for name, _ in way],
            request_no=[f"W{n:05d}" for _, n in way],
            leg=[1] * len(way),
            txn_type=["WITHDRAW"] * len(way),
            account=[f"{name}.LENDER.u00001" for name, _ in way],
            channel=["CH01"] * len(way),
            amount_minor=[1000] * len(way),
            currency=["CNY"] * len(way),
            status=["UNKNOWN" if n == 0 and number % 50 == 0 else "ACCEPTED" for number, (_, n) in enumerate(way)],
            since=[_LAST] * len(way),
            related_request_no=[None] * len(way),
        ),
    )
    loans = [(name, n) for name in names for n in range(_LOANS)]
    known: dict[str, list[Any]] = {
        "platform": [name for name, _ in loans],
        "loan_id": [f"LN{n:06d}" for _, n in loans],
        "borrower": [f"{name}.BORROWER.u{n:05d}" for name, n in loans],
        "amount_minor": [(number * 7919) % 10_000_000 + 100_000 for number in range(len(loans))],
        "state": ["REPAYING" if n % 3 else "SETTLED" for _, n in loans],
        "disbursed_on": [_LAST] * len(loans),
    }
    text = {
        "currency": "CNY",
        "annual_rate": "0.08",
        "method": "bullet",
        "every": "month",
        "day_count": "30/360",
        "purpose": "trade",
    }
    known |= {name: [value] * len(loans) for name, value in text.items()}
    known |= {n: [0] * len(loans) for n in ("periods", "funded_minor", "principal_repaid_minor", "interest_repaid_minor")}
    known |= {n: [None] * len(loans) for n in ("minimum_minor", "penalty_rate", "guarantor", "payee")}
    writer.table("loans", _table("loans", **known))


def _reconciled(writer: Any, names: list[str], on: date) -> None:
    breaks = [
        {
            "case_id": f"{(number * 2654435761) % 2**32:08x}" * 8, "platform": name, "sides": "AB", "subject": f"TXN|{name}{number}|1",
            "kind": "AMOUNT", "amount_minor": 100 + number, "as_of": on, "evidence_digest": "0" * 64, "evidence": "[]", "cause": None,
        }
        for number, name in enumerate(names[:: 2 if on > _LAST - timedelta(days=2) else 50])
    ]  # fmt: skip
    writer.table("breaks", breaks)
    writer.table("open_items", [])
    counts = dict.fromkeys(
        (
            "carried_in",
            "reopened",
            "new",
            "matched",
            "broken",
            "carried",
            "withdrawn",
            "rejected",
            "trailer_rows",
            "trailer_minor",
        ),
        1,
    )
    minor = {f"{name}_minor": 1 for name in counts if not name.startswith("trailer")}
    proof = {"relation": "TXN", "side": "A", **counts, **minor, "rows_digest": None, "buckets_digest": None, "holds": True}
    writer.table("proof", [proof])


def _assessed(writer: Any, names: list[str]) -> None:
    concerns = ("COVER", "OWN_FUNDS", "PAYOUT")
    days = [(name, concern, _LAST + timedelta(days=n)) for name in names for concern in concerns for n in range(_FUNDS_DAYS)]
    writer.table(
        "platform_funds",
        _table(
            "platform_funds",
            platform=[name for name, _, _ in days],
            concern=[concern for _, concern, _ in days],
            account=[f"{name}:CORE_CASH" for name, _, _ in days],
            on_date=[on for _, _, on in days],
            currency=["CNY"] * len(days),
            have_minor=[1_000_000 + n % 1000 for n in range(len(days))],
            need_minor=[500_000] * len(days),
            short_minor=[0] * len(days),
        ),
    )
    kinds = ("CASH", "RECEIVABLE", "PAYABLE", "UNKNOWN", "REMITTING", "ACCEPTED", "REQUESTED")
    items = [(name, concern, kind) for name in names for concern in concerns for kind in kinds]
    writer.table(
        "platform_funds_items",
        _table(
            "platform_funds_items",
            platform=[name for name, _, _ in items],
            concern=[concern for _, concern, _ in items],
            account=[f"{name}:CORE_CASH" for name, _, _ in items],
            item=[kind for _, _, kind in items],
            is_need=[kind not in ("CASH", "RECEIVABLE") for _, _, kind in items],
            due_on=[_LAST] * len(items),
            currency=["CNY"] * len(items),
            amount_minor=[1000] * len(items),
            rows=[1] * len(items),
        ),
    )
    writer.table(
        "alerts",
        [
            {
                "alert_id": f"{number:064x}", "rule": "BORROWER_SHORT", "platform": name, "subject": f"LN{number:06d}", "severity": "HIGH",
                "figures": "{}", "words_en": "is short", "words_zh": "不足",
            }
            for number, name in enumerate(names[::4])
        ],
    )  # fmt: skip
    late = [(name, n) for name in names for n in range(_LOANS) if n % 3]
    zero = ("outstanding_minor", "due_so_far_minor", "paid_minor", "overdue_minor", "next_due_minor", "shortfall_minor")
    writer.table(
        "loan_risk",
        _table(
            "loan_risk",
            platform=[name for name, _ in late],
            loan_id=[f"LN{n:06d}" for _, n in late],
            borrower=["B"] * len(late),
            currency=["CNY"] * len(late),
            days_past_due=[n % 7 for _, n in late],
            bucket=["0"] * len(late),
            overdue_since=[None] * len(late),
            next_due=[None] * len(late),
            **dict.fromkeys(zero, [0] * len(late)),
        ),
    )


def _promises(register: sqlite3.Connection) -> None:
    """Five files of each platform for every date, in the order of the key; indexes are made after them."""
    indexes = _indexes(register, "expected_file")
    register.execute("create temp table day (on_date text primary key)")
    days = [((_LAST - timedelta(days=n)).isoformat(),) for n in range(_DAYS)]
    register.executemany("insert into day values (?)", days)
    register.execute("create temp table type (name text primary key)")
    register.executemany("insert into type values (?)", [(name,) for name in _TYPES])
    register.execute(
        "insert into expected_file (party, file_type, custody_date, batch, state, cut_off_at, due_at, missing_from, file_name, sha256, misses) "
        "select p.party, t.name, d.on_date, 1, case when abs(unicode(substr(p.party, 5)) + length(t.name)) % 37 = 0 then 'MISSING' else "
        "'ARRIVED' end, '', '', '', null, null, 0 from party p, type t, day d where p.kind = 'PLATFORM' order by 1, 2, 3"
    )
    for statement in indexes:
        register.execute(statement)


def _alerts(register: sqlite3.Connection) -> None:
    """Of a year; one in a hundred is not closed, and a few are of the last date's work."""
    indexes = _indexes(register, "alert")
    names = [name for (name,) in register.execute("select party from party where kind = 'PLATFORM' order by party")]
    rows = (
        (
            f"{(i * 2654435761) % 2**32:08x}{i:08x}",
            names[i % len(names)] if i % 1000 else "",
            f"LN{i}",
            ("HIGH", "LOW", "MEDIUM", "MEDIUM")[i % 4],
            (_LAST - timedelta(days=i % _DAYS)).isoformat(),
            _LAST.isoformat(),
            "CLOSED" if i % 100 else "OPEN",
        )
        for i in range(_ALERTS * len(names))
    )
    register.executemany(
        "insert into alert (alert_id, rule, platform, subject, severity, raised_on, last_seen_on, figures, words_en, words_zh, state, turn) "
        "values (?, 'BORROWER_SHORT', ?, ?, ?, ?, ?, '{}', 'short', '不足', ?, 0)",
        rows,
    )
    for statement in indexes:
        register.execute(statement)


def _indexes(register: sqlite3.Connection, table: str) -> list[str]:
    """How its indexes are made; they are taken away meanwhile."""
    found = register.execute(
        "select name, sql from sqlite_master where type = 'index' and tbl_name = ? and sql is not null", (table,)
    )
    rows = found.fetchall()
    for name, _ in rows:
        register.execute(f"drop index {name}")
    return [statement for _, statement in rows]


def _table(name: str, **columns: list[Any]) -> Any:
    import pyarrow as pa

    from connectors.lake import arrow_schema
    from schemas.tables import TABLES

    schema = arrow_schema(TABLES[name])
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in schema})


def ours(folder: Path) -> Run:
    """Pages as the server makes them, without the log-in."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi.testclient import TestClient

    from console.pages.app import app

    os.environ["CUSTODY_HOME"] = str((folder / "home").resolve())

    class Auditor:
        def get_name(self) -> str:
            return "auditor"

    app.dependency_overrides[get_user] = Auditor
    client = TestClient(app)

    def page(address: str) -> Callable[[], str]:
        def asked() -> str:
            answer = client.get(address)
            if answer.status_code != 200:
                raise RuntimeError(f"{address}: {answer.status_code} {answer.text[:500]}")
            return answer.text

        return asked

    seconds, answer = {}, {}
    seconds["day_page"], html = _timed(page(f"/day?date={_LAST}"))
    arrived = re.search(r"<tfoot>.*?([0-9]+) arrived in time", html, re.S)
    answer["arrived"] = int(arrived[1]) if arrived else 0
    seconds["alerts_page"], html = _timed(page("/alerts?state=ALL&sort=raised&desc=1&page=20"))
    answer["alerts"] = _total(html, "alerts")
    seconds["loans_page"], html = _timed(page("/loans?sort=amount&desc=1&page=20&state=REPAYING"))
    answer["loans"] = _total(html, "loans")
    seconds["loans_of_one_page"], html = _timed(page("/loans?platform=P0003"))
    answer["one"] = _total(html, "loans")
    return Run(seconds, answer)


def _total(html: str, what: str) -> int:
    found = re.search(rf"<h2>([0-9,]+) {what}", html)
    return int(found[1].replace(",", "")) if found else 0


def bare_sql(folder: Path) -> Run:
    import duckdb

    register = sqlite3.connect(folder / "home" / "register.db")
    seconds, answer = {}, {}

    def day() -> int:
        rows = register.execute(
            "select party, state, count(*) from expected_file where custody_date = ? group by party, state", (_LAST.isoformat(),)
        ).fetchall()
        return sum(count for _, state, count in rows if state == "ARRIVED")

    def alerts() -> int:
        (count,) = register.execute("select count(*) from alert").fetchone()
        register.execute("select * from alert order by raised_on desc, alert_id limit 50 offset ?", (_FAR,)).fetchall()
        return int(count)

    seconds["day_page"], answer["arrived"] = _timed(day)
    seconds["alerts_page"], answer["alerts"] = _timed(alerts)
    sql = duckdb.connect()
    (post,) = (folder / "home" / "lake" / _LAST.isoformat() / "post").glob("run=*/fence=*")

    def loans(where: str, rest: str, start: int = 0) -> int:
        files = f"from read_parquet('{post}/loans/*.parquet') where {where}"
        ((count,),) = sql.sql(f"select count(*) {files}").fetchall()
        sql.sql(f"select * {files} {rest} limit 50 offset {start}").fetchall()
        return int(count)

    seconds["loans_page"], answer["loans"] = _timed(
        lambda: loans("state = 'REPAYING'", "order by amount_minor desc, platform, loan_id", _FAR)
    )
    seconds["loans_of_one_page"], answer["one"] = _timed(lambda: loans("platform = 'P0003'", "order by loan_id"))
    return Run(seconds, answer)


def _timed(asked: Callable[[], Any]) -> tuple[float, Any]:
    """The median of several, after one that opens and compiles what each side does."""
    answer = asked()
    taken = []
    for _ in range(_ASKED):
        started = time.perf_counter()
        answer = asked()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken), answer


SIDES = {"ours": ours, "bare SQL": bare_sql}
