"""The life of a case: assign, propose a settlement, approve it (domain.md §6).

A decision is bound to the evidence that the person saw: should the rows behind a case change before the next cut-off, the
decision settles nothing and the case stays open.
"""

from __future__ import annotations

from collections.abc import Mapping

from custody.errors import UsageError
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import require
from custody.services.four_eyes import DecisionKind, propose

# Cases about given rows, which a decision can settle for good. A difference of balances, claims or terms is found anew
# each day from that day's figures: it ends when they agree, so there is nothing for a decision to be bound to.
_SETTLED_BY_DECISION = ("TXN|", "CHANNEL|", "CORE|", "POSTING|", "INV|INV_09|")


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
    """Make a person responsible for a case."""
    with register.transaction() as tx:
        require(tx, actor, "case.assign")
        case(tx, case_id)
        if tx.get("person", person_id=owner) is None:
            raise UsageError(f"no person {owner!r}")
        tx.update("recon_case", {"case_id": case_id}, {"owner": owner})
        tx.audit(actor, "case.assign", case_id, {"owner": owner})


def propose_settlement(register: Register, clock: Clock, actor: str, case_id: str, note: str) -> str:
    """Propose to settle an open case as it stands; returns the proposal's id. The note says why it may be settled."""
    if not note.strip():
        raise UsageError("say in --note why the case may be settled")
    with register.transaction() as tx:
        row = case(tx, case_id)
        if row["state"] != "OPEN":
            raise UsageError(f"case {case_id} is {row['state']}")
        if not row["subject"].startswith(_SETTLED_BY_DECISION):
            raise UsageError(f"case {case_id} ({row['subject']}) ends when its figures agree; correct what causes it instead")
    payload = {"evidence_digest": row["evidence_digest"], "kind": row["kind"]}
    return propose(register, clock, actor, CASE, case_id, payload, note)


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    row = case(tx, subject)
    if row["evidence_digest"] != payload["evidence_digest"]:
        raise UsageError(f"the evidence of case {subject} changed since it was proposed: look again and propose again")
    # The next cut-off seals the decision and that day's reconciliation takes the rows out of the open items.
    tx.update("recon_case", {"case_id": subject}, {"closed_by": "decision"})


CASE = DecisionKind("case", "case.propose", "case.approve", _apply)
