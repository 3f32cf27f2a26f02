"""Whom to call at an organisation, at the bank itself (by duty) and at its regulator: by role and rank, the first to be called being rank 1; set and removed by two people.

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
from custody.permissions import READ_ONLY, Duty
from custody.ports import Clock, Register, RegisterTx, Row, Secrets
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import standing_party

REVEAL = "contact.reveal"
# Beside the parties: the bank's own people, by their duty, and its regulator.
BANK, REGULATOR = "BANK", "REGULATOR"
_RANKS = range(1, 10)
_PHONE = re.compile(r"\+?[0-9][0-9 -]{4,19}")
_MAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,100}")


class ContactRole(StrEnum):
    OPERATIONS = "OPERATIONS"
    TECHNICAL = "TECHNICAL"
    RECONCILIATION = "RECONCILIATION"
    COMPLIANCE = "COMPLIANCE"
    EMERGENCY = "EMERGENCY"


def roles_of(party: str) -> tuple[str, ...]:
    """The roles in which somebody may be called there."""
    if party == BANK:
        return tuple(duty.upper() for duty in Duty if duty not in READ_ONLY and duty != Duty.SYSTEM)
    return (REGULATOR,) if party == REGULATOR else tuple(ContactRole)


def check_place(tx: RegisterTx, party: str) -> None:
    """Raises UsageError for a place where nobody can be called."""
    if party not in (BANK, REGULATOR):
        standing_party(tx, party)


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
        check_place(tx, party)
        rows = tx.find("party_contact", ("role", "rank"), party=party)
        tx.audit(actor, REVEAL, party, {"contacts": len(rows)})
    return [_opened(secrets, row) for row in rows]


def address_of(tx: RegisterTx, secrets: Secrets, party: str, role: str) -> Contact | None:
    """Who is called first in a role, in clear, for a message that goes to him; nobody is shown it. None where nobody is named."""
    rows = tx.find("party_contact", ("rank",), party=party, role=role)
    return _opened(secrets, rows[0]) if rows else None


def _opened(secrets: Secrets, row: Row) -> Contact:
    key = secrets.unwrap(base64.b64decode(row["wrapped_key"]))
    plain = secrets.open(key, base64.b64decode(row["sealed"]), _context(row["party"], row["role"], row["rank"]))
    return Contact(row["role"], row["rank"], **json.loads(plain))


def propose_contact(
    register: Register, clock: Clock, secrets: Secrets, actor: str, party: str, contact: Contact, note: str
) -> str:
    """Propose who is called in this role and rank, in the place of whoever is; returns the proposal's id.

    Raises UsageError naming every fault; NotPermitted.
    """
    faults = _faults(party, contact)
    if faults:
        raise UsageError("; ".join(faults))
    payload = seal_contact(secrets, party, contact)
    with permitted_transaction(register, actor, CONTACT.propose_action, party) as tx:
        check_place(tx, party)
    return propose(register, clock, actor, CONTACT, party, payload, note)


def seal_contact(secrets: Secrets, party: str, contact: Contact) -> Row:
    """Role, rank, what may be shown, and the rest sealed for this place: nothing else of it is written anywhere."""
    key, wrapped = secrets.new_data_key()
    said = {"name": contact.name.strip(), "phone": contact.phone.strip(), "mail": contact.mail.strip()}
    sealed = secrets.seal(key, canonical_json(said).encode(), _context(party, contact.role, contact.rank))
    shown = {"name": mask_name(said["name"]), "phone": mask(said["phone"]), "mail": _mail_masked(said["mail"])}
    return {
        "role": str(contact.role), "rank": contact.rank, "shown": shown, "sealed": base64.b64encode(sealed).decode(),
        "wrapped_key": base64.b64encode(wrapped).decode(),
    }  # fmt: skip


def propose_removal(register: Register, clock: Clock, actor: str, party: str, role: str, rank: int, note: str) -> str:
    """Propose that nobody is called in this role and rank any more. Raises UsageError, NotPermitted."""
    with permitted_transaction(register, actor, CONTACT.propose_action, party) as tx:
        if tx.get("party_contact", party=party, role=role, rank=rank) is None:
            raise UsageError(f"{party} has no contact {role} {rank}; see: custody org contact list {party}")
    return propose(register, clock, actor, CONTACT, party, {"role": role, "rank": rank, "remove": True}, note)


def _faults(party: str, contact: Contact) -> list[str]:
    faults = []
    if contact.role not in roles_of(party):
        faults.append(f"role must be one of {', '.join(roles_of(party))}")
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
