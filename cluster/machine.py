"""What the machine offers: free ports on loopback, and the folder of a cluster's state."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
from pathlib import Path

from connectors.loopback import LOOPBACK, free_port


class MachineLacks(Exception):
    """Something must be installed or permitted first; the text says what and how."""


class Ports:
    """Free ports on loopback, drawn once for each name and kept in ``ports.json``, so that a restarted server keeps its own."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ports.json"

    def __getitem__(self, name: str) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Servers are started side by side: each draw sees the ones before it.
        with self._path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            known: dict[str, int] = json.loads(file.read() or "{}")
            if name not in known:
                while (port := free_port()) in known.values():
                    pass
                known[name] = port
                file.truncate(0)
                file.write(json.dumps(known, indent=1))
        return known[name]


def listens(port: int) -> str | None:
    """None when something accepts connections on this loopback port, else why not, in words."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2):
            return None
    except OSError as error:
        return f"port {port}: {error}"


STATE = Path("/var/lib/fund-supervision")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


def state_folder(name: str) -> Path:
    """Where a cluster of this name keeps its state: below folders that only root writes, as sshd demands of a chroot.

    Raises MachineLacks for a name that could lead elsewhere: the folder is deleted when the cluster is taken away.
    """
    if not _NAME.fullmatch(name):
        raise MachineLacks(f"{name!r} is no cluster's name: small letters, digits and hyphens, 41 at most")
    return STATE / name


def require_root() -> None:
    """Raise MachineLacks: sshd's chroot, the parties' accounts and PostgreSQL's own user take root."""
    if os.geteuid() != 0:
        raise MachineLacks("this needs root: sshd changes its root folder, parties get system accounts, PostgreSQL its own user")
