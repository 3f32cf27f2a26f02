"""The alert route (console/airflow/alerts.py): what is recorded, for which date, and what happens when it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Custody

# What Airflow gives a deadline callback: the run as its REST model shows it.
RUN = {"dag_id": "custody_day", "conf": {}, "partition_key": None, "data_interval_end": "2020-01-01T16:00:00Z"}


def test_a_missed_deadline_is_an_alert_of_the_runs_custody_date(custody: Custody) -> None:
    from console.airflow.alerts import deadline_missed

    deadline_missed({"dag_run": RUN})
    assert custody.calls() == ["alert raise --rule DEADLINE_MISSED --subject custody_day --date 2020-01-01 --json"]


def test_a_run_without_a_custody_date_is_alerted_for_today(custody: Custody) -> None:
    from console.airflow.alerts import deadline_missed
    from console.airflow.dates import today_utc8

    before = today_utc8()
    deadline_missed({"dag_run": {**RUN, "dag_id": "file_intake", "data_interval_end": "2020-01-01T16:10:00Z"}})
    (call,) = custody.calls()
    assert call.split()[-2] in {before.isoformat(), today_utc8().isoformat()}


def test_an_alert_that_cannot_be_recorded_is_an_error_in_the_log(custody: Custody, caplog: pytest.LogCaptureFixture) -> None:
    from console.airflow.alerts import deadline_missed

    custody.exits("alert", 2)
    with caplog.at_level("ERROR", logger="console.airflow.alerts"):
        deadline_missed({"dag_run": RUN})
    assert "ALERT NOT RECORDED DEADLINE_MISSED custody_day 2020-01-01" in caplog.text
