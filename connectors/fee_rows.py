"""Rows of a posted day that a custody fee is computed from, as jobs sum them (jobs.fee_facts) and people look at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import Lake
from custody.names import Book
from custody.reversals import request_of, reversed_request
from custody.services.outputs import Seal


def is_customers(accounts: Any) -> Any:
    """A sub-account's id has a dot; P_* and the platform's other accounts have none."""
    return pc.match_substring(accounts, ".")


def late_moves(parts: Iterable[pa.Table], on: date) -> Iterator[pa.Table]:
    """Of pieces of a day's journal what is of an earlier date and changes what customers' sub-accounts hold: by how much, ``change``."""
    for part in parts:
        late = pc.and_(pc.less(part["value_date"], pa.scalar(on, pa.date32())), pc.equal(part["book"], str(Book.CUSTODY)))
        part = part.filter(late)
        into, out_of = (pc.cast(is_customers(part[name]), pa.int64()) for name in ("to_account", "from_account"))
        change = pc.multiply(part["amount_minor"], pc.subtract(into, out_of))
        part = part.append_column("change", change)
        yield part.filter(pc.not_equal(part["change"], 0))


def taken_back(
    lake: Lake, posted: Seal, earlier: Mapping[date, Seal], reversals: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Of legs that take back a leg of a restated file: (itself, the leg that it takes back)."""
    wanted = {
        (leg["platform"], reversed_request(leg["request_no"]), leg["leg"]): leg
        for leg in reversals
        if leg["request_no"] == request_of(reversed_request(leg["request_no"]), posted.custody_date)
    }
    if not wanted:
        return
    bounds = {"platform": (min(wanted)[0], max(wanted)[0])}
    numbers = pa.array(sorted({number for _, number, _ in wanted}))
    columns = ["platform", "txn_type", "value_date", "request_no", "leg", "outcome", "amount_minor"]
    first = min(leg["value_date"] for leg in wanted.values())
    for on in sorted(day for day in earlier if day >= first):
        for part in lake.pieces(earlier[on].path, "ledger_txn", bounds, columns):
            part = part.filter(pc.and_(pc.is_in(part["request_no"], numbers), pc.equal(part["outcome"], "POSTED")))
            for row in part.to_pylist():
                leg = wanted.pop((row["platform"], row["request_no"], row["leg"]), None)
                if leg is not None:
                    yield leg, row
