"""The rule book of a date: every version with its owner and source; what waits for a second person, and his decision."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from console.pages.asking import FormDep, UserDep, approves, asked, date_of, show
from console.pages.listing import Listing, listing
from console.pages.words import Words
from custody.calendar import ONE_DAY
from custody.errors import UsageError
from custody.match_rules import Rule
from custody.permissions import permitted
from custody.ports import RegisterTx, Row
from custody.rule_words import STATES, condition_words, trial_words
from custody.services.access import duties_of
from custody.services.outputs import days_begun
from custody.services.rules import KIND, decide_rule, rules_with_state
from schemas.rule_book import shipped_rules

router = APIRouter()


@router.get("/rules", response_class=HTMLResponse)
def the_rules(request: Request, user: UserDep, wanted: Annotated[str, Query(alias="date")] = "") -> HTMLResponse:
    """The rules as they stand on one custody date; without a date, on the next one to be cut off."""
    with asked(user, "day.view", "rule book") as wiring, wiring.register.transaction() as tx:
        begun = days_begun(tx)
        on = date_of(wanted) if wanted else (begun[-1] + ONE_DAY if begun else wiring.settings.instance.go_live)
        if on is None:
            raise UsageError(f"{wanted[:40]!r} is not a date YYYY-MM-DD / 日期无效")
        return show(request, "rules.html", view=RulesView(tx, on, dict(request.query_params), user.get_name()))


@router.post("/rule-decide", response_class=RedirectResponse)
def decide(user: UserDep, form: FormDep) -> RedirectResponse:
    """Approve or reject a proposed rule, as the button says that was pressed; the reader is sent back to the book."""
    proposal, note = form.get("proposal", ""), form.get("note", "")
    with asked(user, "rule.approve", proposal[:40]) as wiring:
        decide_rule(wiring.register, wiring.clock, user.get_name(), shipped_rules(), proposal, approves(form), note)
    return RedirectResponse("rules", 303)


class RulesView:
    """The book of a date and what is proposed, with what the template asks."""

    def __init__(self, tx: RegisterTx, on: date, params: Mapping[str, str], reader: str) -> None:
        self.on, self.reader = on, reader
        self.may_approve = permitted("rule.approve", duties_of(tx, reader))
        _, known = rules_with_state(tx, shipped_rules(), on)
        self.rules: Listing[tuple[Rule, str]] = listing(
            known,
            {
                "rule": lambda r: (r[0].rule_id, r[0].version),
                "state": lambda r: r[1],
                "from": lambda r: r[0].valid_from,
                "form": lambda r: (r[0].form, r[0].relation or "", r[0].priority),
                "owner": lambda r: r[0].owner,
            },
            {"date": on.isoformat(), **params},
            "rules",
        )
        self.waiting = [
            _proposal(row) for row in tx.find("proposal", ("proposed_at", "proposal_id"), kind=KIND, state="PROPOSED")
        ]

    def state(self, state: str) -> Words:
        return STATES[state]

    def says(self, rule: Rule) -> Words:
        return condition_words(rule)


def _proposal(row: Row) -> dict[str, Any]:
    payload = json.loads(row["payload"])
    facts = {name: row[name] for name in ("proposal_id", "subject", "maker", "note")}
    return facts | {"valid_from": payload["entry"]["valid_from"], "trial": trial_words(payload["trial"])}
