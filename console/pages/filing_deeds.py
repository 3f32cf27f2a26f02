"""What is done about filings: each is one posted form (console.pages.asking) and one call of the service that the command line
calls too; then the reader is sent back to the filing.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from console.filing_view import filing_named
from console.pages.asking import FormDep, UserDep, approves, wired
from console.pages.filings import address
from custody.services.access import check_permission
from custody.services.aml_filings import FILING, answer, propose_filing
from custody.services.four_eyes import approve, reject

router = APIRouter()


@router.post("/filing-propose", response_class=RedirectResponse)
def propose(user: UserDep, form: FormDep) -> RedirectResponse:
    """That it is filed as its newest date says it."""
    wanted, actor = form.get("id", ""), user.get_name()
    with wired(user) as wiring:
        check_permission(wiring.register, actor, FILING.propose_action, wanted[:40])
        one = filing_named(wiring, actor, wanted)
        propose_filing(wiring.register, wiring.clock, actor, one.filing, form.get("note", ""))
    return RedirectResponse(address(wanted), 303)


@router.post("/filing-decide", response_class=RedirectResponse)
def decision(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or reject, as the button says that was pressed."""
    decide = approve if approves(form) else reject
    with wired(user) as wiring:
        decide(wiring.register, wiring.clock, user.get_name(), FILING, form.get("proposal", ""), form.get("note", ""))
    return RedirectResponse(address(form.get("id", "")), 303)


@router.post("/filing-receipt", response_class=RedirectResponse)
def receipt(user: UserDep, form: FormDep) -> RedirectResponse:
    """What the authority answered, as the button says that was pressed."""
    wanted = form.get("id", "")
    with wired(user) as wiring:
        answer(wiring.register, user.get_name(), wanted, form.get("outcome", ""), form.get("reason", ""))
    return RedirectResponse(address(wanted), 303)
