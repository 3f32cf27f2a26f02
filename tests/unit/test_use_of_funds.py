"""Each red line of a loan's money: what it speaks at, and just before that."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from custody.funds_paths import Way
from custody.use_of_funds import RULE_IDS, Finding, LoanFunds, PaidOn, days_of_interest, in_question, judge
from schemas.rule_book import book_with

DAY = date(2020, 1, 1)
RULES = book_with([]).rules_on(DAY).red_lines()
RELATED = frozenset({"C-related"})
SOUND = LoanFunds(
    platform="P001", loan_id="L1", purpose="采购原材料", disbursed_on=DAY, payee="P001.PAYEE.y1", borrower="C-b", guarantor="C-g",
    sums={Way.LENT: 100_000, Way.PAID_ON: 95_000, Way.TO_PLATFORM: 500}, left_minor=95_500, entrusted_minor=95_000,
    ways=frozenset({Way.LENT, Way.PAID_ON, Way.TO_PLATFORM}), paid_on=(PaidOn("P001.PAYEE.y1", "C-y", 95_000),),
)  # fmt: skip
NO_PAYEE = replace(SOUND, payee=None, paid_on=(), entrusted_minor=0)


def found(funds: LoanFunds, days_later: int = 0, related: frozenset[str] = RELATED) -> list[tuple[str, int]]:
    return [(f.rule_id, f.amount_minor) for f in judge(funds, RULES, DAY + timedelta(days=days_later), related)]


def ended(way: Way, amount: int, today: bool = True) -> LoanFunds:
    ways = frozenset({way}) if today else frozenset({Way.REPAID_OWN})
    return replace(NO_PAYEE, sums={Way.LENT: 100_000, way: amount}, ways=ways)


def test_every_red_line_of_the_book_has_its_reasoning() -> None:
    assert set(RULES) == set(RULE_IDS)
    assert days_of_interest(RULES) == {0, 1, 30}


@pytest.mark.parametrize("days_later", [0, 1, 30])
def test_a_sound_loan_says_nothing(days_later: int) -> None:
    assert found(SOUND, days_later) == []


@pytest.mark.parametrize(
    ("rule_id", "way", "least"),
    [
        ("funds_back_to_platform", Way.TO_PLATFORM, 10_000),
        ("funds_repay_other_loan", Way.REPAID_OTHER, 5_000),
        ("funds_relent", Way.RELENT, 5_000),
        ("funds_relent", Way.CLAIM_BOUGHT, 5_000),
    ],
)
def test_a_wrong_end_is_found_from_its_share_on_and_once(rule_id: str, way: Way, least: int) -> None:
    assert found(ended(way, least)) == [(rule_id, least)]
    assert found(ended(way, least - 1)) == []
    assert found(ended(way, least, today=False)) == []


@pytest.mark.parametrize(
    ("person", "rule_id"),
    [("C-related", "funds_to_related_party"), ("C-g", "funds_to_guarantor"), ("C-b", "payee_is_borrower"), (None, None)],
)
def test_whoever_is_paid_matters(person: str | None, rule_id: str | None) -> None:
    paid = replace(SOUND, paid_on=(PaidOn("P001.PAYEE.y1", person, 95_000),))
    assert found(paid) == ([(rule_id, 95_000)] if rule_id else [])


def test_nobody_is_a_guarantor_whom_the_loan_does_not_name() -> None:
    assert found(replace(SOUND, guarantor=None, borrower=None, paid_on=(PaidOn("P001.PAYEE.y1", None, 95_000),))) == []


def test_a_related_party_may_not_borrow() -> None:
    own = replace(SOUND, borrower="C-related")
    assert found(own) == [("borrower_is_related", 100_000)]
    assert found(replace(own, ways=frozenset({Way.PAID_ON}))) == []


def test_the_payee_is_paid_by_the_day_after() -> None:
    short = replace(SOUND, entrusted_minor=94_999)
    assert found(short, 0) == [] and found(short, 2) == []
    assert found(short, 1) == [("payee_not_paid", 5_001)]
    assert found(replace(NO_PAYEE, left_minor=1), 1) == []


def test_money_that_never_leaves_is_idle() -> None:
    idle = replace(NO_PAYEE, sums={Way.LENT: 100_000}, left_minor=0, ways=frozenset())
    assert found(idle, 30) == [("funds_idle", 100_000)]
    assert found(idle, 29) == [] and found(replace(idle, left_minor=1), 30) == []


@pytest.mark.parametrize(("purpose", "is_found"), [("股票配资", True), ("buying Stocks", True), ("支付货款", False)])
def test_some_uses_no_loan_may_have(purpose: str, is_found: bool) -> None:
    assert found(replace(SOUND, purpose=purpose)) == ([("purpose_forbidden", 100_000)] if is_found else [])


def test_what_is_paid_in_parts_is_in_question_together_until_it_is_settled() -> None:
    paid = Finding("P001", "L1", "funds_to_related_party", 200)
    standing = {("P001", "FUNDS|L1|funds_to_related_party"): 100, ("P002", "FUNDS|L1|funds_to_related_party"): 7}
    assert in_question(paid, standing) == 300
    assert in_question(paid, {}) == 200
    # What ended wrongly is summed over all days already.
    ended_so_far = Finding("P001", "L1", "funds_relent", 900)
    assert in_question(ended_so_far, {("P001", "FUNDS|L1|funds_relent"): 500}) == 900
