"""What people change in Airflow itself, and what Airflow refuses them, as events of our audit chain (domain.md §10).

Airflow's own event log is a table that an administrator of its database can edit, and it does not keep refusals. Our pages and
commands record theirs by the services; tasks record what they do. This stands before all routes of the API server and looks at
answers: a run started, a task cleared or marked, a pause, a backfill, an answer to a question; and every 403.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import date
from http.cookies import CookieError, SimpleCookie
from typing import Any

from console.airflow.dates import today_utc8

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Airflow's REST API, its UI's own, and FAB's users and roles. Our pages record theirs; /execution is asked by tasks.
_WATCHED = ("/api/", "/ui/", "/auth/")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# A list that is asked for by POST, since its filters are long.
_LIST = "/list"
_REFUSED, _FIRST_ERROR = 403, 400
# The browser asks again every few seconds for what it may not see: a view is recorded once a day for each person and address.
_REMEMBERED = 4096


class Recorded:
    """ASGI middleware; ``app``: what stands behind it."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._seen: OrderedDict[tuple[str, str, date], None] = OrderedDict()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_WATCHED):
            await self._app(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._look(scope, int(message["status"]))
            await send(message)

        await self._app(scope, receive, watched)

    async def _look(self, scope: Message, status: int) -> None:
        """Before the answer leaves: who was refused finds it recorded."""
        method, path = scope["method"], scope["path"]
        reads = method in _READS or path.endswith(_LIST)
        if status != _REFUSED and (reads or status >= _FIRST_ERROR):
            return
        person = await _person(scope)
        if person is None or (reads and self._known(person, path)):
            return
        try:
            await asyncio.to_thread(_record, person, f"{method} {path}", status)
        except Exception:
            # What is refused stays refused, what is done is done: that it is not recorded must be seen.
            log.exception("NOT RECORDED in the audit chain / 未登入审计链: %s %s %s %s", person, method, path, status)

    def _known(self, person: str, path: str) -> bool:
        key = (person, path, today_utc8())
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False


async def _person(scope: Message) -> str | None:
    """Whose token came with the question: the header wins over the cookie, as for Airflow; None for nobody's."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
    from jwt import InvalidTokenError

    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE_NAME_JWT_TOKEN)
        except CookieError:
            return None
        token = cookie.value if cookie else ""
    if not token:
        return None
    try:
        user = await get_auth_manager().get_user_from_token(token)
    except (InvalidTokenError, ValueError):
        return None
    return str(user.get_name())


def _record(person: str, subject: str, status: int) -> None:
    from console.pages.asking import instance
    from custody.services.access import record_at_another_door

    with instance() as wiring:
        record_at_another_door(wiring.register, person, "airflow", subject, refused=status == _REFUSED)
