"""The people who may act, and their duties (domain.md §10). The administrator adds them; `init` names the first ones."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from custody.errors import UsageError
from custody.permissions import READ_ONLY, Duty
from custody.ports import Register, RegisterTx, Row
from custody.services.access import SYSTEM, permitted_transaction

_PERSON_ID = re.compile(r"[a-z][a-z0-9._-]{0,59}", re.ASCII)
# Duties of people; SYSTEM is the scheduler's own.
DUTIES = tuple(duty for duty in Duty if duty is not Duty.SYSTEM)


def people(tx: RegisterTx) -> list[Row]:
    """Everybody by id: person_id, display_name, active, and ``duties`` in order of name."""
    shown = ("person_id", "display_name", "active")
    return [
        {n: row[n] for n in shown} | {"duties": sorted(json.loads(row["roles"]))} for row in tx.find("person", ("person_id",))
    ]


def add_person(register: Register, actor: str, person_id: str, display_name: str, duties: Sequence[str]) -> None:
    """Add a person who may act from now on; adding him again as he stands changes nothing.

    Raises NotPermitted; UsageError for an id or a duty that does not exist, an id that is taken, or a reader (auditor,
    regulator) who would also change something.
    """
    with permitted_transaction(register, actor, "person.add", person_id) as tx:
        faults = _faults(person_id, display_name, duties)
        if faults:
            raise UsageError("; ".join(faults))
        row: Row = {"person_id": person_id, "display_name": display_name, "roles": json.dumps(sorted(duties)), "active": True}
        standing = tx.get("person", person_id=person_id)
        if standing is not None:
            if (
                standing["active"]
                and standing["display_name"] == display_name
                and sorted(json.loads(standing["roles"])) == sorted(duties)
            ):
                return
            raise UsageError(f"{person_id!r} is somebody else's id, or his duties are others; see: custody person list")
        tx.insert("person", row)
        tx.audit(actor, "person.add", person_id, {"roles": sorted(duties)})


def _faults(person_id: str, display_name: str, duties: Sequence[str]) -> list[str]:
    faults = []
    if not _PERSON_ID.fullmatch(person_id) or person_id == SYSTEM:
        faults.append(f"{person_id!r} is not a person's id: a small letter, then up to 59 of a-z 0-9 . _ -, and not {SYSTEM!r}")
    if not (display_name.isprintable() and 0 < len(display_name.strip()) <= 200):
        faults.append("the name must be 1 to 200 printable characters")
    unknown = sorted(set(duties) - set(DUTIES))
    if not duties or unknown or len(set(duties)) != len(duties):
        faults.append(f"duties must be one or more, each once, of {', '.join(DUTIES)}; not {', '.join(unknown or duties)}")
    elif set(duties) & READ_ONLY and len(duties) > 1:
        faults.append(f"{' and '.join(sorted(READ_ONLY))} change nothing: that duty stands alone")
    return faults
