"""A day of instructions for the bench of posting, straight into landed tables of a new instance: no file is written or parsed.

Blocks of one loan with a thousand lenders each: they recharge (three of four through a channel), tender, some withdraw, the loan
is disbursed, the borrower repays a part to each of them. Half of the blocks are one platform's, the others are spread over
thirty-six. Every part of the table covers the whole day and all platforms, in no order of either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.committed import commit
from connectors.bootstrap import wire
from connectors.lake import Part, StepWriter, arrow_schema, conform
from schemas.tables import TABLES

DAY = date(2020, 1, 2)
LENDERS = 1_000
# recharge, tender, two legs of a withdrawal for each fourth, settlement and repayment; the borrower's recharge and freeze.
_BLOCK = 4 * LENDERS + 2 * (LENDERS // 4) + 2
_OTHERS = 36
_PART_BLOCKS = 60
_MIDNIGHT_MICROS = 1_577_894_400_000_000  # of DAY, UTC+8
_PHASE_MICROS = 9_000_000_000

Ints = NDArray[np.int64]


def make_day(home: Path, rows: int) -> int:
    """A new instance at ``home`` whose first day has landed; how many legs there are."""
    from typer.testing import CliRunner

    from console.cli import app

    arguments = ["init", "--bank", "Bench", "--go-live", DAY.isoformat(), "--sftp-port", "2222"]
    made = CliRunner().invoke(app, arguments, env={"CUSTODY_HOME": str(home)})
    assert made.exit_code == 0, made.output
    wiring = wire(home)
    blocks = [(_platform(n), n) for n in range(max(rows // _BLOCK, 2))]
    commit(wiring, DAY, "cut_off", _cut_off)
    commit(wiring, DAY, "land", lambda writer: _land(writer, blocks))
    return len(blocks) * _BLOCK


def _platform(block: int) -> str:
    return "BIG" if block % 2 == 0 else f"P{block // 2 % _OTHERS:03d}"


def _pool(platform: str, blocks: list[tuple[str, int]]) -> int:
    """How many lenders a platform has: each lends to some five loans."""
    return max(LENDERS, sum(p == platform for p, _ in blocks) * LENDERS // 5)


def _cut_off(writer: StepWriter) -> None:
    writer.declare("decisions")
    writer.table("reference", _reference())


def _reference() -> list[dict[str, str]]:
    parties = dict.fromkeys(("BIG", *(f"P{n:03d}" for n in range(_OTHERS))), "PLATFORM") | {"CH01": "CHANNEL"}
    rows = [
        {"kind": "party", "id": party, "payload": json.dumps({"kind": kind, "status": "LIVE", "contract": {}})}
        for party, kind in parties.items()
    ]
    instance = {"bank": "Bench", "risk_horizon_business_days": 3, "reports": []}
    return [*rows, {"kind": "instance", "id": "instance", "payload": json.dumps(instance)}]


def _land(writer: StepWriter, blocks: list[tuple[str, int]]) -> None:
    empty = ("land_mandate", "land_legal_order", "decided_customers", "decided_adjustments", "customer_aliases", "watched")
    for table in (*empty, "file_outcomes", "rejected_rows", "superseded_files"):
        writer.declare(table)
    platforms = sorted({platform for platform, _ in blocks})
    for platform in platforms:
        writer.part(_part("land_customer", _customers(platform, blocks)))
    for platform in platforms:
        writer.part(_part("land_loan", _loans(platform, blocks)))
    for number, legs in enumerate(_instructions(blocks)):
        named = {"file_name": pa.array([f"GW_{number:05d}"] * legs.num_rows), "line_no": pa.array(np.arange(legs.num_rows) + 2)}
        for name, column in named.items():
            legs = legs.append_column(name, column)
        writer.part(_part("land_instruction", legs))


def _part(name: str, columns: pa.Table) -> Part:
    """What is not said is null, or stands for nothing."""
    spec = TABLES[name]
    filler: dict[str, Any] = {"int": 0, "text": "x", "date": DAY}
    for field, column in zip(arrow_schema(spec), spec.columns, strict=True):
        if field.name not in columns.schema.names:
            value = DAY if field.name == "custody_date" else None if column.nullable else filler[column.type]
            columns = columns.append_column(field.name, pa.array([value] * columns.num_rows, field.type))
    return Part.of(spec, conform(spec, columns))


def _customers(platform: str, blocks: list[tuple[str, int]]) -> pa.Table:
    lenders = _named("u", np.arange(_pool(platform, blocks)))
    borrowers = _named("b", np.array([n for p, n in blocks if p == platform]))
    users = pa.concat_arrays([lenders, borrowers])
    roles = pa.array(["LENDER"] * len(lenders) + ["BORROWER"] * len(borrowers))
    many = len(users)
    constant = {"party": platform, "file_name": f"{platform}_CUSTOMER", "action": "OPEN", "kind": "PERSON"}
    return pa.table(
        {name: pa.array([value] * many) for name, value in constant.items()}
        | {"line_no": pa.array(np.arange(many) + 2), "user_no": users, "role": roles, "customer_id": users}
        | {"event_time": _time(np.zeros(many, np.int64))}
    )


def _loans(platform: str, blocks: list[tuple[str, int]]) -> pa.Table:
    schema = arrow_schema(TABLES["land_loan"])
    amount = int(_tenders().sum())
    rows = [
        {
            "party": platform, "file_name": f"{platform}_LOAN", "line_no": n + 2, "custody_date": DAY, "loan_id": f"L{n:07d}",
            "borrower_user_no": f"b{n:07d}", "amount_minor": amount, "currency": "CNY", "annual_rate": "0.08", "method": "bullet",
            "periods": 1, "every": "month", "day_count": "30/360", "purpose": "trade", "state": "BIDDING",
        }
        for p, n in blocks if p == platform
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, pa.schema([schema.field(name) for name in rows[0]]))


def _tenders() -> Ints:
    """What each lender of a block tenders; tenths and hundredths of it are whole, so that a split has no residue."""
    return 10_000 * (1 + np.arange(LENDERS) % 7)


def _instructions(blocks: list[tuple[str, int]]) -> Iterator[pa.Table]:
    random = np.random.default_rng(6)
    met: dict[str, int] = {}
    pools = {platform: _pool(platform, blocks) for platform in {p for p, _ in blocks}}
    for start in range(0, len(blocks), _PART_BLOCKS):
        legs = []
        for platform, block in blocks[start : start + _PART_BLOCKS]:
            first = met.get(platform, 0)
            met[platform] = first + LENDERS
            legs.append(_block(platform, block, _named("u", (first + np.arange(LENDERS)) % pools[platform])))
        table = pa.concat_tables(legs)
        yield table.take(pa.array(random.permutation(table.num_rows)))


def _block(platform: str, block: int, lenders: pa.Array) -> pa.Table:
    tender, every, fourth = _tenders(), np.arange(LENDERS), np.arange(0, LENDERS, 4)
    name, one = f"{block:07d}", np.zeros(1, np.int64)
    left = np.where(every % 4 == 0, 5_000, 0)
    repaid = int(tender.sum()) * 11 // 100
    borrower, some = pa.array([f"b{name}"]), lenders.take(pa.array(fourth))
    loan = {"loan_id": f"L{name}"}
    channel = pc.if_else(pa.array(every % 4 == 0), pa.scalar(None, pa.string()), "CH01")
    paid = {"principal_minor": tender // 10, "interest_minor": tender // 100}
    kinds = [
        _legs(0, "RECHARGE", "CUSTOMER", _each(f"R{name}", every), tender + left, to=("LENDER", lenders), channel=channel),
        _legs(1, "TENDER_FREEZE", "CUSTOMER", _each(f"T{name}", every), tender, payer=("LENDER", lenders), **loan),
        _legs(2, "WITHDRAW_FREEZE", "CUSTOMER", _each(f"F{name}", fourth), left[fourth], payer=("LENDER", some)),
        _legs(3, "WITHDRAW", "CUSTOMER", _each(f"W{name}", fourth), left[fourth], payer=("LENDER", some), channel="CH01",
              related_request_no=_each(f"F{name}", fourth)),
        _legs(4, "TENDER_SETTLE", "PLATFORM", f"S{name}", tender, payer=("LENDER", lenders), to=("BORROWER", f"b{name}"),
              leg=every + 1, related_request_no=_each(f"T{name}", every), **loan),
        _legs(5, "RECHARGE", "CUSTOMER", f"B{name}", one + repaid, to=("BORROWER", borrower)),
        _legs(6, "REPAY_FREEZE", "CUSTOMER", f"H{name}", one + repaid, payer=("BORROWER", borrower), **loan),
        _legs(7, "REPAYMENT", "PLATFORM", f"Y{name}", tender // 10 + tender // 100, payer=("BORROWER", f"b{name}"),
              to=("LENDER", lenders), leg=every + 1, related_request_no=f"H{name}", **loan, **paid),
    ]  # fmt: skip
    legs = pa.concat_tables(kinds)
    return legs.append_column("platform", pa.array([platform] * legs.num_rows))


def _legs(
    phase: int,
    txn_type: str,
    originator: str,
    request_no: Any,
    amount: Ints,
    payer: tuple[str, Any] = ("", None),
    to: tuple[str, Any] = ("", None),
    **more: Any,
) -> pa.Table:
    """Legs of one phase of the day, a microsecond or more apart."""
    many = len(amount)
    texts = {
        "txn_type": txn_type, "originator": originator, "request_no": request_no, "authorisation_id": "A1", "currency": "CNY",
        "status": "SUCCESS", "from_role": payer[0] or None, "from_user_no": payer[1], "to_role": to[0] or None,
        "to_user_no": to[1], "loan_id": None, "channel": None, "related_request_no": None,
        **{n: v for n, v in more.items() if n in ("loan_id", "channel", "related_request_no")},
    }  # fmt: skip
    numbers = {
        "amount_minor": amount,
        **{n: more.get(n, np.zeros(many, np.int64)) for n in ("principal_minor", "interest_minor")},
    }
    numbers["leg"] = more.get("leg", np.ones(many, np.int64))
    within = np.zeros(many, np.int64) if isinstance(request_no, str) else np.arange(many) * 7_001_001 % 8_000_000_000
    columns = {
        n: v if isinstance(v, (pa.Array, pa.ChunkedArray)) else pa.array([v] * many, pa.string()) for n, v in texts.items()
    }
    columns |= {n: pa.array(v) for n, v in numbers.items()}
    return pa.table({**columns, "event_time": _time(phase * _PHASE_MICROS + within // 1_000_000 * 1_000_000)})


def _time(since_midnight: Ints) -> pa.Array:
    return pa.array(since_midnight + _MIDNIGHT_MICROS, pa.timestamp("us", tz="UTC"))


def _named(letter: str, number: Ints) -> pa.Array:
    return pc.binary_join_element_wise(letter, pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), 7, "0"), "")


def _each(prefix: str, number: Ints) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), 4, "0"), "-")
