"""The commit protocol that every step goes through (design.md §2).

A step reads committed inputs, writes under a digest of them, then one register row makes its output exist. Running a
committed step again returns its seal; a crash before the row leaves nothing, a crash after it leaves only publishing to
be repeated.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.lake import StepWriter
from connectors.lease import DAY_LEASE, Lease, held
from custody.digest import digest_of_json
from custody.errors import DiskFull, OutOfOrder, RetryLater, StopRun
from custody.ports import Row
from custody.services.outputs import Seal, latest_seal, seal_of
from custody.steps import STEPS, StepRef, reads

if TYPE_CHECKING:
    from connectors.bootstrap import Wiring

# So many are made before the collector looks for cycles among them.
_NEW_OBJECTS = 100_000


@dataclass
class StepContext:
    """What a step's function works with: its inputs, its output, and the wiring behind the ports."""

    wiring: Wiring
    custody_date: date
    inputs: dict[StepRef, Seal]
    lease: Lease
    writer: StepWriter | None = None
    # What a run leaves for its publication in the same process, which after a crash has to do without.
    kept: dict[str, Any] = field(default_factory=dict)

    def seal(self, step: str, on: date | None = None) -> Seal | None:
        return self.inputs.get(StepRef(on or self.custody_date, step))

    def rows(self, step: str, table: str, on: date | None = None) -> list[Row]:
        """The rows of an input's table; none when that date lies before the first."""
        found = self.seal(step, on)
        return self.wiring.lake.rows(found.path, table) if found else []

    def table(self, step: str, table: str, on: date | None = None, columns: Sequence[str] | None = None) -> pa.Table | None:
        """An input's table, or some of its columns; None when that date lies before the first."""
        found = self.seal(step, on)
        return self.wiring.lake.read(found.path, table, columns) if found else None

    def seals_of(self, step: str) -> list[Seal]:
        """The inputs of one step over all dates, in order of date."""
        return [self.inputs[ref] for ref in sorted(self.inputs) if ref.step == step]

    def write(self, table: str, rows: list[Row] | pa.Table) -> pa.Table:
        assert self.writer is not None
        return self.writer.table(table, rows)


@dataclass(frozen=True)
class Step:
    """``run`` writes tables through the context; ``publish`` puts a committed output where it is looked up or sent.

    ``publish`` may run any number of times for one output.
    """

    name: str
    run: Callable[[StepContext], None]
    publish: Callable[[StepContext, Seal], None] | None = None


@dataclass(frozen=True)
class StepResult:
    seal: Seal
    # "committed" now, or "unchanged": it was committed before.
    outcome: str
    tables: Mapping[str, Mapping[str, Any]]


def run_step(
    wiring: Wiring, step: Step, custody_date: date, actor: str, new_version_reason: str = "", among: Collection[str] = STEPS
) -> StepResult:
    """Run one step of one custody date to its commit and its publication, in an instance that runs the steps ``among`` these: all
    of them, unless it is a replay's.

    Raises OutOfOrder when a step of this date is not there yet, RetryLater when an earlier day is not, or when another
    run holds the lease, LeaseLost when it was taken over, StopRun when a committed output no longer fits its inputs and
    no reason for a new version was given.
    """
    with held(wiring.register, DAY_LEASE, wiring.settings.lease.seconds) as lease, _collected_seldom():
        context = StepContext(wiring, custody_date, resolve_inputs(wiring, step.name, custody_date, among), lease)
        inputs_digest = _inputs_digest(context)
        with wiring.register.transaction() as tx:
            current = latest_seal(tx, custody_date, step.name)
        if current is not None and not new_version_reason:
            _refuse_stale(wiring, current, inputs_digest)
            _publish(context, step, current)
            return StepResult(current, "unchanged", wiring.lake.manifest(current.path).tables)
        run_digest = digest_of_json([step.name, custody_date.isoformat(), inputs_digest, code_digest()])
        path = wiring.lake.relative(custody_date, step.name, run_digest, lease.fence)
        context.writer = wiring.lake.attempt(custody_date, step.name, run_digest, lease.fence)
        try:
            step.run(context)
            manifest = context.writer.finish()
            version = current.version + 1 if current else 1
            seal = Seal(custody_date, step.name, version, manifest.digest, path)
            row = {
                "custody_date": custody_date,
                "step": step.name,
                "version": version,
                "run_digest": run_digest,
                "inputs_digest": inputs_digest,
                "manifest_digest": manifest.digest,
                "path": path,
                "code_digest": code_digest(),
                "fence": lease.fence,
                "reason": new_version_reason,
                "committed_at": wiring.clock.now().isoformat(timespec="microseconds"),
            }
            with wiring.register.transaction() as tx:
                lease.check(tx)
                tx.insert("step_output", row)  # the commit
                seen = {"version": version, "manifest": manifest.digest, "reason": new_version_reason}
                tx.audit(actor, f"step.{step.name}", custody_date.isoformat(), seen)
        except DiskFull:
            # Each try has a folder of its own: what this one wrote must not keep the next one from finding room.
            context.writer.abandon()
            raise
        _publish(context, step, seal)
        return StepResult(seal, "committed", manifest.tables)


@contextmanager
def _collected_seldom() -> Iterator[None]:
    """A step's rows are values without cycles. The collector would look through them again and again, and find nothing."""
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@cache
def code_digest() -> str:
    """SHA-256 over the source that decides what a step writes: the domain, the schemas, the jobs and the reports."""
    whole = hashlib.sha256()
    for package in ("custody", "jobs", "reports", "schemas"):
        for resource in sorted(_sources(files(package), package)):
            whole.update(f"{resource[0]}\n{len(resource[1])}\n".encode() + resource[1])
    return whole.hexdigest()


def _sources(folder: Any, prefix: str) -> list[tuple[str, bytes]]:
    found = []
    for item in folder.iterdir():
        name = f"{prefix}/{item.name}"
        if item.is_dir():
            found += _sources(item, name)
        elif item.name.endswith((".py", ".yaml", ".json")):
            found.append((name, item.read_bytes()))
    return found


def resolve_inputs(wiring: Wiring, step: str, custody_date: date, among: Collection[str] = STEPS) -> dict[StepRef, Seal]:
    """The newest committed version of everything that a step of this date reads. Raises as run_step does."""
    go_live = wiring.settings.instance.go_live
    if custody_date < go_live:
        raise OutOfOrder(f"{custody_date} lies before the instance's first custody date {go_live}")
    wanted = reads(step, custody_date, go_live, among)
    with wiring.register.transaction() as tx:
        outputs: dict[StepRef, Row] = {}
        for row in tx.find("step_output", order_by=["version"], step=sorted({ref.step for ref in wanted})):
            outputs[StepRef(row["custody_date"], row["step"])] = row
        published = {
            (row["custody_date"], row["step"]): row["manifest_digest"] for row in tx.find("publication", order_by=["version"])
        }
    inputs = {}
    for ref in wanted:
        row_ = outputs.get(ref)
        if row_ is None:
            words = f"{step} of {custody_date} needs {ref.step} of {ref.custody_date}, which is not committed"
            # An earlier day may be on its way (a catch-up runs several); a step of the same day was simply not asked for.
            raise RetryLater(words) if ref.custody_date < custody_date else OutOfOrder(words)
        if published.get((ref.custody_date, ref.step)) != row_["manifest_digest"]:
            raise OutOfOrder(f"{ref.step} of {ref.custody_date} is committed but not published: run it again first")
        inputs[ref] = seal_of(row_)
    return inputs


def _inputs_digest(context: StepContext) -> str:
    return digest_of_json(
        [
            # Content only: a new version that says the same changes nothing for those who read it.
            [ref.custody_date.isoformat(), ref.step, seal.manifest_digest]
            for ref, seal in sorted(context.inputs.items())
        ]
    )


def _refuse_stale(wiring: Wiring, current: Seal, inputs_digest: str) -> None:
    with wiring.register.transaction() as tx:
        row = tx.get("step_output", custody_date=current.custody_date, step=current.step, version=current.version)
    assert row is not None
    if row["inputs_digest"] != inputs_digest:
        raise StopRun(
            f"{current.step} of {current.custody_date} was computed from other inputs than are committed now: "
            "run it with --reason to make a new version"
        )


def _publish(context: StepContext, step: Step, seal: Seal) -> None:
    """Put the committed output where it is looked up or sent, once; repeated after a crash (design.md §2)."""
    key = {"custody_date": seal.custody_date, "step": seal.step, "version": seal.version}
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        if tx.get("publication", **key):
            return
    if step.publish is not None:
        step.publish(context, seal)
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        row = {**key, "manifest_digest": seal.manifest_digest}
        tx.insert("publication", {**row, "published_at": context.wiring.clock.now().isoformat(timespec="microseconds")})
