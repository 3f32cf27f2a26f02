"""project: the sealed journal and balances go into the keyed store, where one customer is one prefix scan.

Keys are deterministic and balances absolute, so writing again is harmless; the watermark moves last, and nobody reads
beyond it. The keyed store is a projection: it can be dropped and rebuilt from the lake (design.md §2).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import islice

from custody.digest import ContentDigest
from custody.errors import StopRun
from custody.ports import StoreRow
from custody.services.outputs import Seal
from jobs.step import Step, StepContext
from jobs.store_rows import day_rows
from schemas.store_keys import LEDGER_TABLES, WATERMARK, WATERMARK_KEY, watermark

_BATCH = 5_000


def _sources(context: StepContext) -> dict[str, Iterator[StoreRow]]:
    yesterday = context.custody_date - timedelta(days=1)
    today = partial(context.rows, "post")
    before = partial(context.rows, "post", on=yesterday)
    return {table: day_rows(table, context.custody_date, today, before) for table in LEDGER_TABLES}


def _run(context: StepContext) -> None:
    """What will be projected, as counts and content digests, so that the store can be proved equal to the lake."""
    mark = watermark(context.wiring.keyed.get(WATERMARK, WATERMARK_KEY))
    if mark is not None and mark > context.custody_date:
        raise StopRun(f"the keyed store holds {mark} already; projecting {context.custody_date} again would put it back")
    go_live, day_before = context.wiring.settings.instance.go_live, context.custody_date - timedelta(days=1)
    if context.custody_date > go_live and (mark is None or mark < day_before):
        # Emptied, or restored from an older backup: the mark would claim days that it does not have.
        raise StopRun(f"the keyed store holds {mark or 'no day'}, not {day_before}: restore it as it was after that day")
    receipts = []
    for table, rows in _sources(context).items():
        digest = ContentDigest()
        for row in rows:
            digest.add(_cells(row))
        receipts.append({"store_table": table, "rows": digest.rows, "content_digest": digest.root()})
    context.write("projected", receipts)


def _publish(context: StepContext, seal: Seal) -> None:
    for table, rows in _sources(context).items():
        while batch := list(islice(rows, _BATCH)):
            context.wiring.keyed.put_many(table, batch, context.lease.fence)
    mark = {b"date": seal.custody_date.isoformat().encode()}
    context.wiring.keyed.put_many(WATERMARK, [(WATERMARK_KEY, mark)], context.lease.fence)


def _cells(row: StoreRow) -> list[str]:
    key, columns = row
    return [key.hex(), *(part for name in sorted(columns) for part in (name.hex(), columns[name].hex()))]


STEP = Step("project", _run, _publish)
