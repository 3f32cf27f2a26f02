"""The simulator's borrowers pay as our own computation says, over worlds of every habit: two codes from one specification."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

import pytest
from instance_kit import GO_LIVE, seeds

from custody.names import DayCount, LoanState, RepaymentMethod, TxnType
from custody.payment_parts import Paid, left_after, tell_payments, waits_since
from custody.repayment import Parts, Terms
from simulator.movement import Movement, Row
from simulator.simulate import SimulationConfig, true_days

_TOLD = (TxnType.REPAYMENT, TxnType.COMPENSATION)


def _terms(loan: Row) -> Terms:
    assert isinstance(loan["disbursed_on"], date) and isinstance(loan["raised_minor"], int) and isinstance(loan["periods"], int)
    rate = loan["penalty_rate"]
    return Terms(
        loan["raised_minor"],
        str(loan["annual_rate"]),
        loan["periods"],
        loan["every"],  # type: ignore[arg-type]
        RepaymentMethod(loan["method"]),
        DayCount(loan["day_count"]),
        loan["disbursed_on"],
        None if rate is None else str(rate),
    )


def _paid(moves: list[Movement], on: date) -> Paid:
    sums = (sum(getattr(m, name) or 0 for m in moves) for name in ("interest_minor", "penalty_minor", "principal_minor"))
    interest, penalty, principal = sums
    parts = Parts(interest_minor=interest, penalty_minor=penalty, principal_minor=principal)
    return Paid(on, parts, moves[0].txn_type is TxnType.COMPENSATION)


@pytest.mark.parametrize("seed", seeds(6), ids=lambda seed: f"seed{seed}")
def test_what_borrowers_and_guarantors_pay_is_what_we_compute(seed: int) -> None:
    config = SimulationConfig(platforms=2, channels=1, lenders=14, loans=40, days=24, start=GO_LIVE, seed=seed)
    legs: dict[tuple[str, str | None], dict[str, list[Movement]]] = {}
    days: dict[str, date] = {}
    loans: dict[tuple[str, str | None], Row] = {}
    for truth in true_days(config):
        for platform, own in truth.platforms.items():
            loans |= {(platform, str(row["loan_id"])): row for row in own.loans}
            for move in sorted(own.instructions, key=lambda m: m.event_time):
                if move.txn_type in _TOLD:
                    legs.setdefault((platform, move.loan_id), {}).setdefault(move.request_no, []).append(move)
                    days[move.request_no] = truth.day
    seen: Counter[str] = Counter()
    for key, requests in legs.items():
        paid = [_paid(moves, days[request]) for request, moves in requests.items()]
        told = tell_payments(_terms(loans[key]), paid)
        assert [t.ours for t in told] == [p.parts for p in paid], f"seed {seed} {key} {loans[key]}"
        for one, t in zip(paid, told, strict=True):
            seen["guarantor"] += one.by_guarantor
            seen["late"] += one.parts.penalty_minor > 0
            seen["partial"] += one.parts.total_minor < t.due.total_minor
            seen["early"] += one.parts.total_minor > t.due.total_minor
    assert all(seen[what] for what in ("guarantor", "late", "partial", "early")), f"seed {seed} {seen}"


_RUNNING = (LoanState.DISBURSED, LoanState.REPAYING, LoanState.OVERDUE)


@pytest.mark.parametrize("seed", seeds(2), ids=lambda seed: f"seed{seed}")
def test_a_loan_is_overdue_when_its_lenders_wait(seed: int) -> None:
    """Or when its borrower owes a guarantor what he paid them: there the state may be either."""
    config = SimulationConfig(platforms=2, channels=1, lenders=14, loans=40, days=24, start=GO_LIVE, seed=seed)
    paid: dict[tuple[str, str | None], list[Paid]] = defaultdict(list)
    seen: Counter[tuple[str, bool]] = Counter()
    for truth in true_days(config):
        for platform, own in truth.platforms.items():
            today: dict[tuple[str | None, str], list[Movement]] = defaultdict(list)
            for move in sorted(own.instructions, key=lambda m: m.event_time):
                if move.txn_type in _TOLD:
                    today[move.loan_id, move.request_no].append(move)
            for (loan_id, _), moves in today.items():
                paid[platform, loan_id].append(_paid(moves, truth.day))
            for row in own.loans:
                if row["state"] in _RUNNING:
                    so_far = paid[platform, str(row["loan_id"])]
                    left = left_after(_terms(row), so_far, truth.day)
                    if left is not None and not any(one.by_guarantor for one in so_far):
                        waits = waits_since(left, truth.day) is not None
                        assert waits == (row["state"] == LoanState.OVERDUE), f"seed {seed} {truth.day} {row} {left}"
                        seen[str(row["state"]), bool(so_far)] += 1
    assert seen["OVERDUE", False] and seen["OVERDUE", True] and seen["DISBURSED", False] and seen["REPAYING", True], seen
