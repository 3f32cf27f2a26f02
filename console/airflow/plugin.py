"""What Airflow loads by the entry point `airflow.plugins`: our timetables (part of every serialised DAG) and our pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from console.airflow.recorded import Recorded
from console.airflow.timetables import BankBusinessDayTimetable, CustodyDateTimetable
from console.pages.sections import SECTIONS, Section, open_to
from custody.permissions import DESK

URL_PREFIX = "/custody"
_IN_THE_SIDE_BAR = ("day", "cases", "alerts")
Message = MutableMapping[str, Any]


async def pages(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    """The pages' app, imported by the first request: scheduler and workers load this plugin too, and never serve one."""
    app = await asyncio.to_thread(_pages)
    await app(scope, receive, send)


def _pages() -> Any:
    from console.pages.app import app

    return app


def _view(section: Section, *, always_seen: bool) -> dict[str, Any]:
    """A section of ours in Airflow's own navigation: in its side bar, or in its menu of plugins."""
    shown = {
        "name": " ".join(section.title),
        "href": f"{URL_PREFIX}/{section.page}",
        "destination": "nav",
        "url_route": f"custody-{section.page}",
        "nav_top_level": always_seen,
    }
    if not always_seen:
        return shown
    icon = f"{URL_PREFIX}/static/{section.page}"
    return {**shown, "icon": f"{icon}.svg", "icon_dark_mode": f"{icon}-dark.svg"}


class CustodyPlugin(AirflowPlugin):  # type: ignore[misc]  # airflow is not type-checked here
    """Registers what belongs to the installed package, so that scheduler, API server and workers know it alike."""

    name = "custody"
    # Airflow declares these as instance variables, so they cannot be ClassVars here.
    timetables: list[Any] = [CustodyDateTimetable, BankBusinessDayTimetable]  # noqa: RUF012
    fastapi_apps: list[Any] = [{"app": pages, "url_prefix": URL_PREFIX, "name": "custody pages"}]  # noqa: RUF012
    # What people do and are refused in Airflow itself stands in our audit chain.
    fastapi_root_middlewares: list[Any] = [{"middleware": Recorded, "name": "custody audit"}]  # noqa: RUF012
    # What every duty of the desk may open, since Airflow shows all of it to everybody whom it shows plugins. Its side bar has room for
    # ten letters or so.
    external_views: list[Any] = [  # noqa: RUF012
        _view(section, always_seen=section.page in _IN_THE_SIDE_BAR)
        for section in SECTIONS
        if all(section in open_to(frozenset({duty})) for duty in DESK)
    ]
