"""Charging custody fees (domain.md §7): a computed charge is proposed by one person and approved by another; then it goes to the core, its
answer comes back posted, and what is still short is tried again on the next bank business day.

A charge's number follows from platform and period, each try's request number from the charge and how many tries went before. What the register
says goes out with it in one transaction (file queued, try recorded), so a crash anywhere neither loses nor doubles one; an answer is taken up
once for each try.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.calendar import SettlementCalendar
from custody.errors import UsageError
from custody.money import format_amount
from custody.names import FileType, PartyKind
from custody.party_status import PartyStatus
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import SYSTEM, permitted_transaction
from custody.services.alerts import put_alert
from custody.services.calendars import settlement_calendar
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import dated_parties
from custody.services.outbound import queue
from custody.services.outputs import latest_seal

# APPROVED: not sent yet; SENT: the core has not answered the last try; ARREARS: it answered, and something is still due.
APPROVED, SENT, ARREARS, COLLECTED = "APPROVED", "SENT", "ARREARS", "COLLECTED"
STATES = (APPROVED, SENT, ARREARS, COLLECTED)
UNKNOWN_RULE, ARREARS_RULE, AMOUNT_RULE, TWICE_RULE = "FEE_ANSWER_UNKNOWN", "FEE_ARREARS", "FEE_AMOUNT", "FEE_ANSWERED_TWICE"


@dataclass(frozen=True)
class Charge:
    """What a platform is to pay for a period, in minor units; ``components`` sum to the net. ``seal``: digest of the fees step's output of
    ``accrued_on``, the period's last day, from which it was drawn; ``due_on``: the bank business day from which it may go out."""

    platform: str
    period: str
    currency: str
    net_minor: int
    vat_minor: int
    components: Mapping[str, int]
    accrued_on: date
    seal: str
    due_on: date

    @property
    def charge_no(self) -> str:
        return f"{self.platform}-{self.period}"

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.vat_minor


def propose_charge(register: Register, clock: Clock, actor: str, charge: Charge, note: str) -> str:
    """Propose a computed charge; returns the proposal's id, the same one while it is open.

    Raises NotPermitted; UsageError when nothing is due, when the period is charged already, or when another proposal for it is open.
    """
    if charge.gross_minor <= 0:
        raise UsageError(f"nothing is due of {charge.platform} for {charge.period}")
    payload = {
        "platform": charge.platform,
        "period": charge.period,
        "currency": charge.currency,
        "net_minor": charge.net_minor,
        "vat_minor": charge.vat_minor,
        "components": dict(charge.components),
        "accrued_on": charge.accrued_on.isoformat(),
        "seal": charge.seal,
        "due_on": charge.due_on.isoformat(),
    }
    with permitted_transaction(register, actor, CHARGE.propose_action, charge.charge_no) as tx:
        _check(tx, charge.charge_no, payload)
        for row in tx.find("proposal", kind=CHARGE.kind, subject=charge.charge_no, state="PROPOSED"):
            if json.loads(row["payload"]) != payload:
                raise UsageError(
                    f"proposal {row['proposal_id']} for {charge.charge_no} is open with other figures: reject it first"
                )
    return propose(register, clock, actor, CHARGE, charge.charge_no, payload, note)


def _check(tx: RegisterTx, charge_no: str, payload: Mapping[str, Any]) -> None:
    """Asked at the proposal and again at its approval: the days it was drawn from may have a new version."""
    if tx.get("fee_charge", charge_no=charge_no) is not None:
        raise UsageError(f"{charge_no} is charged already: custody fee show {charge_no}")
    on = date.fromisoformat(payload["accrued_on"])
    seal = latest_seal(tx, on, "fees")
    if seal is None or seal.manifest_digest != payload["seal"]:
        raise UsageError(f"fees of {on} were computed anew since: propose {charge_no} again")


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, Any]) -> None:
    _check(tx, subject, payload)
    row = {name: payload[name] for name in ("platform", "period", "currency", "net_minor", "vat_minor", "seal")}
    row |= {"gross_minor": payload["net_minor"] + payload["vat_minor"], "components": json.dumps(payload["components"])}
    row |= {name: date.fromisoformat(payload[name]) for name in ("accrued_on", "due_on")}
    row |= {"charge_no": subject, "state": APPROVED, "collected_minor": 0, "attempts": 0, "next_try_on": row["due_on"]}
    tx.insert("fee_charge", row)


CHARGE = DecisionKind("fee_charge", "fee.propose", "fee.approve", _apply)


def due_day(calendar: SettlementCalendar, last: date, business_day: int) -> date:
    """The ``business_day``-th bank business day after a period's last day."""
    return calendar.add_business_days(last, business_day)


@dataclass(frozen=True)
class Sending:
    """How files are written and kept: ``charge(rows, date)`` and ``notice(rows, date)`` are bytes by layout; ``keep(bytes)`` gives (SHA-256,
    reference); ``name(party, type, date, batch)`` is a file's name."""

    charge: Callable[[list[Row], date], bytes]
    notice: Callable[[list[Row], date], bytes]
    keep: Callable[[bytes], tuple[str, str]]
    name: Callable[[str, str, date, int], str]


def send_charges(register: Register, clock: Clock, actor: str, on: date, sending: Sending) -> list[Row]:
    """Queue what is to be charged on a bank business day: one CHARGE file with a row for each charge to the gateway, and a notice to each
    platform that is charged for the first time. Returns the tries; none on a day that is no bank business day, or when all is sent.

    Raises NotPermitted; UsageError without a live gateway.
    """
    with permitted_transaction(register, actor, "fee.send", on.isoformat()) as tx:
        waiting = tx.find("fee_charge", ("charge_no",), state=[APPROVED, ARREARS])
        due = [row for row in waiting if row["next_try_on"] is not None and row["next_try_on"] <= on]
        if not due or not settlement_calendar(tx).is_business_day(on):
            return []
        gateway = _gateway(tx, on)
        tries = [_try(row) for row in due]
        file_name = _queued(tx, clock, sending, gateway, FileType.CHARGE, on, sending.charge([dict(t) for t in tries], on))
        for row, one in zip(due, tries, strict=True):
            if row["state"] == APPROVED:
                told = sending.notice(list(notice_rows(row)), on)
                _queued(tx, clock, sending, row["platform"], FileType.FEE_NOTICE, on, told)
            kept = {name: one[name] for name in ("request_no", "charge_no", "attempt", "amount_minor", "vat_minor")}
            tx.insert("fee_attempt", kept | {"file_name": file_name, "sent_on": on, "collected_minor": 0})
            change = {"state": SENT, "attempts": one["attempt"], "next_try_on": None}
            tx.update("fee_charge", {"charge_no": row["charge_no"]}, change)
        tx.audit(actor, "fee.send", file_name, {"charges": [one["request_no"] for one in tries], "on": on.isoformat()})
        return tries


def _gateway(tx: RegisterTx, on: date) -> str:
    parties = (one.on(on) for one in dated_parties(tx))
    live = [p.party for p in parties if (p.kind, p.status) == (PartyKind.GATEWAY, PartyStatus.LIVE)]
    if not live:
        raise UsageError(f"no gateway is live on {on}: nothing reaches the core")
    return live[0]


def _queued(tx: RegisterTx, clock: Clock, sending: Sending, party: str, kind: FileType, on: date, data: bytes) -> str:
    sha256, reference = sending.keep(data)
    batch = 1
    while tx.get("outbound", file_name=sending.name(party, kind, on, batch)) is not None:
        batch += 1
    name = sending.name(party, kind, on, batch)
    queue(tx, clock, party, name, sha256, reference)
    return name


def _try(charge: Row) -> Row:
    """What is still due, with the part of VAT that was not in what was collected (pro rata, the rest with the last)."""
    left, attempt = charge["gross_minor"] - charge["collected_minor"], charge["attempts"] + 1
    taken = charge["vat_minor"] * charge["collected_minor"] // charge["gross_minor"]
    return {
        "request_no": f"{charge['charge_no']}-{attempt}", "charge_no": charge["charge_no"], "attempt": attempt,
        "platform": charge["platform"], "amount_minor": left, "vat_minor": charge["vat_minor"] - taken, "currency": charge["currency"],
    }  # fmt: skip


def notice_rows(charge: Row) -> Iterable[Row]:
    """Each component, the VAT, and their sum."""
    from custody.fee_words import component_words

    lines = [(name, component_words(name), minor) for name, minor in json.loads(charge["components"]).items()]
    lines += [
        ("vat", ("value added tax", "增值税"), charge["vat_minor"]),
        ("total", ("total", "价税合计"), charge["gross_minor"]),
    ]
    for name, (english, chinese), minor in lines:
        yield {
            "charge_no": charge["charge_no"], "period": charge["period"], "component": name, "name_en": english, "name_zh": chinese,
            "amount_minor": minor, "currency": charge["currency"], "collected_on": charge["due_on"],
        }  # fmt: skip


def take_answers(tx: RegisterTx, on: date, legs: Iterable[Mapping[str, Any]]) -> None:
    """What the core answered, as a date posted it: legs of CUSTODY_FEE OUT with platform, request_no, amount_minor, currency and outcome
    (POSTED, or NO_POSTING where nothing was collected). Taking the same answers again changes nothing."""
    calendar = settlement_calendar(tx)
    for leg in legs:
        one = tx.get("fee_attempt", request_no=leg["request_no"])
        subject = f"{leg['platform']}|{leg['request_no']}"
        amount = leg["amount_minor"] if leg["outcome"] == "POSTED" else 0
        shown = format_amount(amount, leg["currency"])
        if one is None:
            if amount:
                _alert(tx, UNKNOWN_RULE, subject, leg["platform"], on, "HIGH", (
                    f"the core took a custody fee of {shown} from {leg['platform']} as {leg['request_no']}, which nobody charged",
                    f"核心以 {leg['request_no']} 从 {leg['platform']} 扣收存管费 {shown}，本系统未发出该收费",
                ))  # fmt: skip
            continue
        if one["answered_on"] is not None:
            if (one["answered_on"], one["collected_minor"]) != (on, amount) and leg["outcome"] in ("POSTED", "NO_POSTING"):
                _alert(tx, TWICE_RULE, subject, leg["platform"], on, "HIGH", (
                    f"the core answered {leg['request_no']} again, with {shown}; the first answer of {one['answered_on']} stands",
                    f"核心重复应答 {leg['request_no']}（{shown}），以 {one['answered_on']} 的首次应答为准",
                ))  # fmt: skip
            continue
        tx.update("fee_attempt", {"request_no": one["request_no"]}, {"answered_on": on, "collected_minor": amount})
        charge = tx.get("fee_charge", charge_no=one["charge_no"])
        assert charge is not None
        _settle(tx, on, calendar, charge, one, amount)


def _settle(tx: RegisterTx, on: date, calendar: SettlementCalendar, charge: Row, one: Row, amount: int) -> None:
    collected = charge["collected_minor"] + amount
    left, number = charge["gross_minor"] - collected, charge["charge_no"]
    change: Row = {"collected_minor": collected, "state": COLLECTED if left <= 0 else ARREARS}
    if left > 0:
        change["next_try_on"] = calendar.next_business_day(on)
    tx.update("fee_charge", {"charge_no": number}, change)
    details = {"request_no": one["request_no"], "collected_minor": amount, "left_minor": left, "on": on.isoformat()}
    tx.audit(SYSTEM, "fee.answer", number, details)
    shown = format_amount(abs(left), charge["currency"])
    if left < 0:
        _alert(tx, AMOUNT_RULE, number, charge["platform"], on, "HIGH", (
            f"the core took {shown} more than {number} asks: give it back",
            f"核心多扣 {shown}（{number}），应予退还",
        ))  # fmt: skip
    elif left > 0 and one["attempt"] > 1:
        _alert(tx, ARREARS_RULE, number, charge["platform"], on, "HIGH", (
            f"custody fee {number} is still short of {shown} after {one['attempt']} tries",
            f"存管费 {number} 扣收 {one['attempt']} 次后仍欠 {shown}",
        ))  # fmt: skip


def _alert(tx: RegisterTx, rule: str, subject: str, platform: str, on: date, severity: str, words: tuple[str, str]) -> None:
    put_alert(tx, SYSTEM, rule, subject, on, words, severity, platform, "")


@dataclass(frozen=True)
class ChargeView:
    """A charge with its tries, and what people proposed and decided about it, each in order."""

    row: Row
    tries: list[Row]
    decisions: list[Row]


def charges(tx: RegisterTx, platform: str = "", state: str = "") -> list[Row]:
    """Charges by period and platform; of one platform, or in one state."""
    wanted = {name: value for name, value in (("platform", platform), ("state", state)) if value}
    return tx.find("fee_charge", ("accrued_on", "charge_no"), **wanted)


def charge_of(tx: RegisterTx, charge_no: str) -> ChargeView:
    """Raises UsageError when there is no such charge."""
    row = tx.get("fee_charge", charge_no=charge_no)
    if row is None:
        raise UsageError(f"no charge {charge_no!r}; see: custody fee list")
    tries = tx.find("fee_attempt", ("attempt",), charge_no=charge_no)
    return ChargeView(row, tries, tx.find("proposal", ("proposed_at",), kind=CHARGE.kind, subject=charge_no))


@dataclass(frozen=True)
class Position:
    """Invariant 11 of one platform, in minor units with VAT: accrued = charged + to be charged; charged = collected + outstanding."""

    platform: str
    accrued_minor: int
    charged_minor: int
    collected_minor: int

    @property
    def to_be_charged_minor(self) -> int:
        return self.accrued_minor - self.charged_minor

    @property
    def outstanding_minor(self) -> int:
        return self.charged_minor - self.collected_minor


def positions(tx: RegisterTx, accrued: Mapping[str, int]) -> list[Position]:
    """By platform; ``accrued``: gross since its first day under contract, as sealed."""
    charged: dict[str, int] = dict.fromkeys(accrued, 0)
    collected: dict[str, int] = dict.fromkeys(accrued, 0)
    for row in tx.find("fee_charge"):
        charged[row["platform"]] = charged.get(row["platform"], 0) + row["gross_minor"]
        collected[row["platform"]] = collected.get(row["platform"], 0) + row["collected_minor"]
    return [Position(p, accrued.get(p, 0), charged[p], collected[p]) for p in sorted(charged)]
