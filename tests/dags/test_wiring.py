"""What every DAG must have, and the order of the day (design.md §6)."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DAG_FILES = sorted((Path(__file__).resolve().parents[2] / "dags").glob("*.py"))
DAG_IDS = [
    "alert_delivery", "case_approvals", "custody_day", "custody_fees", "customer_maintenance", "fee_approvals", "fee_charges", "file_intake", "master_data_approvals", "platform_results", "regulatory_reports", "report_deadlines", "report_releases", "restatement", "risk_alerts", "rule_approvals", "seal_and_backup",
]  # fmt: skip
PROPOSAL = "{{ (dag_run.conf or {}).get('proposal_id', '') }}"
# The words of each command; a person's answer has none.
CHAINS = {
    "alert_delivery": ["alert send"],
    "case_approvals": [f"proposal show {PROPOSAL}", "ask", "proposal"],
    "fee_approvals": [f"proposal show {PROPOSAL}", "ask", "proposal", "fee send"],
    "custody_day": ["cut-off", "land", "validate", "extract", "post", "project", "reconcile", "statement"],
    "custody_fees": ["fees"],
    "customer_maintenance": [f"proposal show {PROPOSAL}", "ask", "proposal", f"customer carry-out {PROPOSAL}"],
    "fee_charges": ["fee due", "fee send"],
    "file_intake": ["collect", "org admit", "outbound send", "report send", "compliance filing send"],
    "master_data_approvals": [f"proposal show {PROPOSAL}", "ask", "proposal"],
    "platform_results": ["results"],
    "regulatory_reports": ["report", "close"],
    "report_deadlines": ["report due"],
    "report_releases": [f"proposal show {PROPOSAL}", "ask", "proposal", "report send"],
    "restatement": [f"proposal show {PROPOSAL}", "ask", "proposal"],
    "risk_alerts": ["risk", "compliance", "alert send"],
    "seal_and_backup": ["verify --no-store --record", "backup"],
    "rule_approvals": [f"proposal show {PROPOSAL}", "ask", "proposal"],
}
# What is owed to a party does not wait for what came.
FORKS: dict[tuple[str, str], set[str]] = {
    ("file_intake", "collect"): {"log_ins"},
    ("file_intake", "log_ins"): set(),
    ("file_intake", "outbound"): {"reports", "filings"},
    ("file_intake", "reports"): set(),
}
# (emits, listens to): the assets that carry a custody date from one DAG to the next
ASSETS: dict[str, tuple[set[str], set[str]]] = {
    "alert_delivery": (set(), set()),
    "case_approvals": (set(), set()),
    "fee_approvals": (set(), set()),
    "fee_charges": (set(), set()),
    "custody_day": ({"day_reconciled"}, set()),
    "custody_fees": ({"fees_accrued"}, {"day_reconciled"}),
    "customer_maintenance": (set(), set()),
    "file_intake": (set(), set()),
    "master_data_approvals": (set(), set()),
    "platform_results": (set(), {"day_reconciled"}),
    "regulatory_reports": ({"day_closed"}, {"fees_accrued", "risk_assessed"}),
    "report_deadlines": (set(), set()),
    "report_releases": (set(), set()),
    "restatement": (set(), set()),
    "risk_alerts": ({"risk_assessed"}, {"day_reconciled"}),
    "rule_approvals": (set(), set()),
    "seal_and_backup": (set(), {"day_closed"}),
}


def test_every_dag_imports_and_none_is_missing(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert sorted(bag.dags) == DAG_IDS
    assert len(DAG_FILES) == len(DAG_IDS)


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_every_dag_tells_an_operator_what_to_do_and_whom_to_warn(bag: DagBag, dag_id: str) -> None:
    from console.airflow.alerts import task_failed

    dag = bag.dags[dag_id]
    assert "custody" in dag.tags
    for text in (dag.description, dag.doc_md):
        assert text is not None
        assert any("\u4e00" <= char <= "\u9fff" for char in text), "no Chinese"
    assert "### When it fails" in dag.doc_md
    assert "### 失败时" in dag.doc_md
    assert "custody " in dag.doc_md, "the command to run by hand"
    # A run that waits for a person's answer holds up no other.
    assert (dag.max_active_runs == 1) == ("approval" not in dag.tags)
    (deadline,) = dag.deadline
    assert deadline.interval.total_seconds() > 0
    assert deadline.callback.path == "console.airflow.alerts.deadline_missed"
    for task in dag.tasks:
        assert task.owner == "custody-operations"
        assert task.retries >= 3
        assert task.retry_exponential_backoff > 1
        assert task.on_failure_callback == [task_failed]


def test_what_works_on_a_day_waits_in_one_pool_and_nothing_else_does(bag: DagBag) -> None:
    from console.airflow.pools import DAY

    waits = {" ".join(task.command) for dag in bag.dags.values() for task in dag.tasks if task.pool == DAY}
    assert waits == {*CHAINS["custody_day"], *CHAINS["custody_fees"], "report", "close", "risk", "compliance", "backup"}


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_the_tasks_are_one_chain_in_the_order_of_the_steps(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    ordered = dag.topological_sort()
    assert [" ".join(getattr(task, "command", (task.task_id,))) for task in ordered] == CHAINS[dag_id]
    for earlier, later in itertools.pairwise(ordered):
        assert earlier.downstream_task_ids == FORKS.get((dag_id, earlier.task_id), {later.task_id})


def test_every_task_says_all_that_its_command_asks_for(bag: DagBag) -> None:
    """Tests of runs play the executable; here the real command line says what it cannot do without."""
    import typer.main

    from console.cli import app

    for dag in bag.dags.values():
        for task in (one for one in dag.tasks if hasattr(one, "command")):
            words, command = [*task.command], typer.main.get_command(app)
            while words and words[0] in getattr(command, "commands", {}):
                command = command.commands[words.pop(0)]
            asked = {name for one in command.params if one.required for name in one.opts if name.startswith("-")}
            assert asked <= {*words, *(["--date"] if task.dated else [])}, (dag.dag_id, task.command)


def named(condition: Any) -> set[str]:
    """The names of the assets in a schedule's condition."""
    if not condition:
        return set()
    return {condition.name} if hasattr(condition, "name") else {asset.name for asset in condition.objects}


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_the_assets_join_the_dags_and_only_a_last_task_emits(bag: DagBag, dag_id: str) -> None:
    from airflow.sdk import AssetAll

    dag = bag.dags[dag_id]
    emits, listens = ASSETS[dag_id]
    assert {outlet.name for task in dag.tasks for outlet in task.outlets} == emits
    # Alerts may leave later than the day goes on: sending them is nobody's input.
    assert all(task.downstream_task_ids <= {"send"} for task in dag.tasks if task.outlets)
    condition = dag.timetable.asset_condition
    assert named(condition) == listens
    assert len(listens) < 2 or isinstance(condition, AssetAll), "each of them, not any"


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_a_dag_file_holds_wiring_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = ("airflow.sdk", "console.airflow", "datetime", "__future__")
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Import), f"{path.name}: plain import"
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.module.startswith(allowed), f"{path.name} imports {node.module}"
        assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.If, ast.For, ast.While, ast.Try)), path.name


def test_the_dag_folder_is_no_package() -> None:
    assert not (DAG_FILES[0].parent / "__init__.py").exists()


def test_importing_the_dags_loads_nothing_heavy(airflow_home: Path) -> None:
    heavy = ["pyspark", "pandas", "pyarrow", "great_expectations", "lmdb", "custody.services", "jobs", "connectors"]
    code = (
        "import sys, runpy\n"
        f"for name in {[str(path) for path in DAG_FILES]!r}: runpy.run_path(name)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_without_the_first_custody_date_the_dags_say_what_is_missing(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from console.airflow.defaults import MissingSetting, first_instant

    monkeypatch.delenv("CUSTODY_FIRST_DATE")
    with pytest.raises(MissingSetting, match="set CUSTODY_FIRST_DATE=YYYY-MM-DD"):
        first_instant()


def test_the_last_custody_date_may_be_left_out_but_not_misspelt(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from console.airflow.defaults import MissingSetting, last_date

    assert last_date() is None
    monkeypatch.setenv("CUSTODY_LAST_DATE", "2020-01-02")
    assert last_date() == date(2020, 1, 2)
    for wrong in ("", "2020-1-2", "never"):
        monkeypatch.setenv("CUSTODY_LAST_DATE", wrong)
        with pytest.raises(MissingSetting, match="CUSTODY_LAST_DATE"):
            last_date()


def test_every_persons_duty_has_a_role_in_airflow_and_nobody_makes_users_there() -> None:
    from console.airflow.auth_users import ROLES
    from custody.permissions import Duty
    from custody.services.people import DUTIES

    assert set(ROLES) == set(DUTIES)
    for duty, role in ROLES.items():
        changes = {(action, resource) for action, resource in role if action not in ("can_read", "menu_access")}
        # Users come from our register; a run belongs to the operator; readers change nothing but their own password.
        assert not changes & {(action, "Users") for action in ("can_create", "can_edit", "can_delete")}
        assert (("can_create", "DAG Runs") in role) == (duty is Duty.OPERATOR)
        if duty in (Duty.AUDITOR, Duty.REGULATOR):
            assert changes == {("can_edit", "My Profile"), ("can_edit", "My Password")}
    assert ("can_read", "DAGs") not in ROLES[Duty.REGULATOR]


def test_starting_airflow_does_not_import_it() -> None:
    """An imported Airflow has read its configuration: the services' starter must leave that to the processes it starts."""
    code = "import sys, cluster.airflow, cluster.local; sys.exit('airflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
