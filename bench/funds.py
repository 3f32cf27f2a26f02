"""The path of every loan's money over three weeks and five platforms (jobs.reconcile.funds_queues), day by day as the step does it,
with amounts, shares and the proof; against a recursive query in DuckDB over all days at once that only says what reaches what.

``rows`` are moves of customers' money. A loan has 200 lenders, who bring their money, lend it, and are repaid three times; half of the
loans are paid on to payees. Of two borrowers in two hundred one repays the other's loan, by a card that is theirs both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.harness import Run
from custody.funds_paths import Way
from custody.names import TxnType

ROWS = 1_000_000
_LENDERS, _EACH = 200, 1_000
_OF_A_LOAN = 5 * _LENDERS
_FIRST, _DAYS, _LENDING_DAYS = date(2020, 1, 1), 20, 15
_REPAID_AFTER = (1, 3, 5)
_LENT = _LENDERS * _EACH
_PART = _LENT // 4
_PLATFORMS = 5
_LOANS_A_PAYEE = 5
_OWN_CARD = 100  # of so many borrowers the first lends his card to the second
_OUTSIDE = "CORE_CASH"
Columns = dict[str, Any]


def prepare(folder: Path, rows: int) -> int:
    loans = max(_OWN_CARD, rows // _OF_A_LOAN)
    written = 0
    pq.write_table(_people(loans), folder / "sub_accounts.parquet", compression="zstd")
    for day in range(_DAYS):
        parts = [part for part in _moves(loans, day) if len(part["loan"])]
        if parts:
            journal = _journal(day, parts)
            pq.write_table(journal, folder / f"journal-{day:02d}.parquet", compression="zstd")
            pq.write_table(_balances(loans, day), folder / f"balances-{day:02d}.parquet", compression="zstd")
            written += journal.num_rows
    return written


def _begun(loans: int, day: int) -> np.ndarray:
    """The loans disbursed on a day; two that share a card begin together."""
    number = np.arange(loans, dtype=np.int64)
    return number[(number // 2) % _LENDING_DAYS == day]


def _entrusted(loan: np.ndarray) -> np.ndarray:
    return loan % 2 == 1


def _moves(loans: int, day: int) -> Iterator[Columns]:
    """Parts of the day in order: (kind, loans, payers, payees, amounts)."""
    begun = _begun(loans, day)
    every = np.repeat(begun, _LENDERS)
    lenders = _lender(every, np.tile(np.arange(_LENDERS), len(begun)), loans)
    yield _part(TxnType.RECHARGE, every, None, lenders, _EACH)
    yield _part(TxnType.TENDER_SETTLE, every, lenders, _account("BORROWER", every, every), _EACH)
    on, own = begun[_entrusted(begun)], begun[~_entrusted(begun)]
    payee = _payee(on)
    yield _part(TxnType.ENTRUSTED_PAYMENT, on, _account("BORROWER", on, on), payee, _LENT)
    yield _part(TxnType.WITHDRAW, own, _account("BORROWER", own, own), None, _LENT)
    before = _begun(loans, day - 1)
    paid = before[_entrusted(before)]
    yield _part(TxnType.WITHDRAW, paid, _payee(paid), None, _LENT)
    for after in _REPAID_AFTER:
        due = _begun(loans, day - after)
        # Whose loan was paid on brings money of his own; of two who share a card it is the other's.
        yield _part(TxnType.RECHARGE, due, None, _account("BORROWER", due, due), _PART)
        every = np.repeat(due, _LENDERS)
        lenders = _lender(every, np.tile(np.arange(_LENDERS), len(due)), loans)
        yield _part(TxnType.REPAYMENT, every, _account("BORROWER", every, every), lenders, _PART // _LENDERS)


def _part(kind: TxnType, loan: np.ndarray, payer: pa.Array | None, payee: pa.Array | None, amount: int) -> Columns:
    return {"kind": str(kind), "loan": loan, "payer": payer, "payee": payee, "amount": amount}


def _text(number: np.ndarray) -> pa.Array:
    return pc.cast(pa.array(number), pa.string())


def _platform(loan: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise("P", _text((loan // 2) % _PLATFORMS + 1), "")


def _account(role: str, loan: np.ndarray, number: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(_platform(loan), f".{role}.n", _text(number), "")


def _lender(loan: np.ndarray, number: np.ndarray, loans: int) -> pa.Array:
    return _account("LENDER", loan, (loan * 20 + number) % max(_LENDERS, loans * 20))


def _payee(loan: np.ndarray) -> pa.Array:
    return _account("PAYEE", loan, loan // (2 * _PLATFORMS * _LOANS_A_PAYEE))


def _journal(day: int, parts: list[Columns]) -> pa.Table:
    tables = []
    first = (20200101 + day) * 10**9
    for number, part in enumerate(parts):
        loan, count = part["loan"], len(part["loan"])
        platform = _platform(loan)
        names = {}
        for side in ("payer", "payee"):
            outside = pc.binary_join_element_wise(platform, _OUTSIDE, ":")
            known = part[side]
            names[side] = outside if known is None else pc.binary_join_element_wise(known, "available", ":")
        loan_id = pc.binary_join_element_wise("LN", _text(loan), "")
        has_loan = part["kind"] not in (TxnType.RECHARGE, TxnType.WITHDRAW)
        tables.append(
            pa.table(
                {
                    "platform": platform,
                    "book": pa.repeat("CUSTODY", count),
                    "entry_no": pa.array(first + np.arange(count)),
                    "move_no": pa.array(np.ones(count, dtype=np.int64)),
                    "txn_type": pa.repeat(part["kind"], count),
                    # One request for a loan's whole part.
                    "request_no": pc.binary_join_element_wise(f"R{day}-{number}-", _text(loan), ""),
                    "loan_id": loan_id if has_loan else pa.nulls(count, pa.string()),
                    "amount_minor": pa.array(np.full(count, part["amount"], dtype=np.int64)),
                    "from_account": names["payer"],
                    "to_account": names["payee"],
                }
            )
        )
        first += count
    # As the ledger numbers them: platform by platform.
    whole = pa.concat_tables(tables)
    by_platform = whole.take(pc.sort_indices(whole, [("platform", "ascending"), ("entry_no", "ascending")]))
    return by_platform.set_column(by_platform.schema.get_field_index("entry_no"), "entry_no", whole["entry_no"])


def _balances(loans: int, day: int) -> pa.Table:
    """What payees hold overnight; everybody else who has to do with a loan's money has nothing in the morning."""
    paid = _begun(loans, day - 1)
    paid = paid[_entrusted(paid)]
    accounts = pc.binary_join_element_wise(_payee(paid), "available", ":")
    held = pa.table({"platform": _platform(paid), "account": accounts, "opening_minor": pa.repeat(_LENT, len(paid))})
    summed = held.group_by(["platform", "account"]).aggregate([("opening_minor", "sum")])
    return summed.rename_columns(held.column_names).sort_by([("platform", "ascending"), ("account", "ascending")])


def _people(loans: int) -> pa.Table:
    """Everybody is a person of his own, but every hundredth borrower whose loan is paid on to a payee: he is the one before him."""
    number = np.arange(loans, dtype=np.int64)
    person = np.where(number % _OWN_CARD == 1, number - 1, number)
    borrowers = pa.table(
        {
            "platform": _platform(number),
            "sub_account": _account("BORROWER", number, number),
            "customer_id": pc.binary_join_element_wise("CB", _text(person), ""),
        }
    )
    payees = pa.table(
        {
            "platform": _platform(number),
            "sub_account": _payee(number),
            "customer_id": pc.binary_join_element_wise("CY", _payee(number), ""),
        }
    )
    pool = np.arange(max(_LENDERS, loans * 20), dtype=np.int64)
    lenders = [
        pa.table({"platform": pa.repeat(f"P{n + 1}", len(pool)), "sub_account": pc.binary_join_element_wise(f"P{n + 1}.LENDER.n", _text(pool), ""), "customer_id": pc.binary_join_element_wise(f"CL{n}-", _text(pool), "")})
        for n in range(_PLATFORMS)
    ]  # fmt: skip
    people = pa.concat_tables([borrowers, payees.group_by(payees.column_names).aggregate([]), *lenders])
    return people.sort_by("sub_account")


def ours(folder: Path) -> Run:
    from jobs.reconcile.funds import SUMS, add_sums, prove_paths
    from jobs.reconcile.funds_queues import LOTS, DayMoves, trace_day

    reached: set[tuple[str, str]] = set()
    repaid: set[tuple[str, str]] = set()
    lots, sums = LOTS.empty_table(), SUMS.empty_table()
    days = []
    for day in range(_DAYS):
        started = time.perf_counter()

        def of(name: str) -> Callable[[str, str], Iterator[pa.Table]]:
            return lambda _first, _last: _pieces(folder / f"{name}.parquet")

        journal = partial(_pieces, folder / f"journal-{day:02d}.parquet")
        moves = DayMoves(journal, of(f"balances-{day:02d}"), of("sub_accounts"))
        traced = trace_day(_FIRST + timedelta(days=day), lots, moves)
        lots, sums = traced.lots, add_sums(sums, traced.legs)
        prove_paths(sums, lots)
        days.append(time.perf_counter() - started)
        on = traced.legs.filter(pc.is_valid(traced.legs["target"]))
        reached |= set(zip(on["loan_id"].to_pylist(), on["target"].to_pylist(), strict=True))
        other = traced.legs.filter(pc.equal(traced.legs["way"], str(Way.REPAID_OTHER)))
        repaid |= set(zip(other["loan_id"].to_pylist(), other["other_loan"].to_pylist(), strict=True))
    return Run({"funds": sum(days)}, {"reached": len(reached), "repaid": len(repaid)})


def _pieces(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    return (pa.Table.from_batches([batch]) for batch in pq.ParquetFile(path).iter_batches(columns=columns))


def duckdb_reachability(folder: Path) -> Run:
    import duckdb

    base = duckdb.connect(str(folder / "scratch.duckdb"))
    base.execute("set threads = 2")
    started = time.perf_counter()
    base.execute(
        f"""
        create temp table moves as
        with cards as (select sub_account, platform || '.CARD.' || customer_id as card from '{folder}/sub_accounts.parquet'),
        named as (
            select *, if(contains(from_account, '.'), split_part(from_account, ':', 1), null) as payer,
                   if(contains(to_account, '.'), split_part(to_account, ':', 1), null) as payee
            from read_parquet('{folder}/journal-*.parquet')
        )
        select n.entry_no, n.txn_type, n.loan_id, coalesce(n.payer, c.card) as source, coalesce(n.payee, c.card) as target
        from named n left join cards c on c.sub_account = coalesce(n.payer, n.payee) and (n.payer is null or n.payee is null)
        """
    )
    base.execute(
        """
        create temp table edges as
        select source, target, entry_no from moves where txn_type in ('ENTRUSTED_PAYMENT', 'WITHDRAW', 'RECHARGE')
        """
    )
    base.execute(
        """
        create temp table reached as
        with recursive reach(loan_id, node, since) as (
            select loan_id, target, min(entry_no) from moves where txn_type = 'TENDER_SETTLE' group by loan_id, target
            union
            select r.loan_id, e.target, e.entry_no from reach r join edges e on e.source = r.node and e.entry_no > r.since
        )
        select loan_id, node, min(since) as since from reach group by loan_id, node
        """
    )
    (reached,) = base.execute("select count(*) from reached").fetchone() or (0,)
    (repaid,) = base.execute(
        """
        select count(*) from (
            select distinct r.loan_id, m.loan_id from reached r
            join (select source, loan_id, max(entry_no) as last from moves where txn_type = 'REPAYMENT' group by 1, 2) m
              on m.source = r.node and m.last > r.since
            where m.loan_id <> r.loan_id
        )
        """
    ).fetchone() or (0,)
    seconds = time.perf_counter() - started
    base.close()
    return Run({"funds": seconds}, {"reached": reached, "repaid": repaid})


SIDES = {"ours": ours, "DuckDB, reachability only": duckdb_reachability}
