from __future__ import annotations

from typing import Any

from simulator.score import score


def _expect(kind: str, subject: str) -> dict[str, str]:
    return {"sides": "BC", "kind": kind, "subject": subject}


def _found(kind: str, subject: str) -> dict[str, str]:
    return {**_expect(kind, subject), "platform": "P001"}


PLANTED: list[dict[str, Any]] = [
    {"kind": "channel_fee", "expects": [_expect("FEE", "CHANNEL|CH01|R1"), _expect("INV_09", "INV|INV_09|B1")]},
    {"kind": "channel_fee", "expects": [_expect("FEE", "CHANNEL|CH01|R2"), _expect("INV_09", "INV|INV_09|B2")]},
    {"kind": "core_missing", "expects": [_expect("MISSING_IN_CORE", "CORE|P001:OWN|R3")]},
]


def test_all_found_and_nothing_else_is_perfect() -> None:
    found = [{**expect, "platform": "P001"} for label in PLANTED for expect in label["expects"]]
    result = score(PLANTED, found + found)
    assert list(result) == ["channel_fee", "core_missing", "total"]
    assert result["total"] == {"planted": 3, "found": 3, "false": 0, "recall": "1.0000", "precision": "1.0000"}


def test_a_fault_counts_only_when_all_its_consequences_are_found() -> None:
    result = score(
        PLANTED, [_found("FEE", "CHANNEL|CH01|R1"), _found("INV_09", "INV|INV_09|B1"), _found("FEE", "CHANNEL|CH01|R2")]
    )
    assert result["channel_fee"] == {"planted": 2, "found": 1, "false": 0, "recall": "0.5000", "precision": "1.0000"}
    assert result["core_missing"]["recall"] == "0.0000"
    assert result["total"]["recall"] == "0.3333"


def test_false_findings_go_to_the_fault_on_their_subject_or_to_unexplained() -> None:
    result = score(PLANTED, [_found("AMOUNT", "CORE|P001:OWN|R3"), _found("AMOUNT", "TXN|R9|1")])
    assert result["core_missing"] == {"planted": 1, "found": 0, "false": 1, "recall": "0.0000", "precision": "0.0000"}
    assert result["unexplained"] == {"planted": 0, "found": 0, "false": 1, "recall": "1.0000", "precision": "0.0000"}
    assert (result["total"]["false"], result["total"]["found"]) == (2, 0)


def test_rates_are_cut_so_that_one_miss_never_rounds_to_all() -> None:
    planted: list[dict[str, Any]] = [
        {"kind": "txn_missing", "expects": [_expect("MISSING_IN_PLATFORM", f"TXN|R{n}|1")]} for n in range(30_000)
    ]
    found = [{**label["expects"][0], "platform": "P001"} for label in planted[1:]]
    assert score(planted, found)["total"]["recall"] == "0.9999"


def test_nothing_planted_and_nothing_found() -> None:
    assert score([], []) == {"total": {"planted": 0, "found": 0, "false": 0, "recall": "1.0000", "precision": "1.0000"}}
