"""Runs one step in a process of its own and ends, stops or counts it at a chosen point. Nothing in the product knows of it.

    python kill_runner.py HOME STEP DATE HOW [NUMBER]

HOW: ``count`` runs to the end and prints how many points of each kind were passed; ``lines`` is killed at the n-th line of
our own source; ``io`` at the n-th write that reaches a disk, before it and after it being two points; ``committed`` is killed
between the step's commit and its publication; ``published`` between the publication's last write and its row; ``stopped``
stops itself (SIGSTOP) when all is computed and nothing is committed, ``storing`` when it is about to write to the keyed
store; ``start`` waits for a line on stdin, then runs undisturbed; ``calls`` runs to the end and prints how many calls went to
each server; ``before`` stops itself before the call that NUMBER names (``hbase:7``), so that the server can be killed there;
``killed`` is killed before it. ``worker``: everything that can be shared out is, and the process that takes the n-th share is
killed; ``workers`` shares out likewise, and prints how many shares there were; it waits for a line on stdin.
The step ``collect`` is a sweep of the drop. Exit codes are the command line's: 0, 2, 3.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow.parquet
from sqlalchemy.engine.default import DefaultDialect

import jobs.step
import jobs.workers
from connectors.bootstrap import Wiring, wire
from connectors.lmdb_store import LmdbStore
from custody.errors import CustodyError
from custody.services.access import SYSTEM
from custody.services.intake import collect
from custody.services.outputs import Seal
from jobs.compliance.day import ComplianceDay
from jobs.registry import step_named
from jobs.step import Step, StepContext

READY = "ready"
_WORTH_PROCESSES = (
    ("jobs.land", "_POOL_FROM_BYTES"),
    ("jobs.post.step", "_POOL_FROM"),
    ("jobs.post.step", "_SHARE_FROM"),
    ("jobs.projection.day", "_SHARE_ROWS"),
)
_FEW_ROWS = 16
_OURS = tuple(
    str(Path(jobs.step.__file__).parents[1] / name) + os.sep for name in ("custody", "schemas", "connectors", "jobs", "reports")
)


def die() -> None:
    """As a power cut would: nothing is flushed, closed or rolled back."""
    os.kill(os.getpid(), signal.SIGKILL)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


class Points:
    """Counts points of one kind; at the ``last`` one the process is killed."""

    def __init__(self, last: int | None) -> None:
        self.passed = 0
        self._last = last

    def one(self, pid: int | None = None) -> None:
        """A point is passed; at the last one this process is killed, or the one with this pid."""
        self.passed += 1
        if self.passed == self._last:
            die() if pid is None else os.kill(pid, signal.SIGKILL)


def watch_lines(points: Points) -> None:
    """Every line of our own packages that this thread runs from now on."""

    def local(_frame: FrameType, event: str, _value: object) -> Any:
        if event == "line":
            points.one()
        return local

    def trace(frame: FrameType, _event: str, _value: object) -> Any:
        return local if frame.f_code.co_filename.startswith(_OURS) else None

    sys.settrace(trace)


def watch_io(points: Points) -> None:
    """Every call that makes something durable: before it, and after it."""
    for owner, name in (
        (os, "replace"),
        (os, "fsync"),
        (os, "mkdir"),
        (pyarrow.parquet, "write_table"),
        (DefaultDialect, "do_commit"),
        (LmdbStore, "put_many"),
        (LmdbStore, "delete_many"),
    ):
        setattr(owner, name, _between(points, getattr(owner, name)))


def _between(points: Points, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        points.one()
        result = real(*args, **named)
        points.one()
        return result

    return call


def killed_after_publishing(step: Step) -> Step:
    def publish(context: StepContext, seal: Seal) -> None:
        if step.publish is not None:
            step.publish(context, seal)
        die()

    return replace(step, publish=publish)


def stopped_before_commit(step: Step) -> Step:
    def run(context: StepContext) -> None:
        step.run(context)
        stop()

    return replace(step, run=run)


def stopped_before_storing() -> None:
    real = LmdbStore.put_many

    def put_many(*args: Any) -> int:
        stop()
        return real(*args)

    setattr(LmdbStore, "put_many", put_many)  # noqa: B010  (mypy: a method cannot be assigned)


def watch_calls(reached: Callable[[str], None]) -> None:
    """Every call that goes to a server: HBase's Thrift, the register's database, the drop."""
    import paramiko
    import thriftpy2.thrift
    from sqlalchemy import Engine, event

    event.listen(Engine, "before_cursor_execute", lambda *_: reached("register"))
    event.listen(Engine, "commit", lambda _: reached("register"))
    for owner, name, server in ((thriftpy2.thrift.TClient, "_req", "hbase"), (paramiko.SFTPClient, "_request", "sftp")):
        setattr(owner, name, _announced(reached, server, getattr(owner, name)))


def _announced(reached: Callable[[str], None], server: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        reached(server)
        return real(*args, **named)

    return call


def stop_before(call: str, stop: Callable[[], None] = stop) -> Callable[[str], None]:
    server, _, number = call.partition(":")
    passed: Counter[str] = Counter()

    def reached(name: str) -> None:
        passed[name] += 1
        if name == server and passed[name] == int(number):
            stop()

    return reached


def share_everything_out() -> None:
    """In a small market nothing is worth a process of its own: lower what is."""
    for module, name in _WORTH_PROCESSES:
        owner = import_module(module)
        assert isinstance(getattr(owner, name), int)
        setattr(owner, name, 1)


def in_small_shares() -> None:
    """A small market's day of compliance fits one share: have it looked at in several."""
    real = ComplianceDay.of.__func__  # type: ignore[attr-defined]
    setattr(ComplianceDay, "of", classmethod(lambda cls, context: replace(real(cls, context), share_rows=_FEW_ROWS)))  # noqa: B010


def watch_shares(points: Points) -> None:
    """Every share that is given to a worker process; it is that process which ends at the last one."""
    real = jobs.workers._send

    def send(worker: Any, task: object) -> None:
        real(worker, task)
        points.one(worker.process.pid)

    jobs.workers._send = send


def sweep(wiring: Wiring) -> dict[str, Any]:
    ports, rules = wiring.exchange_ports, wiring.exchange_rules
    result = collect(ports, rules, SYSTEM, wiring.clock.now().date(), replace(wiring.collect_limits, threads=1))
    return {"troubles": len(result.troubles), "seals": len(result.seals)}


def main(home: str, name: str, on: str, how: str, number: str = "0") -> int:
    wiring = wire(Path(home))
    lines, io, shares = (Points(int(number) if how == kind else None) for kind in ("lines", "io", "worker"))
    calls: Counter[str] = Counter()
    step = None if name == "collect" else step_named(name)
    if how == "committed":
        jobs.step._publish = lambda *_: die()
    elif how == "published" and step is not None:
        step = killed_after_publishing(step)
    elif how == "stopped" and step is not None:
        step = stopped_before_commit(step)
    elif how == "storing":
        stopped_before_storing()
    elif how == "calls":
        watch_calls(lambda server: calls.update([server]))
    elif how in ("before", "killed"):
        watch_calls(stop_before(number, stop if how == "before" else die))
    elif how in ("worker", "workers"):
        share_everything_out()
        watch_shares(shares)
    if name == "compliance":
        in_small_shares()
    print(READY, flush=True)
    if how in ("start", "workers"):
        sys.stdin.readline()
    if how in ("count", "io"):
        watch_io(io)
    if how in ("count", "lines"):
        watch_lines(lines)
    try:
        if step is None:
            answer = sweep(wiring)
        else:
            answer = {"outcome": jobs.step.run_step(wiring, step, date.fromisoformat(on), SYSTEM).outcome}
    except CustodyError as error:
        print(json.dumps({"error": type(error).__name__}), flush=True)
        print(error, file=sys.stderr, flush=True)
        return error.exit_code
    finally:
        sys.settrace(None)
        wiring.close()
    print(json.dumps({**answer, "lines": lines.passed, "io": io.passed, "worker": shares.passed, "calls": calls}), flush=True)
    return 3 if answer.get("troubles") else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
