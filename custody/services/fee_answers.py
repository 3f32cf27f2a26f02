"""What the core answered to charges of custody fees: legs of CUSTODY_FEE as a custody date posted them, each taken up once.

The core may answer a try in several legs, late, or not at all; it may take another amount, the same once more, or what nobody asked for.
Money that moved is counted in every case, as the ledger counts it; what does not fit is an alert.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from custody.calendar import SettlementCalendar
from custody.digest import digest_of_json
from custody.fee_life import ARREARS, OVERPAID, WRITTEN_OFF, check_move, state_after
from custody.fee_positions import recovery_number
from custody.file_life import EXPECTED, MISSING
from custody.money import format_amount
from custody.names import FileType
from custody.ports import RegisterTx, Row
from custody.services.access import SYSTEM
from custody.services.alerts import end_alert, put_alert
from custody.services.calendars import settlement_calendar
from custody.services.fee_charges import left_of

UNKNOWN_RULE, ARREARS_RULE, AMOUNT_RULE, TWICE_RULE = "FEE_ANSWER_UNKNOWN", "FEE_ARREARS", "FEE_AMOUNT", "FEE_ANSWERED_TWICE"
UNANSWERED_RULE, RECOVERED_RULE = "FEE_UNANSWERED", "FEE_PAID_AFTER_WRITE_OFF"
Leg = Mapping[str, Any]


def take_answers(tx: RegisterTx, on: date, legs: Iterable[Leg], recovered: Mapping[tuple[str, str], int]) -> None:
    """``legs``: platform, request_no, leg, direction, amount_minor, currency and outcome (POSTED, or NO_POSTING where nothing was
    collected); ``recovered``: by platform and number (custody.fee_positions), what of them paid a charge that was written off. Taking the
    same answers again changes nothing."""
    calendar = settlement_calendar(tx)
    new: dict[str, list[Row]] = defaultdict(list)
    for leg in legs:
        row = _answer(leg, on)
        before = tx.get("fee_answer", **_key(row))
        if before is not None and (before["amount_minor"] or not row["amount_minor"]):
            continue
        attempt = tx.get("fee_attempt", request_no=leg["request_no"])
        row["charge_no"] = attempt["charge_no"] if attempt else None
        if before is None:
            tx.insert("fee_answer", row)
        else:
            # What had failed was collected after all.
            tx.update("fee_answer", _key(row), row)
        if attempt is None:
            _nobody_asked(tx, on, leg, row["amount_minor"])
        else:
            recovery = recovered.get((leg["platform"], recovery_number(leg["request_no"], leg["leg"])), 0)
            new[attempt["charge_no"]].append(row | {"recovered_minor": recovery})
    for charge_no in sorted(new):
        _settle(tx, on, calendar, charge_no, new[charge_no])
    _unanswered(tx, on)


def _answer(leg: Leg, on: date) -> Row:
    amount = leg["amount_minor"] if leg["outcome"] == "POSTED" else 0
    signed = -amount if leg["direction"] == "IN" else amount
    key = {name: leg[name] for name in ("platform", "request_no", "leg")}
    return {**key, "posted_on": on, "amount_minor": signed, "charge_no": None}


def _key(row: Row) -> Row:
    return {name: row[name] for name in ("platform", "request_no", "leg")}


def _nobody_asked(tx: RegisterTx, on: date, leg: Leg, amount: int) -> None:
    if not amount:
        return
    shown, platform, number = format_amount(abs(amount), leg["currency"]), leg["platform"], leg["request_no"]
    _alert(tx, UNKNOWN_RULE, f"{platform}|{number}", platform, on, (
        f"the core {'took' if amount > 0 else 'gave back'} a custody fee of {shown} {'from' if amount > 0 else 'to'} {platform} as {number}, "
        "which nobody charged",
        f"核心以 {number} {'从' if amount > 0 else '向'} {platform} {'扣收' if amount > 0 else '退还'}存管费 {shown}，本系统未发出该收费",
    ))  # fmt: skip


def _settle(tx: RegisterTx, on: date, calendar: SettlementCalendar, charge_no: str, legs: list[Row]) -> None:
    charge = tx.get("fee_charge", charge_no=charge_no)
    assert charge is not None
    for number in sorted({leg["request_no"] for leg in legs}):
        _answered(tx, on, charge, number, [leg for leg in legs if leg["request_no"] == number])
    recovered = sum(leg["recovered_minor"] for leg in legs)
    change: Row = {
        "collected_minor": charge["collected_minor"] + sum(leg["amount_minor"] for leg in legs),
        "written_off_minor": charge["written_off_minor"] - recovered,
    }
    tries = tx.find("fee_attempt", ("attempt",), charge_no=charge_no)
    is_asked = any(one["answered_on"] is None for one in tries)
    left = left_of(charge | change)
    state = state_after(charge["gross_minor"], left, change["written_off_minor"], is_asked)
    check_move(charge["state"], state, charge_no)
    change |= {"state": state, "next_try_on": calendar.next_business_day(on) if state == ARREARS else None}
    tx.update("fee_charge", {"charge_no": charge_no}, change)
    details = {
        "answers": [[leg["request_no"], leg["leg"], leg["amount_minor"]] for leg in legs],
        "left_minor": left,
        "state": state,
    }
    tx.audit(SYSTEM, "fee.answer", charge_no, details | {"on": on.isoformat()})
    shown = format_amount(abs(left), charge["currency"])
    if state == ARREARS and len(tries) > 1:
        _alert(tx, ARREARS_RULE, charge_no, charge["platform"], on, (
            f"custody fee {charge_no} is still short of {shown} after {len(tries)} tries",
            f"存管费 {charge_no} 扣收 {len(tries)} 次后仍欠 {shown}",
        ))  # fmt: skip
    elif state == OVERPAID:
        too_much = charge["gross_minor"] > 0
        _alert(tx, AMOUNT_RULE, charge_no, charge["platform"], on, (
            f"the core {'took' if too_much else 'gave back'} {shown} more than {charge_no} asks" + (": give it back" if too_much else ""),
            f"核心多{'扣' if too_much else '退'} {shown}（{charge_no}）" + ("，应予退还" if too_much else ""),
        ))  # fmt: skip
    if recovered:
        of = format_amount(recovered, charge["currency"])
        _alert(tx, RECOVERED_RULE, charge_no, charge["platform"], on, (
            f"{of} of {charge_no} was paid after it was written off; {format_amount(change['written_off_minor'], charge['currency'])} stay so",
            f"{charge_no} 核销后收回 {of}，尚余核销 {format_amount(change['written_off_minor'], charge['currency'])}",
        ), severity="LOW")  # fmt: skip


def _answered(tx: RegisterTx, on: date, charge: Row, request_no: str, legs: list[Row]) -> None:
    """One try. Money beyond what it asked for is the same once more where all of it was there already, or a leg of that amount."""
    attempt = tx.get("fee_attempt", request_no=request_no)
    assert attempt is not None
    collected, asked, again = attempt["collected_minor"], attempt["amount_minor"], False
    now = {leg["leg"] for leg in legs}
    before = {row["amount_minor"] for row in tx.find("fee_answer", request_no=request_no) if row["leg"] not in now}
    for leg in legs:
        minor = leg["amount_minor"]
        again = again or (minor != 0 and (collected >= asked or (minor in before and collected + abs(minor) > asked)))
        collected += abs(minor)
        before.add(minor)
    change = {"answered_on": attempt["answered_on"] or on, "collected_minor": collected}
    tx.update("fee_attempt", {"request_no": request_no}, change)
    awaited = digest_of_json([UNANSWERED_RULE, f"{charge['platform']}|{request_no}", ""])
    end_alert(tx, SYSTEM, tx.moment(), awaited, (f"answered on {on}", f"{on} 已应答"))
    if again and charge["state"] != WRITTEN_OFF:
        more = format_amount(collected - asked, charge["currency"])
        _alert(tx, TWICE_RULE, f"{charge['platform']}|{request_no}", charge["platform"], on, (
            f"the core answered {request_no} once more, which takes {more} beyond what it asks",
            f"核心重复应答 {request_no}，超出应扣 {more}",
        ))  # fmt: skip


def _unanswered(tx: RegisterTx, on: date) -> None:
    """The core answers on the day on which it is asked. That it did not is known once the day's instructions are here."""
    if any(
        row["state"] in (EXPECTED, MISSING) for row in tx.find("expected_file", custody_date=on, file_type=FileType.INSTRUCTION)
    ):
        return
    for one in tx.find("fee_attempt", ("request_no",), answered_on=None):
        if one["sent_on"] > on:
            continue
        charge = tx.get("fee_charge", charge_no=one["charge_no"])
        assert charge is not None
        _alert(tx, UNANSWERED_RULE, f"{charge['platform']}|{one['request_no']}", charge["platform"], on, (
            f"the core has not answered {one['request_no']} of {one['sent_on']}",
            f"核心未应答 {one['sent_on']} 发出的 {one['request_no']}",
        ), severity="MEDIUM")  # fmt: skip


def _alert(
    tx: RegisterTx, rule: str, subject: str, platform: str, on: date, words: tuple[str, str], severity: str = "HIGH"
) -> None:
    put_alert(tx, SYSTEM, rule, subject, on, words, severity, platform, "")
