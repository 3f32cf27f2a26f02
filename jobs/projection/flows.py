"""What only happens: the journal under its owners, the transactions under their requests and their loans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from custody.names import PLATFORM_ACCOUNTS, account_and_part
from custody.posting_rules import SUSPENSE
from jobs.projection.packing import digits, joined, owners, packed_rows
from schemas.store_keys import JOURNAL, TXN, TXN_BY_LOAN
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
    """Each leg whole under its request, and its key under its loan."""
    request = pc.binary_join_element_wise(legs["platform"], legs["request_no"], "/")
    number = digits(legs["txn_no"], 17)
    keys = joined(
        pa.array(owners(request.to_pylist()), pa.binary()), digits(legs["leg"], 6).combine_chunks(), number.combine_chunks()
    )
    yield TXN, packed_rows(RECORDS[TXN], versions[TXN], keys, {name: legs[name] for name in legs.column_names})
    with_loan = legs["loan_id"].is_valid()
    loan = pc.binary_join_element_wise(legs["platform"], legs["loan_id"], "/").filter(with_loan)
    loans = pc.dictionary_encode(loan).combine_chunks()
    begins = pa.array(owners(loans.dictionary.to_pylist()), pa.binary()).take(loans.indices)
    by_loan = joined(begins, number.filter(with_loan).combine_chunks())
    columns = {"txn": keys.filter(with_loan.combine_chunks())}
    yield TXN_BY_LOAN, packed_rows(RECORDS[TXN_BY_LOAN], versions[TXN_BY_LOAN], by_loan, columns)


def _day_sequence(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """The sequence within the day of an ``entry_no``: schemas.store_keys.day_sequence over a column."""
    return pc.subtract(numbers, pc.multiply(pc.divide(numbers, 10**9), 10**9))
