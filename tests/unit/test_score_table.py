"""The scores of many worlds as one table."""

from __future__ import annotations

import json
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from score_table import PROPERTY, main

SOUND = {"planted": 2, "not_due": 1, "found": 1, "late": 0, "missed": 0, "false": 0}
MISSED = {"planted": 1, "not_due": 0, "found": 0, "late": 0, "missed": 1, "false": 2}


def written(folder: Path, *worlds: dict[str, dict[str, int]]) -> tuple[int, Path]:
    cases = "".join(
        f'<testcase name="t"><properties><property name="{PROPERTY}" value={quoteattr(json.dumps(world))}/></properties></testcase>'
        for world in worlds
    )
    junit, out = folder / "junit.xml", folder / "score.json"
    junit.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>", encoding="utf-8")
    return main([str(junit), "--out", str(out)]), out


def test_worlds_are_summed_and_a_miss_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = written(tmp_path, {"txn_amount": SOUND, "total": SOUND}, {"txn_amount": MISSED, "total": MISSED})
    told = json.loads(out.read_text(encoding="utf-8"))
    line = {"planted": 3, "not_due": 1, "found": 1, "late": 0, "missed": 1, "false": 2, "recall": "0.5000", "precision": "0.3333"}
    assert code == 1 and told == {"worlds": 2, "kinds": {"txn_amount": line, "total": line}}
    assert "txn_amount" in capsys.readouterr().out


def test_all_found_ends_with_0_and_nothing_recorded_with_1(tmp_path: Path) -> None:
    assert written(tmp_path, {"txn_amount": SOUND, "total": SOUND})[0] == 0
    assert written(tmp_path)[0] == 1
