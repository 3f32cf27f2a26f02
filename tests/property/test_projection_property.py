"""The day's rows by columns, in runs and blocks of any size, are those of the plain row-by-row projection, in key order."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kit"))

from instance_kit import seeds
from store_rows import day_rows

import jobs.projection.day as day_module
import jobs.projection.flows as flows_module
import jobs.projection.runs as runs_module
import jobs.projection.states as states_module
from connectors.bootstrap import Wiring
from connectors.lake import Lake
from connectors.lake_files import LocalFiles
from custody.ports import Row
from jobs.projection.day import TODAYS_VERSIONS, Source, packed_day
from schemas.store_keys import LEDGER_TABLES, PACKED, SALTS
from schemas.store_proof import StoreSum
from schemas.store_records import RECORDS
from schemas.tables import TABLES, TableSpec

ON = date(2020, 1, 2)
READ = ("journal", "ledger_txn", "balances", "sub_accounts", "unsettled", "loans", "claims", "holds")
PLATFORMS = ("P1", "P10", "P2")
# As sub-accounts, P_* accounts and mirrors are named; few, so that the tables meet.
OWNERS = [f"{p}.{role}.u{n}" for p in PLATFORMS for role in ("LENDER", "BORROWER") for n in (1, 10)]
ACCOUNTS = [f"{o}:{part}" for o in OWNERS for part in ("available", "frozen")] + [
    f"{p}:{name}" for p in PLATFORMS for name in ("P_MARKETING", "P_MARKETING:frozen", "SUSPENSE", "CORE_CASH")
]
# Columns whose values have to fit each other; all others are drawn by their type.
WORDS: dict[str, list[str]] = {
    "platform": list(PLATFORMS), "from_account": ACCOUNTS, "to_account": ACCOUNTS, "account": ACCOUNTS, "holder": OWNERS,
    "sub_account": OWNERS, "book": ["CUSTODY", "OWN"], "loan_id": ["L1", "L10"], "claim_id": ["c1", "c2"], "customer_id": ["C1", "C2"],
    "request_no": ["R1", "R2"], "hold_id": ["", "h1", "h2"], "outcome": ["POSTED", "WAITING"], "channel": ["X"], "currency": ["CNY"],
}  # fmt: skip


def cell(rng: Random, kind: str) -> Any:
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=rng.randint(-(10**15), 10**15))
    drawn = {
        "text": "".join(rng.choices("ab户~:,", k=rng.randint(0, 3))),
        "int": rng.randint(0, 10**12),
        "bool": rng.random() < 0.5,
    }
    return (drawn | {"date": at.date(), "time": at})[kind]


def random_rows(rng: Random, spec: TableSpec) -> list[Row]:
    """Up to a dozen rows, each key once; those of an account or sub-account are of that one's platform."""
    rows: dict[tuple[Any, ...], Row] = {}
    for _ in range(rng.randint(0, 12)):
        row: Row = {}
        for column in spec.columns:
            drawn = rng.choice(WORDS[column.name]) if column.name in WORDS else cell(rng, column.type)
            row[column.name] = None if column.nullable and rng.random() < 0.3 else drawn
        row |= {
            name: 20200102 * 10**9 + rng.randint(1, 10**9 - 1) for name in ("entry_no", "txn_no") if row.get(name) is not None
        }
        row |= {name: rng.randint(1, 999) for name in ("move_no", "leg") if name in row}
        for name in ("sub_account", "account", "holder"):
            if name in row:
                row["platform"] = row[name].partition(":")[0].partition(".")[0]
        rows[tuple(row[name] for name in spec.key)] = row
    return list(rows.values())


def tomorrow(rng: Random, spec: TableSpec, rows: list[Row]) -> list[Row]:
    """Most of the rows as they are, some gone, some with another amount, and new ones."""
    amounts = [c.name for c in spec.columns if c.name.endswith("_minor") and not c.nullable]
    left = [
        dict(row) | ({rng.choice(amounts): 0} if amounts and rng.random() < 0.3 else {}) for row in rows if rng.random() < 0.8
    ]
    for row in left:
        if "customer_id" in row:
            row["customer_id"] = rng.choice(WORDS["customer_id"])
    keys = {tuple(row[name] for name in spec.key) for row in left}
    return left + [row for row in random_rows(rng, spec) if tuple(row[name] for name in spec.key) not in keys]


@pytest.mark.parametrize("seed", seeds(6))
def test_columns_and_rows_say_the_same(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(seed)
    home = tmp_path
    lake = Lake(LocalFiles(home / "lake"))
    yesterday = {name: random_rows(rng, TABLES[name]) for name in READ}
    today = {name: tomorrow(rng, TABLES[name], rows) for name, rows in yesterday.items()}
    for name, tables in (("yesterday", yesterday), ("today", today)):
        writer = lake.attempt(ON, name, "0" * 32, 1)
        for table, rows in tables.items():
            writer.table(table, rows)
        writer.finish()
    paths = {name: lake.relative(ON, name, "0" * 32, 1) for name in ("today", "yesterday")}
    source = Source(ON, paths["today"], paths["yesterday"], TODAYS_VERSIONS)
    wiring = cast(
        Wiring,
        SimpleNamespace(
            lake=lake, settings=SimpleNamespace(path=home.joinpath, post=SimpleNamespace(processes=1, scratch="scratch"))
        ),
    )
    for module, name in (
        (day_module, "AT_ONCE"), (flows_module, "AT_ONCE"), (runs_module, "_BLOCK_ROWS"), (day_module, "_RUN_ROWS"),
        (states_module, "SHARE_ROWS"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, rng.randint(1, 6))
    with closing(packed_day(wiring, source)) as runs:
        found = {t: [pair for salt in range(SALTS) for pair in runs.pairs(t, salt)] for t in LEDGER_TABLES}
        proofs = runs.proofs
    assert not any((home / "scratch").iterdir())
    read: list[Callable[[str], list[Row]]] = [
        lambda name, path=paths[day]: lake.rows(path, name) for day in ("today", "yesterday")
    ]  # type: ignore[misc]
    for table in LEDGER_TABLES:
        expected = sorted((key, columns[PACKED]) for key, columns in day_rows(table, ON, *read))
        assert found[table] == expected, table
        for salt in range(SALTS):
            rows = [
                StoreSum.of_row(key, cell, RECORDS[table].amount_of({PACKED: cell})) for key, cell in expected if key[0] == salt
            ]
            assert proofs.get((table, salt), StoreSum()) == sum(rows, StoreSum()), table
