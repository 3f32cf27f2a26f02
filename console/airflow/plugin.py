"""What Airflow finds by the entry point `airflow.plugins`: our timetables (they are part of every serialised DAG)."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from console.airflow.timetables import BankBusinessDayTimetable, CustodyDateTimetable


class CustodyPlugin(AirflowPlugin):  # type: ignore[misc]  # airflow is not type-checked here
    """Registers what belongs to the installed package, so that scheduler, API server and workers know it alike."""

    name = "custody"
    # Airflow declares this as an instance variable, so it cannot be a ClassVar here.
    timetables: list[Any] = [CustodyDateTimetable, BankBusinessDayTimetable]  # noqa: RUF012
