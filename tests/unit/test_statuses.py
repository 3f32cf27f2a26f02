"""A withdrawal handed on stays under way until its end is proved, however long that takes; its money stays frozen."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_kit import LENDER, instruction, post, refuse
from register_kit import MONDAY, TUESDAY, on, reopened, whole_ledger

from custody.instruction import Refusal
from custody.ledger import Ledger
from custody.names import BreakKind, TxnStatus, TxnType
from custody.statuses import NEXT, still_under_way

T, S = TxnType, TxnStatus
OUT: dict[str, Any] = {"from_account": LENDER, "related_request_no": "f", "channel": "CH01"}
BACK: dict[str, Any] = {"to_account": LENDER, "related_request_no": "f"}


def frozen() -> Ledger:
    ledger = whole_ledger()
    post(ledger, T.RECHARGE, "r", 1_000, to_account=LENDER)
    post(ledger, T.WITHDRAW_FREEZE, "f", 1_000, from_account=LENDER)
    return ledger


def tell(ledger: Ledger, status: TxnStatus, request: str = "w", **other: Any) -> Refusal | None:
    return ledger.tell(instruction(T.WITHDRAW, request, 1_000, status=status, **OUT, **other))


def test_it_ends_with_success_and_not_before() -> None:
    ledger = frozen()
    assert tell(ledger, S.REMITTING, **on(MONDAY)) is None
    assert tell(ledger, S.UNKNOWN, **on(TUESDAY)) is None
    (row,) = still_under_way(ledger.state)
    assert (row.request_no, row.status, row.since, row.related_request_no) == ("w", "UNKNOWN", MONDAY, "f")
    ledger = reopened(ledger)
    post(ledger, T.WITHDRAW, "w", 1_000, **OUT)
    assert still_under_way(ledger.state) == [] and ledger.state.holds == {}


def test_what_is_unknown_is_neither_sent_again_nor_released() -> None:
    ledger = frozen()
    tell(ledger, S.UNKNOWN)
    ledger = reopened(ledger)
    for again in (refuse(ledger, T.WITHDRAW, "w2", 1_000, **OUT), refuse(ledger, T.WITHDRAW_CANCEL, "c", 1_000, **BACK)):
        assert (again.kind, again.rule, again.waits) == (BreakKind.STATUS, "still_under_way", True)
    told = tell(ledger, S.ACCEPTED, "w2")
    assert told is not None and told.rule == "still_under_way"
    assert tell(ledger, S.FAIL) is None
    post(ledger, T.WITHDRAW_CANCEL, "c", 1_000, **BACK)
    assert still_under_way(ledger.state) == []


def test_what_failed_does_not_succeed_after_all_and_may_be_tried_anew() -> None:
    ledger = frozen()
    tell(ledger, S.FAIL)
    assert [row.status for row in still_under_way(ledger.state)] == ["FAIL"], "known as long as its money is frozen"
    ledger = reopened(ledger)
    refusal = refuse(ledger, T.WITHDRAW, "w", 1_000, **OUT)
    assert (refusal.kind, refusal.rule) == (BreakKind.STATUS, "status_order")
    post(ledger, T.WITHDRAW, "w2", 1_000, **OUT)
    assert still_under_way(ledger.state) == []


@pytest.mark.parametrize("before", list(S))
@pytest.mark.parametrize("then", [S.ACCEPTED, S.REMITTING, S.UNKNOWN, S.FAIL])
def test_the_steps_between_statuses(before: TxnStatus, then: TxnStatus) -> None:
    """Each pair, by the table: what may not follow is refused and changes nothing."""
    ledger = frozen()
    if before == S.SUCCESS:
        assert NEXT[before] == frozenset()
        return
    tell(ledger, before)
    refusal = tell(ledger, then)
    allowed = then == before or then in NEXT[before]
    assert (refusal is None) == allowed
    assert [row.status for row in still_under_way(ledger.state)] == [then if allowed else before]


def test_a_success_at_once_was_never_under_way() -> None:
    ledger = frozen()
    post(ledger, T.WITHDRAW, "w", 1_000, **OUT)
    assert still_under_way(ledger.state) == []
