"""What a person does about custody fees: each is one posted form (console.pages.asking) and one call of the service that the command line
calls too; then the reader is sent back.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from console.fee_view import due_charges
from console.pages.asking import FormDep, NotFound, UserDep, approves, wired
from console.pages.fees import address
from custody.calendar import custody_date_of
from custody.services.fee_charges import CHARGE, propose_charge
from custody.services.four_eyes import approve, reject

router = APIRouter()


@router.post("/fee-propose", response_class=RedirectResponse)
def propose(user: UserDep, form: FormDep) -> RedirectResponse:
    """One charge that is due, as it is computed now."""
    wanted, note = form.get("id", ""), form.get("note", "")
    with wired() as wiring:
        due = {charge.charge_no: charge for charge in due_charges(wiring, custody_date_of(wiring.clock.now()))}
        if wanted not in due:
            raise NotFound(f"{wanted[:40]!r} is not due / 该笔并非应收")
        propose_charge(wiring.register, wiring.clock, user.get_name(), due[wanted], note)
    return RedirectResponse(address(wanted), 303)


@router.post("/fee-decide", response_class=RedirectResponse)
def decision(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or reject, as the button says that was pressed."""
    decide = approve if approves(form) else reject
    with wired() as wiring:
        decide(wiring.register, wiring.clock, user.get_name(), CHARGE, form.get("proposal", ""), form.get("note", ""))
    return RedirectResponse(address(form.get("id", "")), 303)
