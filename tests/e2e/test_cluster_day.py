"""One custody day through Airflow's scheduler on the real parts, from the SFTP drop to the report: what it seals is what the
embedded run of the same day seals, digest for digest. Started and stopped as a person does it, and nothing is left behind."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from instance_kit import MONTHLY, Instance, draft_only, make_instance, make_world, opened

from cluster.airflow_client import AirflowClient
from cluster.cluster import Cluster
from custody.steps import STEPS
from simulator.faults import FaultRequest

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
# The year's last day: the month's report is drafted on the very first day.
DAY = date(2019, 12, 31)
FAULTS = ("txn_missing", "txn_amount", "txn_unauthorised", "txn_wrong_account", "core_amount", "balance_wrong", "txn_status")
# Two cores run the scheduler, its tasks and every server.
DAG_SECONDS = 600
CLUSTER_SECONDS = 900
CUSTODY_SECONDS = 300
INTAKE, DAY_RUN = "file_intake", "custody_day"
BY_ASSET = ("custody_fees", "risk_alerts", "platform_results", "regulatory_reports")


def make(target: str, name: str) -> str:
    command = ["make", target, f"NAME={name}", f"GO_LIVE={DAY}", f"LAST_DATE={DAY}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=CLUSTER_SECONDS, check=False)
    assert done.returncode == 0, f"make {target} ended {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    faults = [FaultRequest(kind, 1, DAY) for kind in FAULTS]
    return make_world(tmp_path_factory.mktemp("world"), faults, seed=7, days=1, start=DAY)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster(f"day-{os.getpid()}")
    # Whatever did not start, what did is stopped.
    try:
        make("cluster-up", made.name)
        # As the embedded instance that it is compared with.
        draft_only(made.home, MONTHLY)
        prefix = made.settings.sftp.account_prefix
        assert accounts(prefix) and processes(made)
        yield made
    finally:
        make("cluster-down", made.name)
    assert not made.folder.exists()
    assert accounts(prefix) == []
    assert processes(made) == []


def accounts(prefix: str) -> list[str]:
    names = [*(account.pw_name for account in pwd.getpwall()), *(group.gr_name for group in grp.getgrall())]
    return [name for name in names if name.startswith(prefix)]


def processes(cluster: Cluster) -> list[str]:
    """Command lines of whatever runs on the cluster's state: every server has its folder among its arguments or as its own."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where, words = (process / "cwd").readlink(), (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended while we looked
        if str(cluster.folder) in words or where.is_relative_to(cluster.folder):
            found.append(words)
    return found


def custody(cluster: Cluster, *arguments: str) -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name("custody")), *arguments, "--json"]
    environment = {**os.environ, "CUSTODY_HOME": str(cluster.home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=CUSTODY_SECONDS, check=False)
    assert done.returncode in (0, 1), f"custody {' '.join(arguments)} ended {done.returncode}: {done.stderr}"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def seals(instance: Instance) -> dict[str, tuple[str, dict[str, int]]]:
    """Step -> content digest and rows of each table."""
    found = {}
    for row in instance.find("step_output", custody_date=DAY):
        assert row["version"] == 1
        tables = instance.wiring.lake.manifest(row["path"]).tables
        found[row["step"]] = (row["manifest_digest"], {name: table["rows"] for name, table in tables.items()})
    return found


def as_found(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("turn", "duty", "answer_by")} for row in alerts]


def test_a_day_through_the_scheduler_seals_what_the_embedded_run_seals(cluster: Cluster, world: Path, tmp_path: Path) -> None:
    proposed = custody(cluster, "org", "onboard", "--from", str(world), "--as", "maker", "--note", "test")
    for number in proposed["proposals"].values():
        custody(cluster, "proposal", "approve", number, "--as", "checker", "--note", "test")
    custody(cluster, "deliver", "--from", str(world), "--date", str(DAY))

    airflow = cluster.airflow.client("maker")
    airflow.wait_for_dags([INTAKE, DAY_RUN, *BY_ASSET], DAG_SECONDS)
    intake = airflow.trigger(INTAKE)
    for dag_id in (INTAKE, *BY_ASSET):
        airflow.unpause(dag_id)
    assert airflow.wait_for_run(INTAKE, intake, DAG_SECONDS) == "success", airflow.task_states(INTAKE, intake)
    # The schedule's own first run: catch-up begins at the instance's first day.
    airflow.unpause(DAY_RUN)
    run = first_run(airflow, DAY_RUN)
    assert airflow.wait_for_run(DAY_RUN, run, DAG_SECONDS) == "success", airflow.task_states(DAY_RUN, run)
    for dag_id in BY_ASSET:
        run, state = airflow.wait_for_run_of(dag_id, DAY, DAG_SECONDS)
        assert state == "success", (dag_id, airflow.task_states(dag_id, run))

    # The same keys, so that a person has the same number; else nothing in common but the parties' files.
    shutil.copytree(cluster.home / "keys", tmp_path / "embedded" / "keys")
    embedded = make_instance(tmp_path / "embedded", world, DAY, reports=MONTHLY)
    with opened(embedded) as instance:
        instance.deliver(world, DAY)
        instance.run_day(DAY)
        expected = seals(instance)
        expected_rows = instance.register_rows()
        expected_store = instance.keyed_rows()
    assert set(expected) == set(STEPS)
    assert expected["reconcile"][1]["breaks"] >= len(FAULTS)
    with opened(cluster.home) as instance:
        assert seals(instance) == expected
        assert instance.damage() == []
        assert instance.keyed_rows() == expected_store
        assert instance.register_rows()["recon_case"] == expected_rows["recon_case"]
        # Here people were told of them, so that it is somebody's turn to answer.
        assert as_found(instance.register_rows()["alert"]) == as_found(expected_rows["alert"])
    # What people get: the platforms' answers lie in the drop, the report in the lake.
    outbound = cluster.folder / "drop" / "P001" / "out"
    assert {path.name.split("_")[1] for path in outbound.iterdir()} >= {"RECEIPT", "RECON", "VALIDATION"}
    reports = {row["name"] for row in custody(cluster, "report", "list", "--files")["reports"]}
    assert any(name.endswith(".xlsx") for name in reports)


def first_run(airflow: AirflowClient, dag_id: str) -> str:
    until = time.monotonic() + DAG_SECONDS
    while not (runs := airflow.runs(dag_id)):
        assert time.monotonic() < until, f"{dag_id} was not scheduled"
        time.sleep(1)
    run: str = runs[-1]["dag_run_id"]
    return run
