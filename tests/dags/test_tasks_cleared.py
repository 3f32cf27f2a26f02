"""A task that was killed in the middle is cleared by an operator and run again, and nothing is lost, doubled or other than it would have
been: each task of every DAG, with the real command on a real instance, beside a second instance that nobody disturbed.

By default each task is killed in the middle of its durable writes; with HYPOTHESIS_PROFILE=soak also before it does anything, and on a third
instance at the last write. A DAG that is in no list here, or a task that was not killed, fails the test.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from instance_kit import GO_LIVE, MONTHLY, change_settings, copy_of, make_instance, make_world, opened
from killed_custody import launch
from test_customer_maintenance import Person, answering
from test_wiring import DAG_IDS

from cluster.daemon import Daemon
from cluster.machine import listens
from connectors.loopback import free_port
from connectors.settings import load_settings
from console.airflow import command
from console.deliver import deliver
from custody.calendar import ONE_DAY
from custody.calendar_table import DecidedDay
from custody.services.calendars import propose_days
from custody.services.customer_proposals import propose_change

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

WHOLE = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
DAY = GO_LIVE + ONE_DAY
REAL = Path(sys.executable).parent / "custody"
PROPERTY = "cleared"
# In the order of a day: each finds what those before it left.
SCHEDULED = (
    "file_intake", "custody_day", "custody_fees", "risk_alerts", "platform_results", "regulatory_reports", "seal_and_backup", "report_deadlines",
    "fee_charges", "alert_delivery",
)  # fmt: skip
# One proposal each. What is decided differs; how it is shown, asked, answered and made does not.
ASKING = (
    "case_approvals", "customer_maintenance", "fee_approvals", "master_data_approvals", "report_releases", "restatement", "rule_approvals",
)  # fmt: skip
# Played in the soak: three have the tasks of the first that asks, the last those of fee_approvals.
ALIKE = ("master_data_approvals", "restatement", "rule_approvals", "report_releases")
# A person does it, and no command.
ANSWERED = "ask"


@dataclass
class Side:
    """One of the instances, and the plan by which its commands are counted or killed."""

    home: Path
    plan: Path

    def points(self) -> dict[str, int]:
        """Of each command that ran, how many durable writes it made."""
        known: dict[str, int] = json.loads((self.plan / "points.json").read_text(encoding="utf-8"))
        return known


# What is killed where on a side: of so many durable writes at which. A run that was killed leaves less for the next one to write, so that the
# last write of all is met by the first run alone: on a side of its own.
DISTURBED: dict[str, Callable[[int], list[int]]] = {
    "middle": lambda made: list(dict.fromkeys([0, made // 2])) if WHOLE else [made // 2],
    **({"last": lambda made: [made]} if WHOLE else {}),
}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Side]]:
    """``calm``, and those of DISTURBED: GO_LIVE is closed; the next day's files lie in the drop of each, which is served."""
    made = tmp_path_factory.mktemp("cleared")
    world = make_world(made / "world", [], seed=11, days=2)
    home = make_instance(made / "home", world, reports=MONTHLY)
    with opened(home) as instance:
        instance.deliver(world, GO_LIVE)
        instance.run_day(GO_LIVE)
        for dag_id in ASKING:
            _propose(instance.wiring, dag_id)
    made_sides, drops = {}, []
    for name in ("calm", *DISTURBED):
        side = Side(copy_of(home, made / name), made / f"{name}_plan")
        side.plan.mkdir()
        port = free_port()
        change_settings(side.home, {"sftp.port": port})
        pinned = side.home / "keys" / "known_hosts"
        pinned.write_text(re.sub(r"\]:\d+", f"]:{port}", pinned.read_text()))
        drop = Daemon(f"drop-{name}", made, [str(REAL), "serve-sftp"], {"CUSTODY_HOME": str(side.home)})
        drop.start()
        drops.append(drop)
        drop.wait_until(partial(listens, port), 60)
        deliver(world, DAY, load_settings(side.home))
        made_sides[name] = side
    (made_sides["calm"].plan / "count").touch()
    try:
        yield made_sides
    finally:
        for drop in drops:
            drop.stop(10)


def _propose(wiring: Any, dag_id: str) -> str:
    """The proposal that this DAG is started with: the same number whoever's instance it is."""
    if dag_id == "customer_maintenance":
        done = propose_change(
            wiring.customer_ports, "maker", "P001", "LENDER", "U001000001", {"phone": "13900000001"}, "new phone", "CHANGE"
        )
        assert done.proposal is not None, done.faults
        return str(done.proposal)
    day = DecidedDay(GO_LIVE.replace(year=2020, month=6, day=1 + ASKING.index(dag_id)), False, "x")
    return propose_days(wiring.register, wiring.clock, "maker", [day], dag_id)


@contextmanager
def at(side: Side) -> Iterator[None]:
    """Tasks start their commands on this instance, in processes that are counted or killed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "_launcher", partial(launch, side.plan, side.home))
        yield


def content(side: Side) -> dict[str, Any]:
    """Seals, register and keyed store, without what differs from run to run by its nature."""
    with opened(side.home) as instance:
        assert instance.damage() == []
        # Parties are swept side by side, and so numbered in any order.
        rows = {
            table: sorted(({name: value for name, value in row.items() if name != "event_no"} for row in found), key=str)
            for table, found in instance.register_rows().items()
        }
        return {**rows, "keyed": instance.keyed_rows()}


def commands(dag: Any, conf: Mapping[str, str]) -> dict[str, str]:
    """Each task's command as its process gets it."""
    proposal = conf.get("proposal_id", "")
    found = {}
    for task in dag.tasks:
        if task.task_id == ANSWERED:
            continue
        words = [proposal if "dag_run.conf" in word else word for word in task.command]
        if task.task_id == "decide":
            words = ["proposal", "approve", proposal, "--as", "checker", "--note", "seen"]
        dated = ["--date", DAY.isoformat()] if task.dated else []
        found[task.task_id] = " ".join([*words, *dated, "--json"])
    return found


@contextmanager
def untried(dag: Any) -> Iterator[None]:
    """Nothing is retried and nobody is told, so that a task that is killed has failed, and that is all. Other tests look at the same DAG."""
    with pytest.MonkeyPatch.context() as patch:
        for task in dag.tasks:
            patch.setattr(task, "retries", 0)
            patch.setattr(task, "on_failure_callback", [])
        yield


def play(dag: Any, conf: Mapping[str, str]) -> Any:
    """One run by hand."""
    return dag.test(run_conf=dict(conf))


def clear(dag: Any, run_id: str, task_id: str) -> None:
    """By the route behind Airflow's button: the task, and what was to follow it."""
    from airflow.api_fastapi.core_api.datamodels.task_instances import ClearTaskInstancesBody
    from airflow.api_fastapi.core_api.routes.public.task_instances import post_clear_task_instances
    from airflow.models.dagbag import DBDagBag
    from airflow.utils.session import create_session

    asked = ClearTaskInstancesBody(
        dry_run=False, dag_run_id=run_id, task_ids=[task_id], include_downstream=True, only_failed=False, reset_dag_runs=True
    )
    with create_session() as session:
        cleared = post_clear_task_instances(dag.dag_id, DBDagBag(), asked, session, Person())  # type: ignore[arg-type]
        assert task_id in {one.task_id for one in cleared.task_instances}


def go_on(dag: Any, run_id: str) -> dict[str, str]:
    """What the scheduler does with a run whose tasks were cleared, until it has ended or a task has failed; returns the states."""
    from airflow.models.dagbag import DBDagBag
    from airflow.models.dagrun import DagRun
    from airflow.sdk.definitions.dag import _run_task
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState
    from sqlalchemy import select

    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == dag.dag_id, DagRun.run_id == run_id))
        assert run is not None and run.state in (DagRunState.QUEUED, DagRunState.RUNNING)
        run.state = DagRunState.RUNNING
        run.dag = DBDagBag().get_dag_for_run(run, session)
        while run.state == DagRunState.RUNNING:
            session.expire_all()
            ready, _ = run.update_state(session=session)
            for instance in ready:
                instance.try_number += 1
                instance.state = TaskInstanceState.SCHEDULED
            session.commit()
            found = run.get_task_instances(session=session)
            if any(one.state == TaskInstanceState.UP_FOR_RETRY for one in found):
                break
            due = [one for one in found if one.state == TaskInstanceState.SCHEDULED]
            if not due:
                time.sleep(0.2)
            for instance in due:
                _run_task(ti=instance, task=dag.task_dict[instance.task_id], run_triggerer=True)
        session.expire_all()
        return {one.task_id: str(one.state) for one in run.get_task_instances(session=session)}


def killed_and_cleared(dag: Any, side: Side, conf: Mapping[str, str], points: Mapping[str, list[int]]) -> dict[str, int]:
    """One run in which every command is killed at each of its points, and its task cleared each time; how often each task failed."""
    by_command = {words: task_id for task_id, words in commands(dag, conf).items()}
    (side.plan / "plan.json").write_text(json.dumps(points), encoding="utf-8")
    failed: Counter[str] = Counter()
    run = play(dag, conf)
    states = {one.task_id: str(one.state) for one in run.get_task_instances()}
    while hurt := [task_id for task_id, state in states.items() if state in ("failed", "up_for_retry")]:
        assert sum(failed.values()) < sum(map(len, points.values())), f"it fails though nobody kills it: {hurt}"
        for task_id in hurt:
            failed[task_id] += 1
            clear(dag, run.run_id, task_id)
        states = go_on(dag, run.run_id)
    if ANSWERED in states:
        # A person's: what was asked is asked again, and the same answer changes nothing.
        failed[ANSWERED] += 1
        clear(dag, run.run_id, ANSWERED)
        with answering("Approve", "seen"):
            states = go_on(dag, run.run_id)
    assert set(states.values()) == {"success"}, states
    assert {by_command[words]: len(at_each) for words, at_each in points.items()} == {
        k: n for k, n in failed.items() if k != ANSWERED
    }
    return dict(failed)


def answered(dag_id: str) -> AbstractContextManager[object]:
    return answering("Approve", "seen") if dag_id in ASKING else nullcontext()


def test_every_dag_is_played() -> None:
    """A task of one that is played and was not killed fails below."""
    assert sorted((*SCHEDULED, *ASKING)) == DAG_IDS


@pytest.mark.parametrize("dag_id", [dag_id for dag_id in (*SCHEDULED, *ASKING) if WHOLE or dag_id not in ALIKE])
def test_a_task_that_was_killed_is_cleared_and_run_again_without_harm(
    bag: DagBag, sides: dict[str, Side], dag_id: str, record_property: Any
) -> None:
    calm = sides["calm"]
    dag = bag.dags[dag_id]
    conf = {"custody_date": DAY.isoformat()} if "custody_date" in dag.params else {}
    if dag_id in ASKING:
        with opened(calm.home) as instance:
            conf = {"proposal_id": _propose(instance.wiring, dag_id)}
    with untried(dag), at(calm), answered(dag_id):
        assert play(dag, conf).state == "success"
    counted, calm_content = calm.points(), content(calm)
    for name, points_of in DISTURBED.items():
        points = {words: points_of(counted[words]) for words in commands(dag, conf).values()}
        with untried(dag), at(sides[name]), answered(dag_id):
            done = killed_and_cleared(dag, sides[name], conf, points)
        assert set(done) == {task.task_id for task in dag.tasks}, name
        assert content(sides[name]) == calm_content, name
        record_property(PROPERTY, json.dumps({f"{dag_id} {name}": done}))
