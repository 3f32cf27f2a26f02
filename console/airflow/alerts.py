"""The alert route of every DAG: a task that failed for good, or a run past its deadline, becomes an alert of ours.

Airflow keeps no business state (design.md §4.8): the alert is recorded by `custody alert raise`, which raises it once for a
rule, subject and date, escalates it and sends it by the channels of its rule. Callbacks live here because the DAG folder
cannot be imported by Airflow's other services.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from console.airflow.dates import NoCustodyDate, custody_date_of_run, custody_date_of_task, today_utc8

log = logging.getLogger(__name__)
TASK_FAILED = "TASK_FAILED"
DEADLINE_MISSED = "DEADLINE_MISSED"


def task_failed(context: Mapping[str, Any]) -> None:
    """`on_failure_callback`: called once, after the last retry."""
    instance = context["ti"]
    _raise_alert(TASK_FAILED, f"{instance.dag_id}.{instance.task_id}", _date_or_today(custody_date_of_task, context))


def deadline_missed(context: Mapping[str, Any]) -> None:
    """Deadline callback: the run has not ended in time; it goes on."""
    run = context["dag_run"]
    _raise_alert(DEADLINE_MISSED, run["dag_id"], _date_or_today(custody_date_of_run, run))


def _date_or_today(resolver: Callable[[Mapping[str, Any]], date], source: Mapping[str, Any]) -> date:
    """An intake run has no custody date, and a bad one may be the failure itself: such an alert belongs to today, UTC+8."""
    try:
        return resolver(source)
    except NoCustodyDate as reason:
        today = today_utc8()
        log.info("the alert is dated today, %s: %s", today, reason)
        return today


def _raise_alert(rule: str, subject: str, day: date) -> None:
    from console.airflow.command import DONE, FINDINGS, CommandMissing, CustodyProcess

    arguments = ["alert", "raise", "--rule", rule, "--subject", subject, "--date", day.isoformat(), "--json"]
    try:
        outcome = CustodyProcess(arguments).run(log.info)
    except CommandMissing:
        log.exception("ALERT NOT RECORDED %s %s %s / 告警未登记", rule, subject, day)
        return
    if outcome.exit_code in (DONE, FINDINGS) and outcome.result is not None:
        log.info("alert %s %s %s recorded: %s", rule, subject, day, outcome.last_line)
    else:
        log.error(
            "ALERT NOT RECORDED %s %s %s: exit %s %s / 告警未登记", rule, subject, day, outcome.exit_code, outcome.last_line
        )
