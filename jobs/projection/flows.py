"""What only happens: the journal under its owners, the transactions under their requests and their loans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from custody.names import PLATFORM_ACCOUNTS, account_and_part
from custody.posting_rules import SUSPENSE
from jobs.projection.packing import digits, joined, owners, packed_rows
from schemas.store_keys import JOURNAL, TXN, TXN_BY_LOAN, UNPOSTED_BY_ACCOUNT
from schemas.store_records import RECORDS

# Moves or transactions at a time: as Python values they take many times their room.
AT_ONCE = 50_000


def is_owner(account: str) -> bool:
    """Whether an account has rows of its own in the store: sub-accounts, P_* accounts, SUSPENSE."""
    return "." in account or account.partition(":")[2] in (*PLATFORM_ACCOUNTS, SUSPENSE)


def journal_rows(moves: pa.Table, on: date, versions: Mapping[str, int]) -> Iterator[tuple[str, pa.Table]]:
    """One row for each side of a move whose account is somebody's."""
    sequence = pc.add(pc.multiply(_day_sequence(moves["entry_no"]), 1000), moves["move_no"])
    at = pc.binary_join_element_wise(f"{on:%Y%m%d}", digits(sequence, 12), "")
    moves = moves.append_column("at", at)
    for side, other in (("from", "to"), ("to", "from")):
        accounts = pc.dictionary_encode(moves[f"{side}_account"]).combine_chunks()
        names = [account_and_part(name) for name in accounts.dictionary.to_pylist()]
        ours = pa.array([is_owner(account) for account, _ in names], pa.bool_()).take(accounts.indices)
        owned, indices = moves.filter(ours), accounts.indices.filter(ours)
        begins = pa.array(owners([account for account, _ in names]), pa.binary()).take(indices)
        part = pa.array([part for _, part in names], pa.string()).take(indices)
        columns = {name: owned[name] for name in owned.column_names}
        columns |= {
            "part": part,
            "counterparty": owned[f"{other}_account"],
            "balance_minor": owned[f"{side}_balance_minor"],
            "amount_minor": owned["amount_minor"] if side == "to" else pc.negate(owned["amount_minor"]),
        }
        keys = joined(begins, owned["at"], part)
        yield JOURNAL, packed_rows(RECORDS[JOURNAL], versions[JOURNAL], keys, columns)


def txn_rows(legs: pa.Table, versions: Mapping[str, int]) -> Iterator[tuple[str, pa.Table]]:
    """Each leg whole under its request, and its key under its loan and, where it moved nothing, under its accounts."""
    request = pc.binary_join_element_wise(legs["platform"], legs["request_no"], "/")
    number = digits(legs["txn_no"], 17)
    keys = joined(
        pa.array(owners(request.to_pylist()), pa.binary()), digits(legs["leg"], 6).combine_chunks(), number.combine_chunks()
    )
    yield TXN, packed_rows(RECORDS[TXN], versions[TXN], keys, {name: legs[name] for name in legs.column_names})
    loan = pc.binary_join_element_wise(legs["platform"], legs["loan_id"], "/")
    yield TXN_BY_LOAN, _index(TXN_BY_LOAN, versions, loan, legs["loan_id"].is_valid(), number, keys)
    silent = pc.not_equal(legs["outcome"], "POSTED")
    payer, payee = legs["from_account"], legs["to_account"]
    # A leg from an account to itself is there once.
    other = pc.and_(payee.is_valid(), pc.fill_null(pc.not_equal(payer, payee), True))
    for account, stands in ((payer, payer.is_valid()), (payee, other)):
        rows = _index(UNPOSTED_BY_ACCOUNT, versions, account, pc.and_(silent, stands), number, keys)
        yield UNPOSTED_BY_ACCOUNT, rows


def _index(
    table: str, versions: Mapping[str, int], owner: pa.ChunkedArray, chosen: pa.ChunkedArray, number: pa.Array, keys: pa.Array
) -> pa.Table:
    """For the chosen legs, their keys under whoever leads to them."""
    names = pc.dictionary_encode(owner.filter(chosen)).combine_chunks()
    begins = pa.array(owners(names.dictionary.to_pylist()), pa.binary()).take(names.indices)
    where = joined(begins, number.filter(chosen).combine_chunks())
    return packed_rows(RECORDS[table], versions[table], where, {"txn": keys.filter(chosen.combine_chunks())})


def _day_sequence(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """The sequence within the day of an ``entry_no``: schemas.store_keys.day_sequence over a column."""
    return pc.subtract(numbers, pc.multiply(pc.divide(numbers, 10**9), 10**9))
