"""Permission checks that every service starts with; a refusal is itself recorded (domain.md §10)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from custody.errors import NotPermitted, UnknownPerson
from custody.masking import visible
from custody.permissions import Duty, needed_duties, permitted
from custody.ports import Register, RegisterTx

SYSTEM = "system"
_LONGEST_SUBJECT = 200


@contextmanager
def permitted_transaction(register: Register, actor: str, action: str, subject: str) -> Iterator[RegisterTx]:
    """One register transaction in which ``actor`` does ``action`` to ``subject``: the only way to check a permission.

    NotPermitted, from the check or from the block (his own work), and UnknownPerson roll everything back, are recorded in a
    transaction of their own as ``refused:ACTION``, and are raised again.
    """
    try:
        with register.transaction() as tx:
            if not permitted(action, duties_of(tx, actor)):
                raise NotPermitted(f"{actor} may not {action}: that takes {needed_duties(action)}")
            yield tx
    except (NotPermitted, UnknownPerson) as refusal:
        with register.transaction() as tx:
            tx.audit(actor, f"refused:{action}", subject, {"why": str(refusal)})
        raise


def check_permission(register: Register, actor: str, action: str, subject: str) -> None:
    """For work that is more than one register transaction. Raises NotPermitted, and UnknownPerson, which are then recorded."""
    with permitted_transaction(register, actor, action, subject):
        return


def record_at_another_door(register: Register, actor: str, door: str, subject: str, *, refused: bool) -> None:
    """What a person did, or was refused, by a program beside this one, which has checked it by roles of its own: ``door`` names it.

    ``subject`` comes from outside: it is kept printable and short.
    """
    action = f"refused:{door}" if refused else door
    with register.transaction() as tx:
        tx.audit(actor, action, visible(subject, _LONGEST_SUBJECT), {})


def duties_of(tx: RegisterTx, actor: str) -> frozenset[str]:
    """What the actor may act as; nothing once he is inactive. Raises UnknownPerson."""
    if actor == SYSTEM:
        return frozenset({Duty.SYSTEM})
    person = tx.get("person", person_id=actor)
    if person is None:
        raise UnknownPerson(f"no person {actor!r}; see: custody person list")
    return frozenset(json.loads(person["roles"])) if person["active"] else frozenset()
