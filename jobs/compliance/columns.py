"""What the detectors of compliance look at, by columns: sums by account and day, and who could concern a rule at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
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
REPAID = tuple(str(t) for t in (TxnType.REPAYMENT, TxnType.COMPENSATION, TxnType.COMPENSATION_REPAYMENT))
# To somebody else here: neither within an owner's account nor out of the bank.
OTHERS = tuple(str(t) for t in TxnType if str(t) not in (*_OWN, *IN, *OUT))

_TYPES = pa.array([str(t) for t in TxnType], pa.string())
_LONG = pa.schema([("account", pa.string()), ("on_date", pa.date32()), *((name, pa.int64()) for name in SUMS)])


def account_days(pieces: Iterable[pa.Table], people: pa.Table) -> pa.Table:
    """A day's moves summed by account and date of value. ``pieces``: the journal (JOURNAL); ``people``: sub_account, platform,
    customer_id, kind."""
    return with_owners(summed_moves(pieces), people)


def summed_moves(pieces: Iterable[pa.Table]) -> pa.Table:
    """account, on_date and SUMS; also of accounts that are nobody's."""
    return _sum_up([side for piece in pieces for side in (_came(piece), _left(piece))])


def with_owners(summed: pa.Table, people: pa.Table) -> pa.Table:
    """What is somebody's, and whose it is."""
    # Looked up by number: a join would carry texts along.
    place = pc.index_in(summed["account"], people["sub_account"].combine_chunks())
    summed, place = summed.filter(pc.is_valid(place)), pc.drop_null(place)
    for name in ("platform", "customer_id", "kind"):
        summed = summed.append_column(name, pc.take(people[name].combine_chunks(), place))
    return summed.select(DAYS.names)


def _came(journal: pa.Table) -> pa.Table:
    """By row what an account got, under the names of the sums."""
    moves, of = _moves(journal, "to_account")
    recharged, sold, minor = of(IN), of(SOLD), moves["amount_minor"]
    return _long(
        moves,
        "to_account",
        {
            "in_minor": _where(recharged, minor),
            "in_count": pc.cast(recharged, pa.int64()),
            "sold_minor": _where(sold, minor),
            "sold_count": pc.cast(sold, pa.int64()),
            "credit_minor": minor,
            "acts": pc.cast(recharged, pa.int64()),
        },
    )


def _left(journal: pa.Table) -> pa.Table:
    moves, of = _moves(journal, "from_account")
    out, minor = of(OUT), moves["amount_minor"]
    return _long(
        moves,
        "from_account",
        {
            "out_minor": _where(out, minor),
            "out_count": pc.cast(out, pa.int64()),
            "lent_minor": _where(of(LENT), minor),
            "spent_minor": _where(of(OTHERS), minor),
            "acts": pa.array(np.ones(moves.num_rows, np.int64)),
        },
    )


def _moves(journal: pa.Table, side: str) -> tuple[pa.Table, Callable[[Iterable[str]], Any]]:
    """What comes to customers, or goes from them, but for what only freezes or releases an owner's own; and of each row whether it
    is of one of some types."""
    types = pc.index_in(journal["txn_type"], _TYPES)
    wanted = pc.and_(pc.invert(_is(types, _OWN)), pc.match_substring(journal[side], "."))
    moves, types = journal.filter(wanted), types.filter(wanted)
    return moves, lambda names: _is(types, names)


def _is(types: Any, names: Iterable[str]) -> Any:
    """``types``: places in _TYPES."""
    some = set(names)
    return pc.take(pa.array([name in some for name in _TYPES.to_pylist()]), types)


def _where(mask: Any, minor: Any) -> Any:
    return pc.if_else(mask, minor, pa.scalar(0, pa.int64()))


def _long(moves: pa.Table, side: str, given: Mapping[str, Any]) -> pa.Table:
    nothing = pa.array(np.zeros(moves.num_rows, np.int64))
    columns = {"account": owner_of(moves[side]), "on_date": moves["value_date"]} | {n: given.get(n, nothing) for n in SUMS}
    return pa.table(columns).cast(_LONG)


def _sum_up(tables: Sequence[pa.Table]) -> pa.Table:
    whole = pa.concat_tables([_LONG.empty_table(), *tables])
    # By a number for each account: texts would be compared once for each of its rows.
    accounts = pc.dictionary_encode(whole["account"].combine_chunks())
    whole = whole.set_column(0, "number", accounts.indices)
    summed = whole.group_by(["number", "on_date"]).aggregate([(name, "sum") for name in SUMS])
    account = accounts.dictionary.take(summed["number"].combine_chunks())
    columns = [account, summed["on_date"], *(summed[f"{name}_sum"] for name in SUMS)]
    return pa.table(columns, _LONG.names).cast(_LONG)


def plain(table: pa.Table) -> pa.Table:
    """Columns of which none says that it may not be null: only such tables can be put under one another."""
    return table.cast(pa.schema([pa.field(f.name, f.type) for f in table.schema]))


def owner_of(ledger_account: Any) -> Any:
    """The sub-account of each ledger account of a customer."""
    return pc.list_element(pc.split_pattern(ledger_account, ":", max_splits=1), 0)


def is_one_of(column: Any, words: Iterable[str]) -> Any:
    return pc.is_in(column, pa.array(list(words), pa.string()))


def rows_of(table: pa.Table, keys: Sequence[str], groups: pa.Table) -> list[Row]:
    """The rows of those groups: ``groups`` has a row for each, by the keys."""
    if not groups.num_rows:
        return []
    if len(keys) == 1:
        # Without a join, which would carry all columns through a hash table.
        rows: list[Row] = table.filter(pc.is_in(table[keys[0]], groups[keys[0]].combine_chunks())).to_pylist()
        return rows
    return list(table.join(groups.select(list(keys)), list(keys), join_type="left semi").to_pylist())


def heavy(table: pa.Table, keys: Sequence[str], column: str, least: int) -> pa.Table:
    """The groups in which the column sums up to ``least`` or more; it is nowhere negative."""
    # What adds nothing is passed over, unless nothing is enough.
    found = table.filter(pc.greater(table[column], 0)) if least > 0 else table
    summed = found.group_by(list(keys)).aggregate([(column, "sum")])
    return summed.filter(pc.greater_equal(summed[f"{column}_sum"], least))


def crowded(table: pa.Table, keys: Sequence[str], least: int) -> pa.Table:
    """The groups of ``least`` rows or more."""
    counted = table.group_by(list(keys)).aggregate([(keys[0], "count")])
    return counted.filter(pc.greater_equal(counted[f"{keys[0]}_count"], least))
