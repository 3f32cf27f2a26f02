"""One run of one side in this process: ``python -m bench.worker NAME SIDE FOLDER`` prints its result as one JSON line."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from bench.harness import load


def main(name: str, side: str, folder: str) -> None:
    run = load(name).SIDES[side](Path(folder))
    # Linux gives kibibytes; the embedded engine lives in this process and is counted.
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": run.seconds, "answer": run.answer, "rss_mb": rss_mb}), flush=True)
    # Without the tear-down of an engine that is no longer needed.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
