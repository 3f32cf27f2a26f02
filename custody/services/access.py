"""Permission checks that every service starts with; a refusal is itself recorded."""

from __future__ import annotations

import json

from custody.errors import NotPermitted, UsageError
from custody.permissions import Duty, permitted
from custody.ports import Register, RegisterTx

SYSTEM = "system"


def require(tx: RegisterTx, actor: str, action: str) -> None:
    """Raise NotPermitted unless an active person with a fitting duty (or the scheduler) acts."""
    if not permitted(action, duties_of(tx, actor)):
        raise NotPermitted(f"{actor} may not {action}")


def duties_of(tx: RegisterTx, actor: str) -> frozenset[str]:
    """What the actor may act as; nothing once he is inactive. Raises UsageError when nobody has that id."""
    if actor == SYSTEM:
        return frozenset({Duty.SYSTEM})
    person = tx.get("person", person_id=actor)
    if person is None:
        raise UsageError(f"no person {actor!r}; see: custody person list")
    return frozenset(json.loads(person["roles"])) if person["active"] else frozenset()


def record_refusal(register: Register, actor: str, action: str, subject: str, why: str) -> None:
    """A refused attempt, in a transaction of its own: the attempt's own one was rolled back."""
    with register.transaction() as tx:
        tx.audit(actor, f"refused:{action}", subject, {"why": why})
