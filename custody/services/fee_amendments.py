"""Fee terms for days that have passed, by two people (custody.fee_amendments); the next day whose cut-off seals them rates those days anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from custody.errors import UsageError
from custody.fee_amendments import KIND
from custody.fee_contract import FeeContract
from custody.names import PartyKind
from custody.ports import Clock, Register, RegisterTx
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import first_open_date, standing_party


def propose_amendment(
    register: Register,
    clock: Clock,
    actor: str,
    platform: str,
    terms: Mapping[str, object],
    valid_from: date,
    valid_to: date,
    note: str,
) -> str:
    """Propose that ``terms`` hold from ``valid_from`` to ``valid_to`` (both in), whatever the contract says; returns the proposal's id.
    Raises NotPermitted; UsageError for terms that are no fee contract, that do not fit the platform's, or for days that have not been cut
    off: of these the contract speaks."""
    payload = {"terms": dict(terms), "valid_from": valid_from.isoformat(), "valid_to": valid_to.isoformat()}
    with permitted_transaction(register, actor, AMENDMENT.propose_action, platform) as tx:
        _check(tx, platform, payload)
    return propose(register, clock, actor, AMENDMENT, platform, payload, note)


def _check(tx: RegisterTx, subject: str, payload: Mapping[str, Any]) -> None:
    said = FeeContract.parse(payload["terms"])
    first, last = date.fromisoformat(payload["valid_from"]), date.fromisoformat(payload["valid_to"])
    if last < first:
        raise UsageError(f"the amendment ends on {last}, before it begins on {first}")
    if last >= first_open_date(tx):
        raise UsageError(
            f"{last} is not cut off yet: from {first_open_date(tx)} on the contract says what is paid (custody org contract)"
        )
    dated = standing_party(tx, subject)
    if dated.row["kind"] != PartyKind.PLATFORM:
        raise UsageError(f"{subject} is a {dated.row['kind'].lower()}: platforms pay fees")
    if first < dated.contracts[0]["valid_from"]:
        raise UsageError(f"{first} is before the first contract of {subject}, of {dated.contracts[0]['valid_from']}")
    if not (said.in_force(first) and said.in_force(last)):
        raise UsageError(
            f"the terms are valid from {said.valid_from} to {said.valid_to or 'no end'}: not on every day from {first} to {last}"
        )
    before = FeeContract.parse(dated.on(first).contract["fee_contract"])
    # A period that has begun keeps its end, its currency and the day on which it is charged.
    for name in ("currency", "cycle", "charge_business_day"):
        was, now = getattr(before, name), getattr(said, name)
        if was != now:
            raise UsageError(f"{name} of {subject} is {was} on {first}: an amendment that reaches back cannot make it {now}")


AMENDMENT = DecisionKind(KIND, "fee.propose", "fee.approve", _check)
