"""What a person does about a report: each is one posted form (console.pages.asking) and one call of the service that the command line and the
approval task call too; then the reader is sent back.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from console.pages.asking import FormDep, NotFound, UserDep, approves, asked
from console.pages.reports import address
from console.report_release import SealedDrafts
from custody.services.four_eyes import approve, reject
from custody.services.releases import RELEASE, ReportKey, propose_release

router = APIRouter()
_EXPLAIN = "explain."


@router.post("/report-propose", response_class=RedirectResponse)
def proposal(user: UserDep, form: FormDep) -> RedirectResponse:
    """The draft that the page showed, with what its maker says of what stands out."""
    said = {name.removeprefix(_EXPLAIN): words for name, words in form.items() if name.startswith(_EXPLAIN)}
    with asked(user, RELEASE.propose_action, form.get("id", "")[:80]) as wiring:
        try:
            key = ReportKey.read(form.get("id", "")[:120])
        except (ValueError, TypeError):
            raise NotFound("no such report / 无此报表") from None
        propose_release(
            wiring.register, wiring.clock, user.get_name(), key, SealedDrafts(wiring), wiring.settings.instance.go_live, said,
            form.get("note", ""), form.get("content", ""),
        )  # fmt: skip
    return RedirectResponse(address(key.subject) + "#decisions", 303)


@router.post("/report-decide", response_class=RedirectResponse)
def decision(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or refuse, as the button says that was pressed."""
    with asked(user, RELEASE.approve_action, form.get("proposal", "")[:40]) as wiring:
        decide = approve if approves(form) else reject
        decide(wiring.register, wiring.clock, user.get_name(), RELEASE, form.get("proposal", ""), form.get("note", ""))
    return RedirectResponse(address(form.get("id", "")) + "#decisions", 303)
