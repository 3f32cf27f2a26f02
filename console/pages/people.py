"""Who may act and as what; and the whole table of what each duty may do, as the services check it."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from collections import defaultdict

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from console.pages.asking import UserDep, asked, show
from custody.alert_words import DUTY_WORDS
from custody.permissions import PERMISSIONS, Duty
from custody.ports import RegisterTx
from custody.services.people import people

router = APIRouter()

_EVERY_DUTY = {
    **DUTY_WORDS,
    Duty.AUDITOR: ("auditor", "审计"),
    Duty.REGULATOR: ("regulator", "监管"),
    Duty.SYSTEM: ("scheduled work", "系统"),
}


@router.get("/people", response_class=HTMLResponse)
def the_people(request: Request, user: UserDep) -> HTMLResponse:
    """Everybody who may act, or might once, and the matrix."""
    with asked(user, "person.view", "people") as wiring, wiring.register.transaction() as tx:
        return show(request, "people.html", view=PeopleView(tx))


class PeopleView:
    """People, and actions by what they are about."""

    duties = _EVERY_DUTY

    def __init__(self, tx: RegisterTx) -> None:
        self.people = people(tx)
        self.actions: dict[str, list[str]] = defaultdict(list)
        for action in sorted(PERMISSIONS):
            self.actions[action.partition(".")[0]].append(action)

    def may(self, action: str, duty: str) -> bool:
        return duty in PERMISSIONS[action]
