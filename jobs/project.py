"""project: the sealed ledger goes into the keyed store, where one customer is one prefix scan.

Keys are deterministic and rows are never replaced, so writing again is harmless; the watermark moves last, and nobody reads
beyond it. What is written is sealed as figures for each table and salt, of the day and of all days, so that the store can be
proved equal to the lake (jobs/store_proof.py). It can be emptied and made again from the lake (jobs/store_rebuild.py).
"""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.errors import StopRun
from custody.ports import Row
from custody.services.outputs import Seal
from jobs.projection.day import TODAYS_VERSIONS, Source, packed_day
from jobs.projection.runs import Runs
from jobs.sealed_days import sealed_versions, total_of
from jobs.step import Step, StepContext
from schemas.store_keys import LEDGER_TABLES, PACKED, SALTS, WATERMARK, WATERMARK_KEY, owner_of_row, watermark, watermark_row
from schemas.store_proof import StoreSum

_PACKED_DAY = "packed_day"


def _run(context: StepContext) -> None:
    """What will be projected, packed and put aside, and the figures that prove it."""
    mark = watermark(context.wiring.keyed.get(WATERMARK, WATERMARK_KEY))
    if mark is not None and mark > context.custody_date:
        raise StopRun(f"the keyed store holds {mark} already; projecting {context.custody_date} again would put it back")
    go_live, day_before = context.wiring.settings.instance.go_live, context.custody_date - timedelta(days=1)
    if context.custody_date > go_live and (mark is None or mark < day_before):
        # Emptied, or restored from an older backup: the mark would claim days that it does not have.
        raise StopRun(f"the keyed store holds {mark or 'no day'}, not {day_before}: make it anew with `custody store rebuild`")
    runs = packed_day(context.wiring, _source(context, TODAYS_VERSIONS))
    context.kept[_PACKED_DAY] = runs
    context.write("projected", receipts(runs, context.rows("project", "projected", on=day_before)))


def receipts(runs: Runs, before: list[Row]) -> list[Row]:
    """For each table and salt what the day adds, and with the days before what there is then."""
    totals = {(r["store_table"], r["salt"]): total_of(r) for r in before}
    rows = []
    for table in LEDGER_TABLES:
        for salt in range(SALTS):
            added = runs.proofs.get((table, salt), StoreSum())
            total = totals.get((table, salt), StoreSum()) + added
            rows.append(
                {
                    "store_table": table,
                    "salt": salt,
                    "record_version": TODAYS_VERSIONS[table],
                    "rows": added.rows,
                    "sum_minor": added.sum_minor,
                    "digest": added.digest,
                    "total_rows": total.rows,
                    "total_sum_minor": total.sum_minor,
                    "total_digest": total.digest,
                }
            )
    return rows


def _publish(context: StepContext, seal: Seal) -> None:
    wiring, fence = context.wiring, context.lease.fence
    versions = sealed_versions(wiring, seal)
    source = _source(context, versions)
    runs = context.kept.pop(_PACKED_DAY, None) or packed_day(wiring, source)
    with closing(runs):
        for earlier in _earlier_posts(wiring, seal.custody_date, source.today):
            with closing(packed_day(wiring, Source(source.on, earlier, source.yesterday, versions))) as before:
                delete_leftovers(wiring, before, runs, fence)
        put_day(wiring, runs, fence)
    wiring.keyed.put_many(WATERMARK, [(WATERMARK_KEY, watermark_row(seal.custody_date))], fence)


def put_day(wiring: Wiring, runs: Runs, fence: int, erased: frozenset[str] = frozenset()) -> None:
    """In the order of the keys, table by table; but for rows of owners of whom nothing is kept."""
    for table in LEDGER_TABLES:
        pairs = (pair for salt in range(SALTS) for pair in runs.pairs(table, salt))
        kept = (pair for pair in pairs if owner_of_row(pair[0]) not in erased) if erased else pairs
        wiring.keyed.put_many(table, ((key, {PACKED: cell}) for key, cell in kept), fence)


def delete_leftovers(wiring: Wiring, before: Runs, now: Runs, fence: int) -> None:
    """Rows of an earlier version of the day that this one does not have."""
    for table in LEDGER_TABLES:
        for salt in range(SALTS):
            ours = _keys(now, table, salt)
            theirs = _keys(before, table, salt)
            wiring.keyed.delete_many(table, theirs.filter(pc.invert(pc.is_in(theirs, value_set=ours))).to_pylist(), fence)


def _keys(runs: Runs, table: str, salt: int) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for block in runs.rows(table, salt) for chunk in block["key"].chunks], pa.binary())


def _earlier_posts(wiring: Wiring, on: date, newest: str) -> list[str]:
    """What post sealed of the date before, and an earlier version of this step may have written."""
    with wiring.register.transaction() as tx:
        outputs = tx.find("step_output", order_by=["version"], step="post", custody_date=on)
    return [row["path"] for row in outputs if row["path"] != newest]


def _source(context: StepContext, versions: dict[str, int]) -> Source:
    post, before = context.seal("post"), context.seal("post", on=context.custody_date - timedelta(days=1))
    assert post is not None
    return Source(context.custody_date, post.path, before.path if before else None, versions)


STEP = Step("project", _run, _publish)
