"""Who was compensated for within the days that a rule looks back, and how platforms' compensation accounts run off, by columns (domain.md §8)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from custody.calendar import ONE_DAY
from custody.compensation import Compensated, Reserve
from custody.names import TxnType
from custody.ports import Row
from jobs.risk.balances import Standing, parts
from jobs.risk.loans import Assessed
from jobs.step import StepContext

_LEG = ("platform", "loan_id", "request_no", "txn_type", "from_account", "currency", "amount_minor", "value_date", "outcome")
_KEY = ["platform", "loan_id", "request_no", "from_account", "currency", "value_date"]


def compensations(context: StepContext, loans: Assessed, days: int) -> list[Row]:
    """Table compensations: yesterday's as far as they lie within so many days, and what is posted today, a row for each request."""
    first = context.custody_date - timedelta(days=days - 1)
    kept = [row for row in before(context, "compensations") if row["on_date"] >= first]
    posted = []
    for part in parts(context, "ledger_txn", _LEG):
        paid = pc.and_(pc.equal(part["txn_type"], str(TxnType.COMPENSATION)), pc.equal(part["outcome"], "POSTED"))
        posted.append(part.filter(pc.and_(paid, pc.is_valid(part["loan_id"]))))
    legs = pa.concat_tables(posted) if posted else None
    if legs is None or not legs.num_rows:
        return kept
    summed = legs.group_by(_KEY).aggregate([("amount_minor", "sum")]).to_pylist()
    wanted = pa.array(sorted({row["loan_id"] for row in summed}), pa.string())
    some = loans.loans.filter(pc.is_in(loans.loans["loan_id"], wanted)).select(["platform", "loan_id", "borrower"]).to_pylist()
    borrower = {(row["platform"], row["loan_id"]): row["borrower"] for row in some}
    new: dict[tuple[str, str, str], Row] = {}
    for row in sorted(summed, key=lambda row: [str(row[name]) for name in _KEY]):
        of = row["platform"], row["loan_id"]
        if row["value_date"] >= first and of in borrower:
            one = Compensated(*of, row["request_no"], borrower[of], row["from_account"], row["currency"], row["value_date"], 0)
            told = new.setdefault((*of, row["request_no"]), asdict(one))
            told["amount_minor"] += row["amount_minor_sum"]
    # A request whose legs came on two days is one.
    for row in kept:
        same = new.pop((row["platform"], row["loan_id"], row["request_no"]), None)
        row["amount_minor"] += same["amount_minor"] if same is not None else 0
    return [*kept, *new.values()]


def reserves(context: StepContext, standing: Standing) -> list[Reserve]:
    """Table reserves: of a date of which the day before is not known, nothing has changed."""
    was = {row["platform"]: row["closing_minor"] for row in before(context, "reserves")}
    found = {
        row["platform"]: row["closing_minor"]
        for row in standing.own
        if row["account"] == f"{row['platform']}:P_COMPENSATION" and (row["closing_minor"] or row["platform"] in was)
    }
    known = _told(context, "reserves")
    return [
        Reserve(platform, standing.currency[platform], was.get(platform, 0 if known else minor), minor)
        for platform, minor in sorted(found.items())
    ]


def before(context: StepContext, table: str) -> list[Row]:
    """What the step sealed of a table yesterday; nothing where that was by a program before the table."""
    return context.rows("risk", table, on=context.custody_date - ONE_DAY) if _told(context, table) else []


def _told(context: StepContext, table: str) -> bool:
    seal = context.seal("risk", context.custody_date - ONE_DAY)
    return seal is not None and table in context.wiring.lake.manifest(seal.path).tables
