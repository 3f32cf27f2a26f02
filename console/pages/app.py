"""The pages as one FastAPI app, mounted by Airflow's API server (console/airflow/plugin.py) under /custody.

Figures come from console.overview and the services; nothing is computed here. Every page has one level of path, so that its links are
relative and hold behind any prefix.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import HTTPException
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles

from console.metrics import metrics_text
from console.overview import the_day
from console.pages import (
    accounts,
    alerts,
    audit,
    calendar,
    case_deeds,
    cases,
    compliance,
    customer_deeds,
    customers,
    day,
    fee_deeds,
    fees,
    files,
    filing_deeds,
    filings,
    hold_deeds,
    loans,
    organisation_deeds,
    organisations,
    people,
    platforms,
    report_deeds,
    reports,
    results,
    rules,
    transactions,
    words,
)
from console.pages.asking import Forged, NotFound, UserDep, asked, date_of, of_its_reader, show
from console.pages.render import page
from custody.errors import CustodyError, NotPermitted, RetryLater, UnknownPerson, UsageError
from custody.masking import mask_user_numbers
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

app = FastAPI(title="Fund supervision", docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
for section in (
    cases,
    case_deeds,
    alerts,
    files,
    results,
    rules,
    compliance,
    customers,
    customer_deeds,
    accounts,
    transactions,
    hold_deeds,
    filings,
    filing_deeds,
    loans,
    platforms,
    organisations,
    organisation_deeds,
    fees,
    fee_deeds,
    calendar,
    people,
    audit,
    reports,
    report_deeds,
):
    app.include_router(section.router)


@app.get("/day", response_class=HTMLResponse)
def the_days_page(request: Request, user: UserDep, wanted: Annotated[str, Query(alias="date")] = "") -> HTMLResponse:
    """One custody date; without a date, the newest that was begun. A plain function: it waits for stores."""
    with asked(user, "day.view", "page of the day") as wiring:
        with wiring.register.transaction() as tx:
            begun = days_begun(tx)
        first = wiring.settings.instance.go_live
        chosen = date_of(wanted) if wanted else (begun[-1] if begun else first)
        if chosen is None:
            return _message(request, 400, words.NOT_A_DATE, wanted[:40])
        view = day.View(the_day(wiring, chosen), first, wiring.settings.instance.bank, dict(request.query_params))
        return show(request, "day.html", view=view)


@app.get("/metrics", response_class=PlainTextResponse)
def the_metrics(user: UserDep) -> PlainTextResponse:
    """How the system is, for Prometheus, which asks with a log-in's token like everybody."""
    with asked(user, "day.view", "metrics") as wiring:
        return PlainTextResponse(metrics_text(wiring), media_type="text/plain; version=0.0.4; charset=utf-8")


@app.exception_handler(HTTPException)
def not_logged_in(request: Request, error: Exception) -> HTMLResponse:
    """What Airflow's log-in check raises: 401, or 403 for a token that is none."""
    assert isinstance(error, HTTPException)
    return _message(request, error.status_code, words.LOG_IN, str(error.detail))


@app.exception_handler(CustodyError)
def cannot_show(request: Request, error: Exception) -> HTMLResponse:
    """Our errors in their own words; by type, what the reader can do."""
    if isinstance(error, (NotPermitted, UnknownPerson)):
        return _message(request, 403, words.MAY_NOT_SEE if request.method == "GET" else words.MAY_NOT_DO, str(error))
    if isinstance(error, Forged):
        return _message(request, 403, words.FORGED, str(error))
    if isinstance(error, NotFound):
        return _message(request, 404, words.NOT_FOUND, str(error))
    if isinstance(error, UsageError):
        return _message(request, 400, words.NOT_SO, str(error))
    if isinstance(error, RetryLater):
        return _message(request, 503, words.AGAIN, str(error))
    return _message(request, 500, words.CANNOT, str(error))


@app.middleware("http")
async def with_headers(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.headers.update(_HEADERS)
    if not request.url.path.startswith(f"{request.scope.get('root_path', '')}/static/"):
        response.headers.update(_NOT_KEPT)
    return response


def _message(request: Request, status: int, told: words.Words, detail: str) -> HTMLResponse:
    said = {"told": told, "detail": mask_user_numbers(detail), "status": status, **of_its_reader(request)}
    return HTMLResponse(page("message.html", **said), status)
