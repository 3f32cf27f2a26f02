"""What each account held at the ends of the days since its platform's last credit of bank interest, summed: by that the next credit is
owned (custody.bank_interest). The credit's own day begins the next quarter.

Nothing is carried from day to day for it: a credit comes once a quarter, and what an account held follows from one snapshot and the moves
since. Only platforms that are credited are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import Lake
from custody.calendar import dates
from custody.names import Book
from custody.services.outputs import Seal

# Whose money earns the bank's interest: customers, and the platform's accounts under custody; SUSPENSE is nobody's.
_OWNERS = r"^[^.:]+(\.|:P_)"
_BY = ["platform", "account"]


def balance_days(lake: Lake, posted: Mapping[date, Seal], since: Mapping[str, date], until: date) -> pa.Table:
    """platform, account, minor_days, but nothing that is nought. ``since``: by platform, the first day that counts; ``until``: the last."""
    schema = pa.schema([("platform", pa.string()), ("account", pa.string()), ("minor_days", pa.int64())])
    found = [schema.empty_table()]
    by_first: dict[date, list[str]] = defaultdict(list)
    for platform, first in since.items():
        by_first[first].append(platform)
    for first, platforms in by_first.items():
        for part in _rows(lake, posted[first], "balances", platforms, ["platform", "book", "account", "closing_minor"]):
            found.append(_weighed(part["platform"], part["account"], part["closing_minor"], (until - first).days + 1, schema))
        for day in dates(first + timedelta(days=1), (until - first).days):
            columns = ["platform", "book", "from_account", "to_account", "amount_minor"]
            for part in _rows(lake, posted[day], "journal", platforms, columns):
                left = (until - day).days + 1
                for account, sign in (("from_account", -1), ("to_account", 1)):
                    found.append(_weighed(part["platform"], part[account], part["amount_minor"], sign * left, schema))
            # So that memory follows accounts, not moves.
            found = [_summed(found, schema)]
    summed = _summed(found, schema)
    return summed.filter(pc.not_equal(summed["minor_days"], 0)).sort_by([(name, "ascending") for name in _BY])


def _rows(lake: Lake, seal: Seal, table: str, platforms: list[str], columns: list[str]) -> Iterator[pa.Table]:
    for part in lake.pieces(seal.path, table, {"platform": (min(platforms), max(platforms))}, columns):
        of_them = pc.and_(pc.is_in(part["platform"], pa.array(platforms)), pc.equal(part["book"], str(Book.CUSTODY)))
        yield part.filter(of_them)


def _weighed(
    platform: pa.ChunkedArray, account: pa.ChunkedArray, minor: pa.ChunkedArray, days: int, schema: pa.Schema
) -> pa.Table:
    owned = pc.match_substring_regex(account, _OWNERS)
    owners = pc.replace_substring_regex(account, ":(available|frozen)$", "")
    whole = pa.table({"platform": platform, "account": owners, "minor_days": pc.multiply(minor, days)}, schema)
    return whole.filter(owned)


def _summed(parts: list[pa.Table], schema: pa.Schema) -> pa.Table:
    # In one thread, so that rows come in one order whatever the machine.
    whole = pa.concat_tables(parts).group_by(_BY, use_threads=False).aggregate([("minor_days", "sum")])
    return whole.rename_columns({"minor_days_sum": "minor_days"}).select(schema.names)
