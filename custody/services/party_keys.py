"""Public keys of organisations: by which they log in to the drop (SSH), and by which files are sealed for them or signed by them
(OpenPGP). A key works from one date to another, both included; around a change both keys may work for some days.

A new key, and another end of a standing one, take two people. So does a revocation; but the key is locked out from the moment
in which one person asks for it, and works again only if the other one turns that down. A key that was revoked never comes back.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from custody.calendar import custody_date_of
from custody.errors import UsageError
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose

SSH_TYPE = "ssh-ed25519"
# A key that ends within so many days, its last one included, is warned of.
WARN_DAYS = 30


class KeyUse(StrEnum):
    SSH = "SSH"
    OPENPGP = "OPENPGP"


class KeyState(StrEnum):
    ACTIVE = "ACTIVE"
    # One person asked to revoke it, and the other has not decided yet.
    BLOCKED = "BLOCKED"
    REVOKED = "REVOKED"


@dataclass(frozen=True)
class PublicKey:
    """``text`` as software reads it, without comments; ``fingerprint`` as people compare it on the telephone."""

    use: KeyUse
    text: str
    fingerprint: str


@dataclass(frozen=True)
class PartyKey:
    """A key of a party as the register has it. ``valid_from`` None: ever since the party is there; ``valid_to`` None: no end yet;
    ``added_no``: of two, the one with the higher number was registered later."""

    party: str
    key_use: str
    fingerprint: str
    public_key: str
    valid_from: date | None
    valid_to: date | None
    state: str
    added_no: int

    def works_on(self, day: date) -> bool:
        return (
            self.state == KeyState.ACTIVE
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_to is None or day <= self.valid_to)
        )

    def ends_within(self, today: date, days: int) -> bool:
        """Whether it works on ``today``, and not any more in ``days`` days."""
        return self.works_on(today) and self.valid_to is not None and self.valid_to < today + timedelta(days=days)


def ssh_key(text: str) -> PublicKey | None:
    """The key in a line ``ssh-ed25519 AAAA... comment``; None when it is not one line of exactly that."""
    words = text.split()
    if len(words) < 2 or words[0] != SSH_TYPE or "\n" in text.strip():
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return None
    # RFC 4253 §6.6: the type again, then 32 octets of key, each with its length in four octets before it.
    prefix = len(SSH_TYPE).to_bytes(4) + SSH_TYPE.encode() + (32).to_bytes(4)
    if not blob.startswith(prefix) or len(blob) != len(prefix) + 32:
        return None
    # As ssh-keygen -l shows it.
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(KeyUse.SSH, f"{words[0]} {words[1]}", f"SHA256:{digest}")


def keys(tx: RegisterTx, party: str | None = None, use: KeyUse | None = None) -> list[PartyKey]:
    """Every key that a party ever had, or that all had; by party, use, first date, and the order in which they were registered."""
    wanted = {"party": party, "key_use": use}
    rows = tx.find("party_key", ("party", "key_use", "fingerprint"), **{n: v for n, v in wanted.items() if v is not None})
    found = [PartyKey(**{name: row[name] for name in PartyKey.__dataclass_fields__}) for row in rows]
    return sorted(found, key=lambda key: (key.party, key.key_use, key.valid_from or date.min, key.added_no))


def keys_in_force(tx: RegisterTx, party: str, use: KeyUse, day: date) -> list[PartyKey]:
    """Those that work on this date, the newest last: who seals a file for the party takes that one. Of two that begin on one date it is
    the one that was registered later."""
    return [key for key in keys(tx, party, use) if key.works_on(day)]


def ending(of: Iterable[PartyKey], today: date, days: int = WARN_DAYS) -> list[PartyKey]:
    """Keys that will have ended in so many days, unless another of the same party and use goes on."""
    of = list(of)
    after = today + timedelta(days=days)
    going_on = {(key.party, key.key_use) for key in of if key.works_on(after)}
    return [key for key in of if key.ends_within(today, days) and (key.party, key.key_use) not in going_on]


def add_first_key(tx: RegisterTx, party: str, key: PublicKey) -> None:
    """The key with which a party is onboarded: in the transaction of that decision."""
    check_key(tx, party, key)
    tx.insert("party_key", _row(party, key, None, None))


def check_key(tx: RegisterTx, party: str, key: PublicKey) -> None:
    """Raises UsageError for a key of somebody else, or one that was revoked."""
    for row in tx.find("party_key", key_use=key.use, fingerprint=key.fingerprint):
        if row["party"] != party:
            raise UsageError(f"{key.fingerprint} is a key of {row['party']}: each organisation makes keys of its own")
        if row["state"] != KeyState.ACTIVE:
            raise UsageError(f"{key.fingerprint} is {row['state']}: a key that was revoked never comes back, ask for a new one")


def propose_key(
    register: Register,
    clock: Clock,
    actor: str,
    party: str,
    key: PublicKey,
    valid_from: date,
    valid_to: date | None,
    note: str,
    replaces: str | None = None,
    replaces_until: date | None = None,
) -> str:
    """Propose a key, or other dates of a standing one; returns the proposal's id.

    ``replaces`` is the fingerprint of the key whose place it takes: that one works until ``replaces_until``, so that until then both
    do. Raises UsageError, NotPermitted.
    """
    payload: dict[str, object] = {
        "key_use": str(key.use),
        "public_key": key.text,
        "fingerprint": key.fingerprint,
        "valid_from": valid_from.isoformat(),
        "valid_to": None if valid_to is None else valid_to.isoformat(),
        "replaces": replaces,
        "replaces_until": None if replaces_until is None else replaces_until.isoformat(),
    }
    if (replaces is None) != (replaces_until is None):
        raise UsageError("a key that takes another's place says which one, and until when that one works")
    today = custody_date_of(clock.now())
    for what, until in (("the key", valid_to), ("the key that it replaces", replaces_until)):
        if until is not None and until < max(today, valid_from):
            raise UsageError(
                f"{what} would end on {until}, before {max(today, valid_from)}: name a later last date, or revoke it"
            )
    with permitted_transaction(register, actor, KEY.propose_action, party) as tx:
        _check_change(tx, party, payload)
    return propose(register, clock, actor, KEY, party, payload, note)


def propose_revocation(register: Register, clock: Clock, actor: str, party: str, fingerprint: str, note: str) -> str:
    """Ask to revoke a key: it is locked out from now on, until the other person has decided; returns the proposal's id."""
    with permitted_transaction(register, actor, REVOKE.propose_action, party) as tx:
        row = _standing(tx, party, fingerprint)
        if row["state"] == KeyState.REVOKED:
            raise UsageError(f"{fingerprint} of {party} is revoked already")
    return propose(register, clock, actor, REVOKE, party, {"fingerprint": row["fingerprint"]}, note)


def _standing(tx: RegisterTx, party: str, fingerprint: str) -> Row:
    """The party's key; the beginning of a fingerprint will do where it is of one key only."""
    found = [row for row in tx.find("party_key", party=party) if row["fingerprint"].startswith(fingerprint)]
    if len(found) != 1:
        said = "no key" if not found else f"{len(found)} keys"
        raise UsageError(f"{party} has {said} {fingerprint!r}; see: custody org key list {party}")
    return found[0]


def _key(payload: Mapping[str, object]) -> PublicKey:
    return PublicKey(KeyUse(str(payload["key_use"])), str(payload["public_key"]), str(payload["fingerprint"]))


def _check_change(tx: RegisterTx, party: str, payload: Mapping[str, object]) -> None:
    if tx.get("party", party=party) is None:
        raise UsageError(f"no organisation {party!r}; see: custody org list")
    key = _key(payload)
    check_key(tx, party, key)
    if payload["replaces"] is None:
        return
    old = _standing(tx, party, str(payload["replaces"]))
    if old["state"] != KeyState.ACTIVE:
        raise UsageError(f"{old['fingerprint']} is {old['state']}: there is nothing to replace, leave it out")
    if old["key_use"] != key.use or old["fingerprint"] == key.fingerprint:
        raise UsageError(f"{key.fingerprint} ({key.use}) cannot take the place of {old['fingerprint']} ({old['key_use']})")


def _apply_key(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    _check_change(tx, subject, payload)
    key = _key(payload)
    valid_from, valid_to = _date(payload["valid_from"]), _date(payload["valid_to"])
    place = {"party": subject, "key_use": str(key.use), "fingerprint": key.fingerprint}
    if tx.update("party_key", place, {"valid_from": valid_from, "valid_to": valid_to}) == 0:
        tx.insert("party_key", _row(subject, key, valid_from, valid_to))
    if payload["replaces"] is not None:
        old = _standing(tx, subject, str(payload["replaces"]))
        place = {"party": subject, "key_use": old["key_use"], "fingerprint": old["fingerprint"]}
        tx.update("party_key", place, {"valid_to": _date(payload["replaces_until"])})


def _block(tx: RegisterTx, proposal: Row) -> None:
    """Asked for: locked out; turned down: as before; approved: for good."""
    states = {"PROPOSED": KeyState.BLOCKED, "REJECTED": KeyState.ACTIVE, "APPROVED": KeyState.REVOKED}
    place = {"party": proposal["subject"], "fingerprint": json.loads(proposal["payload"])["fingerprint"]}
    tx.update("party_key", place, {"state": str(states[proposal["state"]])})


def _date(said: object) -> date | None:
    return None if said is None else date.fromisoformat(str(said))


def _row(party: str, key: PublicKey, valid_from: date | None, valid_to: date | None) -> Row:
    return {
        "party": party, "key_use": str(key.use), "fingerprint": key.fingerprint, "public_key": key.text, "valid_from": valid_from,
        "valid_to": valid_to, "state": str(KeyState.ACTIVE),
    }  # fmt: skip


KEY = DecisionKind("party_key", "party.propose", "party.approve", _apply_key)
REVOKE = DecisionKind("party_key_revoke", "party.propose", "party.approve", told=_block)
