"""The rule book: what is in force on a date, and what it refuses to say, in words."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from custody.declared import BadDeclaration
from custody.errors import UsageError
from custody.match_rules import LEVELS, NEEDED, RuleBook, read_rule
from custody.names import BreakKind as Kind
from custody.rule_words import condition_words
from schemas.rule_book import book_with, rules_of, shipped_rules

DAY = date(2020, 1, 1)
NEXT = DAY + timedelta(days=1)
AB_TXN = book_with([]).rules_on(DAY).relation("AB_TXN")
TIMING: dict[str, Any] = {
    "rule": "ab_txn_timing", "version": 2, "form": "pair", "relation": "AB_TXN", "priority": 80, "kind": "TIMING",
    "differs": ["item_date"], "unless": "in_window", "valid_from": "2020-01-01", "owner": "supervisor", "basis": "a circular",
    "words": {"en": "dates", "zh": "日期"},
}  # fmt: skip
WINDOW = {
    "rule": "cut_off_window", "version": 2, "form": "window", "priority": 0, "minutes": 60, "valid_from": "2020-01-01",
    "owner": "supervisor", "basis": "a circular", "words": {"en": "window", "zh": "窗口"},
}  # fmt: skip


def read(entry: dict[str, Any], **changed: Any) -> Any:
    return read_rule({k: v for k, v in (entry | changed).items() if v is not ...}, "proposed.yaml")


def amount(**changed: Any) -> Any:
    return read(
        {**TIMING, "rule": "ab_txn_amount", "kind": "AMOUNT", "priority": 50, "differs": ["amount_minor"], "unless": ...},
        **changed,
    )


def test_the_shipped_book_says_what_domain_md_says() -> None:
    rules = book_with([]).rules_on(DAY)
    assert [(r.name, r.sides, r.nets, r.missing_left, r.missing_right) for r in rules.relations] == [
        ("AB_TXN", "AB", False, Kind.MISSING_IN_PLATFORM, Kind.UNAUTHORISED),
        ("BC_CORE", "BC", True, Kind.MISSING_IN_LEDGER, Kind.MISSING_IN_CORE),
        ("BC_CHANNEL", "BC", False, Kind.MISSING_IN_LEDGER, Kind.MISSING_IN_CHANNEL),
        ("BC_E_ACCOUNT", "BC", False, Kind.MISSING_IN_LEDGER, Kind.MISSING_IN_CORE),
    ]
    assert [r.kind for r in AB_TXN.rules] == [
        Kind.CURRENCY, Kind.DIRECTION, Kind.WRONG_ACCOUNT, Kind.WRONG_LOAN, Kind.TXN_TYPE, Kind.AMOUNT, Kind.ALLOCATION,
        Kind.STATUS, Kind.TIMING,
    ]  # fmt: skip
    assert [r.kind for r in rules.relation("BC_CHANNEL").rules] == [Kind.CURRENCY, Kind.AMOUNT, Kind.FEE, Kind.STATUS]
    assert [r.kind for r in rules.relation("BC_E_ACCOUNT").rules] == [
        Kind.CURRENCY, Kind.DIRECTION, Kind.WRONG_ACCOUNT, Kind.TXN_TYPE, Kind.AMOUNT, Kind.STATUS, Kind.TIMING,
    ]  # fmt: skip
    assert [(r.kind, r.unless, r.until) for r in AB_TXN.rules if r.unless] == [(Kind.TIMING, "in_window", "settle_date")]
    assert rules.window_minutes == 30
    assert [rules.due_business_days(level) for level in LEVELS] == [5, 3, 1, 0]
    assert all(needed in rules for needed in NEEDED)
    for rule in shipped_rules():
        assert (rule.version == 1 or rule.form in ("compliance", "alert")) and rule.basis and rule.words_en and rule.words_zh


@pytest.mark.parametrize(
    ("amount_minor", "age", "level"),
    [
        (0, 0, "LOW"), (999_99, 2, "LOW"), (1_000_00, 0, "MEDIUM"), (0, 3, "MEDIUM"), (100_000_00, 0, "HIGH"), (0, 5, "HIGH"),
        (1_000_00, 3, "HIGH"), (0, 30, "HIGH"), (0, 31, "CRITICAL"), (100_000_00, 3, "CRITICAL"), (10**15, 400, "CRITICAL"),
    ],
)  # fmt: skip
def test_severity_is_the_sum_of_two_steps(amount_minor: int, age: int, level: str) -> None:
    assert book_with([]).rules_on(DAY).severity(amount_minor, age) == level


def test_a_version_holds_from_its_first_day_until_the_next_ones() -> None:
    third = read(WINDOW, version=3, minutes=15, valid_from="2020-01-05")
    book = book_with([read(WINDOW), third])
    days = [DAY + timedelta(days=n) for n in range(-1, 6)]
    assert [book.rules_on(on).window_minutes for on in days] == [30, 60, 60, 60, 60, 15, 15]
    assert [rule.id for rule in book.versions("cut_off_window")] == ["cut_off_window/1", "cut_off_window/2", "cut_off_window/3"]


def test_a_rule_that_is_withdrawn_or_has_ended_is_not_in_force() -> None:
    withdrawn = book_with([read(TIMING, withdrawn=True)])
    assert "ab_txn_timing" in withdrawn.rules_on(DAY - timedelta(days=1)) and "ab_txn_timing" not in withdrawn.rules_on(DAY)
    assert [rule.kind for rule in withdrawn.rules_on(DAY).relation("AB_TXN").rules] == [r.kind for r in AB_TXN.rules[:-1]]
    ended = book_with([read(TIMING, valid_to="2020-01-01")])
    assert "ab_txn_timing" in ended.rules_on(DAY) and "ab_txn_timing" not in ended.rules_on(NEXT)
    with pytest.raises(UsageError, match="no rule 'ab_txn_timing' is in force on 2020-01-02"):
        ended.rules_on(NEXT).rule("ab_txn_timing")


def test_priorities_order_the_pair_rules() -> None:
    first = book_with([read(TIMING, priority=5, until="settle_date")]).rules_on(DAY).relation("AB_TXN").rules
    assert first[0] == AB_TXN.rules[-1] and first[1:] == AB_TXN.rules[:-1]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tolerance": "0.01"}, "tolerance for customers' money is 0.00 and no rule can change it"),
        ({"unless": "in_window", "differs": ["amount_minor"]}, "only time has a tolerance"),
        ({"unless": "in_window", "differs": ["item_date", "amount_minor"]}, "only time has a tolerance"),
        (
            {"unless": ..., "until": "settle_date", "differs": ["amount_minor"]},
            "until excuses amount_minor: only time has a tolerance",
        ),
        ({"unless": "small"}, "unless is 'small', which is not one of in_window"),
        ({"differs": ["amount"]}, "'amount' is not compared; columns of this relation are currency, amount_minor"),
        ({"differs": [], "unless": ...}, "differs or swapped must name columns"),
        ({"differs": [], "unless": ..., "swapped": ["from_account"]}, "swapped names 1 columns"),
        ({"kind": "OTHER"}, "kind is 'OTHER', which is not one of MISSING_IN_PLATFORM"),
        ({"relation": "AC"}, "relation is 'AC', which is not one of AB_TXN, BC_CORE, BC_CHANNEL, BC_E_ACCOUNT"),
        ({"form": "sql"}, "form is 'sql', which is not one of relation, pair"),
        ({"version": 0}, "version is 0; write a whole number from 1"),
        ({"priority": -1}, "priority is -1; write a whole number from 0"),
        ({"valid_from": "tomorrow"}, "valid_from is 'tomorrow'; write a date YYYY-MM-DD"),
        ({"valid_to": "2019-12-31"}, "lies before valid_from"),
        ({"owner": "the desk"}, "owner is 'the desk'; write a duty such as supervisor"),
        ({"basis": ...}, "the key 'basis' is missing"),
        ({"words": {"en": "x"}}, "the key 'zh' is missing"),
        ({"rule": "Ab Txn"}, "a word of small letters"),
        ({"minutes": 3}, "unknown key 'minutes'"),
    ],
)
def test_an_entry_that_may_not_be_is_refused_by_file_rule_and_field(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(BadDeclaration) as refused:
        read(TIMING, **changed)
    assert str(refused.value).startswith("proposed.yaml: rule ") and words in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({**WINDOW, "withdrawn": True}, "nothing can be judged without this rule"),
        ({**WINDOW, "valid_to": "2021-01-01"}, "nothing can be judged without this rule"),
        ({**WINDOW, "minutes": 721}, "minutes is 721; write a whole number from 0 to 720"),
        ({**WINDOW, "minutes": True}, "minutes is True, not int"),
        (
            {**WINDOW, "form": "relation", "relation": "AB_TXN", "missing_left": "FEE", "missing_right": "FEE", "nets": False},
            "the terms of AB_TXN are rule ab_txn",
        ),
    ],
)
def test_what_is_needed_stays(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(BadDeclaration, match=words):
        read(entry)


@pytest.mark.parametrize(
    ("steps", "right"),
    [
        ([(3, 1)], True),
        ([(5, 2), (3, 1)], True),
        ([(3, 1), (5, 2)], False),
        ([(5, 1), (3, 2)], False),
        ([(5, 2), (5, 1)], False),
        ([], False),
    ],
)
def test_steps_go_down(steps: list[tuple[int, int]], right: bool) -> None:
    entry = {k: v for k, v in WINDOW.items() if k != "minutes"}
    entry |= {"rule": "severity_by_age", "form": "steps", "steps": [{"from": a, "weight": b} for a, b in steps]}
    if right:
        assert read(entry).says.steps == tuple(steps)
        return
    with pytest.raises(BadDeclaration, match="greatest `from` first"):
        read(entry)


def test_no_rule_set_leaves_money_uncompared() -> None:
    for entry in (amount(withdrawn=True, differs=["amount_minor", "coupon_minor"]), amount(differs=["amount_minor"])):
        with pytest.raises(BadDeclaration, match="tolerance for customers' money is 0.00 and no rule can change it"):
            book_with([entry]).rules_on(DAY)
    # Under another rule the same money is compared.
    account = read(
        TIMING, rule="ab_txn_account", priority=30, kind="WRONG_ACCOUNT", unless=..., differs=["to_account", "coupon_minor"]
    )
    assert book_with([amount(), account]).rules_on(DAY).relation("AB_TXN").rules[5].differs == ("amount_minor",)


def test_what_nets_has_no_pair_rules_and_what_does_not_compares() -> None:
    terms = {**TIMING, "form": "relation", "priority": 0, "nets": True, "missing_left": "FEE", "missing_right": "FEE"}
    terms = {k: v for k, v in terms.items() if k not in ("kind", "differs", "unless")}
    with pytest.raises(BadDeclaration, match="sums hide whose money it was"):
        read(terms, rule="ab_txn")
    pair = read(TIMING, rule="bc_core_date", version=1, relation="BC_CORE", unless=...)
    with pytest.raises(BadDeclaration, match="its pair rules would never speak"):
        book_with([pair]).rules_on(DAY)
    with pytest.raises(BadDeclaration, match="BC_CORE: no rule compares currency"):
        book_with([read(terms, rule="bc_core", relation="BC_CORE", nets=False)]).rules_on(DAY)


def test_versions_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(BadDeclaration, match="version 2 stands twice"):
        book_with([read(WINDOW), read(WINDOW)])
    with pytest.raises(BadDeclaration, match="is not after version 1's"):
        book_with([read(WINDOW, valid_from="2015-06-01")])
    with pytest.raises(BadDeclaration, match="give a rule of another nature an id of its own"):
        book_with([read(TIMING, rule="cut_off_window", valid_from="2020-01-02")])
    with pytest.raises(BadDeclaration, match="priority 70 is ab_txn_status/1's too|priority 70 is ab_txn_timing/2's too"):
        book_with([read(TIMING, priority=70)]).rules_on(DAY)
    with pytest.raises(BadDeclaration, match="rule cut_off_window is missing"):
        RuleBook.of([r for r in shipped_rules() if r.rule_id != "cut_off_window"]).rules_on(DAY)


def test_a_file_says_where_it_is_wrong() -> None:
    with pytest.raises(BadDeclaration, match=r"mine.yaml: not YAML"):
        rules_of("rules: [", "mine.yaml")
    with pytest.raises(BadDeclaration, match=r"mine.yaml: the key 'rules' is missing"):
        rules_of("rule: x", "mine.yaml")
    with pytest.raises(BadDeclaration, match=r"mine.yaml: rules lists no entry"):
        rules_of("rules: []", "mine.yaml")
    with pytest.raises(BadDeclaration, match=r"mine.yaml: rule cut_off_window: the key 'form' is missing"):
        rules_of("rules: [{rule: cut_off_window, version: 2}]", "mine.yaml")


def test_an_entry_read_again_from_what_was_sealed_is_the_same() -> None:
    for rule in shipped_rules():
        again = read_rule(dict(rule.entry), "sealed")
        assert again == rule and again.digest == rule.digest


def test_cause_rules_have_the_figures_of_their_proof() -> None:
    cause = {k: v for k, v in WINDOW.items() if k != "minutes"} | {"rule": "transposed_digits", "form": "cause", "priority": 115}
    rules = book_with([read(cause, figures={"least_digits": 6})]).rules_on(DAY)
    assert rules.figures("transposed_digits") == {"least_digits": 6} == dict(rules.causes)["transposed_digits"]
    assert [word for word, _ in rules.causes].index("transposed_digits") > [word for word, _ in rules.causes].index(
        "single_digit"
    )
    with pytest.raises(UsageError, match="has no figures"):
        rules.figures("cut_off_window")
    with pytest.raises(BadDeclaration, match="least_digits is '9'"):
        read(cause, figures={"least_digits": "9"})
    with pytest.raises(BadDeclaration, match="needs the figures least_digits; the entry names multiple_of"):
        read(cause, figures={"multiple_of": 9})
    with pytest.raises(BadDeclaration, match="no such cause can be proved; the causes are late_file"):
        read(cause, rule="full_moon")


def test_a_book_is_looked_at_on_every_date_on_which_it_changes() -> None:
    book_with([read(WINDOW), read(TIMING, withdrawn=True, valid_from="2020-03-01")]).check(DAY)
    late = amount(differs=["amount_minor"], valid_from="2020-03-01")
    with pytest.raises(BadDeclaration, match="no rule compares coupon_minor on 2020-03-01"):
        book_with([late]).check(DAY)


def test_every_shipped_rule_can_be_read_by_people_in_both_languages() -> None:
    read_out = {rule.rule_id: condition_words(rule) for rule in shipped_rules()}
    assert all(en and zh and en != zh for en, zh in read_out.values())
    assert read_out["ab_txn_direction"] == (
        "from_account and to_account stand exchanged: DIRECTION",
        "from_account 与 to_account 互换：DIRECTION",
    )
    assert read_out["cut_off_window"][0] == "within 30 minutes of midnight UTC+8"
    assert read_out["bc_core"][0] == "summed by key; alone: MISSING_IN_CORE (left), MISSING_IN_LEDGER (right)"
    assert read_out["ab_txn_timing"][0].startswith("item_date differ unless in_window")
