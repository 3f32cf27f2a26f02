"""Transactions and entries of all posted dates out of the lake (custody.ports.SealedTransactions)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import Lake
from custody.ports import Register, Row
from custody.services.outputs import Seal, newest_seals
from custody.transaction_query import Place, TxnQuery

_DAY = 10**9


class LakeTransactions:
    """Implements custody.ports.SealedTransactions: each date in its newest committed version."""

    def __init__(self, lake: Lake, register: Register) -> None:
        self._lake = lake
        self._register = register

    def find(self, query: TxnQuery, after: Place | None) -> Iterator[Row]:
        for seal in self._posted():
            if query.takes(seal.custody_date) and (after is None or seal.custody_date >= after.on):
                yield from self._of_day(seal, query, after if after and after.on == seal.custody_date else None)

    def moves(self, platform: str, entry_nos: Collection[int]) -> list[Row]:
        of_day: dict[int, list[int]] = defaultdict(list)
        for entry_no in entry_nos:
            of_day[entry_no // _DAY].append(entry_no)
        found: list[Row] = []
        for seal in self._posted():
            wanted = of_day.get(int(f"{seal.custody_date:%Y%m%d}"))
            if not wanted:
                continue
            within = {"platform": (platform, platform), "entry_no": (min(wanted), max(wanted))}
            for piece in self._lake.pieces(seal.path, "journal", within):
                found += piece.filter(pc.is_in(piece["entry_no"], pa.array(wanted, pa.int64()))).to_pylist()
        return sorted(found, key=lambda move: (move["entry_no"], move["move_no"]))

    def _posted(self) -> list[Seal]:
        with self._register.transaction() as tx:
            return newest_seals(tx, "post")

    def _of_day(self, seal: Seal, query: TxnQuery, after: Place | None) -> Iterator[Row]:
        within: dict[str, tuple[Any, Any]] = {name: (value, value) for name, value in query.equal.items()}
        for piece in self._lake.pieces(seal.path, "ledger_txn", within):
            yield from piece.filter(_mask(piece, query, after)).to_pylist()


def _mask(piece: pa.Table, query: TxnQuery, after: Place | None) -> Any:
    """TxnQuery.matches for whole columns; a column that is empty in a row equals nothing."""
    wanted: Any = pa.scalar(True)
    for name, value in query.equal.items():
        wanted = pc.and_kleene(wanted, pc.equal(piece[name], value))
    for account in query.accounts:
        wanted = pc.and_kleene(wanted, pc.or_kleene(_is(piece["from_account"], account), _is(piece["to_account"], account)))
    if after is not None:
        same = pc.and_(pc.equal(piece["platform"], after.platform), pc.greater(piece["txn_no"], after.txn_no))
        wanted = pc.and_kleene(wanted, pc.or_(pc.greater(piece["platform"], after.platform), same))
    if isinstance(wanted, pa.Scalar):
        return pa.repeat(wanted, piece.num_rows)
    return pc.fill_null(wanted, False)


def _is(column: Any, value: str) -> Any:
    return pc.fill_null(pc.equal(column, value), False)
