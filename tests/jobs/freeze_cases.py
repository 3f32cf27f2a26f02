"""Writes the snapshot of a case of each kind anew, after a change of world or words that was meant: make freeze-cases."""

from __future__ import annotations

import tempfile
from pathlib import Path

from case_snapshot import GOLDEN, cases_of_each_kind
from test_score_of_days import FAULTS, ROOMY, run_world

from simulator.simulate import load_faults

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        run_world(Path(folder), load_faults(FAULTS / "all.yaml"), 0, ROOMY)
        GOLDEN.write_text(cases_of_each_kind(Path(folder) / "home"), encoding="utf-8")
    print(GOLDEN)
