"""Posting and projecting, killed at points that a seed draws: the step's own process, its worker processes, HBase's master, its Thrift
server, or both. Whoever looks at the store then sees the day before or the whole day; run again, the journal, the snapshots and
the keyed store are those of a run that nothing disturbed, and nothing is there twice.

``make soak`` prints what these tests record as a matrix (tests/kit/crash_matrix.py). ``CUSTODY_SEEDS=n pytest -k "post and seed7"``
runs one point again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from instance_kit import GO_LIVE, Instance, change_settings, copy_of, opened, seeds
from kill_kit import LEDGER, CopyOf, Undisturbed, assert_same, kill, run_on, start, told, wait_until_stopped
from real_hbase import REGIONS, SETTINGS

from cluster.hbase import Hbase
from connectors.hbase_store import HbaseStore
from custody.errors import RetryLater
from custody.ports import KeyedStore, StoreRow
from jobs.store_proof import store_faults
from schemas.store_keys import OWN_TABLES

KILLED = ("lines", "worker", "io", "workers", "timer")
Record = Callable[[str, object], None]
Seen = dict[str, Any]
_ALL_KEYS = (b"", b"\xff" * 32)


@dataclass(frozen=True)
class Views:
    """What the store shows of every account, by the date up to which it may be read."""

    accounts: list[str]
    by_date: dict[date, Seen]


def seen(instance: Instance, accounts: list[str]) -> tuple[date, Seen]:
    reader = instance.wiring.ledger_reader
    up_to = reader.up_to()
    assert up_to is not None
    return up_to, {
        account: (
            reader.sub_account(account),
            list(reader.movements(account, GO_LIVE, up_to)),
            reader.holds_of(account),
            reader.claims_of_holder(account),
        )
        for account in accounts
    }


@pytest.fixture(scope="module")
def views(undisturbed: Undisturbed) -> Views:
    by_date: dict[date, Seen] = {}
    accounts: list[str] = []
    for home in (undisturbed.before["reconcile"], undisturbed.before["project"]):
        with opened(home) as instance:
            if not accounts:
                accounts += sorted(row["sub_account"] for row in instance.lake_rows(undisturbed.on, "post", "sub_accounts"))
            up_to, shown = seen(instance, accounts)
            by_date[up_to] = shown
    assert len(by_date) == 2 and len(accounts) > 20
    return Views(accounts, by_date)


def assert_whole(home: Path, views: Views, point: str) -> None:
    """A person who looks right after the crash sees one of the two days, whole."""
    with opened(home) as instance:
        up_to, shown = seen(instance, views.accounts)
        assert shown == views.by_date[up_to], f"{point}: what is shown of {up_to} is not that day"


def finish(home: Path, step: str, undisturbed: Undisturbed, point: str) -> None:
    """Run again: everything is what an undisturbed run makes, and the store is proved against the lake besides."""
    assert_same(run_on(home, undisturbed.on, step, step), undisturbed.after(step), point)
    with opened(home) as instance:
        assert [fault.words for fault in store_faults(instance.wiring)] == [], point


@pytest.mark.parametrize("seed", seeds(2), ids=lambda seed: f"seed{seed}")
@pytest.mark.parametrize("step", LEDGER)
def test_killed_at_a_point_of_the_seed(
    step: str, seed: int, undisturbed: Undisturbed, views: Views, fresh: CopyOf, record_property: Record
) -> None:
    home, how = fresh(undisturbed.before[step]), KILLED[(seed + 2 * LEDGER.index(step)) % len(KILLED)]
    point, outcome = kill(home, step, how, Random(f"{step}|{seed}"), undisturbed)
    what = "a worker process" if how == "worker" else "the job"
    for name, value in (("store", "embedded"), ("step", step), ("killed", what), ("point", point), ("at first", outcome)):
        record_property(name, value)
    assert_whole(home, views, f"seed {seed}: {step}, {point}")
    finish(home, step, undisturbed, f"seed {seed}: {step}, {what} killed at {point}")
    record_property("then", "equal")


# From here on the keyed store is HBase's; everything else of the instance is as it was.
MORTAL = ("the job", "master and Thrift", "Thrift", "master")
_PARTS = {"the job": (), "Thrift": ("thrift",), "master": ("master",), "master and Thrift": ("master", "thrift")}
_STEP_SECONDS = 300


class HbaseInstances:
    """Instances before a step, whose keyed store is one namespace that is put back for each of them."""

    def __init__(self, hbase: Hbase, namespace: str) -> None:
        self.hbase, self._url = hbase, hbase.url(namespace)
        # Nobody else has written under so new a fence.
        self._fence = 1_000

    def at(self, home: Path) -> Path:
        """The instance at ``home``, on HBase: what its own store holds, row for row, and nothing beside."""
        self._fence += 100
        with opened(home) as instance, instance.wiring.register.transaction() as tx:
            tx.update("lease", {"name": "custody-day"}, {"fence": self._fence})
            wanted = {table: list(instance.wiring.keyed.scan(table, *_ALL_KEYS)) for table in OWN_TABLES}
        store = HbaseStore.at(self._url, SETTINGS)
        for table, rows in wanted.items():
            self._put_back(store, table, rows)
        store.close()
        change_settings(
            home,
            {"stores.keyed": self._url} | {f"hbase.{name}": value for name, value in SETTINGS.model_dump().items()},
        )
        return home

    def _put_back(self, store: KeyedStore, table: str, rows: list[StoreRow]) -> None:
        there = dict(store.scan(table, *_ALL_KEYS))
        kept = dict(rows)
        store.delete_many(table, [key for key in there if key not in kept], self._fence)
        store.put_many(table, [(key, columns) for key, columns in rows if there.get(key) != columns], self._fence)


@pytest.fixture(scope="module")
def on_hbase(hbase: Hbase) -> HbaseInstances:
    hbase.create_tables("crash_matrix", OWN_TABLES, REGIONS)
    return HbaseInstances(hbase, "crash_matrix")


@pytest.fixture(scope="module")
def calls(on_hbase: HbaseInstances, undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many calls projecting makes to HBase."""
    home = on_hbase.at(copy_of(undisturbed.before["project"], tmp_path_factory.mktemp("counted") / "home"))
    made: int = told(start(home, "project", undisturbed.on, "calls"))["calls"]["hbase"]
    assert made > 20
    return made


@pytest.mark.real
@pytest.mark.parametrize("seed", seeds(1), ids=lambda seed: f"seed{seed}")
def test_projecting_while_a_part_of_hbase_is_killed(
    seed: int, on_hbase: HbaseInstances, calls: int, undisturbed: Undisturbed, views: Views, fresh: CopyOf,
    record_property: Record,
) -> None:  # fmt: skip
    who, number = MORTAL[seed % len(MORTAL)], Random(f"hbase|{seed}").randint(1, calls)
    home = on_hbase.at(fresh(undisturbed.before["project"]))
    point = f"call {number} of {calls}"
    for name, value in (("store", "HBase"), ("step", "project"), ("killed", who), ("point", point)):
        record_property(name, value)
    code = _run_killed(home, undisturbed.on, on_hbase.hbase, who, number, Random(f"again|{seed}"))
    record_property("at first", {0: "it went on", RetryLater.exit_code: "retry later", -signal.SIGKILL: "killed"}[code])
    assert_whole(home, views, f"seed {seed}: {who} killed before {point}")
    finish(home, "project", undisturbed, f"seed {seed}: {who} killed before {point}")
    record_property("then", "equal")


def _run_killed(home: Path, on: date, hbase: Hbase, who: str, number: int, rng: Random) -> int:
    """Project; before that call the part is killed, and started again a little later. Returns how the step ended."""
    if who == "the job":
        child = start(home, "project", on, "killed", f"hbase:{number}")
        child.communicate(timeout=_STEP_SECONDS)
        return child.returncode
    child = start(home, "project", on, "before", f"hbase:{number}")
    wait_until_stopped(child)
    for part in _PARTS[who]:
        hbase.kill(part)
    os.kill(child.pid, signal.SIGCONT)
    # It first meets the dead part.
    time.sleep(rng.uniform(0.2, 1.0))
    hbase.start()
    _, errors = child.communicate(timeout=_STEP_SECONDS)
    assert child.returncode in (0, RetryLater.exit_code), errors
    return child.returncode


@pytest.mark.real
def test_posting_does_not_need_hbase(
    on_hbase: HbaseInstances, undisturbed: Undisturbed, fresh: CopyOf, record_property: Record
) -> None:
    """Both parts are away for as long as it takes; ``project`` is the first to ask for them."""
    home = on_hbase.at(fresh(undisturbed.before["post"]))
    said = {"store": "HBase", "step": "post", "killed": "master and Thrift", "point": "from beginning to end"}
    for name, value in said.items():
        record_property(name, value)
    try:
        for part in _PARTS["master and Thrift"]:
            on_hbase.hbase.kill(part)
        assert told(start(home, "post", undisturbed.on, "calls"))["outcome"] == "committed"
    finally:
        on_hbase.hbase.start()
    record_property("at first", "it went on")
    finish(home, "post", undisturbed, "post without HBase")
    record_property("then", "equal")
