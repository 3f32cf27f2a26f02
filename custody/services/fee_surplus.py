"""What two people decide of a charge that did not end as it asks: what is left is written off, or what the core took beyond it is given
back. Both are of exactly the amount that they saw.

The bank's book follows from the decision that the next cut-off seals (custody.fee_positions): a write-off is entered by the bank itself, a
surplus is given back by the core under a charge of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from custody.errors import UsageError
from custody.fee_life import ARREARS, COLLECTED, OVERPAID, WRITTEN_OFF, check_move
from custody.fee_positions import GIVE_BACK, GIVEN_UP
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import SYSTEM, permitted_transaction
from custody.services.calendars import settlement_calendar
from custody.services.fee_charges import SURPLUS, insert_charge, left_of
from custody.services.four_eyes import DecisionKind, propose


def propose_write_off(register: Register, clock: Clock, actor: str, charge_no: str, note: str) -> str:
    """Propose that what is left of a charge is not asked for any more; returns the proposal's id. Raises NotPermitted; UsageError when
    nothing is left, or a try is under way."""
    with permitted_transaction(register, actor, WRITE_OFF.propose_action, charge_no) as tx:
        charge = _charge(tx, charge_no)
        payload = {"platform": charge["platform"], "amount_minor": left_of(charge), "currency": charge["currency"]}
        _check_write_off(tx, charge_no, payload)
    return propose(register, clock, actor, WRITE_OFF, charge_no, payload, note)


def _check_write_off(tx: RegisterTx, charge_no: str, payload: Mapping[str, Any]) -> Row:
    charge = _charge(tx, charge_no)
    if charge["state"] != ARREARS or charge["gross_minor"] < 0:
        raise UsageError(
            f"{charge_no} is {charge['state']}: what is in arrears is written off, when the core has answered the last try"
        )
    if left_of(charge) != payload["amount_minor"]:
        raise UsageError(f"what is left of {charge_no} has changed: propose it again")
    return charge


def _write_off(tx: RegisterTx, subject: str, payload: Mapping[str, Any]) -> None:
    charge = _check_write_off(tx, subject, payload)
    check_move(charge["state"], WRITTEN_OFF, subject)
    written_off = charge["written_off_minor"] + payload["amount_minor"]
    tx.update("fee_charge", {"charge_no": subject}, {"state": WRITTEN_OFF, "written_off_minor": written_off, "next_try_on": None})


def propose_give_back(register: Register, clock: Clock, actor: str, number: str, on: date, note: str) -> str:
    """Propose that what the core took beyond a charge, or under the request ``number`` that nobody asked for, is given back from the
    next bank business day after ``on``; returns the proposal's id. Raises NotPermitted; UsageError when nothing is to be given back."""
    with permitted_transaction(register, actor, SURPLUS_BACK.propose_action, number) as tx:
        amount, of = _surplus(tx, number)
        due_on = settlement_calendar(tx).next_business_day(on)
        payload = {
            "platform": of["platform"],
            "amount_minor": amount,
            "currency": of.get("currency", "CNY"),
            "period": of.get("period", f"{due_on:%Y-%m}"),
            "due_on": due_on.isoformat(),
        }
    return propose(register, clock, actor, SURPLUS_BACK, number, payload, note)


def _surplus(tx: RegisterTx, number: str) -> tuple[int, Row]:
    """(how much too much, the charge or the answer that nobody asked for)."""
    charge = tx.get("fee_charge", charge_no=number)
    if charge is not None:
        if charge["state"] != OVERPAID or charge["gross_minor"] < 0:
            raise UsageError(f"{number} is {charge['state']}: nothing was taken beyond it")
        return -left_of(charge), charge
    unasked = [row for row in tx.find("fee_answer", request_no=number, charge_no=None) if row["amount_minor"] > 0]
    if not unasked:
        raise UsageError(f"{number!r} is neither a charge nor the number of what nobody asked for; see: custody fee list")
    if len({row["platform"] for row in unasked}) > 1:
        raise UsageError(f"{number!r} is the number of answers of several platforms: they are put right with the core")
    return sum(row["amount_minor"] for row in unasked), unasked[0]


def _give_back(tx: RegisterTx, subject: str, payload: Mapping[str, Any]) -> None:
    amount, of = _surplus(tx, subject)
    if amount != payload["amount_minor"]:
        raise UsageError(f"what was taken beyond {subject} has changed: propose it again")
    is_charge = "charge_no" in of and "gross_minor" in of
    earlier = len(tx.find("fee_charge", kind=SURPLUS, platform=payload["platform"]))
    number = f"{payload['platform']}-G{earlier + 1}"
    if is_charge:
        check_move(of["state"], COLLECTED if not of["written_off_minor"] else WRITTEN_OFF, subject)
        state = WRITTEN_OFF if of["written_off_minor"] else COLLECTED
        change = {"state": state, "set_off_minor": of["set_off_minor"] - amount, "next_try_on": None}
        tx.update("fee_charge", {"charge_no": subject}, change)
    else:
        tx.update("fee_answer", {"request_no": subject, "charge_no": None}, {"charge_no": number})
    due_on = date.fromisoformat(payload["due_on"])
    row = {
        "charge_no": number, "platform": payload["platform"], "period": payload["period"], "kind": SURPLUS, "cites": subject,
        "currency": payload["currency"], "net_minor": -amount, "vat_minor": 0, "gross_minor": -amount, "components": "{}",
        "accrued_on": due_on, "seal": "", "due_on": due_on, "set_off_minor": 0,
    }  # fmt: skip
    insert_charge(tx, row)
    tx.audit(SYSTEM, "fee.charge", number, {"gives_back": subject, "amount_minor": amount})


def _charge(tx: RegisterTx, charge_no: str) -> Row:
    charge = tx.get("fee_charge", charge_no=charge_no)
    if charge is None:
        raise UsageError(f"no charge {charge_no!r}; see: custody fee list")
    return charge


WRITE_OFF = DecisionKind(GIVEN_UP, "fee.propose", "fee.approve", _write_off)
SURPLUS_BACK = DecisionKind(GIVE_BACK, "fee.propose", "fee.approve", _give_back)
