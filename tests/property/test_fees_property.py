"""The days of a charging month add up to the rounded exact total, however the month is cut."""

from datetime import date, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from custody.fees import FeeAccrual, FeeCarry, FeeContract, accrue, carry_into
from custody.money import Rounding, round_minor

FIRST = date(2020, 1, 1)
DAYS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 10**5), st.integers(0, 10**14)),
        st.dictionaries(st.sampled_from(["RECHARGE", "WITHDRAW", "COMMISSION"]), st.integers(0, 5000)),
    ),
    min_size=1,
    max_size=31,
)
RULES = st.fixed_dictionaries(
    {
        "currency": st.just("CNY"),
        "per_mille_year": st.integers(0, 10**6).map(lambda n: f"{n // 10_000}.{n % 10_000:04}"),
        "day_count": st.sampled_from(["actual/360", "actual/365", "actual/actual"]),
        "per_transaction_minor": st.just({"RECHARGE": 20, "WITHDRAW": 7}),
        "vat_rate": st.sampled_from(["0.06", "0.03", "0", "0.065"]),
        "rounding": st.sampled_from(["half_even", "half_up"]),
    }
)


def run(rules: dict[str, object], days: list[tuple[int, dict[str, int]]], cut: int) -> list[FeeAccrual]:
    """Accrue the days; from day ``cut`` on under a second contract of the same terms."""
    cut_date = FIRST + timedelta(days=cut)
    before = FeeContract.parse({**rules, "valid_from": "2020-01-01", "valid_to": cut_date.isoformat()})
    after = FeeContract.parse({**rules, "valid_from": cut_date.isoformat(), "valid_to": None})
    found: list[FeeAccrual] = []
    for offset, (base, counts) in enumerate(days):
        day = FIRST + timedelta(days=offset)
        contract = before if day < cut_date else after
        found.append(
            accrue(contract, day, base, counts, carry_into(day, FeeCarry.parse(found[-1].carry.as_text()) if found else None))
        )
    return found


@settings(max_examples=150, deadline=None)
@given(RULES, DAYS, st.integers(0, 31))
def test_days_add_up_to_the_rounded_total(rules: dict[str, object], days: list[tuple[int, dict[str, int]]], cut: int) -> None:
    found = run(rules, days, cut)
    year = {"actual/360": 360, "actual/365": 365, "actual/actual": 366}[str(rules["day_count"])]
    rounding: Rounding = "half_up" if rules["rounding"] == "half_up" else "half_even"
    exact_fee = exact_vat = Fraction(0)
    fee = vat = 0
    for accrual, (base, counts) in zip(found, days, strict=True):
        exact_fee += base * Fraction(str(rules["per_mille_year"])) / 1000 / year
        assert accrual.transaction_fee_minor == counts.get("RECHARGE", 0) * 20 + counts.get("WITHDRAW", 0) * 7
        assert accrual.net_minor == accrual.balance_fee_minor + accrual.transaction_fee_minor
        assert accrual.gross_minor == accrual.net_minor + accrual.vat_minor
        exact_vat += accrual.net_minor * Fraction(str(rules["vat_rate"]))
        fee, vat = fee + accrual.balance_fee_minor, vat + accrual.vat_minor
        assert accrual.balance_fee_minor >= 0
        assert accrual.vat_minor >= 0
        assert fee == round_minor(exact_fee, rounding)
        assert vat == round_minor(exact_vat, rounding)
        assert fee + Fraction(accrual.carry.balance_fee_rest) == exact_fee
        assert vat + Fraction(accrual.carry.vat_rest) == exact_vat


@settings(max_examples=50, deadline=None)
@given(RULES, DAYS, st.integers(0, 31), st.integers(0, 31))
def test_where_a_contract_is_cut_changes_nothing(
    rules: dict[str, object], days: list[tuple[int, dict[str, int]]], one: int, other: int
) -> None:
    assert run(rules, days, one) == run(rules, days, other)
    reversed_counts = [(base, dict(reversed(list(counts.items())))) for base, counts in days]
    assert run(rules, days, one) == run(rules, reversed_counts, one)
