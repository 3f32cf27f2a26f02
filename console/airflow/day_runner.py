"""Runs given DAGs for one custody date in this process, without Airflow's services: the demonstration and `make` use it.

`dag.test` fires no assets, so the caller names the DAGs in their order. Airflow's own log goes to a file under AIRFLOW_HOME;
the console shows one line for each DAG and task.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

LOG_NAME = "day_runner.log"
SUCCESS = "success"


class DagsBroken(RuntimeError):
    """A DAG file cannot be imported, or a DAG that was asked for does not exist."""


def run_dags(dag_ids: Sequence[str], custody_date: date) -> list[tuple[str, str, float]]:
    """Runs the DAGs one after the other with conf ``custody_date``; returns (dag id, state, seconds) of those that ran.

    Stops after the first that does not succeed: the next would work on what is not there. Nothing is retried, so that an
    exit 3 shows at once. Loading Airflow takes seconds, once in a process: run all days in one. Needs AIRFLOW_HOME with a
    migrated database, AIRFLOW__CORE__DAGS_FOLDER, CUSTODY_FIRST_DATE and CUSTODY_HOME in the environment.

    Raises DagsBroken.
    """
    done: list[tuple[str, str, float]] = []
    with _airflow_log_in_file() as say:
        bag = _bag()
        missing = [dag_id for dag_id in dag_ids if dag_id not in bag.dags]
        if missing:
            raise DagsBroken(f"no such DAG: {', '.join(missing)} / 没有此 DAG")
        for dag_id in dag_ids:
            started = time.monotonic()
            run = _run(bag.dags[dag_id], custody_date)
            seconds = time.monotonic() - started
            state = str(run.state)
            say(f"{custody_date} {dag_id}: {state}, {seconds:.1f} s")
            for instance in sorted(run.get_task_instances(), key=lambda each: (each.start_date is None, each.start_date)):
                say(f"    {instance.task_id}: {instance.state}, {instance.duration or 0.0:.1f} s")
            done.append((dag_id, state, seconds))
            if state != SUCCESS:
                break
    return done


@cache
def _bag() -> DagBag:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag()
    if bag.import_errors:
        raise DagsBroken("; ".join(f"{Path(name).name}: {error}" for name, error in sorted(bag.import_errors.items())))
    return bag


def _run(dag: DAG, custody_date: date) -> Any:
    for task in dag.tasks:
        task.retries = 0
    return dag.test(run_conf={"custody_date": custody_date.isoformat()})


@contextmanager
def _airflow_log_in_file() -> Iterator[Callable[[str], None]]:
    """Sends file descriptors 1 and 2 to the log file; yields what still writes to the console.

    By descriptor, since Airflow's loggers hold on to the streams they found when they were configured.
    """
    log_file = Path(os.environ["AIRFLOW_HOME"]) / "logs" / LOG_NAME
    log_file.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    kept = (os.dup(1), os.dup(2))
    with log_file.open("ab") as log, os.fdopen(os.dup(1), "w", encoding="utf-8") as console:

        def say(line: str) -> None:
            print(line, file=console, flush=True)

        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield say
        finally:
            _flush()
            for descriptor, original in zip((1, 2), kept, strict=True):
                os.dup2(original, descriptor)
                os.close(original)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
