"""Runs `custody ...` in its own process group: progress is streamed, the result is the last line of its output.

The process contract (design.md §4.9, §5): exit 0 done, 1 findings that need a person, 2 bad input or usage, 3 retry later.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

DONE, FINDINGS, BAD_INPUT, RETRY_LATER = 0, 1, 2, 3
GRACE_SECONDS = 20.0
_POLL_SECONDS = 0.1


class CommandMissing(Exception):
    """The `custody` command is not installed where this process can find it."""


@dataclass(frozen=True)
class Outcome:
    """How the command ended. ``result`` is the JSON object on the last line of its output, None if there was none."""

    exit_code: int
    result: dict[str, Any] | None
    last_line: str


def custody_executable() -> str:
    """The `custody` on PATH, or the one beside this Python: services often start without the environment on PATH."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    found = shutil.which("custody", path=search)
    if found is None:
        raise CommandMissing(f"no command `custody` in {search} / 找不到 custody 命令")
    return found


class Running(Protocol):
    """A started command: what `subprocess.Popen` offers of itself."""

    pid: int
    stderr: IO[bytes] | None

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...


# (arguments, file that takes standard output) -> the command, started as leader of its own process group
Launcher = Callable[[Sequence[str], Path], Running]


def launch_executable(arguments: Sequence[str], output: Path) -> Running:
    """A new `custody` from its executable."""
    with output.open("wb") as stdout:
        return subprocess.Popen(
            [custody_executable(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


_launcher: Launcher = launch_executable


def use_launcher(launcher: Launcher) -> None:
    """Start commands another way in this process (console.airflow.preloaded)."""
    global _launcher
    _launcher = launcher


class CustodyProcess:
    """One run of `custody`; `terminate` ends it and whatever it started (pools, engines)."""

    def __init__(self, arguments: Sequence[str], launch: Launcher | None = None) -> None:
        self.arguments = list(arguments)
        self._launch = launch or _launcher
        self._process: Running | None = None

    def run(self, progress: Callable[[str], None]) -> Outcome:
        """Runs to the end; every line of standard error goes to ``progress`` as it comes."""
        # A file, not a pipe, takes the output: nobody has to read it while standard error is streamed.
        with tempfile.NamedTemporaryFile() as output:
            process = self._process = self._launch(self.arguments, Path(output.name))
            assert process.stderr is not None
            try:
                for line in process.stderr:
                    progress(line.decode("utf-8", "backslashreplace").rstrip("\r\n"))
                code = process.wait()
            finally:
                # Left by an exception (timeout, interrupt): nothing may go on writing behind Airflow's back.
                self.terminate()
                process.stderr.close()
            return _outcome(code, output)

    def terminate(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """TERM to the process group, KILL after the grace time. Does nothing when the command has ended."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        # poll() never blocks on the lock that an interrupted wait() may hold: this runs in signal handlers too.
        until = time.monotonic() + grace_seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        _signal_group(process.pid, signal.SIGKILL)


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return  # the whole group has ended, which is what was wanted


def _outcome(code: int, output: IO[bytes]) -> Outcome:
    output.seek(0)
    lines = [line for line in output.read().decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    try:
        parsed = json.loads(last)
    except json.JSONDecodeError:
        parsed = None
    return Outcome(code, parsed if isinstance(parsed, dict) else None, last)
