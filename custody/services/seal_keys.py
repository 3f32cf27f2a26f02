"""The bank's keys by which the days' roots are signed: one for each custody date, the next from a date on (domain.md §9).

The first is made with the instance; each later one takes two people, and stands in the decision that let it in. An old key stays
known for the dates that it signed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from custody.day_seal import NAMESPACE, SIGNER
from custody.errors import UsageError
from custody.ports import Clock, Register, RegisterTx
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.party_keys import ssh_key

_SUBJECT = "day-root"


@dataclass(frozen=True)
class SealKey:
    """``public_key``: ``ssh-ed25519 AAAA...``; it signs the custody dates from ``valid_from`` to the day before the next key's."""

    public_key: str
    valid_from: date


def first_key(allowed_signers: str) -> SealKey:
    """The key with which the instance began: the first line of the file. Raises ValueError where there is none."""
    words = next(iter(allowed_signers.splitlines()), "").split()
    since = [o.removeprefix('valid-after="').rstrip('"') for o in ",".join(words[1:2]).split(",") if o.startswith("valid-after=")]
    if len(words) != 4 or len(since) != 1:
        raise ValueError("its first line names no key and no date since which it is valid")
    return SealKey(f"{words[2]} {words[3]}", date.fromisoformat(since[0]))


def seal_keys(tx: RegisterTx, first: SealKey) -> list[SealKey]:
    """Every key, in order of the dates from which they sign."""
    rows = tx.find("proposal", ("decision_no",), kind=SEAL_KEY.kind, state="APPROVED")
    decided = [json.loads(row["payload"]) for row in rows]
    return [first, *(SealKey(said["public_key"], date.fromisoformat(said["valid_from"])) for said in decided)]


def key_on(keys: Sequence[SealKey], custody_date: date) -> SealKey | None:
    """The key that signs this date; None before the first one's."""
    fitting = [key for key in keys if key.valid_from <= custody_date]
    return fitting[-1] if fitting else None


def allowed_signers(keys: Sequence[SealKey]) -> str:
    """The file that ``ssh-keygen -Y verify -f`` reads. Its dates are custody dates: ask it with the date as verify-time."""
    lines = []
    for at, key in enumerate(keys):
        until = f',valid-before="{keys[at + 1].valid_from:%Y%m%d}"' if at + 1 < len(keys) else ""
        lines.append(f'{SIGNER} namespaces="{NAMESPACE}",valid-after="{key.valid_from:%Y%m%d}"{until} {key.public_key}\n')
    return "".join(lines)


def propose_seal_key(register: Register, clock: Clock, actor: str, public_key: str, valid_from: date, note: str) -> str:
    """Propose the key that signs from a custody date on; returns the proposal's id. Raises UsageError, NotPermitted."""
    known = ssh_key(public_key)
    if known is None:
        raise UsageError("a seal key is one line 'ssh-ed25519 AAAA...': the public key, in OpenSSH form")
    payload = {"public_key": known.text, "fingerprint": known.fingerprint, "valid_from": valid_from.isoformat()}
    with permitted_transaction(register, actor, SEAL_KEY.propose_action, _SUBJECT) as tx:
        _check(tx, payload)
    return propose(register, clock, actor, SEAL_KEY, _SUBJECT, payload, note)


def _check(tx: RegisterTx, payload: Mapping[str, object]) -> None:
    since = date.fromisoformat(str(payload["valid_from"]))
    closed = [row["custody_date"] for row in tx.find("step_output", step="close")]
    if closed and since <= max(closed):
        raise UsageError(f"{max(closed)} is closed and signed: a new key signs from a later custody date on, not from {since}")
    for row in tx.find("proposal", kind=SEAL_KEY.kind, state="APPROVED"):
        said = json.loads(row["payload"])
        if date.fromisoformat(said["valid_from"]) >= since:
            raise UsageError(f"a key that signs from {said['valid_from']} on was approved already: the next one begins later")
        if said["public_key"] == payload["public_key"]:
            raise UsageError(f"{payload['fingerprint']} has signed already: make a new key")


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    _check(tx, payload)


SEAL_KEY = DecisionKind("seal_key", "seal_key.propose", "seal_key.approve", _apply)
