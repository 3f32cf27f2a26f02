"""What custody fees are computed from, as a posted day says it: of the day itself, and of earlier days to which something that it posted
belongs by value date. Table fee_facts of each day; what a day comes to now is the sum over the days since.

Sums of columns, piece by piece, so that memory follows platforms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.fee_rows import is_customers, late_moves, taken_back
from connectors.lake import Lake, arrow_schema, has_word, is_word
from custody.calendar import dates
from custody.fee_contract import ACCOUNT_OPENED, BALANCE, transactions, volume
from custody.fee_usage import COUNTED, usage_of
from custody.fees import DayFacts
from custody.names import Book, TxnType
from custody.services.outputs import Seal
from schemas.tables import TABLES

SCHEMA = arrow_schema(TABLES["fee_facts"])
# Components that are no transaction type.
_PLAIN = (ACCOUNT_OPENED, *COUNTED)
_BY = ["platform", "fact_date", "component"]
_LEG_WORDS = ("platform", "txn_type", "outcome")
_ONE_DAY = timedelta(days=1)
_Rows = Iterable[Mapping[str, Any]]


def facts_of(lake: Lake, posted: Seal, decisions: _Rows, earlier: Mapping[date, Seal]) -> pa.Table:
    """What a posted day, and the decisions that its cut-off sealed, say of itself and of earlier days. ``earlier``: the days posted before
    it, in which what was taken back is looked up."""
    on = posted.custody_date
    found = [
        *_base(lake, posted),
        *_late(lake, posted),
        *_transactions(lake, posted, earlier),
        *_opened(lake, posted),
        _facts((u.platform, min(u.used_on, on), u.component, u.pieces, 0) for u in usage_of(decisions)),
    ]
    return summed(found)


def summed(tables: Iterable[pa.Table]) -> pa.Table:
    """Facts of several days, or pieces of one, added up; in order of platform, date and component."""
    whole = pa.concat_tables([SCHEMA.empty_table(), *tables]).group_by(_BY, use_threads=False)
    whole = whole.aggregate([("pieces", "sum"), ("minor", "sum")]).rename_columns([*_BY, "pieces", "minor"])
    return whole.select(SCHEMA.names).cast(SCHEMA).sort_by([(name, "ascending") for name in _BY])


def by_day(facts: pa.Table) -> dict[tuple[str, date], DayFacts]:
    """By platform and date; of what is not there, nothing is known."""
    base: dict[tuple[str, date], int] = {}
    quantities: dict[tuple[str, date], dict[str, int]] = {}
    columns = (facts[name].to_pylist() for name in SCHEMA.names)
    for platform, on, component, pieces, minor in zip(*columns, strict=True):
        if component == BALANCE:
            base[platform, on] = minor
            continue
        of = quantities.setdefault((platform, on), {})
        if component in _PLAIN:
            of[component] = pieces
        else:
            of[transactions(component)], of[volume(component)] = pieces, minor
    return {key: DayFacts(base.get(key, 0), quantities.get(key, {})) for key in {*base, *quantities}}


def before(on: date) -> dict[str, tuple[Any, Any]]:
    """Of which parts of a table something may be of an earlier value date."""
    return {"value_date": (date.min, on - _ONE_DAY)}


def _facts(rows: Iterable[tuple[str, date, str, int, int]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def _base(lake: Lake, posted: Seal) -> Iterator[pa.Table]:
    columns = ["platform", "book", "account", "closing_minor"]
    for part in lake.pieces(posted.path, "balances", {}, columns, words=("platform", "book")):
        customers = pc.and_(is_word(part["book"], Book.CUSTODY), is_customers(part["account"]))
        sums = (
            part.select(["platform", "closing_minor"])
            .filter(customers)
            .group_by("platform", use_threads=False)
            .aggregate([("closing_minor", "sum")])
        )
        yield _columns(sums["platform"], posted.custody_date, BALANCE, 0, sums["closing_minor_sum"])


def _late(lake: Lake, posted: Seal) -> Iterator[pa.Table]:
    on = posted.custody_date
    columns = ["platform", "book", "from_account", "to_account", "amount_minor", "value_date"]
    for part in late_moves(lake.pieces(posted.path, "journal", before(on), columns), on):
        for row in part.group_by(["platform", "value_date"]).aggregate([("change", "sum")]).to_pylist():
            since = dates(row["value_date"], (on - row["value_date"]).days)
            yield _facts((row["platform"], day, BALANCE, 0, row["change_sum"]) for day in since)


def _transactions(lake: Lake, posted: Seal, earlier: Mapping[date, Seal]) -> Iterator[pa.Table]:
    by = ["platform", "txn_type", "value_date"]
    takes_back = False
    for part in lake.pieces(posted.path, "ledger_txn", {}, [*by, "outcome", "amount_minor"], words=_LEG_WORDS):
        sums = (
            part.select([*by, "amount_minor"])
            .filter(is_word(part["outcome"], "POSTED"))
            .group_by(by, use_threads=False)
            .aggregate([("amount_minor", "count"), ("amount_minor", "sum")])
        )
        takes_back |= has_word(sums["txn_type"], TxnType.REVERSAL)
        # What is of a later day is of this one until then.
        day = pc.min_element_wise(sums["value_date"], pa.scalar(posted.custody_date, pa.date32()))
        yield _columns(sums["platform"], day, sums["txn_type"], sums["amount_minor_count"], sums["amount_minor_sum"])
    undone = _reversals(lake, posted) if takes_back else []
    for leg, original in taken_back(lake, posted, earlier, undone):
        # What was taken back never was: neither it nor what takes it back is charged.
        for of in (leg, original):
            yield _facts([(leg["platform"], leg["value_date"], of["txn_type"], -1, -of["amount_minor"])])


def _reversals(lake: Lake, posted: Seal) -> list[dict[str, Any]]:
    columns = ["platform", "txn_type", "value_date", "request_no", "leg", "outcome", "amount_minor"]
    found: list[dict[str, Any]] = []
    for part in lake.pieces(posted.path, "ledger_txn", {}, columns, words=_LEG_WORDS):
        wanted = pc.and_(is_word(part["outcome"], "POSTED"), is_word(part["txn_type"], TxnType.REVERSAL))
        found += part.filter(wanted).to_pylist()
    return found


def _opened(lake: Lake, posted: Seal) -> Iterator[pa.Table]:
    within = {"opened_on": (posted.custody_date, posted.custody_date)}
    for part in lake.pieces(posted.path, "sub_accounts", within, ["platform", "opened_on"], words=("platform",)):
        opened = part.filter(pc.equal(part["opened_on"], pa.scalar(posted.custody_date, pa.date32())))
        sums = opened.group_by("platform", use_threads=False).aggregate([("opened_on", "count")])
        yield _columns(sums["platform"], posted.custody_date, ACCOUNT_OPENED, sums["opened_on_count"], 0)


def _columns(platform: Any, on: Any, component: Any, pieces: Any, minor: Any) -> pa.Table:
    size = len(platform)
    filled = [
        value if isinstance(value, (pa.Array, pa.ChunkedArray)) else pa.repeat(pa.scalar(value, field.type), size)
        for value, field in zip((platform, on, component, pieces, minor), SCHEMA, strict=True)
    ]
    return pa.table(filled, names=SCHEMA.names).cast(SCHEMA)
