"""Parties of the exchange: platforms, channels, the gateway; their contracts, keys and status (domain.md §1, module 1).

What an organisation is at all takes two people; what changes of it later has a service of its own: status (status_changes),
contract (contract_changes), keys (party_keys). Status and contract hold from a custody date on: a day is read under those of its
own date, whenever it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody import alert_rules, external_hosts, protection, report_terms
from custody.calendar import ONE_DAY
from custody.core_model import CoreModel
from custody.digest import canonical_json
from custody.errors import UsageError
from custody.fee_contract import FeeContract
from custody.file_schedule import schedule_faults, scheduled_types
from custody.money import MAX_MINOR
from custody.names import MONTHLY, OCCASIONAL, FileType, PartyKind
from custody.party_status import RESTRICTED, PartyStatus
from custody.ports import Clock, Register, RegisterTx, Row
from custody.repayment import USUAL_ORDER
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.outputs import days_begun
from custody.services.party_keys import SSH_TYPE, PublicKey, add_first_key, check_key, ssh_key

PARTY_ID = re.compile(r"[A-Z][A-Z0-9]{1,9}")
# Before every custody date: what a party had from its beginning.
BEGINNING = date(1900, 1, 1)
# The bank core's own folder in a world of test data, and whose contacts stand beside the parties': no party may be named so.
_RESERVED = ("CORE", "BANK", "REGULATOR")
_REQUIRED = frozenset({"encoding", "layouts", "dialect", "file_types", "core_model"})
# What a contract has besides, and has to have, by kind of party.
_OF_KIND = {
    str(PartyKind.PLATFORM): frozenset({"fee_contract"}),
    str(PartyKind.CHANNEL): frozenset({"channel_fee_rate", "channel_fee_min_minor"}),
    str(PartyKind.GATEWAY): frozenset[str](),
    str(PartyKind.REPORTING): frozenset({report_terms.TERM}),
}
# A platform's related parties as far as the bank was told, as customer ids (keyed digests); left out where it was told of none. The
# order in which a payment covers the parts of an instalment; left out where it is the usual one (custody.repayment). From which
# custody date on core_model holds; before, the other model did.
_OPTIONAL = {
    str(PartyKind.PLATFORM): frozenset({"branch", "related_parties", "repayment_order", "core_model_from", alert_rules.TERM})
}
# Reconciliation expects fees in millionths of the amount, exactly.
_RATE = re.compile(r"0(\.[0-9]{1,6})?")
_CUSTOMER_ID = re.compile(r"C[0-9a-f]{24}")
_NOT_DAILY = OCCASIONAL | MONTHLY


@dataclass(frozen=True)
class Party:
    """A party as the register has it on a custody date. ``contract`` is its JSON as ``contract_faults`` demands it;
    ``restricted_since``: from which date on it has not been live without a break (custody.party_status.RESTRICTED), None while it is."""

    party: str
    kind: str
    name_en: str
    name_zh: str
    status: str
    contract: Mapping[str, Any]
    restricted_since: date | None


@dataclass(frozen=True)
class DatedParty:
    """A party through all its dates: the register's rows of it, statuses and contracts in order of their first date."""

    row: Row
    statuses: list[Row]
    contracts: list[Row]

    def status_on(self, day: date) -> str:
        return str([one["status"] for one in self.statuses if one["valid_from"] <= day][-1])

    def contracts_until(self, day: date) -> list[tuple[date, Mapping[str, Any]]]:
        """Its contract in each version that has begun by then, with its first date."""
        return [(one["valid_from"], json.loads(one["contract"])) for one in self.contracts if one["valid_from"] <= day]

    def on(self, day: date | None) -> Party:
        """As it is on a custody date; without one, as was decided last."""
        held = [one for one in self.statuses if day is None or one["valid_from"] <= day]
        since = None
        for one in held:
            since = (since or one["valid_from"]) if one["status"] in RESTRICTED else None
        contract = [one for one in self.contracts if day is None or one["valid_from"] <= day][-1]
        return Party(**self.row, status=held[-1]["status"], contract=json.loads(contract["contract"]), restricted_since=since)


def parties(tx: RegisterTx, on: date | None = None) -> list[Party]:
    """All parties by id, each with the status and contract that hold on a custody date; without one, as was decided last."""
    return [one.on(on) for one in dated_parties(tx)]


def dated_parties(tx: RegisterTx) -> list[DatedParty]:
    """All parties by id."""
    statuses, contracts = (_by_party(tx.find(table, ("party", "valid_from"))) for table in ("party_status", "party_contract"))
    return [DatedParty(row, statuses[row["party"]], contracts[row["party"]]) for row in tx.find("party", order_by=["party"])]


def dated_party(tx: RegisterTx, party_id: str) -> DatedParty | None:
    """None when it was never onboarded."""
    row = tx.get("party", party=party_id)
    if row is None:
        return None
    return DatedParty(row, *(tx.find(table, ("valid_from",), party=party_id) for table in ("party_status", "party_contract")))


def party(tx: RegisterTx, party_id: str, on: date | None = None) -> Party | None:
    """The organisation with this id on a custody date, or as was decided last; None when it was never onboarded."""
    found = dated_party(tx, party_id)
    return None if found is None else found.on(on)


def standing_party(tx: RegisterTx, party_id: str) -> DatedParty:
    """As ``dated_party``. Raises UsageError when it was never onboarded."""
    found = dated_party(tx, party_id)
    if found is None:
        raise UsageError(f"no organisation {party_id!r}; see: custody org list")
    return found


def first_open_date(tx: RegisterTx) -> date:
    """The first custody date that was not cut off yet: from it on, at the earliest, something else may hold."""
    begun = days_begun(tx)
    return begun[-1] + ONE_DAY if begun else BEGINNING


def _by_party(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["party"], []).append(row)
    return found


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
    *,
    live_untested: bool,
) -> str:
    """Propose to onboard a party; returns the proposal's id. ``live_untested``: it goes live with the first custody date that is not
    cut off yet, without an acceptance test, for the reason that ``note`` says; else it is ONBOARDING until it has passed one.

    ``public_key`` is the line of its first log-in key (custody.services.party_keys). Raises UsageError naming every fault, or the
    live gateway when this would be a second one; NotPermitted.
    """
    faults = [*_identity_faults(party_id, kind, name_en, name_zh), *contract_faults(kind, contract)]
    key = ssh_key(public_key)
    if key is None:
        faults.append(f"the public key must be an OpenSSH {SSH_TYPE} line")
    if live_untested and not note.strip():
        faults.append("who goes live without an acceptance test needs a reason")
    if faults or key is None:
        raise UsageError("; ".join(faults))
    names: dict[str, object] = {"kind": kind, "name_en": name_en, "name_zh": name_zh}
    payload = {**names, "contract": dict(contract), "public_key": key.text, "live_untested": live_untested}
    with permitted_transaction(register, actor, ONBOARD.propose_action, party_id) as tx:
        _check_onboarding(tx, party_id, payload)
    return propose(register, clock, actor, ONBOARD, party_id, payload, note)


def contract_faults(kind: str, contract: Mapping[str, object]) -> list[str]:
    """What is wrong with a contract of a party of this kind, in words; an empty list when it can be adopted.

    Every day's steps read it as it stands, so it must hold here: ``layouts`` names for each file type the layouts that it may
    have, and for each occasional or monthly one that it may send (custody.names.OCCASIONAL, MONTHLY), ``schedule`` when each is due
    (custody.file_schedule; left out where it is the usual), ``dialect`` what a
    foreign layout needs to become ours (schemas.landing; empty where there is none); a platform has a ``fee_contract``
    (custody.fees) and may state a ``repayment_order`` and the bank's ``branch`` that keeps the contract, a channel ``channel_fee_rate`` (text, at most six decimals) and ``channel_fee_min_minor`` (minor units), the
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
    faults += [f"the contract of a {kind} has {name}, which nobody reads" for name in sorted(names - known_terms(kind))]
    if faults:
        return faults
    layouts, types = contract["layouts"], contract["file_types"]
    if not isinstance(contract["encoding"], str) or not contract["encoding"]:
        faults.append("encoding must be text")
    faults += _core_model_faults(kind, contract)
    if kind == PartyKind.REPORTING:
        # What it sends are receipts of what it got, which belong to no custody date.
        if types or layouts:
            faults.append("a reporting platform sends no files of custody dates: file_types and layouts are empty")
        faults += report_terms.contract_faults(contract)
    elif not isinstance(types, (list, tuple)) or not types or not all(t in list(FileType) for t in types):
        faults.append("file_types must be a list of file types")
    elif set(types) & _NOT_DAILY:
        faults.append(f"file_types are due every date: {', '.join(sorted(set(types) & _NOT_DAILY))} stands in layouts alone")
    elif not isinstance(layouts, Mapping) or not set(types) <= set(layouts) <= set(types) | _NOT_DAILY:
        wrong = set(types) ^ (set(layouts) - _NOT_DAILY if isinstance(layouts, Mapping) else set())
        but = ", ".join(sorted(_NOT_DAILY))
        faults.append(f"layouts of {', '.join(sorted(wrong))}: each of file_types has layouts, and no other type but {but}")
    elif not all(isinstance(ids, list) and ids and all(isinstance(one, str) for one in ids) for ids in layouts.values()):
        faults.append("layouts must name a list of layout ids for each file type")
    else:
        faults += schedule_faults(contract.get("schedule", {}), scheduled_types(contract))
    if not isinstance(contract["dialect"], Mapping):
        faults.append("dialect must be an object, empty where the layouts are our own")
    faults += [*protection.faults(contract), *external_hosts.faults(contract)]
    branch = contract.get("branch", "-")
    if not isinstance(branch, str) or not 0 < len(branch) <= 40 or not branch.isprintable() or branch != branch.strip():
        faults.append("branch must name the bank's branch that keeps the contract, in at most 40 characters")
    related = contract.get("related_parties", [])
    if not isinstance(related, list) or not all(isinstance(one, str) and _CUSTOMER_ID.fullmatch(one) for one in related):
        faults.append("related_parties must list customer ids: keyed digests, never numbers of papers")
    order = contract.get("repayment_order", list(USUAL_ORDER))
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(USUAL_ORDER):
        faults.append(f"repayment_order must list each of {', '.join(USUAL_ORDER)} once")
    if kind == PartyKind.PLATFORM:
        faults += [*_fee_contract_faults(contract["fee_contract"]), *alert_rules.contract_faults(contract)]
    if kind == PartyKind.CHANNEL:
        rate, minimum = contract["channel_fee_rate"], contract["channel_fee_min_minor"]
        if not (isinstance(rate, str) and _RATE.fullmatch(rate)):
            faults.append(f"channel_fee_rate must be text from 0 to below 1 with at most six decimals, not {rate!r}")
        if isinstance(minimum, bool) or not isinstance(minimum, int) or not 0 <= minimum <= MAX_MINOR:
            faults.append(f"channel_fee_min_minor must be a whole number from 0 to {MAX_MINOR}, not {minimum!r}")
    return faults


def known_terms(kind: str) -> frozenset[str]:
    """What a contract of a party of this kind may say."""
    usual = {"schedule", protection.TERM, external_hosts.TERM}
    return _REQUIRED | _OF_KIND[kind] | _OPTIONAL.get(kind, frozenset()) | usual


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


def _fee_contract_faults(fee_contract: object) -> list[str]:
    if not isinstance(fee_contract, Mapping):
        return [f"fee_contract must be an object, not {fee_contract!r}"]
    try:
        FeeContract.parse(fee_contract)
    except UsageError as error:
        return [f"fee_contract: {error}"]
    return []


def check_only_gateway(tx: RegisterTx, party_id: str, since: date) -> None:
    """The exchange has one gateway: its instructions are the only ones that a day posts. Raises UsageError."""
    for one in parties(tx, max(since, first_open_date(tx))):
        if one.kind == PartyKind.GATEWAY and one.status == PartyStatus.LIVE and one.party != party_id:
            raise UsageError(
                f"{one.party} is the live gateway and there is only one: suspend it before {party_id} takes its place"
            )


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
    # Asked again: another gateway may have gone live between the proposal and its approval.
    key = _check_onboarding(tx, subject, payload)
    tx.insert("party", {"party": subject, **{name: payload[name] for name in ("kind", "name_en", "name_zh")}})
    tx.insert("party_contract", {"party": subject, "valid_from": BEGINNING, "contract": canonical_json(payload["contract"])})
    statuses = {BEGINNING: PartyStatus.ONBOARDING}
    if _is_live_at_once(payload):
        statuses[first_open_date(tx)] = PartyStatus.LIVE
    for since, status in statuses.items():
        tx.insert("party_status", {"party": subject, "valid_from": since, "status": str(status)})
    add_first_key(tx, subject, key)


def _is_live_at_once(payload: Mapping[str, object]) -> bool:
    """A proposal of before there was a test says nothing of it: whom it named was to be live."""
    return bool(payload.get("live_untested", True))


def _check_onboarding(tx: RegisterTx, party_id: str, payload: Mapping[str, object]) -> PublicKey:
    if tx.get("party", party=party_id) is not None:
        raise UsageError(
            f"{party_id} stands already: custody org contract, key, contact and status change what is there, each from a date"
        )
    key = ssh_key(str(payload["public_key"]))
    assert key is not None  # as it was proposed
    check_key(tx, party_id, key)
    if payload["kind"] == PartyKind.GATEWAY and _is_live_at_once(payload):
        check_only_gateway(tx, party_id, first_open_date(tx))
    return key


ONBOARD = DecisionKind("party_onboard", "party.propose", "party.approve", _apply_onboard)
