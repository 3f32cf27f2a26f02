"""One run of one side in this process: ``python -m bench.worker NAME SIDE FOLDER`` prints its result as one JSON line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bench.harness import load
from simulator.memory import peak_mib


def main(name: str, side: str, folder: str) -> None:
    run = load(name).SIDES[side](Path(folder))
    print(json.dumps({"seconds": run.seconds, "answer": run.answer, "rss_mb": run.rss_mb or peak_mib()}), flush=True)
    # Without the tear-down of an engine that is no longer needed.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
