"""What Prometheus is told: figures of register and seals as they are, over the page's app and by the command line alike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from instance_kit import GO_LIVE, opened
from pages_kit import Desk
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from console.cli import app
from custody.calendar import ONE_DAY, custody_date_of

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def figures(text: str) -> Figures:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_are_the_registers_and_the_seals(desk: Desk) -> None:
    answer = desk.get("metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    told = figures(answer.text)
    with opened(desk.home) as instance:
        today = custody_date_of(instance.wiring.clock.now())
        cases = Counter((c["kind"], c["severity"]) for c in instance.find("recon_case") if c["state"] != "CLOSED")
        proof = instance.lake_rows(GO_LIVE, "reconcile", "proof")
        files = Counter(f["state"] for f in instance.find("file"))
        steps = {r["step"] for r in instance.find("step_output", custody_date=GO_LIVE + ONE_DAY)}
    assert told["custody_day_lag_days", ()] == (today - GO_LIVE).days
    assert told["custody_days_not_closed", ()] == 1 and told["custody_proof_holds", ()] == 1
    assert cases and files
    for (kind, severity), number in cases.items():
        assert told["custody_cases_open", (("kind", kind), ("severity", severity))] == number
    for state, number in files.items():
        assert told["custody_files", (("state", state),)] == number
    for row in proof:
        for bucket in ("matched", "broken", "carried", "rejected", "withdrawn"):
            key = (("bucket", bucket), ("relation", row["relation"]), ("side", row["side"]))
            assert told["custody_rows", key] == row[bucket]
    assert {dict(labels)["step"] for name, labels in told if name == "custody_step_committed_timestamp_seconds"} == steps
    assert all(value >= 0 for value in told.values())


def test_the_command_line_says_the_same_and_leaves_a_whole_file(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "custody.prom"
    done = CliRunner().invoke(app, ["metrics", "--out", str(out)], env={"CUSTODY_HOME": str(desk.home)})
    assert done.exit_code == 0 and [p.name for p in tmp_path.iterdir()] == ["custody.prom"]
    by_age = "custody_decision_oldest_seconds"
    assert {k: v for k, v in figures(out.read_text()).items() if k[0] != by_age} == {
        k: v for k, v in figures(desk.get("metrics").text).items() if k[0] != by_age
    }


def test_no_figure_without_a_log_in_that_may(desk: Desk) -> None:
    desk.who = "zhang"
    assert desk.get("metrics").status_code == 403
