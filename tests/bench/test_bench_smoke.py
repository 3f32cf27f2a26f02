"""Every benchmark runs at a small size, its sides agree, and build/bench.json has the form that others read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.harness import AnswersDiffer, same_answers
from bench.match import SIDES as MATCHERS
from bench.match import prepare
from bench.post import SIDES as POSTERS
from bench.post import prepare as post_day

ROOT = Path(__file__).parents[2]
# All five faults of the match lie within the first rows.
ROWS = 6_000


def test_every_benchmark_leaves_its_figures(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    names = ("digest", "land", "store", "simulate", "project")
    command = [sys.executable, "-m", "bench", *names, "--rows", str(ROWS), "--runs", "1", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert [figure["name"] for figure in figures] == [
        "digest",
        "land",
        "store_put",
        "store_scan",
        "simulate",
        "project",
        "project_put",
    ]
    for figure in figures:
        assert list(figure) == ["name", "peer", "rows", "ours_s", "peer_s", "ratio", "rss_mb"]
        assert figure["rows"] == ROWS and figure["ours_s"] > 0 and figure["peer_s"] > 0 and 10 < figure["rss_mb"] < 4_000
    assert list((tmp_path / "bench").iterdir()) == []


def test_the_matchers_agree_class_by_class(tmp_path: Path) -> None:
    prepare(tmp_path, ROWS)
    answers = {side: run(tmp_path).answer for side, run in MATCHERS.items()}
    # Numbers 1 to 5 and 5001 to 5005 are not clean: pairs of two items, a lone one, and a key that stands three times.
    wrong = {"AMOUNT": 4, "UNAUTHORISED": 2, "MISSING_IN_PLATFORM": 2, "DUPLICATE": 6, "WRONG_ACCOUNT": 4}
    assert len(answers) == 3
    for side, answer in answers.items():
        assert answer == {"MATCHED": 2 * (ROWS - 10), **wrong}, side


def test_sides_that_differ_are_not_compared() -> None:
    found = {
        "ours": [{"answer": {"rows": 2}}, {"answer": {"rows": 2}}],
        "peer": [{"answer": {"rows": 2}}, {"answer": {"rows": 1}}],
    }
    with pytest.raises(AnswersDiffer, match="ours found {'rows': 2}, peer found {'rows': 1}"):
        same_answers("store", found)
    same_answers("store", {"ours": found["ours"], "peer": found["peer"][:1]})


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "nothing", "--out", str(tmp_path / "bench.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "match, digest, land, store" in done.stderr


def test_a_customer_and_a_loan_are_looked_up_in_milliseconds(tmp_path: Path) -> None:
    """A hundred statements and a 1,000-lender loan's life, with the answers that DuckDB has; roomy bounds, for a busy machine."""
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench", "lookup", "--rows", "5000", "--runs", "1", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    statements, loan = json.loads(out.read_text(encoding="utf-8"))
    assert (statements["name"], loan["name"]) == ("lookup_100_statements", "lookup_loan")
    assert statements["rows"] == loan["rows"] == 6_006
    assert statements["ours_s"] / 100 < 0.02 and statements["ratio"] < 1
    assert loan["ours_s"] < 3


def test_what_is_posted_is_what_sums_give(tmp_path: Path) -> None:
    assert post_day(tmp_path, ROWS) == 2 * 4_502
    answers = [run(tmp_path).answer for run in POSTERS.values()]
    same_answers("post", {side: [{"answer": answer}] for side, answer in zip(POSTERS, answers, strict=True)})
    assert int(str(answers[0]["accounts"])) > 2_000
