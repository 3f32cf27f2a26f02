"""What a person does about a case: each is one posted form (console.pages.asking) and one call of the service that the command line
calls too; then the reader is sent back to the case.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from console.case_view import yuan_of
from console.pages.asking import FormDep, UserDep, approves, asked, date_of, wired
from console.pages.cases import accounts_named, address
from console.pages.links import Links
from custody.services import cases as service
from custody.services.cases import decide

router = APIRouter()


@router.post("/case-assign", response_class=RedirectResponse)
def assign(user: UserDep, form: FormDep) -> RedirectResponse:
    """Somebody becomes responsible for it."""
    with wired(user) as wiring:
        service.assign(wiring.register, wiring.clock, user.get_name(), form.get("id", ""), form.get("owner", ""))
    return _back(form)


@router.post("/case-comment", response_class=RedirectResponse)
def comment(user: UserDep, form: FormDep) -> RedirectResponse:
    """Words that stay."""
    with wired(user) as wiring:
        service.comment(wiring.register, wiring.clock, user.get_name(), form.get("id", ""), form.get("note", ""))
    return _back(form)


@router.post("/case-propose", response_class=RedirectResponse)
def propose(user: UserDep, form: FormDep) -> RedirectResponse:
    """It may be settled as it stands, on the evidence that the form's page showed."""
    with wired(user) as wiring:
        service.propose_settlement(
            wiring.register, wiring.clock, user.get_name(), form.get("id", ""), form.get("note", ""), seen=form.get("seen", "")
        )
    return _back(form)


@router.post("/case-adjust", response_class=RedirectResponse)
def adjust(user: UserDep, form: FormDep) -> RedirectResponse:
    """An entry puts it right: between accounts that the case names, or others that are written out."""
    with asked(user, "case.adjust", form.get("id", "")[:40]) as wiring:
        with wiring.register.transaction() as tx:
            row = service.case(tx, form.get("id", ""))
        named = accounts_named(Links(wiring), row)
        pays, gets = (form.get(f"{side}_other") or named.get(form.get(side, ""), "") for side in ("from", "to"))
        value_date = date_of(form["value_date"]) if form.get("value_date") else None
        wanted = service.Adjustment(pays, gets, yuan_of(form.get("amount", "")), form.get("related") or None, value_date)
        note, seen = form.get("note", ""), form.get("seen", "")
        service.propose_adjustment(wiring.register, wiring.clock, user.get_name(), row["case_id"], wanted, note, seen)
    return _back(form)


@router.post("/case-withdraw", response_class=RedirectResponse)
def withdraw(user: UserDep, form: FormDep) -> RedirectResponse:
    """An approved entry that is not posted yet shall not be."""
    with wired(user) as wiring:
        entry, note = form.get("proposal", ""), form.get("note", "")
        service.propose_withdrawal(wiring.register, wiring.clock, user.get_name(), form.get("id", ""), entry, note)
    return _back(form)


@router.post("/case-decide", response_class=RedirectResponse)
def decision(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or reject, as the button says that was pressed."""
    proposal, note = form.get("proposal", ""), form.get("note", "")
    with asked(user, "case.approve", proposal[:40]) as wiring:
        decide(wiring.register, wiring.clock, user.get_name(), proposal, approves(form), note)
    return _back(form)


@router.post("/case-reopen", response_class=RedirectResponse)
def reopen(user: UserDep, form: FormDep) -> RedirectResponse:
    """A settled case is open again."""
    with wired(user) as wiring:
        service.reopen(wiring.register, wiring.clock, user.get_name(), form.get("id", ""), form.get("note", ""))
    return _back(form)


def _back(form: dict[str, str]) -> RedirectResponse:
    return RedirectResponse(address(form.get("id", "")) + "#deeds", 303)
