"""Debian's sshd as the drop for the tests: one server for the run, with accounts of the machine that leave with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from state_kit import server_folder

from cluster.machine import Ports
from cluster.sshd import Sshd
from connectors.drop_accounts import make_server_keys, remove_accounts
from connectors.loopback import LOOPBACK
from connectors.settings import FILE_NAME, Settings, changed, initial_settings, load_settings


@dataclass
class RealSshd:
    """``changes``: the settings of an instance that uses this server. Its home may be made anew, its host key stays."""

    folder: Path
    changes: Mapping[str, str | int]
    server: Sshd

    def fresh_home(self) -> Path:
        """Where the instance goes, empty; the drop is emptied too. The accounts stay, as repeating must not mind."""
        for name in ("home", "drop"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        return self.folder / "home"


@pytest.fixture(scope="session")
def sshd() -> Iterator[RealSshd]:
    with server_folder("sshd") as folder:
        changes: dict[str, str | int] = {
            "sftp.server": "openssh",
            # The run's own, so that no account of the machine is ever met.
            "sftp.account_prefix": f"t{os.getpid()}-",
            "sftp.host": LOOPBACK,
            "sftp.port": Ports(folder)["sshd"],
            "sftp.drop_root": str(folder / "drop"),
            "sftp.host_key": str(folder / "host_key"),
            "sftp.timeout_seconds": 10,
        }
        settings = _settings(folder / "home", changes)
        server = Sshd(folder, settings)
        try:
            make_server_keys(settings)
            server.start()
            yield RealSshd(folder, changes, server)
        finally:
            try:
                server.stop()
            finally:
                remove_accounts(settings)


def _settings(home: Path, changes: Mapping[str, str | int]) -> Settings:
    home.mkdir(parents=True)
    (home / FILE_NAME).write_text(changed(initial_settings("b", date(2019, 12, 30), 0), changes))
    return load_settings(home)
