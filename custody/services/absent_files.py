"""A file that is expected and will not come: two people decide it, and from the next cut-off on its absence is judged.

Until then what should stand in it is carried (domain.md §5); afterwards it is missing for good. Should the file come after all,
it is a late file like any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

from custody.errors import UsageError
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import permitted_transaction
from custody.services.file_moves import Happening
from custody.services.four_eyes import DecisionKind, propose
from custody.services.promises import give_up


def late_subject(party: str, file_type: str, custody_date: date) -> str:
    """What the LATE_FILE case of an expected file is about."""
    return f"LATE|{party}|{file_type}|{custody_date.isoformat()}"


def propose_give_up(
    register: Register, clock: Clock, actor: str, party: str, file_type: str, custody_date: date, note: str
) -> str:
    """Propose to wait for this file no longer; returns the proposal's id. The note says why it will not come.

    Raises NotPermitted; UsageError without a note, or when no reconciled day expects such a file.
    """
    if not note.strip():
        raise UsageError("say in --note why the file will not come")
    subject = late_subject(party, file_type, custody_date)
    with permitted_transaction(register, actor, GIVE_UP.propose_action, subject) as tx:
        _check(tx, subject)
    payload = {"party": party, "file_type": file_type, "custody_date": custody_date.isoformat()}
    return propose(register, clock, actor, GIVE_UP, subject, payload, note)


def _check(tx: RegisterTx, subject: str) -> None:
    if not tx.find("recon_case", subject=subject, state="OPEN"):
        raise UsageError(f"no reconciled day waits for {subject}; see: custody case list")


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    """Only checks: the next cut-off seals the decision, and that day's landing expects the file no more."""
    _check(tx, subject)


def _told(tx: RegisterTx, proposal: Row) -> None:
    if proposal["state"] == "APPROVED":
        payload = json.loads(proposal["payload"])
        of = Happening(proposal["checker"], proposal["decided_at"])
        give_up(tx, of, payload["party"], payload["file_type"], date.fromisoformat(payload["custody_date"]))


GIVE_UP = DecisionKind("give_up", "file.give_up", "file.give_up_approve", _apply, _told)
