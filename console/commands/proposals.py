"""``custody proposal``: what waits for a second person, and his decision."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from console.case_tables import case_lines
from console.case_view import view_case
from console.commands.customers import plan_words
from console.commands.organisations import send_kit
from console.commands.restatements import effect_words
from console.output import ActorOption, JsonOption, NoteOption, command, emit, wired
from custody.calendar import custody_date_of
from custody.counting import counted
from custody.customer_decisions import DELETE
from custody.errors import UsageError
from custody.masking import mask, mask_user_numbers
from custody.ports import Row
from custody.release_checks import Check, ReleaseFinding, explained
from custody.rule_words import trial_words
from custody.services import absent_files, calendars, customer_desk, organisations, party_keys, releases
from custody.services import cases as case_service
from custody.services.aml_filings import FILING
from custody.services.aml_holds import AML_HOLD
from custody.services.contract_changes import CONTRACT
from custody.services.deletion_plan import plan_of
from custody.services.fee_amendments import AMENDMENT
from custody.services.fee_charges import CHARGE
from custody.services.fee_surplus import SURPLUS_BACK, WRITE_OFF
from custody.services.fee_usages import USAGE
from custody.services.four_eyes import DecisionKind, approve, reject
from custody.services.party_contacts import CONTACT
from custody.services.restatements import RESTATEMENT
from custody.services.rules import KIND as RULE
from custody.services.rules import decide_rule
from custody.services.seal_keys import SEAL_KEY
from custody.services.status_changes import STATUS
from custody.services.watch_lists import WATCH_LIST
from schemas.rule_book import shipped_rules

_KINDS: dict[str, DecisionKind] = {
    k.kind: k
    for k in (
        *case_service.KINDS.values(),
        organisations.ONBOARD,
        STATUS,
        CONTRACT,
        CONTACT,
        party_keys.KEY,
        party_keys.REVOKE,
        RESTATEMENT,
        absent_files.GIVE_UP,
        releases.RELEASE,
        calendars.HOLIDAY,
        WATCH_LIST,
        AML_HOLD,
        FILING,
        CHARGE,
        SEAL_KEY,
        WRITE_OFF,
        SURPLUS_BACK,
        AMENDMENT,
        USAGE,
    )
}
# What may let somebody in to the drop, or lock him out.
_OF_LOGINS = frozenset(k.kind for k in (organisations.ONBOARD, STATUS, party_keys.KEY, party_keys.REVOKE))
ProposalArgument = Annotated[str, typer.Argument(help="Proposal id. 提案编号")]


@command
def list_them(
    state: Annotated[str, typer.Option("--state", help="PROPOSED, APPROVED, REJECTED. 状态")] = "PROPOSED",
    as_json: JsonOption = False,
) -> int:
    """What waits for a second person, or what became of it. 待复核事项"""
    with wired() as wiring, wiring.register.transaction() as tx:
        rows = tx.find("proposal", ("proposed_at", "proposal_id"), state=state)
    words = [
        f"{r['proposal_id']}  {r['kind']:<12} {r['subject']}  by {r['maker']}: {r['note']}"
        + (f"  {r['state']} by {r['checker']}: {r['decision_note']}" if r["checker"] else "")
        for r in rows
    ]
    emit({"proposals": rows}, as_json, words or ["nothing waits 无待复核事项"])
    return 0


@command
def show(proposal: ProposalArgument, as_json: JsonOption = False) -> int:
    """What is proposed, by whom, and what became of it. 提案内容"""
    with wired() as wiring:
        with wiring.register.transaction() as tx:
            row = tx.get("proposal", proposal_id=proposal)
        if row is None:
            raise UsageError(f"no proposal {proposal!r}; see: custody proposal list")
        plan = []
        if row["kind"] == DELETE and row["state"] == "PROPOSED":
            # Who decides sees what would go, and what stays; the decision is refused when the plan has changed since.
            plan = [mask_user_numbers(line) for line in plan_words(plan_of(wiring.customer_ports, row["subject"]))]
        if row["kind"] in case_service.KINDS:
            # ... and who decides about a case, the rows of each side.
            with wiring.register.transaction() as tx:
                plan = case_lines(view_case(tx, row["subject"]))
        if row["kind"] == calendars.HOLIDAY.kind:
            # ... and about days, those that change and what then settles when.
            with wiring.register.transaction() as tx:
                plan = [_day_words(e) for e in calendars.effects(tx, calendars.days_of(json.loads(row["payload"])))]
        if row["kind"] == RESTATEMENT.kind:
            plan = effect_words(row["payload"])
    payload = json.loads(row["payload"])
    if row["kind"] == releases.RELEASE.kind:
        plan = release_words(payload)
    if row["kind"] == RULE:
        # Who decides sees what the rule would have changed: the decision is bound to it.
        plan = trial_words(payload["trial"])
    if row["kind"] in case_service.KINDS:
        payload = {name: mask_user_numbers(said) if isinstance(said, str) else said for name, said in payload.items()}
    # Of a contact what is sealed says nothing to a reader.
    payload = {name: said for name, said in payload.items() if name not in ("sealed", "wrapped_key")}
    if row["kind"] == calendars.HOLIDAY.kind:
        payload["days"] = counted(len(payload["days"]), "day")
    if "rows" in payload:
        payload["rows"] = [{**said, "user_no": mask(said["user_no"])} for said in payload["rows"]]
    shown = {**row, "payload": payload}
    # A line for each: nothing that the maker wrote can look like a line of ours.
    words = [
        f"{name}: {' '.join((text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)).split())}"
        for name, text in shown.items()
        if text is not None
    ]
    words += plan
    emit({**shown, "words": words, **_at_hand(row)}, as_json, words)
    return 0


def _day_words(effect: calendars.Effect) -> str:
    becomes = "business day 工作日" if effect.day.business_day else "holiday 休息日"
    was, will = effect.settles
    return f"{effect.day.day} becomes a {becomes} ({effect.day.reason}): the day before settles on {will}, not {was} / 前一日清算日由 {was} 改为 {will}"


def release_words(payload: dict[str, Any]) -> list[str]:
    """What stands out in the draft, each with what its maker says of it."""
    said = payload["explanations"]
    found = [ReleaseFinding(Check(check), subject, english, chinese) for check, subject, english, chinese in payload["findings"]]
    return [f"{one.check}: {one.english} / {one.chinese} [{explained(one, said)}]" for one in found] or [
        "nothing stands out 无异常变动"
    ]


def _at_hand(row: Row) -> dict[str, str]:
    """Of a report's release the page that has it, below the console's address."""
    if row["kind"] != releases.RELEASE.kind:
        return {}
    return {"page": f"report?{urlencode({'id': row['subject'], 'draft': json.loads(row['payload'])['draft_no']})}"}


def _decide(proposal: str, actor: str, note: str, as_json: bool, approved: bool) -> int:
    with wired() as wiring:
        with wiring.register.transaction() as tx:
            row = tx.get("proposal", proposal_id=proposal)
        if row is None:
            raise UsageError(f"no proposal {proposal!r}; see: custody proposal list")
        service = approve if approved else reject
        if row["kind"] in customer_desk.KINDS:
            decided = customer_desk.decide(wiring.customer_ports, actor, proposal, approved, note)
        elif row["kind"] == RULE:
            decided = decide_rule(wiring.register, wiring.clock, actor, shipped_rules(), proposal, approved, note)
        else:
            decided = service(wiring.register, wiring.clock, actor, _KINDS[row["kind"]], proposal, note)
        if row["kind"] in _OF_LOGINS:
            from connectors.drop_accounts import follow_register

            follow_register(wiring.settings, wiring.register, custody_date_of(wiring.clock.now()))
        if approved and row["kind"] == FILING.kind:
            from jobs.filings import send

            send(wiring, custody_date_of(wiring.clock.now()), actor)
        if approved and row["kind"] == organisations.ONBOARD.kind and not json.loads(row["payload"]).get("live_untested", True):
            send_kit(wiring, row["subject"])
    effect = ""
    if approved and row["kind"] in case_service.KINDS:
        effect = ": it takes effect with the next day that is cut off / 自下一账务日起生效"
    emit({"proposal": proposal, "state": decided["state"]}, as_json, [f"{proposal} {decided['state']}{effect}"])
    return 0


@command
def decide(proposal: ProposalArgument, actor: ActorOption, note: NoteOption = "", as_json: JsonOption = False) -> int:
    """Approve another person's proposal. 复核通过"""
    return _decide(proposal, actor, note, as_json, approved=True)


@command
def turn_down(proposal: ProposalArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Turn another person's proposal down. 复核拒绝"""
    return _decide(proposal, actor, note, as_json, approved=False)
