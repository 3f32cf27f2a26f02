"""What the keyed store was made from: the days that `project` sealed, and the outputs of post behind each."""

from __future__ import annotations

from datetime import date, timedelta

from connectors.bootstrap import Wiring
from custody.ports import Row
from custody.services.erasures import removed_accounts
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
    """Customers and sub-accounts whose rows deletions took out of the store."""
    with wiring.register.transaction() as tx:
        return removed_accounts(tx)
