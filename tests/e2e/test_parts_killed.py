"""HBase's master and Thrift, PostgreSQL's backend and sshd's session are killed in the middle of steps, one in a step, and the
day's content is what an undisturbed run makes.

Instances on HBase, PostgreSQL, HDFS and sshd. The first runs its day undisturbed, to learn how many calls each step makes to
each server. In the second each struck step stops itself before a call drawn at random, one server that it talks to is killed (SIGKILL) and started
again, and the step goes on: it mends itself or ends with "retry later", and is then run again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from instance_kit import BANK, GO_LIVE, copy_core, make_instance, make_world, opened, seeds
from kill_kit import content_of, start, told, wait_until_stopped
from real_hbase import REGIONS, SETTINGS
from real_sshd import RealSshd

from cluster.hbase import Hbase
from cluster.hdfs import Hdfs
from cluster.postgres import Postgres
from connectors.settings import changed, initial_settings, load_settings
from console.deliver import deliver
from custody.errors import RetryLater
from custody.steps import STEPS
from schemas.store_keys import CORE_TABLES, OWN_TABLES
from simulator.simulate import load_faults

pytestmark = pytest.mark.real

FAULTS = Path(__file__).parents[1] / "faults" / "demo.yaml"
RETRY_LATER = 3
# What the steps are given to notice, reconnect and go on; HBase's master takes ten seconds to come back.
GIVE_UP_SECONDS = 90
STEP_SECONDS = 240
COLLECT = "collect"
# Where somebody dies: by default where files, HBase and the day's end are, in `make soak` in every step.
STRUCK = (COLLECT, *STEPS) if len(seeds(1)) > 1 else (COLLECT, "land", "extract", "project", "close")
# Who dies, and before calls to which server.
MORTAL = (("master", "hbase"), ("thrift", "hbase"), ("session", "sftp"), ("backend", "register"))


@dataclass
class Killer:
    """``kill`` by name: ends a server as a crash does, and starts it again."""

    hbase: Hbase
    postgres: Postgres
    sshd: RealSshd
    database: str
    collector: str
    killed: list[str] = field(default_factory=list)

    def kill(self, who: str) -> Callable[[], None]:
        """Kill it; returns what starts it again."""
        self.killed.append(who)
        if who == "backend":
            assert self.postgres.kill_backends(self.database) > 0
            return lambda: None  # the server recovers by itself
        if who == "session":
            assert self.sshd.server.kill_sessions(self.collector) > 0
            return lambda: None  # the server still listens
        self.hbase.kill(who)
        return self.hbase.start


@dataclass(frozen=True)
class Parts:
    home: Path
    killer: Killer


MakeParts = Callable[[str], Parts]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"), load_faults(FAULTS), seed=7)


@dataclass(frozen=True)
class Embedded:
    """What the embedded stores make of the day, and the keys under which it came about."""

    keys: Path
    content: dict[str, Any]


@pytest.fixture(scope="module")
def embedded(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    home = make_instance(tmp_path_factory.mktemp("embedded") / "home", world)
    with opened(home) as instance:
        instance.deliver(world, GO_LIVE)
        instance.run_day(GO_LIVE)
        return Embedded(home / "keys", content_of(instance))


@pytest.fixture
def make_parts(
    hbase: Hbase, hdfs: Hdfs, postgres: Postgres, sshd: RealSshd, world: Path, embedded: Embedded
) -> Iterator[MakeParts]:
    """Makes an instance on the real parts, with everything of its own but the drop, which it takes over."""
    databases: list[str] = []

    def make(name: str) -> Parts:
        own, core, database = f"own_{name}", f"core_{name}", f"killed_{name}"
        hbase.create_tables(own, OWN_TABLES, REGIONS)
        hbase.create_tables(core, CORE_TABLES, REGIONS)
        postgres.create_database(database)
        databases.append(database)
        home = sshd.fresh_home()
        # A person's number is the same in two instances only under the same key.
        shutil.copytree(embedded.keys, home / "keys")
        settings = home / "prepared.toml"
        text = initial_settings(BANK, GO_LIVE, 0)
        stores = {"stores.lake": f"{hdfs.url}/{own}", "stores.keyed": hbase.url(own), "stores.core": hbase.url(core)}
        limits = {
            "hbase.timeout_seconds": SETTINGS.timeout_seconds,
            "hbase.give_up_after_seconds": GIVE_UP_SECONDS,
            "lease.seconds": 10,
        }
        register = {"register.url": postgres.register_url(database)}
        settings.write_text(changed(text, {**sshd.changes, **stores, **limits, **register}), encoding="utf-8")
        make_instance(home, world, settings=settings)
        sftp = load_settings(home).sftp
        return Parts(home, Killer(hbase, postgres, sshd, database, sftp.account(sftp.collector_user)))

    yield make
    for database in databases:
        postgres.drop_database(database)


def send(home: Path, world: Path) -> None:
    """Every party's files over SFTP, and the core's flows."""
    with opened(home) as instance:
        deliver(world, GO_LIVE, instance.wiring.settings)
        copy_core(instance, world, GO_LIVE)


def finish(child: subprocess.Popen[str]) -> int:
    try:
        _, errors = child.communicate(timeout=STEP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        raise
    assert child.returncode in (0, RETRY_LATER), errors
    return child.returncode


def run_killed(parts: Parts, step: str, server: str, calls: int, who: str, rng: Random) -> None:
    number = rng.randint(1, calls)
    point = f"{step}, {who} killed before call {number} of {calls} to {server}"
    print(point, flush=True)
    child = start(parts.home, step, GO_LIVE, "before", f"{server}:{number}")
    wait_until_stopped(child)
    again = parts.killer.kill(who)
    os.kill(child.pid, signal.SIGCONT)
    # It first meets the dead server.
    time.sleep(rng.uniform(0.2, 1.0))
    again()
    if finish(child) == RETRY_LATER:
        until = time.monotonic() + STEP_SECONDS
        # The lease of the run that failed may have to run out first.
        while finish(start(parts.home, step, GO_LIVE, "calls")) == RETRY_LATER:
            assert time.monotonic() < until, f"{point}: not mended by running it again"
            time.sleep(1)


def run_step(home: Path, step: str) -> None:
    """A server that was killed in the step before may be getting up yet."""
    until = time.monotonic() + STEP_SECONDS
    while True:
        try:
            with opened(home) as instance:
                instance.step(step, GO_LIVE)
            return
        except RetryLater:
            assert time.monotonic() < until, f"{step}: not to be run"
            time.sleep(1)


@pytest.mark.parametrize("seed", seeds(1), ids=lambda seed: f"seed{seed}")
def test_servers_are_killed_in_the_middle_of_steps(seed: int, make_parts: MakeParts, world: Path, embedded: Embedded) -> None:
    undisturbed = make_parts(f"u{seed}")
    send(undisturbed.home, world)
    calls: dict[str, dict[str, int]] = {}
    for step in (COLLECT, *STEPS):
        if step in STRUCK:
            calls[step] = told(start(undisturbed.home, step, GO_LIVE, "calls"))["calls"]
        else:
            run_step(undisturbed.home, step)
    parts, turned = make_parts(f"k{seed}"), [*MORTAL[seed % 4 :], *MORTAL[: seed % 4]]
    send(parts.home, world)
    for step in (COLLECT, *STEPS):
        if step not in STRUCK:
            run_step(parts.home, step)
            continue
        # One death for each step, since a committed step does nothing more; whoever has died least is next.
        mortal = [(who, server) for who, server in turned if server in calls[step]]
        who, server = min(mortal, key=lambda each: parts.killer.killed.count(each[0]))
        run_killed(parts, step, server, calls[step][server], who, Random(f"{seed}|{step}"))
    assert {"master", "thrift", "backend", "session"} == set(parts.killer.killed)
    with opened(parts.home) as instance:
        found = content_of(instance)
    for name, rows in embedded.content.items():
        assert by_subject(name, found[name]) == by_subject(name, rows), name


# Tables of what happened, in the order in which it did; and what each row is about.
_NUMBERED = {"file_event": "file_name", "audit_event": "subject"}


def by_subject(name: str, rows: Any) -> Any:
    """A party whose session died comes after the others: what happened is compared file by file, each in its own order."""
    if (about := _NUMBERED.get(name)) is None:
        return rows
    unnumbered = [{column: value for column, value in row.items() if column != "event_no"} for row in rows]
    return sorted(unnumbered, key=lambda row: str(row[about]))
