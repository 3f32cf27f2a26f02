"""What stands: of accounts, balances, loans, claims and holds one row for each that differs from yesterday's sealed snapshot.

Both days' snapshots are read side by side, some platforms at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import Lake, arrow_schema
from connectors.table_digest import row_preimages
from custody.names import Book, account_and_part
from jobs.projection.flows import is_owner
from jobs.projection.packing import joined, owners, packed_rows
from schemas.store_keys import ACCOUNT_OF_CUSTOMER, BALANCE, CLAIM, CLAIM_BY_HOLDER, HOLD, LOAN, SUB_ACCOUNT
from schemas.store_records import RECORDS
from schemas.tables import TABLES

# Rows of the balances that make a share of the snapshot; no less than one platform's.
SHARE_ROWS = 400_000
_READ = ("balances", "sub_accounts", "unsettled", "loans", "claims", "holds")

Share = Mapping[str, pa.Table]


def state_rows(
    lake: Lake, today: str, yesterday: str | None, on: date, versions: Mapping[str, int]
) -> Iterator[tuple[str, pa.Table]]:
    """``today`` and ``yesterday``: what post sealed; None when there was no day before."""
    now = {name: _Stream(lake, today, name) for name in _READ}
    before = {name: _Stream(lake, yesterday, name) for name in _READ}
    while True:
        bound = now["balances"].end_of_share(SHARE_ROWS)
        yield from _changes(_share_up_to(now, bound), _share_up_to(before, bound), on, versions)
        if bound is None:
            return


def _share_up_to(day: Mapping[str, _Stream], bound: str | None) -> Share:
    return {name: stream.up_to(bound) for name, stream in day.items()}


class _Stream:
    """One table of a snapshot, which lies in the order of its platforms."""

    def __init__(self, lake: Lake, path: str | None, table: str) -> None:
        self._parts = iter(()) if path is None else lake.batches(path, table)
        self._held = arrow_schema(TABLES[table]).empty_table()

    def end_of_share(self, rows: int) -> str | None:
        """The platform with which a share of so many rows ends; None for the last share."""
        while self._held.num_rows < rows or self._one_platform():
            if not self._more():
                return None
        platforms = self._held["platform"]
        last = platforms[-1].as_py()
        # The last one may go on in the next part.
        return str(pc.max(platforms.filter(pc.less(platforms, last))).as_py())

    def up_to(self, platform: str | None) -> pa.Table:
        """All rows up to and with a platform, None: to the end."""
        while platform is None or not self._held.num_rows or self._held["platform"][-1].as_py() <= platform:
            if not self._more():
                break
        if platform is None:
            taken, self._held = self._held, self._held.slice(0, 0)
            return taken
        in_share = pc.less_equal(self._held["platform"], platform)
        taken, self._held = self._held.filter(in_share), self._held.filter(pc.invert(in_share))
        return taken

    def _one_platform(self) -> bool:
        return bool(self._held["platform"][0].as_py() == self._held["platform"][-1].as_py())

    def _more(self) -> bool:
        part = next(self._parts, None)
        if part is None:
            return False
        self._held = pa.concat_tables([self._held, part])
        return True


def _changes(now: Share, before: Share, on: date, versions: Mapping[str, int]) -> Iterator[tuple[str, pa.Table]]:
    def packed(table: str, rows: pa.Table, *key: Any) -> tuple[str, pa.Table]:
        """``key``: the owner's column or owner, then the other parts."""
        owner, *parts = key
        begins = pa.array(owners(owner.to_pylist()), pa.binary())
        keys = joined(begins, *(p.combine_chunks() for p in parts), f"{on:%Y%m%d}".encode())
        return table, packed_rows(RECORDS[table], versions[table], keys, {name: rows[name] for name in rows.column_names})

    balances, balances_before = _balances(now), _balances(before)
    changed = _without(balances, balances_before)
    yield packed(BALANCE, changed, changed["account"])
    accounts = _without(_accounts(now["sub_accounts"], balances), _accounts(before["sub_accounts"], balances_before))
    yield packed(SUB_ACCOUNT, accounts, accounts["sub_account"])
    held = _without(_held_by(now["sub_accounts"]), _held_by(before["sub_accounts"]))
    yield packed(ACCOUNT_OF_CUSTOMER, held, held["customer_id"], held["sub_account"])
    passed = _passed(held, before["sub_accounts"])
    yield packed(ACCOUNT_OF_CUSTOMER, passed, passed["customer_id"], passed["sub_account"])
    loans = _without(now["loans"], before["loans"])
    yield packed(LOAN, loans, _of_platform(loans))
    claims = _standing(now["claims"], before["claims"], "claim_id", "principal_minor")
    yield packed(CLAIM, claims, _of_platform(claims), claims["claim_id"])
    yield packed(CLAIM_BY_HOLDER, claims, claims["holder"], claims["loan_id"], claims["claim_id"])
    holds = _standing(now["holds"], before["holds"], "hold_id", "amount_minor")
    yield packed(HOLD, holds, holds["account"], holds["hold_id"])


def _without(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The rows that are not, cell for cell, among the others."""
    return rows.filter(pc.invert(pc.is_in(row_preimages(rows), value_set=row_preimages(others))))


def _standing(now: pa.Table, before: pa.Table, name: str, amount: str) -> pa.Table:
    """What has changed, and what has vanished, of which nothing is left."""
    gone = before.filter(pc.invert(pc.is_in(_of_platform(before, name), value_set=_of_platform(now, name))))
    gone = gone.filter(pc.not_equal(gone[amount], 0))
    nothing = pa.array([0] * gone.num_rows, pa.int64())
    gone = gone.set_column(gone.column_names.index(amount), now.schema.field(amount), nothing)
    return pa.concat_tables([_without(now, before), gone])


def _of_platform(rows: pa.Table, name: str = "loan_id") -> pa.ChunkedArray:
    """Platform and id: the owner that a loan is (schemas.store_keys.of_platform)."""
    return pc.binary_join_element_wise(rows["platform"], rows[name], "/")


def _balances(share: Share) -> pa.Table:
    """The balances of every sub-account, moved or not, and of the platforms' own accounts under custody."""
    rows = share["balances"].filter(pc.equal(share["balances"]["book"], str(Book.CUSTODY)))
    names = [account_and_part(name) for name in rows["account"].to_pylist()]
    account, part = pa.array([a for a, _ in names], pa.string()), pa.array([p for _, p in names], pa.string())
    ours = pa.array([is_owner(a) for a, _ in names], pa.bool_())
    every = pa.chunked_array([account.filter(ours), *share["sub_accounts"]["sub_account"].chunks], pa.string()).unique()
    columns: dict[str, Any] = {"account": every}
    for name in ("available", "frozen"):
        of_part = pc.equal(part, name)
        at = pc.index_in(every, value_set=account.filter(of_part))
        columns[f"{name}_minor"] = rows["closing_minor"].filter(of_part).take(at).fill_null(0)
    # Of what is available; what is unsettled of a hold goes with the hold.
    unsettled = share["unsettled"].filter(pc.equal(share["unsettled"]["hold_id"], ""))
    sums = unsettled.group_by("account").aggregate([("amount_minor", "sum")])
    columns["unsettled_minor"] = sums["amount_minor_sum"].take(pc.index_in(every, value_set=sums["account"])).fill_null(0)
    columns["currency"] = rows["currency"].take(pc.index_in(every, value_set=account))
    return pa.table(columns)


def _accounts(sub_accounts: pa.Table, balances: pa.Table) -> pa.Table:
    at = pc.index_in(sub_accounts["sub_account"], value_set=balances["account"])
    for name in balances.column_names[1:]:
        sub_accounts = sub_accounts.append_column(name, balances[name].take(at))
    return sub_accounts


def _held_by(sub_accounts: pa.Table) -> pa.Table:
    return sub_accounts.append_column("held_by", sub_accounts["customer_id"])


def _passed(held: pa.Table, before: pa.Table) -> pa.Table:
    """Of accounts that have passed to another customer: the row under him who held it yesterday."""
    at = pc.index_in(held["sub_account"], value_set=before["sub_account"])
    was = before["customer_id"].take(at)
    other = pc.fill_null(pc.not_equal(was, held["customer_id"]), False)
    return held.set_column(held.column_names.index("customer_id"), "customer_id", was).filter(other)
