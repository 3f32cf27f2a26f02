"""Debian's OpenSSH server as the drop: SFTP only, each account shut into its home (connectors.system_accounts)."""

from __future__ import annotations

import pwd
import signal
import socket
from functools import cached_property
from pathlib import Path

from cluster.daemon import Daemon
from cluster.machine import require_root
from cluster.processes import descendants, end
from cluster.programs import PKILL, SSHD, require
from connectors.processes import process_user
from connectors.settings import Settings
from connectors.system_accounts import login_group

_START_SECONDS = 20
_BANNER_SECONDS = 5
_END_SECONDS = 20
# sshd's own empty folder, which it demands; Debian's service would make it.
_RUN_FOLDER = Path("/run/sshd")
# Nothing but moving files: no links, no folders, no modes, owners or times, no copying by name.
_REQUESTS = (
    "open", "close", "read", "write", "stat", "lstat", "fstat", "opendir", "readdir", "realpath", "remove", "rename",
    "posix-rename", "fsync", "limits",
)  # fmt: skip


class Sshd:
    """Serves ``settings.sftp``: its host, port, host key and authorized keys. The instance must be made (custody init)."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._config = folder / "sshd_config"

    @cached_property
    def daemon(self) -> Daemon:
        # start() has said what to install where it is missing.
        program = SSHD.path() or SSHD.name
        return Daemon("sshd", self._folder, [program, "-D", "-e", "-f", str(self._config)])

    def start(self) -> None:
        """Returns when it greets. Raises MachineLacks, ServiceFailed."""
        require_root()
        require([SSHD, PKILL])
        _RUN_FOLDER.mkdir(mode=0o755, exist_ok=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(self._configuration(), encoding="utf-8")
        self.daemon.start()
        self.daemon.wait_until(self.healthy, _START_SECONDS)

    def healthy(self) -> str | None:
        if self.daemon.pid is None:
            return "the process has ended"
        sftp = self._settings.sftp
        try:
            with socket.create_connection((sftp.host, sftp.port), timeout=_BANNER_SECONDS) as connection:
                banner = connection.recv(64)
        except OSError as error:
            return f"port {sftp.port}: {error}"
        return None if banner.startswith(b"SSH-2.0-OpenSSH") else f"port {sftp.port} greets with {banner!r}"

    def stop(self) -> None:
        """The server, and whoever is logged in: sessions would outlive it."""
        sessions = self._sessions()
        self.daemon.stop()
        end(sessions, signal.SIGTERM, _END_SECONDS)

    def kill(self) -> None:
        """As a crash would: the server and every session at once."""
        sessions = self._sessions()
        self.daemon.kill()
        end(sessions, signal.SIGKILL, _END_SECONDS)

    def kill_sessions(self, account: str) -> int:
        """KILL to the processes that serve one account; returns how many."""
        uid = pwd.getpwnam(account).pw_uid
        found = [pid for pid in self._sessions() if process_user(pid) == uid]
        end(found, signal.SIGKILL, _END_SECONDS)
        return len(found)

    def _sessions(self) -> list[int]:
        """Every process below the server's: for each log-in one of root's, and those that run as the account."""
        return [] if self.daemon.pid is None else descendants(self.daemon.pid)

    def _configuration(self) -> str:
        sftp, path = self._settings.sftp, self._settings.path
        return f"""\
# Made by cluster/sshd.py at each start.
ListenAddress {sftp.host}:{sftp.port}
HostKey {path(sftp.host_key)}
PidFile none

# Keys only, of this instance's accounts only; the keys lie where no account can write.
AllowGroups {login_group(self._settings)}
AuthorizedKeysFile {path(sftp.authorized_keys)}/%u
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
MaxAuthTries 3
LoginGraceTime {sftp.timeout_seconds}

# A log-in is SFTP in its own root, whatever it asks for.
Subsystem sftp internal-sftp
ForceCommand internal-sftp -u 0027 -p {",".join(_REQUESTS)}
ChrootDirectory %h
DisableForwarding yes
PermitTTY no
PermitUserRC no
PermitTunnel no

ClientAliveInterval {sftp.timeout_seconds}
ClientAliveCountMax 3
LogLevel VERBOSE
"""
