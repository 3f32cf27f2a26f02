"""The life of a case: assign, propose a settlement, approve it (domain.md §6).

A decision is bound to the evidence that the person saw: should the rows behind a case change before the next cut-off, the
decision settles nothing and the case stays open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from custody.errors import UsageError
from custody.ports import Clock, Register, RegisterTx, Row
from custody.posting_findings import FINAL_REFUSALS
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose

# Cases about given rows, which a decision can settle for good. A difference of balances, claims or terms is found anew
# each day from that day's figures: it ends when they agree, so there is nothing for a decision to be bound to.
_SETTLED_BY_DECISION = ("TXN|", "CHANNEL|", "CORE|", "CUSTOMER|", "POSTING|", "SETTLEMENT|", "CHAIN|", "INV|INV_09|")


def cases(tx: RegisterTx, platform: str | None, state: str | None) -> list[Row]:
    """Cases by state, platform, age."""
    wanted: dict[str, object] = {}
    if platform:
        wanted["platform"] = platform
    if state:
        wanted["state"] = state
    return tx.find("recon_case", ("state", "platform", "opened_on", "case_id"), **wanted)


def case(tx: RegisterTx, case_id: str) -> Row:
    """One case. Raises UsageError when there is none."""
    row = tx.get("recon_case", case_id=case_id)
    if row is None:
        raise UsageError(f"no case {case_id!r}; see: custody case list")
    return row


def assign(register: Register, actor: str, case_id: str, owner: str) -> None:
    """Make a person responsible for a case. Raises NotPermitted; UsageError when there is no such case or active person."""
    with permitted_transaction(register, actor, "case.assign", case_id) as tx:
        case(tx, case_id)
        person = tx.get("person", person_id=owner)
        if person is None:
            raise UsageError(f"no person {owner!r}; see: custody person list")
        if not person["active"]:
            raise UsageError(f"{owner} is not active and cannot own a case; see: custody person list")
        tx.update("recon_case", {"case_id": case_id}, {"owner": owner})
        tx.audit(actor, "case.assign", case_id, {"owner": owner})


def propose_settlement(register: Register, clock: Clock, actor: str, case_id: str, note: str) -> str:
    """Propose to settle an open case as it stands; returns the proposal's id. The note says why it may be settled.

    Raises NotPermitted; UsageError when there is no such open case, or when no decision can end it: the words say what does.
    """
    if not note.strip():
        raise UsageError("say in --note why the case may be settled")
    with permitted_transaction(register, actor, CASE.propose_action, case_id) as tx:
        row = case(tx, case_id)
        if row["state"] != "OPEN":
            raise UsageError(f"case {case_id} is {row['state']}")
        why_not = _not_for_decision(row)
        if why_not:
            raise UsageError(f"case {case_id} ({row['subject']}) {why_not}")
        for decided in tx.find("proposal", kind=CASE.kind, subject=case_id, state="APPROVED"):
            if json.loads(decided["payload"])["evidence_digest"] == row["evidence_digest"]:
                raise UsageError(f"case {case_id} is settled by {decided['proposal_id']}; it closes when the next day is cut off")
    payload = {"evidence_digest": row["evidence_digest"], "kind": row["kind"]}
    return propose(register, clock, actor, CASE, case_id, payload, note)


def _not_for_decision(row: Row) -> str | None:
    """In words, what ends a case that no decision can end; None for a case that two people may settle."""
    subject = row["subject"]
    if subject.startswith("LATE|"):
        # To decide that a file will never come needs a decision of its own, which later days would have to see.
        return "ends when the file comes: remind the sender. To decide that it will not come is not possible yet"
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


CASE = DecisionKind("case", "case.propose", "case.approve", _apply)
