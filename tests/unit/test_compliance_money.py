"""Rules about money that comes and goes: what each speaks at, and just before that."""

from __future__ import annotations

import pytest
from compliance_kit import DAY, RULES, account_day, before, figures, told

from custody.calendar import SettlementCalendar
from custody.compliance import Source
from custody.compliance_money import fast_in_and_out, large_values, structured, woken
from custody.compliance_rules import Disclosure

W = 10_000 * 100  # 万元, in fen
CALENDAR = SettlementCalendar()


def test_a_large_value_is_a_calendar_day_over_all_platforms_in_and_out_apart() -> None:
    days = [
        account_day(in_minor=30 * W, in_count=1, out_minor=49 * W, out_count=2),
        account_day(in_minor=20 * W, in_count=3, platform="P002", account="P002.BORROWER.B1"),
        account_day(1, in_minor=49 * W, in_count=1),
        account_day(in_minor=199 * W, customer_id="C2", kind="COMPANY", in_count=1),
    ]
    (found,) = large_values(days, figures("large_value"), CALENDAR)
    assert told([found]) == [("large_value", "", "C1|IN", 50 * W)]
    assert (found.figures["transactions"], found.figures["platforms"], found.occurrence) == (4, 2, DAY.isoformat())
    assert found.figures["due_on"] == CALENDAR.add_business_days(DAY, 5).isoformat() == "2020-03-17"
    assert [(b.source, b.ref) for b in found.behind] == [
        (Source.MONEY_IN, "P001.LENDER.U1"),
        (Source.MONEY_IN, "P002.BORROWER.B1"),
    ]
    company = account_day(out_minor=200 * W, customer_id="C2", kind="COMPANY", out_count=1)
    assert told(large_values([company], figures("large_value"), CALENDAR)) == [("large_value", "", "C2|OUT", 200 * W)]


@pytest.mark.parametrize(
    ("amounts", "found"),
    [
        ([49, 45, 40], 1),
        ([49, 45, 39], 0),  # below four fifths
        ([50, 49, 45], 0),  # one is reported by itself
        ([49, 0, 49], 0),
    ],
)
def test_structuring_was_three_days_of_ten_just_below_the_threshold(amounts: list[int], found: int) -> None:
    first = figures("structuring", 1)
    days = [account_day(n * 4, in_minor=amount * W) for n, amount in enumerate(amounts)]
    assert len(list(structured(days, first, DAY))) == found
    # Not on a day on which nothing is added, and not beyond ten days.
    assert told(structured([{**d, "posted_on": before(1)} for d in days], first, DAY)) == []
    assert told(structured([*days[:2], account_day(10, in_minor=45 * W)], first, DAY)) == []


@pytest.mark.parametrize(
    ("amounts", "found"),
    [
        ([49, 39], [880_000_00]),
        ([45, 42], []),  # 1.74 of the threshold
        ([30, 30, 28], [880_000_00]),
        ([20, 20, 20, 28], [880_000_00]),
        ([49, 19, 19], []),  # the small ones are everybody's
        ([50, 49, 30], []),  # one is reported by itself
        ([88], []),
    ],
)
def test_the_nearer_to_the_threshold_the_fewer_days_are_structuring(amounts: list[int], found: list[int]) -> None:
    days = [account_day(n * 3, out_minor=amount * W, out_count=1) for n, amount in enumerate(amounts)]
    findings = list(structured(days, figures("structuring"), DAY))
    assert [f.amount_minor for f in findings] == found
    assert all(len(f.behind) == f.figures["times"] and f.subject == "C1|OUT" and "less than" in f.words[0] for f in findings)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, [45_000_00]),
        ({"in_minor": 4_999_999}, []),
        ({"out_minor": 4_499_999}, []),
        ({"spent_minor": 500_001}, []),  # a tenth was lent or repaid
        ({"spent_minor": 500_000}, [4_500_000]),
        ({"credit_minor": 5_000_001}, []),  # it may be a repayment that left
        ({"posted_on": before(1), "on": before(1)}, []),
    ],
)
def test_money_that_passes_through_within_three_days(said: dict[str, int], found: list[int]) -> None:
    through = account_day(**({"in_minor": 5_000_000, "out_minor": 4_500_000, "credit_minor": 5_000_000} | said))
    assert [f.amount_minor for f in fast_in_and_out([through], figures("fast_in_out", 1), DAY)] == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, [4_000_000]),
        ({"in_minor": 4_999_999}, []),
        ({"out_minor": 3_999_999}, []),
        ({"spent_minor": 1_000_001}, []),  # more than a fifth was lent or repaid
        ({"spent_minor": 1_000_000}, [4_000_000]),
        ({"credit_minor": 5_000_001}, []),
    ],
)
def test_who_leaves_a_fifth_behind_passes_money_through_all_the_same(said: dict[str, int], found: list[int]) -> None:
    through = account_day(**({"in_minor": 5_000_000, "out_minor": 4_000_000, "credit_minor": 5_000_000} | said))
    assert [f.amount_minor for f in fast_in_and_out([through], figures("fast_in_out"), DAY)] == found
    assert list(fast_in_and_out([through], figures("fast_in_out", 1), DAY)) == []


def test_money_passes_through_over_several_days_and_accounts() -> None:
    came = account_day(2, in_minor=5_000_000, in_count=1)
    left = account_day(out_minor=5_000_000, out_count=1, account="P002.LENDER.U9", platform="P002")
    assert told(fast_in_and_out([came, left], figures("fast_in_out"), DAY)) == [("fast_in_out", "", "C1", 5_000_000)]
    assert told(fast_in_and_out([{**came, "on": before(3)}, left], figures("fast_in_out"), DAY)) == []


@pytest.mark.parametrize(
    ("quiet", "minor", "found"), [(90, 5_000_000, 1), (89, 5_000_000, 0), (90, 4_999_999, 0), (None, 5_000_000, 0)]
)
def test_who_slept_for_a_quarter_and_moves_much_is_found(quiet: int | None, minor: int, found: int) -> None:
    last = {} if quiet is None else {"C1": before(quiet)}
    assert len(list(woken([account_day(out_minor=minor)], last, figures("dormant_active"), DAY))) == found


def test_all_of_it_is_confidential() -> None:
    for rule in ("large_value", "structuring", "fast_in_out", "dormant_active", "watch_list"):
        assert RULES[rule].says.disclosure is Disclosure.AML  # type: ignore[union-attr]
