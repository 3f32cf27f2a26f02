"""A balance's difference is explained by movements exactly when they add up to it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from custody.case_links import Case, explained_balances, followed, follows_from


def movement(case_id: str, a: int | None, b: int | None, **other: Any) -> Case:
    row = {
        "status": "SUCCESS",
        "txn_type": "MARKETING",
        "from_account": "P001:P_MARKETING",
        "to_account": "P001.LENDER.u1",
    } | other
    sides = [{"side": side, "amount_minor": minor, **row} for side, minor in (("A", a), ("B", b)) if minor is not None]
    return {"case_id": case_id, "platform": "P001", "subject": f"TXN|{case_id}|1"}, sides


def balance(a: int, b: int, name: str = "LENDER.u1") -> Case:
    sides = [{"side": side, "available_minor": minor, "frozen_minor": 0} for side, minor in (("A", a), ("B", b))]
    return {"case_id": "bal", "platform": "P001", "subject": f"BALANCE|{name}"}, sides


def test_movements_that_add_up_explain_it() -> None:
    assert explained_balances([balance(105, 100), movement("m1", 25, 20)]) == {"bal": ["m1"]}
    assert explained_balances([balance(130, 100), movement("m1", 25, 20), movement("m2", 25, None)]) == {"bal": ["m1", "m2"]}
    assert explained_balances([balance(95, 100, "PLATFORM.P_MARKETING"), movement("m1", 25, 20)]) == {"bal": ["m1"]}


def test_what_does_not_add_up_or_moves_nothing_explains_nothing() -> None:
    assert explained_balances([balance(106, 100), movement("m1", 25, 20)]) == {}
    assert explained_balances([balance(105, 100, "LENDER.u2"), movement("m1", 25, 20)]) == {}
    frozen = {"txn_type": "TENDER_FREEZE", "from_account": "P001.LENDER.u1", "to_account": None}
    assert explained_balances([balance(95, 100), movement("m1", 25, 20, **frozen)]) == {}
    assert explained_balances([balance(105, 100), movement("m1", 25, 20, status="FAIL")]) == {}


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), max_size=5), st.integers(-20, 20))
def test_it_is_explained_when_and_only_when_the_sum_is_exact(pairs: list[tuple[int, int]], rest: int) -> None:
    off = sum(a - b for a, b in pairs)
    cases = [movement(f"m{n}", a, b) for n, (a, b) in enumerate(pairs)]
    found = explained_balances([balance(1_000 + off + rest, 1_000), *cases])
    assert (found != {}) == (rest == 0 and off != 0)


def own_ledger(filed: int, follows: int, before: int = 1_000) -> Case:
    """Filed and following beyond what stood there ``before``; the third row is the net of the movements."""
    stands = [{"side": "A", "available_minor": minor, "frozen_minor": 0} for minor in (before, before + filed, follows)]
    return {"case_id": "own", "platform": "P001", "subject": "SHADOW|LENDER.u1"}, [*stands[:2], stands[2] | {"movements": 3}]


def test_a_platforms_own_ledger_that_is_off_by_what_it_told_wrongly_follows_from_it() -> None:
    # It left out 25 that came: its balance has what its movements lack.
    assert explained_balances([own_ledger(125, 100), movement("m1", None, 25)]) == {"own": ["m1"]}
    # It told 25 twice.
    assert explained_balances([own_ledger(125, 150), movement("m1", 50, 25)]) == {"own": ["m1"]}
    assert explained_balances([own_ledger(125, 100), movement("m1", 50, 25)]) == {}
    assert explained_balances([own_ledger(125, 101), movement("m1", None, 25)]) == {}


def core_flow(case_id: str, b: int | None, c: int | None, account: str = "P001:CUSTODY") -> Case:
    sides = [{"side": side, "amount_minor": minor} for side, minor in (("B", b), ("C", c)) if minor is not None]
    return {"case_id": case_id, "platform": "P001", "subject": f"CORE|{account}|{case_id}"}, sides


def mirror(ledger: int, core: int | str) -> Case:
    row = {"case_id": "inv", "platform": "P001", "subject": "INV|INV_01|P001:CUSTODY"}
    return row, [{"side": "-", "ledger": ledger, "core": core}]


def test_a_core_balance_that_is_off_by_flows_follows_from_them() -> None:
    lacking, unknown = core_flow("c1", 300, None), core_flow("c2", None, -20)
    assert explained_balances([mirror(1000, 680), lacking, unknown]) == {"inv": ["c1", "c2"]}
    assert explained_balances([mirror(1000, 700), lacking, unknown]) == {}
    assert explained_balances([mirror(1000, 700), core_flow("c1", 300, None, "P001:OWN")]) == {}
    assert explained_balances([mirror(1000, "absent"), lacking]) == {}


def test_of_many_cases_the_first_are_named_in_what_a_register_takes() -> None:
    cases = [f"{n:024d}" for n in range(2000)]
    cause = follows_from(cases)
    assert len(cause) <= 200 and cause.endswith(",+1994")
    assert followed(cause) == tuple(cases[:6])
    assert followed(follows_from(cases[:6])) == tuple(cases[:6]) and followed("late_file:x") == followed(None) == ()
