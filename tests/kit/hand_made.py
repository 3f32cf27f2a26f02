"""Days made by hand: a person writes a few rows, the layouts make the files, and the ledger's own steps run on them.

Fields that a row does not name are empty, or what nearly every row says; amounts are minor units. There are one platform P001, one
channel CH01 and the gateway GW.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from instance_kit import Instance, make_instance, make_world

from custody.calendar import CHINA
from custody.identity_numbers import id_check_digit
from custody.names import Originator, TxnType
from custody.services.access import SYSTEM
from custody.steps import LEDGER_STEPS
from jobs.registry import step_named
from jobs.step import run_step
from schemas.exchange import Seal, SealedFile, sha256_hex
from schemas.field_types import Value
from schemas.layout import load_layout
from schemas.layout_file import control_totals, write_file

P = "P001"
Rows = list[dict[str, Any]]
_LAYOUTS = {
    "CUSTOMER": (P, "platform_customer/1"),
    "LOAN": (P, "platform_loan/1"),
    "INSTRUCTION": ("GW", "gateway_instruction/1"),
    "MANDATE": ("GW", "gateway_mandate/1"),
    "LEGAL_ORDER": ("GW", "gateway_legal_order/1"),
}
_ORIGINATORS = {
    **dict.fromkeys(
        (
            TxnType.RECHARGE,
            TxnType.TENDER_FREEZE,
            TxnType.WITHDRAW_FREEZE,
            TxnType.REPAY_FREEZE,
            TxnType.COMPENSATION,
            TxnType.CREDIT_ASSIGNMENT,
        ),
        Originator.CUSTOMER,
    ),
    TxnType.ENTRUSTED_PAYMENT: Originator.MANDATE,
}


class Day:
    """One custody date's rows, in the order in which they happen: a second lies between one row and the next."""

    def __init__(self, on: date) -> None:
        self.on = on
        self._at = datetime(on.year, on.month, on.day, 0, 0, tzinfo=CHINA)
        self.rows: dict[str, Rows] = {file_type: [] for file_type in _LAYOUTS}

    def opens(self, role: str, user_no: str, number: int) -> None:
        """A person's sub-account; ``number`` makes his identity number, so that the same one is the same person."""
        first17 = f"110101{date(1960, 1, 1) + timedelta(days=number % 9_000):%Y%m%d}{number % 1000:03d}"
        self.rows["CUSTOMER"].append(
            _row(
                "CUSTOMER", user_no=user_no, role=role, action="OPEN", kind="PERSON", id_type="ID",
                id_no=first17 + id_check_digit(first17), name="测试", event_time=self._now(),
            )
        )  # fmt: skip

    def loan(self, **terms: Any) -> None:
        self.rows["LOAN"].append(_row("LOAN", **terms))

    def mandate(self, **terms: Any) -> None:
        self.rows["MANDATE"].append(_row("MANDATE", platform=P, event_time=self._now(), **terms))

    def sends(self, txn_type: TxnType, request_no: str, amount_minor: int, leg: int = 1, **other: Any) -> None:
        """An instruction; ``payer`` and ``payee`` are (role, user number)."""
        for side, name in (("from", "payer"), ("to", "payee")):
            if name in other:
                other[f"{side}_role"], other[f"{side}_user_no"] = other.pop(name)
        usual = {
            "originator": _ORIGINATORS.get(txn_type, Originator.PLATFORM),
            "authorisation_id": f"A{request_no}",
            "status": "SUCCESS",
        }
        leg_of = {"platform": P, "request_no": request_no, "leg": leg, "txn_type": str(txn_type), "amount_minor": amount_minor}
        self.rows["INSTRUCTION"].append(_row("INSTRUCTION", **leg_of, event_time=self._now(), **(usual | other)))

    def _now(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at


def hand_made_instance(home: Path, folder: Path, go_live: date) -> Path:
    """An instance with the parties of a world whose files nobody sends."""
    return make_instance(
        home, make_world(folder, [], seed=1, start=go_live, platforms=1, channels=1, lenders=4, loans=1, days=1), go_live
    )


def put(instance: Instance, day: Day, parties: Sequence[str] = (P, "GW")) -> None:
    """The day's files and seals into the drop, and taken from there; ``parties``: whose."""
    for party in parties:
        files: list[SealedFile] = []
        for file_type, (sender, name) in _LAYOUTS.items():
            if sender == party:
                files.append(_put_file(instance, party, file_type, name, day))
        seal = Seal(party=party, custody_date=day.on.isoformat(), batch=1, version=1, files=files)
        instance.drop.put(party, f"{party}_SEAL_{day.on:%Y%m%d}_01_v1.json", seal.to_bytes())
    instance.collect(day.on)


def run_ledger(instance: Instance, day: Day, steps: Sequence[str] = LEDGER_STEPS, parties: Sequence[str] = (P, "GW")) -> None:
    """Deliver the day and run the steps of which the ledger is made; no core, no platform's claims, no engine."""
    put(instance, day, parties)
    for name in steps:
        run_step(instance.wiring, step_named(name), day.on, SYSTEM, among=LEDGER_STEPS)


def _put_file(instance: Instance, party: str, file_type: str, layout_name: str, day: Day) -> SealedFile:
    layout = load_layout(layout_name)
    rows: list[dict[str, Value]] = day.rows[file_type]
    data = write_file(layout, rows, "utf-8", day.on)
    name = f"{party}_{file_type}_{day.on:%Y%m%d}_01_v1.csv"
    instance.drop.put(party, name, data)
    return SealedFile(
        name=name, layout=layout_name, encoding="utf-8", bytes=len(data), rows=len(rows), sha256=sha256_hex(data),
        totals=control_totals(layout, rows), batches=1,
    )  # fmt: skip


def _row(file_type: str, **said: Any) -> dict[str, Any]:
    layout = load_layout(_LAYOUTS[file_type][1])
    columns = {f.column: None for f in layout.fields}
    usual = {"currency": "CNY"} if "currency" in columns else {}
    unknown = said.keys() - columns.keys()
    assert not unknown, f"{file_type} has no {unknown}"
    return columns | usual | said
