"""What the detectors of compliance look at, by columns: sums by account and day, and who could concern a rule at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema
from custody.names import TxnType
from custody.ports import Row
from schemas.tables import TABLES

JOURNAL = ("entry_no", "platform", "from_account", "to_account", "amount_minor", "txn_type", "value_date")
DAYS = pa.schema([pa.field(f.name, f.type) for f in arrow_schema(TABLES["account_days"])])
SUMS = tuple(field.name for field in DAYS if field.name.endswith(("_minor", "_count")) or field.name == "acts")

# What only freezes or releases an owner's own money.
_OWN = tuple(
    str(t)
    for t in (
        TxnType.WITHDRAW_FREEZE,
        TxnType.WITHDRAW_CANCEL,
        TxnType.TENDER_FREEZE,
        TxnType.TENDER_CANCEL,
        TxnType.REPAY_FREEZE,
        TxnType.LEGAL_FREEZE,
        TxnType.LEGAL_RELEASE,
    )
)
IN = (str(TxnType.RECHARGE),)
OUT = (str(TxnType.WITHDRAW), str(TxnType.BACKROLL_RECHARGE))
LENT = (str(TxnType.TENDER_SETTLE),)
SOLD = (str(TxnType.CREDIT_ASSIGNMENT),)
# To somebody else here: neither within an owner's account nor out of the bank.
OTHERS = tuple(str(t) for t in TxnType if str(t) not in (*_OWN, *IN, *OUT))

# (side of the journal, types or None for all that are not the owner's own, sum, count)
_KINDS: tuple[tuple[str, Sequence[str] | None, str | None, str | None], ...] = (
    ("to_account", IN, "in_minor", "in_count"),
    ("from_account", OUT, "out_minor", "out_count"),
    ("from_account", LENT, "lent_minor", None),
    ("to_account", SOLD, "sold_minor", "sold_count"),
    ("to_account", None, "credit_minor", None),
    ("from_account", None, None, "acts"),
    ("from_account", OTHERS, "spent_minor", None),
    ("to_account", IN, None, "acts"),
)


def account_days(pieces: Iterable[pa.Table], people: pa.Table) -> pa.Table:
    """A day's moves summed by account and date of value. ``pieces``: the journal (JOURNAL); ``people``: sub_account, platform,
    customer_id, kind."""
    sums = [_sum_up([_kind(piece, *kind) for kind in _KINDS]) for piece in pieces]
    summed = _sum_up(sums)
    owners = people.rename_columns(["account", "platform", "customer_id", "kind"])
    return summed.join(owners, "account", join_type="inner").select(DAYS.names)


_LONG = pa.schema([("account", pa.string()), ("on_date", pa.date32()), *((name, pa.int64()) for name in SUMS)])


def _kind(journal: pa.Table, side: str, types: Sequence[str] | None, minor: str | None, count: str | None) -> pa.Table:
    """The moves of one kind as rows in which all other figures are 0."""
    found = is_one_of(journal["txn_type"], types) if types is not None else pc.invert(is_one_of(journal["txn_type"], _OWN))
    moves = journal.filter(pc.and_(found, pc.match_substring(journal[side], ".")))
    by = moves.group_by([side, "value_date"]).aggregate([("amount_minor", "sum"), ("amount_minor", "count")])
    nothing = pa.array([0] * by.num_rows, pa.int64())
    given = {minor: by["amount_minor_sum"], count: by["amount_minor_count"]}
    columns = {"account": owner_of(by[side]), "on_date": by["value_date"]} | {name: given.get(name, nothing) for name in SUMS}
    return pa.table(columns).cast(_LONG)


def _sum_up(tables: Sequence[pa.Table]) -> pa.Table:
    whole = pa.concat_tables([_LONG.empty_table(), *tables])
    summed = whole.group_by(["account", "on_date"]).aggregate([(name, "sum") for name in SUMS])
    return summed.rename_columns(["account", "on_date", *SUMS]).select(_LONG.names).cast(_LONG)


def plain(table: pa.Table) -> pa.Table:
    """Columns of which none says that it may not be null: only such tables can be put under one another."""
    return table.cast(pa.schema([pa.field(f.name, f.type) for f in table.schema]))


def owner_of(ledger_account: Any) -> Any:
    """The sub-account of each ledger account of a customer."""
    return pc.replace_substring_regex(ledger_account, ":.*$", "")


def is_one_of(column: Any, words: Iterable[str]) -> Any:
    return pc.is_in(column, pa.array(list(words), pa.string()))


def rows_of(table: pa.Table, keys: Sequence[str], groups: pa.Table) -> list[Row]:
    """The rows of those groups: ``groups`` has a row for each, by the keys."""
    if not groups.num_rows:
        return []
    rows: list[Row] = table.join(groups.select(list(keys)), list(keys), join_type="left semi").to_pylist()
    return rows


def heavy(table: pa.Table, keys: Sequence[str], column: str, least: int) -> pa.Table:
    """The groups in which the column sums up to ``least`` or more."""
    summed = table.group_by(list(keys)).aggregate([(column, "sum")])
    return summed.filter(pc.greater_equal(summed[f"{column}_sum"], least))


def crowded(table: pa.Table, keys: Sequence[str], least: int) -> pa.Table:
    """The groups of ``least`` rows or more."""
    counted = table.group_by(list(keys)).aggregate([(keys[0], "count")])
    return counted.filter(pc.greater_equal(counted[f"{keys[0]}_count"], least))
