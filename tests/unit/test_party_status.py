"""What each status lets happen: every move that is allowed, and every instruction that is not."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from custody.instruction import Instruction
from custody.names import Originator, PartyKind, TxnStatus, TxnType
from custody.party_status import Judged, PartyStatus, is_awaited, judge, moves

_S = PartyStatus


def _leg(txn_type: TxnType, to_account: str | None = None) -> Instruction:
    given = {"platform": "P1", "txn_type": txn_type, "to_account": to_account, "originator": Originator.CUSTOMER}
    given |= {"status": TxnStatus.SUCCESS, "event_time": datetime(2020, 1, 1, tzinfo=UTC), "value_date": date(2020, 1, 1)}
    return Instruction(**{name: given.get(name) for name in Instruction._fields})  # type: ignore[arg-type]


def test_every_status_but_the_last_has_a_way_on_and_none_leads_back_to_the_beginning() -> None:
    for kind in PartyKind:
        for status in _S:
            assert bool(moves(kind, status)) == (status is not _S.CLOSED)
            assert not {_S.ONBOARDING, status} & moves(kind, status)
    assert moves("PLATFORM", _S.WINDING_DOWN) == {_S.CLOSED}
    assert _S.WINDING_DOWN not in moves("GATEWAY", _S.LIVE) | moves("GATEWAY", _S.SUSPENDED)


@pytest.mark.parametrize("status", [_S.SUSPENDED, _S.WINDING_DOWN])
def test_new_business_is_refused_and_whoever_is_owed_something_is_paid(status: PartyStatus) -> None:
    new = {TxnType.TENDER_FREEZE, TxnType.TENDER_SETTLE, TxnType.CREDIT_ASSIGNMENT}
    for txn_type in TxnType:
        assert judge(status, _leg(txn_type)) == (Judged.REFUSED if txn_type in new else Judged.POSTED)
    assert judge(status, _leg(TxnType.RECHARGE, "P1.LENDER.U1")) == Judged.FOUND
    assert judge(status, _leg(TxnType.RECHARGE, "P1.BORROWER.U1")) == Judged.POSTED
    assert judge(status, _leg(TxnType.RECHARGE, "P1:SUSPENSE")) == Judged.POSTED


def test_who_is_live_does_everything_and_who_is_closed_nothing() -> None:
    for txn_type in TxnType:
        assert judge(_S.LIVE, _leg(txn_type, "P1.LENDER.U1")) == Judged.POSTED
        assert judge(_S.CLOSED, _leg(txn_type)) == Judged.REFUSED


def test_whose_files_are_due() -> None:
    assert [s for s in _S if is_awaited("PLATFORM", s)] == [_S.LIVE, _S.SUSPENDED, _S.WINDING_DOWN]
    assert [s for s in _S if is_awaited("GATEWAY", s)] == [_S.LIVE, _S.WINDING_DOWN]
