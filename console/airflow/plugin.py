"""What Airflow loads by the entry point `airflow.plugins`: our timetables (part of every serialised DAG) and our pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from console.airflow.recorded import Recorded
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


def _view(name: str, page: str) -> dict[str, Any]:
    """A page of ours in Airflow's own navigation."""
    return {
        "name": name,
        "href": f"{URL_PREFIX}/{page}",
        "destination": "nav",
        "url_route": f"custody-{page}",
        "nav_top_level": True,
        "icon": f"{URL_PREFIX}/static/{page}.svg",
        "icon_dark_mode": f"{URL_PREFIX}/static/{page}-dark.svg",
    }


class CustodyPlugin(AirflowPlugin):  # type: ignore[misc]  # airflow is not type-checked here
    """Registers what belongs to the installed package, so that scheduler, API server and workers know it alike."""

    name = "custody"
    # Airflow declares these as instance variables, so they cannot be ClassVars here.
    timetables: list[Any] = [CustodyDateTimetable, BankBusinessDayTimetable]  # noqa: RUF012
    fastapi_apps: list[Any] = [{"app": pages, "url_prefix": URL_PREFIX, "name": "custody pages"}]  # noqa: RUF012
    # What people do and are refused in Airflow itself stands in our audit chain.
    fastapi_root_middlewares: list[Any] = [{"middleware": Recorded, "name": "custody audit"}]  # noqa: RUF012
    # What a desk opens by itself; transactions and loans are a step from there, in the pages' own navigation.
    external_views: list[Any] = [  # noqa: RUF012
        _view("Day 账务日", "day"),
        _view("Cases 案件", "cases"),
        _view("Customers 客户", "customers"),
        _view("Reports 报表", "reports"),
    ]
