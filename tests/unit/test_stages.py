"""A movement under way stands in several rows under one key: each stage is judged with its own counterpart."""

from datetime import date
from typing import Any

from custody.matching import Bucket, Verdict
from jobs.reconcile.flow_verdicts import judge_rest
from schemas.rule_book import book_with

DAY, NEXT = date(2019, 12, 30), date(2019, 12, 31)
MISSING = frozenset({f"P001|TXN|{DAY}"})
RELATIONS = book_with([]).rules_on(DAY).relations
Judged = list[tuple[set[str], Verdict]]


def row(side: str, on: date, status: str, **other: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "relation": "AB_TXN", "side": side, "row_ref": f"{side} {on} {status}", "match_key": "P001|W1|1", "item_date": on,
        "expected_on": None, "amount_minor": 1000, "currency": "CNY", "from_account": "P001.LENDER.u1", "to_account": None,
        "loan_id": None, "status": status, "fee_minor": None, "principal_minor": 0, "interest_minor": 0, "penalty_minor": 0,
        "coupon_minor": 0, "in_window": False, "txn_type": "WITHDRAW", "settle_date": None, "platform": "P001",
        "counterpart_file": f"P001|TXN|{on}" if side == "B" else f"GW|INSTRUCTION|{on}",
    }  # fmt: skip
    return plain | other


def judged(*items: dict[str, Any], as_of: date = NEXT, missing: frozenset[str] = frozenset(), seen: bool = False) -> Judged:
    before = frozenset({("AB_TXN", "P001|W1|1")}) if seen else frozenset()
    found = judge_rest(RELATIONS, items, as_of, missing, before, frozenset())
    return [({item["row_ref"] for item in of_stage}, verdict) for _, of_stage, verdict in found]


ACCEPTED, DONE = row("B", DAY, "ACCEPTED"), row("B", NEXT, "SUCCESS")
A_ACCEPTED, A_DONE = row("A", DAY, "ACCEPTED"), row("A", NEXT, "SUCCESS")


def test_a_stage_whose_file_is_missing_waits_while_the_next_one_matches() -> None:
    found = judged(ACCEPTED, DONE, A_DONE, missing=MISSING)
    assert ({"A 2019-12-31 SUCCESS", "B 2019-12-31 SUCCESS"}, Verdict(Bucket.MATCHED, "exact")) in found
    assert ({"B 2019-12-30 ACCEPTED"}, Verdict(Bucket.CARRIED, "late_file")) in found


def test_both_stages_of_a_late_file_match_together() -> None:
    assert [verdict.bucket for _, verdict in judged(ACCEPTED, DONE, A_ACCEPTED, A_DONE)] == [Bucket.MATCHED, Bucket.MATCHED]


def test_a_late_stage_matches_after_the_final_one() -> None:
    assert judged(ACCEPTED, seen=True, missing=MISSING)[0][1] == Verdict(Bucket.CARRIED, "late_file")
    assert judged(ACCEPTED, A_ACCEPTED, seen=True)[0][1] == Verdict(Bucket.MATCHED, "exact")
    assert judged(ACCEPTED, seen=True)[0][1] == Verdict(Bucket.BREAK, "MISSING_IN_PLATFORM")


def test_what_the_platform_says_again_is_still_found() -> None:
    assert judged(A_ACCEPTED, seen=True)[0][1] == Verdict(Bucket.BREAK, "DUPLICATE")
    assert judged(A_DONE, {**A_DONE, "row_ref": "again"})[0][1] == Verdict(Bucket.BREAK, "DUPLICATE")


def test_another_status_of_the_same_day_is_a_break() -> None:
    assert judged(ACCEPTED, row("A", DAY, "SUCCESS"))[0][1] == Verdict(Bucket.BREAK, "STATUS")


def test_a_row_near_midnight_may_stand_in_the_next_days_file() -> None:
    late = row("B", DAY, "SUCCESS", in_window=True)
    assert judged(late, missing=frozenset({f"P001|TXN|{NEXT}"}))[0][1] == Verdict(Bucket.CARRIED, "late_file")
    assert judged(late, missing=frozenset({f"P002|TXN|{NEXT}"}))[0][1] == Verdict(Bucket.BREAK, "MISSING_IN_PLATFORM")
    assert judged(row("B", DAY, "SUCCESS"), missing=frozenset({f"P001|TXN|{NEXT}"}))[0][1].bucket == Bucket.BREAK
