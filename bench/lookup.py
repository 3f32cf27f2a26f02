"""One customer and one loan out of many: a hundred customers' whole statements, and a 1,000-lender loan's whole life, from the keyed
store against the same questions to DuckDB over the lake's Parquet files.

Both sides hand their rows to the same services, so that the time is that of finding and reading them, and of what follows. The days
are posted by the ledger itself: tenders, disbursal and three instalments to every lender.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from bench.harness import Run
from custody.calendar import CHINA, dates
from custody.instruction import Entry, Instruction
from custody.ledger import Ledger
from custody.ledger_state import LedgerState, Loan
from custody.money import split_largest_remainder
from custody.names import Book, LoanState, Originator, TxnStatus, TxnType, account_and_part
from custody.ports import LedgerReader, Row
from custody.services.loans import loan_life
from custody.services.statements import statement

# Transactions; a loan has 5,000 beside its repayments' holds.
ROWS = 150_000
_LENDERS, _INSTALMENTS = 1_000, 3
_OF_A_LOAN = _LENDERS * (2 + _INSTALMENTS)
_DAYS = tuple(dates(date(2020, 1, 1), 2 + _INSTALMENTS))
_STATEMENTS = 100
_P = "P001"
_MAP_SIZE_GIB = 8


def prepare(folder: Path, rows: int) -> int:
    from connectors.lake import Lake
    from connectors.lake_files import lake_files
    from connectors.lmdb_store import LmdbStore

    market = _Market(max(1, rows // _OF_A_LOAN))
    lake, store = Lake(lake_files("lake", folder)), LmdbStore(folder / "keyed", _MAP_SIZE_GIB)
    count = 0
    for number, on in enumerate(_DAYS):
        tables = market.day(number, on)
        writer = lake.attempt(on, "post", "ab" * 32, 1)
        for name, found in tables.items():
            writer.table(name, found)
        writer.finish()
        _project(store, on, tables, market.changed)
        count += len(tables["ledger_txn"])
    store.close()
    return count


class _Market:
    """Loans that go the same way on the same days; a lender is in several of them."""

    def __init__(self, loans: int) -> None:
        self.loans = list(map(_loan, range(loans)))
        self._pool = max(_LENDERS, loans * _LENDERS // 5)
        accounts = {_lender(n) for n in range(self._pool)} | {_borrower(loan) for loan in self.loans}
        state = LedgerState(sub_accounts=accounts, loans={(_P, loan): _terms(loan) for loan in self.loans})
        self._ledger = Ledger(state)
        self._request = 0
        self.changed: set[str] = set()

    def lenders(self, at: int) -> list[str]:
        """Those of a loan: a thousand next to one another, the next loan's begin 200 further on."""
        return [_lender((at * 200 + n) % self._pool) for n in range(_LENDERS)]

    def day(self, number: int, on: date) -> dict[str, list[Row]]:
        tables: dict[str, list[Row]] = {"journal": [], "ledger_txn": []}
        opening = dict(self._ledger.state.balances)
        self.changed = set()
        for at, loan in enumerate(self.loans):
            for sent in self._of_loan(number, at, loan, on):
                self._post(sent, on, tables)
        tables["balances"] = self._balances(opening, tables["journal"])
        tables["sub_accounts"] = [_account(name) for name in sorted(self._ledger.state.sub_accounts)]
        for name in ("loans", "claims", "holds"):
            tables[name] = [row._asdict() for row in getattr(self._ledger.state, name).values()]
        return tables

    def _of_loan(self, number: int, at: int, loan: str, on: date) -> Iterator[Instruction]:
        lenders, borrower = self.lenders(at), _borrower(loan)
        if number == 0:
            for n, lender in enumerate(lenders):
                yield self._sent(TxnType.RECHARGE, f"R{at}-{n}", _tender(n), on, to_account=lender)
                yield self._sent(TxnType.TENDER_FREEZE, f"T{at}-{n:04d}", _tender(n), on, from_account=lender, loan_id=loan)
        elif number == 1:
            for n, lender in enumerate(lenders):
                accounts = {"from_account": lender, "to_account": borrower, "related_request_no": f"T{at}-{n:04d}"}
                yield self._sent(TxnType.TENDER_SETTLE, f"S{at}", _tender(n), on, leg=n + 1, loan_id=loan, **accounts)
        else:
            yield from self._instalment(number, at, loan, on)

    def _instalment(self, number: int, at: int, loan: str, on: date) -> Iterator[Instruction]:
        claims = self._ledger.claims_of(_P, loan)
        principal, interest = sum(c.principal_minor for c in claims) // 6, 30_001
        weights, keys = [c.principal_minor for c in claims], [c.claim_id for c in claims]
        parts = zip(*(split_largest_remainder(x, weights, keys) for x in (principal, interest)), strict=True)
        borrower, hold = _borrower(loan), f"F{at}-{number}"
        yield self._sent(TxnType.RECHARGE, f"B{at}-{number}", principal + interest, on, to_account=borrower)
        yield self._sent(TxnType.REPAY_FREEZE, hold, principal + interest, on, from_account=borrower, loan_id=loan)
        for leg, (claim, (p, i)) in enumerate(zip(claims, parts, strict=True), start=1):
            accounts = {"from_account": borrower, "to_account": claim.holder, "related_request_no": hold}
            figures = {"principal_minor": p, "interest_minor": i}
            yield self._sent(TxnType.REPAYMENT, f"P{at}-{number}", p + i, on, leg=leg, loan_id=loan, **accounts, **figures)

    def _sent(self, kind: TxnType, request: str, amount: int, on: date, leg: int = 1, **other: Any) -> Instruction:
        self._request += 1
        empty: dict[str, Any] = dict.fromkeys(Instruction._fields) | dict.fromkeys(
            ("principal_minor", "interest_minor", "penalty_minor", "coupon_minor", "fee_minor"), 0
        )
        usual = {
            "platform": _P, "request_no": request, "leg": leg, "txn_type": kind, "originator": _ORIGINATOR[kind],
            "authorisation_id": "A", "amount_minor": amount, "currency": "CNY", "status": TxnStatus.SUCCESS, "value_date": on,
            "event_time": datetime(on.year, on.month, on.day, 9, tzinfo=CHINA),
        }  # fmt: skip
        return Instruction(**(empty | usual | other))

    def _post(self, sent: Instruction, on: date, tables: dict[str, list[Row]]) -> None:
        entry = self._ledger.apply(sent)
        if not isinstance(entry, Entry):
            raise RuntimeError(f"the benchmark's own instruction was refused: {entry}")
        number = int(f"{on:%Y%m%d}") * 10**9 + len(tables["ledger_txn"]) + 1
        named = {
            n: getattr(sent, n) for n in ("platform", "currency", "request_no", "leg", "loan_id", "value_date", "event_time")
        }
        for move_no, move in enumerate(entry.moves, start=1):
            kept = move._asdict() | {"book": str(move.book), "txn_type": str(sent.txn_type), "core_ref": entry.core_ref}
            tables["journal"].append(named | kept | {"entry_no": number, "move_no": move_no, "posting_date": on})
            self.changed |= {account_and_part(name)[0] for name in (move.from_account, move.to_account)}
        texts = {name: str(getattr(sent, name)) for name in ("txn_type", "originator", "status")}
        became = {"txn_no": number, "entry_no": number, "outcome": "POSTED", "settle_date": None, "content_hash": "h"}
        tables["ledger_txn"].append(sent._asdict() | texts | became | {"file_name": "GW.csv", "line_no": number % 10**9})

    def _balances(self, opening: dict[Any, int], journal: list[Row]) -> list[Row]:
        moved: dict[tuple[str, str], int] = defaultdict(int)
        for move in journal:
            moved["out", move["from_account"]] += move["amount_minor"]
            moved["in", move["to_account"]] += move["amount_minor"]
        return [
            {
                "platform": _P, "book": str(book), "account": account, "currency": "CNY",
                "opening_minor": opening.get((book, account), 0), "in_minor": moved["in", account],
                "out_minor": moved["out", account], "closing_minor": closing,
            }
            for (book, account), closing in sorted(self._ledger.state.balances.items())
        ]  # fmt: skip


_ORIGINATOR = {
    TxnType.RECHARGE: Originator.CUSTOMER, TxnType.TENDER_FREEZE: Originator.CUSTOMER, TxnType.REPAY_FREEZE: Originator.CUSTOMER,
    TxnType.TENDER_SETTLE: Originator.PLATFORM, TxnType.REPAYMENT: Originator.PLATFORM,
}  # fmt: skip


def _loan(number: int) -> str:
    return f"LN{number:05d}"


def _lender(number: int) -> str:
    return f"{_P}.LENDER.u{number:07d}"


def _borrower(loan: str) -> str:
    return f"{_P}.BORROWER.{loan}"


def _tender(number: int) -> int:
    return 10_001 + number * 7_919 % 90_001


def _terms(loan_id: str) -> Loan:
    unfunded = {"state": LoanState.BIDDING, "disbursed_on": None, "funded_minor": 0}
    terms: dict[str, Any] = {
        "platform": _P, "loan_id": loan_id, "borrower": _borrower(loan_id), "amount_minor": sum(map(_tender, range(_LENDERS))),
        "currency": "CNY", "annual_rate": "0.08", "method": "equal_principal", "periods": 6, "every": "day", "day_count": "30/360",
        "minimum_minor": None, "penalty_rate": None, "guarantor": None, "payee": None, "purpose": "trade",
        "principal_repaid_minor": 0, "interest_repaid_minor": 0,
    }  # fmt: skip
    return Loan(**terms, **unfunded)


def _account(name: str) -> Row:
    _, role, user = name.split(".")
    known = {"sub_account": name, "platform": _P, "role": role, "user_no": user, "customer_id": f"C{user}", "kind": "PERSON"}
    return known | {"opened_on": _DAYS[0], "closed_on": None}


def _project(store: Any, on: date, tables: dict[str, list[Row]], changed: set[str]) -> None:
    """The day in the keyed store, as `project` packs it."""
    from connectors.lake import table_of
    from jobs.projection.day import TODAYS_VERSIONS
    from jobs.projection.flows import journal_rows, txn_rows
    from schemas.store_keys import (
        BALANCE,
        CLAIM,
        LOAN,
        PACKED,
        SUB_ACCOUNT,
        WATERMARK,
        WATERMARK_KEY,
        of_platform,
        on_date,
    )
    from schemas.store_records import RECORDS
    from schemas.tables import TABLES

    flows = (
        *journal_rows(table_of(TABLES["journal"], tables["journal"]), on, TODAYS_VERSIONS),
        *txn_rows(table_of(TABLES["ledger_txn"], tables["ledger_txn"]), TODAYS_VERSIONS),
    )
    for table, packed in flows:
        keyed = sorted(zip(packed["key"].to_pylist(), packed["cell"].to_pylist(), strict=True))
        store.put_many(table, ((key, {PACKED: cell}) for key, cell in keyed))
    closing = {row["account"]: row["closing_minor"] for row in tables["balances"] if row["book"] == Book.CUSTODY}
    for row in tables["sub_accounts"]:
        account = row["sub_account"]
        if account in changed or on == _DAYS[0]:
            parts = {f"{part}_minor": closing.get(f"{account}:{part}", 0) for part in ("available", "frozen")}
            balance = parts | {"unsettled_minor": 0, "currency": "CNY"}
            store.put_many(BALANCE, [(on_date(account, on=on), RECORDS[BALANCE].pack(balance))])
            store.put_many(SUB_ACCOUNT, [(on_date(account, on=on), RECORDS[SUB_ACCOUNT].pack(row | balance))])
    for row in tables["loans"]:
        store.put_many(LOAN, [(on_date(of_platform(_P, row["loan_id"]), on=on), RECORDS[LOAN].pack(row))])
    claims = (
        (on_date(of_platform(_P, row["loan_id"]), row["claim_id"], on=on), RECORDS[CLAIM].pack(row)) for row in tables["claims"]
    )
    store.put_many(CLAIM, claims)
    store.put_many(WATERMARK, [(WATERMARK_KEY, {b"date": on.isoformat().encode()})])


class _DuckReader:
    """Implements custody.ports.LedgerReader, as far as the two questions go, by SQL over the lake's files."""

    def __init__(self, folder: Path) -> None:
        import duckdb

        self._folder = folder
        self._sql = duckdb.connect()
        self._sql.execute("set TimeZone = 'UTC'")

    def _rows(self, query: str, table: str, *values: object, on: str = "*") -> list[Row]:
        files = f"{self._folder}/lake/{on}/post/*/*/{table}/*.parquet"
        found = self._sql.sql(query.format(f"read_parquet('{files}')"), params=list(values))
        rows: list[Row] = found.to_arrow_table().to_pylist()
        return rows

    def up_to(self) -> date | None:
        return _DAYS[-1]

    def sub_account(self, account: str) -> Row | None:
        found = self._rows("select * from {} where sub_account = ?", "sub_accounts", account, on=str(_DAYS[-1]))
        return found[0] if found else None

    def balance_at(self, account: str, on: date) -> Row | None:
        if on < _DAYS[0]:
            return None
        query = "select account, closing_minor from {} where account in (?, ?)"
        parts = {r["account"]: r["closing_minor"] for r in self._rows(query, "balances", *_parts(account), on=str(on))}
        kept = {f"{part}_minor": parts.get(f"{account}:{part}", 0) for part in ("available", "frozen")}
        return kept | {"unsettled_minor": 0, "currency": "CNY", "as_of": on}

    def movements(self, account: str, first: date, last: date) -> Iterator[Row]:
        columns = "entry_no, move_no, currency, txn_type, request_no, leg, loan_id, value_date, event_time, posting_date"
        query = f"""
            with j as (select * from {{}} where posting_date between ? and ?)
            select {columns}, from_account as part, to_account as counterparty, -amount_minor as amount_minor,
                   from_balance_minor as balance_minor from j where from_account in (?, ?)
            union all
            select {columns}, to_account, from_account, amount_minor, to_balance_minor from j where to_account in (?, ?)
            order by entry_no, move_no, part"""
        for row in self._rows(query, "journal", first, last, *_parts(account), *_parts(account)):
            yield {**row, "part": row["part"].rpartition(":")[2]}

    def loan(self, platform: str, loan_id: str) -> Row | None:
        found = self._rows("select * from {} where loan_id = ?", "loans", loan_id, on=str(_DAYS[-1]))
        return found[0] if found else None

    def loan_transactions(self, platform: str, loan_id: str) -> Iterator[Row]:
        yield from self._rows("select * from {} where loan_id = ? order by txn_no", "ledger_txn", loan_id)

    def claims_of_loan(self, platform: str, loan_id: str) -> list[Row]:
        return self._rows("select * from {} where loan_id = ? order by claim_id", "claims", loan_id, on=str(_DAYS[-1]))


@cache
def _parts(account: str) -> tuple[str, str]:
    return f"{account}:available", f"{account}:frozen"


def keyed(folder: Path) -> Run:
    from connectors.ledger_reader import StoreLedgerReader
    from connectors.lmdb_store import LmdbStore

    return _asked(StoreLedgerReader(LmdbStore(folder / "keyed", _MAP_SIZE_GIB)))


def duckdb_over_parquet(folder: Path) -> Run:
    return _asked(_DuckReader(folder))  # type: ignore[arg-type]


def _asked(reader: LedgerReader) -> Run:
    answer: dict[str, Any] = {"lines": 0, "minor": 0}
    # Opens files and compiles what each side compiles.
    statement(reader, _lender(0), _DAYS[0], _DAYS[-1])
    started = time.perf_counter()
    for number in range(_STATEMENTS):
        found = statement(reader, _lender(number * 7), _DAYS[0], _DAYS[-1] + timedelta(days=30))
        answer["lines"] += len(found.lines)
        answer["minor"] += sum(line.balance_minor for line in found.lines)
        answer["agree"] = answer.get("agree", True) and found.agrees
    statements_s = time.perf_counter() - started
    started = time.perf_counter()
    life = loan_life(reader, _P, _loan(0))
    life_s = time.perf_counter() - started
    held = sum(c.principal_minor for c in life.claims)
    answer["loan"] = [life.agrees, life.transactions, len(life.holdings), held, life.outstanding.principal_minor]
    return Run({"lookup_100_statements": statements_s, "lookup_loan": life_s}, answer)


SIDES = {"ours": keyed, "DuckDB over Parquet": duckdb_over_parquet}
