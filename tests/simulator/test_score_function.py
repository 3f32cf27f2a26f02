from __future__ import annotations

from typing import Any

from simulator.score import Score, score


def _expect(kind: str, subject: str, platform: str = "P001") -> dict[str, str]:
    return {"platform": platform, "sides": "BC", "kind": kind, "subject": subject}


def _label(
    kind: str, *expects: dict[str, str], allows: tuple[dict[str, str], ...] = (), known_by: str = "2020-01-02"
) -> dict[str, Any]:
    return {"fault_id": "F1", "kind": kind, "known_by": known_by, "expects": list(expects), "allows": list(allows), "follows": []}


def _found(kind: str, subject: str, on: str | None = "2020-01-02", platform: str = "P001") -> dict[str, Any]:
    return {**_expect(kind, subject, platform), "found_on": on, "case_id": "c1", "rows": ["P001_TXN.csv:3"]}


def _line(result: Score, kind: str) -> list[int]:
    return [result.kinds[kind][name] for name in ("planted", "not_due", "found", "late", "missed", "false")]


FEE = _label("channel_fee", _expect("FEE", "CHANNEL|CH01|R1"), _expect("INV_09", "INV|INV_09|B1"))
SECOND_FEE = _label("channel_fee", _expect("FEE", "CHANNEL|CH01|R2"), _expect("INV_09", "INV|INV_09|B2"))
CORE = _label("core_missing", _expect("MISSING_IN_CORE", "CORE|P001:OWN|R3"))
PLANTED = [FEE, SECOND_FEE, CORE]


def test_all_found_and_nothing_else_is_perfect() -> None:
    found = [{**expect, "found_on": "2020-01-02"} for label in PLANTED for expect in label["expects"]]
    result = score(PLANTED, found + found)
    assert list(result.kinds) == ["channel_fee", "core_missing", "total"]
    assert result.kinds["total"] == {
        "planted": 3, "not_due": 0, "found": 3, "late": 0, "missed": 0, "false": 0, "recall": "1.0000", "precision": "1.0000",
    }  # fmt: skip
    assert result.is_perfect


def test_a_fault_counts_only_when_all_its_consequences_are_found() -> None:
    found = [_found("FEE", "CHANNEL|CH01|R1"), _found("INV_09", "INV|INV_09|B1"), _found("FEE", "CHANNEL|CH01|R2")]
    result = score(PLANTED, found)
    assert _line(result, "channel_fee") == [2, 0, 1, 0, 1, 0]
    assert result.kinds["channel_fee"]["recall"] == "0.5000"
    assert [(row["kind"], row["lacking"]) for row in result.missed] == [
        ("channel_fee", [_expect("INV_09", "INV|INV_09|B2")]),
        ("core_missing", CORE["expects"]),
    ]
    assert result.kinds["total"]["recall"] == "0.3333" and not result.is_perfect


def test_false_findings_go_to_the_fault_on_their_subject_or_to_unexplained_with_their_rows() -> None:
    result = score(PLANTED, [_found("AMOUNT", "CORE|P001:OWN|R3"), _found("AMOUNT", "TXN|R9|1")])
    assert _line(result, "core_missing") == [1, 0, 0, 0, 1, 1]
    assert _line(result, "unexplained") == [0, 0, 0, 0, 0, 1]
    assert result.kinds["core_missing"]["precision"] == "0.0000"
    assert [(row["fault_kind"], row["case_id"], row["rows"]) for row in result.false] == [
        ("core_missing", "c1", ["P001_TXN.csv:3"]),
        ("unexplained", "c1", ["P001_TXN.csv:3"]),
    ]


def test_the_same_subject_of_another_platform_is_another_thing() -> None:
    result = score([CORE], [_found("MISSING_IN_CORE", "CORE|P001:OWN|R3", platform="P002")])
    assert _line(result, "core_missing") == [1, 0, 0, 0, 1, 0]
    assert _line(result, "unexplained")[-1] == 1


def test_what_may_follow_counts_neither_as_found_nor_as_false() -> None:
    allowed = _expect("AMOUNT", "CORE|P001:CUSTODY|B1")
    short = _label("settlement_short", _expect("SETTLEMENT_SHORT", "SETTLEMENT|CH01|B1"), allows=(allowed,))
    result = score([short], [_found("AMOUNT", "CORE|P001:CUSTODY|B1")])
    assert _line(result, "settlement_short") == [1, 0, 0, 0, 1, 0]
    assert result.false == []


def test_what_can_be_known_only_later_is_not_due_and_neither_hit_nor_miss() -> None:
    stale = _label("stale_freeze", _expect("STALE_FREEZE", "HOLD|R1"), known_by="2020-01-07")
    result = score([stale, CORE], [_found("MISSING_IN_CORE", "CORE|P001:OWN|R3")], as_of="2020-01-06")
    assert _line(result, "stale_freeze") == [1, 1, 0, 0, 0, 0]
    assert result.kinds["stale_freeze"]["recall"] == "1.0000"
    assert [row["kind"] for row in result.not_due] == ["stale_freeze"] and result.is_perfect
    due = score([stale], [], as_of="2020-01-07")
    assert _line(due, "stale_freeze") == [1, 0, 0, 0, 1, 0]
    # Found before it had to be: it is no false alarm.
    assert score([stale], [_found("STALE_FREEZE", "HOLD|R1", "2020-01-03")], as_of="2020-01-06").false == []


def test_what_was_found_after_the_date_does_not_count() -> None:
    found = [_found("MISSING_IN_CORE", "CORE|P001:OWN|R3", "2020-01-03"), _found("AMOUNT", "TXN|R9|1", "2020-01-03")]
    result = score([CORE], found, as_of="2020-01-02")
    assert _line(result, "core_missing") == [1, 0, 0, 0, 1, 0] and result.false == []


def test_late_is_found_and_counted_apart_by_the_earliest_date_on_which_all_was_there() -> None:
    first = [_found("FEE", "CHANNEL|CH01|R1", "2020-01-02"), _found("INV_09", "INV|INV_09|B1", "2020-01-04")]
    again = [_found("INV_09", "INV|INV_09|B1", "2020-01-03")]
    result = score([FEE], first + again)
    assert _line(result, "channel_fee") == [1, 0, 1, 1, 0, 0]
    assert result.late[0]["found_on"] == "2020-01-03" and not result.is_perfect
    undated = [_found("FEE", "CHANNEL|CH01|R1", None), _found("INV_09", "INV|INV_09|B1", None)]
    assert score([FEE], undated, as_of="2020-01-02").is_perfect


def test_rates_are_cut_so_that_one_miss_never_rounds_to_all() -> None:
    planted = [_label("txn_missing", _expect("MISSING_IN_PLATFORM", f"TXN|R{n}|1")) for n in range(30_000)]
    found = [label["expects"][0] for label in planted[1:]]
    assert score(planted, found).kinds["total"]["recall"] == "0.9999"


def test_nothing_planted_and_nothing_found() -> None:
    result = score([], [])
    assert list(result.kinds) == ["total"] and result.is_perfect
    assert _line(result, "total") == [0] * 6
    assert (result.kinds["total"]["recall"], result.kinds["total"]["precision"]) == ("1.0000", "1.0000")
