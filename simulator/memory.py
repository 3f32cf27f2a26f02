"""How much memory a process has taken at most, and how much of the processors' time another one has."""

from __future__ import annotations

import os
import re
from pathlib import Path


def peak_mib(pid: int | None = None) -> int:
    """Of this process or another, in MiB, by the kernel's own count. (On Linux getrusage would also count whoever started us.)"""
    found = re.search(r"VmHWM:\s+([0-9]+) kB", Path(f"/proc/{pid or 'self'}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) // 1024


def cpu_seconds_of(pid: int) -> float:
    """Of a process so far, all its threads together."""
    # After the name, which stands in brackets: user and system time are the fields 14 and 15 of proc(5), in clock ticks.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
