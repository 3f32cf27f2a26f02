"""What people do about a case: assign, comment, propose a settlement, approve it, open it again (domain.md §6).

A decision is bound to the evidence that the person saw: should the rows behind a case change before the next cut-off, the
decision settles nothing and the case stays open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from custody.adjustments import KIND, WITHDRAWAL, check_amount, rule_for
from custody.calendar import ONE_DAY
from custody.case_life import CLOSED, OPEN, CaseEvent
from custody.errors import UsageError
from custody.names import platform_of
from custody.ports import Clock, Register, RegisterTx, Row
from custody.posting_findings import FINAL_REFUSALS
from custody.services.access import permitted_transaction
from custody.services.calendars import settlement_calendar
from custody.services.case_desk import standing_on
from custody.services.case_history import history_of, record
from custody.services.four_eyes import DecisionKind, approve, propose, reject

LONGEST_NOTE = 2_000
# What closed a case that people settled.
SETTLED_BY = ("decision ", "adjustment ")
# Cases about given rows, which a decision can settle for good. A difference of balances, claims or terms is found anew
# each day from that day's figures: it ends when they agree, so there is nothing for a decision to be bound to.
_SETTLED_BY_DECISION = (
    "TXN|", "CHANNEL|", "CORE|", "EFLOW|", "CUSTOMER|", "POSTING|", "SETTLEMENT|", "CHAIN|", "SHADOW|", "FUNDS|", "INV|INV_09|",
)  # fmt: skip


def case(tx: RegisterTx, case_id: str) -> Row:
    """One case. Raises UsageError when there is none."""
    row = tx.get("recon_case", case_id=case_id)
    if row is None:
        raise UsageError(f"no case {case_id!r}; see: custody case list")
    return row


def assign(register: Register, clock: Clock, actor: str, case_id: str, owner: str) -> None:
    """Make a person responsible for a case. Raises NotPermitted; UsageError when there is no such case or active person."""
    with permitted_transaction(register, actor, "case.assign", case_id) as tx:
        before = case(tx, case_id)["owner"]
        person = tx.get("person", person_id=owner)
        if person is None:
            raise UsageError(f"no person {owner!r}; see: custody person list")
        if not person["active"]:
            raise UsageError(f"{owner} is not active and cannot own a case; see: custody person list")
        if owner == before:
            return
        tx.update("recon_case", {"case_id": case_id}, {"owner": owner})
        record(tx, _at(clock), case_id, actor, [(CaseEvent.ASSIGNED, {"before": before, "after": owner})])
        tx.audit(actor, "case.assign", case_id, {"owner": owner})


def comment(register: Register, clock: Clock, actor: str, case_id: str, words: str) -> None:
    """Say something about a case; it stays for ever. Raises NotPermitted; UsageError when there is no such case or nothing is said."""
    said = words.strip()
    if not said:
        raise UsageError("say something: --note is empty")
    if len(said) > LONGEST_NOTE:
        raise UsageError(f"a comment has at most {LONGEST_NOTE} characters, this has {len(said)}")
    with permitted_transaction(register, actor, "case.comment", case_id) as tx:
        case(tx, case_id)
        record(tx, _at(clock), case_id, actor, [(CaseEvent.COMMENTED, {})], note=said)
        tx.audit(actor, "case.comment", case_id, {"note": said})


def reopen(register: Register, clock: Clock, actor: str, case_id: str, reason: str) -> None:
    """Open a case again that people settled: it stays open until two people settle it anew, whatever is found meanwhile.

    Raises NotPermitted; UsageError when there is no such case, when nobody settled it, or without a reason.
    """
    if not reason.strip():
        raise UsageError("say in --note why it is opened again")
    with permitted_transaction(register, actor, "case.reopen", case_id) as tx:
        row = case(tx, case_id)
        if row["state"] != CLOSED:
            raise UsageError(f"case {case_id} is {row['state']}")
        if not str(row["closed_by"]).startswith(SETTLED_BY):
            words = "nobody settled it; it opens by itself when it is found again"
            raise UsageError(f"case {case_id} was closed as {row['closed_by']}: {words}")
        on = standing_on(tx) or row["closed_on"]
        due = settlement_calendar(tx).next_business_day(on)
        change = {"state": OPEN, "opened_on": on, "closed_on": None, "closed_by": None, "reopened_by": actor, "due_on": due}
        tx.update("recon_case", {"case_id": case_id}, change | {"episode": row["episode"] + 1})
        details = {"episode": row["episode"] + 1, "closed_by": row["closed_by"], "due_on": due.isoformat()}
        record(tx, _at(clock), case_id, actor, [(CaseEvent.REOPENED, details)], note=reason.strip())
        tx.audit(actor, "case.reopen", case_id, {"closed_by": row["closed_by"], "note": reason.strip()})


def propose_settlement(register: Register, clock: Clock, actor: str, case_id: str, note: str, seen: str = "") -> str:
    """Propose to settle an open case as it stands; returns the proposal's id. The note says why it may be settled; ``seen`` is the
    digest of the evidence that a page showed.

    Raises NotPermitted; UsageError when there is no such open case, when its evidence is no longer what was seen, or when no decision
    can end it: the words say what does.
    """
    if not note.strip():
        raise UsageError("say in --note why the case may be settled")
    with permitted_transaction(register, actor, CASE.propose_action, case_id) as tx:
        row = _open_as_seen(tx, case_id, seen)
        why_not = _not_for_decision(row)
        if why_not:
            raise UsageError(f"case {case_id} ({row['subject']}) {why_not}")
        done = {line.details["closed_by"] for line in history_of(tx, case_id) if line.event == CaseEvent.CLOSED}
        for decided in tx.find("proposal", kind=CASE.kind, subject=case_id, state="APPROVED"):
            if (
                f"decision {decided['proposal_id']}" not in done
                and json.loads(decided["payload"])["evidence_digest"] == row["evidence_digest"]
            ):
                raise UsageError(f"case {case_id} is settled by {decided['proposal_id']}; it closes when the next day is cut off")
    payload = {"evidence_digest": row["evidence_digest"], "kind": row["kind"]}
    return propose(register, clock, actor, CASE, case_id, payload, note)


@dataclass(frozen=True)
class Adjustment:
    """``related_request_no``: the request that it puts right; ``value_date``: None for the day that posts it."""

    from_account: str
    to_account: str
    amount_minor: int
    related_request_no: str | None = None
    value_date: date | None = None


def propose_adjustment(
    register: Register, clock: Clock, actor: str, case_id: str, wanted: Adjustment, note: str, seen: str = ""
) -> str:
    """Propose an adjusting entry that puts an open case right; returns the proposal's id. Once approved, the next day that is cut off
    posts it, and the case closes by it.

    Raises NotPermitted; UsageError when there is no such open case, when an entry for it waits to be posted, or when no posting rule
    allows the move.
    """
    if not note.strip():
        raise UsageError("say in --note why the entry puts it right")
    check_amount(wanted.amount_minor)
    txn_type = rule_for(wanted.from_account, wanted.to_account, wanted.related_request_no)
    with permitted_transaction(register, actor, ADJUSTMENT.propose_action, case_id) as tx:
        row = _open_as_seen(tx, case_id, seen)
        if platform_of(wanted.from_account) != row["platform"]:
            raise UsageError(f"case {case_id} is {row['platform']}'s: its money is adjusted within that platform")
        on = standing_on(tx)
        if wanted.value_date is not None and (on is None or wanted.value_date > on + ONE_DAY):
            raise UsageError(f"value date {wanted.value_date} lies ahead of the day that would post it")
        if not_posted(tx, case_id):
            raise UsageError(f"an adjusting entry for case {case_id} waits to be posted: custody case show {case_id}")
    payload = {
        "evidence_digest": row["evidence_digest"],
        "from_account": wanted.from_account,
        "to_account": wanted.to_account,
        "amount_minor": wanted.amount_minor,
        "txn_type": str(txn_type),
        "related_request_no": wanted.related_request_no,
        "value_date": wanted.value_date.isoformat() if wanted.value_date else None,
    }
    return propose(register, clock, actor, ADJUSTMENT, case_id, payload, note)


def propose_withdrawal(register: Register, clock: Clock, actor: str, case_id: str, adjustment: str, note: str) -> str:
    """Propose that an approved adjusting entry be not posted after all; returns the proposal's id. Once approved, the next day that is cut
    off waits for it no longer.

    Raises NotPermitted; UsageError when no such entry of the case waits.
    """
    if not note.strip():
        raise UsageError("say in --note why the entry is not to be posted")
    with permitted_transaction(register, actor, WITHDRAW.propose_action, case_id) as tx:
        _waiting(tx, case_id, adjustment)
    return propose(register, clock, actor, WITHDRAW, case_id, {"adjustment": adjustment}, note)


def _waiting(tx: RegisterTx, case_id: str, adjustment: str) -> None:
    if adjustment not in not_posted(tx, case_id):
        raise UsageError(
            f"no approved adjusting entry {adjustment!r} of case {case_id} waits to be posted: custody case show {case_id}"
        )


def _apply_withdrawal(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    """Only checks: the next cut-off seals the decision, and that day's posting leaves the entry out."""
    _waiting(tx, subject, str(payload["adjustment"]))


def not_posted(tx: RegisterTx, case_id: str) -> list[str]:
    """Approved adjustments of a case that are not posted (yet), but those that were withdrawn."""
    ended = {line.details["proposal"] for line in history_of(tx, case_id) if line.event == CaseEvent.ADJUSTED}
    for row in tx.find("proposal", kind=WITHDRAWAL, subject=case_id, state="APPROVED"):
        ended.add(json.loads(row["payload"])["adjustment"])
    approved = tx.find("proposal", ("decision_no",), kind=KIND, subject=case_id, state="APPROVED")
    return [row["proposal_id"] for row in approved if row["proposal_id"] not in ended]


def _open_as_seen(tx: RegisterTx, case_id: str, seen: str) -> Row:
    """Raises UsageError when the case is not open, or its evidence no longer what was seen."""
    row = case(tx, case_id)
    if row["state"] != OPEN:
        raise UsageError(f"case {case_id} is {row['state']}")
    if seen and seen != row["evidence_digest"]:
        raise UsageError(f"the evidence of case {case_id} has changed since you looked: look again / 证据已变更，请重新查看")
    return row


def _not_for_decision(row: Row) -> str | None:
    """In words, what ends a case that no decision can end; None for a case that two people may settle."""
    subject = row["subject"]
    if subject.startswith("LATE|"):
        return "ends when the file comes: remind the sender. That it will not come is decided by: custody file give-up"
    if not subject.startswith(_SETTLED_BY_DECISION):
        return "ends when its figures agree; correct what causes it instead"
    if subject.startswith("POSTING|") and row["cause"] not in FINAL_REFUSALS:
        return f"is tried again each day and ends when it can be posted ({row['cause']}); correct what causes it instead"
    return None


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    """Only checks. The next cut-off seals the decision; that day's reconciliation takes the rows out of the open items
    and its publication closes the case."""
    row = case(tx, subject)
    if row["state"] != "OPEN":
        raise UsageError(
            f"case {subject} is {row['state']} since {row['closed_on']} ({row['closed_by']}): nothing is left to settle"
        )
    if row["evidence_digest"] != payload["evidence_digest"]:
        raise UsageError(f"the evidence of case {subject} changed since it was proposed: look again and propose again")


def _told(tx: RegisterTx, row: Row) -> None:
    """What is proposed and decided about a case stands in its history."""
    is_new = row["state"] == "PROPOSED"
    at, actor, note = (
        row[name] for name in (("proposed_at", "maker", "note") if is_new else ("decided_at", "checker", "decision_note"))
    )
    event = CaseEvent(row["state"])
    record(tx, at, row["subject"], actor, [(event, {"proposal": row["proposal_id"], "remedy": row["kind"]})], note=note)


def _at(clock: Clock) -> str:
    return clock.now().isoformat(timespec="microseconds")


CASE = DecisionKind("case", "case.propose", "case.approve", _apply, _told)
ADJUSTMENT = DecisionKind(KIND, "case.adjust", "case.approve", _apply, _told)
WITHDRAW = DecisionKind(WITHDRAWAL, "case.adjust", "case.approve", _apply_withdrawal, _told)
# What people decide about cases, by the proposal's kind.
KINDS: dict[str, DecisionKind] = {kind.kind: kind for kind in (CASE, ADJUSTMENT, WITHDRAW)}


def decide(register: Register, clock: Clock, actor: str, proposal_id: str, approved: bool, note: str) -> Row:
    """Approve or reject another person's proposal about a case. Raises NotPermitted; UsageError when it cannot be decided (any more)."""
    with register.transaction() as tx:
        row = tx.get("proposal", proposal_id=proposal_id, kind=list(KINDS))
    if row is None:
        raise UsageError(f"no proposal {proposal_id!r} about a case")
    return (approve if approved else reject)(register, clock, actor, KINDS[row["kind"]], proposal_id, note)
