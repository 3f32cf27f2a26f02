"""How long the law keeps what: the rules in force, the longest term, and ends that have not come."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from custody.retention import RULES, From, longest, terms, years_after


def rules_of(on: date, ended: dict[From, date | None]) -> dict[str, date | None]:
    return {term.rule.rule: term.until for term in terms(on, ended)}


def test_the_rules_of_the_day_count() -> None:
    ended: dict[From, date | None] = {"relationship": date(2020, 1, 31), "loan_contract": date(2021, 6, 30)}
    assert rules_of(date(2022, 1, 1), ended) == {
        "custody_guideline_12": date(2026, 6, 30),
        "aml_law_2006_19": date(2025, 1, 31),
    }
    # The revised law doubles the term of what is still kept when it comes into force.
    assert rules_of(date(2025, 1, 1), ended)["aml_law_2024_34"] == date(2030, 1, 31)
    assert "aml_law_2006_19" not in rules_of(date(2025, 1, 1), ended)


def test_the_longest_term_counts_and_one_without_an_end_before_all() -> None:
    both = longest(terms(date(2022, 1, 1), {"relationship": date(2020, 1, 31), "loan_contract": date(2021, 6, 30)}))
    assert both is not None and both.until == date(2026, 6, 30)
    running = longest(terms(date(2022, 1, 1), {"relationship": date(2020, 1, 31), "loan_contract": None}))
    assert running is not None and running.until is None and running.rule.runs_from == "loan_contract"
    assert longest([]) is None


def test_every_rule_has_words_in_both_languages_and_a_citation() -> None:
    assert {rule.rule for rule in RULES} == {"custody_guideline_12", "aml_law_2006_19", "aml_law_2024_34"}
    for rule in RULES:
        assert "art." in rule.law_en and "条" in rule.law_zh and rule.years >= 5


@given(st.dates(date(1990, 1, 1), date(2090, 12, 31)), st.integers(1, 30))
def test_years_after_is_the_same_day_or_the_last_of_february(day: date, years: int) -> None:
    then = years_after(day, years)
    assert then.year == day.year + years
    assert (then.month, then.day) == (day.month, day.day) or (day.month, day.day, then.day) == (2, 29, 28)
    assert then - day >= timedelta(days=365 * years - 1)
