"""What two people decide of the hold that a hit of a watch list places (custody.watch_list): release, or turn into a report; and who looks.

The proposal names the hold's number and nobody; the next cut-off seals the decision, and from that date on money leaves again, or the hit
is a suspicious transaction to be filed while its money stays where it is.
"""

from __future__ import annotations

from custody.errors import UsageError
from custody.ports import Clock, Register, Row
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.watch_list import HOLD, HoldState

VIEW = "aml_hold.view"
AML_HOLD = DecisionKind(HOLD, "aml_hold.propose", "aml_hold.approve")
_OUTCOMES = (HoldState.RELEASED, HoldState.REPORTED)


def propose_outcome(register: Register, clock: Clock, actor: str, hold: Row, outcome: HoldState, note: str) -> str:
    """``hold``: its row of the newest landed date's ``watched``; returns the proposal's id. Raises NotPermitted; UsageError for what
    has been decided already."""
    if outcome not in _OUTCOMES or hold["state"] in (HoldState.RELEASED, outcome):
        raise UsageError(f"hold {hold['hold_id']} is {hold['state']}: nothing is left to be decided / 该止付已处理")
    return propose(register, clock, actor, AML_HOLD, str(hold["hold_id"]), {"outcome": str(outcome)}, note)


def look(register: Register, actor: str, subject: str) -> None:
    """Somebody is shown holds, of a customer or all: it is recorded first. Raises NotPermitted."""
    with permitted_transaction(register, actor, VIEW, subject) as tx:
        tx.audit(actor, VIEW, subject, {})
