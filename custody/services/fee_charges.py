"""Charging custody fees (domain.md §7): a computed charge is proposed by one person and approved by another; then it goes to the core,
which collects it or, of a difference below nothing, gives it back. What is still left is tried again on the next bank business day.

A charge's number follows from platform and period, each try's request number from the charge and how many tries went before. What the register
says goes out with it in one transaction (file queued, try recorded), so a crash anywhere neither loses nor doubles one. What the core
did, custody.services.fee_answers takes up; what a charge can become, custody.fee_life says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from custody.calendar import SettlementCalendar
from custody.errors import UsageError
from custody.fee_life import APPROVED, COLLECTED, GIVEN_BACK, SENT, WAITING, check_move
from custody.fee_positions import CHARGED
from custody.fee_words import component_words
from custody.names import FileType, PartyKind
from custody.party_status import PartyStatus
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import permitted_transaction
from custody.services.calendars import settlement_calendar
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import dated_parties
from custody.services.outbound import queue

RATED, SURPLUS = "RATED", "SURPLUS"


@dataclass(frozen=True)
class Charge:
    """What a platform is to pay for a period, or below nothing gets back of it, in minor units; ``components`` sum to the net. ``seal``:
    digest of the fees step's output of ``accrued_on``, from which it was drawn; ``due_on``: the bank business day from which it may go out.

    ``number``: how many charges the period had before; ``cites``: the first of them; ``set_off``: charges not paid yet, and how much of what
    is to be given back goes against each."""

    platform: str
    period: str
    currency: str
    net_minor: int
    vat_minor: int
    components: Mapping[str, int]
    accrued_on: date
    seal: str
    due_on: date
    number: int = 0
    cites: str = ""
    set_off: Mapping[str, int] = field(default_factory=dict)

    @property
    def charge_no(self) -> str:
        return f"{self.platform}-{self.period}" + (f"-R{self.number}" if self.number else "")

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.vat_minor


def propose_charge(register: Register, clock: Clock, actor: str, charge: Charge, note: str) -> str:
    """Propose a computed charge; returns the proposal's id, the same one while it is open.

    Raises NotPermitted; UsageError when nothing is due, when it is charged already, or when another proposal for it is open.
    """
    if charge.gross_minor == 0 or (charge.gross_minor < 0 and not charge.cites):
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
        "cites": charge.cites,
        "set_off": dict(charge.set_off),
        "set_off_minor": sum(charge.set_off.values()),
    }
    with permitted_transaction(register, actor, CHARGE.propose_action, charge.charge_no) as tx:
        _check(tx, charge.charge_no, payload)
        for row in tx.find("proposal", kind=CHARGE.kind, subject=charge.charge_no, state="PROPOSED"):
            if json.loads(row["payload"]) != payload:
                raise UsageError(
                    f"proposal {row['proposal_id']} for {charge.charge_no} is open with other figures: reject it first"
                )
    return propose(register, clock, actor, CHARGE, charge.charge_no, payload, note)


def _check(tx: RegisterTx, charge_no: str, payload: Mapping[str, Any]) -> Row:
    """The period's row. Asked at the proposal and again at its approval: its days may have been rated anew, and an arrear paid."""
    if tx.get("fee_charge", charge_no=charge_no) is not None:
        raise UsageError(f"{charge_no} is charged already: custody fee show {charge_no}")
    period = tx.get("fee_period", platform=payload["platform"], period=payload["period"])
    if period is None or period["seal"] != payload["seal"]:
        raise UsageError(
            f"fees of {payload['platform']} for {payload['period']} were computed anew since: propose {charge_no} again"
        )
    left = (period["net_minor"] - period["charged_net_minor"], period["vat_minor"] - period["charged_vat_minor"])
    if left != (payload["net_minor"], payload["vat_minor"]):
        raise UsageError(f"{payload['period']} of {payload['platform']} was charged since: propose {charge_no} again")
    for number, minor in payload["set_off"].items():
        other = tx.get("fee_charge", charge_no=number)
        if other is None or other["state"] not in WAITING or left_of(other) < minor:
            raise UsageError(f"{number} was sent or paid since: propose {charge_no} again")
    return period


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, Any]) -> None:
    period = _check(tx, subject, payload)
    row = {name: payload[name] for name in ("platform", "period", "currency", "net_minor", "vat_minor", "seal")}
    gross = payload["net_minor"] + payload["vat_minor"]
    row |= {"gross_minor": gross, "components": json.dumps(payload["components"]), "cites": payload["cites"] or None}
    row |= {name: date.fromisoformat(payload[name]) for name in ("accrued_on", "due_on")}
    insert_charge(tx, row | {"charge_no": subject, "kind": RATED, "set_off_minor": -payload["set_off_minor"]})
    for number, minor in payload["set_off"].items():
        other = tx.get("fee_charge", charge_no=number)
        assert other is not None
        change: Row = {"set_off_minor": other["set_off_minor"] + minor}
        if left_of(other | change) == 0:
            check_move(other["state"], COLLECTED, number)
            change |= {"state": COLLECTED, "next_try_on": None}
        tx.update("fee_charge", {"charge_no": number}, change)
    charged = {n: period[n] + payload[m] for n, m in (("charged_net_minor", "net_minor"), ("charged_vat_minor", "vat_minor"))}
    is_open = sum(charged.values()) != period["net_minor"] + period["vat_minor"]
    key = {"platform": payload["platform"], "period": payload["period"]}
    tx.update("fee_period", key, charged | {"charges": period["charges"] + 1, "is_open": is_open})


def insert_charge(tx: RegisterTx, row: Row) -> None:
    """A charge that two people approved, with nothing of it collected."""
    row = row | {"collected_minor": 0, "written_off_minor": 0, "attempts": 0}
    state = APPROVED if left_of(row) else GIVEN_BACK
    check_move(None, state, row["charge_no"])
    tx.insert("fee_charge", row | {"state": state, "next_try_on": row["due_on"] if state == APPROVED else None})


def left_of(charge: Row) -> int:
    """What is left of a charge, in minor units with VAT; below nothing: to be given back."""
    return int(charge["gross_minor"] - charge["collected_minor"] - charge["set_off_minor"] - charge["written_off_minor"])


CHARGE = DecisionKind(CHARGED, "fee.propose", "fee.approve", _apply)


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
        waiting = tx.find("fee_charge", ("charge_no",), state=list(WAITING))
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
            check_move(row["state"], SENT, row["charge_no"])
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
    """What is still left, with the part of VAT that was not in what is settled (pro rata, the rest with the last)."""
    left, attempt, gross, vat = abs(left_of(charge)), charge["attempts"] + 1, abs(charge["gross_minor"]), abs(charge["vat_minor"])
    return {
        "request_no": f"{charge['charge_no']}-{attempt}", "charge_no": charge["charge_no"], "attempt": attempt,
        "platform": charge["platform"], "direction": "OUT" if charge["gross_minor"] > 0 else "IN",
        "amount_minor": left, "vat_minor": vat - vat * (gross - left) // gross, "currency": charge["currency"],
    }  # fmt: skip


def notice_rows(charge: Row) -> Iterable[Row]:
    """Each component, the VAT, and their sum; of a difference what it corrects, and what is set off against an arrear."""
    lines = [(name, component_words(name), minor) for name, minor in json.loads(charge["components"]).items()]
    lines += [
        ("vat", ("value added tax", "增值税"), charge["vat_minor"]),
        ("total", ("total", "价税合计"), charge["gross_minor"]),
    ]
    if charge["set_off_minor"]:
        lines.append(("set_off", ("set off against what is not paid yet", "抵减欠费"), -charge["set_off_minor"]))
    for name, (english, chinese), minor in lines:
        yield {
            "charge_no": charge["charge_no"], "period": charge["period"], "component": name, "name_en": english, "name_zh": chinese,
            "amount_minor": minor, "currency": charge["currency"], "collected_on": charge["due_on"], "cites": charge["cites"],
        }  # fmt: skip


@dataclass(frozen=True)
class ChargeView:
    """A charge with its tries, the legs of their answers, and what people proposed and decided about it, each in order."""

    row: Row
    tries: list[Row]
    answers: list[Row]
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
    answers = tx.find("fee_answer", ("posted_on", "request_no", "leg"), charge_no=charge_no)
    decisions = tx.find("proposal", ("proposed_at",), kind=[CHARGED, "fee_write_off", "fee_give_back"], subject=charge_no)
    return ChargeView(row, tries, answers, decisions)
