"""What charging periods that have ended come to, as the register has it from the fees steps, and what of it is to be charged.

A period that was rated anew after its charge comes to something else: the difference is a charge of its own, which cites the first one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from custody.calendar import SettlementCalendar
from custody.fee_contract import FeeContract
from custody.fee_life import WAITING
from custody.fees import FeeState, period_name, whole_lines
from custody.ports import RegisterTx, Row
from custody.services.calendars import settlement_calendar
from custody.services.fee_charges import RATED, Charge, due_day, left_of
from custody.services.organisations import DatedParty, dated_parties
from custody.services.outputs import Seal


@dataclass(frozen=True)
class Period:
    """``state``: of its last day, as the fees step of ``rated_on`` has it."""

    platform: str
    state: FeeState
    rated_on: date


def rated_periods(tx: RegisterTx, seal: Seal, periods: Iterable[Period]) -> None:
    """Take up what a fees step says of periods that have ended. What a later day knows better stays."""
    for one in periods:
        state = one.state
        key = {"platform": one.platform, "period": period_name(state.first, state.last)}
        said: Row = {
            "last": state.last,
            "currency": state.currency,
            "net_minor": state.net_minor,
            "vat_minor": state.vat_minor,
            "components": json.dumps(whole_lines(state.totals(), state.net_minor)),
            "rated_on": one.rated_on,
            "seal": seal.manifest_digest,
        }
        before = tx.get("fee_period", **key)
        if before is None:
            nothing = {"charged_net_minor": 0, "charged_vat_minor": 0, "charges": 0}
            tx.insert("fee_period", {**key, **said, **nothing, "is_open": state.gross_minor != 0})
        elif before["rated_on"] <= one.rated_on:
            charged = before["charged_net_minor"] + before["charged_vat_minor"]
            tx.update("fee_period", key, said | {"is_open": state.gross_minor != charged})


def due_charges(tx: RegisterTx, on: date) -> list[Charge]:
    """What is to be charged by ``on``: of each platform's periods that have ended what they come to beyond what was charged, once the bank
    business day has come that the contract names, of a difference the next one after it was known; by platform and period."""
    calendar = settlement_calendar(tx)
    rows = tx.find("fee_period", ("platform", "last", "period"), is_open=True)
    dated = {one.row["party"]: one for one in dated_parties(tx)} if rows else {}
    found = [_drawn(tx, row, _due_on(row, dated[row["platform"]], calendar)) for row in rows if row["platform"] in dated]
    return [charge for charge in found if charge.due_on <= on]


def _due_on(row: Row, party: DatedParty, calendar: SettlementCalendar) -> date:
    contract = FeeContract.parse(party.on(row["last"]).contract["fee_contract"])
    first = due_day(calendar, row["last"], contract.charge_business_day)
    return max(first, calendar.next_business_day(row["rated_on"])) if row["charges"] else first


def _drawn(tx: RegisterTx, row: Row, due_on: date) -> Charge:
    components: dict[str, int] = json.loads(row["components"])
    earlier = tx.find("fee_charge", ("accrued_on", "charge_no"), platform=row["platform"], period=row["period"], kind=RATED)
    for charge in earlier:
        for name, minor in json.loads(charge["components"]).items():
            components[name] = components.get(name, 0) - minor
    net, vat = row["net_minor"] - row["charged_net_minor"], row["vat_minor"] - row["charged_vat_minor"]
    return Charge(
        row["platform"],
        row["period"],
        row["currency"],
        net,
        vat,
        {name: minor for name, minor in components.items() if minor},
        row["rated_on"],
        row["seal"],
        due_on,
        number=row["charges"],
        cites=earlier[0]["charge_no"] if earlier else "",
        set_off=_set_off(earlier, -net - vat),
    )


def _set_off(earlier: Iterable[Row], give_back_minor: int) -> Mapping[str, int]:
    """What is to be given back goes first against what the platform has not paid of the same period, and no try is under way for."""
    found = {}
    for charge in earlier:
        part = min(left_of(charge), give_back_minor)
        if part > 0 and charge["state"] in WAITING:
            found[charge["charge_no"]] = part
            give_back_minor -= part
    return found
