"""What a person does about custody fees: each is one posted form (console.pages.asking) and one call of the service that the command line
calls too; then the reader is sent back.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from console.fee_view import due_charges
from console.pages.asking import FormDep, NotFound, UserDep, approves, asked, wired
from console.pages.fees import address
from custody.calendar import custody_date_of
from custody.services.fee_amendments import AMENDMENT
from custody.services.fee_charges import CHARGE, propose_charge
from custody.services.fee_surplus import SURPLUS_BACK, WRITE_OFF, propose_give_back, propose_write_off
from custody.services.fee_usages import USAGE
from custody.services.four_eyes import approve, reject

router = APIRouter()


@router.post("/fee-propose", response_class=RedirectResponse)
def propose(user: UserDep, form: FormDep) -> RedirectResponse:
    """One charge that is due, as it is computed now."""
    wanted, note = form.get("id", ""), form.get("note", "")
    with asked(user, CHARGE.propose_action, wanted[:40]) as wiring:
        due = {charge.charge_no: charge for charge in due_charges(wiring, custody_date_of(wiring.clock.now()))}
        if wanted not in due:
            raise NotFound(f"{wanted[:40]!r} is not due / 该笔并非应收")
        propose_charge(wiring.register, wiring.clock, user.get_name(), due[wanted], note)
    return RedirectResponse(address(wanted) + "#decisions", 303)


@router.post("/fee-write-off", response_class=RedirectResponse)
def write_off(user: UserDep, form: FormDep) -> RedirectResponse:
    """That what is left of a charge is given up."""
    number = form.get("id", "")
    with wired(user) as wiring:
        propose_write_off(wiring.register, wiring.clock, user.get_name(), number, form.get("note", ""))
    return RedirectResponse(address(number) + "#decisions", 303)


@router.post("/fee-give-back", response_class=RedirectResponse)
def give_back(user: UserDep, form: FormDep) -> RedirectResponse:
    """That what the core took beyond a charge goes back, from the next bank business day."""
    number = form.get("id", "")
    with wired(user) as wiring:
        today = custody_date_of(wiring.clock.now())
        propose_give_back(wiring.register, wiring.clock, user.get_name(), number, today, form.get("note", ""))
    return RedirectResponse(address(number) + "#decisions", 303)


@router.post("/fee-decide", response_class=RedirectResponse)
def decision(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or reject, as the button says that was pressed."""
    said = form.get("kind", CHARGE.kind)
    kinds = [kind for kind in (CHARGE, WRITE_OFF, SURPLUS_BACK, USAGE, AMENDMENT) if kind.kind == said]
    with asked(user, CHARGE.approve_action, form.get("proposal", "")[:40]) as wiring:
        if not kinds:
            raise NotFound(f"nothing is decided of {said[:40]!r} here / 无此事项")
        decide = approve if approves(form) else reject
        decide(wiring.register, wiring.clock, user.get_name(), kinds[0], form.get("proposal", ""), form.get("note", ""))
    # What is of no charge is decided on the list.
    return RedirectResponse(address(form["id"]) + "#decisions" if form.get("id") else "fees", 303)
