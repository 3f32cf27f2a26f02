"""What every DAG of ours has in common: owner, retries, alert route, deadline, and the date a person may give."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from console.airflow.alerts import deadline_missed, task_failed
from console.airflow.dates import BEGUN_DATE, FIRST_DATE_VARIABLE, KEY, LAST_DATE_VARIABLE
from custody.calendar import at
from custody.file_schedule import SETTLED_AFTER

OWNER = "custody-operations"
# 1, 2, 4, 8 and 16 minutes: half an hour, within which a held lease expires and a remote host usually comes back.
RETRIES = 5
# For a task that waits for the day before to be closed: 16 tries, the later ones half an hour apart, about six hours.
RETRIES_WHEN_WAITING = 16
# How long after its end a custody date is cut off.
SETTLE_MINUTES = SETTLED_AFTER // timedelta(minutes=1)


class MissingSetting(RuntimeError):
    """An environment variable that the DAGs need is missing or malformed; Airflow shows this as an import error."""


class CustodyDag(DAG):  # type: ignore[misc]  # airflow is not type-checked here
    """A DAG with a deadline that `dag.test` and `airflow dags test` can run.

    In Airflow 3.3.2 they look the in-memory deadline up in the database and crash when the run succeeds; a run by hand has
    nobody to warn, so it leaves the deadline out. Scheduled runs take it from the serialised DAG, which is untouched.
    """

    deadline: Any

    def test(self, *args: Any, **kwargs: Any) -> Any:
        kept = self.deadline
        self.deadline = None
        try:
            return super().test(*args, **kwargs)
        finally:
            self.deadline = kept


def first_instant() -> datetime:
    """00:00 UTC+8 of the instance's first custody date, from the environment: catch-up starts there, never earlier."""
    text = os.environ.get(FIRST_DATE_VARIABLE, "")
    try:
        return at(date.fromisoformat(text), time(0, 0))
    except ValueError as error:
        raise MissingSetting(
            f"set {FIRST_DATE_VARIABLE}=YYYY-MM-DD, the instance's first custody date (it is {text!r}) / 请设置系统首个托管日"
        ) from error


def last_date() -> date | None:
    """The last custody date that is run by the calendar, from the environment; None while an instance goes on.

    A sample of past days has one, and so has an instance whose last platform has left.
    """
    text = os.environ.get(LAST_DATE_VARIABLE)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise MissingSetting(
            f"{LAST_DATE_VARIABLE} is {text!r}, not YYYY-MM-DD; leave it out if there is no last custody date / 格式应为 YYYY-MM-DD"
        ) from error


def dag_settings(
    *,
    english: str,
    chinese: str,
    doc: str,
    tags: list[str],
    due_within: timedelta,
    dated: bool,
    asks: Mapping[str, Param] | None = None,
    at_once: int = 1,
) -> dict[str, Any]:
    """Keyword arguments for CustodyDag(...). ``due_within`` counts from queueing; a run past it raises an alert. ``asks``: what
    else the form asks of who starts a run; ``at_once``: how many runs may be under way."""
    params = dict(asks or {})
    if dated:
        params[KEY] = Param(
            None,
            type=["null", "string"],
            format="date",
            allOf=[{"format": BEGUN_DATE}],
            title="custody date / 托管日",
            description="YYYY-MM-DD, from the first custody date to today. Empty: that of the triggering event or of the run's interval. / "
            "首个托管日至今日；留空取触发事件或区间",
        )
    return {
        "description": f"{english} / {chinese}",
        "doc_md": doc,
        "tags": ["custody", *tags],
        "params": params,
        "max_active_runs": at_once,
        "default_args": {
            "owner": OWNER,
            "retries": RETRIES,
            "retry_delay": timedelta(minutes=1),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=30),
            "on_failure_callback": task_failed,
        },
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=due_within, callback=SyncCallback(deadline_missed)
        ),
    }
