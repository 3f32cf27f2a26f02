"""Sums of money by account that grow with the accounts, not with the moves."""

from __future__ import annotations

import pyarrow as pa

_SUMS = pa.schema([("book", pa.string()), ("account", pa.string()), ("minor", pa.int64())])
_SUMMED_AT_ONCE = 1 << 20


class Totals:
    """Sums of money by book and account, taken in table by table."""

    def __init__(self) -> None:
        self._sums = _SUMS.empty_table()
        self._more: list[pa.Table] = []
        self._rows = 0

    def add(self, journal: pa.Table) -> None:
        more = journal.select(["book", "to_account", "amount_minor"]).rename_columns(["book", "account", "minor"])
        self._more.append(_summed(more))
        self._rows += self._more[-1].num_rows
        if self._rows > _SUMMED_AT_ONCE + self._sums.num_rows:
            self.sums()

    def sums(self) -> pa.Table:
        """book, account, minor"""
        self._sums, self._more, self._rows = _summed(pa.concat_tables([self._sums, *self._more])), [], 0
        return self._sums


def _summed(rows: pa.Table) -> pa.Table:
    sums = rows.group_by(["book", "account"], use_threads=False).aggregate([("minor", "sum")])
    return sums.rename_columns({"minor_sum": "minor"}).select(_SUMS.names).cast(_SUMS)
