"""The real parts of one machine under one name, and the instance that uses them: what `make cluster-up` starts.

Everything a cluster makes lies in its state folder (cluster.machine.state_folder) but for the parties' system accounts, which
sshd needs; `down` takes both away.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cached_property
from typing import Protocol

from cluster.airflow import Airflow
from cluster.daemon import ServiceFailed
from cluster.hbase import Hbase
from cluster.hdfs import Hdfs
from cluster.machine import Ports, require_root, state_folder
from cluster.postgres import Postgres
from cluster.spark_connect import SparkConnect
from cluster.sshd import Sshd
from connectors.drop_accounts import remove_accounts
from connectors.settings import FILE_NAME, HOME_VARIABLE, Settings, changed, initial_settings, load_settings
from console.airflow.command import custody_executable
from console.airflow.dates import FIRST_DATE_VARIABLE, LAST_DATE_VARIABLE
from custody.errors import CustodyError
from schemas.store_keys import CORE_TABLES, OWN_TABLES

Say = Callable[[str], None]
# The bank's own tables, and the core's: HBase namespaces.
OWN, CORE = "custody", "core"
_CORE_PROCESSES = 2
# A killed master is back within a minute on a busy machine, its regions some time later.
_HBASE_GIVE_UP_SECONDS = 300
_INIT_SECONDS = 300


class Service(Protocol):
    """A server that the cluster starts."""

    def start(self) -> None:
        """Returns when it is usable. Raises MachineLacks, ServiceFailed."""

    def stop(self) -> None: ...

    def healthy(self) -> str | None:
        """None, or in words why it cannot be used."""


class Cluster:
    """``name`` tells clusters of one machine apart; ``parallelism``: tasks that Airflow runs at a time.

    ``last_date``: where the schedule of a market of the past ends; None: it catches up to today, as at a bank.
    """

    def __init__(self, name: str, last_date: date | None = None, parallelism: int = 4) -> None:
        self.name = name
        self.folder = state_folder(name)
        self.home = self.folder / "home"
        self.ports = Ports(self.folder)
        self._last_date = last_date
        self._parallelism = parallelism
        self.postgres = Postgres(self.folder / "postgres", self.ports)
        self.hbase = Hbase(self.folder / "hbase", self.ports)
        self.hdfs = Hdfs(self.folder / "hdfs", self.ports)
        self.spark = SparkConnect(self.folder / "spark", self.ports)

    @property
    def settings(self) -> Settings:
        """Of the instance, which `up` makes."""
        return load_settings(self.home)

    @cached_property
    def sshd(self) -> Sshd:
        return Sshd(self.folder / "sshd", self.settings)

    @cached_property
    def airflow(self) -> Airflow:
        dates = {FIRST_DATE_VARIABLE: self.settings.instance.go_live.isoformat()}
        if self._last_date is not None:
            dates[LAST_DATE_VARIABLE] = self._last_date.isoformat()
        return Airflow(self.folder, self.ports, self.postgres.airflow_url, self.home, dates, self._parallelism)

    @property
    def _stores(self) -> dict[str, Service]:
        return {"PostgreSQL": self.postgres, "HBase": self.hbase, "HDFS": self.hdfs, "Spark Connect": self.spark}

    @property
    def _on_instance(self) -> dict[str, Service]:
        """What serves the instance: nothing before it is made."""
        return {"OpenSSH": self.sshd, "Airflow": self.airflow} if (self.home / FILE_NAME).exists() else {}

    def services(self) -> dict[str, Service]:
        """In the order in which they are started."""
        return {**self._stores, **self._on_instance}

    def up(self, bank: str, go_live: date, say: Say) -> None:
        """Start what does not run, and make the instance on first use; repeating it is harmless.

        Raises MachineLacks, ServiceFailed; what was started then still runs, so that its logs and `status` say more.
        """
        require_root()
        # The parties' and PostgreSQL's accounts pass through to what is theirs; nobody else looks in.
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        for private in (self.home, self.folder / "airflow", self.folder / "spark"):
            private.mkdir(exist_ok=True, mode=0o700)
        with ThreadPoolExecutor() as pool:
            # Each waits for its own server most of the time.
            for started in [pool.submit(_start, name, service, say) for name, service in self._stores.items()]:
                started.result()
        self.hbase.create_tables(OWN, OWN_TABLES)
        self.hbase.create_tables(CORE, CORE_TABLES)
        self._make_instance(bank, go_live)
        say(f"instance {self.home}")
        for name, service in self._on_instance.items():
            _start(name, service, say)

    def down(self, say: Say) -> None:
        """Stop everything in order, then take away the accounts and the state folder: nothing is left behind. Repeatable.

        Raises ServiceFailed when something could not be stopped; the rest is, and the state stays.
        """
        require_root()
        left: list[str] = []
        for name, service in reversed(self.services().items()):
            try:
                service.stop()
                say(f"{name} stopped")
            except (ServiceFailed, CustodyError, subprocess.SubprocessError) as error:
                # One that does not stop must not keep the others running.
                left.append(f"{name}: {error}")
        if left:
            raise ServiceFailed("not stopped, and the state kept: " + "; ".join(left))
        if (self.home / FILE_NAME).exists():
            remove_accounts(self.settings)
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def health(self) -> dict[str, str | None]:
        """For each service None, or in words why it cannot be used."""
        return {name: service.healthy() for name, service in self.services().items()}

    def _make_instance(self, bank: str, go_live: date) -> None:
        """By `custody init`, as everywhere, from settings that name the real parts. Raises ServiceFailed with its words."""
        prepared = self.folder / "settings.toml"
        arguments: list[str] = []
        if not (self.home / FILE_NAME).exists():
            prepared.write_text(self._settings_text(bank, go_live), encoding="utf-8")
            arguments = ["--settings", str(prepared)]
        done = subprocess.run(
            [custody_executable(), "init", *arguments, "--json"],
            env={**os.environ, HOME_VARIABLE: str(self.home)},
            capture_output=True,
            text=True,
            timeout=_INIT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceFailed(f"custody init ended {done.returncode}:\n{done.stdout}{done.stderr}")

    def _settings_text(self, bank: str, go_live: date) -> str:
        # System accounts are named for the whole machine: the prefix is this cluster's own, and short, as Linux demands.
        prefix = f"fs{zlib.crc32(self.name.encode()):08x}-"
        return changed(
            initial_settings(bank, go_live, self.ports["sftp"]),
            {
                "register.url": self.postgres.register_url(),
                "stores.lake": f"{self.hdfs.url}/lake",
                "stores.keyed": self.hbase.url(OWN),
                "stores.core": self.hbase.url(CORE),
                "stores.core_processes": _CORE_PROCESSES,
                "hbase.give_up_after_seconds": _HBASE_GIVE_UP_SECONDS,
                "engine.url": self.spark.url,
                "sftp.server": "openssh",
                "sftp.account_prefix": prefix,
                # Beside the instance's folder: every folder above it is root's, as sshd demands.
                "sftp.drop_root": str(self.folder / "drop"),
                "sftp.authorized_keys": str(self.folder / "authorized"),
            },
        )


def _start(name: str, service: Service, say: Say) -> None:
    service.start()
    say(f"{name} is up")
