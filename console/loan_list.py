"""The loans of the last date that the keyed store holds, as that date's snapshot and risk step sealed them: counted and sorted by columns,
and only the rows of one page made, since a bank has millions of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from connectors.lake import is_any_word, is_word, without_rows
from custody.names import PartyKind
from custody.ports import Row
from custody.services.outputs import Seal, seals_of_day

_KEY = ("platform", "loan_id")
_LEFT, _LATE = "left_minor", "days_past_due"
# What the snapshot itself has of a row of the list; of which columns ``left_minor`` is made.
_SHOWN = (*_KEY, "borrower", "amount_minor", "currency", "state", "disbursed_on", "funded_minor", "principal_repaid_minor")
_OF_LEFT = ("funded_minor", "principal_repaid_minor")
# Up to this row of the order the first rows are chosen; further on all are sorted.
_CHOSEN = 5000


@dataclass(frozen=True)
class LoanList:
    """Those that were asked for. ``on`` is None while no day is in the keyed store."""

    wiring: Wiring
    on: date | None
    seals: Mapping[str, Seal]
    platforms: list[str]
    platform: str
    found: pa.Table

    @property
    def total(self) -> int:
        return int(self.found.num_rows)

    def page(self, order: Sequence[str], start: int, limit: int) -> list[Row]:
        """Rows in this order of columns (``-`` before one: downwards), each the loan's own with ``left_minor`` and ``days_past_due`` (None while
        the date's risk is not assessed)."""
        table = self.found
        names = [name.removeprefix("-") for name in order]
        if _LATE in names:
            table = table.append_column(_LATE, self._late(table))
        for name in names:
            # Arrow cannot order by words: choosing the first rows by them ends the process.
            if pa.types.is_dictionary(table[name].type):
                table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.string()))
        keys = [(name.removeprefix("-"), "descending" if name.startswith("-") else "ascending") for name in order]
        if start + limit <= _CHOSEN and not any(table[name].null_count for name in names):
            at = pc.select_k_unstable(table, k=min(start + limit, table.num_rows), sort_keys=keys)
        else:
            last = "at_end" if order[0].startswith("-") else "at_start"
            at = pc.sort_indices(table, sort_keys=keys, null_placement=last)
        shown = table.take(at[start : start + limit])
        if _LATE not in names:
            shown = shown.append_column(_LATE, self._late(shown))
        rows: list[Row] = shown.to_pylist()
        return rows

    def _late(self, loans: pa.Table) -> pa.ChunkedArray:
        """Days past due of each of the loans, nought of one that the risk step has no row of."""
        risk = self.seals.get("risk")
        if risk is None:
            return pa.chunked_array([pa.nulls(loans.num_rows, pa.int64())])
        known = _read(self.wiring, risk, "loan_risk", self.platform or _one_of(loans), (*_KEY, _LATE), ("platform",))
        known = known.filter(
            pc.and_(pc.greater(known[_LATE], 0), is_any_word(known["platform"], pc.unique(loans["platform"]).to_pylist()))
        )
        known = known.set_column(0, "platform", known["platform"].cast(pa.string()))
        keys = [pc.binary_join_element_wise(table["platform"], table["loan_id"], "|") for table in (loans, known)]
        return pc.fill_null(known[_LATE].combine_chunks().take(pc.index_in(keys[0], value_set=keys[1])), 0)


def loans_listed(wiring: Wiring, platform: str, state: str, part_of_id: str) -> LoanList:
    """Those of a platform, in a state, with this in their id; "" asks for all."""
    on = wiring.ledger_reader.up_to()
    with wiring.register.transaction() as tx:
        platforms = [name for (name,) in tx.count("party", ["party"], kind=str(PartyKind.PLATFORM))]
        seals = seals_of_day(tx, on) if on else {}
    found = pa.table({name: pa.array([], pa.string()) for name in _SHOWN})
    if "post" in seals:
        found = _read(wiring, seals["post"], "loans", platform, _SHOWN, ("state", "currency"))
        if state:
            found = found.filter(is_word(found["state"], state))
        if part_of_id:
            found = found.filter(pc.match_substring(found["loan_id"], part_of_id))
        found = found.append_column(_LEFT, pc.subtract(*(found[name] for name in _OF_LEFT)))
    return LoanList(wiring, on, seals, platforms, platform, found)


def _one_of(loans: pa.Table) -> str:
    """The platform of which all the loans are, "" where there are several."""
    of = pc.unique(loans["platform"]).to_pylist()
    return str(of[0]) if len(of) == 1 else ""


def _read(wiring: Wiring, seal: Seal, table: str, platform: str, columns: Sequence[str], words: Sequence[str]) -> pa.Table:
    """Of one platform only the row groups that may hold any. ``words``: as of Lake.pieces."""
    if not platform:
        return wiring.lake.read(seal.path, table, columns, words)
    pieces = wiring.lake.pieces(seal.path, table, {"platform": (platform, platform)}, columns, words=words)
    own = [piece.filter(pc.equal(piece["platform"], platform)) for piece in pieces]
    return pa.concat_tables([without_rows(table, columns, words), *own])
