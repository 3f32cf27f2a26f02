"""What is done about holds: each is one posted form (console.pages.asking) and one call of the service that the command
line calls too; then the reader is sent back to the finding.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from console.hold_view import hold_named
from console.pages.asking import FormDep, UserDep, approves, asked, wired
from console.pages.listing import query
from custody.errors import UsageError
from custody.services.access import check_permission
from custody.services.aml_holds import AML_HOLD, propose_outcome
from custody.services.four_eyes import approve, reject
from custody.watch_list import HoldState

router = APIRouter()


@router.post("/hold-propose", response_class=RedirectResponse)
def propose(user: UserDep, form: FormDep) -> RedirectResponse:
    """Release it, or turn it into a report, as the button says that was pressed."""
    wanted, outcome = form.get("id", ""), form.get("outcome", "")
    with wired(user) as wiring:
        check_permission(wiring.register, user.get_name(), AML_HOLD.propose_action, wanted)
        if outcome not in (HoldState.RELEASED, HoldState.REPORTED):
            raise UsageError(f"{outcome[:40]!r} is neither RELEASED nor REPORTED / 处理方式无效")
        hold = hold_named(wiring, user.get_name(), wanted)
        propose_outcome(wiring.register, wiring.clock, user.get_name(), hold, HoldState(outcome), form.get("note", ""))
    return _back(wanted)


@router.post("/hold-decide", response_class=RedirectResponse)
def decision(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or reject, as the button says that was pressed."""
    with asked(user, AML_HOLD.approve_action, form.get("proposal", "")[:40]) as wiring:
        decide = approve if approves(form) else reject
        decide(wiring.register, wiring.clock, user.get_name(), AML_HOLD, form.get("proposal", ""), form.get("note", ""))
    return _back(form.get("id", ""))


def _back(hold_id: str) -> RedirectResponse:
    return RedirectResponse(query("finding", {"finding": hold_id}) + "#hold", 303)
