"""Parties of the exchange: platforms, channels, the gateway; their contracts, keys and status (domain.md §1, module 1).

A change of a party is proposed by one person and approved by another. Who may log in to the drop follows from the
register; the connector that keeps the log-ins reads ``parties`` after each approval.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody import protection
from custody.core_model import CoreModel, e_account_period
from custody.digest import canonical_json
from custody.errors import UsageError
from custody.fees import FeeContract
from custody.file_schedule import schedule_faults, scheduled_types
from custody.money import MAX_MINOR
from custody.names import MONTHLY, OCCASIONAL, FileType, PartyKind
from custody.ports import Clock, Register, RegisterTx, Row
from custody.repayment import USUAL_ORDER
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.outputs import days_begun
from custody.services.party_keys import SSH_TYPE, add_first_key, check_key, keys, ssh_key

PARTY_ID = re.compile(r"[A-Z][A-Z0-9]{1,9}")
LIVE = "LIVE"
SUSPENDED = "SUSPENDED"
STATUSES = (LIVE, SUSPENDED)
# The bank core's own folder in a world of test data; no party may be named so.
_RESERVED = ("CORE",)
_REQUIRED = frozenset({"encoding", "layouts", "dialect", "file_types", "core_model"})
# What a contract has besides, and has to have, by kind of party.
_OF_KIND = {
    str(PartyKind.PLATFORM): frozenset({"fee_contract"}),
    str(PartyKind.CHANNEL): frozenset({"channel_fee_rate", "channel_fee_min_minor"}),
    str(PartyKind.GATEWAY): frozenset[str](),
}
# A platform's related parties as far as the bank was told, as customer ids (keyed digests); left out where it was told of none. The
# order in which a payment covers the parts of an instalment; left out where it is the usual one (custody.repayment). From which
# custody date on core_model holds; before, the other model did.
_OPTIONAL = {str(PartyKind.PLATFORM): frozenset({"related_parties", "repayment_order", "core_model_from"})}
# Reconciliation expects fees in millionths of the amount, exactly.
_RATE = re.compile(r"0(\.[0-9]{1,6})?")
_CUSTOMER_ID = re.compile(r"C[0-9a-f]{24}")
_NOT_DAILY = OCCASIONAL | MONTHLY


@dataclass(frozen=True)
class Party:
    """A party as the register has it. ``contract`` is its JSON as ``contract_faults`` demands it."""

    party: str
    kind: str
    name_en: str
    name_zh: str
    status: str
    contract: Mapping[str, Any]


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

    ``public_key`` is the line of an OpenSSH ed25519 public key, a comment at its end is dropped: the first key of a new party, one of
    the keys of one that stands (custody.services.party_keys changes those). Raises UsageError naming
    every fault, or the live gateway when this would be a second one; NotPermitted.
    """
    faults = [*_identity_faults(party_id, kind, name_en, name_zh), *contract_faults(kind, contract)]
    key = ssh_key(public_key)
    if key is None:
        faults.append(f"the public key must be an OpenSSH {SSH_TYPE} line")
    if faults or key is None:
        raise UsageError("; ".join(faults))
    with permitted_transaction(register, actor, ONBOARD.propose_action, party_id) as tx:
        _check_onboarding(tx, party_id, kind, contract, key.text)
    payload = {"kind": kind, "name_en": name_en, "name_zh": name_zh, "contract": dict(contract), "public_key": key.text}
    return propose(register, clock, actor, ONBOARD, party_id, payload, note)


def propose_status(register: Register, clock: Clock, actor: str, party_id: str, status: str, note: str) -> str:
    """Propose to suspend a party (its files are refused, it cannot log in) or to resume it; returns the proposal's id."""
    if status not in STATUSES:
        raise UsageError(f"status must be one of {', '.join(STATUSES)}")
    with permitted_transaction(register, actor, STATUS.propose_action, party_id) as tx:
        _check_status(tx, party_id, status)
    return propose(register, clock, actor, STATUS, party_id, {"status": status}, note)


def contract_faults(kind: str, contract: Mapping[str, object]) -> list[str]:
    """What is wrong with a contract of a party of this kind, in words; an empty list when it can be adopted.

    Every day's steps read it as it stands, so it must hold here: ``layouts`` names for each file type the layouts that it may
    have, and for each occasional or monthly one that it may send (custody.names.OCCASIONAL, MONTHLY), ``schedule`` when each is due
    (custody.file_schedule; left out where it is the usual), ``dialect`` what a
    foreign layout needs to become ours (schemas.landing; empty where there is none); a platform has a ``fee_contract``
    (custody.fees) and may state a ``repayment_order``, a channel ``channel_fee_rate`` (text, at most six decimals) and ``channel_fee_min_minor`` (minor units), the
    gateway neither.
    """
    if kind not in _OF_KIND:
        return []  # _identity_faults names it
    try:
        # As the register will hold it, and every day will read it.
        contract = json.loads(canonical_json(dict(contract)))
    except TypeError as error:
        return [f"contract: {error}"]
    names, wanted = set(contract), _REQUIRED | _OF_KIND[kind]
    faults = [f"the contract of a {kind} lacks {name}" for name in sorted(wanted - names)]
    known = wanted | _OPTIONAL.get(kind, frozenset()) | {"schedule", protection.TERM}
    faults += [f"the contract of a {kind} has {name}, which nobody reads" for name in sorted(names - known)]
    if faults:
        return faults
    layouts, types = contract["layouts"], contract["file_types"]
    if not isinstance(contract["encoding"], str) or not contract["encoding"]:
        faults.append("encoding must be text")
    faults += _core_model_faults(kind, contract)
    if not isinstance(types, (list, tuple)) or not types or not all(t in list(FileType) for t in types):
        faults.append("file_types must be a list of file types")
    elif set(types) & _NOT_DAILY:
        faults.append(f"file_types are due every date: {', '.join(sorted(set(types) & _NOT_DAILY))} stands in layouts alone")
    elif not isinstance(layouts, Mapping) or not set(types) <= set(layouts) <= set(types) | _NOT_DAILY:
        faults.append(f"layouts must name the layouts of each of file_types, and of no other but {', '.join(sorted(_NOT_DAILY))}")
    elif not all(isinstance(ids, list) and ids and all(isinstance(one, str) for one in ids) for ids in layouts.values()):
        faults.append("layouts must name a list of layout ids for each file type")
    else:
        faults += schedule_faults(contract.get("schedule", {}), scheduled_types(contract))
    if not isinstance(contract["dialect"], Mapping):
        faults.append("dialect must be an object, empty where the layouts are our own")
    faults += protection.faults(contract)
    related = contract.get("related_parties", [])
    if not isinstance(related, list) or not all(isinstance(one, str) and _CUSTOMER_ID.fullmatch(one) for one in related):
        faults.append("related_parties must list customer ids: keyed digests, never numbers of papers")
    order = contract.get("repayment_order", list(USUAL_ORDER))
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(USUAL_ORDER):
        faults.append(f"repayment_order must list each of {', '.join(USUAL_ORDER)} once")
    if kind == PartyKind.PLATFORM:
        faults += _fee_contract_faults(contract["fee_contract"])
    if kind == PartyKind.CHANNEL:
        rate, minimum = contract["channel_fee_rate"], contract["channel_fee_min_minor"]
        if not (isinstance(rate, str) and _RATE.fullmatch(rate)):
            faults.append(f"channel_fee_rate must be text from 0 to below 1 with at most six decimals, not {rate!r}")
        if isinstance(minimum, bool) or not isinstance(minimum, int) or not 0 <= minimum <= MAX_MINOR:
            faults.append(f"channel_fee_min_minor must be a whole number from 0 to {MAX_MINOR}, not {minimum!r}")
    return faults


def _core_model_faults(kind: str, contract: Mapping[str, Any]) -> list[str]:
    """The form of a platform's core changes on a date that its contract states, so that each day knows which one it has."""
    model, since = contract["core_model"], contract.get("core_model_from")
    if model not in list(CoreModel):
        return [f"core_model must be one of {', '.join(CoreModel)}"]
    if model == CoreModel.E_ACCOUNT and kind != PartyKind.PLATFORM:
        return [f"core_model of a {kind} is HUB: only a platform's customers have e-accounts"]
    if since is None:
        if model == CoreModel.E_ACCOUNT:
            return ["core_model E_ACCOUNT needs core_model_from: the first custody date of which the core shows e-accounts"]
        return []
    try:
        date.fromisoformat(since)
    except (TypeError, ValueError):
        return [f"core_model_from must be a date YYYY-MM-DD, not {since!r}"]
    return []


def _check_core_model(tx: RegisterTx, party_id: str, contract: Mapping[str, Any]) -> None:
    """Days that were cut off keep the model they had."""
    standing = tx.get("party", party=party_id)
    if standing is None or standing["kind"] != PartyKind.PLATFORM:
        return
    before, after = e_account_period(json.loads(standing["contract"])), e_account_period(contract)
    begun = [on for on in days_begun(tx) if (before is not None and on in before) != (after is not None and on in after)]
    if begun:
        raise UsageError(
            f"core_model of {party_id} would change for {begun[-1]}, which was cut off under the other one: "
            "name a core_model_from after the last custody date that was cut off"
        )


def _fee_contract_faults(fee_contract: object) -> list[str]:
    if not isinstance(fee_contract, Mapping):
        return [f"fee_contract must be an object, not {fee_contract!r}"]
    try:
        FeeContract.parse(fee_contract)
    except UsageError as error:
        return [f"fee_contract: {error}"]
    return []


def _check_only_gateway(tx: RegisterTx, party_id: str) -> None:
    """The exchange has one gateway: its instructions are the only ones that a day posts."""
    others = [g["party"] for g in tx.find("party", kind=str(PartyKind.GATEWAY), status=LIVE) if g["party"] != party_id]
    if others:
        raise UsageError(f"{others[0]} is the live gateway and there is only one: suspend it before {party_id} takes its place")


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


def _apply_onboard(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    """A change of a party that stands leaves its status alone."""
    contract = payload["contract"]
    assert isinstance(contract, Mapping)
    values = {name: payload[name] for name in ("kind", "name_en", "name_zh")}
    values["contract"] = canonical_json(dict(contract))
    # Asked again: another gateway may have gone live, and a day may have begun, between the proposal and its approval.
    _check_onboarding(tx, subject, str(payload["kind"]), contract, str(payload["public_key"]))
    if tx.update("party", {"party": subject}, values) == 0:
        tx.insert("party", {"party": subject, "status": LIVE, **values})
        key = ssh_key(str(payload["public_key"]))
        assert key is not None  # as it was proposed
        add_first_key(tx, subject, key)


def _apply_status(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    _check_status(tx, subject, str(payload["status"]))
    tx.update("party", {"party": subject}, {"status": payload["status"]})


def _check_onboarding(tx: RegisterTx, party_id: str, kind: str, contract: Mapping[str, Any], public_key: str) -> None:
    """A new party goes live at once; one that is suspended stays so, and may be changed beside the live gateway."""
    _check_core_model(tx, party_id, contract)
    standing = tx.get("party", party=party_id)
    key = ssh_key(public_key)
    if standing is not None and public_key not in [one.public_key for one in keys(tx, party_id)]:
        raise UsageError(f"{party_id} stands, with other keys: a new key comes by custody org key add")
    if standing is None and key is not None:
        check_key(tx, party_id, key)
    if kind == PartyKind.GATEWAY and (standing is None or standing["status"] == LIVE):
        _check_only_gateway(tx, party_id)


def _check_status(tx: RegisterTx, party_id: str, status: str) -> None:
    row = tx.get("party", party=party_id)
    if row is None:
        raise UsageError(f"no party {party_id!r}")
    if status == LIVE and row["kind"] == PartyKind.GATEWAY:
        _check_only_gateway(tx, party_id)


ONBOARD = DecisionKind("party_onboard", "party.propose", "party.approve", _apply_onboard)
STATUS = DecisionKind("party_status", "party.propose", "party.approve", _apply_status)
