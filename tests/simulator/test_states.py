"""The world's own guards: no entity takes a step that its machine does not know, and no money moves that nobody holds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from custody.calendar import CHINA, SettlementCalendar
from custody.names import LoanState, TxnType
from simulator.accounts import Accounts
from simulator.booking import book
from simulator.loans import Claim
from simulator.movement import P_MARKETING, Movement
from simulator.states import CLAIM, LOAN, MACHINES, WITHDRAWAL, ClaimState, Machine, WithdrawalState, WorldError

LENDER, OTHER = ("LENDER", "U1"), ("LENDER", "U2")


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.of)
def test_only_the_steps_of_the_table_are_taken(machine: Machine[Any]) -> None:
    states = list(type(next(iter(machine.steps))))
    taken = 0
    for now in states:
        for then in states:
            if then in machine.steps.get(now, ()):
                assert machine.step("X", now, then) is then
                taken += 1
            else:
                with pytest.raises(WorldError, match=f"{machine.of} X is {now} and cannot become {then}"):
                    machine.step("X", now, then)
    assert taken > 0


@pytest.mark.parametrize(
    ("machine", "final"),
    [
        (LOAN, {LoanState.SETTLED, LoanState.MISCARRIED}),
        (CLAIM, {ClaimState.REPAID, ClaimState.SOLD, ClaimState.COMPENSATED}),
        (WITHDRAWAL, {WithdrawalState.CANCELLED, WithdrawalState.RETURNED}),
    ],
)
def test_what_has_ended_stays_ended(machine: Machine[Any], final: set[Any]) -> None:
    reached = {then for following in machine.steps.values() for then in following}
    assert {state for state in reached if state not in machine.steps} == final


def test_nobody_gives_up_more_of_a_claim_than_he_holds() -> None:
    claim = Claim("C1", LENDER, 100)
    claim.take(40, ClaimState.SOLD)
    assert (claim.principal_minor, claim.state) == (60, ClaimState.HELD)
    claim.take(60, ClaimState.SOLD)
    assert claim.state is ClaimState.SOLD
    with pytest.raises(WorldError):
        claim.take(1, ClaimState.REPAID)


def _accounts() -> Accounts:
    accounts = Accounts("P001", SettlementCalendar())
    accounts.start_day(date(2019, 12, 31))
    accounts.open(LENDER)
    accounts.open(OTHER)
    return accounts


def _book(accounts: Accounts, txn_type: TxnType, amount_minor: int, request_no: str = "R1", **parts: Any) -> None:
    when = datetime(2019, 12, 31, 12, tzinfo=CHINA)
    book(
        accounts,
        Movement(platform="P001", request_no=request_no, txn_type=txn_type, amount_minor=amount_minor, event_time=when, **parts),
    )


def test_money_that_nobody_holds_does_not_move() -> None:
    accounts = _accounts()
    _book(accounts, TxnType.RECHARGE, 100, payee=LENDER)
    with pytest.raises(WorldError, match="100 available, 101 needed"):
        _book(accounts, TxnType.ADJUSTMENT, 101, payer=LENDER, payee=OTHER)
    _book(accounts, TxnType.LEGAL_FREEZE, 60, "F1", payer=LENDER)
    with pytest.raises(WorldError, match="hold F1 has 60, 61 needed"):
        _book(accounts, TxnType.LEGAL_DEDUCT, 61, payer=LENDER, related_request_no="F1")
    with pytest.raises(WorldError, match="core account OWN would be overdrawn"):
        _book(accounts, TxnType.PLATFORM_RECHARGE, 1, payee=P_MARKETING)
    with pytest.raises(WorldError, match="closes with money in it"):
        accounts.close(LENDER)


def test_a_movement_without_what_it_needs_is_refused() -> None:
    with pytest.raises(WorldError, match="has not a payer"):
        _book(_accounts(), TxnType.WITHDRAW_FREEZE, 1)


def test_cash_of_a_channel_is_clear_from_the_day_after_it_settled() -> None:
    """31 December 2019 settles on 2 January 2020; a transfer is clear at once, until channel money joins it."""
    accounts = _accounts()
    _book(accounts, TxnType.RECHARGE, 50, payee=LENDER)
    assert accounts.clear(LENDER, date(2019, 12, 31)) == 50
    _book(accounts, TxnType.RECHARGE, 100, "R2", payee=LENDER, channel="CH01")
    assert [accounts.clear(LENDER, date(2020, 1, day)) for day in (1, 2, 3)] == [0, 0, 150]
    assert [item.gross_minor for item in accounts.due[date(2020, 1, 2)]] == [100]


def test_a_coupon_is_the_platforms_hold_and_becomes_the_lenders_only_with_the_loan() -> None:
    accounts = _accounts()
    _book(accounts, TxnType.OWN_FUNDS_MOVEMENT, 100, "O1", direction="IN")
    _book(accounts, TxnType.PLATFORM_RECHARGE, 100, "O2", payee=P_MARKETING)
    _book(accounts, TxnType.RECHARGE, 900, "R1", payee=LENDER)
    _book(accounts, TxnType.TENDER_FREEZE, 1_000, "T1", payer=LENDER, coupon_minor=100)
    held = {holder: (account.available_minor, account.frozen_minor) for holder, account in accounts.holders.items()}
    assert (held[LENDER], held[P_MARKETING]) == ((0, 900), (0, 100))
    _book(accounts, TxnType.TENDER_SETTLE, 1_000, "T2", payer=LENDER, payee=OTHER, coupon_minor=100, related_request_no="T1")
    assert {holder: minor for holder, minor in accounts.held() if minor} == {OTHER: 1_000}
    assert accounts.holds == {}
