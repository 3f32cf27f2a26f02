"""Every DAG runs by `dag.test` against a real process, and each exit code means what design.md §5 says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from .conftest import Custody

DAY = "2020-01-01"
DATED = f"--date {DAY} --json"
CALLS = {
    "alert_delivery": ["alert send --json"],
    "custody_day": [
        f"{step} {DATED}" for step in ("cut-off", "land", "validate", "extract", "post", "project", "reconcile", "statement")
    ],
    "custody_fees": [f"fees {DATED}"],
    "fee_charges": [f"fee due {DATED}", f"fee send {DATED}"],
    "file_intake": [
        "collect --json", "compliance filing send --json", "org admit --json", "outbound send --json", "report send --json",
    ],
    "platform_results": [f"results {DATED}"],
    "seal_and_backup": [f"verify --no-store --record {DATED}", "backup --json"],
    "regulatory_reports": [f"report {DATED}", f"close {DATED}"],
    "report_deadlines": [f"report due {DATED}"],
    "risk_alerts": [f"risk {DATED}", f"compliance {DATED}", "alert send --json"],
}  # fmt: skip
ALERT = f"alert raise --rule TASK_FAILED --subject custody_fees.fees {DATED}"


def run(bag: DagBag, dag_id: str, conf: dict[str, Any] | None = None) -> Any:
    """One run by hand; retries come at once, so that a test does not wait for the back-off."""
    dag = bag.dags[dag_id]
    for task in dag.tasks:
        task.retry_delay, task.max_retry_delay = timedelta(0), timedelta(milliseconds=1)
    return dag.test(run_conf={"custody_date": DAY} if conf is None else conf)


def states(dag_run: Any) -> dict[str, str]:
    return {instance.task_id: str(instance.state) for instance in dag_run.get_task_instances()}


@pytest.mark.parametrize("dag_id", sorted(CALLS))
def test_every_dag_runs_its_commands_in_order_for_the_date_it_was_given(bag: DagBag, custody: Custody, dag_id: str) -> None:
    assert run(bag, dag_id).state == "success"
    # Tasks of file_intake do not all wait for each other, so they come in any order.
    assert (sorted if dag_id == "file_intake" else list)(custody.calls()) == CALLS[dag_id]


def test_exit_0_returns_the_last_line_as_result(bag: DagBag, custody: Custody, xcom: Callable[[object, str], object]) -> None:
    assert xcom(run(bag, "custody_fees"), "fees") == {"command": "fees", "findings": 0}


def test_exit_1_succeeds_and_the_log_says_that_a_person_is_needed(
    bag: DagBag, custody: Custody, xcom: Callable[[object, str], object], capfd: pytest.CaptureFixture[str]
) -> None:
    custody.exits("fees", 1)
    done = run(bag, "custody_fees")
    assert done.state == "success"
    assert xcom(done, "fees") == {"command": "fees", "findings": 1}
    log = "".join(capfd.readouterr())
    assert "WITH FINDINGS" in log
    assert log.index("progress one") < log.index("progress two: fees") < log.index("WITH FINDINGS")


def test_exit_2_fails_at_once_and_raises_one_alert(bag: DagBag, custody: Custody) -> None:
    custody.exits("fees", 2)
    assert run(bag, "custody_fees").state == "failed"
    assert custody.calls() == [f"fees {DATED}", ALERT]


def test_exit_3_is_repeated_and_raises_no_alert_when_it_then_succeeds(bag: DagBag, custody: Custody) -> None:
    custody.exits("fees", 3, 3)
    assert run(bag, "custody_fees").state == "success"
    assert custody.calls() == [f"fees {DATED}"] * 3


def test_exit_3_for_ever_fails_after_the_last_retry_and_raises_one_alert(bag: DagBag, custody: Custody) -> None:
    retries = bag.dags["custody_fees"].get_task("fees").retries
    custody.exits("fees", *[3] * (retries + 1))
    assert run(bag, "custody_fees").state == "failed"
    assert custody.calls() == [f"fees {DATED}"] * (retries + 1) + [ALERT]


@pytest.mark.parametrize("code", [0, 1])
def test_a_crash_is_not_taken_for_done_or_findings(bag: DagBag, custody: Custody, code: int) -> None:
    # An uncaught Python error exits with 1, and prints no result.
    custody.prints_no_result("fees")
    retries = bag.dags["custody_fees"].get_task("fees").retries
    custody.exits("fees", *[code] * (retries + 1))
    assert run(bag, "custody_fees").state == "failed"
    assert custody.calls()[-1] == ALERT


def test_a_failed_step_stops_the_day(bag: DagBag, custody: Custody) -> None:
    custody.exits("extract", 2)
    done = run(bag, "custody_day")
    assert done.state == "failed"
    assert states(done)["post"] == "upstream_failed"
    assert [call.split()[0] for call in custody.calls()] == ["cut-off", "land", "validate", "extract", "alert"]


@pytest.mark.parametrize("said", ["2020-02-30", "tomorrow", "2999-01-01"])
def test_a_wrong_date_runs_nothing_and_is_not_retried(bag: DagBag, custody: Custody, said: str) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    try:
        done = run(bag, "custody_fees", {"custody_date": said})
    except ParamValidationError:
        assert custody.calls() == []  # refused before a run was made
        return
    assert done.state == "failed"
    (call,) = custody.calls()
    assert call.startswith("alert raise --rule TASK_FAILED --subject custody_fees.fees --date ")


def test_the_custody_day_by_hand_takes_the_day_that_ended(bag: DagBag, custody: Custody) -> None:
    from console.airflow.dates import today_utc8

    before = today_utc8()
    assert run(bag, "custody_day", {}).state == "success"
    assert {call.split()[2] for call in custody.calls()} <= {str(day - timedelta(days=1)) for day in (before, today_utc8())}


def test_a_follower_by_hand_without_a_date_is_refused(bag: DagBag, custody: Custody) -> None:
    assert run(bag, "custody_fees", {}).state == "failed"
    assert [call.split()[0] for call in custody.calls()] == ["alert"]


def test_the_event_for_the_next_dag_carries_the_custody_date(bag: DagBag, custody: Custody) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    done = run(bag, "custody_day")
    with create_session() as session:
        (event,) = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == done.run_id)).all()
        assert event.extra == {"custody_date": DAY}
        assert event.partition_key == DAY
        assert event.source_task_id == "statement"


def test_killing_a_task_ends_the_whole_process_group(custody: Custody) -> None:
    from console.airflow.command import CustodyProcess

    custody.sleeps("land", 60)
    process = CustodyProcess(["land"])
    lines: list[str] = []
    outcomes: list[int] = []
    thread = threading.Thread(target=lambda: outcomes.append(process.run(lines.append).exit_code))
    thread.start()
    until = time.monotonic() + 10
    while len(lines) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    started = time.monotonic()
    process.terminate()
    thread.join(10)
    assert time.monotonic() - started < 5
    assert outcomes == [-signal.SIGTERM]


def test_the_day_runner_runs_dags_in_order_quietly_and_stops_at_the_first_failure(custody: Custody) -> None:
    custody.exits("risk", 3)
    code = (
        "from datetime import date; from console.airflow.day_runner import run_dags\n"
        "done = run_dags(['custody_fees', 'risk_alerts', 'regulatory_reports'], date(2020, 1, 1))\n"
        "print([(dag_id, state) for dag_id, state, _ in done])"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    first, *_, last = shown.stdout.splitlines()
    assert first.startswith(f"{DAY} custody_fees: success, ")
    assert last == "[('custody_fees', 'success'), ('risk_alerts', 'failed')]"
    assert "progress" not in shown.stdout + shown.stderr
    assert custody.calls()[:2] == [f"fees {DATED}", f"risk {DATED}"]
    log = Path(os.environ["AIRFLOW_HOME"]) / "logs" / "day_runner.log"
    assert "progress two: risk" in log.read_text(encoding="utf-8")


def test_the_day_runner_refuses_an_unknown_dag(bag: DagBag) -> None:
    from console.airflow.day_runner import DagsBroken, run_dags

    with pytest.raises(DagsBroken, match="no_such_dag"):
        run_dags(["no_such_dag"], date(2020, 1, 1))
