"""project: the sealed journal and balances go into the keyed store, where one customer is one prefix scan.

Keys are deterministic and balances absolute, so writing again is harmless; the watermark moves last, and nobody reads
beyond it. The keyed store is a projection: it can be dropped and rebuilt from the lake (design.md §2).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice

from connectors.lake import Lake
from custody.digest import ContentDigest
from custody.errors import StopRun
from custody.names import Book
from custody.ports import Row, StoreRow
from custody.services.outputs import Seal
from jobs.step import Step, StepContext
from schemas.store_keys import JOURNAL, SUB_ACCOUNT, WATERMARK, dated, owner_key, pack

_BATCH = 5_000
_VERSION = 1
WATERMARK_KEY = b"projected_up_to"


def sub_account_rows(lake: Lake, post: Seal) -> Iterator[StoreRow]:
    """One mutable row for each sub-account: absolute balances with their as-of date."""
    closing = {r["account"]: r["closing_minor"] for r in lake.rows(post.path, "balances") if r["book"] == Book.CUSTODY}
    for row in lake.rows(post.path, "sub_accounts"):
        account = row["sub_account"]
        columns = {
            "customer_id": row["customer_id"],
            "role": row["role"],
            "opened_on": row["opened_on"].isoformat(),
            "closed_on": row["closed_on"].isoformat() if row["closed_on"] else "",
            "available_minor": str(closing.get(f"{account}:available", 0)),
            "frozen_minor": str(closing.get(f"{account}:frozen", 0)),
            "as_of": post.custody_date.isoformat(),
        }
        yield owner_key(account), {k.encode(): v.encode() for k, v in columns.items()}


def journal_rows(lake: Lake, post: Seal) -> Iterator[StoreRow]:
    """One packed row for each side of a move that touches a sub-account, under its owner and date."""
    for move in lake.rows(post.path, "journal"):
        for account, sign in ((move["from_account"], -1), (move["to_account"], 1)):
            owner, _, part = account.partition(":")
            if "." in owner:
                yield _journal_row(move, owner, part, sign)


def _journal_row(move: Row, owner: str, part: str, sign: int) -> StoreRow:
    # entry_no = date * 10^9 + sequence within the date; a move has two sides, told apart by the part.
    sequence = move["entry_no"] % 10**9 * 1000 + move["move_no"]
    key = owner_key(owner, dated(move["posting_date"], sequence), part)
    fields = [
        move["entry_no"],
        move["move_no"],
        part,
        sign * move["amount_minor"],
        move["currency"],
        move["txn_type"],
        move["request_no"],
        move["leg"],
        move["loan_id"],
        move["value_date"].isoformat(),
        move["event_time"].isoformat(),
    ]
    return key, pack(_VERSION, fields)


def _sources(lake: Lake, post: Seal) -> dict[str, Iterator[StoreRow]]:
    return {SUB_ACCOUNT: sub_account_rows(lake, post), JOURNAL: journal_rows(lake, post)}


def _run(context: StepContext) -> None:
    """What will be projected, as counts and content digests, so that the store can be proved equal to the lake."""
    post = context.seal("post")
    assert post is not None
    mark = watermark(context.wiring.keyed.get(WATERMARK, WATERMARK_KEY))
    if mark is not None and mark > context.custody_date:
        raise StopRun(f"the keyed store holds {mark} already; projecting {context.custody_date} again would put it back")
    go_live, day_before = context.wiring.settings.instance.go_live, context.custody_date - timedelta(days=1)
    if context.custody_date > go_live and (mark is None or mark < day_before):
        # Emptied, or restored from an older backup: the mark would claim days that it does not have.
        raise StopRun(f"the keyed store holds {mark or 'no day'}, not {day_before}: restore it as it was after that day")
    receipts = []
    for table, rows in _sources(context.wiring.lake, post).items():
        digest = ContentDigest()
        for row in rows:
            digest.add(_cells(row))
        receipts.append({"store_table": table, "rows": digest.rows, "content_digest": digest.root()})
    context.write("projected", receipts)


def _publish(context: StepContext, seal: Seal) -> None:
    post = context.seal("post")
    assert post is not None
    for table, rows in _sources(context.wiring.lake, post).items():
        while batch := list(islice(rows, _BATCH)):
            context.wiring.keyed.put_many(table, batch, context.lease.fence)
    mark = {b"date": seal.custody_date.isoformat().encode()}
    context.wiring.keyed.put_many(WATERMARK, [(WATERMARK_KEY, mark)], context.lease.fence)


def _cells(row: StoreRow) -> list[str]:
    key, columns = row
    return [key.hex(), *(part for name in sorted(columns) for part in (name.hex(), columns[name].hex()))]


def watermark(store_row: dict[bytes, bytes] | None) -> date | None:
    """The date up to which the keyed store may be read."""
    return date.fromisoformat(store_row[b"date"].decode()) if store_row else None


STEP = Step("project", _run, _publish)
