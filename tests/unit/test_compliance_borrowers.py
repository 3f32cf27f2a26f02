"""Rules about borrowers: what each speaks at, and just before that."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from compliance_kit import DAY, RULES, before, figures, loan, told

from custody.compliance import WORDS, Source
from custody.compliance_borrowers import (
    above_rate_cap,
    over_limit_on_all,
    over_limit_on_platform,
    shared_contacts,
    shared_identities,
    split_terms,
)
from custody.compliance_rules import NEEDS, Disclosure
from custody.declared import BadDeclaration
from custody.match_rules import read_rule
from jobs.compliance.borrowers import rate_caps
from schemas.rule_book import book_with

YUAN = 100


def test_every_rule_of_the_book_has_a_detector_and_words_and_is_cited() -> None:
    assert set(RULES) == set(NEEDS) == set(WORDS)
    for rule in RULES.values():
        assert rule.says.citation.regulation and rule.says.citation.article  # type: ignore[union-attr]


@pytest.mark.parametrize(("kind", "limit"), [("PERSON", 200_000 * YUAN), ("COMPANY", 1_000_000 * YUAN)])
def test_a_limit_on_one_platform_is_what_is_owed_and_asked_for_together(kind: str, limit: int) -> None:
    at_limit = [loan("L1", limit - 100, kind=kind), loan("L2", 100, kind=kind)]
    assert told(over_limit_on_platform(at_limit, figures("limit_on_platform"))) == []
    (found,) = over_limit_on_platform([*at_limit, loan("L3", 1, kind=kind)], figures("limit_on_platform"))
    assert told([found]) == [("limit_on_platform", "P001", "C1", 1)]
    assert [(b.source, b.ref, b.amount_minor) for b in found.behind] == [
        (Source.LOAN, "L1", limit - 100),
        (Source.LOAN, "L2", 100),
        (Source.LOAN, "L3", 1),
    ]


def test_another_platforms_loans_count_on_all_only() -> None:
    five = [loan(f"L{n}", 200_000 * YUAN, platform=f"P00{n}") for n in range(1, 6)]
    assert told(over_limit_on_platform(five, figures("limit_on_platform"))) == []
    assert told(over_limit_on_all(five, figures("limit_on_all"))) == []
    (found,) = over_limit_on_all([*five, loan("L6", 1, platform="P006")], figures("limit_on_all"))
    assert told([found]) == [("limit_on_all", "", "C1", 1)] and found.figures["platforms"] == 6
    # What is seen over platforms names no one platform, and none may be told.
    assert NEEDS["limit_on_all"].disclosure is Disclosure.BANK


def test_a_loan_is_judged_by_the_rate_cap_of_its_own_day() -> None:
    caps = rate_caps(book_with([]))
    assert caps == [(date(2015, 9, 1), 2400), (date(2020, 8, 20), 1540)]
    old, new = date(2020, 8, 19), date(2020, 8, 20)
    loans = [
        loan("L1", 1, annual_rate="0.24", since=old),
        loan("L2", 5, annual_rate="0.240001", since=old),
        loan("L3", 1, annual_rate="0.154", since=new),
        loan("L4", 7, annual_rate="0.1541", since=new),
        loan("L5", 1, annual_rate="0.9", since=date(2015, 8, 31)),
    ]
    assert [(f.subject, f.amount_minor, f.figures["cap_bp"]) for f in above_rate_cap(loans, caps)] == [
        ("L2", 5, 2400),
        ("L4", 7, 1540),
    ]


def short(number: int, starts: int, minor: int = 100_000, days: int = 5, **said: Any) -> dict[str, Any]:
    since = before(60) + timedelta(days=starts)
    row = loan(f"L{number}", minor, purpose="货款", since=since, funded_minor=minor, ends_on=since + timedelta(days=days))
    return row | said


@pytest.mark.parametrize(
    ("third", "found"),
    [
        (short(3, 10), 1),
        (short(3, 13), 1),  # three days after the second ended
        (short(3, 14), 0),
        (short(3, 7), 1),  # three days before it ended
        (short(3, 6), 0),
        (short(3, 10, minor=80_000), 1),
        (short(3, 10, minor=79_999), 0),
        (short(3, 10, purpose="装修"), 0),
        (short(3, 10, customer_id="C2"), 0),
        (short(3, 10, platform="P002"), 0),
    ],
)
def test_a_term_is_split_where_three_like_loans_take_over_from_one_another(third: dict[str, Any], found: int) -> None:
    findings = list(split_terms([third, short(2, 5), short(1, 0)], figures("term_splitting", 1)))
    assert len(findings) == found
    assert all(f.subject == "L1" and [b.ref for b in f.behind] == ["L1", "L2", "L3"] for f in findings)


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (short(2, 5), 1),
        (short(2, 6), 1),  # a day after the first ended
        (short(2, 7), 0),
        (short(2, 4), 1),  # a day before it ended
        (short(2, 3), 0),
        (short(2, 5, minor=105_000), 1),
        (short(2, 5, minor=105_001), 0),
        (short(2, 5, days=30), 1),
        (short(2, 5, days=31), 0),  # a loan of its own
        (short(2, 5, purpose="装修"), 0),
    ],
)
def test_two_short_loans_of_the_same_amount_are_a_split_where_the_second_takes_over_at_once(
    second: dict[str, Any], found: int
) -> None:
    loans = [second, short(1, 0)]
    findings = list(split_terms(loans, figures("term_splitting")))
    assert [(f.subject, [b.ref for b in f.behind]) for f in findings] == [("L1", ["L1", "L2"])] * found
    assert list(split_terms(loans, figures("term_splitting", 1))) == []


def test_a_pair_keeps_its_name_as_it_becomes_a_series() -> None:
    loans = [short(n, 5 * (n - 1)) for n in (1, 2, 3)]
    (pair,) = split_terms(loans[:2], figures("term_splitting"))
    (series,) = split_terms(loans, figures("term_splitting"))
    assert pair.finding_id == series.finding_id and len(series.behind) == 3
    # A pair is found beside a loan that nothing takes over from.
    (late,) = split_terms([short(9, -20), *loans[:2]], figures("term_splitting"))
    assert late.finding_id == pair.finding_id


def contact(customer: str, digest: str = "d1", field: str = "phone", platform: str = "P001") -> dict[str, Any]:
    return {
        "field": field, "digest": digest, "customer_id": customer, "platform": platform, "role": "BORROWER",
        "sub_account": f"{platform}.BORROWER.{customer}", "since": DAY, "file_name": "F", "line_no": 7,
    }  # fmt: skip


def test_three_persons_behind_one_number_are_found_two_are_not() -> None:
    two = [
        contact("C1"),
        contact("C2"),
        contact("C2", platform="P002"),
        contact("C3", digest="d2"),
        contact("C4", field="card_no"),
    ]
    assert told(shared_contacts(two, figures("shared_contact"))) == []
    (found,) = shared_contacts([*two, contact("C5")], figures("shared_contact"))
    assert told([found]) == [("shared_contact", "", "phone:d1", 0)]
    assert next((b.ref, b.file_name, b.line_no) for b in found.behind) == ("P001.BORROWER.C1", "F", 7)
    (own,) = shared_contacts([contact(c) for c in ("C1", "C2", "C5")], figures("shared_contact"))
    assert own.platform == "P001"


def test_two_who_share_a_card_are_found_since_a_card_is_one_persons() -> None:
    couple = [contact("C1"), contact("C2"), contact("C1", field="card_no"), contact("C2", digest="d2", field="card_no")]
    assert told(shared_contacts(couple, figures("shared_contact"))) == []
    phantoms = [contact("C1", field="card_no"), contact("C2", field="card_no"), contact("C2", field="card_no", platform="P002")]
    (found,) = shared_contacts(phantoms, figures("shared_contact"))
    assert told([found]) == [("shared_contact", "", "card_no:d1", 0)] and found.figures["borrowers"] == 2
    assert told(shared_contacts(phantoms, figures("shared_contact", 1))) == []


def test_one_identity_behind_two_borrowers_of_a_platform() -> None:
    accounts = [
        {"platform": p, "customer_id": "C1", "sub_account": f"{p}.BORROWER.{n}", "opened_on": DAY}
        for p, n in (("P001", 1), ("P002", 2))
    ]
    assert told(shared_identities(accounts, figures("shared_identity"))) == []
    again = {**accounts[0], "sub_account": "P001.BORROWER.3"}
    assert told(shared_identities([*accounts, again], figures("shared_identity"))) == [("shared_identity", "P001", "C1", 0)]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"rule": "dancing"}, "no detector judges this rule"),
        ({"figures": {"person_minor": 1}}, "needs the figures person_minor, company_minor"),
        ({"disclosure": "EVERYBODY"}, "disclosure"),
        ({"rule": "limit_on_all", "disclosure": "PLATFORM"}, "BANK is the most that may be told"),
        ({"severity": "HUGE"}, "severity"),
        ({"citation": {"regulation": "x"}}, "article"),
    ],
)
def test_the_book_refuses_what_no_detector_could_judge(changed: dict[str, Any], why: str) -> None:
    entry = dict(RULES["limit_on_platform"].entry)
    with pytest.raises(BadDeclaration, match=why):
        read_rule(entry | changed, "proposed.yaml")
