"""What every page begins with: who asks, whether he may, and the instance that he looks at.

Who is asking, Airflow's log-in says; what he may see, our register says: his Airflow name is his person's id. A refusal is
recorded by the same service as everywhere else.
"""

# No `from __future__ import annotations`: FastAPI reads UserDep in the annotations of endpoints.
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from connectors.bootstrap import Wiring, wire
from connectors.settings import home_from_environment
from console.pages.render import page
from console.pages.sections import open_to
from custody.errors import UnknownPerson, UsageError
from custody.permissions import permitted
from custody.services.access import check_permission, duties_of


class Reader:
    """Who asks. ``duties``: what he may act as, once the instance is open."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.duties: frozenset[str] = frozenset()

    def get_name(self) -> str:
        return self._name

    def may(self, action: str) -> bool:
        return permitted(action, self.duties)


def reader(request: Request, user: Annotated[Any, Depends(get_user)]) -> Reader:
    """Kept with the request, so that whatever page answers it leads only where its reader may go."""
    found = Reader(user.get_name())
    request.state.reader = found
    return found


UserDep = Annotated[Reader, Depends(reader)]

_EARLIEST, _LATEST = date(1900, 1, 1), date(2199, 12, 31)
_TOKEN_COOKIE = "custody_form"  # the cookie's name
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
# The largest is a contract: five fields for each type of file.
_MOST_FIELDS, _MOST_BYTES = 200, 65_536


class NotFound(UsageError):
    """What the page is asked to show does not exist: a wrong or an old link."""


class Forged(UsageError):
    """A form that our own page did not send, or whose page is too old."""


@contextmanager
def asked(user: Reader, action: str, subject: str) -> Iterator[Wiring]:
    """The instance, once the person may do ``action``. Raises NotPermitted and UnknownPerson, which are then recorded."""
    with wired(user) as wiring:
        check_permission(wiring.register, user.get_name(), action, subject)
        yield wiring


@contextmanager
def wired(user: Reader) -> Iterator[Wiring]:
    """The instance, for a service that checks the permission itself."""
    with instance() as wiring:
        with wiring.register.transaction() as tx:
            try:
                user.duties = duties_of(tx, user.get_name())
            except UnknownPerson:
                # Whom the register does not know may open nothing; the check that follows says so, on record.
                user.duties = frozenset()
        yield wiring


@contextmanager
def instance() -> Iterator[Wiring]:
    """Opened for each request: nothing of SQLite or LMDB outlives a fork of the server."""
    wiring = wire(home_from_environment())
    try:
        yield wiring
    finally:
        wiring.close()


def of_its_reader(request: Request) -> dict[str, Any]:
    """What a page's template is told of who reads it: ``sections`` that he may open, none before he has logged in; ``may``: an action."""
    known: Reader = getattr(request.state, "reader", Reader(""))
    return {"sections": open_to(known.duties), "may": known.may}


def show(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page with the token that its forms send back, also kept as a cookie (see ``posted``)."""
    known = request.cookies.get(_TOKEN_COOKIE, "")
    token = known if _TOKEN.fullmatch(known) else secrets.token_urlsafe(32)
    answer = HTMLResponse(page(template, form_token=token, **of_its_reader(request), **values), status)
    if token != known:
        root = request.scope.get("root_path") or "/"
        secure = request.url.scheme == "https"
        answer.set_cookie(_TOKEN_COOKIE, token, path=root, httponly=True, samesite="strict", secure=secure)
    return answer


async def posted(request: Request) -> dict[str, str]:
    """The fields of a form of ours. Raises Forged for one that another site sent with the reader's log-in.

    Two proofs, either of which would do in a browser of today: the browser itself says where the form comes from
    (Sec-Fetch-Site, or Origin where there is none: no script can set them), and the form repeats the random token of a cookie that no
    foreign page can read, send (SameSite=Strict) or, without a name below ours, set. Airflow's own cookie is SameSite=Lax besides.
    """
    said, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if said is None:
        own = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    else:
        own = said == "same-origin"
    if int(request.headers.get("content-length", _MOST_BYTES + 1)) > _MOST_BYTES:
        raise Forged(f"a form of ours has at most {_MOST_BYTES} bytes / 表单过大")
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    fields = {name: value.strip() for name, value in form.items() if isinstance(value, str)}
    token, cookie = fields.pop("form_token", ""), request.cookies.get(_TOKEN_COOKIE, "")
    if not (own and _TOKEN.fullmatch(token) and secrets.compare_digest(token, cookie)):
        raise Forged("open the page again and send the form from there / 请重新打开页面后提交")
    return fields


def approves(form: dict[str, str]) -> bool:
    """Which of the two buttons of a decision was pressed. Raises UsageError for neither."""
    answer = form.get("answer", "")
    if answer not in ("approve", "reject"):
        raise UsageError("approve or reject / 请选择通过或拒绝")
    return answer == "approve"


FormDep = Annotated[dict[str, str], Depends(posted)]


def date_of(text: str) -> date | None:
    """None for what is no date, or one so far away that its neighbours have none."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if _EARLIEST <= found <= _LATEST else None
