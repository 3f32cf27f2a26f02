"""One person proposes, another approves; what was approved is bound to its digest (domain.md §10).

A kind of decision names its two permissions and what approval does; the change, the decision and the audit event share
one register transaction. Decisions are numbered in the order in which they were approved: a custody day's cut-off seals
those up to a number (design.md §2).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from custody.digest import canonical_json, digest_of_json
from custody.errors import NotPermitted, UsageError
from custody.ports import Clock, DuplicateRow, Register, RegisterTx, Row
from custody.services.access import permitted_transaction


@dataclass(frozen=True)
class DecisionKind:
    """``apply(tx, subject, payload)`` makes the approved change; None where the day's cut-off is what takes it up. ``told(tx, row)``
    is told of the proposal as it is made and as it is decided, either way."""

    kind: str
    propose_action: str
    approve_action: str
    apply: Callable[[RegisterTx, str, Mapping[str, object]], None] | None = None
    told: Callable[[RegisterTx, Row], None] | None = None


def propose(
    register: Register,
    clock: Clock,
    actor: str,
    kind: DecisionKind,
    subject: str,
    payload: Mapping[str, object],
    note: str,
) -> str:
    """Record a proposal; returns its id. Proposing the same thing again while it is open returns the same id."""
    body = canonical_json(dict(payload))
    with permitted_transaction(register, actor, kind.propose_action, subject) as tx:
        now = clock.now().isoformat(timespec="microseconds")
        for open_ in tx.find("proposal", kind=kind.kind, subject=subject, state="PROPOSED"):
            if open_["payload"] == body:
                return str(open_["proposal_id"])
        past = len(tx.find("proposal", kind=kind.kind, subject=subject))
        proposal_id = digest_of_json([kind.kind, subject, body, past])[:16]
        row: Row = {
            "proposal_id": proposal_id,
            "kind": kind.kind,
            "subject": subject,
            "payload": body,
            "maker": actor,
            "proposed_at": now,
            "state": "PROPOSED",
            "note": note,
        }
        try:
            tx.insert("proposal", row)
        except DuplicateRow as error:
            raise UsageError(f"proposal {proposal_id} stands already") from error
        if kind.told is not None:
            kind.told(tx, row)
        tx.audit(actor, kind.propose_action, subject, {"proposal": proposal_id, "payload": json.loads(body), "note": note})
        return proposal_id


def approve(register: Register, clock: Clock, actor: str, kind: DecisionKind, proposal_id: str, note: str) -> Row:
    """Approve another person's proposal and make its change. Approving twice by the same person changes nothing."""
    return _decide(register, clock, actor, kind, proposal_id, "APPROVED", note)


def reject(register: Register, clock: Clock, actor: str, kind: DecisionKind, proposal_id: str, note: str) -> Row:
    """Turn another person's proposal down; nothing else changes."""
    return _decide(register, clock, actor, kind, proposal_id, "REJECTED", note)


def _decide(register: Register, clock: Clock, actor: str, kind: DecisionKind, proposal_id: str, outcome: str, note: str) -> Row:
    with permitted_transaction(register, actor, kind.approve_action, proposal_id) as tx:
        row = tx.get("proposal", proposal_id=proposal_id, kind=kind.kind)
        if row is None:
            raise UsageError(f"no {kind.kind} proposal {proposal_id!r}")
        if row["maker"] == actor:
            raise NotPermitted(f"{actor} proposed {proposal_id} and may not decide it: another person must")
        if row["state"] != "PROPOSED":
            if row["state"] == outcome and row["checker"] == actor:
                return row
            raise UsageError(f"proposal {proposal_id} is {row['state']} already, by {row['checker']}")
        payload = json.loads(row["payload"])
        if outcome == "APPROVED" and kind.apply is not None:
            kind.apply(tx, row["subject"], payload)
        change: Row = {
            "state": outcome,
            "checker": actor,
            "decided_at": clock.now().isoformat(timespec="microseconds"),
            "decision_no": _next_decision_no(tx),
            "decision_note": note,
        }
        tx.update("proposal", {"proposal_id": proposal_id}, change)
        if kind.told is not None:
            kind.told(tx, {**row, **change})
        details = {"proposal": proposal_id, "maker": row["maker"], "outcome": outcome, "note": note}
        tx.audit(actor, kind.approve_action, row["subject"], details)
        return {**row, **change}


def _next_decision_no(tx: RegisterTx) -> int:
    numbers = [r["decision_no"] for r in tx.find("proposal", state=["APPROVED", "REJECTED"])]
    return max(numbers, default=0) + 1
