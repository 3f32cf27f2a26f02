"""Thousands of mutated files through the real intake (tests/kit/fuzz_intake.py says what must hold): each run in a process of its own, so that
a crash, a hang or a leak is that run's. ``make soak`` sends 2,000 files for each of 25 seeds; CUSTODY_SEEDS=n pytest -k seed7 repeats one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_intake
import pytest
from fuzz_table import PROPERTY, main
from instance_kit import copy_of, seeds

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
FILES = 2_000 if SOAK else 200
# Python, Arrow and the program by themselves take some 200; the largest file that is sent unpacks to 30 MB.
_MOST_MIB = 600


def fuzzed(home: Path, seed: int) -> dict[str, Any]:
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(fuzz_intake.__file__).parent), *sys.path])}
    command = [sys.executable, fuzz_intake.__file__, "--seed", str(seed), "--files", str(FILES), "--home", str(home)]
    done = subprocess.run(command, env={**os.environ, **paths}, capture_output=True, text=True, timeout=1_800)
    assert done.returncode == 0, done.stderr[-3_000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.parametrize("seed", seeds(1), ids="seed{}".format)
def test_whatever_is_sent_nothing_is_lost_and_everything_is_explained(
    seed: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    made = fuzz_intake.instance_of_senders(tmp_path / "made")
    found = fuzzed(copy_of(made, tmp_path / "home"), seed)
    record_property(PROPERTY, json.dumps({name: value for name, value in found.items() if name != "same"}))
    assert found["broken"] == []
    assert found["peak_mib"] < _MOST_MIB and found["slowest_s"] < fuzz_intake.SECONDS_A_FILE
    # A run that refused everything at the door would hold all the same.
    assert found["files"] >= FILES and found["amounts"] > FILES and len(found["rules"]) > 20
    assert {"FILE ACCEPTED", "FILE REFUSED", "SEAL QUARANTINED", "LAND LANDED", "LAND REFUSED"} <= set(found["outcomes"])
    if seed % 5 == 0:
        assert fuzzed(copy_of(made, tmp_path / "again"), seed)["same"] == found["same"]


def test_the_table_sums_and_says_what_did_not_hold(tmp_path: Path) -> None:
    run = {"files": 2, "seals": 1, "bytes": 9, "amounts": 3, "seconds": 1.5, "slowest_s": 0.1, "peak_mib": 200, "broken": []}
    run |= {"mutations": {"truncate": 2}, "outcomes": {}, "rules": {}}
    for broken, code in (([], 0), (["lost: x"], 1)):
        said = "".join(
            f"<testcase><properties><property name='fuzz' value='{json.dumps(one)}'/></properties></testcase>"
            for one in (run, {**run, "slowest_s": 2, "broken": broken})
        )
        junit, out = tmp_path / "junit.xml", tmp_path / "fuzz.json"
        junit.write_text(f"<testsuite>{said}</testsuite>", encoding="utf-8")
        assert main([str(junit), "--out", str(out)]) == code
        found = json.loads(out.read_text(encoding="utf-8"))
        assert (found["files"], found["slowest_s"], found["mutations"], found["broken"]) == (4, 2, {"truncate": 4}, broken)
    junit.write_text("<testsuite/>", encoding="utf-8")
    assert main([str(junit), "--out", str(out)]) == 1
