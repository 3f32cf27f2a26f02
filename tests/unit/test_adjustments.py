"""Which adjusting entries the posting rules allow, and what instructions approved ones become."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from connectors.lake import table_of
from custody.adjustments import authorised, check_amount, decided_adjustments, rule_for
from custody.errors import UsageError
from custody.money import MAX_MINOR
from schemas.tables import TABLES

DAY = date(2020, 1, 2)
U1, U2, MARKETING, SUSPENSE = "P001.LENDER.u1", "P001.BORROWER.b1", "P001:P_MARKETING", "P001:SUSPENSE"


@pytest.mark.parametrize(
    ("pays", "gets", "related", "txn_type"),
    [
        (U1, U2, None, "ADJUSTMENT"),
        (MARKETING, U1, None, "ADJUSTMENT"),
        (SUSPENSE, U1, "R1", "ADJUSTMENT"),
        (U1, MARKETING, "R1", "REVERSAL"),
    ],
)
def test_what_may_be_adjusted(pays: str, gets: str, related: str | None, txn_type: str) -> None:
    assert rule_for(pays, gets, related) == txn_type


@pytest.mark.parametrize(
    ("pays", "gets", "why"),
    [
        (U1, U1, "they are the same"),
        (U1, "P002.LENDER.u1", "within one platform"),
        (SUSPENSE, U1, "name the request"),
        (U1, MARKETING, "name the request"),
        (U1, "P001:P_INCOME", "no posting rule"),
        (U1, "P001:CORE_CASH", "no posting rule"),
        ("P001:P_INCOME", U1, "no posting rule"),
        (SUSPENSE, "P001:CORE_CASH", "no posting rule"),
        (f"{U1}:frozen", U2, "is no account"),
        ("P001.LENDER.u1.x", U2, "is no account"),
        ("", U2, "is no account"),
    ],
)
def test_what_may_not(pays: str, gets: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        rule_for(pays, gets, None)


@pytest.mark.parametrize("amount", [0, -1, MAX_MINOR + 1])
def test_amounts_that_no_entry_carries(amount: int) -> None:
    with pytest.raises(UsageError):
        check_amount(amount)


def decision(number: int, **other: Any) -> dict[str, Any]:
    said = {
        "evidence_digest": "e1", "from_account": U1, "to_account": MARKETING, "amount_minor": 5, "txn_type": "REVERSAL",
        "related_request_no": "R1", "value_date": None,
    }  # fmt: skip
    row = {"decision_no": number, "proposal_id": f"p{number}", "kind": "adjustment", "subject": "c1", "outcome": "APPROVED"}
    return row | {"payload": json.dumps(said | other.pop("said", {}))} | other


def test_approved_ones_become_instructions_in_order_of_decision() -> None:
    rows = decided_adjustments(
        [decision(7, said={"value_date": "2019-12-30"}), decision(3), decision(4, outcome="REJECTED"), decision(5, kind="case")],
        DAY,
    )
    assert [row["request_no"] for row in rows] == ["ADJp3", "ADJp7"]
    landed = table_of(TABLES["decided_adjustments"], rows).to_pylist()
    first, second = landed
    assert (first["from_role"], first["from_user_no"], first["to_role"], first["to_user_no"]) == (
        "LENDER",
        "u1",
        "PLATFORM",
        "P_MARKETING",
    )
    assert (first["file_name"], first["line_no"], first["platform"], first["originator"]) == ("decision:p3", 3, "P001", "BANK")
    assert [row["event_time"].isoformat() for row in (first, second)] == [
        "2020-01-02T15:59:59+00:00",
        "2019-12-30T15:59:59+00:00",
    ]
    assert authorised(first["authorisation_id"]) == ("p3", "c1", "e1")
    assert TABLES["decided_adjustments"].columns == TABLES["land_instruction"].columns
