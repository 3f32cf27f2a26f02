"""The pages as one FastAPI app, mounted by Airflow's API server (console/airflow/plugin.py) under /custody.

Who is asking, Airflow's log-in says; what he may see, our register says: his Airflow name is his person's id. A refusal is
recorded by the same service as everywhere else. Figures come from console.overview; nothing is computed here.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import HTTPException
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

from connectors.bootstrap import Wiring, wire
from connectors.settings import home_from_environment
from console.overview import the_day
from console.pages import day
from console.pages.render import page
from custody.errors import CustodyError, NotPermitted, RetryLater, UnknownPerson
from custody.services.access import check_permission
from custody.services.outputs import days_begun

# Own files only, no inline script or style, framed by Airflow alone.
_CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
# Figures of the bank's customers stay in no cache of a browser or proxy.
_NOT_KEPT = {"Cache-Control": "no-store"}

_EARLIEST, _LATEST = date(1900, 1, 1), date(2199, 12, 31)

UserDep = Annotated[Any, Depends(get_user)]

app = FastAPI(title="Fund supervision", docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")


@app.get("/day", response_class=HTMLResponse)
def the_days_page(user: UserDep, wanted: Annotated[str, Query(alias="date")] = "") -> HTMLResponse:
    """One custody date; without a date, the newest that was begun. A plain function: it waits for stores."""
    with _wired() as wiring:
        check_permission(wiring.register, user.get_name(), "day.view", "page of the day")
        with wiring.register.transaction() as tx:
            begun = days_begun(tx)
        first = wiring.settings.instance.go_live
        chosen = _date(wanted) if wanted else (begun[-1] if begun else first)
        if chosen is None:
            return _message(400, day.NOT_A_DATE, wanted[:40])
        return HTMLResponse(page("day.html", view=day.View(the_day(wiring, chosen), first, wiring.settings.instance.bank)))


@app.exception_handler(HTTPException)
def not_logged_in(_request: Request, error: Exception) -> HTMLResponse:
    """What Airflow's log-in check raises: 401, or 403 for a token that is none."""
    assert isinstance(error, HTTPException)
    return _message(error.status_code, day.LOG_IN, str(error.detail))


@app.exception_handler(CustodyError)
def cannot_show(_request: Request, error: Exception) -> HTMLResponse:
    """Our errors in their own words; by type, what the reader can do."""
    if isinstance(error, (NotPermitted, UnknownPerson)):
        return _message(403, day.NOT_PERMITTED, str(error))
    if isinstance(error, RetryLater):
        return _message(503, day.AGAIN, str(error))
    return _message(500, day.CANNOT, str(error))


@app.middleware("http")
async def with_headers(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.headers.update(_HEADERS)
    if not request.url.path.startswith(f"{request.scope.get('root_path', '')}/static/"):
        response.headers.update(_NOT_KEPT)
    return response


def _message(status: int, words: tuple[str, str], detail: str) -> HTMLResponse:
    return HTMLResponse(page("message.html", words=words, detail=detail, status=status), status)


def _date(text: str) -> date | None:
    """None for what is no date, or one so far away that its neighbours have none."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if _EARLIEST <= found <= _LATEST else None


@contextmanager
def _wired() -> Iterator[Wiring]:
    """Opened for each request: nothing of SQLite or LMDB outlives a fork of the server, or its instance."""
    wiring = wire(home_from_environment())
    try:
        yield wiring
    finally:
        wiring.close()
