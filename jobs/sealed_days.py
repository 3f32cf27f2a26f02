"""What the keyed store was made from: the days that `project` sealed, and the outputs of post behind each."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.ports import Row
from custody.services.outputs import Seal, seal_of
from jobs.projection.day import Source
from schemas.store_proof import StoreSum


def sealed_days(wiring: Wiring) -> dict[date, Seal]:
    """The newest version of each date that was projected, in the order of the dates."""
    with wiring.register.transaction() as tx:
        outputs = tx.find("step_output", order_by=["custody_date", "version"], step="project")
    return {row["custody_date"]: seal_of(row) for row in outputs}


def source_of(wiring: Wiring, seal: Seal) -> Source:
    """What a sealed day's rows are made from again, in the versions of their records in which they were written."""
    on = seal.custody_date
    with wiring.register.transaction() as tx:
        posts = {row["custody_date"]: row["path"] for row in tx.find("step_output", order_by=["version"], step="post")}
    return Source(on, posts[on], posts.get(on - timedelta(days=1)), sealed_versions(wiring, seal))


def sealed_versions(wiring: Wiring, seal: Seal) -> dict[str, int]:
    return {row["store_table"]: row["record_version"] for row in wiring.lake.rows(seal.path, "projected")}


def day_of(receipt: Row) -> StoreSum:
    """Of a row of ``projected``: what the day added."""
    return StoreSum.of_text(receipt["rows"], receipt["sum_minor"], receipt["digest"])


def total_of(receipt: Row) -> StoreSum:
    """Of a row of ``projected``: what there is with the day."""
    return StoreSum.of_text(receipt["total_rows"], receipt["total_sum_minor"], receipt["total_digest"])


def erased_owners(wiring: Wiring) -> frozenset[str]:
    """The customers of whom nothing is kept any more, and their sub-accounts: owners whose rows are in the store no longer."""
    with wiring.register.transaction() as tx:
        gone = {row["customer_id"] for row in tx.find("erased_customer") if row["purged_at"] is not None}
        posts = tx.find("step_output", order_by=["custody_date", "version"], step="post")
    if not gone or not posts:
        return frozenset(gone)
    accounts = wiring.lake.read(posts[-1]["path"], "sub_accounts")
    theirs = accounts.filter(pc.is_in(accounts["customer_id"], value_set=pa.array(sorted(gone), pa.string())))
    return frozenset(gone) | frozenset(theirs["sub_account"].to_pylist())
