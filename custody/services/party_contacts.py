"""Whom to call at an organisation: by role and rank, the first to be called being rank 1; set and removed by two people.

Names, telephone and mail are personal data: they are sealed under a key of their own before anything is written, in the proposal and in
the audit chain too, and shown masked; in clear to whom his duties let, which is recorded each time.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from custody.digest import canonical_json
from custody.errors import UsageError
from custody.masking import mask, mask_name
from custody.ports import Clock, Register, RegisterTx, Secrets
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import standing_party

REVEAL = "contact.reveal"
_RANKS = range(1, 10)
_PHONE = re.compile(r"\+?[0-9][0-9 -]{4,19}")
_MAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,100}")


class ContactRole(StrEnum):
    OPERATIONS = "OPERATIONS"
    TECHNICAL = "TECHNICAL"
    RECONCILIATION = "RECONCILIATION"
    COMPLIANCE = "COMPLIANCE"
    EMERGENCY = "EMERGENCY"


@dataclass(frozen=True)
class Contact:
    """Masked, unless it was revealed."""

    role: str
    rank: int
    name: str
    phone: str
    mail: str


def contacts(tx: RegisterTx, party: str) -> list[Contact]:
    """Masked, by role and rank."""
    rows = tx.find("party_contact", ("role", "rank"), party=party)
    return [Contact(row["role"], row["rank"], **json.loads(row["shown"])) for row in rows]


def reveal_contacts(register: Register, secrets: Secrets, actor: str, party: str) -> list[Contact]:
    """In clear. Raises NotPermitted; that they were looked at is recorded."""
    with permitted_transaction(register, actor, REVEAL, party) as tx:
        standing_party(tx, party)
        rows = tx.find("party_contact", ("role", "rank"), party=party)
        tx.audit(actor, REVEAL, party, {"contacts": len(rows)})
    found = []
    for row in rows:
        key = secrets.unwrap(base64.b64decode(row["wrapped_key"]))
        plain = secrets.open(key, base64.b64decode(row["sealed"]), _context(party, row["role"], row["rank"]))
        found.append(Contact(row["role"], row["rank"], **json.loads(plain)))
    return found


def propose_contact(
    register: Register, clock: Clock, secrets: Secrets, actor: str, party: str, contact: Contact, note: str
) -> str:
    """Propose who is called in this role and rank, in the place of whoever is; returns the proposal's id.

    Raises UsageError naming every fault; NotPermitted.
    """
    faults = _faults(contact)
    if faults:
        raise UsageError("; ".join(faults))
    key, wrapped = secrets.new_data_key()
    said = {"name": contact.name.strip(), "phone": contact.phone.strip(), "mail": contact.mail.strip()}
    sealed = secrets.seal(key, canonical_json(said).encode(), _context(party, contact.role, contact.rank))
    shown = {"name": mask_name(said["name"]), "phone": mask(said["phone"]), "mail": _mail_masked(said["mail"])}
    payload = {
        "role": str(contact.role), "rank": contact.rank, "shown": shown, "sealed": base64.b64encode(sealed).decode(),
        "wrapped_key": base64.b64encode(wrapped).decode(),
    }  # fmt: skip
    with permitted_transaction(register, actor, CONTACT.propose_action, party) as tx:
        standing_party(tx, party)
    return propose(register, clock, actor, CONTACT, party, payload, note)


def propose_removal(register: Register, clock: Clock, actor: str, party: str, role: str, rank: int, note: str) -> str:
    """Propose that nobody is called in this role and rank any more. Raises UsageError, NotPermitted."""
    with permitted_transaction(register, actor, CONTACT.propose_action, party) as tx:
        if tx.get("party_contact", party=party, role=role, rank=rank) is None:
            raise UsageError(f"{party} has no contact {role} {rank}; see: custody org contact list {party}")
    return propose(register, clock, actor, CONTACT, party, {"role": role, "rank": rank, "remove": True}, note)


def _faults(contact: Contact) -> list[str]:
    faults = []
    if contact.role not in list(ContactRole):
        faults.append(f"role must be one of {', '.join(ContactRole)}")
    if contact.rank not in _RANKS:
        faults.append(f"rank must be {_RANKS[0]} to {_RANKS[-1]}, 1 being called first")
    if not (contact.name.isprintable() and 0 < len(contact.name.strip()) <= 60):
        faults.append("name must be 1 to 60 printable characters")
    if not _PHONE.fullmatch(contact.phone.strip()):
        faults.append("phone must be 5 to 20 digits, spaces and hyphens, with or without +")
    if not _MAIL.fullmatch(contact.mail.strip()):
        faults.append("mail must be an address NAME@HOST")
    return faults


def _context(party: str, role: str, rank: int) -> bytes:
    """What sealed bytes are bound to: they open nowhere else."""
    return f"contact {party} {role} {rank}".encode()


def _mail_masked(mail: str) -> str:
    name, _, host = mail.partition("@")
    return f"{name[:1]}***@{host}"


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    place = {"party": subject, "role": payload["role"], "rank": payload["rank"]}
    tx.delete("party_contact", **place)
    if not payload.get("remove"):
        shown = payload["shown"]
        assert isinstance(shown, Mapping)
        sealed = {name: payload[name] for name in ("sealed", "wrapped_key")}
        tx.insert("party_contact", {**place, "shown": canonical_json(dict(shown)), **sealed})


CONTACT = DecisionKind("party_contact", "party.propose", "party.approve", _apply)
