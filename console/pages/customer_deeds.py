"""What a person does about a customer: proposes a change, a merger or a deletion, and decides on another's proposal.

Each is one posted form, checked as console.pages.asking has it, and one call of the service that the command line calls too; then the
reader is sent back to the customer's page, so that loading it again does nothing again.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from console.pages.asking import FormDep, NotFound, UserDep, approves, asked, show, wired
from console.pages.customers import FIELDS, address, customer_page
from console.pages.links import Link, Links
from custody.masking import mask_user_numbers
from custody.permissions import permitted
from custody.services.access import duties_of
from custody.services.customer_desk import decide
from custody.services.customer_proposals import Proposed, propose_change, propose_merge
from custody.services.deletion_plan import DeletionPlan, deletion_plan
from custody.services.erasures import propose_delete

router = APIRouter()

# What a person may know of another that is no key of his: the paper's number makes another customer.
CHANGEABLE = ("name", "phone", "card_no")


@router.post("/propose-change", response_class=HTMLResponse)
def change(request: Request, user: UserDep, form: FormDep) -> Response:
    """Of one sub-account's owner, what its platform says of him; or the account is closed."""
    customer_id = form.get("id", "")
    with asked(user, "customer.propose", customer_id[:40]) as wiring:
        row = Links(wiring).chosen(customer_id, form.get("account", ""))
        if row is None:
            raise NotFound("the customer has no such account / 该客户无此子账户")
        closing = form.get("action") == "CLOSE"
        changes = {} if closing else {name: form[name] for name in CHANGEABLE if form.get(name)}
        user_no = row["sub_account"].split(".")[2]
        done = propose_change(
            wiring.customer_ports,
            user.get_name(),
            row["platform"],
            row["role"],
            user_no,
            changes,
            form.get("note", ""),
            "CLOSE" if closing else "CHANGE",
        )
        if done.proposal is None:
            answer = customer_page(request, wiring, user.get_name(), customer_id, _faults(done))
            answer.status_code = 400
            return answer
    return _back(customer_id)


@router.post("/propose-merger", response_class=RedirectResponse)
def merger(user: UserDep, form: FormDep) -> RedirectResponse:
    """This customer is the same person as another, under whose id he goes on."""
    customer_id = form.get("id", "")
    with wired(user) as wiring:
        propose_merge(wiring.customer_ports, user.get_name(), customer_id, form.get("into", ""), form.get("note", ""))
    return _back(customer_id)


@router.get("/deletion", response_class=HTMLResponse)
def plan(request: Request, user: UserDep, id: str = "") -> HTMLResponse:
    """What deleting him would mean, before anybody proposes it or decides."""
    with wired(user) as wiring:
        found = deletion_plan(wiring.customer_ports, user.get_name(), id)
        with wiring.register.transaction() as tx:
            may_propose = permitted("customer.propose", duties_of(tx, user.get_name()))
        return show(request, "deletion.html", view=PlanView(found, may_propose))


@router.post("/propose-deletion", response_class=RedirectResponse)
def deletion(user: UserDep, form: FormDep) -> RedirectResponse:
    """Of what the plan with this digest said."""
    customer_id = form.get("id", "")
    with wired(user) as wiring:
        propose_delete(wiring.customer_ports, user.get_name(), customer_id, form.get("digest", ""), form.get("note", ""))
    return _back(customer_id)


@router.post("/decide", response_class=RedirectResponse)
def decision(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or reject, as the button says that was pressed."""
    proposal = form.get("proposal", "")
    with asked(user, "customer.approve", proposal[:40]) as wiring:
        decide(wiring.customer_ports, user.get_name(), proposal, approves(form), form.get("note", ""))
    return _back(form.get("id", ""))


def _back(customer_id: str) -> RedirectResponse:
    return RedirectResponse(address(customer_id) + "#waiting", 303)


def _faults(done: Proposed) -> list[str]:
    """Which field, and what is wrong with it; never the value."""
    told = []
    for fault in done.faults:
        (english, chinese), name = fault.words, FIELDS.get(fault.field, (fault.field, ""))
        told.append(mask_user_numbers(f"{name[0]} {name[1]}: {english} / {chinese}"))
    return told


class PlanView:
    """A DeletionPlan, with what the template asks."""

    def __init__(self, found: DeletionPlan, may_propose: bool) -> None:
        self.plan, self.may_propose = found, may_propose
        self.blockers = [(mask_user_numbers(english), mask_user_numbers(chinese)) for english, chinese in found.blockers]
        self.customer = Link(found.customer_id, address(found.customer_id))
