"""Whether a process that was once seen is still the same one (its pid alone may have been given to another since), and ending with one."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

# Of Linux's prctl: the signal that a process gets when its parent ends, whatever ended it.
_PR_SET_PDEATHSIG = 1


def boot_id() -> str:
    """One boot of this machine: pids and start times mean something within it only."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def process_start(pid: int) -> str | None:
    """The start time of a process in clock ticks after boot, None when it has ended; pid and start name one process of a boot."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # A process that has ended and waits for its parent to collect it holds nothing any more.
    return None if fields[0] == "Z" else fields[19]


def process_user(pid: int) -> int | None:
    """The uid that a process runs as, None when it has ended. Not the owner of its /proc folder: sshd's is always root's."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    (real,) = [line.split()[1] for line in status.splitlines() if line.startswith("Uid:")]
    return int(real)


def end_with(parent: int) -> None:
    """From now on this process is killed when the thread that started it ends, whatever ends it; ``parent``: that one's process."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL)):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent:
        # It ended before we could ask.
        os.kill(os.getpid(), signal.SIGKILL)
