"""A restatement: a higher version of a file that was accepted before; two people must accept it (domain.md §5).

What it would change is worked out first (jobs.restatement_effect) and shown; the proposal names its digest and the last reconciled
day from which it follows, and is void once another day is reconciled: nobody accepts what he has not seen. Where a sealed day
holds the rows of the earlier version, the next cut-off seals which file takes whose place; closed days stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from custody.errors import UsageError
from custody.file_life import ACCEPTED, IN_FORCE, LATE, RESTATEMENT_PENDING, SUPERSEDED
from custody.names import FileType
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import permitted_transaction
from custody.services.file_moves import Happening, move_content
from custody.services.files import in_force, is_cut_off
from custody.services.four_eyes import DecisionKind, propose
from custody.services.promises import hold_against


def pending(tx: RegisterTx) -> list[Row]:
    """Restated files that wait for people, by custody date, party and name."""
    return tx.find("file", ("custody_date", "party", "file_name"), state=RESTATEMENT_PENDING)


# What may be restated when a sealed day holds its rows: what is compared, and instructions, whose legs are reversed or posted anew.
_RESTATED = frozenset(
    {
        FileType.TXN,
        FileType.CLAIM,
        FileType.BALANCE,
        FileType.LOAN,
        FileType.CUSTOMER,
        FileType.SETTLEMENT,
        FileType.INSTRUCTION,
    }
)


@dataclass(frozen=True)
class Effect:
    """What a restatement would change. ``base``: of base_of, when it was worked out; ``digest`` of the whole difference, of which
    ``summary`` says the figures."""

    base: str
    digest: str
    summary: Mapping[str, object]


def base_of(tx: RegisterTx) -> str:
    """The last reconciled day and its seal, as text: what a difference in effect follows from; empty before the first."""
    rows = tx.find("step_output", ("custody_date", "version"), step="reconcile")
    return f"{rows[-1]['custody_date'].isoformat()} {rows[-1]['manifest_digest']}" if rows else ""


def pending_version(tx: RegisterTx, file_name: str) -> Row:
    """Raises UsageError when no version of that name waits for two people."""
    row = tx.get("file", file_name=file_name, state=RESTATEMENT_PENDING)
    if row is None:
        raise UsageError(f"{file_name} is no restatement that waits; see: custody restatement list")
    return row


def landed_version(tx: RegisterTx, file: Mapping[str, object]) -> Row | None:
    """The newest earlier version of the same party's type, date and batch that a cut-off took: its rows are withdrawn when
    ``file`` lands. None when no day has sealed one."""
    same = {name: file[name] for name in ("party", "file_type", "custody_date", "batch")}
    rows = tx.find("file", ("version",), **same, state=[*IN_FORCE, SUPERSEDED])
    older = [row for row in rows if row["version"] < file["version"] and row["cut_off_date"] is not None]
    return older[-1] if older else None


def propose_restatement(register: Register, clock: Clock, actor: str, file_name: str, note: str, effect: Effect) -> str:
    """Propose to let a pending version replace the one in force, with the ``effect`` that the proposer saw; returns the proposal's id.

    Raises UsageError when no version of that name is pending, or when a day was reconciled since; NotPermitted.
    """
    with permitted_transaction(register, actor, RESTATEMENT.propose_action, file_name) as tx:
        if effect.base != base_of(tx):
            raise UsageError(f"a day was reconciled since the effect of {file_name} was worked out: look at it again")
        payload = _payload(tx, pending_version(tx, file_name))
    shown = {"base": effect.base, "digest": effect.digest, "summary": dict(effect.summary)}
    return propose(register, clock, actor, RESTATEMENT, file_name, {**payload, "effect": shown}, note)


def _payload(tx: RegisterTx, row: Row) -> dict[str, object]:
    """Both files with their digests, and the day that holds the earlier one, so that what was approved is what takes effect."""
    standing = in_force(tx, row)
    replaces = None
    if standing is not None:
        sealed_on = standing["cut_off_date"]
        if sealed_on is not None and row["file_type"] not in _RESTATED:
            raise UsageError(
                f"{standing['file_name']} entered the sealed day {sealed_on} and was judged by: a {row['file_type']} file can be "
                "restated only before its cut-off; correct what followed from it by adjustments"
            )
        replaces = {n: standing[n] for n in ("file_name", "sha256")}
        replaces["cut_off_date"] = None if sealed_on is None else sealed_on.isoformat()
    return {"file_name": row["file_name"], "sha256": row["sha256"], "replaces": replaces}


def _check(tx: RegisterTx, subject: str, payload: Mapping[str, Any]) -> None:
    """The change itself waits for who made it and when: _told. Both are one transaction."""
    row = tx.get("file", file_name=subject, sha256=payload["sha256"], state=RESTATEMENT_PENDING)
    effect = payload["effect"]
    if row is None or {**_payload(tx, row), "effect": effect} != payload:
        raise UsageError(f"the files changed since {subject} was proposed: propose it again")
    if effect["base"] != base_of(tx):
        raise UsageError(
            f"a day was reconciled since {subject} was proposed, so its effect is another: look at it and propose it again"
        )
    standing = in_force(tx, row)
    if standing is not None and standing["version"] > row["version"]:
        raise UsageError(f"version {standing['version']} is in force: an older one does not replace it")


def _told(tx: RegisterTx, proposal: Row) -> None:
    if proposal["state"] != "APPROVED":
        return
    (row,) = tx.find("file", file_name=proposal["subject"], state=RESTATEMENT_PENDING)
    of = Happening(proposal["checker"], proposal["decided_at"])
    standing = in_force(tx, row)
    if standing is not None:
        move_content(tx, of, standing, SUPERSEDED, "superseded", {"by": row["file_name"]}, {})
    state = LATE if is_cut_off(tx, row["custody_date"]) else ACCEPTED
    figures = {"instead": "-" if standing is None else standing["file_name"]}
    move_content(tx, of, row, state, "restated", figures, {"rule": None, "figures": "{}", "cut_off_date": None})
    hold_against(tx, of, row["party"], row["custody_date"])


RESTATEMENT = DecisionKind("restatement", "restatement.propose", "restatement.approve", _check, _told)
