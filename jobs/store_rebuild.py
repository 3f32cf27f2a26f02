"""The ledger's part of the keyed store emptied and made again from the lake, day by day; who is a customer is kept.

Where it has come to stands in the store, so that a run which was killed is gone on with. Until the end there is no watermark:
nobody reads, and no day is projected.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date

from connectors.bootstrap import Wiring
from connectors.lease import DAY_LEASE, held
from custody.services.stores import begin_rebuild, end_rebuild
from jobs.project import put_day
from jobs.projection.day import packed_day
from jobs.sealed_days import erased_owners, sealed_days, source_of
from jobs.store_proof import StoreFault, store_faults
from schemas.store_keys import LEDGER_TABLES, REBUILD_KEY, WATERMARK, WATERMARK_KEY, watermark_row

_EMPTYING, _PROJECTING = b"emptying", b"projecting"


@dataclass(frozen=True)
class Rebuilt:
    """``days``: those that this run projected; a run before it that was ended may have done others."""

    up_to: date | None
    days: int
    faults: list[StoreFault]


def rebuild(wiring: Wiring, actor: str, reason: str, told: Callable[[str], None]) -> Rebuilt:
    """Raises NotPermitted, RetryLater (the lease is held, a store is away), StopRun (no room), SealBroken (the lake)."""
    begin_rebuild(wiring.register, actor, reason)
    with held(wiring.register, DAY_LEASE, wiring.settings.lease.seconds) as lease:
        wiring.adopt_keyed()
        days = sealed_days(wiring)
        done = _emptied(wiring, lease.fence, told)
        left = [on for on in days if done is None or on > done]
        erased = erased_owners(wiring)
        for on in left:
            with closing(packed_day(wiring, source_of(wiring, days[on]))) as runs:
                put_day(wiring, runs, lease.fence, erased)
            _say(wiring, lease.fence, _PROJECTING, on)
            told(f"{on} is in the keyed store")
        if days:
            wiring.keyed.put_many(WATERMARK, [(WATERMARK_KEY, watermark_row(max(days)))], lease.fence)
        wiring.keyed.delete_many(WATERMARK, [REBUILD_KEY], lease.fence)
        told("comparing it with the lake")
        faults = list(store_faults(wiring))
    up_to = max(days, default=None)
    end_rebuild(wiring.register, actor, str(up_to or "-"), len(left), len(faults))
    return Rebuilt(up_to, len(left), faults)


def _emptied(wiring: Wiring, fence: int, told: Callable[[str], None]) -> date | None:
    """Empty the ledger's tables, unless a run before has; returns the day that it came to."""
    found = wiring.keyed.get(WATERMARK, REBUILD_KEY)
    if found is not None and found[b"phase"] == _PROJECTING:
        return date.fromisoformat(found[b"done"].decode()) if found[b"done"] else None
    _say(wiring, fence, _EMPTYING, None)
    wiring.keyed.delete_many(WATERMARK, [WATERMARK_KEY], fence)
    for table in LEDGER_TABLES:
        wiring.keyed.clear(table, fence)
        told(f"{table} is empty")
    # Now nothing is left that another version of the program wrote, but for rows that every version reads.
    wiring.keyed.adopt_version()
    _say(wiring, fence, _PROJECTING, None)
    return None


def _say(wiring: Wiring, fence: int, phase: bytes, done: date | None) -> None:
    row = {b"phase": phase, b"done": done.isoformat().encode() if done else b""}
    wiring.keyed.put_many(WATERMARK, [(REBUILD_KEY, row)], fence)
