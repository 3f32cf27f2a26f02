"""The lease: one writer at a time, taken over only from the dead or the late, and a late one refused at its commit."""

import os
import signal
import subprocess
import sys
import time
from datetime import date

import pytest

from connectors.lease import Lease, held
from connectors.register import SqlRegister
from custody.errors import LeaseLost, RetryLater

HOLDS_UNTIL_KILLED = """
import sys, time
from connectors.clock import SystemClock
from connectors.lease import held
from connectors.register import SqlRegister
with held(SqlRegister(sys.argv[1], SystemClock()), "custody-day", 3600) as lease:
    print(lease.fence, flush=True)
    time.sleep(60)
"""


def row(register: SqlRegister) -> dict[str, object]:
    with register.transaction() as tx:
        found = tx.get("lease", name="custody-day")
    assert found is not None
    return found


def test_each_holder_has_a_higher_fence(register: SqlRegister) -> None:
    fences = []
    for _ in range(3):
        with held(register, "custody-day", 60) as lease:
            fences.append(lease.fence)
    assert fences == [1, 2, 3]
    assert row(register)["expires_at"] == 0


def test_a_second_one_is_told_to_come_later(register: SqlRegister) -> None:
    with held(register, "custody-day", 60) as first:
        with pytest.raises(RetryLater, match="is held by"), held(register, "custody-day", 60):
            pass
        with held(register, "another", 60):
            pass
        with register.transaction() as tx:
            first.check(tx)


def test_it_is_given_back_when_the_block_fails(register: SqlRegister) -> None:
    with pytest.raises(KeyError), held(register, "custody-day", 60):
        raise KeyError
    with held(register, "custody-day", 60) as lease:
        assert lease.fence == 2


def test_it_is_renewed_while_held(register: SqlRegister) -> None:
    with held(register, "custody-day", 1):
        before = row(register)["expires_at"]
        deadline = time.monotonic() + 5
        while row(register)["expires_at"] == before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert int(str(row(register)["expires_at"])) > int(str(before))


def take_over(register: SqlRegister) -> None:
    """What another host does once the lease has run out."""
    with register.transaction() as tx:
        found = tx.get("lease", name="custody-day")
        assert found is not None
        values = {"holder": "elsewhere|boot|1|1|1", "fence": found["fence"] + 1, "expires_at": int(time.time()) + 60}
        tx.update("lease", {"name": "custody-day"}, values)


def test_a_stale_fence_is_refused_at_the_commit_and_nothing_is_committed(register: SqlRegister) -> None:
    with held(register, "custody-day", 60) as lease:
        take_over(register)
        with pytest.raises(LeaseLost, match="no longer the newest"), register.transaction() as tx:
            tx.insert("holiday", {"day": date(2020, 1, 1), "business_day": False, "reason": "r"})
            lease.check(tx)
    with register.transaction() as tx:
        assert tx.find("holiday") == []
    # Leaving the block gave back nothing that was no longer ours.
    assert (row(register)["fence"], row(register)["holder"]) == (2, "elsewhere|boot|1|1|1")
    assert int(str(row(register)["expires_at"])) > 0


def test_a_holder_elsewhere_is_waited_for_until_its_time_is_over(register: SqlRegister) -> None:
    with held(register, "custody-day", 60):
        pass
    take_over(register)
    with pytest.raises(RetryLater, match="held by elsewhere"), held(register, "custody-day", 60):
        pass
    with register.transaction() as tx:
        tx.update("lease", {"name": "custody-day"}, {"expires_at": int(time.time()) - 1})
    with held(register, "custody-day", 60) as lease:
        assert lease.fence == 3


def test_a_lease_that_nobody_knows_is_lost(register: SqlRegister) -> None:
    with pytest.raises(LeaseLost), register.transaction() as tx:
        Lease("never", "h", 1).check(tx)


def test_a_killed_holder_is_taken_over_at_once_and_its_fence_is_dead(register: SqlRegister, register_url: str) -> None:
    command = [sys.executable, "-c", HOLDS_UNTIL_KILLED, register_url]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "1\n"
        name = str(row(register)["holder"])
        with pytest.raises(RetryLater, match="is held by"), held(register, "custody-day", 60):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    finally:
        holder.kill()
        holder.wait(20)
        if holder.stdout is not None:
            holder.stdout.close()
    assert int(str(row(register)["expires_at"])) > time.time() + 3000  # its time is not over: only its process is
    with held(register, "custody-day", 60) as lease:
        assert lease.fence == 2
        with pytest.raises(LeaseLost), register.transaction() as tx:
            Lease("custody-day", name, 1).check(tx)
        with register.transaction() as tx:
            lease.check(tx)
