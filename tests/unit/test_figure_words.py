"""Figures are read with their currency and in both languages; whatever a rule or a finding says has a name in both."""

from __future__ import annotations

import re

import pytest

from custody.compliance import WORDS
from custody.compliance_rules import NEEDS
from custody.figure_words import LABELS, figure_words, told_figures, value_words
from custody.rule_words import condition_words
from schemas.rule_book import shipped_rules

# What the finding itself says beside its figures.
_OWN = {"subject", "platform"}


def test_every_figure_of_a_rule_and_of_a_finding_has_a_name_in_both_languages() -> None:
    asked = {name for needs in NEEDS.values() for name in (*needs.figures, *needs.more)}
    told = {name for words in WORDS.values() for text in words for name in re.findall(r"{(\w+)}", text)}
    told = {name for name in told - _OWN if not name.endswith("_zh")}
    # In sentences amounts have lost their unit already.
    assert asked <= LABELS.keys() and all(name in LABELS or f"{name}_minor" in LABELS for name in told), told
    assert all(any("一" <= letter <= "鿿" for letter in zh) and en.isascii() for en, zh in LABELS.values())


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("minor", 5_000_000, ("CNY 50,000.00", "50,000.00 元")),
        ("person_minor", 5, ("CNY 0.05", "0.05 元")),
        ("grown_minor", -123_456, ("CNY −1,234.56", "−1,234.56 元")),
        ("share_bp", 9_050, ("90.5 %", "90.5 %")),
        ("sum_bp", 17_500, ("175 %", "175 %")),
        ("days", 10, ("10", "10")),
        ("rate", "0.36", ("0.36", "0.36")),
    ],
)
def test_a_figure_is_shown_by_what_it_is(name: str, value: object, said: tuple[str, str]) -> None:
    assert value_words(name, value) == said


def test_another_currency_keeps_its_code_and_its_decimals() -> None:
    assert value_words("owed_minor", 1_234, "JPY") == ("JPY 1,234", "1,234 JPY")
    assert told_figures({"currency": "JPY", "owed_minor": 5}) == [(LABELS["owed_minor"], ("JPY 5", "5 JPY"))]


def test_what_is_said_in_two_languages_is_shown_once_and_nothing_of_what_says_nothing() -> None:
    told = told_figures({"way": "came in", "way_zh": "转入", "split": "", "split_zh": "", "loans": 0})
    assert told == [(LABELS["way"], ("came in", "转入")), (LABELS["loans"], ("0", "0"))]


def test_a_rule_is_read_without_minor_units() -> None:
    rules = [rule for rule in shipped_rules() if rule.rule_id in NEEDS]
    assert rules and not any("_minor" in text or "_bp" in text for rule in rules for text in condition_words(rule))
    (capped,) = (rule for rule in rules if rule.id == "limit_on_platform/1")
    assert "natural person CNY 200,000.00, legal person CNY 1,000,000.00" in condition_words(capped)[0]
    assert "自然人 200,000.00 元，法人 1,000,000.00 元" in condition_words(capped)[1]
    assert figure_words({}) == ("–", "–")
