"""A restatement: a higher version of a file that was accepted before; two people must accept it (domain.md §5)."""

from __future__ import annotations

from collections.abc import Mapping

from custody.errors import UsageError
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import permitted_transaction
from custody.services.files import ACCEPTED, LATE, RESTATEMENT_PENDING, SUPERSEDED, in_force, is_cut_off
from custody.services.four_eyes import DecisionKind, propose


def pending(tx: RegisterTx) -> list[Row]:
    """Restated files that wait for people, by custody date, party and name."""
    return tx.find("file", ("custody_date", "party", "file_name"), state=RESTATEMENT_PENDING)


def propose_restatement(register: Register, clock: Clock, actor: str, file_name: str, note: str) -> str:
    """Propose to let a pending version replace the one in force; returns the proposal's id.

    Raises UsageError when no version of that name is pending, NotPermitted.
    """
    with permitted_transaction(register, actor, RESTATEMENT.propose_action, file_name) as tx:
        row = tx.get("file", file_name=file_name, state=RESTATEMENT_PENDING)
        if row is None:
            raise UsageError(f"{file_name} is no restatement that waits; see: custody restatement list")
        payload = _payload(tx, row)
    return propose(register, clock, actor, RESTATEMENT, file_name, payload, note)


def _payload(tx: RegisterTx, row: Row) -> dict[str, object]:
    """Both files with their digests, so that what was approved is what takes effect."""
    standing = in_force(tx, row)
    return {
        "file_name": row["file_name"],
        "sha256": row["sha256"],
        "replaces": None if standing is None else {n: standing[n] for n in ("file_name", "sha256")},
    }


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    row = tx.get("file", file_name=subject, sha256=payload["sha256"], state=RESTATEMENT_PENDING)
    if row is None or _payload(tx, row) != payload:
        raise UsageError(f"the files changed since {subject} was proposed: propose it again")
    standing = in_force(tx, row)
    if standing is not None:
        if standing["version"] > row["version"]:
            raise UsageError(f"version {standing['version']} is in force: an older one does not replace it")
        if standing["cut_off_date"] is not None:
            # Its rows are part of a sealed day: landing the new ones beside them would count everything twice.
            raise UsageError(
                f"{standing['file_name']} entered the sealed day {standing['cut_off_date']}: a restatement can replace it only "
                "before its cut-off; settle the differing rows as cases"
            )
        _set(tx, standing, {"state": SUPERSEDED})
    state = LATE if is_cut_off(tx, row["custody_date"]) else ACCEPTED
    _set(tx, row, {"state": state, "rule": None, "figures": "{}", "cut_off_date": None})


def _set(tx: RegisterTx, row: Row, values: Mapping[str, object]) -> None:
    tx.update("file", {"file_name": row["file_name"], "sha256": row["sha256"]}, values)


RESTATEMENT = DecisionKind("restatement", "restatement.propose", "restatement.approve", _apply)
