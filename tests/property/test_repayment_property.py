"""Whatever the loan and the payments: parts sum to the whole, order is kept, nothing falls below zero, early + rest = schedule."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from custody.allocation import allocate
from custody.ledger_state import Claim
from custody.names import DayCount, RepaymentMethod
from custody.repayment import USUAL_ORDER, Parts, Payment, Terms, allocate_payment, owed_on, rest_after, settlement_figure

START = date(2019, 10, 31)
TERMS = st.builds(
    Terms,
    principal_minor=st.integers(1, 10**9),
    annual_rate=st.sampled_from(["0", "0.06", "0.1234", "0.36"]),
    periods=st.integers(1, 12),
    every=st.sampled_from(["month", "quarter"]),
    method=st.sampled_from(RepaymentMethod),
    day_count=st.sampled_from(DayCount),
    disbursed_on=st.just(START),
    penalty_rate=st.sampled_from([None, "0.0005", "0.001"]),
    rounding=st.sampled_from(["half_even", "half_up"]),
)
DAYS = st.integers(0, 500).map(lambda n: START + timedelta(days=n))
AMOUNTS = st.one_of(st.integers(0, 1_000), st.integers(0, 10**9))


@settings(max_examples=60)
@given(TERMS, st.lists(st.tuples(DAYS, AMOUNTS), max_size=6), st.permutations(USUAL_ORDER))
def test_payments_are_told_apart_and_nothing_is_paid_twice(terms: Terms, sent: list[tuple[date, int]], order: list[str]) -> None:
    paid: list[Payment] = []
    for on, amount in sorted(sent):
        owed = owed_on(terms, paid, on)
        result = allocate_payment(owed, amount, on, order)  # type: ignore[arg-type]
        assert result.parts.total_minor + result.rest_minor == amount
        assert result.rest_minor == max(0, amount - sum(o.parts.total_minor for o in owed))
        left = {o.number: o.parts for o in owed}
        for payment in result.payments:
            assert all(0 <= payment.parts.of(name) <= left[payment.number].of(name) for name in USUAL_ORDER)
        whole = [o.number for o in owed if any(p.number == o.number and p.parts == o.parts for p in result.payments)]
        touched = [p.number for p in result.payments]
        # All but the last are paid whole, and they are the oldest.
        assert touched == [o.number for o in owed][: len(touched)] and set(touched[:-1]) <= set(whole)
        for payment in result.payments[-1:]:
            first_lacking = next((n for n in order if payment.parts.of(n) < left[payment.number].of(n)), None)  # type: ignore[arg-type]
            if first_lacking is not None:
                later = order[order.index(first_lacking) + 1 :]
                assert all(payment.parts.of(name) == 0 for name in later)  # type: ignore[arg-type]
        paid += result.payments
        rows = {row.number: row for row in terms.schedule()}
        for number, row in rows.items():
            own = sum((p.parts for p in paid if p.number == number), Parts())
            assert own.principal_minor <= row.principal_minor and own.interest_minor <= row.interest_minor


@settings(max_examples=60)
@given(TERMS, DAYS)
def test_paying_each_instalment_when_due_ends_the_loan_as_scheduled(terms: Terms, on: date) -> None:
    paid: list[Payment] = []
    for row in terms.schedule():
        if row.due > on:
            break
        (owed,) = owed_on(terms, paid, row.due) or [None]
        if owed is not None:
            paid += allocate_payment([owed], owed.parts.total_minor, row.due).payments
    figure = settlement_figure(terms, paid, on)
    principal = sum(p.parts.principal_minor for p in paid) + figure.principal_minor
    assert principal == terms.principal_minor and figure.penalty_minor == 0
    assert min(figure.interest_minor, figure.principal_minor) >= 0


@settings(max_examples=60)
@given(TERMS, DAYS, st.integers(1, 1_000))
def test_an_early_part_and_the_rest_are_the_schedule(terms: Terms, on: date, per_mille: int) -> None:
    rows = terms.schedule()
    ahead = [row for row in rows if row.due > on]
    assume(ahead)
    balance = sum(row.principal_minor for row in ahead)
    early_minor = max(1, balance * per_mille // 1_000)
    early, rest = rest_after(terms, on, early_minor)
    left = rest.schedule() if rest is not None else []
    before = sum(row.principal_minor for row in rows if row.due <= on)
    assert before + early.principal_minor + sum(row.principal_minor for row in left) == terms.principal_minor
    # A due date on the last day of a short month is counted from there on: never later than agreed.
    assert len(left) in (0, len(ahead))
    assert sum(row.interest_minor for row in left) <= sum(row.interest_minor for row in ahead) + len(ahead)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=1_200), AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_repayment_over_many_lenders_leaves_no_residue(weights: list[int], principal: int, interest: int, penalty: int) -> None:
    claims = [Claim("P001", f"t{n:05d}", "L1", f"P001.LENDER.u{n}", w, w, "CNY") for n, w in enumerate(weights)]
    principal = min(principal, sum(weights))
    shares = allocate(claims, principal, interest, penalty)
    assert [sum(part) for part in zip(*(share.parts for share in shares), strict=True)] == [principal, interest, penalty]
    whole = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        assert 0 <= share.principal_minor <= weight
        # Nobody is further than one fen from his exact share.
        assert abs(share.principal_minor * whole - principal * weight) < whole
