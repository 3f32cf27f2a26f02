"""One server process: started in a session of its own, found again by pid and start time, stopped in order.

Its folder keeps ``NAME.pid`` and ``NAME.log``. Nothing here knows which server it is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster.processes import group_members
from connectors.archive import write_durably
from connectors.processes import boot_id, process_start

_POLL_SECONDS = 0.1
_LOG_TAIL_LINES = 25


class ServiceFailed(Exception):
    """A server did not start, or did not become usable in time. The text ends with the last lines of its log."""


@dataclass
class Daemon:
    """``command`` runs as ``user`` and his group of the same name (None: as ourselves) with ``environment`` added to ours.

    A command that is a function is asked when the server is started, so that stopping needs nothing of what starting does.
    """

    name: str
    folder: Path
    command: Sequence[str] | Callable[[], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def pid(self) -> int | None:
        """The pid while the very process that was started is alive, else None."""
        known = self._known()
        return None if known is None or known[1] is None or process_start(known[0]) != known[1] else known[0]

    def start(self) -> None:
        """Start it unless it runs; its output is appended to the log."""
        if self.pid is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                list(self.command() if callable(self.command) else self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                cwd=self.folder,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                start_new_session=True,
            )
        # What has ended already was never anybody else: no start time, and it counts as ended.
        known = {"pid": process.pid, "started": process_start(process.pid), "boot": boot_id()}
        write_durably(self._pid_file, json.dumps(known).encode(), 0o644)

    def stop(self, wait_seconds: float = 60.0) -> None:
        """TERM to the server's process group, KILL after the wait. Does nothing when it has ended."""
        if self._signal(signal.SIGTERM):
            until = time.monotonic() + wait_seconds
            while self._group_alive() and time.monotonic() < until:
                time.sleep(_POLL_SECONDS)
            self._signal(signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """As a crash would: KILL to the whole group; returns when it is gone."""
        self._signal(signal.SIGKILL)
        while self._group_alive():
            time.sleep(_POLL_SECONDS)

    def wait_until(self, usable: Callable[[], str | None], seconds: float) -> None:
        """Ask ``usable`` until it answers None. Raises ServiceFailed when the process ends or the time is over."""
        until = time.monotonic() + seconds
        while (why := usable()) is not None:
            if self.pid is None:
                raise ServiceFailed(f"{self.name} ended before it was usable ({why})\n{self.tail()}")
            if time.monotonic() > until:
                raise ServiceFailed(f"{self.name} is not usable after {seconds:.0f} s ({why})\n{self.tail()}")
            time.sleep(_POLL_SECONDS)

    def tail(self) -> str:
        """The last lines of the log, without what Java's stack traces fill it with."""
        if not self.log.exists():
            return f"({self.log} does not exist)"
        lines = self.log.read_text(encoding="utf-8", errors="backslashreplace").splitlines()
        lines = [line for line in lines if line and not line.startswith("\t")]
        return "\n".join([f"{self.log}:", *lines[-_LOG_TAIL_LINES:]])

    def _signal(self, number: signal.Signals) -> bool:
        """Signal the group; False when nothing of it is left."""
        leader = self._leader()
        if leader is None:
            return False
        try:
            os.killpg(leader, number)
        except ProcessLookupError:
            return False
        return True

    def _leader(self) -> int | None:
        """The group's number, while its leader or, after the leader's end, anything it started is alive."""
        known = self._known()
        if known is None:
            return None
        leader, started = known
        now = process_start(leader)
        # Another process with our leader's number: the group cannot be ours either, since its number was free.
        return None if now is not None and now != started else leader

    def _known(self) -> tuple[int, str | None] | None:
        """Pid and start time of what was started in this boot of the machine."""
        try:
            known = json.loads(self._pid_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return (int(known["pid"]), known["started"]) if known["boot"] == boot_id() else None

    def _group_alive(self) -> bool:
        leader = self._leader()
        return leader is not None and bool(group_members(leader))
