"""Every benchmark runs at a small size, its sides agree, and build/bench.json has the form that others read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.compliance import SIDES as WATCHERS
from bench.compliance import prepare as compliance_day
from bench.compliance_day import DAY
from bench.fees import SIDES as RATERS
from bench.fees import prepare as fees_of_a_day
from bench.funds import SIDES as TRACERS
from bench.funds import prepare as funds_of_weeks
from bench.harness import AnswersDiffer, same_answers
from bench.post import SIDES as POSTERS
from bench.post import prepare as post_day
from bench.reconcile import ON_SPARK
from bench.reconcile import SIDES as RECONCILERS
from bench.reconcile import prepare as reconcile_day
from bench.risk import SIDES as ASSESSORS
from bench.risk import prepare as risk_of_a_day
from bench.statements import SIDES as STATEMENTS
from bench.statements import prepare as prepare_statements
from bench.sweep import SIDES as SWEEPERS
from bench.sweep import prepare as prepare_sweep
from connectors.bootstrap import wire
from jobs.compliance.day import ComplianceDay
from jobs.compliance.step import assess
from jobs.compliance.weeks import Weeks
from jobs.reference import load_reference
from jobs.step import Step, StepContext, run_step

ROOT = Path(__file__).parents[2]
# All faults of the day to be reconciled lie within the first rows.
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


def test_a_day_is_reconciled_as_its_peers_match_it(tmp_path: Path) -> None:
    assert reconcile_day(tmp_path, ROWS) == ROWS
    # That both engines seal the same is tests/jobs/test_engines_agree.py's to say.
    answers = {side: run(tmp_path).answer for side, run in RECONCILERS.items() if side != ON_SPARK}
    # Of each 5,000 legs six are claimed wrongly; besides, each of 37 platforms claims the money for its bonuses.
    kinds = {"AMOUNT": 2, "DIRECTION": 2, "DUPLICATE": 2, "MISSING_IN_PLATFORM": 4, "UNAUTHORISED": 2, "WRONG_ACCOUNT": 2}
    assert len(answers) == 5
    for side, answer in answers.items():
        assert answer == {"MATCHED": ROWS + 37 - 12, **kinds}, side


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
    assert done.returncode == 2 and "reconcile, reconcile_growth, digest, land" in done.stderr


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


def test_loans_money_reaches_what_a_recursive_query_reaches(tmp_path: Path) -> None:
    rows = funds_of_weeks(tmp_path, 100_000)
    assert rows > 90_000
    answers = [run(tmp_path).answer for run in TRACERS.values()]
    same_answers("funds", {side: [{"answer": answer}] for side, answer in zip(TRACERS, answers, strict=True)})
    # A hundred loans: the first of each hundred repays the second.
    assert answers[0]["repaid"] == 1


def test_a_sweep_of_organisations_takes_and_lands_what_was_sent(tmp_path: Path) -> None:
    assert prepare_sweep(tmp_path, 3) == 3 * 6
    answers = [run(tmp_path).answer for run in SWEEPERS.values()]
    assert answers[0] == answers[1] == {"files": 18, "rows": 3 * 90}


def test_a_day_of_fees_is_rated_as_sql_by_hand_rates_it(tmp_path: Path) -> None:
    assert fees_of_a_day(tmp_path, 4_000) == 4_000
    answers = [run(tmp_path).answer for run in RATERS.values()]
    assert answers[0] == answers[1]
    # Of each platform: its balance, flat fee, recharges and withdrawals; and no more than these two accrue.
    assert answers[0]["fee_accruals"][0] == 2 and answers[0]["fee_lines"][0] == 8 and answers[0]["net_minor"] > 0


def test_statements_are_written_as_their_peer_writes_them(tmp_path: Path) -> None:
    prepare_statements(tmp_path, 500)
    answers = {side: run(tmp_path).answer for side, run in STATEMENTS.items()}
    assert answers["ours"] == answers["DuckDB to CSV"]
    assert answers["ours"]["lines"] == 1 + 4 * 500


def test_a_day_of_compliance_finds_what_sql_by_hand_finds(tmp_path: Path) -> None:
    assert compliance_day(tmp_path, ROWS) == ROWS
    answers = {side: run(tmp_path).answer for side, run in WATCHERS.items()}
    same_answers("compliance", {side: [{"answer": answer}] for side, answer in answers.items()})
    assert {"large_value", "limit_on_platform", "rate_cap", "shared_contact"} <= answers["ours"]["findings"].keys()
    # In whatever shares it looks at the day, all tables are the same.
    wiring = wire(tmp_path / "home")
    sealed, held = [], list[tuple[int, int]]()
    for share_rows in (1 << 20, 700, 50):

        def in_shares(context: StepContext, share_rows: int = share_rows) -> None:
            day = ComplianceDay(context, load_reference(context), share_rows)
            assess(day)
            windows = Weeks(day).windows()
            held.append((max(window.num_rows for _, window in windows), day.rows_looked_back_to))

        result = run_step(wiring, Step("compliance", in_shares), DAY, "bench", f"shares of {share_rows}")
        assert wiring.lake.verify(result.seal.path, result.seal.manifest_digest) == []
        sealed.append((result.tables, len(wiring.lake.parts(result.seal.path, "account_days"))))
    wiring.close()
    assert sealed[0][0] == sealed[1][0] == sealed[2][0] and [parts for _, parts in sealed] == [1, 2, 2]
    # Of thirty days in which nearly everybody moved the rows of few are in memory.
    assert all(0 < most < rows / 20 and rows > 4 * ROWS for most, rows in held), held


def test_a_day_of_risk_is_as_sql_by_hand_tells_it(tmp_path: Path) -> None:
    assert risk_of_a_day(tmp_path, 22_000) == 22_000
    answers = [run(tmp_path).answer for run in ASSESSORS.values()]
    assert answers[0] == answers[1]
    assert all(rows for rows, _ in answers[0].values())


# A few platforms and days; each page is asked for once after the first time.
PAGES = """
import json, sys
from pathlib import Path
from bench import day_page
day_page._DAYS, day_page._ASKED = 4, 1
day_page.prepare(Path(sys.argv[1]), 5)
print(json.dumps([side(Path(sys.argv[1])).answer for side in day_page.SIDES.values()]))
"""


def test_pages_of_thousands_of_platforms_count_what_sql_counts(tmp_path: Path) -> None:
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow")}
    done = subprocess.run([sys.executable, "-c", PAGES, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    ours, theirs = json.loads(done.stdout.splitlines()[-1])
    assert ours == theirs and set(ours) == {"arrived", "alerts", "loans", "one"} and all(ours.values())
