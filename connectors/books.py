"""What the newest posted day says that stands with an organisation: what keeps it from being closed (domain.md §8, wind-down)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import Lake
from custody.money import format_amount
from custody.names import Book, LoanState, PartyKind
from custody.ports import Register
from custody.services.outputs import newest_seals
from custody.services.status_changes import Standing

_ENDED = [str(LoanState.SETTLED), str(LoanState.MISCARRIED)]
# Of the bank's own book what an organisation still owes; the rest of it is the bank's income.
_OWED = ":FEE_DUE$"


class LakeBooks:
    """Implements custody.services.status_changes.Books."""

    def __init__(self, register: Register, lake: Lake) -> None:
        self._register, self._lake = register, lake

    def standing(self, party: str, kind: str) -> Standing:
        with self._register.transaction() as tx:
            posted = newest_seals(tx, "post")
        if not posted:
            return Standing(None, None, ())
        words = (
            self._of_platform(posted[-1].path, party) if kind == PartyKind.PLATFORM else self._of_channel(posted[-1].path, party)
        )
        return Standing(posted[-1].custody_date, posted[-1].manifest_digest, tuple(words))

    def _of_platform(self, path: str, party: str) -> Iterator[str]:
        balances = self._rows(path, "balances", party)
        owed = pc.or_(pc.not_equal(balances["book"], str(Book.BANK)), pc.match_substring_regex(balances["account"], _OWED))
        yield from _balances(balances.filter(owed))
        loans = self._rows(path, "loans", party)
        for table, rows, said in (
            ("holds", self._rows(path, "holds", party), "frozen holds"),
            ("claims", self._rows(path, "claims", party), "claims with something left"),
            ("loans", loans.filter(pc.invert(pc.is_in(loans["state"], pa.array(_ENDED)))), "loans that have not ended"),
            ("pending_instructions", self._rows(path, "pending_instructions", party), "instructions that wait to be posted"),
            ("under_way", self._rows(path, "under_way", party), "movements under way"),
        ):
            if table == "claims":
                rows = rows.filter(pc.greater(rows["principal_minor"], 0))
            if rows.num_rows:
                yield f"{rows.num_rows} {said}"

    def _of_channel(self, path: str, party: str) -> Iterator[str]:
        balances = self._lake.read(path, "balances")
        yield from _balances(balances.filter(pc.ends_with(balances["account"], f"/{party}")))
        under_way = self._lake.read(path, "under_way")
        if rows := under_way.filter(pc.equal(under_way["channel"], party)).num_rows:
            yield f"{rows} movements under way"
        waiting = [json.loads(payload) for payload in self._lake.read(path, "pending_instructions")["payload"].to_pylist()]
        if rows := sum(row["channel"] == party for row in waiting):
            yield f"{rows} instructions that wait to be posted"

    def _rows(self, path: str, table: str, platform: str) -> pa.Table:
        rows = self._lake.read(path, table)
        return rows.filter(pc.equal(rows["platform"], platform))


def _balances(rows: pa.Table) -> Iterator[str]:
    left = rows.filter(pc.not_equal(rows["closing_minor"], 0))
    if left.num_rows:
        first = left.sort_by([("book", "ascending"), ("account", "ascending")]).slice(0, 1).to_pylist()[0]
        amount = format_amount(first["closing_minor"], first["currency"])
        yield f"{left.num_rows} accounts that are not zero, {first['book']} {first['account']} with {amount} among them"
