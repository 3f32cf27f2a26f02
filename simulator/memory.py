"""How much memory this process has taken at most."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mib() -> int:
    """In MiB, by the kernel's own count. (On Linux getrusage would also count whoever started us.)"""
    found = re.search(r"VmHWM:\s+([0-9]+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) // 1024
