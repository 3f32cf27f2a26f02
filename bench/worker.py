"""One run of one side in this process: ``python -m bench.worker NAME SIDE FOLDER`` prints its result as one JSON line."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from bench.harness import load


def main(name: str, side: str, folder: str) -> None:
    run = load(name).SIDES[side](Path(folder))
    print(json.dumps({"seconds": run.seconds, "answer": run.answer, "rss_mb": run.rss_mb or _peak_mib()}), flush=True)
    # Without the tear-down of an engine that is no longer needed.
    os._exit(0)


def _peak_mib() -> int:
    """Peak memory of this program; the embedded engine lives in it. (On Linux getrusage also counts whoever started us.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+([0-9]+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
