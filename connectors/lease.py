"""A lease with a fencing token: one writer at a time, and a late one is refused at its commit (design.md §2)."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from connectors.processes import boot_id, process_start
from custody.errors import LeaseLost, RetryLater, StopRun
from custody.ports import Register, RegisterTx

# Held by whoever runs a step of a custody day, or writes to the keyed store otherwise.
DAY_LEASE = "custody-day"


@dataclass(frozen=True)
class Lease:
    name: str
    holder: str
    fence: int

    def check(self, tx: RegisterTx) -> None:
        """Raise LeaseLost unless this lease is still the newest; called inside the transaction that commits."""
        row = tx.get("lease", name=self.name)
        if row is None or row["fence"] != self.fence:
            raise LeaseLost(f"lease {self.name} was taken over (fence {self.fence} is no longer the newest)")


def _identity() -> str:
    return f"{socket.gethostname()}|{boot_id()}|{os.getpid()}|{process_start(os.getpid())}|{threading.get_ident()}"


def _holder_is_dead(holder: str) -> bool:
    """True only when the holder was a process of this very boot of this host and is gone."""
    host, boot, pid, started, _ = holder.split("|")
    if [host, boot] != _identity().split("|")[:2]:
        return False
    return process_start(int(pid)) != started


def _acquire(register: Register, name: str, seconds: int) -> Lease:
    holder = _identity()
    with register.transaction() as tx:
        row = tx.get("lease", name=name)
        now = int(time.time())
        if row is None:
            tx.insert("lease", {"name": name, "holder": holder, "fence": 1, "expires_at": now + seconds})
            return Lease(name, holder, 1)
        if row["expires_at"] > now and not _holder_is_dead(row["holder"]):
            raise RetryLater(f"lease {name} is held by {row['holder'].split('|')[0]} for {row['expires_at'] - now} s more")
        fence = row["fence"] + 1
        tx.update("lease", {"name": name}, {"holder": holder, "fence": fence, "expires_at": now + seconds})
        return Lease(name, holder, fence)


@contextmanager
def held(register: Register, name: str, seconds: int) -> Iterator[Lease]:
    """Hold the lease for the block, renewed at a third of its time. Raises RetryLater when another holds it."""
    lease = _acquire(register, name, seconds)
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(seconds / 3):
            try:
                with register.transaction() as tx:
                    key = {"name": name, "fence": lease.fence}
                    if not tx.update("lease", key, {"expires_at": int(time.time()) + seconds}):
                        return  # taken over: the commit will be refused by its fence
            except (RetryLater, StopRun):
                continue  # the register is busy or its disk full; the next beat tries again before the lease runs out

    beat = threading.Thread(target=renew, name=f"lease-{name}", daemon=True)
    beat.start()
    try:
        yield lease
    finally:
        stop.set()
        beat.join()
        # What cannot be given back runs out, or is seen to be a dead process's. It must not hide why the block failed.
        with suppress(RetryLater, StopRun), register.transaction() as tx:
            tx.update("lease", {"name": name, "fence": lease.fence}, {"expires_at": 0})
