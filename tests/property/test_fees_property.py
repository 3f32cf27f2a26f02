"""The days of a charging period add up to the rounded exact total, however the period is cut and in whatever order things come."""

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from custody.fee_contract import FeeContract
from custody.fees import DayFacts, FeeAccrual, FeeState, accrue, state_into, whole_lines
from custody.money import Rounding, round_minor

FIRST = date(2020, 1, 1)
RATES = st.integers(0, 10**5).map(lambda n: f"{n // 10_000}.{n % 10_000:04}")
COUNTS = st.dictionaries(
    st.sampled_from(["transaction.RECHARGE", "transaction.WITHDRAW", "volume.WITHDRAW", "sms"]), st.integers(0, 500)
)
DAYS = st.lists(st.tuples(st.one_of(st.integers(0, 10**5), st.integers(0, 10**14)), COUNTS), min_size=1, max_size=31)


@st.composite
def tiers(draw: st.DrawFn) -> dict[str, Any]:
    above = sorted(draw(st.sets(st.integers(1, 2_000), max_size=3)))
    prices = [draw(st.integers(0, 50)) for _ in range(len(above) + 1)]
    steps = [{"above": at, "price_minor": price} for at, price in zip([0, *above], prices, strict=True)]
    return {"mode": draw(st.sampled_from(["graduated", "all_units"])), "tiers": steps}


DISCOUNT = st.fixed_dictionaries(
    {"valid_from": st.integers(1, 31).map(lambda d: f"2020-01-{d:02}"), "valid_to": st.none(), "rate": st.sampled_from(["0.1", "0.5", "1"])},
    optional={"of": st.just(["balance", "transaction.RECHARGE"])},
)  # fmt: skip
RULES = st.fixed_dictionaries(
    {
        "valid_from": st.just("2019-01-01"),
        "valid_to": st.none(),
        "currency": st.just("CNY"),
        "per_mille_year": RATES,
        "day_count": st.sampled_from(["actual/360", "actual/365", "actual/actual"]),
        "per_transaction_minor": st.fixed_dictionaries({"RECHARGE": tiers(), "WITHDRAW": st.just(7)}),
        "vat_rate": st.sampled_from(["0.06", "0.03", "0", "0.065"]),
        "rounding": st.sampled_from(["half_even", "half_up"]),
        "charged": st.just("monthly"),
        "charge_business_day": st.just(1),
    },
    optional={
        "per_mille_of_volume": st.just({"WITHDRAW": "0.3"}),
        "per_sms_minor": st.just("4.5"),
        "flat_minor": st.integers(0, 10_000),
        "minimum_minor": st.integers(0, 5_000),
        "maximum_minor": st.integers(5_000, 10**7),
        "annual_minimum_minor": st.integers(0, 10_000),
        "discounts": st.lists(DISCOUNT, max_size=2),
    },
)


def run(rules: dict[str, Any], days: list[tuple[int, dict[str, int]]]) -> list[FeeAccrual]:
    terms, found = FeeContract.parse(rules), list[FeeAccrual]()
    for offset, (base, counts) in enumerate(days):
        day = FIRST + timedelta(days=offset)
        before = FeeState.parse(found[-1].state.as_text()) if found else None
        found.append(accrue(terms, day, DayFacts(base, counts), state_into(terms, day, before)))
    return found


@given(RULES, DAYS)
def test_days_add_up_to_the_rounded_total(rules: dict[str, Any], days: list[tuple[int, dict[str, int]]]) -> None:
    found = run(rules, days)
    rounding: Rounding = "half_up" if rules["rounding"] == "half_up" else "half_even"
    net = vat = gross = 0
    exact = exact_vat = Fraction(0)
    for accrual in found:
        net, vat, gross = net + accrual.net_minor, vat + accrual.vat_minor, gross + accrual.gross_minor
        exact += sum(line.fee for line in accrual.lines)
        exact_vat += accrual.net_minor * Fraction(rules["vat_rate"])
        assert net == round_minor(exact, rounding) == accrual.state.net_minor >= 0
        assert vat == round_minor(exact_vat, rounding) == accrual.state.vat_minor
        assert gross == net + vat == accrual.state.accrued_minor
        assert accrual.state.exact == exact == sum(accrual.state.totals().values())
        # Net and VAT never pull in different directions, since one entry carries both.
        assert accrual.net_minor * accrual.vat_minor >= 0
    assert sum(whole_lines(found[-1].state.totals(), net).values()) == net


@given(RULES, DAYS, st.data())
def test_how_a_day_is_cut_and_ordered_changes_nothing(
    rules: dict[str, Any], days: list[tuple[int, dict[str, int]]], data: st.DataObject
) -> None:
    """Pieces that come together, or split over days of the same discounts, cost the same in the period; so do days in another order."""
    rules = {name: terms for name, terms in rules.items() if name != "discounts"} | {"day_count": "actual/365"}
    whole = run(rules, days)[-1].state
    assert run(rules, data.draw(st.permutations(days)))[-1].state.totals() == whole.totals()
    pooled = [(base, {}) for base, _ in days]
    for _, counts in days:
        for name, count in counts.items():
            pooled[-1][1][name] = pooled[-1][1].get(name, 0) + count
    assert run(rules, pooled)[-1].state.totals() == whole.totals()
    assert run(rules, [(base, dict(reversed(list(counts.items())))) for base, counts in days])[-1].state == whole


@given(RULES, DAYS, st.integers(0, 31))
def test_a_version_of_the_same_terms_changes_nothing(
    rules: dict[str, Any], days: list[tuple[int, dict[str, int]]], cut: int
) -> None:
    found: FeeState | None = None
    for offset, (base, counts) in enumerate(days):
        day = FIRST + timedelta(days=offset)
        since = FIRST + timedelta(days=cut)
        terms = FeeContract.parse(rules if day < since else {**rules, "valid_from": since.isoformat()} if day >= since else rules)
        found = accrue(terms, day, DayFacts(base, counts), state_into(terms, day, found)).state
    assert found == run(rules, days)[-1].state
