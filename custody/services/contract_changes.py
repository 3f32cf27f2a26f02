"""Versions of an organisation's contract: each holds from a custody date until the next one begins, by decision of two people.

A custody day is judged under the version of its own date, a late file under that of the file's; so no version begins on a date
that was cut off, unless the organisation had no part in that day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from custody.core_model import e_account_period
from custody.digest import canonical_json
from custody.errors import UsageError
from custody.names import PartyKind
from custody.party_status import PartyStatus
from custody.ports import Clock, Register, RegisterTx
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import (
    BEGINNING,
    DatedParty,
    contract_faults,
    first_open_date,
    standing_party,
)
from custody.services.outputs import days_begun


def propose_contract(
    register: Register, clock: Clock, actor: str, party_id: str, contract: Mapping[str, object], since: date | None, note: str
) -> str:
    """Propose a version that holds from ``since`` on; returns the proposal's id. None: from the first custody date that is not cut off
    yet, or, while the organisation is only being onboarded, from its beginning. Raises UsageError naming every fault; NotPermitted."""
    with permitted_transaction(register, actor, CONTRACT.propose_action, party_id) as tx:
        of = standing_party(tx, party_id)
        faults = contract_faults(of.row["kind"], contract)
        if faults:
            raise UsageError("; ".join(faults))
        payload = {"contract": dict(contract), "valid_from": (since or _earliest(tx, of)).isoformat()}
        _check(tx, party_id, payload)
    return propose(register, clock, actor, CONTRACT, party_id, payload, note)


def _earliest(tx: RegisterTx, of: DatedParty) -> date:
    statuses = {one["status"] for one in of.statuses}
    return BEGINNING if statuses == {PartyStatus.ONBOARDING} else first_open_date(tx)


def _check(tx: RegisterTx, party_id: str, payload: Mapping[str, Any]) -> date:
    """Returns its first date. Asked at the proposal and again at its approval: a day may have begun between."""
    since = date.fromisoformat(payload["valid_from"])
    contract = payload["contract"]
    of = standing_party(tx, party_id)
    before = of.on(max(since, BEGINNING))
    if before.status == PartyStatus.CLOSED:
        raise UsageError(f"{party_id} is closed from {since} on: nothing is agreed with it any more")
    if since < _earliest(tx, of):
        raise UsageError(
            f"{since} was cut off under the contract that it had: {party_id} may have another from {first_open_date(tx)} on"
        )
    if canonical_json(dict(before.contract)) == canonical_json(contract):
        raise UsageError(f"that is what {party_id} has on {since} already")
    if before.kind == PartyKind.PLATFORM:
        _check_core_model(tx, of, contract)
    return since


def _check_core_model(tx: RegisterTx, dated: DatedParty, contract: Mapping[str, Any]) -> None:
    """Days that were cut off keep the model they had: later days judge earlier dates too, by the model that their own contract says."""
    after = e_account_period(contract)
    for on in reversed(days_begun(tx)):
        of = dated.on(on)
        if of.status == PartyStatus.ONBOARDING:
            continue
        before = e_account_period(of.contract)
        if (before is not None and on in before) != (after is not None and on in after):
            raise UsageError(
                f"core_model of {of.party} would change for {on}, which was cut off under the other one: "
                "name a core_model_from after the last custody date that was cut off"
            )


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    since = _check(tx, subject, payload)
    body = {"contract": canonical_json(payload["contract"])}
    place = {"party": subject, "valid_from": since}
    if tx.update("party_contract", place, body) == 0:
        tx.insert("party_contract", {**place, **body})


CONTRACT = DecisionKind("party_contract", "party.propose", "party.approve", _apply)
