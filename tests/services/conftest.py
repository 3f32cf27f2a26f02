"""A register with people in it, and a clock of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from connectors.register_tables import metadata
from custody.permissions import Duty

PEOPLE = {
    "op1": ["operator"],
    "op2": ["operator"],
    "sup1": ["supervisor"],
    "sup2": ["supervisor"],
    "both": ["operator", "supervisor", "administrator", "report_officer"],
    "risk1": ["risk_officer"],
    "audit1": ["auditor"],
    "reg1": ["regulator"],
    "gone": ["operator", "supervisor"],
}


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def register(tmp_path: Path, clock: SteppingClock) -> Iterator[SqlRegister]:
    opened = SqlRegister(f"sqlite:///{tmp_path / 'register.db'}", clock)
    metadata.create_all(opened.engine)
    with opened.transaction() as tx:
        for person, duties in PEOPLE.items():
            assert all(Duty(duty) for duty in duties)
            tx.insert(
                "person", {"person_id": person, "display_name": person, "roles": json.dumps(duties), "active": person != "gone"}
            )
        for number, state in enumerate(["OPEN", "CLOSED"], start=1):
            tx.insert(
                "recon_case",
                {
                    "case_id": f"c{number}", "platform": "P001", "sides": "AB", "subject": f"TXN|R{number}|1", "kind": "AMOUNT",
                    "state": state, "severity": "LOW", "amount_minor": 100, "opened_on": date(2019, 12, 30),
                    "last_seen_on": date(2019, 12, 30), "episode": 1, "evidence_digest": f"e{number}", "evidence": "[]",
                },
            )  # fmt: skip
    yield opened
    opened.close()
