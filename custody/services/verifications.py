"""When the instance was last verified, and what was found: an event of the audit chain like any other deed.

Whoever verifies tells nothing that verification itself rests on: the faults are found anew each time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from custody.masking import mask_user_numbers
from custody.ports import Clock, Register, RegisterTx
from custody.services.access import permitted_transaction
from custody.services.alerts import put_alert

ACTION = "verify.record"
RULE = "VERIFY_FAULTS"
_WHOLE = "all dates"
# Faults that are written down; of the others, how many there are.
_KEPT = 20
_LONGEST = 300


@dataclass(frozen=True)
class Verification:
    """``on`` None: of all dates; ``faults``: (part, words) of the first ones of ``count``; ``store``: whether the keyed store was read too."""

    at: str
    actor: str
    on: date | None
    outputs: int
    files: int
    store: bool
    count: int
    faults: tuple[tuple[str, str], ...]


def record_verification(
    register: Register,
    clock: Clock,
    actor: str,
    on: date | None,
    outputs: int,
    files: int,
    store: bool,
    faults: Sequence[tuple[str, str]],
    today: date,
) -> None:
    """Write down what was found, and raise an alert where something was. Raises NotPermitted."""
    subject = _WHOLE if on is None else on.isoformat()
    # Read on pages and told by mail: user numbers are masked, who looks for the row verifies himself.
    kept = [[part, mask_user_numbers(words)[:_LONGEST]] for part, words in faults[:_KEPT]]
    details = {"outputs": outputs, "files": files, "store": store, "count": len(faults), "faults": kept}
    with permitted_transaction(register, actor, ACTION, subject) as tx:
        if kept:
            first = ": ".join(kept[0])
            english = f"verification of {subject} found {len(faults)} faults, the first: {first}"
            chinese = f"{subject} 校验发现 {len(faults)} 处不符，首处：{first}"
            put_alert(tx, actor, RULE, subject, today, (english, chinese), "CRITICAL", "", clock.now().date().isoformat())
        tx.audit(actor, ACTION, subject, details)


def last_verification(tx: RegisterTx, on: date | None) -> Verification | None:
    """The last one of this date, or of all dates together (None); None where there was none."""
    subject = _WHOLE if on is None else on.isoformat()
    rows = tx.page("audit_event", ["-event_no"], 0, 1, action=ACTION, subject=subject)
    if not rows:
        return None
    said = json.loads(rows[0]["details"])
    found = tuple((part, words) for part, words in said["faults"])
    return Verification(rows[0]["at"], rows[0]["actor"], on, said["outputs"], said["files"], said["store"], said["count"], found)
