"""Settlement batches as match groups over days: 1:N and N:1, gross less fee, cash that is short or late (domain.md §4.9, §6)."""

from __future__ import annotations

from datetime import date
from typing import Any

from custody.settlement import AGREES, OPEN, Batch, Judged, gather, judge

DAY, NEXT, LATER = date(2019, 12, 31), date(2020, 1, 2), date(2020, 1, 3)
ROWS = {
    "platform": "P001", "settlement_batch": "S1", "channel": "CH01", "expected_on": DAY, "rows": 2, "own_minor": 997,
    "net_minor": 997, "faulty_rows": 0,
}  # fmt: skip
TOLD = {"platform": "P001", "settlement_batch": "S1", "channel": "CH01", "expected_on": DAY, "rows": 1, "instructed_minor": 997}
CASH = {"platform": "P001", "settlement_batch": "S1", "rows": 1, "core_minor": 997, "core_date": DAY}


def judged(batches: list[Batch], as_of: date = DAY, *missing: str) -> Judged:
    [one] = judge(batches, as_of, frozenset(missing), "GW01")
    return one


def of_day(rows: dict[str, Any] | None, told: dict[str, Any] | None, *core: dict[str, Any], on: date = DAY) -> Judged:
    return judged(gather([], [rows] if rows else [], [told] if told else [], core), on)


def breaks(one: Judged) -> dict[str, int]:
    return {str(v.kind): v.amount_minor for v in one.violations}


def test_a_batch_agrees_in_gross_less_fee_net_instruction_and_cash() -> None:
    assert of_day(ROWS, TOLD, CASH).state == AGREES
    parts = {**CASH, "core_minor": 400}, {**CASH, "core_minor": 597}
    assert of_day(ROWS, TOLD, *parts).state == AGREES, "one settlement, booked in two parts"


def test_a_pay_out_is_debited_gross() -> None:
    out = {**ROWS, "own_minor": -500, "net_minor": -500}
    told = {**TOLD, "instructed_minor": -500}
    assert of_day(out, told, {**CASH, "core_minor": -500}).state == AGREES
    wrong = of_day(out, told, {**CASH, "core_minor": 500})
    assert breaks(wrong) == {"INV_09": 1000}, "booked the other way round is not short"
    assert breaks(of_day(out, told)) == {"SETTLEMENT_LATE": 500, "INV_09": 500}


def test_less_cash_than_settled_is_short_and_the_rest_heals_it() -> None:
    short = of_day(ROWS, TOLD, {**CASH, "core_minor": 990})
    assert breaks(short) == {"SETTLEMENT_SHORT": 7, "INV_09": 7}
    assert {v.subject for v in short.violations} == {"SETTLEMENT|CH01|S1", "INV|INV_09|S1"}
    healed = judged(gather([short.batch], [], [], [{**CASH, "core_minor": 7, "core_date": NEXT}]), NEXT)
    assert healed.state == AGREES and healed.batch.core_flows == 2 and healed.batch.last_core_date == NEXT


def test_cash_that_does_not_come_on_its_day_is_late_until_it_comes() -> None:
    late = of_day(ROWS, TOLD)
    assert breaks(late) == {"SETTLEMENT_LATE": 997, "INV_09": 997}
    still = judged(gather([late.batch], [], [], []), NEXT)
    assert [v.figures for v in still.violations] == [v.figures for v in late.violations], "a decision stays bound to it"
    came = judged(gather([late.batch], [], [], [{**CASH, "core_date": LATER}]), LATER)
    assert came.state == AGREES and came.violations == ()


def test_a_channels_own_error_is_not_a_short_credit() -> None:
    more = {**ROWS, "own_minor": 1200, "net_minor": 1200, "faulty_rows": 1}
    assert breaks(of_day(more, TOLD, CASH)) == {"INV_09": 203}
    assert breaks(of_day({**ROWS, "net_minor": 1000}, TOLD, CASH)) == {"INV_09": 3}, "its net does not follow from its gross"


def test_rows_that_all_stand_in_the_ledger_are_what_was_settled_even_where_the_bank_was_told_less() -> None:
    told = {**TOLD, "instructed_minor": 990}
    assert breaks(of_day(ROWS, told, {**CASH, "core_minor": 990})) == {"SETTLEMENT_SHORT": 7, "INV_09": 7}


def test_nothing_is_held_against_a_file_that_has_not_come() -> None:
    waits = judged(gather([], [], [TOLD], [CASH]), DAY, "CH01|SETTLEMENT|2019-12-31")
    assert waits.state == OPEN
    no_cash = judged(gather([], [], [TOLD], []), DAY, "CH01|SETTLEMENT|2019-12-31")
    assert breaks(no_cash) == {"SETTLEMENT_LATE": 997}, "what the bank was told to book is enough to miss its cash"
    came = judged(gather([waits.batch], [ROWS], [], []), NEXT)
    assert came.state == AGREES
    untold = judged(gather([], [ROWS], [], [CASH]), DAY, "GW01|INSTRUCTION|2019-12-31")
    assert untold.state == OPEN
    assert judged(gather([untold.batch], [], [{**TOLD, "expected_on": NEXT}], []), NEXT).state == AGREES


def test_a_batch_that_nobody_instructed_or_whose_file_lacks_it_is_inv_09() -> None:
    assert breaks(of_day(ROWS, None, CASH)) == {"INV_09": 997}
    assert breaks(of_day(None, TOLD, CASH)) == {"INV_09": 997}


def test_rows_that_settle_later_are_not_due() -> None:
    early = {**ROWS, "expected_on": NEXT}
    assert of_day(early, None).state == OPEN
    assert breaks(of_day(early, {**TOLD, "expected_on": NEXT}, on=NEXT)) == {"SETTLEMENT_LATE": 997, "INV_09": 997}


def test_cash_without_a_batch_opens_none() -> None:
    assert gather([], [], [], [CASH]) == []


def test_cash_of_a_date_of_which_the_core_shows_nothing_is_neither_late_nor_short() -> None:
    """Whatever else is there; and once the core has shown the date it is."""
    waiting = gather([], [ROWS], [TOLD], [])
    silent = judged(waiting, DAY, f"P001|CORE|{DAY}")
    assert (silent.state, silent.violations) == (OPEN, ())
    assert breaks(judged(waiting, NEXT)) == {"SETTLEMENT_LATE": 997, "INV_09": 997}
    assert judged(gather(waiting, [], [], [CASH]), NEXT).state == AGREES
