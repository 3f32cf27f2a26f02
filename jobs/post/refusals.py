"""What posting itself says of a leg, beside what the ledger says."""

from __future__ import annotations

from datetime import date

from custody.allocation import Share
from custody.instruction import Instruction, Refusal
from custody.names import BreakKind, PartyKind


def stranger(party: str, kind: PartyKind) -> Refusal:
    return Refusal(BreakKind.ORPHAN, "unknown_party", {"party": party, "kind": str(kind)}, True)


def against_status(instruction: Instruction, status: str, since: date) -> Refusal:
    figures: dict[str, object] = {
        "party": instruction.platform,
        "status": status,
        "since": since.isoformat(),
        "txn_type": str(instruction.txn_type),
    }
    return Refusal(BreakKind.UNAUTHORISED, "party_status", figures, False)


def allocation(share: Share | None) -> Refusal:
    figures: dict[str, object] = {
        "claim": share.claim_id if share else "-",
        "principal": share.principal_minor if share else 0,
        "interest": share.interest_minor if share else 0,
        "penalty": share.penalty_minor if share else 0,
    }
    return Refusal(BreakKind.ALLOCATION, "allocation", figures, False)


def later_cause(leg: Instruction, cause: Instruction) -> Refusal:
    figures: dict[str, object] = {
        "event_time": leg.event_time.isoformat(),
        "cause": cause.request_no,
        "cause_time": cause.event_time.isoformat(),
    }
    return Refusal(BreakKind.TIMING, "later_cause", figures, False)
