"""Days of instructions for posting without files: rows straight into the landed tables of an instance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.bootstrap import Wiring
from connectors.lake import Manifest, StepWriter, arrow_schema
from connectors.lease import held
from custody.ports import Row
from custody.services.outputs import Seal
from custody.steps import StepRef
from jobs.post.snapshots import LANDED
from jobs.post.step import STEP
from jobs.post.step import TABLES as POST_TABLES
from jobs.step import StepContext
from schemas.tables import TABLES

FIRST = date(2019, 12, 30)
MIDNIGHT = datetime.fromisoformat("2019-12-30T00:00:00+08:00")
PLATFORMS = ("AA", "BB", "CC")
_FILLER: dict[str, Any] = {"text": "x", "int": 0, "bool": False}


def leg(number: int, platform: str, txn_type: str, request_no: str, amount: int, second: int, **other: Any) -> Row:
    """A landed instruction in line ``number`` of the day's file. ``payer`` and ``payee``: role and user number."""
    row = dict.fromkeys(arrow_schema(TABLES["land_instruction"]).names)
    for side, given in (("from", other.pop("payer", None)), ("to", other.pop("payee", None))):
        if given is not None:
            row |= {f"{side}_role": given[0], f"{side}_user_no": given[1]}
    row |= {
        "party": "GW", "file_name": "GW_INSTRUCTION", "line_no": number + 2, "custody_date": FIRST, "platform": platform,
        "request_no": request_no, "leg": 1, "txn_type": txn_type, "originator": "CUSTOMER", "authorisation_id": f"A{request_no}",
        "amount_minor": amount, "currency": "CNY", "status": "SUCCESS", "event_time": MIDNIGHT + timedelta(seconds=second),
    }  # fmt: skip
    return row | other


def loan(platform: str, loan_id: str, borrower: str, amount: int) -> Row:
    return {
        "party": platform, "file_name": f"{platform}_LOAN", "loan_id": loan_id, "borrower_user_no": borrower,
        "amount_minor": amount, "currency": "CNY", "annual_rate": "0.08", "method": "bullet", "periods": 1, "every": "month",
        "day_count": "30/360", "purpose": "trade", "state": "BIDDING",
    }  # fmt: skip


def customer(platform: str, role: str, user_no: str) -> Row:
    return {
        "party": platform, "file_name": f"{platform}_CUSTOMER", "role": role, "user_no": user_no, "customer_id": user_no,
        "action": "OPEN", "kind": "PERSON", "event_time": MIDNIGHT,
    }  # fmt: skip


@dataclass
class Days:
    """What is committed of an instance, step by step, without a register."""

    wiring: Wiring
    seals: dict[StepRef, Seal]

    def land(self, on: date, tables: Mapping[str, Iterable[Row]]) -> None:
        def write(writer: StepWriter) -> None:
            for table in (
                *LANDED,
                "land_instruction",
                "decided_adjustments",
                "customer_aliases",
                "watched",
                "file_outcomes",
                "rejected_rows",
                "superseded_files",
            ):
                writer.declare(table)
            for table, rows in tables.items():
                writer.table(table, _filled(table, list(rows), on))

        self._commit(on, "cut_off", _cut_off)
        self._commit(on, "land", write)

    def post(self, on: date, keep: bool = True) -> Manifest:
        """The step's work, as the last output of the date where it is kept."""
        fence = len(list(self.wiring.settings.path("lake").rglob("fence=*"))) + 1
        with held(self.wiring.register, "test", 60) as lease:
            context = StepContext(self.wiring, on, self._before(on), lease)
            context.writer = self.wiring.lake.attempt(on, "post", "ab" * 32, fence)
            STEP.run(context)
            manifest = context.writer.finish()
        path = self.wiring.lake.relative(on, "post", "ab" * 32, fence)
        self.last = Seal(on, "post", 1, manifest.digest, path)
        if keep:
            self.seals[StepRef(on, "post")] = self.last
        return manifest

    def posted(self, on: date, tables: Mapping[str, list[Row]]) -> None:
        """A day that left these snapshots."""

        def write(writer: StepWriter) -> None:
            for table in POST_TABLES:
                writer.declare(table)
            for table, rows in tables.items():
                writer.table(table, _filled(table, rows, on))

        self._commit(on, "post", write)

    def accrued(self, on: date, gross_minor: Mapping[str, int]) -> None:
        """The custody fees that a day accrued."""
        rows = [
            {"platform": p, "gross_minor": minor, "vat_minor": minor // 10, "currency": "CNY"} for p, minor in gross_minor.items()
        ]

        def write(writer: StepWriter) -> None:
            writer.table("fee_accruals", _filled("fee_accruals", rows, on))
            writer.declare("fee_entries")

        self._commit(on, "fees", write)

    def rows(self, table: str) -> list[Row]:
        """Of the last day that was posted."""
        return self.wiring.lake.rows(self.last.path, table)

    def _before(self, on: date) -> dict[StepRef, Seal]:
        return {ref: seal for ref, seal in self.seals.items() if ref.custody_date < on or ref.step != "post"}

    def _commit(self, on: date, step: str, write: Any) -> None:
        writer = self.wiring.lake.attempt(on, step, "cd" * 32, 1)
        write(writer)
        manifest = writer.finish()
        path = self.wiring.lake.relative(on, step, "cd" * 32, 1)
        self.seals[StepRef(on, step)] = Seal(on, step, 1, manifest.digest, path)


def fresh_days(wiring: Wiring) -> Days:
    return Days(wiring, {})


def _filled(table: str, rows: list[Row], on: date) -> pa.Table:
    """What a row does not say is null, or stands for nothing; lines are numbered where it does not say which it is."""
    filled = []
    for number, row in enumerate(rows):
        made = {c.name: None if c.nullable else _FILLER.get(c.type, on) for c in TABLES[table].columns}
        filled.append({**made, "line_no": number + 2, "custody_date": on, **row})
    return pa.Table.from_pylist(filled, arrow_schema(TABLES[table]))


def _cut_off(writer: StepWriter) -> None:
    writer.declare("decisions")
    writer.table("reference", _reference())


def _reference() -> list[Row]:
    parties = dict.fromkeys(PLATFORMS, "PLATFORM") | {"CH01": "CHANNEL"}
    rows = [
        {"kind": "party", "id": p, "payload": json.dumps({"kind": kind, "status": "LIVE", "contract": {}})}
        for p, kind in parties.items()
    ]
    instance = {"bank": "Test", "risk_horizon_business_days": 3, "reports": []}
    return [*rows, {"kind": "instance", "id": "instance", "payload": json.dumps(instance)}]


def home_of(folder: Path) -> Path:
    from land_kit import new_home

    return new_home(folder)
