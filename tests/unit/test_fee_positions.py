"""Charges of fees as days seal them: what decisions and the core's answers make of a platform's position, and what the bank enters."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from custody.errors import StopRun
from custody.fee_life import MOVES, check_move, state_after
from custody.fee_positions import Moved, Position, moved
from custody.fee_rerating import differences
from custody.fees import FeeState

P = "P001"
C = "P001-2019-12"


def decided(kind: str, subject: str, **said: Any) -> dict[str, Any]:
    payload = {"platform": P, "currency": "CNY", **said}
    return {"kind": kind, "subject": subject, "outcome": "APPROVED", "payload": json.dumps(payload)}


def leg(request_no: str, minor: int, direction: str = "OUT", number: int = 1) -> dict[str, Any]:
    return {
        "platform": P,
        "request_no": request_no,
        "leg": number,
        "direction": direction,
        "amount_minor": minor,
        "currency": "CNY",
    }


def after(before: Moved, decisions: list[dict[str, Any]], legs: list[dict[str, Any]]) -> Moved:
    return moved(before.positions.values(), before.write_offs.values(), decisions, legs)


def charge(gross: int, set_off: int = 0, subject: str = C) -> dict[str, Any]:
    return decided("fee_charge", subject, net_minor=gross - 6, vat_minor=6, set_off_minor=set_off)


def test_an_arrear_is_outstanding_until_it_is_paid_or_written_off_and_a_later_payment_is_recovered() -> None:
    day = after(Moved(), [charge(106), decided("other", "x")], [leg(f"{C}-1", 50)])
    assert day.positions[P] == Position(P, charged_minor=106, collected_minor=50)
    assert (day.positions[P].outstanding_minor, day.positions[P].surplus_minor) == (56, 0)
    day = after(day, [decided("fee_write_off", C, amount_minor=56)], [])
    assert day.positions[P].outstanding_minor == 0 and day.write_offs[C].left_minor == 56
    assert [(e.direction, e.amount_minor, e.charge_no) for e in day.entries] == [("WRITE_OFF", 56, C)]
    # 20 are paid under the number of an old try, then 40: 36 of these recover the rest, 4 are too much.
    day = after(day, [], [leg(f"{C}-1", 20, number=2)])
    assert [(e.direction, e.amount_minor, e.request_no) for e in day.entries] == [("RECOVER", 20, f"RECOVERY-{C}-1-2")]
    assert (day.positions[P].written_off_minor, day.positions[P].outstanding_minor) == (36, 0)
    day = after(day, [], [leg(f"{C}-1", 40, number=3)])
    assert [e.amount_minor for e in day.entries] == [36]
    assert day.positions[P] == Position(P, charged_minor=106, collected_minor=110)
    assert day.positions[P].surplus_minor == 4
    # ... which two people give back.
    day = after(day, [decided("fee_give_back", C, amount_minor=4)], [])
    assert day.positions[P].surplus_minor == 0
    day = after(day, [], [leg("P001-G1-1", 4, "IN")])
    assert day.positions[P] == Position(P, charged_minor=106, collected_minor=106)


def test_a_difference_below_nothing_is_set_off_or_on_its_way_back() -> None:
    day = after(Moved(), [charge(106)], [leg(f"{C}-1", 100)])
    # The period comes to 20 less; 6 of these are not paid yet.
    day = after(day, [charge(-20, 6, f"{C}-R1")], [])
    assert (day.positions[P].charged_minor, day.positions[P].to_give_back_minor) == (86, 14)
    assert (day.positions[P].outstanding_minor, day.positions[P].surplus_minor) == (-14, 0)
    day = after(day, [], [leg(f"{C}-R1-1", 14, "IN")])
    assert day.positions[P] == Position(P, charged_minor=86, collected_minor=86)


def test_what_nobody_charged_is_a_surplus() -> None:
    rejected = charge(106) | {"outcome": "REJECTED"}
    assert after(Moved(), [rejected], [leg("X7", 5)]).positions[P].surplus_minor == 5


def test_the_lives_of_charges() -> None:
    for state, follow in MOVES.items():
        for later in follow:
            check_move(state, later, C)
        assert follow <= MOVES.keys(), "each has a life of its own"
        if state is not None:
            check_move(state, state, C)
    for before, later in (
        (None, "SENT"),
        ("COLLECTED", "SENT"),
        ("WRITTEN_OFF", "ARREARS"),
        ("SENT", "WRITTEN_OFF"),
        ("APPROVED", "ARREARS"),
    ):
        with pytest.raises(StopRun, match="cannot become"):
            check_move(before, later, C)


@pytest.mark.parametrize(
    ("gross", "left", "written_off", "is_asked", "state"),
    [(10, 0, 0, True, "COLLECTED"), (10, 3, 0, False, "ARREARS"), (10, 3, 0, True, "SENT"), (10, -1, 0, True, "OVERPAID"), (10, 0, 4, False, "WRITTEN_OFF"),
     (-10, 0, 0, False, "GIVEN_BACK"), (-10, -3, 0, False, "ARREARS"), (-10, -3, 0, True, "SENT"), (-10, 1, 0, False, "OVERPAID")],
)  # fmt: skip
def test_what_an_answer_makes_of_a_charge(gross: int, left: int, written_off: int, is_asked: bool, state: str) -> None:
    assert state_after(gross, left, written_off, is_asked) == state


def test_differences_of_net_and_vat_that_go_different_ways_are_entered_apart() -> None:
    def state(net: int, vat: int) -> FeeState:
        return FeeState(date(2019, 12, 1), date(2019, 12, 31), date(2019, 12, 31), "CNY", net_minor=net, vat_minor=vat)

    def entered(net: int, vat: int) -> list[tuple[str, int, int, int]]:
        found = differences(P, date(2020, 1, 5), "2019-12", state(100, 6), state(100 + net, 6 + vat))
        return [(e.direction, e.leg, e.amount_minor, e.fee_minor) for e in found]

    assert entered(0, 0) == []
    assert entered(50, 3) == [("ACCRUE", 1, 53, 3)]
    assert entered(-50, -3) == [("RELEASE", 1, 53, 3)]
    assert entered(0, -3) == [("RELEASE", 1, 3, 3)]
    assert entered(50, -3) == [("ACCRUE", 1, 50, 0), ("RELEASE", 2, 3, 3)]
