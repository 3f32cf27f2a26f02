"""What Airflow loads by the entry point `airflow.plugins`: our timetables (part of every serialised DAG) and our pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from console.airflow.timetables import BankBusinessDayTimetable, CustodyDateTimetable

URL_PREFIX = "/custody"
Message = MutableMapping[str, Any]


async def pages(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    """The pages' app, imported by the first request: scheduler and workers load this plugin too, and never serve one."""
    app = await asyncio.to_thread(_pages)
    await app(scope, receive, send)


def _pages() -> Any:
    from console.pages.app import app

    return app


class CustodyPlugin(AirflowPlugin):  # type: ignore[misc]  # airflow is not type-checked here
    """Registers what belongs to the installed package, so that scheduler, API server and workers know it alike."""

    name = "custody"
    # Airflow declares these as instance variables, so they cannot be ClassVars here.
    timetables: list[Any] = [CustodyDateTimetable, BankBusinessDayTimetable]  # noqa: RUF012
    fastapi_apps: list[Any] = [{"app": pages, "url_prefix": URL_PREFIX, "name": "custody pages"}]  # noqa: RUF012
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Day 账务日",
            "href": f"{URL_PREFIX}/day",
            "destination": "nav",
            "url_route": "custody-day",
            "nav_top_level": True,
            "icon": f"{URL_PREFIX}/static/day.svg",
            "icon_dark_mode": f"{URL_PREFIX}/static/day-dark.svg",
        }
    ]
