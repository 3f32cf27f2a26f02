"""The ledger's state of some platforms: yesterday's snapshots in, today's out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema, table_of
from custody.ledger_state import Claim, Hold, LedgerState, Loan
from custody.legal_orders import enter_orders
from custody.mandates import enter_mandates
from custody.names import PLATFORM_ACCOUNTS, Book, LoanState, Role, platform_account, sub_account_id
from custody.ports import Row
from custody.sub_accounts import carried
from jobs.ledger_snapshots import SNAPSHOTS, load_registers, register_rows
from jobs.post.scratch import Spool
from jobs.post.totals import Totals
from schemas.tables import TABLES

# What a share of the platforms reads of yesterday's post, and of today's landing, by the column that names the platform.
YESTERDAY = {
    "balances": "platform",
    "holds": "platform",
    "claims": "platform",
    "loans": "platform",
    "sub_accounts": "platform",
    "open_splits": "platform",
    "begun_requests": "platform",
    **dict.fromkeys(SNAPSHOTS, "platform"),
}
LANDED = {
    "land_customer": "party",
    "decided_customers": "party",
    "land_loan": "party",
    "land_mandate": "platform",
    "land_legal_order": "platform",
}

Tables = Mapping[str, pa.Table]


def load_state(tables: Tables, on: date) -> LedgerState:
    """The state at the beginning of ``on``; ``tables`` holds those of YESTERDAY and LANDED, sub_accounts with today's changes."""
    balances = tables["balances"]
    books = [_BOOKS[book] for book in balances["book"].to_pylist()]
    keys = zip(books, balances["account"].to_pylist(), strict=True)
    state = LedgerState(balances=dict(zip(keys, balances["closing_minor"].to_pylist(), strict=True)))
    state.holds = {(h.platform, h.hold_id): h for h in map(Hold._make, _tuples(tables["holds"], Hold._fields))}
    state.claims = {(c.platform, c.claim_id): c for c in map(Claim._make, _tuples(tables["claims"], Claim._fields))}
    state.loans = {(x.platform, x.loan_id): x for x in map(Loan._make, _tuples(tables["loans"], Loan._fields))}
    register_loans(state, tables["land_loan"].to_pylist())
    load_registers(state, {table: tables[table].to_pylist() for table in SNAPSHOTS})
    enter_mandates(state, tables["land_mandate"].to_pylist())
    enter_orders(state, tables["land_legal_order"].to_pylist())
    # An account that closes today still takes today's instructions: it was open when they happened.
    closed_on = tables["sub_accounts"]["closed_on"]
    still_open = pc.or_kleene(closed_on.is_null(), pc.greater_equal(closed_on, pa.scalar(on, pa.date32())))
    state.sub_accounts = set(tables["sub_accounts"].filter(still_open)["sub_account"].to_pylist())
    return state


_BOOKS = {str(book): book for book in Book}


def _tuples(table: pa.Table, names: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def write_state(state: LedgerState, tables: Tables, came: Totals, platforms: Iterable[str], spool: Spool) -> None:
    """Snapshots of the state as it is, beside ``tables`` as it was; ``came`` is what moves brought to each account meanwhile."""
    spool.write("balances", _balances(state, tables["balances"], came, platforms))
    spool.write("holds", _rows("holds", state.holds.values()))
    claims = _rows("claims", state.claims.values())
    spool.write("claims", claims)
    spool.write("positions", _positions(claims))
    spool.write("loans", _rows("loans", state.loans.values()))
    spool.write("sub_accounts", tables["sub_accounts"])
    for table, rows in register_rows(state).items():
        spool.write(table, table_of(TABLES[table], rows))


def _positions(claims: pa.Table) -> pa.Table:
    """What each holder has of each loan, over all his claims of which something is left."""
    held = claims.filter(pc.greater(claims["principal_minor"], 0)).group_by(["platform", "holder", "loan_id"], use_threads=False)
    summed = held.aggregate([("principal_minor", "sum"), ("claim_id", "count")])
    names = {"principal_minor_sum": "principal_minor", "claim_id_count": "claims"}
    return summed.rename_columns([names.get(name, name) for name in summed.column_names])


def _rows(table: str, tuples: Iterable[Any]) -> pa.Table:
    """Named tuples as a table."""
    schema, rows = arrow_schema(TABLES[table]), list(tuples)
    if not rows:
        return schema.empty_table()
    columns = dict(zip(rows[0]._fields, zip(*rows, strict=True), strict=True))
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in schema}, schema)


def _balances(state: LedgerState, before: pa.Table, came: Totals, platforms: Iterable[str]) -> pa.Table:
    """Every account that ever had a posting, open sub-accounts, and each onboarded platform's P_* accounts, moved or not:
    opening + in - out = closing (§4.2)."""
    open_accounts = pa.array(sorted(state.sub_accounts), pa.string())
    quiet = [pc.binary_join_element_wise(open_accounts, part, ":") for part in ("available", "frozen")]
    quiet.append(
        pa.array([platform_account(platform, name) for platform in platforms for name in PLATFORM_ACCOUNTS], pa.string())
    )
    books, names = [book for book, _ in state.balances], [account for _, account in state.balances]
    named = [(books, pa.array(names, pa.string()), list(state.balances.values()))]
    named += [([Book.CUSTODY] * len(names), names, [0] * len(names)) for names in quiet]
    rows = pa.concat_tables(
        pa.table({"book": pa.array(books, pa.string()), "account": accounts, "minor": pa.array(minor, pa.int64())})
        for books, accounts, minor in named
    )
    rows = rows.group_by(["book", "account"], use_threads=False).aggregate([("minor", "sum")])
    for name, column, values in (("opening_minor", "closing_minor", before), ("in_minor", "minor", came.sums())):
        more = values.select(["book", "account", column]).rename_columns(["book", "account", name])
        rows = rows.join(more, ["book", "account"], use_threads=False)
        rows = rows.set_column(rows.schema.get_field_index(name), name, pc.fill_null(rows[name], 0))
    closing_minor, opening, into = rows["minor_sum"], rows["opening_minor"], rows["in_minor"]
    owner = pc.list_element(pc.split_pattern(rows["account"], ":"), 0)
    return pa.table(
        {
            "platform": pc.list_element(pc.split_pattern(owner, "."), 0),
            "book": rows["book"],
            "account": rows["account"],
            "currency": pa.array(["CNY"] * rows.num_rows, pa.string()),
            "opening_minor": opening,
            "in_minor": into,
            "out_minor": pc.subtract(pc.add(opening, into), closing_minor),
            "closing_minor": closing_minor,
        }
    )


def sub_accounts_of(tables: Tables, aliases: Mapping[str, str]) -> pa.Table:
    """Yesterday's with what today's files and decisions say; those of which nothing is said are not looked at one by one."""
    before, landed, decided = tables["sub_accounts"], tables["land_customer"].to_pylist(), tables["decided_customers"].to_pylist()
    named = {sub_account_id(r["party"], r["role"], r["user_no"]) for r in (*landed, *decided)}
    said = pc.is_in(before["sub_account"], pa.array(sorted(named), pa.string()))
    said = pc.or_(said, pc.is_in(before["customer_id"], pa.array(sorted(aliases), pa.string())))
    rows = carried(before.filter(said).to_pylist(), landed, decided, aliases)
    return pa.concat_tables([before.filter(pc.invert(said)), table_of(TABLES["sub_accounts"], rows)])


def account_of(platform: str, role: str, user_no: str | None) -> str | None:
    return None if user_no is None else sub_account_id(platform, role, user_no)


def register_loans(state: LedgerState, landed: list[Row]) -> None:
    """A loan is registered with the terms of its first row; later rows are compared with them, never adopted."""
    for row in sorted(landed, key=lambda r: (r["custody_date"], r["file_name"], r["line_no"])):
        state.loans.setdefault(
            (row["party"], row["loan_id"]),
            Loan(
                platform=row["party"],
                loan_id=row["loan_id"],
                borrower=sub_account_id(row["party"], Role.BORROWER, row["borrower_user_no"]),
                amount_minor=row["amount_minor"],
                currency=row["currency"],
                annual_rate=row["annual_rate"],
                method=row["method"],
                periods=row["periods"],
                every=row["every"],
                day_count=row["day_count"],
                minimum_minor=row["minimum_minor"],
                penalty_rate=row["penalty_rate"],
                guarantor=account_of(row["party"], Role.GUARANTOR, row["guarantor_user_no"]),
                payee=account_of(row["party"], Role.PAYEE, row["payee_user_no"]),
                purpose=row["purpose"],
                state=LoanState.BIDDING,
                disbursed_on=None,
                funded_minor=0,
                principal_repaid_minor=0,
                interest_repaid_minor=0,
            ),
        )
