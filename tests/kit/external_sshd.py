"""A party's own SFTP host: Debian's sshd with a configuration of its own, into which the bank's collector logs in."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cluster.processes import descendants
from cluster.programs import SSHD
from connectors.loopback import LOOPBACK, free_port
from connectors.ssh_keys import make_key, public_key_line

_START_SECONDS = 10


@dataclass
class ExternalSshd:
    """``denied``: requests that its SFTP server refuses; ``options``: more lines of its configuration. Started by `start`."""

    folder: Path
    client_key: str
    denied: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        for name in ("to_bank", "from_bank"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        make_key(self.folder / "host_key")
        (self.folder / "authorized").write_text(f"{self.client_key}\n")

    @property
    def inbound(self) -> Path:
        """From which the bank fetches."""
        return self.folder / "to_bank"

    @property
    def outbound(self) -> Path:
        return self.folder / "from_bank"

    def terms(self, claim: str = "RENAME") -> dict[str, object]:
        """As a contract names it."""
        return {
            "host": LOOPBACK, "port": self.port, "user": "root", "host_key": public_key_line(self.folder / "host_key"),
            "inbound": str(self.inbound), "outbound": str(self.outbound), "claim": claim,
        }  # fmt: skip

    def start(self) -> ExternalSshd:
        denied = f" -P {self.denied}" if self.denied else ""
        lines = {
            "ListenAddress": f"{LOOPBACK}:{self.port}",
            "HostKey": str(self.folder / "host_key"),
            "PidFile": "none",
            "AuthorizedKeysFile": str(self.folder / "authorized"),
            "AuthenticationMethods": "publickey",
            "PermitRootLogin": "prohibit-password",
            "UsePAM": "no",
            "StrictModes": "no",
            "Subsystem": f"sftp internal-sftp{denied}",
            "ForceCommand": f"internal-sftp{denied}",
            **self.options,
        }
        config = self.folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        program = SSHD.path() or SSHD.name
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stderr=log, stdin=subprocess.DEVNULL)
        until = time.monotonic() + _START_SECONDS
        while b"Server listening" not in (self.folder / "log").read_bytes():
            assert self._process.poll() is None and time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.02)
        return self

    def hang(self) -> None:
        """It takes connections, as the system does for it, and never says a word."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def kill_sessions(self) -> None:
        assert self._process is not None
        _kill(descendants(self._process.pid))

    def stop(self) -> None:
        if self._process is not None:
            sessions = descendants(self._process.pid)
            self._process.kill()
            self._process.wait()
            _kill(sessions)
            self._process = None


def _kill(pids: Iterable[int]) -> None:
    """With a session's process its own children end: what is gone already is as wished."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
