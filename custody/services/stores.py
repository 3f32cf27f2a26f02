"""The keyed store made anew from the lake: who asked for it, why, and what came of it. The work itself is jobs/store_rebuild.py's."""

from __future__ import annotations

from custody.errors import UsageError
from custody.ports import Register
from custody.services.access import permitted_transaction

_ACTION = "store.rebuild"
_SUBJECT = "keyed store"


def begin_rebuild(register: Register, actor: str, reason: str) -> None:
    """Recorded before anything is emptied. Raises NotPermitted, and UsageError without a reason."""
    if not reason.strip():
        raise UsageError("say why the keyed store is made anew: --reason")
    with permitted_transaction(register, actor, _ACTION, _SUBJECT) as tx:
        tx.audit(actor, "store.rebuild.begun", _SUBJECT, {"reason": reason})


def end_rebuild(register: Register, actor: str, up_to: str, days: int, faults: int) -> None:
    """Recorded once the new store has been held against the lake."""
    with permitted_transaction(register, actor, _ACTION, _SUBJECT) as tx:
        tx.audit(actor, "store.rebuild.ended", _SUBJECT, {"up_to": up_to, "days": days, "faults": faults})
