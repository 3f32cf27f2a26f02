"""Parties of the exchange: platforms, channels, the gateway; their contracts, keys and status (domain.md §1, module 1).

A change of a party is proposed by one person and approved by another. Who may log in to the drop follows from the
register; the connector that keeps the log-ins reads ``parties`` after each approval.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from custody.digest import canonical_json
from custody.errors import UsageError
from custody.names import FileType, PartyKind
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.four_eyes import DecisionKind, propose

PARTY_ID = re.compile(r"[A-Z][A-Z0-9]{1,9}")
LIVE = "LIVE"
SUSPENDED = "SUSPENDED"
STATUSES = (LIVE, SUSPENDED)
# domain.md §6: which postings must show at the bank core.
CORE_MODELS = ("HUB", "E_ACCOUNT")
# The bank core's own folder in a world of test data; no party may be named so.
_RESERVED = ("CORE",)
_REQUIRED = {"encoding", "layouts", "file_types", "core_model", "fee_contract"}
_OPTIONAL = {"channel_fee_rate", "channel_fee_min_minor"}
_RATE = re.compile(r"0(\.[0-9]{1,10})?")
_KEY_TYPE = "ssh-ed25519"


@dataclass(frozen=True)
class Party:
    """A party as the register has it. ``contract`` is its JSON as ``check_contract`` demands it."""

    party: str
    kind: str
    name_en: str
    name_zh: str
    status: str
    contract: Mapping[str, Any]
    public_key: str


def parties(tx: RegisterTx) -> list[Party]:
    """All parties, by id."""
    return [_party(row) for row in tx.find("party", order_by=["party"])]


def party(tx: RegisterTx, party_id: str) -> Party | None:
    """The organisation with this id, with its contract in force; None when it was never onboarded."""
    row = tx.get("party", party=party_id)
    return None if row is None else _party(row)


def _party(row: Row) -> Party:
    return Party(**{**row, "contract": json.loads(row["contract"])})


def propose_party(
    register: Register,
    clock: Clock,
    actor: str,
    party_id: str,
    kind: str,
    name_en: str,
    name_zh: str,
    contract: Mapping[str, object],
    public_key: str,
    note: str,
) -> str:
    """Propose to onboard a party, or to change the one that stands; returns the proposal's id.

    ``public_key`` is the line of an OpenSSH ed25519 public key; a comment at its end is dropped. Raises UsageError naming
    every fault, NotPermitted.
    """
    faults = [*_identity_faults(party_id, kind, name_en, name_zh), *contract_faults(contract)]
    key = _key_line(public_key)
    if key is None:
        faults.append(f"the public key must be an OpenSSH {_KEY_TYPE} line")
    if faults:
        raise UsageError("; ".join(faults))
    payload = {"kind": kind, "name_en": name_en, "name_zh": name_zh, "contract": dict(contract), "public_key": key}
    return propose(register, clock, actor, ONBOARD, party_id, payload, note)


def propose_status(register: Register, clock: Clock, actor: str, party_id: str, status: str, note: str) -> str:
    """Propose to suspend a party (its files are refused, it cannot log in) or to resume it; returns the proposal's id."""
    if status not in STATUSES:
        raise UsageError(f"status must be one of {', '.join(STATUSES)}")
    with register.transaction() as tx:
        if tx.get("party", party=party_id) is None:
            raise UsageError(f"no party {party_id!r}")
    return propose(register, clock, actor, STATUS, party_id, {"status": status}, note)


def contract_faults(contract: Mapping[str, object]) -> list[str]:
    """What is wrong with a contract, in words; an empty list when it can be adopted. Rates are text, amounts minor units."""
    names = set(contract)
    faults = [f"contract lacks {name}" for name in sorted(_REQUIRED - names)]
    faults += [f"contract has {name}, which nobody reads" for name in sorted(names - _REQUIRED - _OPTIONAL)]
    if faults:
        return faults
    layouts, types = contract["layouts"], contract["file_types"]
    if not isinstance(contract["encoding"], str) or not contract["encoding"]:
        faults.append("encoding must be text")
    if contract["core_model"] not in CORE_MODELS:
        faults.append(f"core_model must be one of {', '.join(CORE_MODELS)}")
    if not isinstance(types, (list, tuple)) or not types or not all(t in list(FileType) for t in types):
        faults.append("file_types must be a list of file types")
    elif not isinstance(layouts, Mapping) or sorted(layouts) != sorted(set(types)):
        faults.append("layouts must name one layout for each of file_types")
    if contract["fee_contract"] is not None and not isinstance(contract["fee_contract"], Mapping):
        faults.append("fee_contract must be an object or null")
    rate = contract.get("channel_fee_rate")
    if rate is not None and not (isinstance(rate, str) and _RATE.fullmatch(rate)):
        faults.append("channel_fee_rate must be text such as 0.0025")
    try:
        canonical_json(dict(contract))
    except TypeError as error:
        faults.append(f"contract: {error}")
    return faults


def _identity_faults(party_id: str, kind: str, name_en: str, name_zh: str) -> list[str]:
    faults = []
    if not PARTY_ID.fullmatch(party_id) or party_id in _RESERVED:
        faults.append(f"{party_id!r} is not a party id: a capital letter, then 1 to 9 capitals or digits")
    if kind not in list(PartyKind):
        faults.append(f"kind must be one of {', '.join(PartyKind)}")
    faults += [
        f"{what} must be 1 to 200 printable characters"
        for what, name in (("name_en", name_en), ("name_zh", name_zh))
        if not (name.isprintable() and 0 < len(name) <= 200)
    ]
    return faults


def _key_line(text: str) -> str | None:
    """``ssh-ed25519 AAAA...`` without comment, or None when it is not one line of exactly that."""
    words = text.split()
    if len(words) < 2 or words[0] != _KEY_TYPE or "\n" in text.strip():
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return None
    # RFC 4253 §6.6: the type again, then 32 octets of key, each with its length in four octets before it.
    prefix = len(_KEY_TYPE).to_bytes(4) + _KEY_TYPE.encode() + (32).to_bytes(4)
    return f"{words[0]} {words[1]}" if blob.startswith(prefix) and len(blob) == len(prefix) + 32 else None


def _apply_onboard(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    """A change of a party that stands leaves its status alone."""
    contract = payload["contract"]
    assert isinstance(contract, Mapping)
    values = {name: payload[name] for name in ("kind", "name_en", "name_zh", "public_key")}
    values["contract"] = canonical_json(dict(contract))
    if tx.update("party", {"party": subject}, values) == 0:
        tx.insert("party", {"party": subject, "status": LIVE, **values})


def _apply_status(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    if tx.update("party", {"party": subject}, {"status": payload["status"]}) == 0:
        raise UsageError(f"no party {subject!r}")


ONBOARD = DecisionKind("party_onboard", "party.propose", "party.approve", _apply_onboard)
STATUS = DecisionKind("party_status", "party.propose", "party.approve", _apply_status)
